import { afterEach, describe, expect, test, vi } from 'vitest';
import { deferred } from '../../src/base/deferred.ts';
import { LeaderClient } from '../../src/follower/leader-client.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';

interface Verified {
  readonly equal: boolean;
  readonly collections: readonly { readonly name: string; readonly result: string }[];
}

const VERIFY = '/_api/replication/verify';

describe('verify over HTTP', () => {
  const open: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
  });

  async function pair(): Promise<{ leader: StartedServer; follower: StartedServer }> {
    const servers = await RunningServers.open();
    open.push(servers);
    const leader = await servers.start('leader');
    const follower = await servers.start('follower');
    await leader.send('PUT', '/_api/replication/logger-start');
    for (const name of ['people', 'things'])
      await leader.send('POST', '/_api/collection', { name });
    const lines = Array.from({ length: 500 }, (_, i) => JSON.stringify({ _key: `k${i}`, n: i }));
    const path = '/_api/import?collection=people&type=documents';
    await leader.send('POST', path, lines.join('\n'));
    return { leader, follower };
  }

  const verify = async (server: StartedServer, wait: number): Promise<Verified> =>
    (await server.send('PUT', VERIFY, { wait })) as unknown as Verified;

  test('finds a follower equal, and waits for what is on its way', async () => {
    const { leader, follower } = await pair();
    const { endpoint } = leader;
    await follower.send('PUT', '/_api/replication/make-follower', { endpoint });
    await leader.send('POST', '/_api/document?collection=people', { _key: 'late' });
    expect(await verify(follower, 20)).toEqual({
      equal: true,
      collections: [
        { name: 'people', result: 'equal', count: 501, leaderCount: 501 },
        { name: 'things', result: 'equal', count: 0, leaderCount: 0 },
      ],
    });
  });

  test('says of how many documents it is that they are equal, also when they have come just now', async () => {
    const { leader, follower } = await pair();
    const { endpoint } = leader;
    await follower.send('PUT', '/_api/replication/make-follower', { endpoint });
    await follower.send('PUT', '/_api/replication/applier-stop');
    await leader.send('POST', '/_api/document?collection=people', { _key: 'late' });
    const method = Object.getOwnPropertyDescriptor(LeaderClient.prototype, 'checksum');
    const checksum = method?.value as LeaderClient['checksum'];
    const asked = vi.spyOn(LeaderClient.prototype, 'checksum');
    asked.mockImplementation(async function (this: LeaderClient, name, signal) {
      const there = await checksum.call(this, name, signal);
      await follower.send('PUT', '/_api/replication/applier-start');
      await vi.waitFor(() => follower.send('GET', '/_api/document/people/late'), 10_000);
      return there;
    });
    const { collections } = await verify(follower, 0);
    expect(collections[0]).toEqual({
      name: 'people',
      result: 'equal',
      count: 501,
      leaderCount: 501,
    });
  });

  test('says meanwhile how many documents are read, and on which side', async () => {
    const { leader, follower } = await pair();
    const { endpoint } = leader;
    await follower.send('PUT', '/_api/replication/make-follower', { endpoint });
    expect(await leader.send('GET', '/_api/collection/people/works')).toMatchObject({ works: [] });
    const gate = deferred<undefined>();
    const checksum = vi.spyOn(LeaderClient.prototype, 'checksum');
    const method = Object.getOwnPropertyDescriptor(LeaderClient.prototype, 'checksumRead');
    const real = method?.value as LeaderClient['checksumRead'];
    const read = vi.spyOn(LeaderClient.prototype, 'checksumRead');
    checksum.mockImplementationOnce(async () => {
      await gate.promise;
      return '1';
    });
    read.mockImplementation(async function (this: LeaderClient, name, signal) {
      // It makes none, and says so.
      expect(await real.call(this, name, signal)).toBeUndefined();
      return { documentsDone: 400, documentsExpected: 500 };
    });
    const accepted = await fetch(`${follower.url}${VERIFY}`, {
      ...{ method: 'PUT', body: '{"wait":20}' },
      headers: { 'x-arango-async': 'store' },
    });
    const id = accepted.headers.get('x-arango-async-id') ?? '';
    const progress = (): Promise<unknown> => follower.send('GET', `/_api/job/${id}/progress`);
    await vi.waitFor(async () => {
      expect(await progress()).toMatchObject({
        sync: null,
        verify: {
          ...{ phase: 'comparing', collectionsDone: 0, collectionsExpected: 2 },
          // Four of five on one of two sides.
          ...{ documentsDone: 200, documentsExpected: 500 },
          collection: {
            name: 'people',
            side: 'leader',
            documentsDone: 400,
            documentsExpected: 500,
          },
        },
      });
    }, 10_000);
    checksum.mockRestore();
    gate.resolve(undefined);
    await vi.waitFor(async () => {
      expect(await progress()).toMatchObject({ done: true, verify: null });
    }, 20_000);
    expect(await follower.send('PUT', `/_api/job/${id}`)).toMatchObject({ equal: true });
  });

  test('says meanwhile that it compares again what differs so far', async () => {
    const { leader, follower } = await pair();
    const { endpoint } = leader;
    await follower.send('PUT', '/_api/replication/make-follower', { endpoint });
    await follower.send('PUT', '/_api/replication/applier-stop');
    await leader.send('POST', '/_api/document?collection=people', { _key: 'late' });
    const accepted = await fetch(`${follower.url}${VERIFY}`, {
      ...{ method: 'PUT', body: '{"wait":30}' },
      headers: { 'x-arango-async': 'store' },
    });
    const id = accepted.headers.get('x-arango-async-id') ?? '';
    const progress = (): Promise<unknown> => follower.send('GET', `/_api/job/${id}/progress`);
    await vi.waitFor(async () => {
      expect(await progress()).toMatchObject({
        verify: { phase: 'rechecking', collectionsDone: 0, collectionsExpected: 2 },
      });
    }, 10_000);
    await follower.send('PUT', '/_api/replication/applier-start');
    await vi.waitFor(async () => expect(await progress()).toMatchObject({ done: true }), 20_000);
    expect(await follower.send('PUT', `/_api/job/${id}`)).toMatchObject({ equal: true });
  });

  test('finds what differs although counts and revisions are the same, and what only one has', async () => {
    const { leader, follower } = await pair();
    const { endpoint } = leader;
    await follower.send('PUT', '/_api/replication/make-follower', { endpoint });
    await follower.send('PUT', '/_api/replication/applier-stop');
    const { _rev: rev } = await follower.send('GET', '/_api/document/people/k7');
    const line = { type: 2300, key: 'k7', rev, data: { _key: 'k7', _rev: rev, n: 8 } };
    const path = '/_api/replication/restore-data?collection=people&recycleIds=true';
    await follower.send('PUT', path, line);
    await follower.send('POST', '/_api/collection', { name: 'own' });
    await leader.send('POST', '/_api/collection', { name: 'newer' });
    const { equal, collections } = await verify(follower, 0);
    expect(equal).toBe(false);
    expect(collections.map(({ name, result }) => [name, result])).toEqual([
      ['newer', 'only on the leader'],
      ['own', 'only here'],
      ['people', 'different'],
      ['things', 'equal'],
    ]);
  });

  test('is refused where there is no leader, and says when the leader is not there', async () => {
    const { leader, follower } = await pair();
    await expect(verify(leader, 0)).rejects.toThrow(/400 .*1410/);
    const config = { endpoint: 'tcp://127.0.0.1:1', connectTimeout: 1 };
    await follower.send('PUT', '/_api/replication/applier-config', config);
    await expect(verify(follower, 0)).rejects.toThrow(/500 .*1400/);
  });
});
