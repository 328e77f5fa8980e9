import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { InitialSyncer } from '../../src/follower/initial-syncer.ts';
import { WatchedClient } from '../support/sync-follower.ts';
import { type Pair, expectEqual, openPair } from './applier-follower.ts';

/** A client that breaks at the first page of a collection while `isBroken`. */
function brittleClient({ endpoint, follower }: Pair): WatchedClient & { isBroken: boolean } {
  const { serverId } = follower.core.store.server;
  const client = new WatchedClient(
    {},
    {
      ...{ endpoint, database: '_system', ownServerId: serverId },
      ...{ requestTimeoutMs: 20_000, connectTimeoutMs: 2000 },
    },
  );
  const brittle = Object.assign(client, { isBroken: true });
  client.onDump = () => {
    if (brittle.isBroken) throw new Error('the wire broke');
  };
  return brittle;
}

/** As a command would, with the position going along with the copies. */
async function sync({ follower }: Pair, client: WatchedClient): Promise<void> {
  const { store, catalogue, copies } = follower.core;
  const syncer = new InitialSyncer(
    { store, catalogue, copies, logger: silentLogger, clock: systemClock },
    { fetchRetries: 0 },
  );
  const everything = { restrictType: '', restrictCollections: [], includeSystem: true } as const;
  await syncer.run(follower.database, { client, ...everything }, new AbortController().signal);
}

test('P6, P7: a sync that was broken off is not gone on with once the applier has gone beyond it', async () => {
  await using pair = await openPair();
  const { leader, follower, endpoint } = pair;
  const { collections, database } = leader;
  const x = await pair.create('x');
  await pair.put(x, 'k', 1);
  const client = brittleClient(pair);
  try {
    client.isBroken = false;
    await sync(pair, client);
    await follower.follow(endpoint, undefined);
    await pair.caughtUp();
    await follower.applier.stop();

    client.isBroken = true;
    await expect(sync(pair, client)).rejects.toThrow('the wire broke');
    // After the tick of that sync: one collection gives its name to another.
    await collections.rename(database, x, 'b');
    await collections.drop(database, x);
    const y = await pair.create('b');
    await pair.put(y, 'k', 2);
    await follower.applier.start();
    await pair.caughtUp();
    await follower.applier.stop();

    client.isBroken = false;
    await sync(pair, client);
    await follower.applier.start();
    await pair.put(y, 'k', 3);
    await pair.caughtUp();
    await expectEqual(pair);
  } finally {
    await client.close();
  }
});
