import { describe, expect, test, vi } from 'vitest';
import type { Tick } from '../../../src/model/tick.ts';
import { CommitGroup } from '../../../src/storage/commit-group.ts';
import { Space, metaKey, primaryKey } from '../../../src/storage/keys.ts';
import { readPage } from '../../../src/storage/page.ts';
import { decodePointer } from '../../../src/storage/pointer.ts';
import type { WriteTx } from '../../../src/storage/write-tx.ts';
import { failNextFill, holdNextWrite, watchSync } from '../../support/batch-control.ts';
import { RawStore, putDocument } from '../../support/raw-store.ts';

const KEY = metaKey('z', 1);
const OTHER = metaKey('z', 2);

function readDocument(tx: WriteTx, key: string): string {
  return tx.readLine(1, decodePointer(tx.get(primaryKey(1, key))!));
}

describe('the commit queue', () => {
  test('requests that come in together are written as one batch', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const writes = watchSync(store);
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        store.commit((tx) => {
          putDocument(tx, `k${i}`);
          return i;
        }),
      ),
    );
    expect(results).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(writes).toHaveLength(1);
    expect(store.readLine(1, 'k99')?.line).toContain('"key":"k99"');
  });

  test('requests that come while a batch is being written become the next one', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
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

  test('a batch that is spread over very many logs holds all of their lines, short ones and long ones', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    // More than one small block holds, in bytes and in entries, and one that is too long for it.
    const lengths = [[10], [10, 3000, 3000], Array.from({ length: 70 }, () => 5), [10, 20_000, 10]];
    const wanted = new Map<number, string[]>();
    const write = (tx: WriteTx, log: number, round: string): void => {
      for (const length of lengths[log % lengths.length]!) {
        const entry = { tick: tx.drawTick(), type: 2300, collection: log, transaction: 0n };
        tx.journal(log).append(entry, `"x":"${round}${'x'.repeat(length)}"}\n`);
      }
    };
    for (const round of ['a', 'b']) {
      const results = await Promise.allSettled(
        Array.from({ length: 300 }, (_, log) =>
          store.commit((tx) => {
            write(tx, log, round);
            if (log % 7 === 3) throw new Error('refused');
          }),
        ),
      );
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(43);
      for (let log = 0; log < 300; log++) {
        if (log % 7 === 3) continue;
        const lines = lengths[log % lengths.length]!.map(
          (length) => `${round}${'x'.repeat(length)}`,
        );
        wanted.set(log, [...(wanted.get(log) ?? []), ...lines]);
      }
    }
    for (let log = 0; log < 300; log++) {
      const { body } = await readPage(store.level, {
        ...{ space: Space.journal, number: log, from: 0n, to: store.lastCommitted },
        limitBytes: 10_000_000,
      });
      const lines = body.toString().split('\n').filter(Boolean);
      const texts = lines.map((text) => (JSON.parse(text) as { x: string }).x);
      expect(texts).toEqual(wanted.get(log) ?? []);
    }
  });

  test('a failing request leaves no trace, and those beside it are not affected', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
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
    await using raw = await RawStore.open();
    const { store } = raw;
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
    await using raw = await RawStore.open();
    const { store } = raw;
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
    await using raw = await RawStore.open();
    const { store } = raw;
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
    await using raw = await RawStore.open();
    const { store } = raw;
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
    await using raw = await RawStore.open();
    const { store } = raw;
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
    await using raw = await RawStore.open();
    const { store } = raw;
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
    const late = store.commit(() => void events.push('late'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual(['exclusive']);
    heldAgain.release();
    await Promise.all([alone, after, late]);
    expect(events).toEqual(['exclusive', 'after', 'late']);
  });

  test('an exclusive request that fails lets the next ones run', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
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
    await using raw = await RawStore.open();
    const { store } = raw;
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
    await using raw = await RawStore.open();
    const { store } = raw;
    const events: string[] = [];
    const write = async (name: string): Promise<void> => {
      await store.commit((tx) => tx.afterCommit(() => events.push(`effect ${name}`)));
      events.push(`answer ${name}`);
    };
    await Promise.all([write('a'), write('b')]);
    expect(events).toEqual(['effect a', 'effect b', 'answer a', 'answer b']);
  });

  test('a group ends before it holds too many bytes, and everything is written all the same', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const batches = watchSync(store);
    const text = 'x'.repeat(1024 * 1024);
    const writes = Array.from({ length: 60 }, (_, i) =>
      store.commit((tx) => {
        const tick = tx.drawTick();
        const entry = { tick, type: 2300, collection: 1, transaction: 0n };
        tx.journal(1).append(entry, `"n":${i},"text":"${text}"}\n`);
        return tick;
      }),
    );
    const ticks = await Promise.all(writes);
    expect(batches.length).toBeGreaterThan(2);
    expect(batches.length).toBeLessThan(10);
    expect([...ticks].sort((a, b) => Number(a - b))).toEqual(ticks);
    const page = await readPage(store.level, {
      space: Space.journal,
      number: 1,
      from: 0n,
      to: store.lastCommitted,
      limitBytes: 1e9,
    });
    expect(page.count).toBe(60);
  });

  /** Enough for a batch to be made of it while the one before is being written. */
  const BIG = 'x'.repeat(1024 * 1024);

  function putBig(tx: WriteTx): Tick {
    const tick = tx.drawTick();
    const entry = { tick, type: 2300, collection: 2, transaction: 0n };
    tx.journal(2).append(entry, `"text":"${BIG}"}\n`);
    return tick;
  }

  test('much is made a batch while the one before is being written, and is seen by those who come then', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const held = holdNextWrite(store);
    const first = store.commit((tx) => putDocument(tx, 'first'));
    await held.began;
    const fill = vi.spyOn(CommitGroup.prototype, 'fill');
    const big = store.commit((tx) => {
      putDocument(tx, 'beside');
      return putBig(tx);
    });
    const refused = store.commit((tx) => {
      putBig(tx);
      throw new Error('refused');
    });
    await expect(refused).rejects.toThrow('refused');
    await vi.waitFor(() => expect(fill).toHaveBeenCalledTimes(1));
    const events: string[] = [];
    const after = store.commit((tx) => {
      events.push('after runs');
      return [putDocument(tx, 'after'), readDocument(tx, 'beside')] as const;
    });
    expect(events).toEqual([]);
    void first.then(() => events.push('first is answered'));
    held.release();
    const ticks = [await first, await big];
    const [tick, line] = await after;
    expect(line).toContain('"_key":"beside"');
    expect([...ticks, tick].sort((a, b) => Number(a - b))).toEqual([...ticks, tick]);
    expect(fill).toHaveBeenCalledTimes(2);
    await raw.reopen();
    expect(raw.store.readLine(1, 'after')?.line).toContain('"_key":"after"');
    const page = await readPage(raw.store.level, {
      space: Space.journal,
      number: 2,
      from: 0n,
      to: raw.store.lastCommitted,
      limitBytes: 1e9,
    });
    expect(page.count).toBe(1);
  });

  test('what cannot be made a batch while another is written is refused, and all behind it; the other is stored', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const held = holdNextWrite(store);
    const first = store.commit((tx) => putDocument(tx, 'first'));
    await held.began;
    failNextFill();
    await expect(store.commit(putBig)).rejects.toMatchObject({ kind: 'filesystemFull' });
    await expect(store.commit((tx) => putDocument(tx, 'after'))).rejects.toMatchObject({
      kind: 'filesystemFull',
    });
    held.release();
    expect(await first).toBe(store.lastCommitted);
    expect(store.readLine(1, 'first')).toBeDefined();
    expect(store.readLine(1, 'after')).toBeUndefined();
  });
});
