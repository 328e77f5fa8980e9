import { describe, expect, test } from 'vitest';
import { closeIterator, readAll } from '../../../src/storage/close-iterator.ts';
import { metaKey } from '../../../src/storage/keys.ts';
import { RawStore } from '../../support/raw-store.ts';

describe('reading all of a range', () => {
  test('gives every entry in order, also of more than is read at a time, and closes the iterator', async () => {
    await using raw = await RawStore.open();
    const keys = Array.from({ length: 2500 }, (_, i) => metaKey('z', i));
    await raw.store.commit((tx) => {
      for (const key of keys) tx.put(key, key);
    });
    const range = { gte: keys[0]!, lte: keys.at(-1)! };
    const iterator = raw.store.level.iterator(range);
    expect(await readAll(iterator)).toEqual(keys.map((key) => [key, key]));
    await expect(iterator.next()).rejects.toMatchObject({ code: 'LEVEL_ITERATOR_NOT_OPEN' });
    expect(await readAll(raw.store.level.keys({ ...range, limit: 1200 }))).toEqual(
      keys.slice(0, 1200),
    );
  });

  test('closing what is closed does nothing', async () => {
    await using raw = await RawStore.open();
    const iterator = raw.store.level.keys({});
    await closeIterator(iterator);
    await closeIterator(iterator);
  });
});
