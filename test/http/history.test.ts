import { afterEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Database } from '../../src/documents/database.ts';
import type { Appliers } from '../../src/follower/appliers.ts';
import type { InitialSyncer } from '../../src/follower/initial-syncer.ts';
import { SampleRing } from '../../src/http/sample-ring.ts';
import { Sampler } from '../../src/http/sampler.ts';
import type { LeaderLogger } from '../../src/leader/logger.ts';
import { RunningServers } from '../support/running-servers.ts';
import { TestCore } from '../support/store.ts';
import { sleep } from '../../src/base/sleep.ts';

describe('a ring of samples', () => {
  test('keeps the newest in their order, and what is unknown as null', () => {
    const ring = new SampleRing(['a', 'b'], 3);
    for (let i = 1; i <= 5; i++) ring.add(i * 1000, { a: i, b: i % 2 === 0 ? null : -i });
    const all = { times: [3000, 4000, 5000], series: { a: [3, 4, 5], b: [-3, null, -5] } };
    expect(ring.after(0)).toEqual(all);
    expect(ring.after(4000)).toEqual({ times: [5000], series: { a: [5], b: [-5] } });
    expect(ring.after(5000)).toEqual({ times: [], series: { a: [], b: [] } });
  });

  test('is empty before the first', () => {
    expect(new SampleRing(['a'], 3).after(0)).toEqual({ times: [], series: { a: [] } });
  });
});

interface History {
  readonly interval: number;
  readonly times: number[];
  readonly series: Readonly<Record<string, (number | null)[]>>;
}

describe('the history of a database', () => {
  const open: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
  });

  test('tells what was logged a second, and only what is newer than asked for', async () => {
    const servers = await RunningServers.open();
    open.push(servers);
    const server = await servers.start('leader');
    const send: typeof server.send = (...args) => server.send(...args);
    const history = async (path: string): Promise<History> =>
      (await send('GET', path)) as unknown as History;
    await send('PUT', '/_api/replication/logger-start');
    await send('POST', '/_api/collection', { name: 'c' });
    await send('POST', '/_api/database', { name: 'other' });
    for (let i = 0; (await history('/_admin/history')).times.length < 1; i++) {
      expect(i).toBeLessThan(100);
      await send('POST', '/_api/document?collection=c', {});
      await sleep(100);
    }
    const first = await history('/_admin/history');
    await send('POST', '/_api/document?collection=c', { more: true });
    await sleep(first.interval * 1000 + 200);
    const { times, series } = await history(`/_admin/history?since=${first.times.at(-1)}`);
    expect(times.length).toBeGreaterThan(0);
    expect(times[0]).toBeGreaterThan(first.times.at(-1)!);
    expect(Math.max(...first.series['loggedEvents']!.map(Number))).toBeGreaterThan(1);
    const logged = series['loggedEvents']!.map(Number);
    expect(Math.max(...logged)).toBeGreaterThan(0);
    expect(series['secondsBehind']).toEqual(times.map(() => null));
    expect(series['followerTicksBehind']).toEqual(times.map(() => null));
    const elsewhere = await history('/_db/other/_admin/history');
    expect(elsewhere.series['loggedEvents']!.every((each) => each === 0)).toBe(true);
  });
});

describe('a server of many databases', () => {
  const clock = systemClock;

  async function openMany(): Promise<TestCore> {
    const core = await TestCore.open({ clock });
    for (let i = 0; i < 60; i++) await core.databases.create(`d${i}`);
    return core;
  }

  function samplerOf(core: TestCore, databasesMax: number): Sampler {
    const state = { state: { totalEvents: 0 } };
    const deps = {
      ...{ catalogue: core.catalogue, clock },
      appliers: { of: () => ({ state: () => state, appliedBytes: 0 }) } as unknown as Appliers,
      syncer: { view: () => undefined } as unknown as InitialSyncer,
      logger: { followers: () => [] } as unknown as LeaderLogger,
    };
    return new Sampler(deps, { intervalMs: 30, databasesMax });
  }

  const count = (sampler: Sampler, database: Database): number =>
    sampler.history(database).times.length;

  test('has samples of all of them, taken some at a time', async () => {
    await using core = await openMany();
    const sampler = samplerOf(core, 100);
    sampler.start();
    await vi.waitFor(() => {
      const counts = core.catalogue.databases.map((each) => count(sampler, each));
      expect(Math.min(...counts)).toBeGreaterThan(1);
    }, 10_000);
    sampler.stop();
  });

  test('keeps those of as many as there is memory for: first of those that are looked at', async () => {
    await using core = await openMany();
    const sampler = samplerOf(core, 3);
    const [a, b] = ['d50', 'd51'].map((name) => core.catalogue.get(name));
    sampler.start();
    await vi.waitFor(() => {
      expect(count(sampler, a!)).toBeGreaterThan(1);
      expect(count(sampler, b!)).toBeGreaterThan(1);
    }, 10_000);
    await core.databases.drop('d51');
    const before = count(sampler, a!);
    await vi.waitFor(() => expect(count(sampler, a!)).toBeGreaterThan(before), 10_000);
    sampler.stop();
    const others = core.catalogue.databases.filter((each) => each !== a);
    const sampled = others.filter((each) => count(sampler, each) > 0);
    expect(sampled.length).toBeLessThan(3);
  });
});
