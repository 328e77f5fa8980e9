import { afterEach, describe, expect, test } from 'vitest';
import { SampleRing } from '../../src/http/sample-ring.ts';
import { RunningServers } from '../support/running-servers.ts';
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
