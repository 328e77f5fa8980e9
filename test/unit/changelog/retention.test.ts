import { describe, expect, test, vi } from 'vitest';
import { enforceCaps } from '../../../src/changelog/retention.ts';
import { DocumentTx } from '../../../src/documents/document-tx.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import type { LoggerConfig } from '../../../src/model/logger-config.ts';
import { Space, numberRange } from '../../../src/storage/keys.ts';
import { type LogLine, logLines } from '../../support/log-lines.ts';
import { TestCore } from '../../support/store.ts';

async function open(): Promise<TestCore> {
  const core = await TestCore.open();
  await startLogger(core.store, core.system);
  await core.collections.create(core.system, { name: 'c' });
  return core;
}

function setCaps(core: TestCore, caps: Partial<LoggerConfig>): Promise<void> {
  const { changelog } = core.system;
  return core.store.commit((tx) => changelog.configure(tx, { ...changelog.config, ...caps }), {
    exclusive: true,
  });
}

/** One request: so many documents, as one transaction or on their own. */
function write(core: TestCore, count: number, grouped: boolean): Promise<void> {
  const database = core.system;
  return core.store.commit((tx) => {
    const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped });
    for (let i = 0; i < count; i++) {
      const rest = `"pad":"${'x'.repeat(i % 50)}"`;
      writes.upsert(database.get('c'), tx.drawTick().toString(), { value: {}, rest }, undefined);
    }
    writes.finish();
  });
}

function bytesOf(lines: readonly LogLine[]): number {
  return lines.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
}

/** Figures and marks of the log are what can be read. */
async function expectExact(core: TestCore): Promise<LogLine[]> {
  const lines = await logLines(core.system.changelog);
  expect(core.system.changelog.state).toMatchObject({
    events: lines.length,
    bytes: bytesOf(lines),
    firstTick: lines[0]?.tick ?? 0n,
  });
  return lines;
}

describe('the caps of a changelog', () => {
  test('nothing goes while the log is within its caps, or has none', async () => {
    await using core = await open();
    await write(core, 20, false);
    expect(await enforceCaps(core.store, core.system.changelog)).toBe(false);
    await setCaps(core, { maxEvents: 22, maxEventsSize: core.system.changelog.state.bytes });
    expect(await enforceCaps(core.store, core.system.changelog)).toBe(false);
    expect(await expectExact(core)).toHaveLength(22);
  });

  test('the oldest events go, exactly as many as there are too many', async () => {
    await using core = await open();
    for (let i = 0; i < 30; i++) await write(core, 10, false);
    const before = await expectExact(core);
    await setCaps(core, { maxEvents: 100 });
    expect(await enforceCaps(core.store, core.system.changelog)).toBe(true);
    expect(await expectExact(core)).toEqual(before.slice(-100));
    expect(await enforceCaps(core.store, core.system.changelog)).toBe(false);
  });

  test('a cap on the size removes as few events as bring it below', async () => {
    await using core = await open();
    for (let i = 0; i < 30; i++) await write(core, 10, false);
    const before = await expectExact(core);
    const cap = Math.floor(core.system.changelog.state.bytes / 3);
    await setCaps(core, { maxEventsSize: cap });
    await enforceCaps(core.store, core.system.changelog);
    const after = await expectExact(core);
    expect(bytesOf(after)).toBeLessThanOrEqual(cap);
    expect(bytesOf(before.slice(-after.length - 1))).toBeGreaterThan(cap);
    expect(after).toEqual(before.slice(-after.length));
  });

  test('a transaction goes whole or stays whole, wherever the cap falls', async () => {
    for (let cap = 1; cap <= 30; cap++) {
      await using core = await open();
      await write(core, 3, false);
      await write(core, 5, true);
      await write(core, 4, true);
      await write(core, 2, false);
      const before = await expectExact(core);
      await setCaps(core, { maxEvents: cap });
      await enforceCaps(core.store, core.system.changelog);
      const after = await expectExact(core);
      expect(after).toEqual(before.slice(before.length - after.length));
      expect(after.length).toBeLessThanOrEqual(cap);
      expect([undefined, 2200]).toContain(after[0]?.tid === undefined ? undefined : after[0].type);
      // One event or transaction less would have been too few.
      const removed = before.slice(0, before.length - after.length);
      const last = removed.at(-1);
      if (!last) continue;
      const unit = removed.filter(({ tid }) => tid !== undefined && tid === last.tid).length || 1;
      expect(after.length + unit).toBeGreaterThan(cap);
    }
  });

  test('a transaction larger than the cap leaves the log empty, and it goes on from there', async () => {
    await using core = await open();
    await write(core, 50, true);
    await setCaps(core, { maxEvents: 10 });
    await enforceCaps(core.store, core.system.changelog);
    expect(await expectExact(core)).toEqual([]);
    const { lastTick } = core.system.changelog.state;
    await write(core, 2, false);
    const lines = await expectExact(core);
    expect(lines).toHaveLength(2);
    expect(lines[0]!.tick).toBeGreaterThan(lastTick);
  });

  test('rule 8: readers from before what went must copy anew, those behind it need not', async () => {
    await using core = await open();
    await write(core, 50, false);
    const before = await logLines(core.system.changelog);
    await setCaps(core, { maxEvents: 20 });
    await enforceCaps(core.store, core.system.changelog);
    const { changelog } = core.system;
    const lastGone = before.at(-21)!.tick;
    expect(changelog.holds(lastGone - 1n)).toBe(false);
    expect(changelog.holds(lastGone)).toBe(true);
    await core.reopen();
    expect(core.system.changelog.holds(lastGone - 1n)).toBe(false);
    expect(core.system.changelog.holds(lastGone)).toBe(true);
    await expectExact(core);
  });

  test('what went is not served even before its blocks are erased, and then they are', async () => {
    await using core = await open();
    for (let i = 0; i < 10; i++) await write(core, 10, false);
    await setCaps(core, { maxEvents: 15 });
    const { start, end } = numberRange(Space.changelog, core.system.number);
    const blocks = (): Promise<Buffer[]> => core.store.level.keys({ gte: start, lt: end }).all();
    const before = (await blocks()).length;
    await enforceCaps(core.store, core.system.changelog);
    expect(await logLines(core.system.changelog, { limitBytes: 1 })).toHaveLength(15);
    await vi.waitFor(async () => expect((await blocks()).length).toBe(2), 10_000);
    expect(before).toBeGreaterThan(10);
    await expectExact(core);
  });

  test('counts stay exact when events come in, or another round runs, at the same time', async () => {
    await using core = await open();
    await setCaps(core, { maxEvents: 25 });
    for (let round = 0; round < 30; round++) {
      const { changelog } = core.system;
      await Promise.all([
        enforceCaps(core.store, changelog),
        write(core, 7, round % 2 === 0),
        enforceCaps(core.store, changelog),
        write(core, 60, round % 3 === 0),
        enforceCaps(core.store, changelog),
      ]);
      await expectExact(core);
    }
    await core.reopen();
    await enforceCaps(core.store, core.system.changelog);
    expect((await expectExact(core)).length).toBeLessThanOrEqual(25);
  });

  test('nothing is written for a database that was dropped meanwhile', async () => {
    await using core = await TestCore.open();
    const database = await core.databases.create('other');
    await startLogger(core.store, database);
    const collection = await core.collections.create(database, { name: 'c' });
    for (let i = 0; i < 50; i++) await core.documents.insert(database, collection, '{}');
    const { changelog } = database;
    await core.store.commit((tx) => changelog.configure(tx, { ...changelog.config, maxEvents: 5 }));
    const [removed] = await Promise.all([
      enforceCaps(core.store, changelog),
      core.databases.drop('other'),
    ]);
    expect(removed).toBe(false);
    const leftovers = await core.store.records('l');
    expect(leftovers.map(({ key }) => key.readUInt32BE(2))).not.toContain(database.number);
  });
});
