import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { FollowClients } from '../../src/leader/clients.ts';
import { type FollowPage, LogFollow } from '../../src/leader/follow.ts';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

let server: LeaderServer;
beforeEach(async () => {
  server = await openLeaderServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const DUMP_TYPE = 'application/x-arango-dump; charset=utf-8';
const BAD_RANGE = {
  error: true,
  errorMessage: 'invalid from/to values',
  code: 400,
  errorNum: 400,
};

async function create(name: string, type: 2 | 3 = 2): Promise<Collection> {
  return server.collections.create(server.database, { name, type });
}

async function insert(collection: Collection, key: string, value = '1'): Promise<string> {
  const body = `{"_key":"${key}","v":${value}}`;
  return (await server.documents.insert(server.database, collection, body)).rev;
}

async function state(): Promise<Record<string, unknown>> {
  return (await server.get('logger-state')).json['state'] as Record<string, unknown>;
}

async function lastLogTick(): Promise<string> {
  return (await state())['lastLogTick'] as string;
}

/** The replication headers of an answer, without their common beginning. */
function headersOf(answer: Answer): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    const short = /^x-(?:arango-replication|ticklog)-(.*)$/.exec(name)?.[1];
    if (short !== undefined) found[short] = value;
  }
  return found;
}

describe('logger-follow', () => {
  test('of a logger that never ran is 204 with zeros, and without a body', async () => {
    const answer = await server.get('logger-follow?from=0');
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(answer.headers['content-type']).toBe(DUMP_TYPE);
    expect(answer.headers['content-length']).toBe('0');
    expect(headersOf(answer)).toEqual({
      checkmore: 'false',
      lastincluded: '0',
      lasttick: '0',
      lastscanned: '0',
      active: 'false',
      frompresent: 'true',
      incarnation: server.store.incarnation.id,
      seal: expect.stringMatching(/^\d+$/) as unknown,
    });
  });

  test('from the newest tick, or beyond it, is 204 (9.6 row 3)', async () => {
    await server.put('logger-start');
    const last = await lastLogTick();
    for (const from of [last, (BigInt(last) + 1000n).toString(), '-1', '18446744073709551615']) {
      const answer = await server.get(`logger-follow?from=${from}`);
      expect(answer.status).toBe(204);
      expect(answer.text).toBe('');
      expect(answer.headers['content-type']).toBe(DUMP_TYPE);
      expect(headersOf(answer)).toMatchObject({
        checkmore: 'false',
        lastincluded: '0',
        lasttick: last,
        active: 'true',
      });
    }
  });

  test('shows a new collection as one line (9.6 row 4)', async () => {
    await server.put('logger-start');
    const from = await lastLogTick();
    const { cid } = await server.collections.create(server.database, {
      name: 'people',
      waitForSync: true,
    });
    const { status, lines } = await server.get(`logger-follow?from=${from}`);
    expect(status).toBe(200);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ type: 2000, cid, cname: 'people' });
    expect(lines[0]!['collection']).toEqual({
      version: 4,
      type: 2,
      cid,
      deleted: false,
      doCompact: true,
      maximalSize: 33554432,
      name: 'people',
      isVolatile: false,
      waitForSync: true,
    });
  });

  test('shows create, insert, remove and drop as four lines (9.6 row 5)', async () => {
    await server.put('logger-start');
    const from = await lastLogTick();
    const people = await create('people');
    const rev = await insert(people, 'a');
    await server.documents.remove(server.database, people, 'a');
    await server.collections.drop(server.database, people);
    const { lines, text } = await server.get(`logger-follow?from=${from}`);
    expect(lines.map(({ type }) => type)).toEqual([2000, 2300, 2302, 2001]);
    const names = { cid: people.cid, cname: 'people' };
    expect(lines[1]).toMatchObject({ ...names, key: 'a', rev });
    expect(lines[1]!['data']).toEqual({ _key: 'a', _rev: rev, v: 1 });
    expect(lines[1]).not.toHaveProperty('oldRev');
    expect(lines[2]).toMatchObject({ ...names, key: 'a', oldRev: rev });
    expect(lines[2]!['rev']).not.toBe(rev);
    expect(lines[2]).not.toHaveProperty('data');
    expect(lines[3]).toEqual({ tick: lines[3]!['tick'], type: 2001, ...names });
    expect(text.endsWith('}\n')).toBe(true);
    expect(text).not.toContain('\n\n');
  });

  test('never shows excluded collections', async () => {
    await server.put('logger-start');
    const from = await lastLogTick();
    const users = await create('_users');
    await insert(users, 'root');
    expect((await server.get(`logger-follow?from=${from}`)).status).toBe(204);
  });

  test('headers tell what the page holds', async () => {
    await server.put('logger-start');
    const people = await create('people');
    await insert(people, 'a', '"äöü"');
    const last = await lastLogTick();
    const answer = await server.get('logger-follow');
    const headers = headersOf(answer);
    expect(headers).toMatchObject({
      checkmore: 'false',
      lastincluded: last,
      lastscanned: last,
      lasttick: last,
      active: 'true',
      crc32: String(crc32(answer.text)),
      incarnation: server.store.incarnation.id,
    });
    expect(Math.abs(Number(headers['committed-at']) - Date.now())).toBeLessThan(10_000);
    expect(answer.headers['content-type']).toBe(DUMP_TYPE);
  });

  test('works while the logger is stopped', async () => {
    await server.put('logger-start');
    await server.put('logger-stop');
    const answer = await server.get('logger-follow?wait=0');
    expect(answer.lines).toHaveLength(2);
    expect(headersOf(answer)).toMatchObject({ active: 'false' });
  });

  test('chunkSize is checked after each line, and pages join up without gap or overlap', async () => {
    await server.put('logger-start');
    const people = await create('people');
    for (let i = 0; i < 20; i++) await insert(people, `k${i}`);
    const whole = await server.get('logger-follow');
    const first = await server.get('logger-follow?chunkSize=1');
    expect(first.lines).toHaveLength(1);
    expect(headersOf(first)).toMatchObject({ checkmore: 'true' });
    for (const chunkSize of [1, 300, 301, 1000]) {
      let text = '';
      let from = '0';
      for (let more = true; more;) {
        const page = await server.get(`logger-follow?from=${from}&chunkSize=${chunkSize}`);
        const lines = page.text.split('\n');
        const lastLine = `${lines[lines.length - 2]!}\n`;
        expect(page.text.length - lastLine.length).toBeLessThanOrEqual(chunkSize);
        text += page.text;
        from = page.headers['x-arango-replication-lastincluded'] as string;
        more = page.headers['x-arango-replication-checkmore'] === 'true';
      }
      expect(text).toBe(whole.text);
    }
  });

  test.each(['0', 'abc', ''])('chunkSize=%s gives one line a page', async (chunkSize) => {
    await server.put('logger-start');
    await create('people');
    expect((await server.get(`logger-follow?chunkSize=${chunkSize}`)).lines).toHaveLength(1);
  });

  test('from is exclusive, to inclusive, and checkmore is about the log and not about to', async () => {
    await server.put('logger-start');
    for (const name of ['a', 'b', 'c']) await create(name);
    const all = (await server.get('logger-follow')).lines;
    const [, second, third] = all.map(({ tick }) => tick as string);
    const part = await server.get(`logger-follow?from=${second!}&to=${third!}`);
    expect(part.lines).toEqual([all[2]]);
    expect(headersOf(part)).toMatchObject({ lastincluded: third, checkmore: 'true' });
    expect((await server.get(`logger-follow?from=${second!}&to=${second!}&wait=5`)).status).toBe(
      204,
    );
    expect((await server.get(`logger-follow?from=${second!}xyz`)).lines).toEqual(all.slice(2));
    expect((await server.get(`logger-follow?from=0&from=${third!}`)).lines).toEqual(all.slice(3));
    // As 1.4.3 reads it: as far as it is a number, else 0.
    expect((await server.get('logger-follow?from=abc&barrier=7&firstRegularTick=9')).lines).toEqual(
      all,
    );
  });

  test.each(['from=2&to=1', 'from=0&to=0', 'to=0', 'to=abc'])('%s is 400/400', async (query) => {
    const { status, json } = await server.get(`logger-follow?${query}`);
    expect([status, json]).toEqual([400, BAD_RANGE]);
  });
});

describe('logger-follow with filters', () => {
  async function someEvents(): Promise<{ from: string; last: string }> {
    await server.put('logger-start');
    const from = await lastLogTick();
    const people = await create('people');
    const mysys = await create('_mysys');
    await insert(people, 'a');
    await insert(mysys, 's');
    await server.collections.truncate(server.database, people);
    await server.collections.drop(server.database, mysys);
    return { from, last: await lastLogTick() };
  }

  test('includeSystem=false leaves out system collections, dropped ones too', async () => {
    const { from, last } = await someEvents();
    const whole = await server.get(`logger-follow?from=${from}`);
    expect(whole.lines.map(({ type }) => type)).toEqual([
      2000, 2000, 2300, 2300, 2200, 2302, 2201, 2001,
    ]);
    const part = await server.get(`logger-follow?from=${from}&includeSystem=false`);
    expect(part.lines).toEqual(
      whole.lines.filter(({ cname }) => (cname as string | undefined) !== '_mysys'),
    );
    expect(headersOf(part)).toMatchObject({ lastscanned: last, checkmore: 'false' });
    expect(headersOf(part)['lastincluded']).not.toBe(last);
  });

  test('collection takes a name or an id, and keeps the frames of transactions', async () => {
    const { from } = await someEvents();
    const whole = await server.get(`logger-follow?from=${from}`);
    const { cid } = server.database.byName('people')!;
    for (const ref of ['people', cid]) {
      const part = await server.get(`logger-follow?from=${from}&collection=${ref}`);
      expect(part.lines).toEqual(
        whole.lines.filter((line) => line['cname'] === 'people' || 'collections' in line),
      );
    }
  });

  test.each(['nosuch', '4711', ''])(
    'collection=%s, which is unknown, is 404/1203',
    async (name) => {
      const { status, json } = await server.get(`logger-follow?collection=${name}`);
      expect([status, json]).toEqual([
        404,
        { error: true, errorMessage: 'collection not found', code: 404, errorNum: 1203 },
      ]);
    },
  );

  test('checkmore stays true while lines are left out at the end of a page, and all come', async () => {
    await server.put('logger-start');
    const people = await create('people');
    const others = await create('others');
    for (let i = 0; i < 10; i++) {
      await insert(people, `k${i}`);
      await insert(others, `k${i}`);
    }
    const keys: unknown[] = [];
    let from = '0';
    for (let more = true; more;) {
      const page = await server.get(`logger-follow?from=${from}&chunkSize=1&collection=people`);
      expect(page.lines).toHaveLength(1);
      keys.push(page.lines[0]!['key']);
      const headers = headersOf(page);
      from = headers['lastscanned'] as string;
      more = headers['checkmore'] === 'true';
      if (keys.length === 11) break;
    }
    expect(keys).toEqual([undefined, ...Array.from({ length: 10 }, (_, i) => `k${i}`)]);
    const rest = await server.get(`logger-follow?from=${from}&collection=people`);
    expect(rest.status).toBe(204);
    expect(headersOf(rest)).toMatchObject({
      lastincluded: '0',
      checkmore: 'false',
      lastscanned: await lastLogTick(),
    });
  });
});

/** Nothing is kept for it, and nothing it needs is gone. */
const AT_HOME = { retainedBytes: 0, lost: false };

describe('the list of clients', () => {
  test('has who named a server id, with the last answer it got (contract 2.4)', async () => {
    await server.put('logger-start');
    const last = await lastLogTick();
    await server.get('logger-follow?serverId=0');
    await server.get('logger-follow?serverId=abc');
    await server.get('logger-follow');
    await server.get('logger-state?serverId=99');
    expect((await server.get('logger-state')).json['clients']).toEqual([]);
    await server.get('logger-follow?serverId=4711');
    await server.get(`logger-follow?serverId=4712&from=${last}`);
    const time = expect.stringMatching(TIME) as string;
    expect((await server.get('logger-state')).json['clients']).toEqual([
      { serverId: '4711', lastServedTick: last, time, from: '0', ...AT_HOME },
      { serverId: '4712', lastServedTick: '0', time, from: last, ...AT_HOME },
    ]);
    await server.get(`logger-follow?serverId=4711&from=${last}`);
    expect((await server.get('logger-state')).json['clients']).toEqual([
      { serverId: '4712', lastServedTick: '0', time, from: last, ...AT_HOME },
      { serverId: '4711', lastServedTick: '0', time, from: last, ...AT_HOME },
    ]);
  });

  test('is kept per database', async () => {
    await server.databases.create('other');
    await server.get('logger-follow?serverId=4711');
    const other = await server.call('GET', '/_db/other/_api/replication/logger-state');
    expect(other.json['clients']).toEqual([]);
  });
});

describe('a log that is mostly left out', () => {
  test('is read in several requests, each going on where the one before ended', async () => {
    await server.put('logger-start');
    const others = await create('others');
    const people = await create('people');
    const from = BigInt(await lastLogTick());
    // One block each, more than one reading takes.
    for (let i = 0; i < 4200; i++) await insert(others, `k${i}`);
    await insert(people, 'a');
    const { store, clock, leader, database } = server;
    const deps = { store, clock, clients: new FollowClients(), memory: leader.pageMemory };
    const follow = new LogFollow(deps, { scanMs: 0 });
    const { signal } = new AbortController();
    const read = (position: bigint, reader: LogFollow): Promise<FollowPage> =>
      reader.read(
        database,
        {
          ...{ from: position, to: 2n ** 63n, chunkSize: 16_384, waitMs: 0 },
          ...{ includeSystem: true, collection: 'people', serverId: 0n },
          ...{
            shape: 'stored' as const,
            firstRegularTick: 0n,
            openTransactions: new Set<bigint>(),
          },
        },
        signal,
      );
    const first = await read(from, follow);
    first.release();
    expect([first.body.length, first.lastIncluded, first.checkMore]).toEqual([0, 0n, false]);
    expect(first.lastScanned).toBeGreaterThan(from);
    expect(first.lastScanned).toBeLessThan(first.lastTick);
    const second = await read(first.lastScanned, follow);
    second.release();
    expect(second.body.toString()).toContain('"key":"a"');
    expect(second.lastScanned).toBe(second.lastTick);
    // With more time it is all one.
    const whole = await read(from, leader.follow);
    whole.release();
    expect(whole.body.toString()).toBe(second.body.toString());
  });
});
