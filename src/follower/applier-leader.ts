import type { Logger } from '../base/logger.ts';
import type { Database } from '../documents/database.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import type { Store } from '../storage/store.ts';
import { writeApplierConfig } from './applier-config.ts';
import { checkpointAt, writeCheckpoint } from './checkpoint.ts';
import { parseEndpoint } from './endpoint.ts';
import type { InitialSyncer, SyncRequest, SyncResult } from './initial-syncer.ts';
import { ANY_LEADER, type LeaderAccess, assertAllowed } from './leader-access.ts';
import type { LeaderState } from './leader-answers.ts';
import { ACCEPTED_VERSIONS, checkLeader } from './leader-check.ts';
import { LeaderClient } from './leader-client.ts';

/** A time-out that is none. */
const NEVER_MS = 1_000_000_000;

/** What it takes to talk to a leader on behalf of a database. */
export interface LeaderDeps {
  readonly store: Store;
  readonly database: Database;
  readonly logger: Logger;
  readonly leaderAccess?: LeaderAccess | undefined;
}

/**
 * A client of the leader that a configuration names, whose endpoint is known to be usable.
 * @throws ServiceError forbidden (403/11) where this server may not connect to it
 */
export function configuredClient(deps: LeaderDeps, config: ApplierConfig): LeaderClient {
  const { endpoint = '', database, username, password, jwt } = config;
  const { leaderAccess = ANY_LEADER } = deps;
  const parsed = parseEndpoint(endpoint);
  if (parsed) assertAllowed(leaderAccess, parsed);
  return new LeaderClient(deps, {
    endpoint,
    tls: leaderAccess.tls,
    database: database ?? deps.database.name,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(jwt === undefined ? {} : { jwt }),
    requestTimeoutMs: milliseconds(config.requestTimeout),
    dumpTimeoutMs: milliseconds(config.initialSyncMaxWaitTime),
    connectTimeoutMs: config.connectTimeout * 1000,
    ownServerId: deps.store.server.serverId,
    pageMaxBytes: config.maxPacketSize,
  });
}

/**
 * The copy that following by this configuration can begin from: of what it follows, with the
 * position and the barrier left to the applier.
 */
export function configuredCopy(
  { database, client }: { database: Database; client: LeaderClient },
  config: ApplierConfig,
): SyncRequest & { readonly onSwitch: NonNullable<SyncRequest['onSwitch']> } {
  const { restrictType, restrictCollections, includeSystem, chunkSize, verbose } = config;
  return {
    client,
    restrictType,
    restrictCollections,
    includeSystem,
    keepBarrier: true,
    verbose,
    ...(chunkSize > 0 ? { chunkSizeBytes: chunkSize } : {}),
    onSwitch: (tx, position) => {
      writeCheckpoint(tx, database.number, checkpointAt(position, tx.timeMs));
    },
  };
}

/**
 * Asks the leader of a configuration who it is: whether it can be followed is then known before anything is given up.
 * @throws ServiceError as the client, and what `checkLeader` refuses
 */
export async function askConfigured(
  deps: LeaderDeps,
  config: ApplierConfig,
  signal: AbortSignal,
): Promise<LeaderState> {
  return withConfigured(deps, config, signal, (_client, state) => Promise.resolve(state));
}

/**
 * Asks it who it is, and then more.
 * @throws ServiceError as `askConfigured`; as `ask`
 */
export async function withConfigured<T>(
  deps: LeaderDeps,
  config: ApplierConfig,
  signal: AbortSignal,
  ask: (client: LeaderClient, state: LeaderState) => Promise<T>,
): Promise<T> {
  const client = configuredClient(deps, config);
  try {
    const state = await client.state(signal);
    checkLeader(state, {
      ownServerId: deps.store.server.serverId,
      acceptedVersions: ACCEPTED_VERSIONS,
      endpoint: client.endpoint,
    });
    return await ask(client, state);
  } finally {
    await client.close();
  }
}

/**
 * Makes that copy; settings and position are stored in the batch that shows it.
 * @param requestId of the request that somebody asked with, for the log
 * @throws ServiceError as InitialSyncer.run
 */
export async function copyConfigured(
  deps: LeaderDeps & { readonly initialSyncer: InitialSyncer },
  { config, requestId }: { config: ApplierConfig; requestId?: string | undefined },
  signal: AbortSignal,
): Promise<SyncResult> {
  const { database, initialSyncer } = deps;
  const client = configuredClient(deps, config);
  try {
    const request = configuredCopy({ database, client }, config);
    const onSwitch: typeof request.onSwitch = (tx, position) => {
      request.onSwitch(tx, position);
      writeApplierConfig(tx, database.number, config);
    };
    return await initialSyncer.run(database, { ...request, onSwitch, requestId }, signal);
  } finally {
    await client.close();
  }
}

/** 0 seconds stand for no limit. */
function milliseconds(seconds: number): number {
  return seconds > 0 ? seconds * 1000 : NEVER_MS;
}
