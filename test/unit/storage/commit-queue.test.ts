import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Tick } from '../../../src/model/tick.ts';
import { Space, metaKey, primaryKey } from '../../../src/storage/keys.ts';
import { readPage } from '../../../src/storage/page.ts';
import { decodePointer, encodePointer } from '../../../src/storage/pointer.ts';
import { Store } from '../../../src/storage/store.ts';
import type { WriteTx } from '../../../src/storage/write-tx.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { type TempDir, makeTempDir } from '../../support/temp-dir.ts';

class TestStore implements AsyncDisposable {
  readonly store: Store;
  readonly #dir: TempDir;

  constructor(store: Store, dir: TempDir) {
    this.store = store;
    this.#dir = dir;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await this.#dir[Symbol.asyncDispose]();
  }
}

async function openStore(alwaysSync = false): Promise<TestStore> {
  const dir = await makeTempDir();
  const deps = { clock: new ManualClock(), logger: silentLogger };
  const directory = join(dir.path, 'data');
  return new TestStore(await Store.open(deps, { directory, alwaysSync }), dir);
}

const KEY = metaKey('z', 1);
const OTHER = metaKey('z', 2);

/** Puts a document into the journal of collection 1, as a document write does. */
function putDocument(tx: WriteTx, key: string): Tick {
  const tick = tx.drawTick();
  const pointer = encodePointer(tick, tick.toString());
  tx.put(primaryKey(1, key), pointer);
  const entry = { tick, type: 2300, collection: 1, transaction: 0n };
  tx.journal(1).append(
    entry,
    `"type":2300,"key":"${key}","rev":"${tick}","data":{"_key":"${key}"}}\n`,
    pointer,
  );
  return tick;
}

function readDocument(tx: WriteTx, key: string): string {
  return tx.readLine(1, decodePointer(tx.get(primaryKey(1, key))!));
}

/** Resolves when the batch begun by now is about to be written, and holds it until `release`. */
function holdNextWrite(store: Store): { began: Promise<void>; release: () => void } {
  const { level } = store;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const original = level.batch.bind(level) as () => ReturnType<typeof level.batch>;
  let begin = (): void => undefined;
  const began = new Promise<void>((resolve) => (begin = resolve));
  vi.spyOn(level, 'batch').mockImplementationOnce((() => {
    const batch = original() as unknown as { write(options: object): Promise<void> };
    const write = batch.write.bind(batch);
    batch.write = async (options) => {
      begin();
      await released;
      await write(options);
    };
    return batch;
  }) as never);
  return { began, release };
}

function failNextWrite(store: Store): void {
  vi.spyOn(store.level, 'batch').mockImplementationOnce(() => {
    throw new Error('no space left on device');
  });
}

describe('the commit queue', () => {
  test('requests that come in together are written as one batch', async () => {
    await using test = await openStore();
    const { store } = test;
    const batch = vi.spyOn(store.level, 'batch');
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        store.commit((tx) => {
          putDocument(tx, `k${i}`);
          return i;
        }),
      ),
    );
    expect(results).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(batch).toHaveBeenCalledTimes(1);
    expect(store.readLine(1, 'k99')?.line).toContain('"key":"k99"');
  });

  test('requests that come while a batch is being written become the next one', async () => {
    await using test = await openStore();
    const { store } = test;
    const held = holdNextWrite(store);
    const first = store.commit((tx) => putDocument(tx, 'a'));
    await held.began;
    const more = Array.from({ length: 50 }, (_, i) =>
      store.commit((tx) => putDocument(tx, `b${i}`)),
    );
    held.release();
    const ticks = await Promise.all([first, ...more]);
    expect([...ticks].sort((a, b) => Number(a - b))).toEqual(ticks);
    expect(store.lastCommitted).toBe(ticks.at(-1));
  });

  test('a failing request leaves no trace, and those beside it are not affected', async () => {
    await using test = await openStore();
    const { store } = test;
    const results = await Promise.allSettled([
      store.commit((tx) => {
        tx.put(KEY, Buffer.from('good'));
        putDocument(tx, 'good');
      }),
      store.commit((tx) => {
        tx.put(KEY, Buffer.from('bad'));
        tx.del(OTHER);
        tx.putBlind(metaKey('z', 3), Buffer.from('bad'));
        putDocument(tx, 'bad');
        tx.changelog(9).append(
          { tick: tx.drawTick(), type: 2300, collection: 0, transaction: 0n },
          '"bad":1}\n',
        );
        tx.afterCommit(() => {
          throw new Error('effect of a failed request');
        });
        throw new Error('refused');
      }),
      store.commit((tx) => {
        expect(tx.get(KEY)?.toString()).toBe('good');
        expect(tx.get(primaryKey(1, 'bad'))).toBeUndefined();
        tx.put(OTHER, Buffer.from('good'));
        putDocument(tx, 'later');
      }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(store.level.getSync(KEY)?.toString()).toBe('good');
    expect(store.level.getSync(OTHER)?.toString()).toBe('good');
    expect(store.level.getSync(metaKey('z', 3))).toBeUndefined();
    expect(store.readLine(1, 'bad')).toBeUndefined();
    const range = { from: 0n, to: 1n << 62n, limitBytes: 1e6 };
    const journal = await readPage(store.level, { ...range, space: Space.journal, number: 1 });
    expect(journal.count).toBe(2);
    expect(journal.body.toString()).not.toContain('bad');
    const log = await readPage(store.level, { ...range, space: Space.changelog, number: 9 });
    expect(log.count).toBe(0);
  });

  test('a request that fails alone rejects with its own error, and the next one is written', async () => {
    await using test = await openStore();
    const { store } = test;
    const refusal = new Error('refused');
    await expect(
      store.commit(() => {
        throw refusal;
      }),
    ).rejects.toBe(refusal);
    await store.commit((tx) => tx.put(KEY, Buffer.from('x')));
    expect(store.level.getSync(KEY)?.toString()).toBe('x');
  });

  test('an overwritten value comes back when the request that overwrote it fails', async () => {
    await using test = await openStore();
    const { store } = test;
    await store.commit((tx) => tx.put(KEY, Buffer.from('stored')));
    const seen: (string | undefined)[] = [];
    const look = (tx: WriteTx): void => void seen.push(tx.get(KEY)?.toString());
    await Promise.allSettled([
      store.commit((tx) => {
        tx.del(KEY);
        look(tx);
        throw new Error('refused');
      }),
      store.commit(look),
      store.commit((tx) => tx.del(KEY)),
      store.commit((tx) => {
        tx.put(KEY, Buffer.from('new'));
        look(tx);
        throw new Error('refused');
      }),
      store.commit(look),
    ]);
    expect(seen).toEqual([undefined, 'stored', 'new', undefined]);
    expect(store.level.getSync(KEY)).toBeUndefined();
  });

  test('a request reads documents of its own group and of the group being written', async () => {
    await using test = await openStore();
    const { store } = test;
    await store.commit((tx) => putDocument(tx, 'stored'));
    const held = holdNextWrite(store);
    const inFlight = store.commit((tx) => putDocument(tx, 'inFlight'));
    await held.began;
    const own = store.commit((tx) => putDocument(tx, 'own'));
    const read = store.commit((tx) =>
      ['stored', 'inFlight', 'own'].map((key) => readDocument(tx, key)),
    );
    held.release();
    await Promise.all([inFlight, own]);
    const lines = await read;
    expect(lines.map((line) => /"_key":"(\w+)"/.exec(line)?.[1])).toEqual([
      'stored',
      'inFlight',
      'own',
    ]);
    // Once they are stored, the same lines are found by way of their blocks.
    const stored = await store.commit((tx) =>
      ['stored', 'inFlight', 'own'].map((key) => readDocument(tx, key)),
    );
    expect(stored).toEqual(lines);
  });

  test('a removal in the group being written hides what is stored', async () => {
    await using test = await openStore();
    const { store } = test;
    await store.commit((tx) => putDocument(tx, 'a'));
    const held = holdNextWrite(store);
    const removal = store.commit((tx) => tx.del(primaryKey(1, 'a')));
    await held.began;
    const seen = store.commit((tx) => tx.get(primaryKey(1, 'a')));
    held.release();
    await removal;
    expect(await seen).toBeUndefined();
  });

  test('an exclusive request runs alone, after everything before and before everything after it', async () => {
    await using test = await openStore();
    const { store } = test;
    const events: string[] = [];
    const note = (name: string, exclusive = false): Promise<void> =>
      store.commit(
        (tx) => {
          events.push(`run ${name}`);
          tx.put(KEY, Buffer.from(name));
          tx.afterCommit(() => {
            expect(store.level.getSync(KEY)?.toString()).toBe(name);
            events.push(`effect ${name}`);
          });
        },
        { exclusive },
      );
    await Promise.all([note('a'), note('b', true), note('c', true), note('d')]);
    expect(events).toEqual(
      ['a', 'b', 'c', 'd'].flatMap((name) => [`run ${name}`, `effect ${name}`]),
    );
  });

  test('an exclusive request waits for a batch in flight, and ordinary ones for the exclusive batch', async () => {
    await using test = await openStore();
    const { store } = test;
    const events: string[] = [];
    const held = holdNextWrite(store);
    const first = store.commit((tx) => putDocument(tx, 'a'));
    await held.began;
    const alone = store.commit(() => void events.push('exclusive'), { exclusive: true });
    const after = store.commit(() => void events.push('after'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual([]);
    held.release();
    await first;
    const heldAgain = holdNextWrite(store);
    await heldAgain.began;
    expect(events).toEqual(['exclusive']);
    heldAgain.release();
    await Promise.all([alone, after]);
    expect(events).toEqual(['exclusive', 'after']);
  });

  test('an exclusive request that fails lets the next ones run', async () => {
    await using test = await openStore();
    const { store } = test;
    const results = await Promise.allSettled([
      store.commit(
        () => {
          throw new Error('refused');
        },
        { exclusive: true },
      ),
      store.commit(() => 'exclusive', { exclusive: true }),
      store.commit(() => 'ordinary'),
    ]);
    expect(results.map((each) => (each.status === 'fulfilled' ? each.value : 'rejected'))).toEqual([
      'rejected',
      'exclusive',
      'ordinary',
    ]);
  });

  test('P2: ticks rise in the order of commits, and lastCommitted never passes what is stored', async () => {
    await using test = await openStore();
    const { store } = test;
    const ticks: Tick[] = [];
    const writes = Array.from({ length: 500 }, async (_, i) => {
      const tick = await store.commit((tx) => putDocument(tx, `k${i}`));
      expect(store.lastCommitted).toBeGreaterThanOrEqual(tick);
      expect(store.readLine(1, `k${i}`)).toBeDefined();
      ticks.push(tick);
      if (i % 7 === 0) await store.drawTick();
    });
    await Promise.all(writes);
    expect([...ticks].sort((a, b) => Number(a - b))).toEqual(ticks);
    expect(new Set(ticks).size).toBe(500);
  });

  test('effects run before the requests are answered, and those of one group in its order', async () => {
    await using test = await openStore();
    const { store } = test;
    const events: string[] = [];
    const write = async (name: string): Promise<void> => {
      await store.commit((tx) => tx.afterCommit(() => events.push(`effect ${name}`)));
      events.push(`answer ${name}`);
    };
    await Promise.all([write('a'), write('b')]);
    expect(events).toEqual(['effect a', 'effect b', 'answer a', 'answer b']);
  });

  test('P5: a batch is fsynced when one of its requests asks for it, and only then', async () => {
    await using test = await openStore();
    const { store } = test;
    const synced: unknown[] = [];
    const original = store.level.batch.bind(store.level) as () => object;
    vi.spyOn(store.level, 'batch').mockImplementation((() => {
      const batch = original() as { write(options: { sync: boolean }): Promise<void> };
      const write = batch.write.bind(batch);
      batch.write = (options) => {
        synced.push(options.sync);
        return write(options);
      };
      return batch;
    }) as never);
    await store.commit(() => undefined);
    await Promise.all([
      store.commit(() => undefined),
      store.commit(() => undefined, { sync: true }),
    ]);
    await store.commit(() => undefined);
    // A refused request asks for nothing.
    await Promise.allSettled([
      store.commit(() => undefined),
      store.commit(
        () => {
          throw new Error('refused');
        },
        { sync: true },
      ),
    ]);
    expect(synced).toEqual([false, true, false, false]);
    // A raised tick ceiling must survive a power cut.
    await store.commit((tx) => tx.observeTick(tx.drawTick() + (1n << 20n)));
    expect(synced.at(-1)).toBe(true);
  });

  test('P5: with `always`, every batch is fsynced', async () => {
    await using test = await openStore(true);
    const { store } = test;
    const original = store.level.batch.bind(store.level) as () => object;
    const synced: unknown[] = [];
    vi.spyOn(store.level, 'batch').mockImplementation((() => {
      const batch = original() as { write(options: { sync: boolean }): Promise<void> };
      const write = batch.write.bind(batch);
      batch.write = (options) => {
        synced.push(options.sync);
        return write(options);
      };
      return batch;
    }) as never);
    await store.commit(() => undefined);
    expect(synced).toEqual([true]);
  });

  test('a batch that cannot be written rejects its requests, and the store takes no more', async () => {
    await using test = await openStore();
    const { store } = test;
    await store.commit((tx) => putDocument(tx, 'before'));
    const { lastCommitted } = store;
    const held = holdNextWrite(store);
    const inFlight = store.commit((tx) => putDocument(tx, 'inFlight'));
    await held.began;
    failNextWrite(store);
    const effect = vi.fn();
    const lost = store.commit((tx) => {
      tx.afterCommit(effect);
      return putDocument(tx, 'lost');
    });
    const waiting = store.commit(() => undefined, { exclusive: true });
    held.release();
    const inFlightTick = await inFlight;
    for (const each of [lost, waiting]) {
      await expect(each).rejects.toMatchObject({
        kind: 'storageFailed',
        message: expect.stringContaining('no space left on device') as string,
      });
    }
    expect(effect).not.toHaveBeenCalled();
    expect(store.failure?.kind).toBe('storageFailed');
    await expect(store.commit((tx) => putDocument(tx, 'after'))).rejects.toBe(store.failure);
    await expect(store.drawTick().then(() => store.drawTick())).resolves.toBeGreaterThan(0n);
    expect(store.lastCommitted).toBe(inFlightTick);
    expect(inFlightTick).toBeGreaterThan(lastCommitted);
    expect(store.readLine(1, 'before')).toBeDefined();
    expect(store.readLine(1, 'lost')).toBeUndefined();
  });

  test('what was run on top of a batch that could not be written is rejected too', async () => {
    await using test = await openStore();
    const { store } = test;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let begin = (): void => undefined;
    const began = new Promise<void>((resolve) => (begin = resolve));
    const original = store.level.batch.bind(store.level) as () => object;
    vi.spyOn(store.level, 'batch').mockImplementationOnce((() => {
      const batch = original() as { write(): Promise<void> };
      batch.write = async () => {
        begin();
        await released;
        throw new Error('i/o error');
      };
      return batch;
    }) as never);
    const first = store.commit((tx) => tx.put(KEY, Buffer.from('lost')));
    await began;
    const onTop = store.commit((tx) => tx.get(KEY)?.toString());
    release();
    const results = await Promise.allSettled([first, onTop]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(store.level.getSync(KEY)).toBeUndefined();
  });

  test('a group ends before it holds too many bytes, and everything is written all the same', async () => {
    await using test = await openStore();
    const { store } = test;
    const batch = vi.spyOn(store.level, 'batch');
    const text = 'x'.repeat(1024 * 1024);
    const writes = Array.from({ length: 40 }, (_, i) =>
      store.commit((tx) => {
        const tick = tx.drawTick();
        const entry = { tick, type: 2300, collection: 1, transaction: 0n };
        tx.journal(1).append(entry, `"n":${i},"text":"${text}"}\n`);
        return tick;
      }),
    );
    const ticks = await Promise.all(writes);
    expect(batch.mock.calls.length).toBeGreaterThan(2);
    expect(batch.mock.calls.length).toBeLessThan(10);
    expect([...ticks].sort((a, b) => Number(a - b))).toEqual(ticks);
    const page = await readPage(store.level, {
      space: Space.journal,
      number: 1,
      from: 0n,
      to: store.lastCommitted,
      limitBytes: 1e9,
    });
    expect(page.count).toBe(40);
  });

  test('closing waits for everything that was handed in', async () => {
    const dir = await makeTempDir();
    await using _dir = dir;
    const deps = { clock: new ManualClock(), logger: silentLogger };
    const store = await Store.open(deps, { directory: dir.path });
    const writes = Array.from({ length: 20 }, (_, i) =>
      store.commit((tx) => putDocument(tx, `k${i}`), { exclusive: i % 3 === 0 }),
    );
    await store.close();
    await Promise.all(writes);
    const again = await Store.open(deps, { directory: dir.path });
    for (let i = 0; i < 20; i++) expect(again.readLine(1, `k${i}`)).toBeDefined();
    await again.close();
  });
});
