import { describe, expect, test, vi } from 'vitest';
import { closeIterator, readAll } from '../../../src/storage/close-iterator.ts';
import { metaKey } from '../../../src/storage/keys.ts';
import { RawStore } from '../../support/raw-store.ts';

describe('reading all of a range', () => {
  test('gives every entry in order, up to a limit, also more than are read at a time, and closes', async () => {
    await using raw = await RawStore.open();
    const { level } = raw.store;
    const keys = Array.from({ length: 2500 }, (_, i) => metaKey('z', i));
    await raw.store.commit((tx) => {
      for (const key of keys) tx.put(key, key);
    });
    const range = { gte: keys[0]!, lte: keys.at(-1)! };
    const iterator = level.iterator(range);
    expect(await readAll(iterator, Infinity)).toEqual(keys.map((key) => [key, key]));
    await expect(iterator.next()).rejects.toMatchObject({ code: 'LEVEL_ITERATOR_NOT_OPEN' });
    expect(await readAll(level.keys(range), 1200)).toEqual(keys.slice(0, 1200));
    expect(await readAll(level.keys({ gt: keys.at(-1)!, lt: metaKey('z', 3000) }), 5)).toEqual([]);
  });
});

describe('closing an iterator', () => {
  test('reads once more, so that the driver lets go of what it keeps, also at the end of the range', async () => {
    await using raw = await RawStore.open();
    const { level } = raw.store;
    const keys = [1, 2, 3].map((n) => metaKey('z', n));
    await raw.store.commit((tx) => {
      for (const key of keys) tx.put(key, key);
    });
    const range = { gte: keys[0]!, lte: keys[2]! };
    for (const count of [2, 3, 1000]) {
      const iterator = level.keys(range);
      const read = await iterator.nextv(count);
      const nextv = vi.spyOn(iterator, 'nextv');
      await closeIterator(iterator, read.at(-1));
      const last = (await nextv.mock.results.at(-1)!.value) as Buffer[];
      expect(last).toHaveLength(1);
    }
  });

  test('does nothing where nothing was read, or that is closed', async () => {
    await using raw = await RawStore.open();
    const iterator = raw.store.level.keys({});
    await closeIterator(iterator, undefined);
    await closeIterator(iterator, metaKey('z'));
  });
});
