import { afterEach, beforeEach, expect, test } from 'vitest';
import { startLogger } from '../../src/documents/databases.ts';
import { Mending } from '../../src/follower/mending.ts';
import { mendCommands } from '../../src/http/replication-mend.ts';
import { replicationDispatch } from '../../src/http/replication-dispatch.ts';
import { type TestServer, openTestServer } from '../support/http-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await openTestServer({
    routers: (parts) => [replicationDispatch(mendCommands(new Mending(parts)))],
  });
  await server.request('POST', '/_api/collection', { body: { name: 'people' } });
});
afterEach(() => server[Symbol.asyncDispose]());

interface Line {
  readonly key: string;
  readonly rev: string;
  readonly oldRev?: string;
  readonly data?: object;
}

async function mend(...lines: readonly Line[]) {
  const body = lines
    .map(({ data, key, rev, ...more }) =>
      JSON.stringify({
        ...{ type: data ? 2300 : 2302, key, rev, ...more },
        ...(data ? { data: { _key: key, _rev: rev, ...data } } : {}),
      }),
    )
    .join('\n');
  return server.request('PUT', '/_api/replication/mend-data?collection=people', { body });
}

async function read(key: string): Promise<Record<string, unknown> | undefined> {
  const { status, json } = await server.request('GET', `/_api/document/people/${key}`);
  return status === 200 ? json : undefined;
}

async function put(key: string, value: object): Promise<string> {
  const { json } = await server.request('POST', '/_api/document?collection=people', {
    body: { _key: key, ...value },
  });
  return json['_rev'] as string;
}

test('lines insert, replace and remove what was found, with the revisions they name', async () => {
  const [a, b] = [await put('a', { n: 1 }), await put('b', { n: 1 })];
  const { status, json } = await mend(
    { key: 'a', rev: '77', oldRev: a, data: { n: 2 } },
    { key: 'b', rev: b, oldRev: b },
    { key: 'c', rev: '78', data: { n: 3 } },
  );
  expect([status, json]).toEqual([200, { mended: 3, skipped: 0 }]);
  expect(await read('a')).toMatchObject({ _rev: '77', n: 2 });
  expect(await read('b')).toBeUndefined();
  expect(await read('c')).toMatchObject({ _rev: '78', n: 3 });
});

test('what is another document by now is left alone', async () => {
  const a = await put('a', { n: 1 });
  const { json } = await mend(
    { key: 'a', rev: '77', oldRev: '1', data: { n: 2 } },
    { key: 'a', rev: '77', data: { n: 2 } },
    { key: 'gone', rev: '77', oldRev: '76', data: { n: 2 } },
    { key: 'gone', rev: '76', oldRev: '76' },
  );
  expect(json).toEqual({ mended: 0, skipped: 4 });
  expect(await read('a')).toMatchObject({ _rev: a, n: 1 });
  expect(await read('gone')).toBeUndefined();
});

test('unique values may change hands, in a circle too', async () => {
  await server.request('POST', '/_api/index?collection=people', {
    body: { type: 'hash', fields: ['n'], unique: true },
  });
  const [a, b, c] = [await put('a', { n: 1 }), await put('b', { n: 2 }), await put('c', { n: 3 })];
  const { json } = await mend(
    { key: 'a', rev: '71', oldRev: a, data: { n: 2 } },
    { key: 'b', rev: '72', oldRev: b, data: { n: 1 } },
    { key: 'd', rev: '73', data: { n: 3 } },
    { key: 'c', rev: c, oldRev: c },
  );
  expect(json).toEqual({ mended: 4, skipped: 0 });
  const numbers = await Promise.all(['a', 'b', 'd'].map(async (key) => (await read(key))?.['n']));
  expect(numbers).toEqual([2, 1, 3]);
  const taken = await mend({ key: 'e', rev: '74', data: { n: 1 } });
  expect(taken.json).toEqual({ mended: 0, skipped: 1 });
});

test('it is no write of a client: the log of a follower does not get it, and readers of that are told', async () => {
  const { changelog } = server.catalogue.get('_system');
  await startLogger(server.store, server.catalogue.get('_system'));
  const { events } = changelog.state;
  await mend({ key: 'a', rev: '77', data: { n: 2 } });
  expect(changelog.state.events).toBe(events);
});

test.each([
  ['nonsense', 400, 600],
  ['{"type":2200,"tid":"1"}', 500, 1406],
  ['{"type":2300,"key":"a","rev":"1"}', 500, 1401],
  ['{"type":2302,"key":"a b","rev":"1"}', 400, 1221],
  ['{"type":2301,"key":"a","rev":"1","data":{"_from":"x/1","_to":"x/2"}}', 400, 1218],
  ['{"type":2300,"key":"a","rev":"9300000000000000000","data":{}}', 400, 10],
])(
  'the body %s is refused with %i/%i, and nothing of it is written',
  async (bad, code, errorNum) => {
    const good = '{"type":2300,"key":"good","rev":"1","data":{}}';
    const path = '/_api/replication/mend-data?collection=people';
    const { json } = await server.request('PUT', path, { body: `${good}\n${bad}\n` });
    expect(json).toMatchObject({ code, errorNum });
    expect(await read('good')).toBeUndefined();
  },
);

test.each([
  ['', 400, 400],
  ['?collection=nosuch', 404, 1203],
])('mend-data%s is refused with %i/%i', async (query, code, errorNum) => {
  const { json } = await server.request('PUT', `/_api/replication/mend-data${query}`, { body: '' });
  expect(json).toMatchObject({ code, errorNum });
});
