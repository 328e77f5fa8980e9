import type { Collection } from '../documents/collection.ts';
import type { Collections } from '../documents/collections.ts';
import type { IndexDefinition } from '../model/collection.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { indexOf3 } from '../protocol/page-of-3.ts';
import { textParam } from '../protocol/params.ts';
import { readJsonObject } from './body.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { isBuiltIn, shownIndex, shownIndexes, wantedIndex } from './index-requests.ts';
import { reportWorks } from './detached-request.ts';
import { generationOf } from './generation.ts';
import { sendResult } from './respond.ts';
import { assertOutsideTransaction } from './transaction-header.ts';

/** `/_api/index` (contract 9.4); ids are `<collection>/<digits>` here. */
export function indexRoutes(deps: { readonly collections: Collections }): ApiRouter {
  const router = apiRouter('/_api/index');

  router.get('/', (ctx) => {
    const indexes = shownIndexes(collectionOfQuery(ctx)).map((index) => inShape(ctx, index));
    const identifiers = Object.fromEntries(indexes.map((index) => [String(index['id']), index]));
    sendResult(ctx, 200, { indexes, identifiers });
  });

  router.post('/', async (ctx) => {
    assertOutsideTransaction(ctx, 'to create an index');
    const collection = collectionOfQuery(ctx);
    const wanted = wantedIndex(await readJsonObject(ctx));
    const { database } = ctx.state;
    reportWorks(ctx, collection);
    const { definition, isNew } = await conflictAsBadRequest(
      ctx,
      deps.collections.createIndex(database, collection, wanted),
    );
    const index = inShape(ctx, shownIndex(collection, definition));
    const shown = { ...index, isNewlyCreated: isNew };
    sendResult(ctx, isNew ? 201 : 200, shown);
  });

  router.get('/:collection/:id', (ctx) => {
    const { collection, id } = indexOfPath(ctx);
    const wanted = `${collection.name}/${id}`;
    const index = shownIndexes(collection).find((each) => each.id === wanted);
    if (!index) throw new ServiceError('indexNotFound');
    sendResult(ctx, 200, inShape(ctx, index));
  });

  router.delete('/:collection/:id', async (ctx) => {
    assertOutsideTransaction(ctx, 'to drop an index');
    const { collection, id } = indexOfPath(ctx);
    if (isBuiltIn(collection, id)) {
      throw new ServiceError('forbidden', 'this index cannot be dropped', { httpStatus: 400 });
    }
    await deps.collections.dropIndex(ctx.state.database, collection, id);
    sendResult(ctx, 200, { id: `${collection.name}/${id}` });
  });

  for (const method of ['get', 'delete'] as const) {
    router[method](['/:collection', '/:collection/:id/*rest'], () => {
      throw new ServiceError('illegalIndexHandle', 'expecting <collection>/<digits>');
    });
  }
  return router;
}

/** The definition as clients of the request's generation know it. */
function inShape(ctx: Context, index: IndexDefinition): Readonly<Record<string, unknown>> {
  return generationOf(ctx) === '3.x' ? indexOf3(index) : index;
}

/** Without the parameter there is no collection either (contract 9.4). */
function collectionOfQuery(ctx: Context): Collection {
  return ctx.state.database.get(textParam(ctx.query, 'collection') ?? '');
}

/** @throws ServiceError collectionNotFound, illegalIndexHandle */
function indexOfPath(ctx: Context): { collection: Collection; id: string } {
  const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
  const id = pathParam(ctx, 'id');
  if (!/^[0-9]{1,20}$/.test(id)) throw new ServiceError('illegalIndexHandle');
  return { collection, id };
}

/** Documents that cannot be in a unique index are a bad request in 1.4, a conflict in 3.x (contract 9.4). */
async function conflictAsBadRequest<T>(ctx: Context, creation: Promise<T>): Promise<T> {
  try {
    return await creation;
  } catch (error) {
    if (!isServiceError(error, 'uniqueConstraintViolated')) throw error;
    if (generationOf(ctx) === '3.x') throw error;
    throw new ServiceError('uniqueConstraintViolated', error.message, {
      httpStatus: 400,
      cause: error,
    });
  }
}
