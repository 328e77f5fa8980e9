import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

/** Clients of 3.x, and those of 1.4, at a server that claims to be 3.0.3. */
let server: LeaderServer;
let people: Collection;
beforeEach(async () => {
  server = await openLeaderServer({ version: '3.0.3' });
  await server.put('logger-start');
  people = await server.collections.create(server.database, { name: 'people' });
});
afterEach(() => server[Symbol.asyncDispose]());

const OF_1 = { headers: { 'x-arango-version': '1.4' } };

function insert(key: string): Promise<unknown> {
  return server.documents.insert(server.database, people, `{"_key":"${key}"}`);
}

async function importKeys(...keys: readonly string[]): Promise<void> {
  const body = keys.map((key) => `{"_key":"${key}"}\n`).join('');
  const path = '/_api/import?collection=people&type=documents';
  expect((await server.request('POST', path, { body })).status).toBe(201);
}

function typesOf({ lines }: Answer): unknown[] {
  return lines.map(({ type }) => type);
}

describe('logger-follow of 3.x', () => {
  test('prints documents with _id and without what 1.4 has on top', async () => {
    await insert('a');
    const { lines } = await server.get('logger-follow');
    expect(lines.at(-1)).toEqual({
      ...{ tick: expect.any(String) as string, type: 2300, tid: '0', database: server.database.id },
      ...{ cid: people.cid, cname: 'people' },
      data: { _id: 'people/a', _key: 'a', _rev: expect.any(String) as string },
    });
  });

  test('leaves out starts and stops of the logger, and its lasttick does not', async () => {
    await insert('a');
    await server.put('logger-stop');
    const answer = await server.get('logger-follow');
    expect(typesOf(answer)).toEqual([2000, 2300]);
    const { lastLogTick } = (await server.get('logger-state')).json['state'] as {
      lastLogTick: string;
    };
    expect(answer.headers['x-arango-replication-lasttick']).toBe(lastLogTick);
    expect(answer.headers['x-arango-replication-lastscanned']).toBe(lastLogTick);
    expect(answer.headers['x-arango-replication-checkmore']).toBe('false');
    const rest = await server.get(`logger-follow?from=${String(answer.lines.at(-1)?.['tick'])}`);
    expect([rest.status, rest.headers['x-arango-replication-lastincluded']]).toEqual([204, '0']);
  });

  test('gives a client of 1.4 the lines of 1.4', async () => {
    await insert('a');
    const path = '/_api/replication/logger-follow';
    const { text } = await server.request('GET', path, OF_1);
    expect(text).toContain('"type":1001');
    expect(text).toMatch(/"key":"a","rev":"\d+","data":\{"_key":"a","_rev":"\d+"\}\}\n$/);
  });

  test('takes 0 for its default of 128 KiB, and still ends a page at its size', async () => {
    for (let i = 0; i < 50; i++) await insert(`k${i}`);
    expect((await server.get('logger-follow?chunkSize=0')).lines).toHaveLength(51);
    const { lines } = await server.get('logger-follow?chunkSize=500');
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.length).toBeLessThan(10);
  });

  test('walks through the whole log in small pages, each line once', async () => {
    await importKeys('x', 'y', 'z');
    for (let i = 0; i < 20; i++) await insert(`k${i}`);
    const whole = (await server.get('logger-follow')).lines;
    const seen: unknown[] = [];
    let from = '0';
    for (let more = true; more;) {
      const { lines, headers } = await server.get(`logger-follow?from=${from}&chunkSize=200`);
      seen.push(...lines);
      from = String(headers['x-arango-replication-lastincluded']);
      more = headers['x-arango-replication-checkmore'] === 'true';
    }
    expect(seen).toEqual(whole);
  });

  test('keeps what a client was served last when there is nothing new', async () => {
    const { headers } = await server.get('logger-follow?serverId=47');
    const served = headers['x-arango-replication-lastincluded'];
    await server.get(`logger-follow?serverId=47&from=${String(served)}`);
    const { clients } = (await server.get('logger-state')).json as { clients: unknown[] };
    expect(clients).toMatchObject([{ serverId: '47', lastServedTick: served }]);
  });

  test('accounts for the memory of a page that is printed anew, and gives it back', async () => {
    await insert('a');
    await server.get('logger-follow');
    await server.get('dump?collection=people');
    expect(server.leader.pageMemory.usedBytes).toBe(0);
  });
});

describe('PUT logger-follow', () => {
  test('gives what is below firstRegularTick only of the transactions that are named', async () => {
    await insert('before');
    await importKeys('x', 'y');
    await insert('between');
    const all = (await server.get('logger-follow')).lines;
    const tid = all.find(({ type }) => type === 2200)?.['tid'] as string;
    const regular = String(BigInt(all.at(-1)?.['tick'] as string) + 1n);
    await insert('after');
    for (const name of ['firstRegularTick', 'firstRegular']) {
      const named = await server.put(`logger-follow?${name}=${regular}`, `["${tid}"]`);
      expect(typesOf(named)).toEqual([2200, 2300, 2300, 2201, 2300]);
      const none = await server.put(`logger-follow?${name}=${regular}`, '[]');
      expect(none.lines.map(({ data }) => (data as { _key: string })._key)).toEqual(['after']);
      const ignored = await server.get(`logger-follow?${name}=${regular}`);
      expect(ignored.lines).toHaveLength(all.length + 1);
    }
  });

  test('has the shapes of 3.x whoever asks', async () => {
    await insert('a');
    const { text } = await server.request('PUT', '/_api/replication/logger-follow', {
      ...OF_1,
      body: '[]',
    });
    expect(text).toContain('"data":{"_id":"people/a"');
    expect(text).not.toContain('"key":');
  });

  test.each([
    ['{}', 'invalid body value. expecting array'],
    ['', 'invalid body value. expecting array'],
    ['[', 'invalid body value. expecting array'],
    ['[5]', 'invalid body value. expecting array of ids'],
    ['["x"]', 'invalid body value. expecting array of ids'],
  ])('refuses %j with 400/400', async (body, errorMessage) => {
    const { status, json } = await server.put('logger-follow?from=1', body);
    expect([status, json]).toEqual([400, { error: true, errorMessage, code: 400, errorNum: 400 }]);
  });

  test('refuses a range that cannot be', async () => {
    const { json } = await server.put('logger-follow?from=5&to=4', '[]');
    expect(json).toMatchObject({
      code: 400,
      errorNum: 400,
      errorMessage: 'invalid from/to values',
    });
  });
});

describe('determine-open-transactions', () => {
  async function find(query: string): Promise<{ tids: unknown; last: unknown; present: unknown }> {
    const { status, headers, text } = await server.get(`determine-open-transactions${query}`);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/x-arango-dump; charset=utf-8');
    return {
      tids: JSON.parse(text) as unknown,
      last: headers['x-arango-replication-lasttick'],
      present: headers['x-arango-replication-frompresent'],
    };
  }

  test('finds the transaction that the range cuts off, and where to go on', async () => {
    await insert('before');
    await importKeys('x', 'y');
    await insert('after');
    const all = (await server.get('logger-follow')).lines;
    const begin = all.findIndex(({ type }) => type === 2200);
    const ticks = all.map(({ tick }) => tick as string);
    const tid = all[begin]?.['tid'] as string;
    const restart = String(BigInt(ticks[begin]!) - 1n);
    for (const i of [begin, begin + 1, begin + 2]) {
      const found = await find(`?from=0&to=${ticks[i]!}`);
      expect(found).toEqual({ tids: [tid], last: restart, present: 'true' });
      // Whoever goes on from there sees it from its beginning.
      expect((await server.get(`logger-follow?from=${restart}`)).lines[0]?.['type']).toBe(2200);
    }
    for (const i of [0, begin - 1, begin + 3, all.length - 1]) {
      const found = await find(`?from=0&to=${ticks[i]!}`);
      expect(found).toEqual({ tids: [], last: ticks[i], present: 'true' });
    }
    // Begun before the range.
    const within = await find(`?from=${ticks[begin]!}&to=${ticks[begin + 1]!}`);
    expect(within).toMatchObject({ tids: [], last: ticks[begin + 1] });
  });

  test('finds nothing in an empty range, and says whether from is there', async () => {
    const { headers } = await server.get('logger-follow');
    const last = String(headers['x-arango-replication-lasttick']);
    expect(await find(`?from=${last}`)).toEqual({ tids: [], last: '0', present: 'true' });
    expect(await find('?from=18446744073709551615')).toMatchObject({ present: 'false' });
    expect((await find('')).tids).toEqual([]);
    await server.databases.create('empty');
    const path = '/_db/empty/_api/replication/determine-open-transactions';
    const empty = await server.call('GET', path);
    expect([empty.text, empty.headers['x-arango-replication-lasttick']]).toEqual(['[]', '0']);
  });

  test('refuses a range that cannot be', async () => {
    for (const query of ['?from=5&to=4', '?to=0']) {
      const { json } = await server.get(`determine-open-transactions${query}`);
      expect(json).toMatchObject({ code: 400, errorNum: 400 });
    }
  });
});

describe('dump of 3.x', () => {
  test('prints documents, edges and removals as 3.x has them, page by page', async () => {
    for (const key of ['a', 'b', 'c']) await insert(key);
    await server.documents.remove(server.database, people, 'b');
    const whole = await server.get('dump?collection=people');
    expect(whole.lines).toMatchObject([
      { type: 2300, data: { _id: 'people/a', _key: 'a' } },
      { type: 2300, data: { _id: 'people/b', _key: 'b' } },
      { type: 2300, data: { _id: 'people/c', _key: 'c' } },
      { type: 2302, data: { _key: 'b' } },
    ]);
    const seen: unknown[] = [];
    let from = '0';
    for (let more = true; more;) {
      const page = await server.get(`dump?collection=people&chunkSize=1&from=${from}`);
      expect(page.lines).toHaveLength(1);
      seen.push(...page.lines);
      from = String(page.headers['x-arango-replication-lastincluded']);
      more = page.headers['x-arango-replication-checkmore'] === 'true';
    }
    expect(seen).toEqual(whole.lines);
  });

  test('passes over translateIds, flush and what else there is, and heeds ticks', async () => {
    await insert('a');
    const whole = await server.get('dump?collection=people&ticks=false');
    expect(whole.lines).toHaveLength(1);
    expect(whole.lines[0]).not.toHaveProperty('tick');
    const more =
      '&translateIds=false&flush=true&flushWait=5&failOnUnknown=true&includeSystem=false';
    expect((await server.get(`dump?collection=people&ticks=false${more}`)).text).toBe(whole.text);
  });

  test('has the shape of 2.8 for those who ask for it, whatever they are', async () => {
    await insert('a');
    for (const headers of [{}, OF_1.headers]) {
      const path = '/_api/replication/dump?collection=people&compat28=true';
      const { text } = await server.request('GET', path, { headers });
      expect(JSON.parse(text)).toMatchObject({
        ...{ type: 2300, key: 'a' },
        data: { _id: 'people/a', _key: 'a' },
      });
    }
  });

  test.each(['', '?collection='])(
    'without a collection (%j) is 400/400, in 1.4 404/1203',
    async (query) => {
      const { json } = await server.get(`dump${query}`);
      const errorMessage = 'invalid collection parameter';
      expect(json).toEqual({ error: true, errorMessage, code: 400, errorNum: 400 });
      const old = await server.request('GET', `/_api/replication/dump${query}`, OF_1);
      expect(old.json).toMatchObject({ code: 404, errorNum: 1203 });
    },
  );
});

describe('inventory of 3.x', () => {
  test('lists system collections unless told not to, and parameters of 3.0', async () => {
    await server.collections.create(server.database, { name: '_graphs' });
    const names = async (query: string): Promise<unknown[]> => {
      const { collections } = (await server.get(`inventory${query}`)).json as {
        collections: { parameters: Record<string, unknown> }[];
      };
      return collections.map(({ parameters }) => parameters['name']);
    };
    expect(await names('')).toEqual(['_graphs', 'people']);
    expect(await names('?includeSystem=false')).toEqual(['people']);
    const old = await server.request('GET', '/_api/replication/inventory', OF_1);
    expect(old.json['collections']).toHaveLength(1);
    expect((await server.get('inventory')).json['collections']).toMatchObject([
      { parameters: { name: '_graphs', version: 5, isSystem: true, indexBuckets: 8 } },
      { parameters: { name: 'people', version: 5, isSystem: false, indexBuckets: 8 } },
    ]);
  });

  test('says of every index whether it is sparse', async () => {
    const body = { type: 'hash', fields: ['a'] };
    await server.request('POST', '/_api/index?collection=people', { body });
    const { collections } = (await server.get('inventory')).json as {
      collections: { indexes: unknown[] }[];
    };
    expect(collections[0]?.indexes).toMatchObject([{ type: 'hash', sparse: false }]);
  });

  test('knows the batch it is asked with, or refuses', async () => {
    const id = await server.leader.batches.create(server.database, 60);
    expect((await server.get(`inventory?batchId=${id}`)).status).toBe(200);
    const { json } = await server.get('inventory?batchId=4711');
    expect(json).toMatchObject({
      code: 404,
      errorNum: 1600,
      errorMessage: 'context was not found',
    });
  });

  test('is of one database: global is refused, in _system as not offered', async () => {
    await server.databases.create('other');
    const { json } = await server.get('inventory?global=true');
    expect(json).toMatchObject({ code: 501, errorNum: 9 });
    const other = await server.call('GET', '/_db/other/_api/replication/inventory?global=true');
    expect(other.json).toMatchObject({ code: 403, errorNum: 11 });
  });

  test('of a cluster is refused', async () => {
    const { json } = await server.get('clusterInventory');
    expect(json).toMatchObject({ code: 403, errorNum: 1471 });
  });
});

test('an unknown batch is 404/1202 in 3.x, 400/1202 in 1.4', async () => {
  for (const method of ['PUT', 'DELETE']) {
    const path = '/_api/replication/batch/4711';
    const answer = await server.request(method, path, { body: '{"ttl":5}' });
    expect(answer.json).toMatchObject({ code: 404, errorNum: 1202 });
    const old = await server.request(method, path, { ...OF_1, body: '{"ttl":5}' });
    expect(old.json).toMatchObject({ code: 400, errorNum: 1202 });
  }
});

test.each(['{', '', '{"autoStart":true,"autoStart":false}'])(
  'the body %j of a command is 400/600 in 3.x, 400/400 in 1.4',
  async (body) => {
    const path = '/_api/replication/logger-config';
    const answer = await server.request('PUT', path, { body });
    expect(answer.json).toMatchObject({ code: 400, errorNum: 600 });
    const old = await server.request('PUT', path, { ...OF_1, body });
    expect(old.json).toMatchObject({ code: 400, errorNum: 400 });
  },
);

describe('the database side of 3.x', () => {
  test('says 201 of a new database, a string of a checksum', async () => {
    const path = '/_api/database';
    expect((await server.request('POST', path, { body: { name: 'x' } })).status).toBe(201);
    expect((await server.request('POST', path, { ...OF_1, body: { name: 'y' } })).status).toBe(200);
    const sum = '/_api/collection/people/checksum';
    const { checksum } = (await server.request('GET', sum)).json;
    expect(checksum).toMatch(/^\d+$/);
    expect((await server.request('GET', sum, OF_1)).json['checksum']).toBe(Number(checksum));
  });

  test('says 409 of an index that documents contradict, 400 in 1.4', async () => {
    for (const key of ['a', 'b']) {
      await server.documents.insert(server.database, people, `{"_key":"${key}","n":1}`);
    }
    const body = { type: 'hash', unique: true, fields: ['n'] };
    const path = '/_api/index?collection=people';
    const answer = await server.request('POST', path, { body });
    expect(answer.json).toMatchObject({ code: 409, errorNum: 1210 });
    const old = await server.request('POST', path, { ...OF_1, body });
    expect(old.json).toMatchObject({ code: 400, errorNum: 1210 });
  });

  test('says 1233 of an edge without ends, 1218 in 1.4', async () => {
    await server.collections.create(server.database, { name: 'knows', type: 3 });
    const path = '/_api/document?collection=knows';
    const answer = await server.request('POST', path, { body: {} });
    expect(answer.json).toMatchObject({ code: 400, errorNum: 1233 });
    const old = await server.request('POST', path, { ...OF_1, body: {} });
    expect(old.json).toMatchObject({ code: 400, errorNum: 1218 });
  });

  test('says of every index whether it is sparse, and that an unloaded collection is', async () => {
    const { indexes } = (await server.request('GET', '/_api/index?collection=people')).json;
    expect(indexes).toMatchObject([{ type: 'primary', sparse: false }]);
    const path = '/_api/collection/people/unload';
    expect((await server.request('PUT', path)).json).toMatchObject({ status: 2 });
    expect((await server.request('PUT', path, OF_1)).json).toMatchObject({ status: 4 });
  });

  test('reports the version the server claims to be', async () => {
    const { json } = await server.request('GET', '/_api/version');
    expect(json).toEqual({ server: 'arango', version: '3.0.3' });
    expect((await server.get('logger-state')).json['server']).toMatchObject({ version: '3.0.3' });
  });
});
