import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import type { EdgeEnds } from '../documents/document-operations.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { parseHandle } from '../model/names.ts';
import { parseDocument } from '../protocol/json-text.ts';
import { booleanParam, textParam } from '../protocol/params.ts';
import { readText } from './body.ts';
import { collectionForWrite } from './collection-requests.ts';
import { type ApiRouter, type Context, type Exchange, apiRouter } from './context.ts';
import { DocumentActions, assertInsertable } from './document-actions.ts';
import { type DocumentDeps, collectionParam } from './document-handlers.ts';
import { addKeyRoutes } from './document-routes.ts';

/**
 * `/_api/edge` of 1.4: the ends of a new edge come in the query, and stay what they are (contract 9.3);
 * through `/_api/document` they can be replaced.
 */
export function edgeRoutes(deps: Omit<DocumentDeps, 'arrays'>): ApiRouter {
  const readBody = async (ctx: Exchange): Promise<string> => withoutEnds(await readText(ctx));
  const actions = new DocumentActions(deps, { readBody });
  const router = apiRouter('/_api/edge');

  router.post('/', async (ctx) => {
    const { database } = ctx.state;
    const name = collectionParam(ctx);
    const from = textParam(ctx.query, 'from');
    const to = textParam(ctx.query, 'to');
    if (from === undefined || to === undefined) {
      throw new ServiceError('httpBadParameter', "'from' and 'to' are needed");
    }
    const wanted = booleanParam(ctx.query, 'createCollection', false);
    // Before a collection is made for an edge that cannot be.
    const ends: EdgeEnds = { from: endOf(database, from), to: endOf(database, to) };
    const body = await readBody(ctx);
    const collection = await collectionForWrite(deps.collections, ctx, name, {
      wanted,
      type: CollectionType.edge,
      check: () => assertInsertable(ctx, body),
    });
    if (collection.type !== CollectionType.edge) throw new ServiceError('collectionTypeInvalid');
    await actions.insert(ctx, collection, body, ends);
  });

  router.get('/', (ctx) => actions.list(ctx, edgeCollection(ctx)));
  addKeyRoutes(router, actions);
  for (const method of ['put', 'patch', 'delete'] as const) {
    router[method]('/:collection', () => {
      throw new ServiceError('httpBadParameter', 'expecting /_api/edge/<collection>/<key>');
    });
  }
  router.post('/*rest', () => {
    throw new ServiceError('superfluousSuffices', 'expecting POST /_api/edge?collection=<name>');
  });
  return router;
}

/** In 1.4 only the query of the insert names the ends; what a body says of them is dropped. */
function withoutEnds(body: string): string {
  if (!/_from|_to|\\u/.test(body)) return body;
  const { key, rev, from, to, rest } = parseDocument(body);
  if (from === undefined && to === undefined) return body;
  const own = Object.entries({ _key: key, _rev: rev }).filter(([, value]) => value !== undefined);
  const members = own.map(([name, value]) => `"${name}":${JSON.stringify(value)}`);
  return `{${[...members, rest].filter((member) => member !== '').join(',')}}`;
}

function edgeCollection(ctx: Context): Collection {
  const collection = ctx.state.database.get(collectionParam(ctx));
  if (collection.type !== CollectionType.edge) throw new ServiceError('collectionTypeInvalid');
  return collection;
}

/**
 * A handle with the collection's name in it. The collection must exist, the vertex need not.
 * @throws ServiceError illegalDocumentHandle, collectionNotFound
 */
function endOf(database: Database, handle: string): string {
  const parsed = parseHandle(handle);
  if (!parsed) throw new ServiceError('illegalDocumentHandle');
  return `${database.get(parsed.collection).name}/${parsed.key}`;
}
