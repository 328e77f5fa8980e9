import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { collectGarbage } from '../../../src/base/collect-garbage.ts';
import type { Level } from '../../../src/storage/commit-group.ts';
import { metaKey } from '../../../src/storage/keys.ts';
import { Scratch } from '../../../src/storage/scratch.ts';
import { StoreBatch } from '../../../src/storage/store-batch.ts';
import type { Store } from '../../../src/storage/store.ts';
import { holdNextWrite } from '../../support/batch-control.ts';
import { RawStore } from '../../support/raw-store.ts';

const A = metaKey('z', 1);
const B = metaKey('z', 2);
const VALUE = Buffer.from('value');

interface Closable {
  close: () => Promise<void>;
}

function batchFor(raw: RawStore): StoreBatch {
  return new StoreBatch(raw.store.level, { keys: new Scratch(), values: new Scratch() });
}

describe('a batch of the store', () => {
  test('that is used again writes nothing of what was in it before', async () => {
    await using raw = await RawStore.open();
    const { level } = raw.store;
    const batch = batchFor(raw);
    batch.put(A, VALUE);
    await batch.write({ sync: false });
    expect(level.getSync(A)).toEqual(VALUE);
    await level.del(A);
    batch.put(B, VALUE);
    await batch.write({ sync: true });
    expect(level.getSync(A)).toBeUndefined();
    expect(level.getSync(B)).toEqual(VALUE);
    batch.del(B);
    await batch.write({ sync: false });
    expect(level.getSync(B)).toBeUndefined();
  });

  test('copies what is put, so that buffers can be used again at once', async () => {
    await using raw = await RawStore.open();
    const batch = batchFor(raw);
    const key = Buffer.from(A);
    const value = Buffer.from(VALUE);
    batch.put(key, value);
    key.fill(0);
    value.fill(0);
    await batch.write({ sync: false });
    expect(raw.store.level.getSync(A)).toEqual(VALUE);
  });

  test('tells what is in it now, and what was most', async () => {
    await using raw = await RawStore.open();
    const batch = batchFor(raw);
    batch.put(A, VALUE);
    batch.del(B);
    const bytes = A.length + VALUE.length + B.length;
    expect(batch).toMatchObject({ bytes, mostBytes: bytes });
    await batch.write({ sync: false });
    expect(batch).toMatchObject({ bytes: 0, mostBytes: bytes });
    batch.put(A, Buffer.alloc(100));
    expect(batch.mostBytes).toBe(A.length + 100);
  });

  test('is refused once the store is closed', async () => {
    const raw = await RawStore.open();
    const batch = batchFor(raw);
    batch.put(A, VALUE);
    await raw[Symbol.asyncDispose]();
    await expect(batch.write({ sync: false })).rejects.toMatchObject({
      code: 'LEVEL_DATABASE_NOT_OPEN',
    });
    expect(() => batchFor(raw)).toThrow('not open');
  });

  test('that is in the store is written, also when the store began to close meanwhile', async () => {
    await using raw = await RawStore.open();
    const { level } = raw.store;
    const batch = batchFor(raw);
    batch.put(A, VALUE);
    const written = batch.write({ sync: false });
    const closed = level.close();
    await expect(written).resolves.toBeUndefined();
    await closed;
    await level.open();
    expect(level.getSync(A)).toEqual(VALUE);
  });

  test('that could not be written is closed, so that the store does not hold on to it', async () => {
    await using raw = await RawStore.open();
    const made = vi.spyOn(raw.store.level, 'batch');
    const batch = batchFor(raw);
    const driver = made.mock.results[0]!.value as { _write: () => Promise<void> } & Closable;
    vi.spyOn(driver, '_write').mockRejectedValue(new Error('no space left on device'));
    const close = vi.spyOn(driver, 'close');
    batch.put(A, VALUE);
    await expect(batch.write({ sync: false })).rejects.toThrow('no space left');
    expect(close).toHaveBeenCalledOnce();
    expect(raw.store.level.getSync(A)).toBeUndefined();
  });

  test('is made once or twice for any number of commits, and for each one of many MiB', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const made = vi.spyOn(store.level, 'batch');
    for (let i = 0; i < 20; i++) await store.commit((tx) => tx.put(A, VALUE));
    const before = made.mock.calls.length;
    expect(before).toBeLessThanOrEqual(2);
    for (let i = 0; i < 5; i++) {
      await store.commit((tx) => tx.put(B, Buffer.alloc(9 * 1024 * 1024, i)));
    }
    expect(made.mock.calls.length).toBeGreaterThanOrEqual(before + 3);
    expect(store.level.getSync(B)?.at(-1)).toBe(4);
  });

  test('that is kept is free before a large one is written', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    // After a large one none is kept.
    await commitLines(store, 2000);
    const made = refsOfBatches(store.level);
    const first = holdNextWrite(store);
    const both = [commitLines(store, 100)];
    await first.began;
    both.push(commitLines(store, 100));
    // The second one is made while the first is being written.
    await vi.waitFor(() => {
      expect(made.length).toBeGreaterThanOrEqual(2);
    });
    first.release();
    await Promise.all(both);
    const before = [...made];
    const large = holdNextWrite(store);
    const written = commitLines(store, 2000);
    await large.began;
    await nextTurn();
    collectGarbage();
    expect(before.map((ref) => ref.deref() === undefined)).toEqual(before.map(() => true));
    large.release();
    await written;
  });
});

/** Of all batches of the driver made from now on. */
function refsOfBatches(level: Level): WeakRef<object>[] {
  const refs: WeakRef<object>[] = [];
  const make = level.batch.bind(level) as () => object;
  const batch = (): object => {
    const made = make();
    refs.push(new WeakRef(made));
    return made;
  };
  Object.assign(level, { batch });
  return refs;
}

/** A commit of lines of 16 KiB. */
function commitLines(store: Store, count: number): Promise<void> {
  const text = 'x'.repeat(16 * 1024);
  return store.commit((tx) => {
    for (let i = 0; i < count; i++) {
      const entry = { tick: tx.drawTick(), type: 2300, collection: 1, transaction: 0n };
      tx.journal(1).append(entry, `"text":"${text}"}\n`);
    }
  });
}
