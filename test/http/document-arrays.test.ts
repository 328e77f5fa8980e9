import { describe, expect, test } from 'vitest';
import { startLogger } from '../../src/documents/databases.ts';
import { type Answer, type TestServer, openTestServer } from '../support/http-server.ts';
import { logLines } from '../support/log-lines.ts';
import { expectError } from './expect-error.ts';

type Element = Record<string, unknown>;

async function openWithCollection(
  body: Element = {},
  transactionMaxBytes = 1 << 20,
): Promise<TestServer> {
  const server = await openTestServer({ transactionMaxBytes });
  await server.request('POST', '/_api/collection', { body: { name: 'c', ...body } });
  await startLogger(server.store, server.catalogue.get('_system'));
  return server;
}

function send(
  server: TestServer,
  method: string,
  body: unknown,
  query = '',
): Promise<Answer & { list: Element[] }> {
  return server.request(method, `/_api/document/c${query}`, { body }).then((answer) => ({
    ...answer,
    list: JSON.parse(answer.text) as Element[],
  }));
}

async function read(server: TestServer, key: string): Promise<Element> {
  return (await server.request('GET', `/_api/document/c/${key}`)).json;
}

/** Types of the events since the start of the logger. */
async function events(server: TestServer): Promise<number[]> {
  const { changelog } = server.catalogue.get('_system');
  return (await logLines(changelog)).map(({ type }) => type).slice(1);
}

const REV = expect.stringMatching(/^\d+$/) as string;
const TEXT = expect.stringMatching(/./) as string;

describe('an array in POST /_api/document/<collection>', () => {
  test('inserts each element, answers in their order, and is one transaction', async () => {
    await using server = await openWithCollection();
    const answer = await send(server, 'POST', ' [{"_key":"a","n":1.50},{"n":2},\n{"_key":"b"}]');
    expect(answer.status).toBe(202);
    expect(answer.list).toEqual([
      { _id: 'c/a', _key: 'a', _rev: REV },
      { _id: expect.stringMatching(/^c\/\d+$/) as string, _key: REV, _rev: REV },
      { _id: 'c/b', _key: 'b', _rev: REV },
    ]);
    for (const header of ['etag', 'location', 'x-arango-error-codes']) {
      expect(answer.headers[header]).toBeUndefined();
    }
    const stored = await server.request('GET', '/_api/document/c/a');
    expect(stored.text).toContain('"n":1.50');
    expect(await events(server)).toEqual([2200, 2300, 2300, 2300, 2201]);
    await server.request('PUT', '/_api/collection/c/properties', { body: { waitForSync: true } });
    expect((await send(server, 'POST', [{}])).status).toBe(201);
  });

  test('an element that fails does nothing and does not disturb the others', async () => {
    await using server = await openWithCollection();
    const unique = { type: 'hash', fields: ['u'], unique: true };
    await server.request('POST', '/_api/index?collection=c', { body: unique });
    const { status, list, headers } = await send(server, 'POST', [
      ...[{ _key: 'a', u: 1 }, { _key: 'a' }, 5, [{ _key: 'x' }], null, { _key: 'no key' }],
      ...[{ _key: 7 }, { _key: 'b', u: 1 }, { _key: 'd', u: 2 }],
    ]);
    expect(status).toBe(202);
    expect(list.map(({ _key, errorNum }) => _key ?? errorNum)).toEqual([
      ...['a', 1210, 1227, 1227, 1227, 1221, 1221, 1210, 'd'],
    ]);
    expect(list[1]).toEqual({ error: true, errorNum: 1210, errorMessage: TEXT });
    expect(headers['x-arango-error-codes']).toBe('1210:2,1227:3,1221:2');
    expect((await server.request('GET', '/_api/collection/c/count')).json['count']).toBe(2);
    expect(await events(server)).toEqual([2100, 2200, 2300, 2300, 2201]);
  });

  test('returnNew, returnOld and overwriteMode count for each; silent tells errors only', async () => {
    await using server = await openWithCollection();
    await send(server, 'POST', [{ _key: 'a', n: 1, m: 1 }]);
    const both = '?returnNew=true&returnOld=true';
    const merged = await send(
      server,
      'POST',
      [{ _key: 'a', n: 2 }, { _key: 'b' }],
      `${both}&overwriteMode=update`,
    );
    const [a, b] = merged.list;
    expect(a).toMatchObject({ new: { _id: 'c/a', n: 2, m: 1 }, old: { n: 1, m: 1 }, _oldRev: REV });
    expect(b).toMatchObject({ new: { _key: 'b' } });
    expect(b).not.toHaveProperty('old');
    const silent = await send(server, 'POST', [{ _key: 'd' }], '?silent=true');
    expect(silent.list).toEqual({});
    const errors = await send(server, 'POST', [{ _key: 'd' }, { _key: 'e' }], '?silent=true');
    expect(errors.list).toEqual([{ error: true, errorNum: 1210, errorMessage: TEXT }]);
    expect(errors.headers['x-arango-error-codes']).toBe('1210:1');
    expect(await read(server, 'e')).toMatchObject({ _key: 'e' });
  });

  test('of edges each needs its ends', async () => {
    await using server = await openWithCollection({ type: 3 });
    const ends = { _from: 'v/1', _to: 'v/2' };
    const { list } = await send(server, 'POST', [ends, { _from: 'v/1' }, { ...ends, _to: 'v' }]);
    expect(list.map(({ errorNum }) => errorNum)).toEqual([undefined, 1233, 1205]);
    expect(await events(server)).toEqual([2200, 2301, 2201]);
  });

  test('an empty array is answered with one, and leaves no trace', async () => {
    await using server = await openWithCollection();
    const answer = await send(server, 'POST', '[ ]');
    expect([answer.status, answer.text]).toEqual([202, '[]']);
    expect(await events(server)).toEqual([]);
  });

  test('what is more than a transaction holds is several whole ones, in order', async () => {
    await using server = await openWithCollection({}, 1 << 20);
    const pad = 'x'.repeat(1000);
    const body = Array.from({ length: 4000 }, (_, i) => ({ _key: `k${i}`, pad }));
    const { list } = await send(server, 'POST', body);
    expect(list.map(({ _key }) => _key)).toEqual(body.map(({ _key }) => _key));
    const types = await events(server);
    expect(types.filter((type) => type === 2300)).toHaveLength(4000);
    expect(types.filter((type) => type === 2200).length).toBeGreaterThan(1);
    expect([types[0], types.at(-1)]).toEqual([2200, 2201]);
  });

  test('cannot bring a capped collection above its cap', async () => {
    await using server = await openWithCollection();
    await server.request('POST', '/_api/index?collection=c', { body: { type: 'cap', size: 2 } });
    await send(server, 'POST', [{ _key: 'a' }, { _key: 'b' }, { _key: 'd' }]);
    expect(await events(server)).toEqual([2100, 2200, 2300, 2300, 2300, 2302, 2201]);
    expectError(await server.request('GET', '/_api/document/c/a'), 404, 1202);
  });
});

describe('an array in PUT and PATCH /_api/document/<collection>', () => {
  test('replaces, or merges, what the keys name', async () => {
    await using server = await openWithCollection();
    await send(server, 'POST', [
      { _key: 'a', n: 1, o: { x: 1 } },
      { _key: 'b', n: 1, o: { x: 1 } },
    ]);
    const put = await send(server, 'PUT', [{ _key: 'a', m: 2 }], '?returnOld=true');
    expect(put.list).toEqual([
      { _id: 'c/a', _key: 'a', _rev: REV, _oldRev: REV, old: expect.anything() as unknown },
    ]);
    expect(await read(server, 'a')).toEqual({ _id: 'c/a', _key: 'a', _rev: REV, m: 2 });
    const change = { _key: 'b', n: null, o: { y: 2 } };
    const query = '?keepNull=false&mergeObjects=true&waitForSync=true';
    expect((await send(server, 'PATCH', [change], query)).status).toBe(201);
    const merged = { _id: 'c/b', _key: 'b', _rev: REV, o: { x: 1, y: 2 } };
    expect(await read(server, 'b')).toEqual(merged);
  });

  test.each(['PUT', 'PATCH'])('%s: each element fails for itself', async (method) => {
    await using server = await openWithCollection();
    await send(server, 'POST', [{ _key: 'a' }, { _key: 'b' }]);
    const { list, headers } = await send(
      server,
      method,
      [
        ...[{ _key: 'a', _rev: '1' }, { _key: 'none' }, { n: 1 }, { _key: 5 }, 'a'],
        { _key: 'b', n: 2 },
      ],
      '?ignoreRevs=false',
    );
    expect(list.map(({ errorNum }) => errorNum)).toEqual([1200, 1202, 1205, 1221, 1227, undefined]);
    expect(list[0]).toMatchObject({ _id: 'c/a', _key: 'a', _rev: REV });
    expect(headers['x-arango-error-codes']).toBe('1200:1,1202:1,1205:1,1221:1,1227:1');
    expect(await read(server, 'b')).toMatchObject({ n: 2 });
    // Without that parameter the revision does not count.
    const again = await send(server, method, [{ _key: 'a', _rev: '1', n: 3 }]);
    expect(again.list[0]).toMatchObject({ _key: 'a' });
  });
});

describe('an array in DELETE /_api/document/<collection>', () => {
  test('removes by key, by id and by document, each for itself', async () => {
    await using server = await openWithCollection();
    const { cid } = server.catalogue.get('_system').get('c');
    const keys = ['a', 'b', 'd', 'e', 'f'];
    const made = await send(
      server,
      'POST',
      keys.map((_key) => ({ _key })),
    );
    const { status, list, headers } = await send(
      server,
      'DELETE',
      [
        ...['a', 'c/b', `${cid}/d`, { _key: 'e' }, { _key: 'f', _rev: '1' }],
        ...['a', 'x/a', 'c/', 5, {}, null],
      ],
      '?ignoreRevs=false&returnOld=true',
    );
    expect(status).toBe(202);
    expect(list.map(({ _key, errorNum }) => errorNum ?? _key)).toEqual([
      ...['a', 'b', 'd', 'e', 1200, 1202, 1213, 1205, 1205, 1205, 1205],
    ]);
    expect(list[0]).toEqual({
      ...{ _id: 'c/a', _key: 'a', _rev: made.list[0]!['_rev'] },
      old: { _id: 'c/a', _key: 'a', _rev: made.list[0]!['_rev'] },
    });
    expect(headers['x-arango-error-codes']).toBe('1200:1,1202:1,1213:1,1205:4');
    expect((await server.request('GET', '/_api/collection/c/count')).json['count']).toBe(1);
    expect((await send(server, 'DELETE', ['f'], '?waitForSync=1')).status).toBe(200);
  });
});

test('what is no array, and arrays that cannot be read, change nothing', async () => {
  await using server = await openWithCollection();
  for (const body of ['[', '[1,]', '[{"_key":"a"}', '[] []']) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expectError(await server.request(method, '/_api/document/c', { body }), 400, 600);
    }
  }
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    for (const body of ['', '{"_key":"a"}', '"a"']) {
      expectError(await server.request(method, '/_api/document/c', { body }), 400, 400);
    }
  }
  expectError(
    await server.request('POST', '/_api/document/c?overwriteMode=x', { body: [{}] }),
    400,
    10,
  );
  expectError(await server.request('POST', '/_api/document/none', { body: [{}] }), 404, 1203);
  expectError(await server.request('DELETE', '/_api/document/none', { body: ['a'] }), 404, 1203);
  server.catalogue.get('_system').writeGuard = () => true;
  expectError(await server.request('POST', '/_api/document/c', { body: [{}] }), 403, 1004);
  expect(await events(server)).toEqual([]);
});

describe('an array in PUT with onlyget=true', () => {
  test('reads what keys, ids and documents name, in their order, and changes nothing', async () => {
    await using server = await openWithCollection();
    await send(server, 'POST', [{ _key: 'a', n: 1 }, { _key: 'b' }]);
    const before = await events(server);
    const { _rev: rev } = await read(server, 'a');
    const wanted = ['a', 'c/b', { _key: 'a', n: 9 }, 'nope', 'other/a', 7];
    const answer = await send(server, 'PUT', wanted, '?onlyget=true');
    expect(answer.status).toBe(200);
    const a = { _id: 'c/a', _key: 'a', _rev: rev, n: 1 };
    const error = (errorNum: number): object => ({ error: true, errorNum, errorMessage: TEXT });
    expect(answer.list).toEqual([
      ...[a, { _id: 'c/b', _key: 'b', _rev: REV }, a],
      ...[error(1202), error(400), error(1205)].map((each, i) =>
        i === 1 ? { ...each, errorNum: expect.any(Number) as number } : each,
      ),
    ]);
    expect(answer.headers['x-arango-error-codes']).toContain('1202:1');
    expect(await events(server)).toEqual(before);
  });

  test('with ignoreRevs=false answers 1200 for a document of another revision', async () => {
    await using server = await openWithCollection();
    await send(server, 'POST', [{ _key: 'a' }]);
    const query = '?onlyget=true&ignoreRevs=false';
    const answer = await send(server, 'PUT', [{ _key: 'a', _rev: '1' }], query);
    expect(answer.list).toMatchObject([{ error: true, errorNum: 1200, _key: 'a' }]);
  });

  test('that is no array is refused', async () => {
    await using server = await openWithCollection();
    const answer = await server.request('PUT', '/_api/document/c?onlyget=true', { body: {} });
    expectError(answer, 400, 400);
  });
});

test('an If-Match without quotes counts for clients of 3.x only', async () => {
  await using server = await openWithCollection();
  await send(server, 'POST', [{ _key: 'a' }]);
  const replace = (version: string): Promise<Answer> =>
    server.request('PUT', '/_api/document/c/a', {
      body: {},
      headers: { 'if-match': '1', 'x-arango-version': version },
    });
  expectError(await replace('30900'), 412, 1200);
  expect((await replace('1.4')).status).toBe(202);
});
