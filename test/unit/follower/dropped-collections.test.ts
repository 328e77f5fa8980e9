import { expect, test } from 'vitest';
import { DroppedCollections } from '../../../src/follower/dropped-collections.ts';
import { TestCore } from '../../support/store.ts';

const RUN1 = { id: 'run1', firstTick: 1n, foundTick: 0n };
const RUN2 = { id: 'run2', firstTick: 2000n, foundTick: 1000n };
const LEADER = { leaderId: '4711', database: '_system' };
const MANY = 1200;

function open({ store }: TestCore, ...incarnations: (typeof RUN1)[]): DroppedCollections {
  const leader = { ...LEADER, incarnations };
  return new DroppedCollections({ store }, { databaseNumber: 1, leader });
}

/** How many of the collections `0` to `count - 1` are known to be dropped behind a tick. */
function known(dropped: DroppedCollections, count: number, tick: bigint): number {
  const cids = Array.from({ length: count }, (_, i) => String(i));
  return cids.filter((cid) => dropped.isDroppedAfter(cid, tick)).length;
}

test('what a sync has missed is remembered however much it is, until the log is read that far', async () => {
  await using core = await TestCore.open();
  const missed = Array.from({ length: MANY }, (_, i) => ({ cid: String(i), tick: 900n }));
  await core.store.commit((tx) => open(core, RUN1).add(tx, missed));
  const dropped = open(core, RUN1);
  expect(known(dropped, MANY, 100n)).toBe(MANY);
  // The applier comes by drops that lie before that list of the leader.
  await core.store.commit((tx) => dropped.add(tx, [{ cid: 'a', tick: 200n }]));
  expect(known(dropped, MANY, 100n)).toBe(MANY);
  await core.store.commit((tx) => dropped.add(tx, [{ cid: 'b', tick: 901n }]));
  for (const each of [dropped, open(core, RUN1)]) {
    // With `a` and `b` it is 500 of them.
    expect(known(each, MANY, 100n)).toBe(498);
    expect(each.isDroppedAfter('a', 100n)).toBe(true);
    expect(each.isDroppedAfter(String(MANY - 1), 100n)).toBe(true);
    expect(each.isDroppedAfter('b', 900n)).toBe(true);
  }
});

test('of what the applier has come by the last 500 are remembered', async () => {
  await using core = await TestCore.open();
  const dropped = open(core, RUN1);
  for (let i = 0; i < 510; i++) {
    const gone = [{ cid: String(i), tick: BigInt(i + 1) }];
    await core.store.commit((tx) => dropped.add(tx, gone));
  }
  expect(known(dropped, 510, 0n)).toBe(500);
  expect(dropped.isDroppedAfter('9', 0n)).toBe(false);
  expect(dropped.isDroppedAfter('509', 509n)).toBe(true);
  expect(dropped.isDroppedAfter('509', 510n)).toBe(false);
});

test('what was learnt in a history that the leader no longer has counts for nothing', async () => {
  await using core = await TestCore.open();
  await core.store.commit((tx) => open(core, RUN1).add(tx, [{ cid: '5', tick: 1000n }]));
  expect(open(core, RUN1, RUN2).isDroppedAfter('5', 1n)).toBe(true);
  await core.store.commit((tx) => open(core, RUN1).add(tx, [{ cid: '6', tick: 1001n }]));
  expect(open(core, RUN1, RUN2).isDroppedAfter('5', 1n)).toBe(false);
  expect(open(core, RUN2).isDroppedAfter('5', 1n)).toBe(false);
});
