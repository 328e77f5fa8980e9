import { describe, expect, test, vi } from 'vitest';
import { metaKey } from '../../../src/storage/keys.ts';
import { failNextWrite, holdNextWrite, watchSync } from '../../support/batch-control.ts';
import { RawStore, openStoreAt, putDocument } from '../../support/raw-store.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const KEY = metaKey('z', 1);

describe('writing batches', () => {
  test('P5: a batch is fsynced when one of its requests asks for it, and only then', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const synced = watchSync(store);
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
    await using raw = await RawStore.open({ alwaysSync: true });
    const { store } = raw;
    const synced = watchSync(store);
    await store.commit(() => undefined);
    expect(synced).toEqual([true]);
  });

  test('a batch that cannot be written rejects its requests, and the store takes no more', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
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
        kind: 'filesystemFull',
        message: expect.stringContaining('no space left on device') as string,
      });
    }
    expect(effect).not.toHaveBeenCalled();
    expect(store.failure?.kind).toBe('filesystemFull');
    await expect(store.commit((tx) => putDocument(tx, 'after'))).rejects.toBe(store.failure);
    await expect(store.drawTick().then(() => store.drawTick())).resolves.toBeGreaterThan(0n);
    expect(store.lastCommitted).toBe(inFlightTick);
    expect(inFlightTick).toBeGreaterThan(lastCommitted);
    expect(store.readLine(1, 'before')).toBeDefined();
    expect(store.readLine(1, 'lost')).toBeUndefined();
  });

  test('what was run on top of a batch that could not be written is rejected too', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const held = holdNextWrite(store, new Error('i/o error'));
    const first = store.commit((tx) => tx.put(KEY, Buffer.from('lost')));
    await held.began;
    const onTop = store.commit((tx) => tx.get(KEY)?.toString());
    held.release();
    const results = await Promise.allSettled([first, onTop]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(store.level.getSync(KEY)).toBeUndefined();
  });

  test('P5: what a stop notes as the last commit is fsynced before', async () => {
    await using dir = await makeTempDir();
    const store = await openStoreAt(dir.path);
    await store.commit((tx) => putDocument(tx, 'a'));
    const synced = watchSync(store);
    await store.close();
    expect(synced).toEqual([true]);
  });

  test('a store that could not be written can be closed, and opened again', async () => {
    await using dir = await makeTempDir();
    const store = await openStoreAt(dir.path);
    await store.commit((tx) => putDocument(tx, 'a'));
    failNextWrite(store);
    await expect(store.close()).rejects.toMatchObject({ kind: 'filesystemFull' });
    const again = await openStoreAt(dir.path);
    expect(again.readLine(1, 'a')).toBeDefined();
    await again.close();
  });

  test('closing waits for everything that was handed in', async () => {
    await using dir = await makeTempDir();
    const store = await openStoreAt(dir.path);
    const writes = Array.from({ length: 20 }, (_, i) =>
      store.commit((tx) => putDocument(tx, `k${i}`), { exclusive: i % 3 === 0 }),
    );
    await store.close();
    await Promise.all(writes);
    const again = await openStoreAt(dir.path);
    for (let i = 0; i < 20; i++) expect(again.readLine(1, `k${i}`)).toBeDefined();
    await again.close();
  });
});
