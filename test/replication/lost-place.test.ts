import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Logger } from '../../src/base/logger.ts';
import type { Collection } from '../../src/documents/collection.ts';
import { startLogger, stopLogger } from '../../src/documents/databases.ts';
import { compactJournal } from '../../src/documents/journal-compaction.ts';
import { readCheckpoint, writeCheckpoint } from '../../src/follower/checkpoint.ts';
import { LeaderClient } from '../../src/follower/leader-client.ts';
import { type CountedWire, openCountedWire } from '../support/counted-wire.ts';
import { LiveServer } from '../support/live-server.ts';
import { loadPeople } from '../support/people.ts';
import { type Pair, expectEqual, openPair } from './applier-follower.ts';

/** What a sync says of itself when it is through. */
interface Figures {
  readonly documents: number;
  readonly removals: number;
  readonly kept: number;
  readonly caughtUp: number;
  readonly compared: number;
}

const COUNT = 2000;
/** Nobody else reads what is old. */
const WHOLE_PASS = {
  ...{ horizon: () => undefined, removalAgeMs: 0, nowMs: () => Infinity },
  lastPass: new WeakMap<Collection, { deadLeft: number; endedMs: number }>(),
};

let finished: Figures[];
let warnings: string[];
let pair: Pair;
let wire: CountedWire;
let big: Collection;
let quiet: Collection;

/** Keeps what syncs say. */
const listener: Logger = {
  ...{ debug: () => undefined, error: () => undefined },
  info: (fields, message) => {
    if (message === 'sync finished') finished.push(fields as unknown as Figures);
  },
  warn: (_fields, message) => {
    warnings.push(message);
  },
  child: () => listener,
};

beforeEach(async () => {
  [finished, warnings] = [[], []];
  pair = await openPair({ logger: listener });
  const { leader, follower } = pair;
  wire = await openCountedWire(pair.endpoint);
  big = await pair.create('big');
  quiet = await pair.create('quiet');
  for (const collection of [big, quiet]) {
    await leader.collections.createIndex(leader.database, collection, {
      ...{ type: 'hash', fields: ['v'], unique: true },
    });
    await putAll(collection, COUNT);
  }
  await follower.follow(wire.endpoint, pair.beginning, { autoResync: true });
  await pair.caughtUp();
});
afterEach(async () => {
  await pair[Symbol.asyncDispose]();
  await wire[Symbol.asyncDispose]();
});

async function putAll(collection: Collection, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) => `{"_key":"k${i}","v":${i},"old":true}`);
  const path = `/_api/import?collection=${collection.name}&type=documents`;
  await pair.leader.call('POST', path, lines.join('\n'));
}

/** Stops the follower and makes the leader's log begin anew: what it lacks is only in the journals. */
async function loseLog(change: () => Promise<void>): Promise<void> {
  const { leader, follower } = pair;
  await follower.applier.stop();
  await stopLogger(leader.store, leader.database);
  await change();
  await startLogger(leader.store, leader.database);
}

/** Makes many documents that are removed again, and compacts these removals away. */
async function compact(collection: Collection): Promise<void> {
  const { leader } = pair;
  const { store } = leader;
  const keys = Array.from({ length: 2000 }, (_, i) => `passing${i}`);
  const lines = keys.map((key) => JSON.stringify({ _key: key, v: key }));
  const path = `/_api/import?collection=${collection.name}&type=documents`;
  await leader.call('POST', path, lines.join('\n'));
  await remove(collection, ...keys);
  const before = collection.deletionsSince;
  await compactJournal(store, collection, WHOLE_PASS, new AbortController().signal);
  expect(collection.deletionsSince).toBeGreaterThan(before);
}

async function remove(collection: Collection, ...keys: string[]): Promise<void> {
  const { documents, database } = pair.leader;
  for (const key of keys) await documents.remove(database, collection, key);
}

/** 5 documents changed, 3 removed, 2 new. */
async function changeSome(): Promise<void> {
  for (let i = 0; i < 5; i++) await pair.put(big, `k${i * 300}`, `new ${i}`);
  await remove(big, 'k7', 'k8', 'k1999');
  await pair.put(big, 'another', 'x');
  await pair.put(big, 'zz', 'y');
}

/** Starts the follower; resolves with the figures of the sync by which it has got back. */
async function recover(config: Record<string, unknown> = {}): Promise<Figures> {
  const { applier } = pair.follower;
  await applier.configure({ endpoint: wire.endpoint, ...config });
  wire.reset();
  await applier.start();
  await pair.follower.until(({ running, totalResyncs }) => !running || totalResyncs === 1);
  await pair.caughtUp();
  await expectEqual(pair);
  const [figures] = finished;
  expect(finished).toHaveLength(1);
  return figures!;
}

/** Looks on as readers do, until aborted: what was seen of some documents at one moment, each time it changed. */
async function watch(
  name: string,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const { core, database } = pair.follower;
  const seen: string[] = [];
  while (!signal.aborted) {
    const collection = database.byName(name);
    const now = keys.map((key) => {
      const line = collection && core.store.readLine(collection.number, key)?.line;
      return line === undefined ? '-' : (/"v":([^,}]+)/.exec(line)?.[1] ?? '?');
    });
    const text = collection ? `${now.join(' ')} of ${collection.stats.count}` : 'no collection';
    if (seen.at(-1) !== text) seen.push(text);
    await nextTurn();
  }
  return seen;
}

describe('a follower that is behind the log, with autoResync,', () => {
  test('catches up from journals that are complete: only what changed is sent', async () => {
    await loseLog(changeSome);
    const figures = await recover();
    expect(figures).toMatchObject({ caughtUp: 1, kept: 1, compared: 0 });
    expect(figures).toMatchObject({ documents: 7, removals: 3 });
    expect(wire.bytes).toBeLessThan(40_000);
  });

  test('compares by keys where removals are compacted, and fetches only what differs', async () => {
    await loseLog(async () => {
      await changeSome();
      await compact(big);
    });
    const figures = await recover();
    expect(figures).toMatchObject({ caughtUp: 0, kept: 1, compared: 1 });
    expect(figures).toMatchObject({ documents: 7, removals: 0 });
    expect(wire.bytes).toBeLessThan(80_000);
  });

  test('copies anew what is not the same collection any more, and only that', async () => {
    await loseLog(async () => {
      await pair.leader.collections.drop(pair.leader.database, big);
      big = await pair.create('big');
      await putAll(big, COUNT);
    });
    const figures = await recover();
    expect(figures).toMatchObject({ caughtUp: 0, kept: 1, compared: 0, documents: COUNT });
  });

  test('copies everything anew from a leader that was put back to an older state', async () => {
    const { follower } = pair;
    await follower.applier.stop();
    const { store } = follower.core;
    // The same, seen from here: a position in a run that the leader does not know.
    await store.commit((tx) => {
      const stored = readCheckpoint(store, follower.database.number)!;
      writeCheckpoint(tx, follower.database.number, { ...stored, incarnation: 'another' });
    });
    const figures = await recover();
    expect(figures).toMatchObject({ caughtUp: 0, kept: 0, compared: 0, documents: 2 * COUNT });
  });

  test('sends nothing of what has not changed at all', async () => {
    await loseLog(async () => {
      await pair.create('new');
      await compact(big);
      await compact(quiet);
    });
    const figures = await recover();
    expect(figures).toMatchObject({ kept: 2, compared: 0, documents: 0, removals: 0 });
    expect(wire.bytes).toBeLessThan(40_000);
  });

  test('takes over names, properties, indexes and drops', async () => {
    const { collections, database } = pair.leader;
    await loseLog(async () => {
      await collections.rename(database, big, 'bigger');
      await collections.createIndex(database, quiet, { type: 'skiplist', fields: ['old'] });
      await collections.drop(database, await pair.create('passing'));
    });
    const figures = await recover();
    expect(figures).toMatchObject({ caughtUp: 2, kept: 0, compared: 0, documents: 0 });
    expect(pair.follower.database.byName('big')).toBeUndefined();
  });

  test.each(['journal', 'keys'])(
    'shows readers the old data until all of the new is there (%s)',
    async (way) => {
      await loseLog(async () => {
        await changeSome();
        await pair.put(quiet, 'k3', '"q"');
        if (way === 'keys') for (const each of [big, quiet]) await compact(each);
      });
      const done = new AbortController();
      const watching = watch('big', ['k0', 'k7', 'k900', 'zz', 'k5'], done.signal);
      const watchingQuiet = watch('quiet', ['k3', 'k4'], done.signal);
      try {
        const figures = await recover();
        expect(figures).toMatchObject(way === 'keys' ? { compared: 2 } : { caughtUp: 2 });
      } finally {
        done.abort();
      }
      expect(await watching).toEqual([
        `0 7 900 - 5 of ${COUNT}`,
        `"new 0" - "new 3" "y" 5 of ${COUNT - 1}`,
      ]);
      expect((await watchingQuiet).length).toBe(2);
    },
  );

  test.each(['journal', 'keys'])('ends equal while the leader is written to (%s)', async (way) => {
    const { leader } = pair;
    await loseLog(async () => {
      await changeSome();
      if (way === 'keys') for (const each of [big, quiet]) await compact(each);
    });
    const done = new AbortController();
    const writing = (async () => {
      for (let n = 0; !done.signal.aborted; n++) {
        const key = `k${(n * 37) % COUNT}`;
        if (n % 5 === 0) {
          await leader.documents.remove(leader.database, big, key).catch(() => undefined);
        } else await pair.put(big, key, `w ${n}`);
        if (n % 50 === 0) await leader.collections.truncate(leader.database, quiet);
        else await pair.put(quiet, key, `w ${n}`);
      }
    })();
    const { applier } = pair.follower;
    await applier.start();
    await pair.follower.until(({ running, totalResyncs }) => !running || totalResyncs === 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    done.abort();
    await writing;
    await pair.caughtUp();
    await expectEqual(pair);
  });

  test('copies whole what turns out not to have been the leader’s', async () => {
    const { follower } = pair;
    await follower.applier.stop();
    await follower.core.documents.remove(follower.database, follower.database.get('big'), 'k44');
    await loseLog(changeSome);
    const figures = await recover();
    expect(figures).toMatchObject({ caughtUp: 1, documents: 7 + COUNT + 7 });
    expect(warnings).toContain(
      'what was here was not what the leader had; copying the collection whole',
    );
  });

  test('compares by keys when it has been told to pass over errors', async () => {
    await loseLog(changeSome);
    const figures = await recover({ ignoreErrors: 5 });
    expect(figures).toMatchObject({ caughtUp: 0, compared: 1, kept: 1, documents: 7 });
  });

  test.each(['unchanged', 'changed'])(
    'goes on when a collection that is %s is dropped after it was listed',
    async (what) => {
      const { leader } = pair;
      await loseLog(async () => {
        await changeSome();
        if (what === 'changed') await pair.put(quiet, 'k3', '"q"');
      });
      // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the client that is asked
      const { dump } = LeaderClient.prototype;
      vi.spyOn(LeaderClient.prototype, 'dump').mockImplementation(async function (
        this: LeaderClient,
        request,
        signal,
      ) {
        const isAlive = leader.database.byName('quiet') === quiet;
        if (isAlive && request.collection === quiet.cid) {
          await leader.collections.drop(leader.database, quiet);
        }
        return dump.call(this, request, signal);
      });
      const figures = await recover();
      expect(figures).toMatchObject({ documents: 7, removals: 3, kept: 0 });
      expect(pair.follower.database.byName('quiet')).toBeUndefined();
    },
  );

  test('goes on where it was when the network fails in between', async () => {
    await loseLog(async () => {
      await changeSome();
      await compact(big);
    });
    const { applier } = pair.follower;
    await applier.start();
    for (let i = 0; i < 8; i++) {
      wire.cut();
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await pair.follower.until(({ running, totalResyncs }) => !running || totalResyncs >= 1);
    await pair.caughtUp();
    await expectEqual(pair);
    expect(pair.follower.core.catalogue.hiddenOf(pair.follower.database)).toEqual([]);
  });
});

test('PUT sync with incremental fetches only what differs', async () => {
  await using leader = await LiveServer.start();
  await using follower = await LiveServer.start();
  await using counted = await openCountedWire(leader.endpoint);
  await leader.create('people');
  await loadPeople(leader, 3000);
  await follower.sync(leader);
  await leader.put('people', 'new');
  await leader.api.http.json('DELETE', '/_api/document/people/k77');
  const sync = async (incremental: boolean): Promise<number> => {
    counted.reset();
    const body = JSON.stringify({ endpoint: counted.endpoint, incremental });
    await follower.api.http.json('PUT', '/_api/replication/sync', body);
    expect(await follower.differences(leader)).toEqual([]);
    return counted.bytes;
  };
  const ofDifferences = await sync(true);
  const ofAll = await sync(false);
  expect(ofDifferences).toBeLessThan(30_000);
  expect(ofAll).toBeGreaterThan(10 * ofDifferences);
});
