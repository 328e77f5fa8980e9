import { describe, expect, test } from 'vitest';
import { mergeLogBlocks } from '../../../src/changelog/log-merge.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { MAX_TICK } from '../../../src/model/tick.ts';
import { Space } from '../../../src/storage/keys.ts';
import { readPage } from '../../../src/storage/page.ts';
import { logLines } from '../../support/log-lines.ts';
import { TestCore } from '../../support/store.ts';

const NEVER = new AbortController().signal;
const MIB = 1024 * 1024;

async function open(): Promise<TestCore> {
  const core = await TestCore.open();
  await startLogger(core.store, core.system);
  await core.collections.create(core.system, { name: 'c' });
  return core;
}

async function write(core: TestCore, count: number, bytes = 100): Promise<void> {
  const collection = core.system.get('c');
  for (let i = 0; i < count; i++) {
    const pad = 'x'.repeat((i * 37) % bytes);
    await core.documents.insert(core.system, collection, `{"n":${i},"pad":"${pad}"}`);
  }
}

/** All lines above `from`, as they are in the store. */
async function storedText(core: TestCore, from: bigint): Promise<string> {
  const { databaseNumber: number, state } = core.system.changelog;
  const log = { space: Space.changelog, number } as const;
  const range = { ...log, from, to: state.lastTick, limitBytes: 100 * MIB };
  return (await readPage(core.store.level, range)).body.toString();
}

/** Follows like a client, in pages of its own size, until it has seen `end()`. */
async function follow(
  core: TestCore,
  options: { from: bigint; limitBytes: number; end: () => bigint },
): Promise<string> {
  const { changelog } = core.system;
  let position = options.from;
  let text = '';
  while (position < options.end()) {
    const { limitBytes } = options;
    const page = await changelog.readPage({ from: position, to: MAX_TICK, limitBytes });
    text += page.body.toString();
    if (page.lastScanned > position) position = page.lastScanned;
    else await changelog.waitAbove(position, 20, new AbortController().signal);
  }
  return text;
}

describe('the end of a log', () => {
  test('is not read from the store for fifty who follow it', async () => {
    await using core = await open();
    const { changelog } = core.system;
    const from = changelog.state.lastTick;
    const readsBefore = changelog.storeReads;
    let isWritten = false;
    const end = (): bigint => (isWritten ? changelog.state.lastTick : MAX_TICK);
    const followers = Array.from({ length: 50 }, (_, i) =>
      follow(core, { from, limitBytes: 300 * (i + 1), end }),
    );
    await write(core, 200);
    isWritten = true;
    const texts = await Promise.all(followers);
    const expected = await storedText(core, from);
    for (const text of texts) expect(text).toBe(expected);
    // What is committed comes to them by memory; the first look may be before the tip is there.
    expect(changelog.storeReads - readsBefore).toBeLessThanOrEqual(1);
  });

  test('is not read at all where nothing is above the position', async () => {
    await using core = await open();
    const { changelog } = core.system;
    await write(core, 3);
    const before = changelog.storeReads;
    for (let i = 0; i < 20; i++) {
      const from = changelog.state.lastTick;
      const page = await changelog.readPage({ from, to: MAX_TICK, limitBytes: 1000 });
      expect([page.count, page.more, page.lastScanned]).toEqual([0, false, 0n]);
    }
    expect(changelog.storeReads).toBe(before);
  });

  test('is the same from every position and in pages of every size, also while blocks are merged', async () => {
    await using core = await open();
    const { changelog } = core.system;
    const lines = await logLines(changelog);
    const begun = lines.at(-1)?.tick ?? 0n;
    await write(core, 70);
    await logLines(changelog, { from: begun });
    await mergeLogBlocks(core.store, changelog, NEVER);
    await write(core, 70);
    await logLines(changelog, { from: begun });
    await mergeLogBlocks(core.store, changelog, NEVER);
    const reads = changelog.storeReads;
    const whole = await storedText(core, begun);
    const all = whole.split('\n').slice(0, -1);
    expect(all).toHaveLength(140);
    const ticks = all.map((line) => BigInt((JSON.parse(line) as { tick: string }).tick));
    for (const limitBytes of [0, 1, 1000, 5000, MIB]) {
      const paged = await logLines(changelog, { from: begun, limitBytes });
      expect(paged.map(({ text }) => text)).toEqual(all);
    }
    for (const [i, tick] of ticks.entries()) {
      const after = await logLines(changelog, { from: tick });
      expect(after.map(({ text }) => text)).toEqual(all.slice(i + 1));
      const upTo = await logLines(changelog, { from: begun, to: tick });
      expect(upTo.map(({ text }) => text)).toEqual(all.slice(0, i + 1));
    }
    expect(changelog.storeReads).toBe(reads);
  });

  test('takes no more memory than it may, and who falls behind reads the store', async () => {
    await using core = await open();
    const { changelog } = core.system;
    const { tips } = core.store;
    const from = changelog.state.lastTick;
    await logLines(changelog, { from });
    const collection = core.system.get('c');
    for (let i = 0; i < 30; i++) {
      const position = changelog.state.lastTick;
      const body = `{"n":${i},"v":"${'y'.repeat(MIB)}"}`;
      await core.documents.insert(core.system, collection, body);
      await changelog.readPage({ from: position, to: MAX_TICK, limitBytes: 1000 });
      expect(tips.usedBytes).toBeLessThanOrEqual(tips.maxBytes);
    }
    expect(tips.usedBytes).toBeGreaterThan(tips.maxBytes / 2);
    const behind = await logLines(changelog, { from });
    expect(behind.map(({ n, data }) => n ?? data?.['n'])).toEqual(
      Array.from({ length: 30 }, (_, i) => i),
    );
  });

  test('is given up when nobody reads it any more, and read from the store by who comes back', async () => {
    await using core = await open();
    const { changelog } = core.system;
    const { tips } = core.store;
    const from = changelog.state.lastTick;
    await logLines(changelog, { from });
    const collection = core.system.get('c');
    let largest = 0;
    for (let i = 0; i < 20; i++) {
      await core.documents.insert(
        core.system,
        collection,
        `{"n":${i},"v":"${'z'.repeat(MIB / 2)}"}`,
      );
      largest = Math.max(largest, tips.usedBytes);
    }
    expect(largest).toBeGreaterThan(MIB);
    expect(largest).toBeLessThan(5 * MIB);
    expect(tips.usedBytes).toBe(0);
    expect(await logLines(changelog, { from })).toHaveLength(20);
  });

  test('of one database gives its memory to another that is read', async () => {
    await using core = await open();
    const { tips } = core.store;
    const other = await core.databases.create('other');
    await startLogger(core.store, other);
    await core.collections.create(other, { name: 'c' });
    for (const database of [core.system, other]) {
      await logLines(database.changelog);
      const collection = database.get('c');
      for (let i = 0; i < 20; i++) {
        const from = database.changelog.state.lastTick;
        await core.documents.insert(database, collection, `{"v":"${'y'.repeat(MIB)}"}`);
        await logLines(database.changelog, { from });
      }
    }
    expect(tips.usedBytes).toBeLessThanOrEqual(tips.maxBytes);
    const { storeReads, state } = other.changelog;
    const newest = { from: state.lastTick - 1n, to: MAX_TICK, limitBytes: MIB };
    expect((await other.changelog.readPage(newest)).count).toBe(1);
    expect(other.changelog.storeReads).toBe(storeReads);
    await core.databases.drop('other');
    expect(tips.usedBytes).toBe(0);
  });
});
