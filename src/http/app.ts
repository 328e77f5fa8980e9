import type { RequestListener } from 'node:http';
import Koa from 'koa';
import type { Access } from '../access/access.ts';
import { ByteBudget } from '../base/byte-budget.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Checksums } from '../documents/checksum.ts';
import type { Collections } from '../documents/collections.ts';
import { type Database, SYSTEM_DATABASE } from '../documents/database.ts';
import type { Databases } from '../documents/databases.ts';
import type { DocumentArrays } from '../documents/document-arrays.ts';
import type { Documents } from '../documents/documents.ts';
import type { Importer } from '../documents/import.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { authRoutes } from './auth-routes.ts';
import { dropRestOfBody } from './body.ts';
import { collectionRoutes } from './collection-routes.ts';
import type { ApiRouter, Context, RequestLimits, RequestState } from './context.ts';
import { databaseRoutes } from './database-routes.ts';
import { answerDetached } from './detached-request.ts';
import { DocumentHandlers } from './document-handlers.ts';
import { documentRoutes } from './document-routes.ts';
import { edgeRoutes } from './edge-routes.ts';
import { Header } from '../protocol/headers.ts';
import { ErrorAnswers } from './errors.ts';
import { Gate } from './gate.ts';
import { generationOfVersion } from './generation.ts';
import { HotRoutes } from './hot-routes.ts';
import { importRoutes } from './import-routes.ts';
import { indexRoutes } from './index-routes.ts';
import { refuseNotOffered, refuseSingle } from './not-offered.ts';
import { RequestFigures } from './request-figures.ts';
import { givenRequestId } from './request-id.ts';
import { serverRoutes, timeRoutes, versionRoutes, walRoutes } from './server-routes.ts';
import { statisticsDescriptionRoutes, statisticsRoutes } from './statistics-routes.ts';
import { isAsync, jobRoutes, runAsync } from './job-routes.ts';
import { Jobs } from './jobs.ts';
import { statusOf } from './respond.ts';
import { rightOfRoute, strongest, type RouteRight } from './route-rights.ts';
import { transactionRoutes } from './transaction-routes.ts';
import { isForPage, redirectToPage } from './ui-routes.ts';
import { userRoutes } from './user-routes.ts';

export interface AppDeps {
  readonly catalogue: Catalogue;
  readonly databases: Databases;
  readonly collections: Collections;
  readonly documents: Documents;
  readonly arrays: DocumentArrays;
  readonly importer: Importer;
  readonly transactions: StreamTransactions;
  readonly checksums: Checksums;
  readonly access: Access;
  readonly clock: Clock;
  /** Resolves when all that is committed would survive a power cut. */
  readonly flush: () => Promise<void>;
  /** Why the store takes no writes; undefined, or absent, while it does. */
  readonly writeFailure?: () => ServiceError | undefined;
  readonly logger: Logger;
  /** Gets what requests fail with because data are damaged. */
  readonly noteDamage?: (error: ServiceError) => void;
  /** Aborted when the server is to stop; ends long polls. */
  readonly signal: AbortSignal;
  /** Aborted when the server is about to stop, or stops: it is no longer available to new clients. */
  readonly leaving?: AbortSignal;
  /** Aborted when a stop has waited long enough; ends imports and long computations. */
  readonly deadline?: AbortSignal;
  /** Called before a database is dropped: stops what still works on it, such as its applier. */
  readonly onDropDatabase?: (database: Database) => Promise<void>;
  /** Further APIs: the replication commands. */
  readonly routers?: readonly ApiRouter[];
  /** Where requests run that nobody waits for; who stops the server waits for them. */
  readonly jobs?: Jobs;
  /** Counts the requests. */
  readonly requests?: RequestFigures;
}

export interface AppOptions {
  /** What `/_api/version` says; appliers and tools read major and minor out of it. */
  readonly version?: string;
  /** What `/_api/version?details=true` says besides. */
  readonly versionDetails?: Readonly<Record<string, string>>;
  /** Largest body that is read into memory; imports are streamed and may be larger. */
  readonly maxBodyBytes?: number;
  /** What bodies above 1 MiB may take together. */
  readonly bodyBudgetBytes?: number;
  /** Whether clients must say who they are; false by default: then everybody may do everything. */
  readonly authentication?: boolean;
  /** A body of which less than 4 KiB come in this time, while it is waited for, is given up (408). */
  readonly bodyTimeoutMs?: number;
}

/** The routes of one router, and what runs them. */
interface Api {
  readonly router: ApiRouter;
  readonly handler: (ctx: Context, next: () => Promise<void>) => Promise<unknown>;
}

type Apis = ReadonlyMap<string, readonly Api[]>;

const DEFAULT_VERSION = '1.4.3';
const MIB = 1024 * 1024;
const MAX_BODY_BYTES = 64 * MIB;
const BODY_BUDGET_BYTES = 256 * MIB;
const BODY_TIMEOUT_MS = 60_000;
const ALL_METHODS = 'DELETE, GET, HEAD, PATCH, POST, PUT';
const DATABASE_PREFIX = '/_db/';

/**
 * The whole HTTP interface (contract 1.1-1.3): hot routes, and behind them a Koa application that finds the
 * database and the API of a path, and turns errors into bodies. It does not listen; that is the server's.
 */
export function createApp(deps: AppDeps, options: AppOptions = {}): RequestListener {
  const limits: RequestLimits = {
    maxBodyBytes: options.maxBodyBytes ?? MAX_BODY_BYTES,
    bodyBudget: new ByteBudget(options.bodyBudgetBytes ?? BODY_BUDGET_BYTES),
    bodyTimeoutMs: options.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
    signal: deps.signal,
    deadline: deps.deadline ?? deps.signal,
  };
  const handlers = new DocumentHandlers(deps);
  const jobs = deps.jobs ?? new Jobs(deps);
  const requests = deps.requests ?? new RequestFigures();
  const version = options.version ?? DEFAULT_VERSION;
  const generation = generationOfVersion(version);
  const apis = byPrefix(routersOf(deps, { jobs, requests, handlers, version, options }));
  const gate = options.authentication === true ? new Gate(deps.access) : undefined;
  const errors = new ErrorAnswers(deps, { signal: deps.signal });
  const app = new Koa<RequestState>();
  app.on('error', (error: unknown) => errors.logLate(error));
  app.use(async (plain) => {
    // The router adds what is missing to make it one of its own contexts.
    const ctx = plain as Context;
    ctx.set('server', 'ArangoDB');
    const id = givenRequestId(ctx.headers);
    if (id !== undefined) ctx.set(Header.requestId, id);
    const { method } = ctx;
    const beganMs = performance.now();
    let isDetached = false;
    try {
      ctx.state.limits = limits;
      ctx.state.generation = generation;
      ctx.state.gate = gate;
      if (ctx.method === 'OPTIONS') sendOptions(ctx);
      else if (isForPage(ctx)) redirectToPage(ctx);
      else if (isAsync(ctx)) {
        const owner = gate?.callerOf(ctx.req).user.name;
        await runAsync(ctx, { jobs, owner }, (request) => answerDetached(listener, request));
        isDetached = true;
        requests.detached++;
      } else await dispatch(ctx, deps.catalogue, { apis, gate });
    } catch (error) {
      errors.answer(ctx, error);
    }
    dropRestOfBody(ctx);
    if (!isDetached) requests.of(method, routeOf(ctx)).answered(statusOf(ctx), beganMs);
  });
  const answer = app.callback();
  const { catalogue } = deps;
  const hot = new HotRoutes(
    { catalogue, handlers, errors, gate, requests, routers: deps.routers ?? [] },
    { limits, generation },
  );
  const serve: RequestListener = (request, response) => {
    if (!hot.take(request, response)) void answer(request, response);
  };
  const listener: RequestListener = gate
    ? (request, response) => gate.enter(request, () => serve(request, response))
    : serve;
  return listener;
}

/** The routes of all APIs. */
function routersOf(
  deps: AppDeps,
  made: {
    readonly jobs: Jobs;
    readonly requests: RequestFigures;
    readonly handlers: DocumentHandlers;
    readonly version: string;
    readonly options: AppOptions;
  },
): readonly ApiRouter[] {
  const { jobs, requests, handlers, version, options } = made;
  return [
    versionRoutes({
      version,
      details: options.versionDetails ?? {},
    }),
    timeRoutes(deps),
    statisticsRoutes({ clock: deps.clock, requests }),
    statisticsDescriptionRoutes(),
    serverRoutes({
      leaving: deps.leaving ?? deps.signal,
      writeFailure: deps.writeFailure ?? (() => undefined),
    }),
    walRoutes(deps),
    databaseRoutes({ ...deps, users: deps.access.users }),
    collectionRoutes(deps),
    documentRoutes(handlers),
    edgeRoutes(deps),
    indexRoutes(deps),
    importRoutes(deps),
    transactionRoutes(deps),
    jobRoutes({ jobs }),
    userRoutes({ users: deps.access.users, catalogue: deps.catalogue }),
    authRoutes(deps.access),
    ...(deps.routers ?? []),
  ];
}

async function dispatch(
  ctx: Context,
  catalogue: Catalogue,
  { apis, gate }: { apis: Apis; gate: Gate | undefined },
): Promise<void> {
  const { name, rest } = splitDatabase(ctx.path);
  if (rest !== undefined) ctx.url = rest + ctx.search;
  const path = rest ?? ctx.path;
  const prefix = prefixOf(path);
  const found = apis.get(prefix) ?? [];
  // Who may not enter a database does not learn whether there is one.
  const isOpen = gate !== undefined && !admit(ctx, gate, name, found);
  ctx.state.database = catalogue.get(isOpen ? SYSTEM_DATABASE : name);
  refuseSingle(ctx.method, path);
  for (const { handler } of found) {
    const outcome = { passed: false };
    await handler(ctx, () => {
      outcome.passed = true;
      return Promise.resolve();
    });
    if (!outcome.passed) return;
  }
  const pathIsKnown = ctx.matched?.some(({ methods }) => methods.length > 0) ?? false;
  if (pathIsKnown) throw new ServiceError('methodNotSupported');
  refuseNotOffered(prefix);
  throw new ServiceError('notFound', `unknown path '${path}'`);
}

/**
 * Lets a request pass that its sender may send: what all routes take that have its path and method. What
 * has no route is refused later, in words that are for readers of the database.
 *
 * @returns false for an open route, on which nobody is asked
 * @throws ServiceError httpUnauthorized (401), forbidden (403/11); resourceLimit (503)
 */
function admit(ctx: Context, gate: Gate, database: string, apis: readonly Api[]): boolean {
  const { method, path } = ctx;
  const layers = apis.flatMap(({ router }) => router.match(path, method).pathAndMethod);
  const rights = layers.map((layer) => rightOfRoute(method, String(layer.path)) ?? 'admin');
  const right = rights.length === 0 ? 'ro' : strongest(rights);
  if (right === 'open') return false;
  const caller = gate.callerOf(ctx.req);
  const require = (wanted: RouteRight): void => gate.require(caller, database, wanted);
  require(right);
  ctx.state.caller = caller;
  ctx.state.require = require;
  return true;
}

/** What the router has for a request, where it has something. */
function routeOf({ state, matched = [], method }: Context): string | undefined {
  const layer = matched.find(({ methods }) => methods.includes(method));
  return state.route ?? (layer && String(layer.path));
}

/** What a path has before and behind the name of a database; a name that cannot be decoded is that of none. */
function splitDatabase(path: string): { name: string; rest?: string } {
  if (!path.startsWith(DATABASE_PREFIX)) return { name: SYSTEM_DATABASE };
  const slash = path.indexOf('/', DATABASE_PREFIX.length);
  const encoded = path.slice(DATABASE_PREFIX.length, slash < 0 ? undefined : slash);
  const rest = slash < 0 ? '/' : path.slice(slash);
  try {
    return { name: decodeURIComponent(encoded), rest };
  } catch {
    return { name: encoded, rest };
  }
}

/** The first two segments. */
function prefixOf(path: string): string {
  const second = path.indexOf('/', 1);
  if (second < 0) return path;
  const third = path.indexOf('/', second + 1);
  return third < 0 ? path : path.slice(0, third);
}

function byPrefix(routers: readonly ApiRouter[]): Apis {
  const apis = new Map<string, Api[]>();
  for (const router of routers) {
    const prefix = router.opts.prefix ?? '';
    const known = apis.get(prefix) ?? [];
    known.push({ router, handler: router.routes() });
    apis.set(prefix, known);
  }
  return apis;
}

function sendOptions(ctx: Context): void {
  ctx.status = 200;
  ctx.set('allow', ALL_METHODS);
  ctx.set('content-type', 'text/plain; charset=utf-8');
  ctx.body = '';
}
