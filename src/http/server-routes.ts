import type { Clock } from '../base/clock.ts';
import { booleanParam } from '../protocol/params.ts';
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
