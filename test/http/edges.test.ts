import { describe, expect, test } from 'vitest';
import { type Answer, type TestServer, openTestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';

async function openWithEdges(): Promise<TestServer> {
  const server = await openTestServer();
  await server.request('POST', '/_api/collection', { body: { name: 'v' } });
  await server.request('POST', '/_api/collection', { body: { name: 'e', type: 3 } });
  return server;
}

function post(server: TestServer, query: string, body: unknown = {}): Promise<Answer> {
  return server.request('POST', `/_api/edge?${query}`, { body });
}

describe('/_api/edge', () => {
  test('an edge has the ends of the query, whatever its body says, and may lead nowhere', async () => {
    await using server = await openWithEdges();
    const body = { _key: 'k', _from: 'x/y', _to: 'x/z', since: 2011 };
    const answer = await post(server, 'collection=e&from=v/a&to=v/b', body);
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ error: false, _id: 'e/k', _key: 'k' });
    expect(answer.headers['location']).toBe('/_db/_system/_api/document/e/k');
    const { json } = await server.request('GET', '/_api/edge/e/k');
    expect(json).toEqual({
      ...{
        _id: 'e/k',
        _key: 'k',
        _rev: answer.json['_rev'],
        _from: 'v/a',
        _to: 'v/b',
        since: 2011,
      },
    });
  });

  test('a collection given by its id stands with its name in the edge', async () => {
    await using server = await openWithEdges();
    const { cid } = server.catalogue.get('_system').get('v');
    await post(server, `collection=e&from=${cid}/a&to=v/b`, { _key: 'k' });
    const { json } = await server.request('GET', '/_api/edge/e/k');
    expect(json).toMatchObject({ _from: 'v/a', _to: 'v/b' });
  });

  test('changing an edge keeps its ends', async () => {
    await using server = await openWithEdges();
    await post(server, 'collection=e&from=v/a&to=v/b', { _key: 'k', n: 1 });
    for (const [method, body] of [
      ['PATCH', { n: 2 }],
      ['PUT', { n: 3 }],
      // In 1.4 an edge is for ever between the same two.
      ['PATCH', { n: 4, _from: 'v/c' }],
      ['PUT', { _to: 'v/c', n: 5, _from: 'v/c', _key: 'x' }],
    ] as const) {
      expect((await server.request(method, '/_api/edge/e/k', { body })).status).toBe(202);
      const { json } = await server.request('GET', '/_api/document/e/k');
      expect(json).toMatchObject({ _key: 'k', _from: 'v/a', _to: 'v/b', n: body.n });
    }
    const other = { body: { n: 6, _from: 'v/c', _rev: '1' } };
    expectError(await server.request('PUT', '/_api/edge/e/k?ignoreRevs=false', other), 412, 1200);
    expect((await server.request('DELETE', '/_api/edge/e/k')).status).toBe(202);
    expectError(await server.request('GET', '/_api/edge/e/k'), 404, 1202);
  });

  test('bad requests store nothing, and make no collection', async () => {
    await using server = await openWithEdges();
    const create = 'createCollection=true';
    expectError(await post(server, 'from=v/a&to=v/b'), 400, 1204);
    expectError(await post(server, `collection=n&from=v/a&${create}`), 400, 400);
    expectError(await post(server, `collection=n&to=v/a&${create}`), 400, 400);
    for (const handle of ['v', 'v/', '/a', 'v/a/b', 'v/a%20b', '']) {
      expectError(await post(server, `collection=n&from=${handle}&to=v/b&${create}`), 400, 1205);
      expectError(await post(server, `collection=n&from=v/b&to=${handle}&${create}`), 400, 1205);
    }
    expectError(await post(server, `collection=n&from=none/a&to=v/b&${create}`), 404, 1203);
    expectError(await post(server, 'collection=v&from=v/a&to=v/b'), 400, 1218);
    expectError(await post(server, 'collection=n&from=v/a&to=v/b'), 404, 1203);
    expectError(await post(server, 'collection=e&from=v/a&to=v/b', '{'), 400, 600);
    expectError(await server.request('POST', '/_api/edge/e', { body: {} }), 400, 601);
    expect((await server.request('GET', '/_api/collection/e/count')).json['count']).toBe(0);
    expectError(await server.request('GET', '/_api/collection/n'), 404, 1203);
  });

  test('paths that lack a key, or have more than one, are told apart from unknown edges', async () => {
    await using server = await openWithEdges();
    expectError(await server.request('GET', '/_api/edge/e'), 400, 1205);
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      expectError(await server.request(method, '/_api/edge/e', { body: {} }), 400, 400);
      expectError(await server.request(method, '/_api/edge/e/none', { body: {} }), 404, 1202);
      expectError(await server.request(method, '/_api/edge/none/k', { body: {} }), 404, 1203);
      expectError(await server.request(method, '/_api/edge/e/k/x', { body: {} }), 400, 400);
      expectError(await server.request(method, '/_api/edge', { body: {} }), 405, 405);
    }
  });

  test('createCollection makes an edge collection', async () => {
    await using server = await openWithEdges();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        post(server, 'collection=n&from=v/a&to=v/b&createCollection=yes'),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    const { json } = await server.request('GET', '/_api/collection/n/count');
    expect(json).toMatchObject({ type: 3, count: 8 });
  });

  test('the list is of edges only', async () => {
    await using server = await openWithEdges();
    await post(server, 'collection=e&from=v/a&to=v/b', { _key: 'k' });
    const { json } = await server.request('GET', '/_api/edge?collection=e');
    expect(json['documents']).toEqual(['/_api/document/e/k']);
    expectError(await server.request('GET', '/_api/edge?collection=v'), 400, 1218);
  });
});

describe('edges through /_api/document', () => {
  test('both ends in the body make an edge, in the forms of 3.0', async () => {
    await using server = await openWithEdges();
    const body = { _from: 'v/a', _to: 'v/b' };
    for (const path of ['/_api/document?collection=e', '/_api/document/e']) {
      const { status, json } = await server.request('POST', path, { body });
      expect(status).toBe(202);
      const stored = await server.request('GET', `/_api/document/${json['_id'] as string}`);
      expect(stored.json).toMatchObject(body);
    }
  });

  test('without ends it is 1218 in the form of 1.4 and 1233 in that of 3.x', async () => {
    await using server = await openWithEdges();
    for (const body of [{}, { _from: 'v/a' }, { _to: 'v/a' }, { _from: 1, _to: 'v/a' }]) {
      const old = await server.request('POST', '/_api/document?collection=e', { body });
      expectError(old, 400, 1218);
      expectError(await server.request('POST', '/_api/document/e', { body }), 400, 1233);
    }
    const body = { _from: 'nohandle', _to: 'v/a' };
    expectError(await server.request('POST', '/_api/document/e', { body }), 400, 1205);
  });

  test('new ends in a body replace the old ones', async () => {
    await using server = await openWithEdges();
    await post(server, 'collection=e&from=v/a&to=v/b', { _key: 'k' });
    await server.request('PATCH', '/_api/document/e/k', { body: { _to: 'v/c' } });
    const { json } = await server.request('GET', '/_api/document/e/k');
    expect(json).toMatchObject({ _from: 'v/a', _to: 'v/c' });
  });
});
