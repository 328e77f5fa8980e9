import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { CollectionCopies } from '../../src/documents/collection-copy.ts';
import { startLogger } from '../../src/documents/databases.ts';
import { InitialSyncer } from '../../src/follower/initial-syncer.ts';
import { LeaderClient } from '../../src/follower/leader-client.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { SyncFollower, contentOf } from '../support/sync-follower.ts';

async function fill(leader: LeaderServer, name: string): Promise<void> {
  const { collections, documents, database } = leader;
  const collection = await collections.create(database, { name });
  for (let i = 0; i < 20; i++) {
    await documents.insert(database, collection, `{"_key":"k${i}","n":${i}}`);
  }
  await documents.remove(database, collection, 'k3');
}

/** Has a server copy what there is at an endpoint. */
async function copy(endpoint: string, to: LeaderServer): Promise<void> {
  const client = new LeaderClient(
    {},
    {
      ...{ endpoint, database: '_system', requestTimeoutMs: 20_000, connectTimeoutMs: 2000 },
      ownServerId: to.store.server.serverId,
    },
  );
  const deps = { ...to, logger: silentLogger, clock: systemClock };
  const syncer = new InitialSyncer({ ...deps, copies: new CollectionCopies(deps) });
  const request = {
    client,
    restrictType: '',
    restrictCollections: [],
    includeSystem: true,
  } as const;
  try {
    await syncer.run(to.database, request, new AbortController().signal);
  } finally {
    await client.close();
  }
}

it('a copy of a copy is equal to it, though the one in the middle has not logged what it copied', async () => {
  await using first = await openLeaderServer();
  await using middle = await openLeaderServer();
  await startLogger(first.store, first.database);
  await startLogger(middle.store, middle.database);
  await fill(first, 'orders');
  await fill(first, 'links');
  await copy(`tcp://127.0.0.1:${first.port}`, middle);
  const { lastTick } = middle.database.changelog.state;
  expect(middle.store.lastCommitted).toBeGreaterThan(lastTick);

  await using last = await SyncFollower.open({ endpoint: `tcp://127.0.0.1:${middle.port}` });
  const { lastLogTick } = await last.sync({ chunkSizeBytes: 500 });
  expect(lastLogTick).toBe(middle.store.lastCommitted);
  const content = await contentOf(last.core.store, last.database);
  expect(content).toEqual(await contentOf(first.store, first.database));
  expect(content).toEqual(await contentOf(middle.store, middle.database));
});
