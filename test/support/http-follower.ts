import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { onTestFinished } from 'vitest';
import { CollectionCopies } from '../../src/documents/collection-copy.ts';
import { Appliers } from '../../src/follower/appliers.ts';
import { InitialSyncer, type InitialSyncerOptions } from '../../src/follower/initial-syncer.ts';
import { applierCommands } from '../../src/http/replication-applier.ts';
import { replicationDispatch } from '../../src/http/replication-dispatch.ts';
import { makeFollowerCommands } from '../../src/http/replication-make-follower.ts';
import { syncCommands } from '../../src/http/replication-sync.ts';
import { type RequestOptions, type TestServer, openTestServer } from './http-server.ts';

/** A server with all the commands of a follower. */
export interface HttpFollower {
  readonly server: TestServer;
  /** A request below `/_api/replication/`; resolves with status and body. */
  readonly send: (
    method: string,
    command: string,
    body?: unknown,
    headers?: RequestOptions['headers'],
  ) => Promise<{ status: number; json: Record<string, unknown>; text: string }>;
  /** applier-state, again and again until it is as wanted. */
  readonly until: (wanted: (state: WireState) => boolean) => Promise<WireState>;
}

/** What the tests look at in a state. */
export interface WireState {
  readonly running: boolean;
  readonly phase: string;
  readonly lastAppliedContinuousTick: string | null;
  readonly lastError: { readonly errorNum: number; readonly errorMessage?: string };
}

const POLL_MS = 10;
const TRIES_MAX = 1500;

/** Opens a follower, which is closed when the test is over. */
export async function openHttpFollower(
  options: InitialSyncerOptions = {},
  logger: Logger = silentLogger,
): Promise<HttpFollower> {
  let appliers: Appliers | undefined;
  const server = await openTestServer({
    logger,
    routers: (parts) => {
      const copies = new CollectionCopies(parts);
      const syncer = new InitialSyncer({ ...parts, copies }, options);
      const made = new Appliers(
        { ...parts, initialSyncer: syncer },
        { version: '1.4.3', transactionMaxBytes: 64 * 1024 * 1024 },
      );
      appliers = made;
      const sync = syncCommands({
        syncer,
        logger: parts.logger,
        store: parts.store,
        isApplierRunning: (database) => made.of(database).isRunning,
        onFailure: (database, error) => made.syncFailed(database, error),
      });
      return [replicationDispatch(applierCommands(made), makeFollowerCommands(made), sync)];
    },
    onDropDatabase: async (database) => appliers?.release(database),
  });
  onTestFinished(async () => {
    server.abort();
    await appliers?.stopAll();
    await server[Symbol.asyncDispose]();
  });
  const send: HttpFollower['send'] = (method, command, body, headers = {}) =>
    server.request(method, `/_api/replication/${command}`, { body, headers });
  return {
    server,
    send,
    until: async (wanted) => {
      for (let tries = 0; ; tries++) {
        const { state } = (await send('GET', 'applier-state')).json as { state: WireState };
        if (wanted(state)) return state;
        if (tries > TRIES_MAX) throw new Error(`still ${JSON.stringify(state)}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
  };
}
