import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../src/base/deferred.ts';
import { ServiceError } from '../../src/model/errors.ts';
import { page } from '../support/leader-script.ts';
import { type SyncFollower, contentOf, refuse } from '../support/sync-follower.ts';
import { type SyncPair, openSyncPair } from '../support/sync-pair.ts';
import { PARAMETERS, line, openScripted } from '../support/sync-script.ts';

/** A leader with collections of so many documents each, and an empty follower. */
async function openPair(sizes: readonly number[]): Promise<SyncPair> {
  const pair = await openSyncPair({ fetchRetries: 0 });
  const { database, collections, documents } = pair.leader;
  for (const [n, size] of sizes.entries()) {
    const collection = await collections.create(database, { name: `c${n}` });
    for (let i = 0; i < size; i++) {
      await documents.insert(database, collection, `{"_key":"k${i}","n":${i}}`);
    }
  }
  return pair;
}

async function expectEqual({ leader, follower }: SyncPair): Promise<void> {
  expect(await contentOf(follower.core.store, follower.database)).toEqual(
    await contentOf(leader.store, leader.database),
  );
}

/** Counts the requests for pages that are under way at once, each for some turns of the event loop at least. */
function watchWidth({ client }: SyncFollower): { readonly most: number } {
  const width = { now: 0, most: 0 };
  const dump = client.dump.bind(client);
  client.dump = async (request, signal) => {
    width.most = Math.max(width.most, ++width.now);
    try {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      return await dump(request, signal);
    } finally {
      width.now--;
    }
  };
  return width;
}

describe('several collections at a time', () => {
  it('come in one answer of a ticklog leader when they are small, and all of them arrive', async () => {
    await using pair = await openPair(Array.from({ length: 12 }, (_, n) => 3 * n));
    const { leader, follower } = pair;
    const removed = leader.database.get('c3');
    await leader.documents.remove(leader.database, removed, 'k1');
    const { promise: held, resolve: release } = deferred();
    follower.client.onTogether = () => held;
    const syncing = follower.sync();
    await vi.waitFor(() => expect(follower.client.together).toHaveLength(1), 10_000);
    const { numbers } = follower.syncer.view(follower.database)!;
    expect(numbers).toMatchObject({ documentsDone: 0, collectionsDone: 0 });
    release();
    const { collections } = await syncing;
    expect(collections).toHaveLength(12);
    expect(follower.client.together.map((request) => request.collections.length)).toEqual([12]);
    expect(follower.client.dumps).toEqual([]);
    await expectEqual(pair);
  });

  it('of which the leader cannot send several in one answer are asked for one by one, four at a time', async () => {
    await using pair = await openPair(Array.from({ length: 12 }, (_, n) => 3 * n));
    const { follower } = pair;
    const { promise: held, resolve: release } = deferred();
    follower.client.onTogether = refuse;
    follower.client.onDump = () => held;
    const syncing = follower.sync();
    await vi.waitFor(() => expect(follower.client.dumps).toHaveLength(4), 10_000);
    const { numbers } = follower.syncer.view(follower.database)!;
    expect(numbers).toMatchObject({ phase: 'copying', collection: { name: 'c0' } });
    expect(numbers.collections.filter(({ status }) => status === 'copying')).toHaveLength(4);
    expect(follower.client.dumps).toHaveLength(4);
    release();
    expect((await syncing).collections).toHaveLength(12);
    await expectEqual(pair);
  });

  it('come in as many answers as half a page has room for, and none is asked for again that was refused', async () => {
    await using pair = await openPair([10, 10, 10, 10]);
    const { follower } = pair;
    const bytes = pair.leader.database.get('c0').stats.bytes;
    await follower.sync({ chunkSizeBytes: 4 * bytes });
    expect(follower.client.together.map((request) => request.collections.length)).toEqual([2, 2]);
    await expectEqual(pair);
    await using older = await openPair([10, 10, 10, 10]);
    older.follower.client.onTogether = refuse;
    await older.follower.sync({ chunkSizeBytes: 4 * bytes });
    // Two are under way at once; nothing is asked of such a leader behind its first answer.
    expect(older.follower.client.together.length).toBeLessThanOrEqual(2);
    expect(older.follower.client.dumps).toHaveLength(4);
    await expectEqual(older);
  });

  it('of which one is dropped on the leader before they come are copied without it', async () => {
    await using pair = await openPair([5, 5, 5]);
    const { leader, follower } = pair;
    follower.client.onTogether = async () => {
      await leader.collections.drop(leader.database, leader.database.get('c1'));
    };
    await follower.sync();
    expect(follower.client.together).toHaveLength(1);
    expect(follower.client.dumps.map(({ collection }) => collection)).toHaveLength(1);
    await expectEqual(pair);
  });

  it('are copied page by page when the answer with several is lost, or is that of another run', async () => {
    await using lost = await openPair([5, 5, 5]);
    lost.follower.client.onTogether = () => {
      throw new ServiceError('noResponse', 'the connection is gone');
    };
    await lost.follower.sync();
    expect(lost.follower.client.dumps).toHaveLength(3);
    await expectEqual(lost);
    await using restarted = await openPair([5, 5, 5]);
    const { client } = restarted.follower;
    const together = client.dumpCollections.bind(client);
    client.dumpCollections = async (request, signal) => ({
      ...(await together(request, signal)),
      incarnation: '1',
    });
    await restarted.follower.sync();
    expect(client.dumps).toHaveLength(3);
    await expectEqual(restarted);
  });

  it('never come together with others when an abort ends the sync first', async () => {
    await using pair = await openPair([5, 5, 5]);
    const abort = new AbortController();
    pair.follower.client.onTogether = () => abort.abort(new Error('stopped'));
    await expect(pair.follower.sync({}, abort.signal)).rejects.toThrow('stopped');
    expect(pair.follower.client.dumps).toEqual([]);
  });

  it('cost one commit each, where nothing is to be counted or indexed', async () => {
    await using pair = await openPair([3, 3]);
    const { store } = pair.follower.core;
    const before = store.commits.requests;
    await pair.follower.sync();
    const withTwo = store.commits.requests - before;
    await using larger = await openPair([3, 3, 3, 3, 3, 3]);
    const { store: other } = larger.follower.core;
    const start = other.commits.requests;
    await larger.follower.sync();
    expect(other.commits.requests - start - withTwo).toBe(4);
    await expectEqual(larger);
  });

  it('are not copied when each of them has more than half a page', async () => {
    await using pair = await openPair([50, 50, 50]);
    const width = watchWidth(pair.follower);
    await pair.follower.sync({ chunkSizeBytes: 2000 });
    // The next page of one is fetched while one of it is written, but never of two.
    expect(width.most).toBe(1);
    await expectEqual(pair);
  });

  it('are asked for of no other leader', async () => {
    const listed = ['501', '502', '503'].map((cid) => ({
      parameters: { ...PARAMETERS, cid, name: `c${cid}` },
      indexes: [],
    }));
    await using scripted = await openScripted(...listed);
    const { script, follower } = scripted;
    script.next('GET dump', ...[1, 2, 3].map((tick) => page([line(tick, 'a')])));
    const width = watchWidth(follower);
    await follower.sync();
    expect(width.most).toBe(1);
    expect(follower.client.dumps.map(({ collection }) => collection)).toEqual([
      '501',
      '502',
      '503',
    ]);
  });

  it('of which one fails: the others end before the sync does, and the next one goes on with what is whole', async () => {
    await using pair = await openPair(Array.from({ length: 8 }, () => 5));
    const { follower } = pair;
    const { promise: held, resolve: release } = deferred();
    follower.client.onTogether = refuse;
    // When the eighth is asked for the first four are whole, and three wait for their page.
    follower.client.onDump = async (_request, n) => {
      if (n === 8) throw new Error('no more');
      if (n > 4) await held;
    };
    let hasEnded = false;
    const syncing = follower.sync().finally(() => (hasEnded = true));
    syncing.catch(() => undefined);
    await vi.waitFor(() => expect(follower.client.dumps).toHaveLength(8), 10_000);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(hasEnded).toBe(false);
    release();
    await expect(syncing).rejects.toThrow('no more');
    const before = follower.client.dumps.length;
    follower.client.onDump = () => undefined;
    await follower.sync();
    expect(follower.client.dumps.length - before).toBe(4);
    // What is whole already is not asked for again, together or alone.
    expect(follower.client.together.map((request) => request.collections.length)).toEqual([8, 4]);
    await expectEqual(pair);
  });
});
