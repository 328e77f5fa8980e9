import { describe, expect, test, vi } from 'vitest';
import { metaKey } from '../../../src/storage/keys.ts';
import type { Store } from '../../../src/storage/store.ts';
import { RawStore } from '../../support/raw-store.ts';

function key(n: number): Buffer {
  return metaKey('z', n);
}

async function fill(store: Store, count: number): Promise<void> {
  await store.commit((tx) => {
    for (let n = 0; n < count; n++) tx.putBlind(key(n), Buffer.from('x'));
  });
}

async function count(store: Store, kind: string): Promise<number> {
  const start = metaKey(kind);
  const end = Buffer.from(start);
  end[1] = end[1]! + 1;
  return (await store.level.keys({ gte: start, lt: end }).all()).length;
}

describe('the range eraser', () => {
  test('removes the range and its own note, and nothing beside it', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    await fill(store, 7000);
    await store.commit((tx) => store.eraser.erase(tx, { start: key(10), end: key(6990) }));
    await vi.waitFor(async () => expect(await count(store, 'e')).toBe(0), 10_000);
    expect(await count(store, 'z')).toBe(20);
    expect(store.level.getSync(key(9))).toBeDefined();
    expect(store.level.getSync(key(6990))).toBeDefined();
  });

  test('removes nothing when the change that orphaned the range fails', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    await fill(store, 10);
    await expect(
      store.commit((tx) => {
        store.eraser.erase(tx, { start: key(0), end: key(10) });
        throw new Error('refused');
      }),
    ).rejects.toThrow('refused');
    await store.commit(() => undefined);
    expect(await count(store, 'z')).toBe(10);
    expect(await count(store, 'e')).toBe(0);
  });

  test('goes on after a restart with what it had not finished', async () => {
    await using raw = await RawStore.open();
    await fill(raw.store, 30_000);
    const { store } = raw;
    await store.commit((tx) => {
      store.eraser.erase(tx, { start: key(0), end: key(10_000) });
      store.eraser.erase(tx, { start: key(20_000), end: key(30_000) });
    });
    await raw.reopen();
    const left = await count(raw.store, 'e');
    expect(left).toBeGreaterThan(0);
    // Ranges noted after the restart do not take the place of the old ones.
    await raw.store.commit((tx) =>
      raw.store.eraser.erase(tx, { start: key(15_000), end: key(15_010) }),
    );
    expect(await count(raw.store, 'e')).toBe(left + 1);
    await raw.reopen();
    await vi.waitFor(async () => expect(await count(raw.store, 'e')).toBe(0), { timeout: 5000 });
    expect(await count(raw.store, 'z')).toBe(9990);
  });

  test('writes are taken between its steps', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    await fill(store, 50_000);
    await store.commit((tx) => store.eraser.erase(tx, { start: key(0), end: key(50_000) }));
    await store.commit((tx) => tx.put(metaKey('y', 1), Buffer.from('x')));
    expect(await count(store, 'z')).toBeGreaterThan(0);
    await vi.waitFor(async () => expect(await count(store, 'z')).toBe(0), { timeout: 5000 });
  });
});
