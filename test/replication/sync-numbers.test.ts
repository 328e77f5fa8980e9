import { describe, expect, it, vi } from 'vitest';
import { startLogger } from '../../src/documents/databases.ts';
import type { SyncNumbers } from '../../src/model/sync-numbers.ts';
import { openHttpFollower } from '../support/http-follower.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { LeaderScript, json, loggerState, page } from '../support/leader-script.ts';
import { SyncFollower } from '../support/sync-follower.ts';

const DOCUMENTS = 40;
const LINE = '{"tick":"9","type":2300,"key":"a","rev":"9","data":{"_key":"a"}}';

async function openLeader(): Promise<LeaderServer> {
  const leader = await openLeaderServer();
  await startLogger(leader.store, leader.database);
  for (const name of ['aa', 'bb']) {
    const collection = await leader.collections.create(leader.database, { name });
    for (let i = 0; i < DOCUMENTS; i++) {
      await leader.documents.insert(leader.database, collection, `{"_key":"k${i}","n":${i}}`);
    }
  }
  return leader;
}

/** Numbers as of each request for a page. */
function watch(follower: SyncFollower): SyncNumbers[] {
  const seen: SyncNumbers[] = [];
  follower.client.onDump = () => {
    const view = follower.syncer.view(follower.database);
    if (view) seen.push(view.numbers);
  };
  return seen;
}

describe('the numbers of a sync', () => {
  it('grow to what the leader said to expect', async () => {
    await using leader = await openLeader();
    await using follower = await SyncFollower.open({ endpoint: `tcp://127.0.0.1:${leader.port}` });
    const seen = watch(follower);
    await follower.sync({ chunkSizeBytes: 800 });
    const bytes = leader.database.get('aa').stats.bytes + leader.database.get('bb').stats.bytes;
    for (const each of seen) {
      expect(each).toMatchObject({
        ...{ collectionsExpected: 2, documentsExpected: 2 * DOCUMENTS, bytesExpected: bytes },
        ...{ phase: 'copying', resumedFrom: null },
      });
    }
    const [first] = seen;
    const last = seen.at(-1);
    expect(first).toMatchObject({ collectionsDone: 0, documentsDone: 0, bytesDone: 0 });
    expect(first?.collection).toEqual({ id: leader.database.get('aa').cid, name: 'aa' });
    expect(first?.collections.map(({ status }) => status)).toEqual(['copying', 'waiting']);
    expect(last?.collectionsDone).toBe(1);
    expect(last?.collections[0]).toMatchObject({ status: 'done', documentsDone: DOCUMENTS });
    expect(last?.documentsDone).toBeGreaterThan(DOCUMENTS);
    expect(last?.bytesPerSecond).toBeGreaterThan(0);
    expect(last?.secondsLeft).toEqual(expect.any(Number));
    const done = seen.map(({ bytesDone }) => bytesDone);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(follower.syncer.view(follower.database)).toBeUndefined();
  });

  it('begin with what a sync that was broken off had copied', async () => {
    await using leader = await openLeader();
    const endpoint = `tcp://127.0.0.1:${leader.port}`;
    await using follower = await SyncFollower.open({ endpoint }, { fetchRetries: 0 });
    follower.client.onDump = (_request, n) => {
      if (n > 4) throw new Error('the wire broke');
    };
    await expect(follower.sync({ chunkSizeBytes: 800 })).rejects.toThrow();
    await follower.restart();
    const seen = watch(follower);
    await follower.sync({ chunkSizeBytes: 800 });
    const [first] = seen;
    expect(first?.resumedFrom?.collections).toBe(1);
    expect(first?.resumedFrom?.documents).toBeGreaterThan(0);
    expect(first?.documentsDone).toBe(first?.resumedFrom?.documents);
    expect(first?.bytesDone).toBe(first?.resumedFrom?.bytes);
    expect(first?.documentsPerSecond).toBe(0);
  });

  it('are followed by those of the tailing', async () => {
    await using leader = await openLeader();
    const follower = await openHttpFollower();
    const body = { endpoint: `tcp://127.0.0.1:${leader.port}` };
    await follower.send('PUT', 'make-follower', body);
    const state = await follower.until(({ phase }) => phase === 'tailing');
    expect(state).not.toHaveProperty('sync');
    await vi.waitFor(async () => {
      const { json: shown } = await follower.send('GET', 'applier-state');
      expect(shown['state']).toMatchObject({
        following: { eventsPerSecond: expect.any(Number) as number, secondsLeft: 0 },
      });
    }, 10_000);
  });

  it('are seen in the state of the applier and in the job, also of a leader that tells little', async () => {
    await using leader = await LeaderScript.open();
    leader
      .always('GET logger-state', loggerState())
      .always('POST batch', json({ id: '77' }))
      .always('DELETE batch/77', { status: 204 })
      .always('GET inventory', () =>
        json({
          collections: [
            {
              parameters: { cid: '501', name: 'orders', type: 2, version: 4, deleted: false },
              indexes: [],
            },
          ],
          state: { running: true, lastLogTick: '1000' },
          tick: '1001',
        }),
      )
      .always('GET dump', { ...page([LINE]), delayMs: 500 });
    const { server } = await openHttpFollower();
    const accepted = await server.request('PUT', '/_api/replication/sync', {
      body: { endpoint: leader.endpoint },
      headers: { 'x-arango-async': 'store' },
    });
    const id = accepted.headers['x-arango-async-id'] as string;
    const numbers = {
      ...{ endpoint: leader.endpoint, since: expect.stringMatching(/^20/) as string },
      ...{ phase: 'copying', collection: { id: '501', name: 'orders' } },
      ...{ collectionsDone: 0, collectionsExpected: 1 },
      ...{ documentsDone: 0, documentsExpected: null, bytesDone: 0, bytesExpected: null },
      secondsLeft: null,
    };
    await vi.waitFor(async () => {
      const job = await server.request('GET', `/_api/job/${id}/progress`);
      expect(job.json).toMatchObject({ done: false, sync: numbers });
    }, 10_000);
    const state = await server.request('GET', '/_api/replication/applier-state');
    expect(state.json['state']).toMatchObject({
      ...{ running: false, phase: 'syncing', sync: numbers },
      progress: { message: expect.stringContaining("'orders'") as string },
    });
    await vi.waitFor(async () => {
      const job = await server.request('GET', `/_api/job/${id}/progress`);
      expect(job.json).toMatchObject({ done: true, sync: null });
    }, 10_000);
    const after = await server.request('GET', '/_api/replication/applier-state');
    expect(after.json['state']).not.toHaveProperty('sync');
  });
});
