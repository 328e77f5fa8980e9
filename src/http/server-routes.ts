import type { Clock } from '../base/clock.ts';
import { ServiceError } from '../model/errors.ts';
import { booleanParam } from '../protocol/params.ts';
import { announcedBytes, readJsonObject } from './body.ts';
import { type ApiRouter, apiRouter } from './context.ts';
import { sendJson, sendResult } from './respond.ts';

/** GET `/_api/version[?details=true]` (contract 9.1); the answer has neither `error` nor `code`. */
export function versionRoutes(options: {
  readonly version: string;
  readonly details: Readonly<Record<string, string>>;
}): ApiRouter {
  const { version, details } = options;
  const plain = JSON.stringify({ server: 'arango', version });
  const detailed = JSON.stringify({ server: 'arango', version, details });
  const router = apiRouter('/_api/version');
  router.get('/', (ctx) => {
    sendJson(ctx, 200, booleanParam(ctx.query, 'details', false) ? detailed : plain);
  });
  return router;
}

/** GET `/_admin/time`: the server's clock in seconds since 1970, with a fraction. */
export function timeRoutes(deps: { readonly clock: Clock }): ApiRouter {
  const router = apiRouter('/_admin/time');
  router.get('/', (ctx) => {
    sendResult(ctx, 200, { time: deps.clock.nowMs() / 1000 });
  });
  return router;
}

/**
 * GET `/_admin/server/role` and `/availability`, which drivers of 3.x and load balancers ask for: one server on its
 * own, that answers - until it is told to stop: then 503, from before it closes its door. 503 also while the store
 * takes no writes, as from other servers that are read-only; the body says why, with the number that writes get.
 */
export function serverRoutes(deps: {
  readonly leaving: AbortSignal;
  readonly writeFailure: () => ServiceError | undefined;
}): ApiRouter {
  const router = apiRouter('/_admin/server');
  router.get('/role', (ctx) => sendResult(ctx, 200, { role: 'SINGLE' }));
  router.get('/availability', (ctx) => {
    if (deps.leaving.aborted) throw new ServiceError('shuttingDown');
    const failure = deps.writeFailure();
    if (failure) throw new ServiceError(failure.kind, failure.message, { httpStatus: 503 });
    sendResult(ctx, 200, { mode: 'default' });
  });
  return router;
}

/**
 * PUT `/_admin/wal/flush` (contract 9.5), which tools send before a dump. There is nothing to flush for
 * readers, who see what is committed; with `waitForSync`, in the query or the body, it is fsynced.
 */
export function walRoutes(deps: { readonly flush: () => Promise<void> }): ApiRouter {
  const router = apiRouter('/_admin/wal');
  router.put('/flush', async (ctx) => {
    const hasBody = (announcedBytes(ctx) ?? 0) > 0;
    const { waitForSync } = hasBody ? await readJsonObject(ctx) : {};
    const isWanted = booleanParam(ctx.query, 'waitForSync', waitForSync === true);
    if (isWanted) await deps.flush();
    sendResult(ctx, 200, {});
  });
  return router;
}
