import { startLogger } from '../../src/documents/databases.ts';
import type { InitialSyncerOptions } from '../../src/follower/initial-syncer.ts';
import { type LeaderServer, openLeaderServer } from './leader-server.ts';
import { SyncFollower } from './sync-follower.ts';

/** A leader and a follower of it. */
export interface SyncPair extends AsyncDisposable {
  readonly leader: LeaderServer;
  readonly follower: SyncFollower;
}

/** A leader whose logger runs, and a follower without HTTP; both are empty. */
export async function openSyncPair(options: InitialSyncerOptions = {}): Promise<SyncPair> {
  const leader = await openLeaderServer();
  await startLogger(leader.store, leader.database);
  const endpoint = `tcp://127.0.0.1:${leader.port}`;
  const follower = await SyncFollower.open({ endpoint }, options);
  return {
    leader,
    follower,
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await leader[Symbol.asyncDispose]();
    },
  };
}
