import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type LeaderServer, openLeaderServer } from '../../support/leader-server.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let clock: ManualClock;
let server: LeaderServer;
beforeEach(async () => {
  clock = new ManualClock();
  server = await openLeaderServer({ clock });
});
afterEach(() => server[Symbol.asyncDispose]());

test('the horizon is the last commit at which the oldest open batch was created', async () => {
  const { leader, database, collections, store } = server;
  const { batches } = leader;
  expect(batches.horizon).toBeUndefined();
  const first = await batches.create(database, 10);
  const before = batches.horizon;
  expect(before).toBe(store.lastCommitted);
  await collections.create(database, { name: 'people' });
  const second = await batches.create(database, 20);
  expect(batches.horizon).toBe(before);
  batches.remove(database, first);
  expect(batches.horizon).toBe(store.lastCommitted);
  expect(batches.horizon).toBeGreaterThan(before!);
  batches.remove(database, second);
  expect(batches.horizon).toBeUndefined();
});

test('a batch ends with its time, a fraction of a second after it was created', async () => {
  const { batches } = server.leader;
  await batches.create(server.database, 0.25);
  clock.advance(249);
  expect(batches.horizon).toBeDefined();
  clock.advance(1);
  expect(batches.horizon).toBeUndefined();
});

test('a time to live beyond all bounds does not hold for ever', async () => {
  const { batches } = server.leader;
  await batches.create(server.database, Infinity);
  clock.advance(25 * 24 * 3600 * 1000);
  expect(batches.horizon).toBeUndefined();
});

test('the batches of a dropped database hold nothing back', async () => {
  const other = await server.databases.create('other');
  await server.leader.batches.create(other, 1000);
  await server.databases.drop('other');
  expect(server.leader.batches.horizon).toBeUndefined();
});

test('expired batches are forgotten without anyone asking, and nothing ticks on after that', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { batches } = server.leader;
    await batches.create(server.database, 5);
    await batches.create(server.database, 8);
    expect(vi.getTimerCount()).toBe(1);
    clock.advance(5000);
    vi.advanceTimersByTime(5000);
    expect(vi.getTimerCount()).toBe(1);
    clock.advance(3000);
    vi.advanceTimersByTime(3000);
    expect(vi.getTimerCount()).toBe(0);
    expect(batches.horizon).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});

test('closing ends all batches and the timer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { batches } = server.leader;
    await batches.create(server.database, 5);
    batches.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(batches.horizon).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});
