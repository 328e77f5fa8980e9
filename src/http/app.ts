import type { RequestListener } from 'node:http';
import Koa from 'koa';
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
import { dropRestOfBody } from './body.ts';
import { collectionRoutes } from './collection-routes.ts';
import type { ApiRouter, Context, RequestLimits, RequestState } from './context.ts';
import { databaseRoutes } from './database-routes.ts';
import { answerDetached } from './detached-request.ts';
import { DocumentHandlers } from './document-handlers.ts';
import { documentRoutes } from './document-routes.ts';
import { edgeRoutes } from './edge-routes.ts';
import { ErrorAnswers } from './errors.ts';
import { generationOfVersion } from './generation.ts';
import { HotRoutes } from './hot-routes.ts';
import { importRoutes } from './import-routes.ts';
import { indexRoutes } from './index-routes.ts';
import { refuseNotOffered } from './not-offered.ts';
import {
  serverRoutes,
  statisticsRoutes,
  timeRoutes,
  versionRoutes,
  walRoutes,
} from './server-routes.ts';
import { isAsync, jobRoutes, runAsync } from './job-routes.ts';
import { Jobs } from './jobs.ts';
import { transactionRoutes } from './transaction-routes.ts';

export interface AppDeps {
  readonly catalogue: Catalogue;
  readonly databases: Databases;
  readonly collections: Collections;
  readonly documents: Documents;
  readonly arrays: DocumentArrays;
  readonly importer: Importer;
  readonly transactions: StreamTransactions;
  readonly checksums: Checksums;
  readonly clock: Clock;
  /** Resolves when all that is committed would survive a power cut. */
  readonly flush: () => Promise<void>;
  readonly logger: Logger;
  /** Aborted when the server is to stop; ends long polls. */
  readonly signal: AbortSignal;
  /** Aborted when a stop has waited long enough; ends imports and long computations. */
  readonly deadline?: AbortSignal;
  /** Called before a database is dropped: stops what still works on it, such as its applier. */
  readonly onDropDatabase?: (database: Database) => Promise<void>;
  /** Further APIs: the replication commands. */
  readonly routers?: readonly ApiRouter[];
  /** Where requests run that nobody waits for; who stops the server waits for them. */
  readonly jobs?: Jobs;
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
}

type Handler = (ctx: Context, next: () => Promise<void>) => Promise<unknown>;

const DEFAULT_VERSION = '1.4.3';
const MIB = 1024 * 1024;
const MAX_BODY_BYTES = 64 * MIB;
const BODY_BUDGET_BYTES = 256 * MIB;
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
    signal: deps.signal,
    deadline: deps.deadline ?? deps.signal,
  };
  const handlers = new DocumentHandlers(deps);
  const jobs = deps.jobs ?? new Jobs(deps);
  const version = options.version ?? DEFAULT_VERSION;
  const generation = generationOfVersion(version);
  const apis = byPrefix([
    versionRoutes({
      version,
      details: options.versionDetails ?? {},
    }),
    timeRoutes(deps),
    statisticsRoutes(deps),
    serverRoutes(),
    walRoutes(deps),
    databaseRoutes(deps),
    collectionRoutes(deps),
    documentRoutes(handlers),
    edgeRoutes(deps),
    indexRoutes(deps),
    importRoutes(deps),
    transactionRoutes(deps),
    jobRoutes({ jobs }),
    ...(deps.routers ?? []),
  ]);
  const errors = new ErrorAnswers({ logger: deps.logger }, { signal: deps.signal });
  const app = new Koa<RequestState>();
  app.on('error', (error: unknown) => errors.logLate(error));
  app.use(async (plain) => {
    // The router adds what is missing to make it one of its own contexts.
    const ctx = plain as Context;
    ctx.set('server', 'ArangoDB');
    try {
      ctx.state.limits = limits;
      ctx.state.generation = generation;
      if (ctx.method === 'OPTIONS') sendOptions(ctx);
      else if (isAsync(ctx))
        await runAsync(ctx, jobs, (request) => answerDetached(listener, request));
      else await dispatch(ctx, deps.catalogue, apis);
    } catch (error) {
      errors.answer(ctx, error);
    }
    dropRestOfBody(ctx);
  });
  const answer = app.callback();
  const { catalogue } = deps;
  const hot = new HotRoutes(
    { catalogue, handlers, errors, routers: deps.routers ?? [] },
    { limits, generation },
  );
  const listener: RequestListener = (request, response) => {
    if (!hot.take(request, response)) void answer(request, response);
  };
  return listener;
}

async function dispatch(
  ctx: Context,
  catalogue: Catalogue,
  apis: ReadonlyMap<string, readonly Handler[]>,
): Promise<void> {
  const { name, rest } = splitDatabase(ctx.path);
  ctx.state.database = catalogue.get(name);
  if (rest !== undefined) ctx.url = rest + ctx.search;
  const path = rest ?? ctx.path;
  const prefix = prefixOf(path);
  const handlers = apis.get(prefix) ?? [];
  for (const handler of handlers) {
    const outcome = { passed: false };
    await handler(ctx, () => {
      outcome.passed = true;
      return Promise.resolve();
    });
    if (!outcome.passed) return;
  }
  refuseNotOffered(ctx.method, path, prefix);
  const pathIsKnown = ctx.matched?.some(({ methods }) => methods.length > 0) ?? false;
  if (pathIsKnown) throw new ServiceError('methodNotSupported');
  throw new ServiceError('notFound', `unknown path '${path}'`);
}

/** @throws ServiceError databaseNotFound for a name that cannot be decoded. */
function splitDatabase(path: string): { name: string; rest?: string } {
  if (!path.startsWith(DATABASE_PREFIX)) return { name: SYSTEM_DATABASE };
  const slash = path.indexOf('/', DATABASE_PREFIX.length);
  const encoded = path.slice(DATABASE_PREFIX.length, slash < 0 ? undefined : slash);
  try {
    return { name: decodeURIComponent(encoded), rest: slash < 0 ? '/' : path.slice(slash) };
  } catch (cause) {
    throw new ServiceError('databaseNotFound', undefined, { cause });
  }
}

/** The first two segments. */
function prefixOf(path: string): string {
  const second = path.indexOf('/', 1);
  if (second < 0) return path;
  const third = path.indexOf('/', second + 1);
  return third < 0 ? path : path.slice(0, third);
}

function byPrefix(routers: readonly ApiRouter[]): Map<string, Handler[]> {
  const apis = new Map<string, Handler[]>();
  for (const router of routers) {
    const prefix = router.opts.prefix ?? '';
    const handlers = apis.get(prefix) ?? [];
    handlers.push(router.routes());
    apis.set(prefix, handlers);
  }
  return apis;
}

function sendOptions(ctx: Context): void {
  ctx.status = 200;
  ctx.set('allow', ALL_METHODS);
  ctx.set('content-type', 'text/plain; charset=utf-8');
  ctx.body = '';
}
