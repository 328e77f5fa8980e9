import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CommitChain } from '../../../src/storage/commit-chain.ts';
import { noteLastCommit } from '../../../src/storage/last-commit.ts';
import { Space, blockKey, commitKey, metaKey, primaryKey } from '../../../src/storage/keys.ts';
import { pointerTick } from '../../../src/storage/pointer.ts';
import { encodeRecord } from '../../../src/storage/record.ts';
import type { ServerRecord } from '../../../src/storage/server-record.ts';
import type { Store } from '../../../src/storage/store.ts';
import { RawStore, openStoreAt, putDocument } from '../../support/raw-store.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

/** A copy of the closed store's directory, changed before it is opened. */
async function openChanged(
  raw: RawStore,
  change: (store: Store) => Promise<void>,
  directory: string,
): Promise<Store> {
  await cp(raw.directory, directory, { recursive: true });
  await rm(join(directory, 'last-commit'));
  const store = await openStoreAt(directory);
  await change(store);
  await store.close();
  return openStoreAt(directory);
}

describe('opening a data directory', () => {
  test('a new one gets an id that stays, and an incarnation for each start', async () => {
    await using raw = await RawStore.open();
    const first = raw.store.server;
    expect(first.serverId).toMatch(/^[1-9][0-9]*$/);
    const tick = await raw.store.commit((tx) => putDocument(tx, 'a'));
    await raw.reopen();
    const second = raw.store.server;
    expect(second.serverId).toBe(first.serverId);
    expect(second.incarnations).toHaveLength(2);
    expect(second.incarnations[0]).toEqual(first.incarnations[0]);
    expect(raw.store.incarnation.id).not.toBe(first.incarnations[0]!.id);
    expect(raw.store.incarnation.foundTick).toBe(tick);
    expect(raw.store.incarnation.firstTick).toBeGreaterThan(tick);
  });

  test('a copied one gets another id when asked, and nobody takes it for the old server', async () => {
    await using raw = await RawStore.open();
    const { serverId, incarnations } = raw.store.server;
    await raw.store.commit((tx) => putDocument(tx, 'a'));
    await raw.store.close();
    const copy = await openStoreAt(raw.directory, { newServerId: true });
    expect(copy.server.serverId).not.toBe(serverId);
    expect(copy.server.incarnations).toHaveLength(1);
    expect(copy.incarnation.id).not.toBe(incarnations[0]!.id);
    expect(copy.readLine(1, 'a')).toBeDefined();
    await copy.close();
  });

  test('one that another server has open is refused, and is not harmed', async () => {
    await using raw = await RawStore.open();
    await expect(openStoreAt(raw.directory)).rejects.toMatchObject({
      kind: 'storeLocked',
      message: expect.stringMatching(/another server.*stop it/) as string,
    });
    await raw.store.commit((tx) => putDocument(tx, 'a'));
    expect(raw.store.readLine(1, 'a')).toBeDefined();
  });

  test('one of an unknown format is refused before anything in it is looked at', async () => {
    await using raw = await RawStore.open();
    const key = metaKey('g');
    const record: ServerRecord = { ...raw.store.server, format: 99 };
    await raw.store.commit((tx) => {
      tx.put(key, encodeRecord(key, record));
      tx.del(commitKey(1));
    });
    await raw.store.close();
    await expect(openStoreAt(raw.directory)).rejects.toMatchObject({
      kind: 'unknownFormat',
      message: expect.stringContaining('99') as string,
    });
  });

  test('a missing commit in the middle is refused with what to do', async () => {
    await using raw = await RawStore.open();
    for (let i = 0; i < 20; i++) await raw.store.commit((tx) => putDocument(tx, `k${i}`));
    await raw.store.close();
    for (const sequence of [1, 2, 10, 19, 20]) {
      await using dir = await makeTempDir();
      const target = join(dir.path, 'copy');
      await expect(
        openChanged(raw, (store) => store.level.del(commitKey(sequence)), target),
        `commit ${sequence}`,
      ).rejects.toMatchObject({
        kind: 'storageDamaged',
        message: expect.stringMatching(/missing.*backup.*another server/) as string,
      });
    }
  });

  test('a store that ends before its noted last commit is refused', async () => {
    await using raw = await RawStore.open();
    await raw.store.commit((tx) => putDocument(tx, 'a'));
    await using dir = await makeTempDir();
    const old = join(dir.path, 'old');
    await raw.reopen();
    await raw.store.close();
    await cp(raw.directory, old, { recursive: true });
    const store = await openStoreAt(raw.directory);
    for (let i = 0; i < 5; i++) await store.commit((tx) => putDocument(tx, `b${i}`));
    await store.close();
    await cp(join(raw.directory, 'last-commit'), join(old, 'last-commit'));
    await expect(openStoreAt(old)).rejects.toThrow(/commits up to \d+ are missing/);
  });

  test('a last-commit file that is not readable is refused, and none at all is not', async () => {
    await using raw = await RawStore.open();
    await raw.store.close();
    const path = join(raw.directory, 'last-commit');
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ sequence: 2 });
    for (const text of ['', '{', 'null', '{"sequence":"1"}']) {
      await writeFile(path, text);
      await expect(openStoreAt(raw.directory), text).rejects.toMatchObject({
        kind: 'storageDamaged',
      });
    }
    await rm(path);
    await raw.reopen();
  });

  test('one whose first start was killed before its first commit is a new one', async () => {
    await using dir = await makeTempDir();
    await noteLastCommit(dir.path, new CommitChain({ writeBufferBytes: 0 }));
    const store = await openStoreAt(dir.path);
    expect(store.server.incarnations).toHaveLength(1);
    await store.close();
  });

  test('what an open server has noted survives its death: an emptied store is not taken for a new one', async () => {
    await using raw = await RawStore.open();
    await using dir = await makeTempDir();
    const copy = join(dir.path, 'copy');
    // As after a kill: the last-commit file of the start is there, the log is lost.
    await cp(raw.directory, copy, { recursive: true });
    await rm(join(copy, 'store'), { recursive: true });
    await expect(openStoreAt(copy)).rejects.toThrow(/missing/);
  });
});

describe('reading a document', () => {
  test('finds its line, whatever its revision looks like', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    await store.commit((tx) => putDocument(tx, 'a'));
    await store.commit((tx) => putDocument(tx, 'b', '_aB--'));
    expect(store.readLine(1, 'a')?.pointer.rev).toBe(store.pointer(1, 'a')?.tick.toString());
    expect(store.readLine(1, 'b')?.pointer.rev).toBe('_aB--');
    expect(store.readLine(1, 'b')?.line).toContain('"data":{"_key":"b"}');
    expect(store.readLine(1, 'c')).toBeUndefined();
    expect(store.readLine(2, 'a')).toBeUndefined();
  });

  test('a damaged pointer never leads to another document', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    await store.commit((tx) => {
      for (let i = 0; i < 64; i++) putDocument(tx, `k${i}`, i % 2 === 0 ? undefined : `_r${i}`);
    });
    for (const name of ['k20', 'k21']) {
      const key = primaryKey(1, name);
      const good = store.level.getSync(key)!;
      const expected = store.readLine(1, name);
      for (let bit = 0; bit < good.length * 8; bit++) {
        const bad = Buffer.from(good);
        bad[bit >> 3] = bad[bit >> 3]! ^ (1 << (bit & 7));
        await store.level.put(key, bad);
        let read: unknown;
        try {
          read = store.readLine(1, name);
        } catch (error) {
          expect(error).toMatchObject({ kind: 'storageDamaged' });
          continue;
        }
        // Unused bits of the flags may flip without a harm.
        expect(read, `bit ${bit}`).toEqual(expected);
      }
      await store.level.put(key, good);
    }
  });

  test('a pointer found under the key of another document is damage', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    await store.commit((tx) => putDocument(tx, 'a'));
    await store.level.put(primaryKey(1, 'b'), store.level.getSync(primaryKey(1, 'a'))!);
    expect(() => store.readLine(1, 'b')).toThrow(
      expect.objectContaining({ kind: 'storageDamaged' }) as Error,
    );
  });

  test('a missing block is damage, not a missing document', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const tick = await store.commit((tx) => putDocument(tx, 'a'));
    await store.level.del(blockKey(Space.journal, 1, tick));
    expect(() => store.readLine(1, 'a')).toThrow(
      expect.objectContaining({ kind: 'storageDamaged' }) as Error,
    );
    expect(pointerTick(store.level.getSync(primaryKey(1, 'a'))!)).toBe(tick);
  });
});

describe('a meta record', () => {
  test('a flipped bit, or a place under another key, is damage', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const key = metaKey('z', 1);
    const value = encodeRecord(key, { name: 'x', tick: 1n << 62n, small: 5n });
    await store.commit((tx) => tx.put(key, value));
    expect(store.record(key)).toEqual({ name: 'x', tick: 1n << 62n, small: 5n });
    await store.level.put(metaKey('z', 2), value);
    expect(() => store.record(metaKey('z', 2))).toThrow(/checksum/);
    await expect(store.records('z')).rejects.toThrow(/checksum/);
    for (let bit = 0; bit < value.length * 8; bit++) {
      const bad = Buffer.from(value);
      bad[bit >> 3] = bad[bit >> 3]! ^ (1 << (bit & 7));
      await store.level.put(key, bad);
      expect(() => store.record(key)).toThrow(/checksum/);
    }
  });
});
