import { describe, expect, test } from 'vitest';
import { DocumentTx } from '../../src/documents/document-tx.ts';
import { startLogger, stopLogger } from '../../src/documents/databases.ts';
import { CollectionType } from '../../src/model/collection.ts';
import { documentsOf } from '../support/sync-follower.ts';
import { type Pair, expectEqual, openPair } from './applier-follower.ts';

/** Inserts on the leader, in one transaction. */
function putAll(pair: Pair, name: string, from: number, to: number, text = ''): Promise<void> {
  const { leader } = pair;
  const collection = leader.database.get(name);
  return leader.store.commit((tx) => {
    const writes = new DocumentTx(
      { tx, database: leader.database },
      { origin: 'local', grouped: true },
    );
    for (let i = from; i < to; i++) {
      const value = { i, text };
      const rest = JSON.stringify(value).slice(1, -1);
      const old = writes.pointer(collection, `k${i}`);
      writes.upsert(collection, `k${i}`, { value, rest }, old);
    }
    writes.finish();
  });
}

describe('a follower', () => {
  test('applies all that happens on the leader: documents, collections, indexes, transactions', async () => {
    await using pair = await openPair();
    const { leader, follower, create, put } = pair;
    await follower.follow(pair.endpoint, pair.lastTick());
    const c = await create('c');
    const links = await leader.collections.create(leader.database, {
      name: 'links',
      type: CollectionType.edge,
      waitForSync: true,
    });
    await put(c, 'a', 'ü');
    await put(c, 'a', 2);
    await put(c, 'b', 3);
    await leader.documents.insert(leader.database, links, '{"_key":"l","w":1}', {
      ends: { from: 'c/a', to: 'c/b' },
    });
    await leader.documents.remove(leader.database, c, 'b');
    await leader.collections.createIndex(leader.database, c, {
      type: 'hash',
      unique: true,
      fields: ['v'],
    });
    await putAll(pair, 'c', 0, 100);
    await leader.collections.rename(leader.database, c, 'd');
    await leader.collections.changeProperties(leader.database, c, { waitForSync: true });
    const doomed = await create('doomed');
    await put(doomed, 'x', 1);
    await leader.collections.drop(leader.database, doomed);
    await leader.collections.truncate(leader.database, links);
    await put(c, 'last', 'one');
    await pair.caughtUp();
    await expectEqual(pair);
  });

  test('told where to begin shows that place until it has applied more', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    const from = pair.lastTick();
    await follower.follow(pair.endpoint, from);
    const state = await follower.until(({ phase }) => phase === 'tailing');
    expect(state.lastAppliedContinuousTick).toBe(from.toString());
  });

  test('learns of a change by a held request, long before any poll', async () => {
    await using pair = await openPair();
    const c = await pair.create('c');
    await pair.follower.follow(pair.endpoint, pair.lastTick() - 1n);
    await pair.caughtUp();
    const { totalRequests } = pair.follower.state;
    await pair.put(c, 'a', 1);
    const beganMs = performance.now();
    await pair.caughtUp();
    expect(performance.now() - beganMs).toBeLessThan(2000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // The one that brought the change, and the one that is held now.
    expect(pair.follower.state.totalRequests - totalRequests).toBeLessThanOrEqual(2);
  });

  test('says how far behind it is, and that it is not when it is not', async () => {
    await using pair = await openPair();
    const c = await pair.create('c');
    await pair.put(c, 'a', 1);
    await pair.follower.follow(pair.endpoint, pair.beginning);
    const state = await pair.caughtUp();
    expect(state.totalEvents).toBe(3);
    const settled = await pair.follower.until(({ secondsBehind }) => secondsBehind === 0);
    expect(settled).toMatchObject({ ticksBehind: 0, phase: 'tailing', lastError: { errorNum: 0 } });
    expect(settled.lastAvailableContinuousTick).toBe(pair.lastTick().toString());
    expect(settled.progress.message).toMatch(/^fetching leader log from offset [0-9]+$/);
  });

  test.each([
    ['of one line', { chunkSize: 1 }],
    ['of a few lines', { chunkSize: 1000 }],
    ['that grow', {}],
  ])(
    'is stopped and started again and again over pages %s, and misses nothing',
    async (_name, config) => {
      await using pair = await openPair();
      const { follower } = pair;
      const from = pair.lastTick();
      const c = await pair.create('c');
      await putAll(pair, 'c', 0, 60, 'x'.repeat(100));
      for (let i = 0; i < 40; i++) await pair.put(c, `k${i}`, 'replaced');
      await putAll(pair, 'c', 30, 90);
      await follower.follow(pair.endpoint, from, { autoStart: true, ...config });
      for (let i = 0; i < 6; i++) {
        await follower.restart();
        await new Promise((resolve) => setTimeout(resolve, i * 8));
        await pair.put(c, `during${i}`, i);
      }
      await pair.caughtUp();
      await expectEqual(pair);
      expect(follower.state.openTransactions).toEqual([]);
    },
  );

  test('shows a transaction whole or not at all, also when it comes line by line', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await pair.create('c');
    await follower.follow(pair.endpoint, pair.beginning, { chunkSize: 1 });
    await pair.caughtUp();
    const collection = follower.database.get('c');
    const counts = new Set<number>();
    await putAll(pair, 'c', 0, 200);
    await follower.until(({ running, lastAppliedContinuousTick }) => {
      counts.add(collection.stats.count);
      return !running || BigInt(lastAppliedContinuousTick ?? 0) >= pair.lastTick();
    });
    counts.add(collection.stats.count);
    expect([...counts].sort((a, b) => a - b)).toEqual([0, 200]);
  });

  test('logs the transactions of its leader as such, for those who follow it', async () => {
    await using pair = await openPair({ loggerConfig: { logRemoteChanges: true } });
    const { follower } = pair;
    await startLogger(follower.core.store, follower.database);
    await follower.follow(pair.endpoint, pair.beginning, { chunkSize: 200 });
    await pair.create('c');
    await putAll(pair, 'c', 0, 20);
    await pair.caughtUp();
    const page = await follower.database.changelog.readPage({
      from: 0n,
      to: 2n ** 63n,
      limitBytes: 1e9,
    });
    const types = [...page.body.toString().matchAll(/"type":([0-9]{4})/g)].map(([, type]) => type);
    expect(types).toEqual(['1001', '2000', '2200', ...Array<string>(20).fill('2300'), '2201']);
  });

  test('that takes over from its leader makes keys that are not in use', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning);
    const numbered = await leader.collections.create(leader.database, {
      name: 'numbered',
      keyOptions: { type: 'autoincrement', allowUserKeys: true, offset: 0, increment: 1 },
    });
    for (let i = 0; i < 3; i++) await leader.documents.insert(leader.database, numbered, '{}');
    await pair.caughtUp();
    await follower.applier.stop();
    const ours = follower.database.get('numbered');
    const { key } = await follower.core.documents.insert(follower.database, ours, '{}');
    expect(key).toBe('4');
  });

  test('follows only what it is told to', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning, {
      restrictType: 'include',
      restrictCollections: ['wanted'],
    });
    const wanted = await pair.create('wanted');
    const other = await pair.create('other');
    await pair.put(wanted, 'a', 1);
    await pair.put(other, 'a', 1);
    await pair.caughtUp();
    expect(follower.database.collections.map(({ name }) => name)).toEqual(['wanted']);
    expect(follower.state.totalOperationsExcluded).toBe(2);
  });

  test('without system collections moves on over changes of them', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning, { includeSystem: false });
    const graphs = await pair.create('_graphs');
    for (let i = 0; i < 5; i++) await pair.put(graphs, `g${i}`, i);
    await pair.caughtUp();
    expect(follower.database.collections).toEqual([]);
  });
});

describe('the collections of a running applier', () => {
  test('refuse ordinary writes until it is stopped', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    const { documents, collections } = follower.core;
    const own = await collections.create(follower.database, { name: 'own' });
    await follower.follow(pair.endpoint, pair.beginning, {
      restrictType: 'exclude',
      restrictCollections: ['own'],
    });
    await pair.create('c');
    await pair.caughtUp();
    const c = follower.database.get('c');
    const insert = (): Promise<unknown> => documents.insert(follower.database, c, '{"_key":"a"}');
    await expect(insert()).rejects.toThrow(expect.objectContaining({ errorNum: 1004 }) as Error);
    await documents.insert(follower.database, own, '{"_key":"a"}');
    await follower.applier.stop();
    await insert();
    expect(c.stats.count).toBe(1);
  });

  test('take them when the configuration says so', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, pair.beginning, { allowWrites: true });
    await pair.create('c');
    await pair.caughtUp();
    const c = follower.database.get('c');
    await follower.core.documents.insert(follower.database, c, '{"_key":"a"}');
    expect(c.stats.count).toBe(1);
  });
});

describe('a gap in the log of the leader', () => {
  async function openGap(config: Record<string, unknown>): Promise<Pair> {
    const pair = await openPair();
    const { leader, follower } = pair;
    const c = await pair.create('c');
    await follower.follow(pair.endpoint, pair.beginning, config);
    await pair.caughtUp();
    await follower.applier.stop();
    await stopLogger(leader.store, leader.database);
    await pair.put(c, 'unlogged', 1);
    await startLogger(leader.store, leader.database);
    await pair.put(c, 'logged', 1);
    return pair;
  }

  test('stops the applier with 1414 rather than going on', async () => {
    await using pair = await openGap({});
    await pair.follower.applier.start();
    const state = await pair.follower.stopped();
    expect(state).toMatchObject({
      phase: 'failed',
      lastError: { errorNum: 1414 },
      whyStopped: { errorNum: 1414 },
    });
    expect(pair.follower.database.get('c').stats.count).toBe(0);
  });

  test('is gone over when that is allowed', async () => {
    await using pair = await openGap({ allowLogGap: true });
    await pair.follower.applier.start();
    await pair.caughtUp();
    const { store } = pair.follower.core;
    expect(Object.keys(await documentsOf(store, pair.follower.database.get('c')))).toEqual([
      'logged',
    ]);
  });

  test('is healed by a new copy where autoResync says so, and following goes on', async () => {
    await using pair = await openGap({ autoResync: true });
    const { follower, leader } = pair;
    await follower.applier.start();
    await follower.until(({ totalResyncs }) => totalResyncs === 1);
    await pair.put(leader.database.get('c'), 'later', 1);
    await pair.caughtUp();
    await expectEqual(pair);
    await follower.restart();
    await follower.applier.start();
    await pair.caughtUp();
    expect(follower.state.totalResyncs).toBe(0);
  });
});
