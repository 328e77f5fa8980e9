import { describe, expect, test } from 'vitest';
import { startLogger } from '../../../src/documents/databases.ts';
import { removeOrphans } from '../../../src/follower/staging.ts';
import { watchSync } from '../../support/batch-control.ts';
import { PageFollower, begin, commit, created, del, errorNum, put } from './page-follower.ts';

describe.each([
  ['cut', true],
  ['parsed', false],
])('a transaction whose lines are %s', (_what, verified) => {
  const lines = [
    put(1001, 'before', 0),
    begin(1002, '55'),
    put(1003, 'a', 1, { tid: '55' }),
    put(1004, 'b', 2, { tid: '55' }),
    del(1005, 'before', { tid: '55' }),
    commit(1006, '55'),
    put(1007, 'after', 3),
  ];

  test('within one page is applied', async () => {
    await using follower = await PageFollower.open();
    await follower.apply(lines, { verified });
    expect(await follower.content()).toEqual({ a: 1, b: 2, after: 3 });
    expect(await follower.stagedCount()).toBe(0);
  });

  test('one line a page, with a restart after each, appears whole and only at its end', async () => {
    await using follower = await PageFollower.open();
    const seen: unknown[] = [];
    for (const line of lines) {
      await follower.apply([line], { verified });
      await follower.restart();
      seen.push(await follower.content());
    }
    const before = { before: 0 };
    expect(seen).toEqual([
      ...Array.from({ length: 5 }, () => before),
      { a: 1, b: 2 },
      { a: 1, b: 2, after: 3 },
    ]);
    expect(await follower.stagedCount()).toBe(0);
  });

  test('that is open moves the processed tick, but not the applied one', async () => {
    await using follower = await PageFollower.open();
    await follower.apply(lines.slice(0, 4), { verified, scannedTo: 1004n });
    expect(follower.applier.checkpoint).toMatchObject({
      appliedTick: 1001n,
      processedTick: 1004n,
      open: [{ tid: '55', startTick: 1002n, lines: 2, appliedLines: 0 }],
    });
  });

  test.each([
    ['1000', JSON.stringify({ tick: '1010', type: 1000, lastTick: '1005' })],
    ['1001', JSON.stringify({ tick: '1010', type: 1001, lastTick: '1005' })],
    ['2202', JSON.stringify({ tick: '1010', type: 2202, tid: '55' })],
    ['a change of a collection', created(1010, '900', 'other')],
    ['another 2200', begin(1010, '56')],
  ])('is forgotten at %s', async (_name, line) => {
    await using follower = await PageFollower.open();
    await follower.apply(lines.slice(0, 5), { verified });
    await follower.apply([line], { verified });
    expect(await follower.stagedCount()).toBe(0);
    expect(follower.applier.checkpoint.open.map(({ tid }) => tid)).toEqual(
      line.includes('2200') ? ['56'] : [],
    );
    await expect(follower.apply([commit(1020, '55')], { verified })).rejects.toThrow(
      errorNum(1408),
    );
    expect(await follower.content()).toEqual({ before: 0 });
  });

  test('without a beginning is refused with 1408, line and commit alike', async () => {
    await using follower = await PageFollower.open();
    const line = put(1001, 'a', 1, { tid: '9' });
    await expect(follower.apply([line], { verified })).rejects.toThrow(errorNum(1408));
    await expect(follower.apply([commit(1002, '9')], { verified })).rejects.toThrow(errorNum(1408));
    expect(await follower.content()).toEqual({});
  });

  test('that fails leaves nothing of it, and what stands before it applied', async () => {
    await using follower = await PageFollower.open();
    const failing = [...lines];
    failing[3] = put(1004, 'x', 2, { tid: '55', cid: '5', cname: 'gone' });
    await expect(follower.apply(failing, { verified })).rejects.toThrow(
      /collection not found, offending marker: \{"tick":"1004"/,
    );
    expect(await follower.content()).toEqual({ before: 0 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
  });

  test.each([
    ['in one page', 7],
    ['over several pages', 2],
  ])('that fails %s is passed over as one event when errors are ignored', async (_name, size) => {
    await using follower = await PageFollower.open({ ignoreErrors: 1 });
    const failing = [...lines];
    failing[3] = put(1004, 'x', 2, { tid: '55', cid: '5', cname: 'gone' });
    for (let i = 0; i < failing.length; i += size) {
      await follower.apply(failing.slice(i, i + size), { verified });
    }
    expect(await follower.content()).toEqual({ before: 0, after: 3 });
    expect(await follower.stagedCount()).toBe(0);
    expect(follower.applier.checkpoint.appliedTick).toBe(1007n);
  });

  test('above the limit is applied in several batches, and gone on with after a restart', async () => {
    await using follower = await PageFollower.open({ transactionMaxBytes: 500 });
    const many = Array.from({ length: 20 }, (_, i) => put(1002 + i, `k${i}`, i, { tid: '55' }));
    await follower.apply([begin(1001, '55')], { verified });
    for (const line of many) await follower.apply([line], { verified });
    // Broken off after the first batch of it, as a crash would; the page itself is one before.
    const { store } = follower.core;
    const commitBatch = store.commit.bind(store);
    let batches = 0;
    store.commit = (run, options) =>
      ++batches > 2 ? Promise.reject(new Error('killed')) : commitBatch(run, options);
    await expect(follower.apply([commit(1050, '55')], { verified })).rejects.toThrow('killed');
    await follower.restart();
    const some = Object.keys(await follower.content()).length;
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(20);
    expect(follower.applier.checkpoint.open[0]).toMatchObject({ lines: 20, appliedLines: some });
    await follower.apply([commit(1050, '55')], { verified });
    expect(Object.keys(await follower.content())).toHaveLength(20);
    expect(follower.applier.checkpoint).toMatchObject({ appliedTick: 1050n, open: [] });
    expect(await follower.stagedCount()).toBe(0);
  });

  test('is logged as one where remote changes are logged, however it came', async () => {
    await using follower = await PageFollower.open(
      {},
      { loggerConfig: { logRemoteChanges: true } },
    );
    await startLogger(follower.core.store, follower.core.system);
    await follower.apply(lines, { verified });
    const again = [begin(1102, '56'), put(1103, 'a', 5, { tid: '56' }), commit(1106, '56')];
    for (const line of again) await follower.apply([line], { verified });
    expect(await follower.logged()).toEqual([
      ...[1001, 2300],
      ...[2200, 2300, 2300, 2302, 2201, 2300],
      ...[2200, 2300, 2201],
    ]);
  });
});

test('transactions of later leaders may lie between each other and between single documents', async () => {
  await using follower = await PageFollower.open({ interleaved: true });
  const lines = [
    begin(1001, '1'),
    begin(1002, '2'),
    put(1003, 'a', 'one', { tid: '1' }),
    put(1004, 'b', 'two', { tid: '2' }),
    put(1005, 'alone', 0, { tid: '0' }),
    put(1006, 'c', 'one', { tid: '1' }),
    commit(1007, '2'),
    put(1008, 'b', 'after'),
    JSON.stringify({ tick: '1009', type: 2202, tid: '1' }),
  ];
  await follower.apply(lines.slice(0, 6));
  expect(await follower.content()).toEqual({ alone: 0 });
  expect(follower.applier.checkpoint.open.map(({ tid }) => tid)).toEqual(['1', '2']);
  await follower.apply(lines.slice(6));
  expect(await follower.content()).toEqual({ alone: 0, b: 'after' });
  expect(await follower.stagedCount()).toBe(0);
});

test('staged lines of a forgotten position are removed, those of the present one are not', async () => {
  await using follower = await PageFollower.open();
  await follower.apply([begin(1001, '5'), put(1002, 'a', 1, { tid: '5' })]);
  await follower.restart();
  expect(await follower.stagedCount()).toBe(1);
  const { store, system } = follower.core;
  await removeOrphans(store, system.number, []);
  expect(await follower.stagedCount()).toBe(0);
});

describe('lines of a leader that gives neighbours one tick', () => {
  const LARGE = 'x'.repeat(1_100_000);

  test.each([
    [1001, 1],
    [1002, 2],
  ])(
    'are never parted by the end of a batch: the second at %i needs %i',
    async (second, batches) => {
      await using follower = await PageFollower.open({ interleaved: true, equalTicks: true });
      const written = watchSync(follower.core.store);
      await follower.apply([put(1001, 'a', LARGE), put(second, 'b', 2)], { scannedTo: 1002n });
      expect(written).toHaveLength(batches);
      expect(Object.keys(await follower.content())).toEqual(['a', 'b']);
      expect(follower.applier.checkpoint.appliedTick).toBe(1002n);
    },
  );

  test('are applied when they have the tick of the one before, and passed over when it is smaller', async () => {
    await using follower = await PageFollower.open({ interleaved: true, equalTicks: true });
    await follower.apply([put(1001, 'a', 1), put(1001, 'b', 2), put(1000, 'c', 3)]);
    expect(await follower.content()).toEqual({ a: 1, b: 2 });
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
  });

  test('of other leaders are passed over when they have the tick of the one before', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([put(1001, 'a', 1), put(1001, 'b', 2)]);
    expect(await follower.content()).toEqual({ a: 1 });
  });
});
