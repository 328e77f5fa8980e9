import { expect, test } from 'vitest';
import { DamageGuard } from '../../../src/storage/damage-guard.ts';
import { blockKey, numberRange, primaryKey, Space } from '../../../src/storage/keys.ts';
import { RawStore, putDocument } from '../../support/raw-store.ts';

test('what touches damaged keys is refused, all else is read', async () => {
  await using raw = await RawStore.open();
  const { store } = raw;
  await store.commit((tx) => putDocument(tx, 'b'));
  await store.commit((tx) => putDocument(tx, 'y'));
  const guard = new DamageGuard({ level: store.level });
  guard.add({ from: primaryKey(1, 'a'), to: primaryKey(1, 'c'), what: 'table 7 is damaged' });
  for (const key of ['a', 'b', 'c']) {
    expect(() => store.readLine(1, key), key).toThrow(/table 7 is damaged.*ticklog check/);
  }
  expect(store.readLine(1, 'y')?.line).toContain('"key":"y"');
  expect(store.readLine(1, 'd')).toBeUndefined();
  // What is written behind it can be read, and written.
  await store.commit((tx) => putDocument(tx, 'z'));
  expect(store.readLine(1, 'z')).toBeDefined();
  await expect(
    store.commit((tx) => tx.pointer(primaryKey(1, 'b').toString('latin1'))),
  ).rejects.toMatchObject({ kind: 'storageDamaged' });
});

test('ranges are refused that hold damaged keys', async () => {
  await using raw = await RawStore.open();
  const { level } = raw.store;
  const guard = new DamageGuard({ level });
  guard.add({
    from: blockKey(Space.journal, 5, 10n),
    to: blockKey(Space.journal, 5, 20n),
    what: 'table 7 is damaged',
  });
  const { start, end } = numberRange(Space.journal, 5);
  const at = (tick: bigint): Buffer => blockKey(Space.journal, 5, tick);
  for (const range of [{ gte: start, lt: end }, { gt: at(19n) }, { lte: at(10n) }, {}]) {
    expect(() => level.iterator(range)).toThrow(/damaged/);
    expect(() => level.keys(range)).toThrow(/damaged/);
  }
  expect(await level.keys({ gt: at(21n), lt: end }).all()).toEqual([]);
  expect(await level.keys({ gte: start, lt: at(9n) }).all()).toEqual([]);
});

test('a range that is damaged can be erased all the same', async () => {
  await using raw = await RawStore.open();
  const { store } = raw;
  await store.commit((tx) => putDocument(tx, 'b'));
  const guard = new DamageGuard({ level: store.level });
  guard.add({ from: primaryKey(1, 'a'), to: primaryKey(1, 'c'), what: 'table 7 is damaged' });
  await store.commit((tx) => {
    store.eraser.erase(tx, numberRange(Space.primary, 1));
  });
  await store.eraser.stopped();
  await raw.reopen();
  expect(raw.store.readLine(1, 'b')).toBeUndefined();
});
