import type { Logger } from '../base/logger.ts';
import type { Database } from '../documents/database.ts';
import type { InitialSyncer, SyncResult } from '../follower/initial-syncer.ts';
import { LeaderClient } from '../follower/leader-client.ts';
import type { RestrictType } from '../follower/restriction.ts';
import { type ErrorName, isServiceError, ServiceError } from '../model/errors.ts';
import { answerJson } from './replication-answer.ts';
import { readReplicationBody } from './replication-body.ts';
import type { ReplicationCommands, ReplicationRequest } from './replication-dispatch.ts';

export interface SyncCommandsDeps {
  readonly syncer: InitialSyncer;
  readonly logger: Logger;
  /** Server id of this server. */
  readonly serverId: string;
  readonly isApplierRunning: (database: Database) => boolean;
}

/** What a request for a sync says (contract 3.7). */
interface SyncWanted {
  readonly endpoint: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  readonly restrictType: RestrictType;
  readonly restrictCollections: readonly string[];
  readonly includeSystem: boolean;
}

/** Timeouts of real servers. */
const REQUEST_TIMEOUT_MS = 300_000;
const CONNECT_TIMEOUT_MS = 10_000;

/** Failures that are not the leader's, and keep the status the table of errors has for them. */
const OWN_FAILURES: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['applierRunning', 'shuttingDown', 'databaseNotFound'] as const),
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
  const wanted = readWanted(await readReplicationBody(ctx), database.name);
  if (deps.isApplierRunning(database)) {
    throw new ServiceError('applierRunning', 'cannot perform operation while applier is running');
  }
  const client = new LeaderClient(
    { logger: deps.logger },
    {
      endpoint: wanted.endpoint,
      database: wanted.database,
      username: wanted.username,
      password: wanted.password,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      ownServerId: deps.serverId,
    },
  );
  try {
    const { restrictType, restrictCollections, includeSystem } = wanted;
    const result = await deps.syncer.run(
      database,
      { client, restrictType, restrictCollections, includeSystem },
      ctx.state.limits.signal,
    );
    answerJson(ctx, resultBody(result));
  } catch (error) {
    throw asSyncFailure(error);
  } finally {
    await client.close();
  }
}

function resultBody(result: SyncResult): object {
  return {
    collections: result.collections,
    lastLogTick: result.lastLogTick.toString(),
    // Addition: nothing can be followed from here before the logger there is started.
    ...(result.leaderWasStopped ? { leaderWasStopped: true } : {}),
  };
}

/**
 * @throws ServiceError httpBadParameter (400/400) without an endpoint, or for a restriction that is
 *   only half given
 */
function readWanted(body: Readonly<Record<string, unknown>>, databaseName: string): SyncWanted {
  const endpoint = textOr(body['endpoint'], '');
  if (endpoint === '') {
    throw new ServiceError('httpBadParameter', '<endpoint> must be a valid endpoint');
  }
  const restrictType = textOr(body['restrictType'], '');
  const given = body['restrictCollections'];
  const restrictCollections = (Array.isArray(given) ? given : []).filter(
    (name): name is string => typeof name === 'string',
  );
  if (
    !isRestrictType(restrictType) ||
    (restrictType === '') !== (restrictCollections.length === 0)
  ) {
    throw new ServiceError(
      'httpBadParameter',
      'invalid value for <restrictCollections> or <restrictType>',
    );
  }
  const includeSystem = body['includeSystem'];
  return {
    endpoint,
    database: textOr(body['database'], '') || databaseName,
    username: textOr(body['username'], ''),
    password: textOr(body['password'], ''),
    restrictType,
    restrictCollections,
    includeSystem: typeof includeSystem === 'boolean' ? includeSystem : true,
  };
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}

function isRestrictType(text: string): text is RestrictType {
  return text === '' || text === 'include' || text === 'exclude';
}

/** Whatever goes wrong with a leader is answered 500 here (contract 1.6, 3.7). */
function asSyncFailure(error: unknown): unknown {
  if (!isServiceError(error) || OWN_FAILURES.has(error.kind) || error.httpStatus === 500) {
    return error;
  }
  return new ServiceError(error.kind, error.message, { cause: error, httpStatus: 500 });
}
