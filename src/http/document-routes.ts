import type { Collections } from '../documents/collections.ts';
import type { DocumentArrays } from '../documents/document-arrays.ts';
import type { Documents } from '../documents/documents.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { booleanParam, textParam } from '../protocol/params.ts';
import { readText } from './body.ts';
import { collectionForWrite } from './collection-requests.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { DocumentActions } from './document-actions.ts';
import { DocumentArrayActions } from './document-array-actions.ts';
import { generationOf } from './generation.ts';

export interface DocumentRoutesDeps {
  readonly documents: Documents;
  readonly arrays: DocumentArrays;
  readonly transactions: StreamTransactions;
  readonly collections: Collections;
}

/** `/_api/document`: the forms of 1.4, and those of 3.x, also for several documents (contract 9.3). */
export function documentRoutes(deps: DocumentRoutesDeps): ApiRouter {
  const actions = new DocumentActions(deps);
  const arrays = new DocumentArrayActions(deps);
  const router = apiRouter('/_api/document');

  // First, because it is what is called most.
  router.post('/', async (ctx) => {
    const collection = await collectionForWrite(deps.collections, ctx, collectionParam(ctx), {
      wanted: booleanParam(ctx.query, 'createCollection', false),
      type: CollectionType.document,
    });
    const body = await readText(ctx);
    try {
      await actions.insert(ctx, collection, body);
    } catch (error) {
      // In 1.4 edges come in at /_api/edge only; here also with both ends in the body, as in 3.0.
      if (!isServiceError(error, 'edgeAttributeMissing')) throw error;
      if (generationOf(ctx) === '3.x') throw error;
      throw new ServiceError('collectionTypeInvalid', undefined, { cause: error });
    }
  });

  router.post('/:collection', async (ctx) => {
    const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
    const body = await readText(ctx);
    if (isArray(body)) await arrays.write(ctx, 'post', collection, body);
    else await actions.insert(ctx, collection, body);
  });

  router.get('/', (ctx) => actions.list(ctx, ctx.state.database.get(collectionParam(ctx))));
  addKeyRoutes(router, actions);

  for (const method of ['put', 'patch', 'delete'] as const) {
    router[method]('/:collection', async (ctx) => {
      const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
      const body = await readText(ctx);
      if (!isArray(body)) {
        throw new ServiceError(
          'httpBadParameter',
          'expecting /_api/document/<collection>/<key>, or an array as the body',
        );
      }
      const readsOnly = method === 'put' && booleanParam(ctx.query, 'onlyget', false);
      if (readsOnly) arrays.read(ctx, collection, body);
      else await arrays.write(ctx, method, collection, body);
    });
  }
  router.post('/:collection/*rest', () => {
    throw new ServiceError('superfluousSuffices', 'expecting POST /_api/document/<collection>');
  });
  return router;
}

/** The routes of one document, the same for documents and edges. */
export function addKeyRoutes(router: ApiRouter, actions: DocumentActions): void {
  router.get('/:collection/:key', (ctx) => actions.read(ctx));
  router.put('/:collection/:key', (ctx) => actions.replace(ctx));
  router.patch('/:collection/:key', (ctx) => actions.update(ctx));
  router.delete('/:collection/:key', (ctx) => actions.remove(ctx));
  router.get('/:collection', () => {
    throw new ServiceError('illegalDocumentHandle', 'expecting <collection>/<key>');
  });
  for (const method of ['get', 'put', 'patch', 'delete'] as const) {
    router[method]('/:collection/:key/*rest', () => {
      throw new ServiceError('httpBadParameter', 'expecting <collection>/<key>');
    });
  }
}

/** @throws ServiceError collectionParameterMissing (1204) */
export function collectionParam(ctx: Context): string {
  const name = textParam(ctx.query, 'collection');
  if (name === undefined || name === '') throw new ServiceError('collectionParameterMissing');
  return name;
}

/** Whether the body has several documents (3.x), be it good or bad. */
function isArray(body: string): boolean {
  return /^\s*\[/.test(body);
}
