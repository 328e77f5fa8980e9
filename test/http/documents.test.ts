import { describe, expect, test } from 'vitest';
import { type Answer, type TestServer, openTestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';

async function openWithCollection(body: Record<string, unknown> = {}): Promise<TestServer> {
  const server = await openTestServer();
  await server.request('POST', '/_api/collection', { body: { name: 'c', ...body } });
  return server;
}

function post(server: TestServer, body: unknown, query = ''): Promise<Answer> {
  return server.request('POST', `/_api/document?collection=c${query}`, { body });
}

describe('POST /_api/document?collection=', () => {
  test('202 without an fsync, 201 with one; handle in body, etag and location', async () => {
    await using server = await openWithCollection();
    const answer = await post(server, { _key: 'k', a: 1 });
    expect(answer.status).toBe(202);
    const rev = answer.json['_rev'] as string;
    expect(answer.json).toEqual({ error: false, _id: 'c/k', _rev: rev, _key: 'k' });
    expect(rev).toMatch(/^\d+$/);
    expect(answer.headers['etag']).toBe(`"${rev}"`);
    expect(answer.headers['location']).toBe('/_db/_system/_api/document/c/k');
    expect((await post(server, {}, '&waitForSync=true')).status).toBe(201);
    await server.request('PUT', '/_api/collection/c/properties', { body: { waitForSync: true } });
    expect((await post(server, {})).status).toBe(201);
  });

  test('a missing key is generated; an id instead of a name will do', async () => {
    await using server = await openWithCollection({
      keyOptions: { type: 'autoincrement', offset: 10, increment: 5 },
    });
    const id = server.catalogue.get('_system').get('c').cid;
    expect((await post(server, {})).json['_key']).toBe('10');
    const byId = await server.request('POST', `/_api/document?collection=${id}`, { body: {} });
    expect(byId.json['_id']).toBe('c/15');
  });

  test('bad requests store nothing', async () => {
    await using server = await openWithCollection({ keyOptions: { allowUserKeys: false } });
    expectError(await server.request('POST', '/_api/document', { body: {} }), 400, 1204);
    expectError(
      await server.request('POST', '/_api/document?collection=', { body: {} }),
      400,
      1204,
    );
    expectError(
      await server.request('POST', '/_api/document?collection=none', { body: {} }),
      ...[404, 1203],
    );
    for (const body of ['', '{', '{"a":}', '{"a":1}}'])
      expectError(await post(server, body), 400, 600);
    for (const body of ['[]', '1', '"a"', 'null']) expectError(await post(server, body), 400, 1227);
    expectError(await post(server, Buffer.from([0x7b, 0xff, 0x7d])), 400, 600);
    for (const _key of ['', 'a b', 'a/b', 'ä', 5, null, 'a'.repeat(255)]) {
      expectError(await post(server, { _key }), 400, 1221);
    }
    expectError(await post(server, { _key: 'fine' }), 400, 1222);
    expectError(await server.request('POST', '/_api/document/c/k', { body: {} }), 400, 601);
    expect((await server.request('GET', '/_api/collection/c/count')).json['count']).toBe(0);
  });

  test('of many that insert one key at once exactly one does', async () => {
    await using server = await openWithCollection();
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => post(server, { _key: 'k', i })),
    );
    const winners = answers.filter(({ status }) => status === 202);
    expect(winners).toHaveLength(1);
    for (const answer of answers.filter((each) => each !== winners[0]))
      expectError(answer, 409, 1210);
    const stored = await server.request('GET', '/_api/document/c/k');
    expect(stored.json['_rev']).toBe(winners[0]!.json['_rev']);
  });

  test('createCollection makes the collection once, whoever comes first', async () => {
    await using server = await openTestServer();
    const path = '/_api/document?collection=new&createCollection=true';
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => server.request('POST', path, { body: { i } })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 202));
    const count = await server.request('GET', '/_api/collection/new/count');
    expect(count.json).toMatchObject({ count: 12, type: 2 });
    expectError(
      await server.request('POST', '/_api/document?collection=1x&createCollection=true', {
        body: {},
      }),
      ...[400, 1208],
    );
    expectError(
      await server.request('POST', '/_api/document?collection=_x&createCollection=true', {
        body: {},
      }),
      ...[400, 1208],
    );
  });

  test('text and numbers come back as they were sent', async () => {
    await using server = await openWithCollection();
    const source = '"n":[9007199254740993,1.50,1e2],"s":"\\u00e4\\ud83d\\ude00 ä\\u0000"';
    await post(server, `{"_key":"k",${source}}`);
    const { text, json } = await server.request('GET', '/_api/document/c/k');
    expect(text).toContain('9007199254740993');
    expect(text).toContain('1.50');
    expect(json).toMatchObject({ _id: 'c/k', _key: 'k', s: 'ä😀 ä\u0000' });
  });

  test('a unique index refuses a second document with its values', async () => {
    await using server = await openWithCollection();
    const index = { type: 'hash', unique: true, fields: ['u'] };
    await server.request('POST', '/_api/index?collection=c', { body: index });
    expect((await post(server, { u: 1 })).status).toBe(202);
    expectError(await post(server, { u: 1 }), 409, 1210);
    expect((await post(server, { u: 2 })).status).toBe(202);
  });
});

describe('GET /_api/document', () => {
  test('one document with its handle and etag; HEAD has the headers only', async () => {
    await using server = await openWithCollection();
    const { json } = await post(server, { _key: 'k', a: [1, { b: null }] });
    const rev = json['_rev'] as string;
    const got = await server.request('GET', '/_api/document/c/k');
    expect(got.status).toBe(200);
    expect(got.json).toEqual({ _id: 'c/k', _key: 'k', _rev: rev, a: [1, { b: null }] });
    expect(got.headers['etag']).toBe(`"${rev}"`);
    const head = await server.request('HEAD', '/_api/document/c/k');
    expect(head.status).toBe(200);
    expect(head.text).toBe('');
    expect(head.headers['content-length']).toBe(got.headers['content-length']);
    expect(head.headers['etag']).toBe(`"${rev}"`);
  });

  test('keys with every allowed character are found', async () => {
    await using server = await openWithCollection();
    const key = "a:b.c@(d)+,=;$!*'%-_";
    const { headers } = await post(server, { _key: key });
    const path = `/_api/document/c/${encodeURIComponent(key)}`;
    expect((await server.request('GET', path)).json['_key']).toBe(key);
    expect((await server.request('GET', headers['location'] as string)).json['_key']).toBe(key);
  });

  test('what is not there', async () => {
    await using server = await openWithCollection();
    expectError(await server.request('GET', '/_api/document/c/none'), 404, 1202);
    expectError(await server.request('GET', '/_api/document/none/k'), 404, 1203);
    expectError(await server.request('GET', '/_api/document/c'), 400, 1205);
    expectError(await server.request('GET', '/_api/document/c/k/x'), 400, 400);
    expectError(await server.request('GET', '/_api/document'), 400, 1204);
    expectError(await server.request('GET', '/_api/document?collection=none'), 404, 1203);
    const head = await server.request('HEAD', '/_api/document/c/none');
    expect(head.status).toBe(404);
    expect(head.text).toBe('');
  });

  test('If-None-Match, If-Match and rev decide as the contract says', async () => {
    await using server = await openWithCollection();
    const rev = (await post(server, { _key: 'k' })).json['_rev'] as string;
    const get = (headers: Record<string, string>, query = '') =>
      server.request('GET', `/_api/document/c/k${query}`, { headers });
    const same = await get({ 'if-none-match': `"${rev}"` });
    expect(same.status).toBe(304);
    expect(same.text).toBe('');
    expect(same.headers['etag']).toBe(`"${rev}"`);
    expect((await get({ 'if-none-match': '"1"' })).status).toBe(200);
    expect((await get({ 'if-match': `"${rev}"` })).status).toBe(200);
    expect((await get({}, `?rev=${rev}`)).status).toBe(200);
    // Without quotes it is no etag, and ignored.
    expect((await get({ 'if-match': '1' })).status).toBe(200);
    for (const answer of [await get({ 'if-match': '"1"' }), await get({}, '?rev=1')]) {
      expectError(answer, 412, 1200);
      expect(answer.json).toMatchObject({
        ...{ _id: 'c/k', _rev: rev, _key: 'k', errorMessage: 'precondition failed' },
      });
    }
  });

  test('the list has the path of each document, in the order of keys', async () => {
    await using server = await openWithCollection();
    expect((await server.request('GET', '/_api/document?collection=c')).json).toEqual({
      ...{ documents: [], error: false, code: 200 },
    });
    for (const _key of ['b', 'a', 'a%2']) await post(server, { _key });
    const { json } = await server.request('GET', '/_api/document?collection=c');
    expect(json['documents']).toEqual([
      ...['/_api/document/c/a', '/_api/document/c/a%252', '/_api/document/c/b'],
    ]);
  });

  test('a list too long for memory is streamed whole; its HEAD leaves nothing open', async () => {
    await using server = await openWithCollection();
    const count = 20_000;
    const lines = Array.from({ length: count }, (_, i) => `{"_key":"key-${i}"}\n`).join('');
    await server.request('POST', '/_api/import?collection=c&type=documents', { body: lines });
    const { json, headers } = await server.request('GET', '/_api/document?collection=c');
    expect(headers['content-length']).toBeUndefined();
    expect(new Set(json['documents'] as string[]).size).toBe(count);
    expect((await server.request('HEAD', '/_api/document?collection=c')).status).toBe(200);
  });
});

describe('PUT, PATCH, DELETE /_api/document/<collection>/<key>', () => {
  test('PUT replaces, PATCH merges, DELETE removes and tells what was removed', async () => {
    await using server = await openWithCollection();
    const inserted = (await post(server, { _key: 'k', a: 1, b: { c: 1 } })).json['_rev'];
    const path = '/_api/document/c/k';
    const patched = await server.request('PATCH', path, { body: { b: { d: 2 }, e: 3 } });
    expect(patched.status).toBe(202);
    expect(patched.json).toEqual({
      ...{ error: false, _id: 'c/k', _key: 'k', _oldRev: inserted },
      _rev: expect.stringMatching(/^\d+$/) as string,
    });
    expect((await server.request('GET', path)).json).toMatchObject({
      ...{ a: 1, b: { c: 1, d: 2 }, e: 3 },
    });
    const replaced = await server.request('PUT', `${path}?waitForSync=true`, { body: { z: 0 } });
    expect(replaced.status).toBe(201);
    expect(replaced.headers['etag']).toBe(`"${replaced.json['_rev'] as string}"`);
    const rev = replaced.json['_rev'];
    expect((await server.request('GET', path)).json).toEqual({
      ...{ _id: 'c/k', _key: 'k', _rev: rev, z: 0 },
    });
    const removed = await server.request('DELETE', path);
    expect(removed.status).toBe(202);
    expect(removed.json).toEqual({ error: false, _id: 'c/k', _rev: rev, _key: 'k' });
    expectError(await server.request('GET', path), 404, 1202);
  });

  test('an fsync makes a removal 200', async () => {
    await using server = await openWithCollection({ waitForSync: true });
    await post(server, { _key: 'k' });
    expect((await server.request('DELETE', '/_api/document/c/k')).status).toBe(200);
  });

  test('keepNull=false drops attributes; mergeObjects=false replaces objects', async () => {
    await using server = await openWithCollection();
    await post(server, { _key: 'k', a: 1, b: { c: 1 } });
    const patch = (query: string, body: unknown) =>
      server.request('PATCH', `/_api/document/c/k?returnNew=true&${query}`, { body });
    expect((await patch('', { a: null })).json['new']).toMatchObject({ a: null });
    const dropped = (await patch('keepNull=false', { a: null })).json['new'];
    expect(dropped).not.toHaveProperty('a');
    const merged = await patch('mergeObjects=false', { b: { d: 1 } });
    expect(merged.json['new']).toMatchObject({ b: { d: 1 } });
  });

  test('key, id and revision in a body change nothing', async () => {
    await using server = await openWithCollection();
    await post(server, { _key: 'k' });
    const body = { _key: 'other', _id: 'x/y', _rev: '1', a: 1 };
    const { json } = await server.request('PUT', '/_api/document/c/k', { body });
    expect(json).toMatchObject({ _id: 'c/k', _key: 'k' });
    expect(json['_rev']).not.toBe('1');
  });

  test('a revision that is not the present one is 412, unless the last policy is asked for', async () => {
    await using server = await openWithCollection();
    const path = '/_api/document/c/k';
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const rev = (await post(server, { _key: 'k' })).json['_rev'] as string;
      const body = method === 'DELETE' ? undefined : {};
      const call = (query: string, headers: Record<string, string> = {}) =>
        server.request(method, path + query, { body, headers });
      for (const answer of [
        await call('?rev=1'),
        await call('', { 'if-match': '"1"' }),
        await call('?rev=1&policy=error'),
        await call(`?rev=${rev}`, { 'if-match': '"1"' }),
      ]) {
        expectError(answer, 412, 1200);
        expect(answer.json).toMatchObject({ _id: 'c/k', _rev: rev, _key: 'k' });
      }
      expectError(await call('?policy=foo'), 400, 400);
      expect((await call('?rev=1&policy=last', { 'if-match': '"1"' })).status).toBe(202);
      await server.request('DELETE', path);
    }
  });

  test('of many with the same If-Match exactly one wins', async () => {
    await using server = await openWithCollection();
    const rev = (await post(server, { _key: 'k', n: 0 })).json['_rev'] as string;
    const headers = { 'if-match': `"${rev}"` };
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        server.request(i % 2 ? 'PUT' : 'PATCH', '/_api/document/c/k', { body: { i }, headers }),
      ),
    );
    const winners = answers.filter(({ status }) => status === 202);
    expect(winners).toHaveLength(1);
    const stored = await server.request('GET', '/_api/document/c/k');
    expect(stored.json['_rev']).toBe(winners[0]!.json['_rev']);
    for (const answer of answers.filter((each) => each !== winners[0])) {
      expectError(answer, 412, 1200);
      expect(answer.json['_rev']).toBe(stored.json['_rev']);
    }
  });

  test('what is not there, and what cannot be', async () => {
    await using server = await openWithCollection();
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const body = method === 'DELETE' ? undefined : {};
      const call = (path: string) => server.request(method, `/_api/document/${path}`, { body });
      expectError(await call('c/none'), 404, 1202);
      expectError(await call('none/k'), 404, 1203);
      expectError(await call('c'), 400, 400);
      expectError(await call('c/k/x'), 400, 400);
    }
    await post(server, { _key: 'k' });
    for (const method of ['PUT', 'PATCH']) {
      const call = (body: string) => server.request(method, '/_api/document/c/k', { body });
      expectError(await call('{'), 400, 600);
      expectError(await call('[]'), 400, 1227);
    }
  });
});

describe('the forms of 3.x', () => {
  test('POST /_api/document/<collection> inserts', async () => {
    await using server = await openWithCollection();
    const answer = await server.request('POST', '/_api/document/c', { body: { _key: 'k' } });
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ _id: 'c/k', _key: 'k' });
    expectError(await server.request('POST', '/_api/document/none', { body: {} }), 404, 1203);
    expectError(
      await server.request('POST', '/_api/document/c', { body: { _key: 'k' } }),
      409,
      1210,
    );
  });

  test('overwriteMode decides what happens to an existing key', async () => {
    await using server = await openWithCollection();
    const insert = (query: string, body: object) =>
      server.request('POST', `/_api/document/c?returnNew=true&${query}`, {
        body: { _key: 'k', ...body },
      });
    const first = await insert('overwriteMode=replace', { a: 1 });
    expect(first.json).not.toHaveProperty('_oldRev');
    const rev = first.json['_rev'];
    const ignored = await insert('overwriteMode=ignore', { a: 2 });
    expect(ignored.json).toMatchObject({ _rev: rev });
    const updated = await insert('overwriteMode=update', { b: 1 });
    expect(updated.json).toMatchObject({ _oldRev: rev, new: { a: 1, b: 1 } });
    const replaced = await insert('overwrite=true', { c: 1 });
    expect(replaced.json['new']).not.toHaveProperty('a');
    expectError(await insert('overwriteMode=conflict&overwrite=true', {}), 409, 1210);
    expectError(await insert('overwriteMode=foo', {}), 400, 10);
  });

  test('returnNew and returnOld bring the documents, silent brings nothing', async () => {
    await using server = await openWithCollection();
    const path = '/_api/document/c/k';
    await post(server, { _key: 'k', a: 1 });
    const { json } = await server.request('PUT', `${path}?returnNew=true&returnOld=true`, {
      body: { a: 2 },
    });
    expect(json['new']).toMatchObject({ _id: 'c/k', _rev: json['_rev'], a: 2 });
    expect(json['old']).toMatchObject({ _id: 'c/k', _rev: json['_oldRev'], a: 1 });
    const silent = await server.request('PATCH', `${path}?silent=true`, { body: { a: 3 } });
    expect(silent.status).toBe(202);
    expect(silent.text).toBe('{}');
    const removed = await server.request('DELETE', `${path}?returnOld=true`);
    expect(removed.json['old']).toMatchObject({ _id: 'c/k', a: 3 });
  });

  test('ignoreRevs=false makes the revision in the body a condition', async () => {
    await using server = await openWithCollection();
    const rev = (await post(server, { _key: 'k' })).json['_rev'];
    const put = (query: string, body: object) =>
      server.request('PUT', `/_api/document/c/k${query}`, { body });
    expectError(await put('?ignoreRevs=false', { _rev: '1' }), 412, 1200);
    expect((await put('?ignoreRevs=false', { _rev: rev })).status).toBe(202);
    expect((await put('', { _rev: '1' })).status).toBe(202);
    expect((await put('?ignoreRevs=false', {})).status).toBe(202);
  });
});
