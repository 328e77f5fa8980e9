import type { Database } from '../documents/database.ts';
import type { InitialSyncer, SyncResult } from '../follower/initial-syncer.ts';
import { leaderConfig } from '../follower/applier-config.ts';
import { configuredClient, type LeaderDeps } from '../follower/applier-leader.ts';
import { lookAtLeader } from '../follower/leader-look.ts';
import { type ErrorName, isServiceError, ServiceError } from '../model/errors.ts';
import { reportOf } from './detached-request.ts';
import { givenRequestId } from './request-id.ts';
import { answerJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

export interface SyncCommandsDeps extends Omit<LeaderDeps, 'database'> {
  readonly syncer: InitialSyncer;
  readonly isApplierRunning: (database: Database) => boolean;
  /** Told why a sync was not finished, unless it was not begun for what this server or its user does. */
  readonly onFailure: (database: Database, error: unknown) => void;
}

/** Failures that are not the leader's, and keep the status the table of errors has for them. */
const OWN_FAILURES: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['applierRunning', 'shuttingDown', 'databaseNotFound'] as const),
  ...(['httpBadParameter', 'invalidApplierConfiguration', 'forbidden'] as const),
]);

/** The command `sync` (contract 3.7), and `check-leader`, an addition. */
export function syncCommands(deps: SyncCommandsDeps): ReplicationCommands {
  return {
    sync: { methods: { PUT: (request) => sync(deps, request) } },
    'check-leader': { methods: { PUT: (request) => checkLeader(deps, request) } },
  };
}

/**
 * Asks the leader of a copy that somebody is about to make who it is, and tells what may be a mistake: what is done
 * about that is for him who asks. Nothing is changed here.
 */
async function checkLeader(
  deps: SyncCommandsDeps,
  { ctx, database }: ReplicationRequest,
): Promise<void> {
  const body = await readReplicationBody(ctx);
  const config = leaderConfig(body, database.name, deps.leaderAccess);
  try {
    const { signal } = ctx.state.limits;
    const look = await lookAtLeader({ ...deps, database }, config, signal);
    const { serverId, version } = look.state;
    answerJson(ctx, {
      server: { serverId, version },
      followsThis: look.followsThis,
      ...(look.missing === undefined ? {} : { missingCollections: look.missing }),
    });
  } catch (error) {
    throw asSyncFailure(error);
  }
}

/**
 * Runs a sync while the request waits. It ends when the server stops; a client that goes away does
 * not end it.
 */
async function sync(deps: SyncCommandsDeps, { ctx, database }: ReplicationRequest): Promise<void> {
  const body = await readReplicationBody(ctx);
  const config = leaderConfig(body, database.name, deps.leaderAccess);
  if (deps.isApplierRunning(database)) {
    throw new ServiceError('applierRunning', 'cannot perform operation while applier is running');
  }
  const client = configuredClient({ ...deps, database }, config);
  try {
    const { restrictType, restrictCollections, includeSystem, verbose } = config;
    const keepBarrier = body['keepBarrier'] === true;
    const differencesBy = config.incremental ? 'keys' : undefined;
    const chosen = { client, restrictType, restrictCollections, includeSystem };
    const report = reportOf(ctx.req);
    if (report) report.progress = () => ({ sync: deps.syncer.view(database)?.numbers });
    const result = await deps.syncer.run(
      database,
      { ...chosen, keepBarrier, verbose, differencesBy, requestId: givenRequestId(ctx.headers) },
      ctx.state.limits.signal,
    );
    answerJson(ctx, syncResultBody(result));
  } catch (error) {
    if (!isServiceError(error) || !OWN_FAILURES.has(error.kind)) deps.onFailure(database, error);
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

/** Whatever goes wrong with a leader is answered 500 here (contract 1.6, 3.7). */
export function asSyncFailure(error: unknown): unknown {
  if (!isServiceError(error) || OWN_FAILURES.has(error.kind) || error.httpStatus === 500) {
    return error;
  }
  return new ServiceError(error.kind, error.message, { cause: error, httpStatus: 500 });
}
