import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { startLogger } from '../../src/documents/databases.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { LeaderScript, json, loggerState, page, refusal } from '../support/leader-script.ts';
import { SyncFollower, contentOf, keysOf } from '../support/sync-follower.ts';
import { type SyncPair, openSyncPair } from '../support/sync-pair.ts';
import { logFrom } from '../support/sync-script.ts';

const SMALL_PAGES = { chunkSizeBytes: 800 };
const COLLECTIONS = ['aa', 'bb', 'cc'];

/** A leader with three collections of 40 documents, and a follower that writes small slices. */
async function openPair(): Promise<SyncPair> {
  const pair = await openSyncPair({ sliceBytes: 300, fetchRetries: 0 });
  const { leader } = pair;
  for (const name of COLLECTIONS) {
    const collection = await leader.collections.create(leader.database, { name });
    await write(leader, collection, 0, 40);
    await leader.collections.createIndex(leader.database, collection, {
      type: 'hash',
      fields: ['n'],
      unique: true,
    });
  }
  return pair;
}

async function write(
  { documents, database }: LeaderServer,
  collection: Collection,
  from: number,
  to: number,
): Promise<void> {
  for (let i = from; i < to; i++) {
    await documents.insert(database, collection, `{"_key":"k${i}","n":${i},"text":"text ${i}"}`);
  }
}

/** Data of the follower's own that a sync is going to replace. */
async function fillOld({ follower }: SyncPair): Promise<void> {
  const { collections, documents } = follower.core;
  for (const name of COLLECTIONS) {
    const old = await collections.create(follower.database, { name });
    await documents.insert(follower.database, old, '{"_key":"old"}');
  }
}

async function expectOld({ follower }: SyncPair): Promise<void> {
  for (const name of COLLECTIONS) expect(await keysOf(follower.core, name)).toEqual(['old']);
}

async function expectEqual({ leader, follower }: SyncPair): Promise<void> {
  expect(await contentOf(follower.core.store, follower.database)).toEqual(
    await contentOf(leader.store, leader.database),
  );
  expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
  expect(await follower.progressRecords()).toBe(0);
}

/** Lets the n-th request for a page fail, as if the leader were gone. */
function failAtDump({ client }: SyncFollower, n: number): void {
  client.dumps = [];
  client.onDump = (_request, count) => {
    if (count === n) throw new Error('the wire broke');
  };
}

function heal({ client }: SyncFollower): void {
  client.dumps = [];
  client.onDump = () => undefined;
}

async function dumpCountOfWholeSync(pair: SyncPair): Promise<number> {
  const { follower } = pair;
  heal(follower);
  await follower.sync(SMALL_PAGES);
  return follower.client.dumps.length;
}

describe('a sync that ends before its time', () => {
  it('goes on where it was, at whatever page it failed, with and without a restart', async () => {
    await using counting = await openPair();
    const total = await dumpCountOfWholeSync(counting);
    expect(total).toBeGreaterThan(15);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: total }),
        fc.integer({ min: 1, max: total }),
        fc.boolean(),
        async (first, second, restart) => {
          await using pair = await openPair();
          const { follower } = pair;
          await fillOld(pair);
          let asked = 0;
          for (const n of [first, second]) {
            failAtDump(follower, n);
            try {
              await follower.sync(SMALL_PAGES);
              return;
            } catch (error) {
              expect(error).toMatchObject({ message: 'the wire broke' });
            }
            asked += follower.client.dumps.length - 1;
            await expectOld(pair);
            if (restart) await follower.restart();
          }
          heal(follower);
          await follower.sync(SMALL_PAGES);
          await expectEqual(pair);
          // Each failure costs at most the page that was being prefetched beside it.
          expect(asked + follower.client.dumps.length).toBeLessThanOrEqual(total + 4);
        },
      ),
      { numRuns: 12 },
    );
  }, 120_000);

  it('leaves the old data readable and goes on after an abort at any step', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await fillOld(pair);
    for (let steps = 1; ; steps++) {
      const stop = new AbortController();
      const reason = new Error('stopped');
      let seen = 0;
      const onProgress = (): void => {
        if (++seen === steps) stop.abort(reason);
      };
      try {
        await follower.sync({ ...SMALL_PAGES, onProgress }, stop.signal);
        break;
      } catch (error) {
        expect(error).toBe(reason);
        await expectOld(pair);
      }
    }
    await expectEqual(pair);
  }, 60_000);

  it('begins anew when it was aborted before it began', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await expect(follower.sync({}, AbortSignal.abort(new Error('no')))).rejects.toThrow('no');
    expect(follower.client.dumps).toEqual([]);
    expect(follower.syncer.isRunning(follower.database)).toBe(false);
  });
});

/** Runs a sync that fails in the middle of the second collection. */
async function failInTheMiddle({ leader, follower }: SyncPair): Promise<void> {
  const { cid } = leader.database.get('bb');
  let pages = 0;
  heal(follower);
  follower.client.onDump = ({ collection }) => {
    if (collection === cid && ++pages === 4) throw new Error('the wire broke');
  };
  await expect(follower.sync(SMALL_PAGES)).rejects.toThrow('the wire broke');
  heal(follower);
}

/** Whether the next sync asked for the first page of this collection again. */
function beganAnew({ leader, follower }: SyncPair, name: string): boolean {
  const { cid } = leader.database.get(name);
  return follower.client.dumps.some(({ collection, from }) => collection === cid && from === 0n);
}

describe('what is gone on with', () => {
  it('finished collections and the half-copied one, up to the tick of the first attempt', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    const before = await contentOf(leader.store, leader.database);
    const tick = leader.database.changelog.state.lastTick;
    await failInTheMiddle(pair);
    await write(leader, leader.database.get('aa'), 40, 50);
    await write(leader, leader.database.get('bb'), 40, 50);
    await leader.collections.create(leader.database, { name: 'later' });
    const result = await follower.sync(SMALL_PAGES);
    expect(result.lastLogTick).toBe(tick);
    expect(await contentOf(follower.core.store, follower.database)).toEqual(before);
    expect([beganAnew(pair, 'aa'), beganAnew(pair, 'bb'), beganAnew(pair, 'cc')]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('not a half-copied collection whose removals are no longer complete', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await failInTheMiddle(pair);
    const bb = leader.database.get('bb');
    await leader.documents.remove(leader.database, bb, 'k0');
    await leader.store.commit(
      (tx) => bb.writeRecord(tx, { ...bb.record, deletionsSince: leader.store.lastCommitted }),
      { exclusive: true },
    );
    await follower.sync(SMALL_PAGES);
    expect(beganAnew(pair, 'aa')).toBe(false);
    expect(beganAnew(pair, 'bb')).toBe(true);
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
    expect(await follower.progressRecords()).toBe(0);
  });

  it('nothing when the log of the leader no longer reaches back to the tick', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await failInTheMiddle(pair);
    await leader.put('logger-stop');
    await write(leader, leader.database.get('aa'), 40, 50);
    await leader.put('logger-start');
    await follower.sync(SMALL_PAGES);
    expect(beganAnew(pair, 'aa')).toBe(true);
    await expectEqual(pair);
  });

  it('nothing when the choice of collections is another one', async () => {
    await using pair = await openPair();
    const { follower } = pair;
    await failInTheMiddle(pair);
    await follower.sync({ ...SMALL_PAGES, includeSystem: false });
    expect(beganAnew(pair, 'aa')).toBe(true);
    await expectEqual(pair);
  });

  it('nothing when the leader is another one', async () => {
    await using pair = await openPair();
    await using other = await openLeaderServer();
    const { follower } = pair;
    await failInTheMiddle(pair);
    await startLogger(other.store, other.database);
    await using elsewhere = await SyncFollower.open({
      endpoint: `tcp://127.0.0.1:${other.port}`,
    });
    await follower.sync({ client: elsewhere.client });
    expect(follower.database.collections).toEqual([]);
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
    expect(await follower.progressRecords()).toBe(0);
  });

  it('a collection that the leader has dropped meanwhile is not there, nor what the log says of it', async () => {
    await using pair = await openPair();
    const { leader, follower } = pair;
    await failInTheMiddle(pair);
    await leader.collections.drop(leader.database, leader.database.get('bb'));
    const result = await follower.sync(SMALL_PAGES);
    const others = COLLECTIONS.filter((name) => name !== 'bb');
    expect(result.collections.map(({ name }) => name).sort()).toEqual(others);
    expect(follower.database.collections.map(({ name }) => name).sort()).toEqual(others);
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
  });

  it('nothing is left of it when the database is dropped', async () => {
    await using pair = await openPair();
    const { follower, leader } = pair;
    const { databases, catalogue, store } = follower.core;
    const other = await databases.create('other');
    let pages = 0;
    follower.client.onDump = () => {
      if (++pages === 5) throw new Error('the wire broke');
    };
    const request = { client: follower.client, restrictType: '', includeSystem: true } as const;
    const stop = new AbortController().signal;
    const running = follower.syncer.run(
      other,
      { ...request, restrictCollections: [], ...SMALL_PAGES },
      stop,
    );
    await expect(running).rejects.toThrow('the wire broke');
    expect(catalogue.hiddenOf(other).length).toBeGreaterThan(0);
    await databases.drop('other');
    expect(catalogue.hiddenOf(other)).toEqual([]);
    await follower.restart();
    // The background removes them; after a restart it goes on by itself.
    const { store: reopened } = follower.core;
    await vi.waitFor(async () => expect(await reopened.records('y')).toEqual([]), 10_000);
    expect(leader.database.collections).toHaveLength(3);
    expect(store.failure).toBeUndefined();
  });
});

const PARAMETERS = { type: 2, version: 4, deleted: false };
const INVENTORY = {
  collections: [
    { parameters: { ...PARAMETERS, cid: '501', name: 'aa' }, indexes: [] },
    { parameters: { ...PARAMETERS, cid: '502', name: 'bb' }, indexes: [] },
  ],
  state: { running: true, lastLogTick: '1000', totalEvents: 1, time: '' },
  tick: '1001',
};

function line(tick: number, key: string): string {
  return `{"tick":"${tick}","type":2300,"key":"${key}","rev":"${tick}","data":{"_key":"${key}","_rev":"${tick}"}}`;
}

/** A 1.4 leader that answers the whole sync; single requests can be answered otherwise first. */
async function openScript(): Promise<LeaderScript> {
  const script = await LeaderScript.open();
  return script
    .always('GET logger-state', loggerState())
    .always('POST batch', json({ id: '77' }))
    .always('DELETE batch/77', { status: 204 })
    .always('GET inventory', json(INVENTORY))
    .always('GET logger-follow', ({ query }) => logFrom(query.get('from') === '0' ? 7 : undefined))
    .always('GET dump', ({ query }) => {
      const from = Number(query.get('from'));
      return from === 0
        ? page([line(10, 'a'), line(20, 'b')], { checkMore: true })
        : page([line(30, 'c')]);
    });
}

describe('of a leader that is not ticklog', () => {
  it('only finished collections are gone on with', async () => {
    await using script = await openScript();
    await using follower = await SyncFollower.open(script, { fetchRetries: 0 });
    script.next(
      'GET dump',
      page([line(10, 'a')]),
      page([line(10, 'a')], { checkMore: true }),
      refusal(403, 11),
    );
    await expect(follower.sync()).rejects.toMatchObject({ errorNum: 1402 });
    await follower.restart();
    follower.client.dumps = [];
    const result = await follower.sync();
    expect(follower.client.dumps.map(({ collection, from }) => [collection, from])).toEqual([
      ['502', 0n],
      ['502', 20n],
    ]);
    expect(await keysOf(follower.core, 'aa')).toEqual(['a']);
    expect(await keysOf(follower.core, 'bb')).toEqual(['a', 'b', 'c']);
    expect(result).toMatchObject({ lastLogTick: 1000n, leaderId: '4711' });
    expect(script.surprises).toEqual([]);
  });

  it('the tick stays that of the first attempt', async () => {
    await using script = await openScript();
    await using follower = await SyncFollower.open(script, { fetchRetries: 0 });
    script.next('GET dump', page([line(10, 'a')]), refusal(403, 11));
    await expect(follower.sync()).rejects.toMatchObject({ errorNum: 1402 });
    script.always('GET logger-state', loggerState({ lastLogTick: '2000' }));
    expect((await follower.sync()).lastLogTick).toBe(1000n);
    expect((await follower.sync()).lastLogTick).toBe(2000n);
  });

  it.each<[string, number | undefined]>([
    ['begins behind the tick', 1001],
    ['is empty', undefined],
  ])('nothing is gone on with when its log %s', async (_what, first) => {
    await using script = await openScript();
    await using follower = await SyncFollower.open(script, { fetchRetries: 0 });
    script.next('GET dump', page([line(10, 'a')]), refusal(403, 11));
    await expect(follower.sync()).rejects.toMatchObject({ errorNum: 1402 });
    script.always('GET logger-state', loggerState({ lastLogTick: '2000' }));
    script.always('GET logger-follow', ({ query }) =>
      logFrom(query.get('from') === '0' ? first : undefined),
    );
    follower.client.dumps = [];
    expect((await follower.sync()).lastLogTick).toBe(2000n);
    expect(follower.client.dumps[0]).toMatchObject({ collection: '501', from: 0n, to: 2000n });
  });

  it('nothing is gone on with when its logger was stopped', async () => {
    await using script = await openScript();
    await using follower = await SyncFollower.open(script, { fetchRetries: 0 });
    const stopped = { ...INVENTORY, state: { ...INVENTORY.state, running: false } };
    script.always('GET inventory', json(stopped));
    script.next('GET dump', page([line(10, 'a')]), refusal(403, 11));
    await expect(follower.sync()).rejects.toMatchObject({ errorNum: 1402 });
    follower.client.dumps = [];
    const result = await follower.sync();
    expect(result).toMatchObject({ leaderWasStopped: true, lastLogTick: 1001n });
    expect(follower.client.dumps[0]).toMatchObject({ collection: '501', from: 0n, to: 1001n });
  });
});
