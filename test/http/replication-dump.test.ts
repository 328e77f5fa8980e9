import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

let server: LeaderServer;
beforeEach(async () => {
  server = await openLeaderServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const DUMP_TYPE = 'application/x-arango-dump; charset=utf-8';
const UNKNOWN_COLLECTION = {
  error: true,
  errorMessage: 'collection not found',
  code: 404,
  errorNum: 1203,
};

async function create(name: string, type: 2 | 3 = 2): Promise<Collection> {
  return server.collections.create(server.database, { name, type });
}

async function insert(collection: Collection, body: object): Promise<string> {
  const text = JSON.stringify(body);
  return (await server.documents.insert(server.database, collection, text)).rev;
}

async function insertMany(collection: Collection, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await insert(collection, { _key: `k${i}`, value: i });
}

function checkMore(answer: Answer): boolean {
  return answer.headers['x-arango-replication-checkmore'] === 'true';
}

function lastIncluded(answer: Answer): string {
  return answer.headers['x-arango-replication-lastincluded'] as string;
}

/** All pages of a dump, one after another as clients do. */
async function allPages(query: string): Promise<Answer[]> {
  const pages: Answer[] = [];
  let from = '0';
  for (;;) {
    const page = await server.get(`dump?${query}&from=${from}`);
    pages.push(page);
    if (!checkMore(page)) return pages;
    from = lastIncluded(page);
  }
}

describe('server-id', () => {
  test('is a number as text, the same as in logger-state and in every database', async () => {
    const { status, json } = await server.get('server-id');
    expect(status).toBe(200);
    expect(json).toEqual({ serverId: expect.stringMatching(/^[1-9]\d*$/) as string });
    await server.databases.create('other');
    const other = await server.call('GET', '/_db/other/_api/replication/server-id');
    expect(other.json).toEqual(json);
    expect((await server.get('logger-state')).json['server']).toMatchObject(json);
  });
});

describe('inventory', () => {
  test('without collections lists none (9.6 row 6)', async () => {
    await create('_mysys');
    const { status, json } = await server.get('inventory?includeSystem=false');
    expect(status).toBe(200);
    expect(json['collections']).toEqual([]);
    expect(json['tick']).toBe(server.store.lastCommitted.toString());
    expect(json['state']).toEqual({
      ...((await server.get('logger-state')).json['state'] as object),
      time: expect.stringMatching(/Z$/) as string,
    });
  });

  test('orders documents before edges, and then by name without regard to case', async () => {
    for (const name of ['Zebra', 'apple', '_mysys', '_users', 'Banana', 'apple2', 'APPLE']) {
      await create(name);
    }
    for (const name of ['knows', 'Has', '_edges']) await create(name, 3);
    const names = async (query: string): Promise<string[]> => {
      const { json } = await server.get(`inventory${query}`);
      const collections = json['collections'] as { parameters: { name: string } }[];
      return collections.map(({ parameters }) => parameters.name);
    };
    const own = ['APPLE', 'apple', 'apple2', 'Banana', 'Zebra', 'Has', 'knows'];
    expect(await names('')).toEqual(own);
    expect(await names('?includeSystem=maybe')).toEqual(own);
    const all = ['_mysys', ...own.slice(0, 5), '_edges', 'Has', 'knows'];
    for (const value of ['true', '1', 'YES', 'on', 'y']) {
      expect(await names(`?includeSystem=${value}`)).toEqual(all);
    }
  });

  test('shows parameters, indexes in the order of creation, and our additions (9.6 row 7)', async () => {
    const people = await create('people');
    const indexes: Record<string, unknown>[] = [
      { type: 'cap', size: 9991, byteSize: 0 },
      { type: 'hash', unique: false, fields: ['name'] },
      { type: 'skiplist', unique: true, fields: ['a', 'b'] },
      { type: 'geo2', fields: ['lat', 'lon'] },
      { type: 'fulltext', minLength: 8, fields: ['text'] },
    ];
    for (const index of indexes) {
      await server.collections.createIndex(server.database, people, index);
    }
    await insert(people, { _key: 'a', a: 1, b: 2 });
    await insert(people, { _key: 'b', a: 2, b: 2 });
    await server.documents.remove(server.database, people, 'a');
    const { json } = await server.get('inventory');
    const [entry] = json['collections'] as Record<string, unknown>[];
    expect(entry).toEqual({
      parameters: {
        version: 4,
        type: 2,
        cid: people.cid,
        deleted: false,
        doCompact: true,
        maximalSize: 33554432,
        name: 'people',
        isVolatile: false,
        waitForSync: false,
      },
      indexes: [
        expect.objectContaining({ type: 'cap', unique: false, size: 9991, byteSize: 0 }),
        expect.objectContaining({ type: 'hash', unique: false, fields: ['name'] }),
        expect.objectContaining({ type: 'skiplist', unique: true, fields: ['a', 'b'] }),
        expect.objectContaining({ type: 'geo2', unique: false, fields: ['lat', 'lon'] }),
        expect.objectContaining({ type: 'fulltext', minLength: 8, fields: ['text'] }),
      ],
      ticklog: {
        deletionsSince: people.deletionsSince.toString(),
        count: 1,
        bytes: Buffer.byteLength((await server.get('dump?collection=people')).text),
      },
    });
    for (const { id } of entry!['indexes'] as { id: unknown }[]) expect(id).toMatch(/^\d+$/);
  });

  test('passes over dropped collections, further segments, and batchId', async () => {
    await create('keep');
    await server.collections.drop(server.database, await create('gone'));
    const { json } = await server.get('inventory/foo?batchId=4711&serverId=5');
    expect(json['collections']).toHaveLength(1);
  });

  test('is one cut: what it lists holds at its tick and at its log position', async () => {
    await server.put('logger-start');
    const people = await create('people');
    const writing = Promise.all(
      Array.from({ length: 300 }, (_, i) => insert(people, { _key: `k${i}` })),
    );
    const { json } = await server.get('inventory');
    await writing;
    const { lastLogTick } = json['state'] as { lastLogTick: string };
    const [entry] = json['collections'] as { ticklog: { count: number } }[];
    const { count } = entry!.ticklog;
    const dumped = await allPages(
      `collection=people&chunkSize=1000000&to=${json['tick'] as string}`,
    );
    expect(dumped.flatMap(({ lines }) => lines)).toHaveLength(count);
    const logged = await server.get(`logger-follow?to=${lastLogTick}&chunkSize=1000000`);
    expect(logged.lines.filter(({ type }) => type === 2300)).toHaveLength(count);
    expect(BigInt(json['tick'] as string)).toBeGreaterThanOrEqual(BigInt(lastLogTick));
  });
});

describe('dump', () => {
  test('of an empty collection is 204 without a body', async () => {
    const people = await create('people');
    const answer = await server.get('dump?collection=people');
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(answer.headers).toMatchObject({
      'content-type': DUMP_TYPE,
      'content-length': '0',
      'x-arango-replication-checkmore': 'false',
      'x-arango-replication-lastincluded': '0',
      'x-ticklog-deletions-since': people.deletionsSince.toString(),
      'x-ticklog-incarnation': server.store.incarnation.id,
    });
    expect(answer.headers).not.toHaveProperty('x-ticklog-crc32');
    expect(answer.headers).not.toHaveProperty('x-arango-replication-lasttick');
    expect(answer.headers).not.toHaveProperty('x-arango-replication-active');
  });

  test.each(['', '?collection=', '?collection=nosuch', '?collection=4711'])(
    'dump%s has no collection: 404/1203',
    async (query) => {
      const { status, json } = await server.get(`dump${query}`);
      expect([status, json]).toEqual([404, UNKNOWN_COLLECTION]);
    },
  );

  test.each(['from=2&to=1', 'to=0', 'from=0&to=abc'])('%s is 400/400', async (query) => {
    await create('people');
    const { status, json } = await server.get(`dump?collection=people&${query}`);
    expect(status).toBe(400);
    expect(json).toMatchObject({ errorNum: 400, errorMessage: 'invalid from/to values' });
  });

  test('gives all 100 documents at once, and fewer with chunkSize=1024 (9.6 row 8)', async () => {
    const people = await create('people');
    await insertMany(people, 100);
    const whole = await server.get('dump?collection=people');
    expect(whole.status).toBe(200);
    expect(whole.lines).toHaveLength(100);
    expect(checkMore(whole)).toBe(false);
    expect(lastIncluded(whole)).toBe(whole.lines[99]!['tick']);
    expect(whole.headers['content-type']).toBe(DUMP_TYPE);
    expect(whole.headers['x-ticklog-crc32']).toBe(String(crc32(whole.text)));
    expect(whole.lines[7]).toEqual({
      tick: whole.lines[7]!['tick'],
      type: 2300,
      key: 'k7',
      rev: whole.lines[7]!['rev'],
      data: { _key: 'k7', _rev: whole.lines[7]!['rev'], value: 7 },
    });
    const part = await server.get('dump?collection=people&chunkSize=1024');
    expect(part.lines.length).toBeLessThan(100);
    expect(checkMore(part)).toBe(true);
    expect((await server.get(`dump?collection=${people.cid}`)).text).toBe(whole.text);
  });

  test.each([0, 1])(
    'chunkSize=%i gives ten documents in ten calls, the last of which says so',
    async (chunkSize) => {
      await insertMany(await create('people'), 10);
      const pages = await allPages(`collection=people&chunkSize=${chunkSize}`);
      expect(pages.map(({ lines }) => lines.length)).toEqual(Array(10).fill(1));
      expect(pages.map(checkMore)).toEqual([...Array<boolean>(9).fill(true), false]);
      expect(pages.map(({ lines }) => lines[0]!['key'])).toEqual(
        Array.from({ length: 10 }, (_, i) => `k${i}`),
      );
    },
  );

  test('checkmore is false at the last line up to to, also where the page is full there', async () => {
    const people = await create('people');
    await insertMany(people, 3);
    const ticks = (await server.get('dump?collection=people')).lines.map(
      ({ tick }) => tick as string,
    );
    const upTo = (to: string): Promise<Answer> =>
      server.get(`dump?collection=people&chunkSize=1&from=${ticks[0]!}&to=${to}`);
    expect(checkMore(await upTo(ticks[1]!))).toBe(false);
    expect(checkMore(await upTo((BigInt(ticks[2]!) - 1n).toString()))).toBe(false);
    expect(checkMore(await upTo(ticks[2]!))).toBe(true);
    expect((await upTo(ticks[0]!)).status).toBe(204);
    const beyond = await server.get(`dump?collection=people&from=${ticks[2]!}`);
    expect([beyond.status, checkMore(beyond), lastIncluded(beyond)]).toEqual([204, false, '0']);
  });

  test('shows removals: ten inserts and a truncate are twenty lines', async () => {
    for (const name of ['removed', 'truncated']) {
      const collection = await create(name);
      await insertMany(collection, 10);
      if (name === 'truncated') await server.collections.truncate(server.database, collection);
      else {
        for (let i = 0; i < 10; i++) {
          await server.documents.remove(server.database, collection, `k${i}`);
        }
      }
      const { lines } = await server.get(`dump?collection=${name}`);
      expect(lines.map(({ type }) => type)).toEqual([
        ...Array<number>(10).fill(2300),
        ...Array<number>(10).fill(2302),
      ]);
      const ticks = lines.map(({ tick }) => BigInt(tick as string));
      expect(ticks).toEqual([...ticks].sort((a, b) => (a < b ? -1 : 1)));
      expect(lines[19]).toEqual({
        tick: lines[19]!['tick'],
        type: 2302,
        key: lines[19]!['key'],
        rev: lines[19]!['rev'],
      });
    }
  });

  test('shows edges with names, or with ids where translateIds=false', async () => {
    const people = await create('people');
    const knows = await create('knows', 3);
    const nested = { _from: 'people/a', _to: 'people/b' };
    const rev = await insert(knows, { nested, _key: 'e1', _from: 'people/a', _to: 'ghosts/b' });
    const named = await server.get('dump?collection=knows');
    expect(named.lines[0]).toEqual({
      tick: named.lines[0]!['tick'],
      type: 2301,
      key: 'e1',
      rev,
      data: { _key: 'e1', _rev: rev, _from: 'people/a', _to: 'ghosts/b', nested },
    });
    const numbered = await server.get('dump?collection=knows&translateIds=false');
    expect(numbered.lines[0]!['data']).toEqual({
      ...(named.lines[0]!['data'] as object),
      _from: `${people.cid}/a`,
    });
    expect(numbered.headers['x-ticklog-crc32']).toBe(String(crc32(numbered.text)));
    expect((await server.get('dump?collection=knows&translateIds=true')).text).toBe(named.text);
    const text = '{"_key":"d","_from":"people/a","_to":"people/b"}';
    await server.documents.insert(server.database, people, text);
    const documents = await server.get('dump?collection=people');
    const untouched = await server.get('dump?collection=people&translateIds=false');
    expect(untouched.text).toBe(documents.text);
  });

  test('ticks=false leaves out the ticks and nothing else', async () => {
    const people = await create('people');
    await insert(people, { _key: 'a', text: 'Köln {"tick":"1",' });
    await insertMany(people, 20);
    await server.documents.remove(server.database, people, 'a');
    const whole = await server.get('dump?collection=people');
    const bare = await server.get('dump?collection=people&ticks=false');
    expect(bare.text).toBe(whole.text.replace(/^\{"tick":"\d+",/gm, '{'));
    expect(lastIncluded(bare)).toBe(lastIncluded(whole));
    expect(bare.headers['x-ticklog-crc32']).toBe(String(crc32(bare.text)));
    expect((await server.get('dump?collection=people&ticks=true')).text).toBe(whole.text);
  });

  test('reads the number and the name of a parameter as real servers do', async () => {
    await insertMany(await create('people'), 3);
    const whole = await server.get('dump?collection=people');
    expect((await server.get('dump?collection=%70eople&from=abc')).text).toBe(whole.text);
    const from = `${whole.lines[0]!['tick'] as string}xyz`;
    expect((await server.get(`dump?collection=people&from=${from}`)).lines).toHaveLength(2);
  });

  test('shows system and excluded collections to who names them', async () => {
    await insertMany(await create('_users'), 1);
    expect((await server.get('dump?collection=_users')).lines).toHaveLength(1);
  });

  test('of a dropped collection is 404/1203, and of one that took its name what that has', async () => {
    const people = await create('people');
    await insertMany(people, 3);
    await server.collections.drop(server.database, people);
    expect((await server.get('dump?collection=people')).json).toEqual(UNKNOWN_COLLECTION);
    await create('people');
    expect((await server.get('dump?collection=people')).status).toBe(204);
    expect((await server.get(`dump?collection=${people.cid}`)).status).toBe(404);
  });

  test('of another database sees only what is in there', async () => {
    await insertMany(await create('people'), 3);
    await server.databases.create('other');
    const path = '/_db/other/_api/replication/dump?collection=people';
    expect((await server.call('GET', path)).json).toEqual(UNKNOWN_COLLECTION);
  });
});
