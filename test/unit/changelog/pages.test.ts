import { getEventListeners } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import { mergeLogBlocks } from '../../../src/changelog/log-merge.ts';
import { enforceCaps } from '../../../src/changelog/retention.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { DocumentTx } from '../../../src/documents/document-tx.ts';
import { Space, blockKeyTick, numberRange } from '../../../src/storage/keys.ts';
import type { Store } from '../../../src/storage/store.ts';
import { logLines } from '../../support/log-lines.ts';
import { TestCore } from '../../support/store.ts';
import { erasurePending } from '../../support/verify-core.ts';

const NEVER = new AbortController().signal;

async function open(): Promise<TestCore> {
  const core = await TestCore.open();
  await startLogger(core.store, core.system);
  await core.collections.create(core.system, { name: 'c' });
  return core;
}

async function write(core: TestCore, count: number): Promise<void> {
  const collection = core.system.get('c');
  for (let i = 0; i < count; i++) {
    const pad = 'x'.repeat((i * 37) % 400);
    await core.documents.insert(core.system, collection, `{"n":${i},"pad":"${pad}"}`);
  }
}

function blockCount(core: TestCore): Promise<number> {
  const { start, end } = numberRange(Space.changelog, core.system.number);
  return core.store.level
    .keys({ gte: start, lt: end })
    .all()
    .then((keys) => keys.length);
}

describe('reading a changelog', () => {
  test('pages at every chunk size, put together, are the same lines', async () => {
    await using core = await open();
    await write(core, 60);
    const whole = await logLines(core.system.changelog);
    expect(whole).toHaveLength(62);
    for (const limitBytes of [0, 1, 500, 4000, 100_000]) {
      expect(await logLines(core.system.changelog, { limitBytes })).toEqual(whole);
    }
    for (const [i, { tick }] of whole.entries()) {
      expect(await logLines(core.system.changelog, { from: tick })).toEqual(whole.slice(i + 1));
      expect(await logLines(core.system.changelog, { to: tick })).toEqual(whole.slice(0, i + 1));
    }
  });

  test('P2: a reader that follows sees every line once, in order, while writers write', async () => {
    await using core = await open();
    const { changelog } = core.system;
    const collection = core.system.get('c');
    let left = 300;
    const writer = async (): Promise<void> => {
      while (left-- > 0) await core.documents.insert(core.system, collection, '{}');
    };
    const writing = Promise.all(Array.from({ length: 10 }, writer));
    const seen: bigint[] = [];
    let from = 0n;
    while (seen.length < 302) {
      await changelog.waitAbove(from, 1000, NEVER);
      for (const line of await logLines(changelog, { from, limitBytes: 2000 })) {
        seen.push(line.tick);
        from = line.tick;
      }
    }
    await writing;
    expect(seen).toEqual([...seen].sort((a, b) => Number(a - b)));
    expect(seen).toEqual((await logLines(changelog)).map(({ tick }) => tick));
  });

  test('databases have logs of their own', async () => {
    await using core = await open();
    const other = await core.databases.create('other');
    await startLogger(core.store, other);
    await write(core, 3);
    expect((await logLines(other.changelog)).map(({ type }) => type)).toEqual([1001]);
    expect(await logLines(core.system.changelog)).toHaveLength(5);
  });

  test('a request whose write fails in the end leaves no line', async () => {
    await using core = await open();
    const database = core.system;
    const collection = database.get('c');
    const before = database.changelog.state;
    await expect(
      core.store.commit((tx) => {
        const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: true });
        writes.upsert(collection, 'a', { value: {}, rest: '' }, undefined);
        writes.finish();
        throw new Error('refused');
      }),
    ).rejects.toThrow('refused');
    expect(database.changelog.state).toEqual(before);
    expect(await logLines(database.changelog)).toHaveLength(2);
  });
});

describe('waiting for events', () => {
  test('ends at once when there is something newer, or no time', async () => {
    await using core = await open();
    const { changelog } = core.system;
    await changelog.waitAbove(0n, 60_000, NEVER);
    await changelog.waitAbove(changelog.state.lastTick, 0, NEVER);
    await changelog.waitAbove(changelog.state.lastTick, 60_000, AbortSignal.abort());
  });

  test('ends when an event comes, and then it can be read', async () => {
    await using core = await open();
    const { changelog } = core.system;
    const from = changelog.state.lastTick;
    const waits = Array.from({ length: 20 }, async () => {
      await changelog.waitAbove(from, 60_000, new AbortController().signal);
      return (await logLines(changelog, { from })).length;
    });
    await write(core, 1);
    expect(await Promise.all(waits)).toEqual(Array.from({ length: 20 }, () => 1));
  });

  test('ends when its time is over', async () => {
    await using core = await open();
    const { changelog } = core.system;
    const start = performance.now();
    await changelog.waitAbove(changelog.state.lastTick, 50, NEVER);
    expect(performance.now() - start).toBeGreaterThanOrEqual(45);
  });

  test('ends when it is aborted, and leaves no listener behind', async () => {
    await using core = await open();
    const { changelog } = core.system;
    const abort = new AbortController();
    const waiting = changelog.waitAbove(changelog.state.lastTick, 60_000, abort.signal);
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
    abort.abort();
    await waiting;
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  });

  test('ends when the database is dropped', async () => {
    await using core = await open();
    const { changelog } = await core.databases.create('other');
    const waiting = changelog.waitAbove(0n, 60_000, NEVER);
    await core.databases.drop('other');
    await waiting;
    await changelog.waitAbove(0n, 60_000, NEVER);
  });
});

describe('merging blocks', () => {
  test('keeps bytes, order, ticks and figures, and leaves few blocks', async () => {
    await using core = await open();
    await write(core, 400);
    const { changelog } = core.system;
    const before = await logLines(changelog);
    const { events, bytes, firstTick, lastTick } = changelog.state;
    const blocks = await blockCount(core);
    expect(blocks).toBeGreaterThan(400);
    expect(await mergeLogBlocks(core.store, changelog, NEVER)).toBe(true);
    expect(await blockCount(core)).toBeLessThan(10);
    expect(await logLines(changelog)).toEqual(before);
    expect(await logLines(changelog, { limitBytes: 777 })).toEqual(before);
    expect(changelog.state).toMatchObject({ events, bytes, firstTick, lastTick });
    await core.reopen();
    expect(await logLines(core.system.changelog)).toEqual(before);
  });

  test('does nothing while few commits have come in', async () => {
    await using core = await open();
    await write(core, 20);
    expect(await mergeLogBlocks(core.store, core.system.changelog, NEVER)).toBe(false);
    expect(await blockCount(core)).toBe(22);
  });

  test('does not look again at what is merged', async () => {
    await using core = await open();
    await write(core, 400);
    const { changelog } = core.system;
    await mergeLogBlocks(core.store, changelog, NEVER);
    const { mergedTick } = changelog.state;
    expect(mergedTick).toBeGreaterThan(0n);
    expect(await mergeLogBlocks(core.store, changelog, NEVER)).toBe(false);
    await write(core, 100);
    expect(await mergeLogBlocks(core.store, changelog, NEVER)).toBe(true);
    expect(changelog.state.mergedTick).toBeGreaterThan(mergedTick);
  });

  test('keeps transactions and collections of entries, which filters go by', async () => {
    await using core = await open();
    const database = core.system;
    const other = await core.collections.create(database, { name: 'd' });
    for (let i = 0; i < 70; i++) {
      await core.store.commit((tx) => {
        const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: i % 2 === 0 });
        for (const name of ['c', 'd']) {
          writes.upsert(database.get(name), `k${i}`, { value: {}, rest: '' }, undefined);
        }
        writes.finish();
      });
    }
    const select = (): Promise<unknown> =>
      database.changelog.readPage({
        from: 0n,
        to: database.changelog.state.lastTick,
        limitBytes: 1e6,
        accept: (block, i) => block.collection(i) === other.number && block.transaction(i) > 0n,
      });
    const before = await select();
    expect(before).toMatchObject({ count: 35 });
    await mergeLogBlocks(core.store, database.changelog, NEVER);
    expect(await select()).toMatchObject({ count: 35, body: (before as { body: Buffer }).body });
  });

  test('blocks that retention removes meanwhile do not come back', async () => {
    await using core = await open();
    await write(core, 300);
    const { changelog } = core.system;
    await core.store.commit((tx) =>
      changelog.configure(tx, { ...changelog.config, maxEvents: 40 }),
    );
    const commit = core.store.commit.bind<Store['commit']>(core.store);
    vi.spyOn(core.store, 'commit').mockImplementationOnce(async (run, options) => {
      // Between the look at the first blocks and the batch that merges them.
      await enforceCaps(core.store, changelog);
      await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 10_000);
      return commit(run, options);
    });
    await mergeLogBlocks(core.store, changelog, NEVER);
    const { start, end } = numberRange(Space.changelog, core.system.number);
    for (const key of await core.store.level.keys({ gte: start, lt: end }).all()) {
      expect(blockKeyTick(key)).toBeGreaterThan(changelog.state.removedTick);
    }
    expect(await logLines(changelog)).toHaveLength(40);
  });

  test('readers that read meanwhile see every line', async () => {
    await using core = await open();
    await write(core, 300);
    const { changelog } = core.system;
    const before = await logLines(changelog);
    const merging = mergeLogBlocks(core.store, changelog, NEVER);
    for (let i = 0; i < 10; i++) {
      expect(await logLines(changelog, { limitBytes: 3000 })).toEqual(before);
    }
    await merging;
  });
});
