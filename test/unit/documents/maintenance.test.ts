import { describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Collection } from '../../../src/documents/collection.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { Maintenance } from '../../../src/documents/maintenance.ts';
import type { Tick } from '../../../src/model/tick.ts';
import { Space, numberRange } from '../../../src/storage/keys.ts';
import { replay } from '../../support/journal-model.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { TestCore } from '../../support/store.ts';
import { verifyCore } from '../../support/verify-core.ts';
import { watchSync } from '../../support/batch-control.ts';

interface Opened extends AsyncDisposable {
  readonly core: TestCore;
  readonly c: Collection;
  readonly clock: ManualClock;
  readonly maintenance: Maintenance;
  horizon: Tick | undefined;
}

async function open(): Promise<Opened> {
  const clock = new ManualClock();
  const core = await TestCore.open({ clock });
  await startLogger(core.store, core.system);
  const c = await core.collections.create(core.system, { name: 'c' });
  const maintenance = new Maintenance(
    { store: core.store, catalogue: core.catalogue, clock, logger: silentLogger },
    { intervalMs: 1, removalAgeMs: 1000, horizon: () => opened.horizon },
  );
  const opened: Opened = {
    core,
    c,
    clock,
    maintenance,
    horizon: undefined,
    [Symbol.asyncDispose]: async () => {
      await maintenance.stop();
      await core[Symbol.asyncDispose]();
    },
  };
  return opened;
}

async function write({ core, c }: Opened, count: number, keys: number): Promise<void> {
  for (let start = 0; start < count; start += 16) {
    await Promise.all(
      Array.from({ length: Math.min(16, count - start) }, (_, i) =>
        core.documents.insert(
          core.system,
          c,
          `{"_key":"k${(start + i) % keys}","n":${start + i},"pad":"${'x'.repeat(100)}"}`,
          { overwriteMode: 'replace' },
        ),
      ),
    );
  }
}

async function remove({ core, c }: Opened, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await core.documents.remove(core.system, c, `k${i}`);
}

function blockCount(core: TestCore, collection: Collection): Promise<number> {
  const { start, end } = numberRange(Space.journal, collection.number);
  return core.store.level
    .keys({ gte: start, lt: end })
    .all()
    .then((keys) => keys.length);
}

describe('a round of maintenance', () => {
  test('merges the small blocks of single writes, and changes no entry', async () => {
    await using opened = await open();
    const { core, c, maintenance } = opened;
    await write(opened, 1600, 1600);
    const before = new Map<string, string>();
    const figures = await replay(core.store, c, before);
    expect(await blockCount(core, c)).toBeGreaterThanOrEqual(100);
    await maintenance.round();
    expect(await blockCount(core, c)).toBeLessThan(20);
    const after = new Map<string, string>();
    expect(await replay(core.store, c, after)).toEqual(figures);
    expect(after).toEqual(before);
    expect(c.stats).toMatchObject({ newBlocks: 0, count: 1600, entries: 1600 });
    await verifyCore(core);
  });

  test('does not read blocks of a fair size, of requests that were written together', async () => {
    await using opened = await open();
    const { core, c, maintenance } = opened;
    const { changelog } = core.system;
    for (let i = 0; i < 70; i++) {
      await Promise.all(
        Array.from({ length: 16 }, (_, k) => {
          const text = `{"_key":"f${i}-${k}","pad":"${'x'.repeat(400)}"}`;
          return core.documents.insert(core.system, c, text);
        }),
      );
    }
    // The log has the creation of the collection as well.
    expect([c.stats.newBlocks, changelog.commitsSinceMerge]).toEqual([70, 71]);
    const blocks = await blockCount(core, c);
    const iterator = vi.spyOn(core.store.level, 'iterator');
    await maintenance.round();
    expect(iterator).not.toHaveBeenCalled();
    expect(await blockCount(core, c)).toBe(blocks);
    expect([c.stats.newBlocks, changelog.commitsSinceMerge]).toEqual([0, 0]);
    expect(c.stats.mergedTick).toBe(c.stats.lastTick);
    expect(changelog.state.mergedTick).toBe(changelog.state.lastTick);
  });

  test('merges the small blocks of single writes, however large the writes beside them were', async () => {
    await using opened = await open();
    const { core, c, maintenance } = opened;
    const insert = (key: string, bytes: number): Promise<unknown> =>
      core.documents.insert(core.system, c, `{"_key":"${key}","pad":"${'x'.repeat(bytes)}"}`);
    const large = (name: string): Promise<unknown> =>
      Promise.all(Array.from({ length: 16 }, (_, k) => insert(`${name}-${k}`, 4000)));
    for (let i = 0; i < 8; i++) await large(`first${i}`);
    for (let i = 0; i < 90; i++) await insert(`small${i}`, 1);
    await maintenance.round();
    // Of 90 small ones and 8 with 64 KiB each.
    expect(await blockCount(core, c)).toBeLessThan(40);
    for (let round = 0; round < 10; round++) {
      await large(`between${round}`);
      for (let i = 0; i < 14; i++) await insert(`small${round}-${i}`, 1);
    }
    const before = await blockCount(core, c);
    await maintenance.round();
    expect(before - (await blockCount(core, c))).toBeGreaterThan(100);
    await verifyCore(core);
  });

  test('need not look through what was written in full blocks, only through what comes behind', async () => {
    await using opened = await open();
    const { core, c, maintenance } = opened;
    const { changelog } = core.system;
    const large = `{"_key":"large","v":"${'y'.repeat(200_000)}"}`;
    await core.documents.insert(core.system, c, large);
    const marks = [c.stats.mergedTick, changelog.state.mergedTick];
    expect(marks).toEqual([c.stats.lastTick, changelog.state.lastTick]);
    expect([c.stats.newBlocks, changelog.commitsSinceMerge]).toEqual([0, 0]);
    for (let i = 0; i < 100; i++) {
      await core.documents.insert(core.system, c, `{"_key":"s${i}","pad":"${'x'.repeat(300)}"}`);
    }
    // Now something small waits, which is not to be forgotten.
    await core.documents.insert(core.system, c, large.replace('large', 'larger'));
    expect([c.stats.mergedTick, changelog.state.mergedTick]).toEqual(marks);
    expect(await blockCount(core, c)).toBe(102);
    await maintenance.round();
    expect(await blockCount(core, c)).toBeLessThan(6);
    expect(c.stats.mergedTick).toBe(c.stats.lastTick);
    await verifyCore(core);
  });

  test('rule 7: leaves out what is superseded, and old removals, and says so', async () => {
    await using opened = await open();
    const { core, c, clock, maintenance } = opened;
    await write(opened, 3000, 1000);
    await remove(opened, 0, 500);
    await maintenance.round();
    // The removals are too young.
    expect(c.stats).toMatchObject({ count: 500, entries: 1000, dead: 500 });
    const since = c.deletionsSince;
    expect(since).toBe(c.record.createdTick);
    await write(opened, 1500, 500);
    clock.advance(2000);
    await remove(opened, 500, 1000);
    await write(opened, 1500, 500);
    const lastOld = core.store.lastCommitted;
    await maintenance.round();
    expect(c.stats).toMatchObject({ count: 500, entries: 1000, dead: 500 });
    clock.advance(2000);
    await write(opened, 2000, 500);
    await maintenance.round();
    expect(c.stats).toMatchObject({ count: 500, entries: 500, dead: 0 });
    expect(c.deletionsSince).toBeGreaterThan(since);
    expect(c.deletionsSince).toBeLessThanOrEqual(lastOld);
    await core.reopen();
    expect(core.system.get('c').deletionsSince).toBe(c.deletionsSince);
    await verifyCore(core);
  });

  test('a removal that a newer document supersedes does not put back what copies may resume from', async () => {
    await using opened = await open();
    const { core, c, maintenance } = opened;
    await write(opened, 1000, 1000);
    const position = core.store.lastCommitted;
    await remove(opened, 0, 600);
    await write(opened, 1000, 1000);
    await maintenance.round();
    expect(c.stats).toMatchObject({ count: 1000, entries: 1000, dead: 0 });
    expect(c.deletionsSince).toBeLessThanOrEqual(position);
  });

  test('rule 7: an open batch keeps what it needs, and nothing goes before it is closed', async () => {
    await using opened = await open();
    const { core, c, maintenance } = opened;
    await write(opened, 500, 500);
    opened.horizon = core.store.lastCommitted;
    const expected = new Map<string, string>();
    await replay(core.store, c, expected);
    await write(opened, 3000, 250);
    await remove(opened, 0, 100);
    await maintenance.round();
    const seen = new Map<string, string>();
    await replay(core.store, c, seen, { to: opened.horizon });
    expect(seen).toEqual(expected);
    const { entries } = c.stats;
    expect(entries).toBe(500 + 3000 + 100);
    opened.horizon = undefined;
    await maintenance.round();
    expect(c.stats.entries).toBeLessThan(entries);
    await verifyCore(core);
  });

  test('does nothing where nothing is to be done', async () => {
    await using opened = await open();
    const { core, maintenance } = opened;
    await write(opened, 100, 100);
    await maintenance.round();
    const writes = watchSync(core.store);
    await maintenance.round();
    await maintenance.round();
    expect(writes).toEqual([]);
  });

  test('a damaged journal keeps nothing else waiting, and is not logged again and again', async () => {
    await using opened = await open();
    const { core, c, clock } = opened;
    const other = await core.collections.create(core.system, { name: 'other' });
    await write(opened, 1600, 100);
    await write({ ...opened, c: other }, 1600, 100);
    const { start, end } = numberRange(Space.journal, c.number);
    const [[key, value]] = (await core.store.level
      .iterator({ gte: start, lt: end, limit: 1 })
      .all()) as [[Buffer, Buffer]];
    value[50] = value[50]! ^ 1;
    await core.store.level.put(key, value);
    const error = vi.fn();
    const maintenance = new Maintenance(
      { store: core.store, catalogue: core.catalogue, clock, logger: { ...silentLogger, error } },
      { intervalMs: 1, removalAgeMs: 1000, horizon: () => undefined },
    );
    for (let i = 0; i < 3; i++) await maintenance.round();
    expect(other.stats).toMatchObject({ count: 100, entries: 100 });
    expect(error).toHaveBeenCalledTimes(1);
    expect(error.mock.calls[0]![0]).toMatchObject({
      collection: 'c',
      err: { kind: 'storageDamaged' },
    });
    clock.advance(2 * 60 * 60 * 1000);
    await maintenance.round();
    expect(error).toHaveBeenCalledTimes(2);
  });
});

describe('readers during maintenance', () => {
  test('never fail and never see anything but what was written', { timeout: 60_000 }, async () => {
    await using opened = await open();
    const { core, c, maintenance } = opened;
    const keys = 120;
    await write(opened, 2000, keys);
    maintenance.start();
    let writing = true;
    let reads = 0;
    const reader = async (seed: number): Promise<void> => {
      let last = new Map<string, bigint>();
      while (writing) {
        for (let i = 0; i < keys; i++) {
          const key = `k${(i * seed) % keys}`;
          const { text, rev } = core.documents.read(c, key);
          const document = JSON.parse(text) as { _key: string; _rev: string };
          expect([document._key, document._rev]).toEqual([key, rev]);
          // What was read once is never older later.
          expect(BigInt(rev)).toBeGreaterThanOrEqual(last.get(key) ?? 0n);
          last.set(key, BigInt(rev));
          reads++;
          if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        last = new Map(last);
      }
    };
    const pager = async (): Promise<void> => {
      while (writing) {
        // As a dump does: it opens a batch, and what it reads stays until it closes it.
        const to = core.store.lastCommitted;
        opened.horizon = to;
        const documents = new Map<string, string>();
        await replay(core.store, c, documents, { to, limitBytes: 5000 });
        expect(documents.size).toBe(keys);
        opened.horizon = undefined;
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    };
    const readers = [reader(1), reader(7), reader(11), pager()];
    const everything = Promise.all(readers);
    await Promise.race([write(opened, 15_000, keys), everything]);
    writing = false;
    await everything;
    // Of 17,000 most are superseded. A pass that had to leave much is not soon made again, unless time goes by.
    await vi.waitFor(() => {
      opened.clock.advance(2000);
      expect(c.stats.entries).toBeLessThan(5000);
    }, 30_000);
    await maintenance.stop();
    expect(reads).toBeGreaterThan(1000);
    await verifyCore(core);
  });
});
