import Router, { type RouterContext } from '@koa/router';
import type { ByteBudget } from '../base/byte-budget.ts';
import type { Database } from '../documents/database.ts';
import type { Generation } from './generation.ts';

/** What every request is bound by. */
export interface RequestLimits {
  /** Largest body that is read into memory; larger ones are refused with 413. */
  readonly maxBodyBytes: number;
  /** Memory that large bodies of all requests share; who does not fit waits. */
  readonly bodyBudget: ByteBudget;
  /** Aborted when the server is to stop: ends what a request only waits for. */
  readonly signal: AbortSignal;
  /** Aborted when a stop has waited long enough: ends what a request works on. */
  readonly deadline: AbortSignal;
}

/** What a handler finds in `ctx.state`. */
export interface RequestState {
  /** The database that the path names, `_system` without a prefix (contract 1.1). */
  database: Database;
  limits: RequestLimits;
  /** Shapes of the version that this server claims to be; `generationOf` says those of an answer. */
  generation: Generation;
}

export type Context = RouterContext<RequestState>;

/** The routes of one API, each handler as thin as it can be. */
export type ApiRouter = Router<RequestState>;

/**
 * A router for the paths below `prefix`, which has two segments, such as `/_api/document`: requests
 * are handed out by them. Handlers see the path without `/_db/<name>`. Several routers may have the same prefix.
 */
export function apiRouter(prefix: string): ApiRouter {
  return new Router<RequestState>({ prefix, sensitive: true });
}

/** The value of `:name` in the route's path. */
export function pathParam(ctx: Context, name: string): string {
  return ctx.params[name] ?? '';
}
