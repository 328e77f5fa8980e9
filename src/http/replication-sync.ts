import type { Logger } from '../base/logger.ts';
import type { Database } from '../documents/database.ts';
import type { InitialSyncer, SyncResult } from '../follower/initial-syncer.ts';
import { parseEndpoint } from '../follower/endpoint.ts';
import { ANY_LEADER, type LeaderAccess, assertAllowed } from '../follower/leader-access.ts';
import { LeaderClient } from '../follower/leader-client.ts';
import { type LeaderSelection, readSelection } from '../follower/leader-selection.ts';
import { type ErrorName, isServiceError, ServiceError } from '../model/errors.ts';
import { reportOf } from './detached-request.ts';
import { givenRequestId } from './request-id.ts';
import { answerJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

export interface SyncCommandsDeps {
  readonly syncer: InitialSyncer;
  readonly logger: Logger;
  /** Server id of this server. */
  readonly serverId: string;
  readonly isApplierRunning: (database: Database) => boolean;
  /** Any leader by default. */
  readonly leaderAccess?: LeaderAccess;
}

/** What a request for a sync says (contract 3.7). */
interface SyncWanted extends LeaderSelection {
  readonly database: string;
  readonly username: string;
  readonly password: string;
  readonly includeSystem: boolean;
  readonly keepBarrier: boolean;
  /** Whether only what differs is to be sent. */
  readonly incremental: boolean;
  readonly verbose: boolean;
  /** How long the leader may stay silent before a page. */
  readonly dumpTimeoutMs: number;
}

/** Timeouts of real servers. */
const REQUEST_TIMEOUT_MS = 300_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A longer time is surely a mistake. */
const SECONDS_MAX = 1_000_000;

/** Failures that are not the leader's, and keep the status the table of errors has for them. */
const OWN_FAILURES: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['applierRunning', 'shuttingDown', 'databaseNotFound'] as const),
  ...(['httpBadParameter', 'invalidApplierConfiguration', 'forbidden'] as const),
]);

/** The command `sync` (contract 3.7). */
export function syncCommands(deps: SyncCommandsDeps): ReplicationCommands {
  return { sync: { methods: { PUT: (request) => sync(deps, request) } } };
}

/**
 * Runs a sync while the request waits. It ends when the server stops; a client that goes away does
 * not end it.
 */
async function sync(deps: SyncCommandsDeps, { ctx, database }: ReplicationRequest): Promise<void> {
  const body = await readReplicationBody(ctx);
  const wanted = readWanted(body, database.name);
  if (deps.isApplierRunning(database)) {
    throw new ServiceError('applierRunning', 'cannot perform operation while applier is running');
  }
  const { leaderAccess = ANY_LEADER } = deps;
  const endpoint = parseEndpoint(wanted.endpoint);
  if (endpoint) assertAllowed(leaderAccess, endpoint);
  const client = new LeaderClient(
    { logger: deps.logger },
    {
      endpoint: wanted.endpoint,
      tls: leaderAccess.tls,
      database: wanted.database,
      username: wanted.username,
      password: wanted.password,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      dumpTimeoutMs: wanted.dumpTimeoutMs,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      ownServerId: deps.serverId,
    },
  );
  try {
    const { restrictType, restrictCollections, includeSystem, keepBarrier, verbose } = wanted;
    const differencesBy = wanted.incremental ? 'keys' : undefined;
    const chosen = { client, restrictType, restrictCollections, includeSystem };
    const report = reportOf(ctx.req);
    if (report) report.progress = () => deps.syncer.view(database)?.numbers;
    const result = await deps.syncer.run(
      database,
      { ...chosen, keepBarrier, verbose, differencesBy, requestId: givenRequestId(ctx.headers) },
      ctx.state.limits.signal,
    );
    answerJson(ctx, syncResultBody(result));
  } catch (error) {
    throw asSyncFailure(error);
  } finally {
    await client.close();
  }
}

/** What was copied, as a `sync` answers it (contract 3.7). */
export function syncResultBody(result: SyncResult): object {
  return {
    collections: result.collections,
    lastLogTick: result.lastLogTick.toString(),
    ...(result.barrierId === undefined ? {} : { barrierId: result.barrierId }),
    // Addition: nothing can be followed from here before the logger there is started.
    ...(result.leaderWasStopped ? { leaderWasStopped: true } : {}),
  };
}

/**
 * What later generations can say besides is taken and has no effect where a copy is made the same
 * way whatever it says: `useCollectionId`.
 *
 * @throws ServiceError httpBadParameter (400/400) as `readSelection`
 */
function readWanted(body: Readonly<Record<string, unknown>>, databaseName: string): SyncWanted {
  const { includeSystem, initialSyncMaxWaitTime: waitSeconds } = body;
  return {
    ...readSelection(body),
    database: textOr(body['database'], '') || databaseName,
    username: textOr(body['username'], ''),
    password: textOr(body['password'], ''),
    includeSystem: typeof includeSystem === 'boolean' ? includeSystem : true,
    keepBarrier: body['keepBarrier'] === true,
    incremental: body['incremental'] === true,
    verbose: body['verbose'] === true,
    dumpTimeoutMs: isSeconds(waitSeconds) ? waitSeconds * 1000 : REQUEST_TIMEOUT_MS,
  };
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= SECONDS_MAX;
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}

/** Whatever goes wrong with a leader is answered 500 here (contract 1.6, 3.7). */
export function asSyncFailure(error: unknown): unknown {
  if (!isServiceError(error) || OWN_FAILURES.has(error.kind) || error.httpStatus === 500) {
    return error;
  }
  return new ServiceError(error.kind, error.message, { cause: error, httpStatus: 500 });
}
