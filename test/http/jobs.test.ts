import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { deferred } from '../../src/base/deferred.ts';
import { Jobs, type StoredAnswer } from '../../src/http/jobs.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { Answer } from '../support/http-server.ts';

const REQUEST = { method: 'GET', path: '/_api/version' };
const STORE = { 'x-arango-async': 'store' };

describe('requests that nobody waits for', () => {
  let server: LeaderServer;
  let gate: ReturnType<typeof deferred<undefined>>;
  beforeEach(async () => {
    gate = deferred<undefined>();
    server = await openLeaderServer({
      undocumented: ['/_api/replication/wait'],
      moreCommands: {
        wait: {
          methods: {
            PUT: async ({ ctx }) => {
              await gate.promise;
              ctx.status = 200;
              ctx.set('content-type', 'application/json; charset=utf-8');
              ctx.body = '{"waited":true}';
            },
          },
        },
      },
    });
  });
  afterEach(async () => {
    gate.resolve(undefined);
    await server[Symbol.asyncDispose]();
  });

  async function start(method: string, path: string, body?: unknown): Promise<string> {
    const answer = await server.request(method, path, { headers: STORE, body });
    expect([answer.status, answer.text]).toEqual([202, '']);
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    return answer.headers['x-arango-async-id'] as string;
  }

  async function fetched(id: string): Promise<Answer> {
    for (;;) {
      const answer = await server.request('PUT', `/_api/job/${id}`);
      if (answer.headers['x-arango-async-id'] !== undefined || answer.status !== 204) return answer;
      await sleep(5);
    }
  }

  async function list(state: string): Promise<unknown> {
    return (await server.request('GET', `/_api/job/${state}`)).json;
  }

  test('are answered later, once, as they would have been', async () => {
    const body = { name: 'boats' };
    const id = await start('POST', '/_api/collection', body);
    const answer = await fetched(id);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ name: 'boats', code: 200 });
    expect(answer.headers).toMatchObject({
      ...{ 'x-arango-async-id': id, server: 'ArangoDB' },
      ...{ location: '/_db/_system/_api/collection/boats' },
      'content-type': 'application/json; charset=utf-8',
    });
    expect(server.database.byName('boats')).toBeDefined();
    const again = await server.request('PUT', `/_api/job/${id}`);
    expect(again.json).toMatchObject({ code: 404, errorNum: 404 });
  });

  test('say how long they have run, and are done until they are fetched', async () => {
    const id = await start('PUT', '/_api/replication/wait');
    const running = await server.request('GET', `/_api/job/${id}/progress`);
    expect(running.json).toEqual({
      ...{ error: false, code: 200, id, done: false, sync: null, verify: null, works: [] },
      ...{ method: 'PUT', path: '/_api/replication/wait' },
      startedAt: expect.stringMatching(/^20.*Z$/) as string,
      secondsRunning: expect.any(Number) as number,
    });
    gate.resolve(undefined);
    await vi.waitFor(async () => {
      const { json } = await server.request('GET', `/_api/job/${id}/progress`);
      expect(json['done']).toBe(true);
    }, 10_000);
    await fetched(id);
    const gone = await server.request('GET', `/_api/job/${id}/progress`);
    expect(gone.json).toMatchObject({ code: 404, errorNum: 404 });
  });

  test('may end with an error, with a page, or with nothing', async () => {
    const failed = await fetched(await start('GET', '/_api/replication/dump?collection=none'));
    expect(failed.json).toMatchObject({ code: 404, errorNum: 1203 });
    const people = await server.collections.create(server.database, { name: 'people' });
    const path = '/_api/replication/dump?collection=people';
    const empty = await fetched(await start('GET', path));
    expect([empty.status, empty.text]).toEqual([204, '']);
    for (let i = 0; i < 500; i++) {
      await server.documents.insert(server.database, people, `{"_key":"k${i}"}`);
    }
    const page = await fetched(await start('GET', `${path}&chunkSize=1000000`));
    expect(page.text).toBe((await server.request('GET', `${path}&chunkSize=1000000`)).text);
    expect(page.headers).toMatchObject({
      ...{ 'x-arango-replication-checkmore': 'false' },
      'content-type': 'application/x-arango-dump; charset=utf-8',
    });
    expect(server.leader.pageMemory.usedBytes).toBe(0);
    const listed = await fetched(await start('GET', '/_api/document?collection=people'));
    expect(listed.json['documents']).toHaveLength(500);
  });

  test('belong to the database of their path, and their jobs to the server', async () => {
    await server.databases.create('other');
    const id = await start('POST', '/_db/other/_api/collection', { name: 'boats' });
    expect((await fetched(id)).status).toBe(200);
    expect(server.catalogue.get('other').byName('boats')).toBeDefined();
  });

  test('are pending until they are done', async () => {
    const id = await start('PUT', '/_api/replication/wait');
    expect(await list('pending')).toEqual([id]);
    expect(await list('done')).toEqual([]);
    for (const method of ['GET', 'PUT']) {
      const pending = await server.request(method, `/_api/job/${id}`);
      expect([pending.status, pending.text]).toEqual([204, '']);
      expect(pending.headers['x-arango-async-id']).toBeUndefined();
    }
    gate.resolve(undefined);
    await sleep(20);
    expect(await list('pending')).toEqual([]);
    expect(await list('done')).toEqual([id]);
    expect((await server.request('GET', '/_api/job/done?count=0')).json).toEqual([]);
    expect((await server.request('GET', `/_api/job/${id}`)).status).toBe(200);
    expect((await fetched(id)).json).toEqual({ waited: true });
  });

  test('go on when their answers are forgotten', async () => {
    const id = await start('POST', '/_api/collection', { name: 'boats' });
    expect((await server.request('DELETE', `/_api/job/${id}`)).json).toMatchObject({
      result: true,
    });
    expect((await server.request('DELETE', `/_api/job/${id}`)).status).toBe(404);
    expect((await server.request('PUT', `/_api/job/${id}`)).status).toBe(404);
    await expect.poll(() => server.database.byName('boats')).toBeDefined();
  });

  test('are forgotten together, all or those of before', async () => {
    const done = await start('GET', '/_api/version');
    await start('PUT', '/_api/replication/wait');
    await sleep(20);
    expect((await server.request('DELETE', '/_api/job/expired?stamp=5')).status).toBe(200);
    expect(await list('done')).toEqual([done]);
    expect((await server.request('DELETE', '/_api/job/expired?stamp=99999999999')).status).toBe(
      200,
    );
    expect(await list('done')).toEqual([]);
    expect(await list('pending')).toHaveLength(1);
    expect((await server.request('DELETE', '/_api/job/all')).status).toBe(200);
    expect(await list('pending')).toEqual([]);
    const bad = await server.request('DELETE', '/_api/job/expired');
    expect(bad.json).toMatchObject({ code: 400, errorNum: 400 });
  });

  test('without a wish to know leave no job', async () => {
    const answer = await server.request('POST', '/_api/collection', {
      headers: { 'x-arango-async': 'true' },
      body: { name: 'boats' },
    });
    expect([answer.status, answer.text]).toEqual([202, '']);
    expect(answer.headers['x-arango-async-id']).toBeUndefined();
    await expect.poll(() => server.database.byName('boats')).toBeDefined();
    expect([await list('done'), await list('pending')]).toEqual([[], []]);
  });

  test('are not made of other values of the header, nor of requests for jobs', async () => {
    for (const value of ['false', '1', '']) {
      const headers = { 'x-arango-async': value };
      expect((await server.request('GET', '/_api/version', { headers })).status).toBe(200);
    }
    for (const path of ['/_api/job/done', '/_db/_system/_api/job/done']) {
      expect((await server.request('GET', path, { headers: STORE })).status).toBe(200);
    }
  });

  test('have bodies of at most 1 MiB, whether they say how long they are or not', async () => {
    const body = `{"name":"boats"${' '.repeat(1024 * 1024)}}`;
    for (const sent of [body, Readable.from([Buffer.from(body)])]) {
      const options = { headers: STORE, body: sent };
      const refused = await server.request('POST', '/_api/collection', options);
      expect([refused.status, refused.json['errorNum']]).toEqual([413, 1216]);
    }
    expect(await list('pending')).toEqual([]);
  });

  test.each(['4711', 'x', '..'])('know no job %s', async (id) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const { status } = await server.request(method, `/_api/job/${encodeURIComponent(id)}`);
      expect(status).toBe(404);
    }
  });

  test('know no other method', async () => {
    expect((await server.request('POST', '/_api/job/1')).status).toBe(405);
    expect((await server.request('PATCH', '/_api/job/1')).status).toBe(405);
  });

  test('are refused when too many run', async () => {
    for (let i = 0; i < 64; i++) await start('PUT', '/_api/replication/wait');
    // The document says so of all requests together.
    const options = { headers: STORE, undocumented: true };
    const refused = await server.request('GET', '/_api/version', options);
    expect(refused.json).toMatchObject({ code: 400, errorNum: 32 });
    gate.resolve(undefined);
    await sleep(50);
    await start('GET', '/_api/version');
  });
});

describe('the keeping of answers', () => {
  const answerOf = (body: string): StoredAnswer => ({
    ...{ status: 200, headers: [], body: Buffer.from(body) },
  });

  async function run(jobs: Jobs, body: string): Promise<string> {
    const id = jobs.start(() => Promise.resolve(answerOf(body)), {
      isKept: true,
      request: REQUEST,
    });
    await jobs.settled();
    return id;
  }

  test('ends with their age', async () => {
    const clock = new ManualClock();
    const jobs = new Jobs({ clock, logger: silentLogger }, { maxAgeMs: 1000 });
    const id = await run(jobs, 'x');
    clock.advance(1000);
    expect(jobs.isDone(id)).toBe(true);
    clock.advance(1);
    expect(() => jobs.isDone(id)).toThrow(expect.objectContaining({ kind: 'notFound' }));
  });

  test('is bounded in number and bytes; the oldest go first, and the newest stays', async () => {
    const clock = new ManualClock();
    const jobs = new Jobs({ clock, logger: silentLogger }, { maxStored: 3, maxStoredBytes: 10 });
    const ids: string[] = [];
    for (const body of ['1', '2', '3', '4']) {
      ids.push(await run(jobs, body));
      clock.advance(1);
    }
    expect(jobs.list('done', 10)).toEqual(ids.slice(1));
    const large = await run(jobs, 'x'.repeat(9));
    expect(jobs.list('done', 10)).toEqual([ids[3], large]);
    clock.advance(1);
    const huge = await run(jobs, 'x'.repeat(99));
    expect(jobs.list('done', 10)).toEqual([huge]);
    expect(jobs.fetch(huge)?.body).toHaveLength(99);
  });

  test('forgets a request that broke off', async () => {
    const jobs = new Jobs({ clock: new ManualClock(), logger: silentLogger });
    const id = jobs.start(() => Promise.reject(new Error('broken off')), {
      isKept: true,
      request: REQUEST,
    });
    await jobs.settled();
    expect(() => jobs.fetch(id)).toThrow(expect.objectContaining({ kind: 'notFound' }));
  });

  test('waits for those that run', async () => {
    const jobs = new Jobs({ clock: new ManualClock(), logger: silentLogger });
    const { promise, resolve } = deferred<StoredAnswer>();
    const id = jobs.start(() => promise, { isKept: true, request: REQUEST });
    let isSettled = false;
    const settled = jobs.settled().then(() => {
      isSettled = true;
    });
    await sleep(10);
    expect(isSettled).toBe(false);
    resolve(answerOf('x'));
    await settled;
    expect(jobs.isDone(id)).toBe(true);
  });
});
