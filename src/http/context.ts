import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import Router, { type RouterContext } from '@koa/router';
import type { ByteBudget } from '../base/byte-budget.ts';
import type { Database } from '../documents/database.ts';
import type { Query } from '../protocol/params.ts';
import type { Caller, Gate } from './gate.ts';
import type { Generation } from './generation.ts';
import type { RouteRight } from './route-rights.ts';

/** What every request is bound by. */
export interface RequestLimits {
  /** Largest body that is read into memory; larger ones are refused with 413. */
  readonly maxBodyBytes: number;
  /** Memory that large bodies of all requests share; who does not fit waits. */
  readonly bodyBudget: ByteBudget;
  /** A body of which less than 4 KiB come in this time, while it is waited for, is given up (408). */
  readonly bodyTimeoutMs: number;
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
  /** What the request is counted as, where the router has less to say. */
  route?: string;
  /** What the answer is counted as, where the contract has 500 for what a client or a leader did wrong. */
  countedStatus?: number;
  /** Undefined where everybody may do everything. */
  gate?: Gate | undefined;
  /** Who sends the request; undefined where nobody is asked, and on open routes. */
  caller?: Caller;
  /** Refuses with 403 what takes more than the caller may; undefined as `caller`. */
  require?: (right: RouteRight) => void;
}

export type Context = RouterContext<RequestState>;

/**
 * A request and the answer to it, as far as handlers of hot routes look: `HotExchange` has no more, and a
 * `Context` is one too.
 */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly method: string;
  /** As it came, with the database. */
  readonly originalUrl: string;
  /** Without the database and the query. */
  readonly path: string;
  readonly query: Query;
  readonly headers: IncomingHttpHeaders;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly state: RequestState;
  /** Whether an answer can still be sent. */
  readonly writable: boolean;
  readonly headerSent: boolean;
  status: number;
  /** The body of the answer: text in what is shared. */
  body: unknown;
  /** false when the answer is sent, or given up, by other means. */
  respond?: boolean | undefined;
  /** Sets a header of the answer. */
  set(name: string, value: string): void;
  /** Sends status and headers at once, for a body that is written to `res`; absent in a `Context`. */
  sendHead?(): void;
  /** Sends the answer with this body; absent in a `Context`. */
  sendPieces?(pieces: readonly Buffer[]): void;
}

/** Answers a request; what it throws becomes the error body. */
export type ExchangeHandler = (exchange: Exchange) => void | Promise<void>;

/** The routes of one API, each handler as thin as it can be. */
export type ApiRouter = Router<RequestState> & {
  /** Those of them that may be answered in front of koa, by method and path: `GET /_api/replication/logger-follow`. */
  readonly hot?: ReadonlyMap<string, ExchangeHandler>;
};

/**
 * A router for the paths below `prefix`, which has two segments, such as `/_api/document`: requests
 * are handed out by them. Handlers see the path without `/_db/<name>`. Several routers may have the same prefix.
 */
export function apiRouter(prefix: string): ApiRouter {
  return new Router<RequestState>({ prefix, sensitive: true });
}

/** The value of `:name` in the route's path. */
export function pathParam(ctx: Exchange, name: string): string {
  return ctx.params[name] ?? '';
}
