import { describe, expect, test } from 'vitest';
import { DocumentTx } from '../../src/documents/document-tx.ts';
import { startLogger, stopLogger } from '../../src/documents/databases.ts';
import { CollectionType } from '../../src/model/collection.ts';
import { isServiceError } from '../../src/model/errors.ts';
import { contentOf, documentsOf } from '../support/sync-follower.ts';
import { ApplierFollower, type Pair, openPair } from './applier-follower.ts';

/** What both sides hold must be the same, revisions, ids, indexes and properties included. */
async function expectEqual({ leader, follower }: Pair): Promise<void> {
  const theirs = await contentOf(leader.store, leader.database);
  const ours = await contentOf(follower.core.store, follower.database);
  expect(ours).toEqual(theirs);
}

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
    await pair.follower.follow(pair.endpoint, 1n);
    const state = await pair.caughtUp();
    expect(state.totalEvents).toBe(3);
    const settled = await pair.follower.until(({ secondsBehind }) => secondsBehind === 0);
    expect(settled).toMatchObject({ ticksBehind: 0, phase: 'tailing', lastError: { errorNum: 0 } });
    expect(settled.lastAvailableContinuousTick).toBe(pair.lastTick().toString());
    expect(settled.progress.message).toMatch(/^fetching master log from offset [0-9]+$/);
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
    await follower.follow(pair.endpoint, 1n, { chunkSize: 1 });
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
    await follower.follow(pair.endpoint, 1n, { chunkSize: 200 });
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

  test('follows only what it is told to', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, 1n, {
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
    await follower.follow(pair.endpoint, 1n, { includeSystem: false });
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
    await follower.follow(pair.endpoint, 1n, {
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
    await follower.follow(pair.endpoint, 1n, { allowWrites: true });
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
    await follower.follow(pair.endpoint, 1n, config);
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

describe('start and stop', () => {
  test('without state and from: it says running first, then stops with 1413', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.applier.configure({ endpoint: pair.endpoint });
    const { state } = await follower.applier.start();
    expect(state.running).toBe(true);
    expect(await follower.stopped()).toMatchObject({
      lastError: { errorNum: 1413, errorMessage: 'no start tick' },
      lastAppliedContinuousTick: null,
    });
  });

  test('a stop keeps 1412 until the next start, and a second stop changes nothing', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, 1n);
    await pair.caughtUp();
    const stopped = (await follower.applier.stop()).state;
    expect(stopped).toMatchObject({
      running: false,
      phase: 'stopped',
      lastError: { errorNum: 1412, errorMessage: 'replication stopped' },
      progress: { message: 'applier stopped' },
    });
    const again = (await follower.applier.stop()).state;
    expect({ ...again, time: '' }).toEqual({ ...stopped, time: '' });
    const started = (await follower.applier.start()).state;
    expect(started).toMatchObject({ running: true, lastError: { errorNum: 0 } });
  });

  test('a place to begin is kept from the start on, also when the leader cannot be asked', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow('tcp://127.0.0.1:1', 1n, { maxConnectRetries: 0 });
    await follower.restart();
    await pair.create('c');
    await follower.follow(pair.endpoint, undefined);
    await pair.caughtUp();
    await expectEqual(pair);
  });

  test('a tick to begin at that no server can have is refused', async () => {
    await using pair = await openPair();
    await expect(pair.follower.follow(pair.endpoint, 2n ** 63n)).rejects.toThrow(
      expect.objectContaining({ errorNum: 10 }) as Error,
    );
  });

  test('a start while it runs changes nothing, not even with another tick', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, 1n);
    const { lastAppliedContinuousTick } = await pair.caughtUp();
    await follower.applier.start({ from: 5n });
    await pair.caughtUp();
    expect(follower.state.lastAppliedContinuousTick).toBe(lastAppliedContinuousTick);
  });

  test('a held request does not hold up a stop', async () => {
    await using pair = await openPair();
    await pair.follower.follow(pair.endpoint, 1n);
    await pair.caughtUp();
    const beganMs = performance.now();
    await pair.follower.applier.stop();
    expect(performance.now() - beganMs).toBeLessThan(2000);
  });

  test('many starts, stops and configurations at once take effect one after another', async () => {
    await using pair = await openPair();
    const { applier } = pair.follower;
    await pair.follower.follow(pair.endpoint, 1n);
    const calls = Array.from({ length: 30 }, async (_, i) => {
      if (i % 3 === 0) return applier.stop();
      if (i % 3 === 1) return applier.start();
      try {
        return await applier.configure({ chunkSize: i });
      } catch (error) {
        return isServiceError(error, 'applierRunning') ? 'running' : Promise.reject(error as Error);
      }
    });
    const results = await Promise.all(calls);
    expect(results.filter((result) => result === 'running')).toHaveLength(10);
    await pair.create('c');
    await applier.start();
    await pair.caughtUp();
    await expectEqual(pair);
  });

  test('forgetting the state stops it and leaves nothing: no position, no configuration', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, 1n, { autoStart: true });
    await pair.caughtUp();
    const document = await follower.applier.forget();
    expect(document).not.toHaveProperty('endpoint');
    expect(document.state).toMatchObject({
      running: false,
      lastAppliedContinuousTick: null,
      lastProcessedContinuousTick: null,
      lastAvailableContinuousTick: null,
      progress: { time: '', failedConnects: 0 },
      totalRequests: 0,
      totalEvents: 0,
      lastError: { errorNum: 0 },
    });
    await follower.restart();
    expect(follower.applier.isRunning).toBe(false);
    await expect(follower.applier.start()).rejects.toThrow(
      expect.objectContaining({ errorNum: 1410 }) as Error,
    );
    expect(follower.state.lastError).toMatchObject({ errorNum: 1410 });
  });

  test('after a restart only those start that are to, at the place where they were', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await follower.follow(pair.endpoint, 1n);
    await pair.caughtUp();
    await follower.restart();
    expect(follower.applier.isRunning).toBe(false);
    await follower.applier.configure({ autoStart: true });
    await follower.restart();
    expect(follower.applier.isRunning).toBe(true);
    await pair.create('c');
    await pair.caughtUp();
    expect(follower.state.totalEvents).toBe(1);
  });

  test('the applier of a database that is dropped is stopped first', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    const other = await follower.core.databases.create('other');
    const applier = follower.appliers.of(other);
    await applier.configure({ endpoint: pair.endpoint, database: '_system' });
    await applier.start({ from: 1n });
    await follower.appliers.release(other);
    expect(applier.isRunning).toBe(false);
    await follower.core.databases.drop('other');
    expect(() => follower.appliers.of(other)).toThrow(
      expect.objectContaining({ errorNum: 1228 }) as Error,
    );
  });
});

describe('a leader that cannot be followed', () => {
  test('that is unreachable is tried maxConnectRetries times, then 1400 (contract 9.6, 12)', async () => {
    await using follower = await ApplierFollower.open();
    await follower.follow('tcp://127.0.0.1:1', 1n, {
      maxConnectRetries: 1,
      connectionRetryWaitTime: 1,
    });
    const waiting = await follower.until(({ phase }) => phase !== 'starting');
    expect(waiting).toMatchObject({
      running: true,
      phase: 'backoff',
      whyWaiting: { errorNum: 1400 },
    });
    const state = await follower.stopped();
    expect(state).toMatchObject({
      phase: 'failed',
      lastError: { errorNum: 1400 },
      totalRequests: 2,
    });
    expect(state.totalFailedConnects).toBe(2);
    expect(state.progress.failedConnects).toBe(2);
    expect(state.lastError.errorMessage).toMatch(/tcp:\/\/127\.0\.0\.1:1: .*Connection refused/);
  });

  test('with no limit to the retries is tried until somebody stops it', async () => {
    await using follower = await ApplierFollower.open();
    await follower.follow('tcp://127.0.0.1:1', 1n, {
      maxConnectRetries: 0,
      connectionRetryWaitTime: 0.001,
    });
    const state = await follower.until(({ totalFailedConnects }) => totalFailedConnects > 20);
    expect(state.running).toBe(true);
    await follower.applier.stop();
    expect(follower.state.phase).toBe('stopped');
  });

  test('that is this server itself is refused with 1405', async () => {
    await using pair = await openPair();
    const { leader } = pair;
    const follower = await ApplierFollower.open();
    await using _ = follower;
    Object.defineProperty(follower.core.store.server, 'serverId', {
      value: leader.store.server.serverId,
    });
    await follower.follow(pair.endpoint, 1n);
    expect((await follower.stopped()).lastError.errorNum).toBe(1405);
  });

  test('whose database does not exist is refused with 1402', async () => {
    await using pair = await openPair();
    await pair.follower.follow(pair.endpoint, 1n, { database: 'nosuchdb' });
    expect((await pair.follower.stopped()).lastError).toMatchObject({
      errorNum: 1402,
      errorMessage: expect.stringContaining('HTTP 404: Not Found') as string,
    });
  });

  test('that is another server than before is refused with 1404', async () => {
    await using first = await openPair();
    await using second = await openPair();
    const { follower } = first;
    await follower.follow(first.endpoint, 1n);
    await first.caughtUp();
    await follower.applier.stop();
    await follower.follow(second.endpoint, undefined);
    expect((await follower.stopped()).lastError.errorNum).toBe(1404);
    await follower.applier.start({ from: second.lastTick() });
    await second.create('c');
    await follower.caughtUp(second.lastTick());
  });

  test('that is another server than before is copied where autoResync says so', async () => {
    await using first = await openPair();
    await using second = await openPair();
    const { follower } = first;
    await follower.follow(first.endpoint, 1n, { autoResync: true });
    await first.create('c');
    await first.caughtUp();
    await follower.applier.stop();
    const theirs = await second.create('c');
    await second.put(theirs, 'a', 1);
    await follower.follow(second.endpoint, undefined);
    await follower.until(({ totalResyncs }) => totalResyncs === 1);
    await second.put(theirs, 'b', 2);
    await follower.caughtUp(second.lastTick());
    expect(follower.database.get('c').cid).toBe(theirs.cid);
    const documents = await documentsOf(follower.core.store, follower.database.get('c'));
    expect(Object.keys(documents)).toEqual(['a', 'b']);
  });
});
