import { ServiceError } from '../model/errors.ts';
import { type ApiRouter, apiRouter } from './context.ts';
import type { DocumentActions } from './document-actions.ts';
import { type DocumentHandlers, collectionParam } from './document-handlers.ts';

/**
 * `/_api/document`: the forms of 1.4, and those of 3.x, also for several documents (contract 9.3). Requests
 * that are spelled plainly do not come here: see `HotRoutes`.
 */
export function documentRoutes(handlers: DocumentHandlers): ApiRouter {
  const { actions } = handlers;
  const router = apiRouter('/_api/document');

  router.post('/', (ctx) => handlers.insert(ctx));
  router.post('/:collection', (ctx) => handlers.insertInto(ctx));
  router.get('/', (ctx) => actions.list(ctx, ctx.state.database.get(collectionParam(ctx))));
  addKeyRoutes(router, actions);
  for (const method of ['put', 'patch', 'delete'] as const) {
    router[method]('/:collection', (ctx) => handlers.several(ctx, method));
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
