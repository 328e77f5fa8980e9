import { describe, expect, test } from 'vitest';
import { type Answer, type TestServer, openTestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';

async function openWithCollection(type = 2): Promise<TestServer> {
  const server = await openTestServer();
  await server.request('POST', '/_api/collection', { body: { name: 'c', type } });
  return server;
}

function post(server: TestServer, body: unknown): Promise<Answer> {
  return server.request('POST', '/_api/index?collection=c', { body });
}

/** Definition without its id, as it is created from a body. */
const SHAPES: [Record<string, unknown>, Record<string, unknown>][] = [
  [
    { type: 'hash', unique: false, fields: ['name', 'city'] },
    { type: 'hash', unique: false, fields: ['name', 'city'] },
  ],
  [
    { type: 'skiplist', unique: true, fields: ['serial'], sparse: true },
    { type: 'skiplist', unique: true, fields: ['serial'], sparse: true },
  ],
  [
    { type: 'persistent', fields: ['a.b'] },
    { type: 'persistent', unique: false, fields: ['a.b'] },
  ],
  [
    { type: 'fulltext', fields: ['bio'], minLength: 3 },
    { type: 'fulltext', unique: false, minLength: 3, fields: ['bio'] },
  ],
  [
    { type: 'geo', fields: ['loc'], geoJson: false },
    { type: 'geo1', unique: false, geoJson: false, constraint: false, fields: ['loc'] },
  ],
  [
    { type: 'geo', fields: ['lat', 'lon'] },
    { type: 'geo2', unique: false, constraint: false, fields: ['lat', 'lon'] },
  ],
  [
    { type: 'geo', fields: ['la', 'lo'], constraint: true, ignoreNull: true },
    { type: 'geo2', unique: true, constraint: true, ignoreNull: true, fields: ['la', 'lo'] },
  ],
  [
    { type: 'bitarray', fields: ['sex', ['f', 'm', []]], unique: false },
    { type: 'bitarray', unique: false, fields: [['sex', ['f', 'm', []]]], undefined: false },
  ],
  [
    { type: 'cap', size: 3 },
    { type: 'cap', unique: false, size: 3, byteSize: 0 },
  ],
];

describe('POST /_api/index', () => {
  test('each type has the shape of the real server; an equal one is found, not made again', async () => {
    await using server = await openWithCollection();
    for (const [body, shape] of SHAPES) {
      const made = await post(server, body);
      const id = made.json['id'];
      expect(id).toMatch(/^c\/\d+$/);
      expect(made.status).toBe(201);
      expect(made.json).toEqual({ id, ...shape, isNewlyCreated: true, error: false, code: 201 });
      const again = await post(server, body);
      expect(again.status).toBe(200);
      expect(again.json).toEqual({ id, ...shape, isNewlyCreated: false, error: false, code: 200 });
      const got = await server.request('GET', `/_api/index/${id as string}`);
      expect(got.json).toEqual({ id, ...shape, error: false, code: 200 });
    }
    const list = await server.request('GET', '/_api/index?collection=c');
    expect(list.json['indexes']).toHaveLength(SHAPES.length + 1);
  });

  test('the order of attributes is that of 1.4', async () => {
    await using server = await openWithCollection();
    const { text, json } = await post(server, { type: 'hash', unique: true, fields: ['uid'] });
    expect(text).toBe(
      `{"id":"${json['id'] as string}","type":"hash","unique":true,"fields":["uid"],` +
        '"isNewlyCreated":true,"error":false,"code":201}',
    );
  });

  test('definitions that cannot be are 400/400', async () => {
    await using server = await openWithCollection();
    const bad: unknown[] = [
      ...[{}, { type: 5 }, { type: 'foo', fields: ['a'] }, { type: 'primary', fields: ['_key'] }],
      ...[{ type: 'hash' }, { type: 'hash', fields: [] }, { type: 'hash', fields: 'a' }],
      ...[
        { type: 'hash', fields: ['a', 'a'] },
        { type: 'skiplist', fields: [1] },
      ],
      ...[
        { type: 'geo', fields: ['a', 'b', 'c'] },
        { type: 'geo1', fields: ['a', 'b'] },
      ],
      ...[
        { type: 'geo2', fields: ['a'] },
        { type: 'fulltext', fields: ['a', 'b'] },
      ],
      ...[{ type: 'fulltext', fields: ['a'], minLength: 'x' }, { type: 'cap' }],
      ...[
        { type: 'cap', size: -1 },
        { type: 'cap', size: 1.5 },
        { type: 'bitarray', fields: ['a'] },
      ],
      ...[{ type: 'bitarray', fields: [['x'], 'a'] }],
    ];
    for (const body of bad) expectError(await post(server, body), 400, 400);
    expectError(await post(server, '{'), 400, 600);
    const list = await server.request('GET', '/_api/index?collection=c');
    expect(list.json['indexes']).toHaveLength(1);
  });

  test('a second, different cap is 400/1215', async () => {
    await using server = await openWithCollection();
    await post(server, { type: 'cap', size: 3 });
    expectError(await post(server, { type: 'cap', size: 4 }), 400, 1215);
    const answers = await Promise.all([5, 6].map((size) => post(server, { type: 'cap', size })));
    for (const answer of answers) expectError(answer, 400, 1215);
  });

  test('of two caps asked for at once one is made and the other is 400/1215', async () => {
    await using server = await openWithCollection();
    const sizes = [3, 4, 5];
    const answers = await Promise.all(sizes.map((size) => post(server, { type: 'cap', size })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400]);
    const list = await server.request('GET', '/_api/index?collection=c');
    expect(list.json['indexes']).toHaveLength(2);
  });

  test('a cap leaves the newest documents, and refuses one that is above its bytes', async () => {
    await using server = await openWithCollection();
    for (const _key of ['a', 'b', 'd']) {
      await server.request('POST', '/_api/document?collection=c', { body: { _key } });
    }
    await post(server, { type: 'cap', size: 2, byteSize: 16384 });
    const keys = async (): Promise<unknown> =>
      (await server.request('GET', '/_api/document?collection=c')).json['documents'];
    expect(await keys()).toEqual(['/_api/document/c/b', '/_api/document/c/d']);
    await server.request('POST', '/_api/document?collection=c', { body: { _key: 'e' } });
    const large = { _key: 'f', pad: 'x'.repeat(16384) };
    for (const [method, path] of [
      ['POST', '/_api/document?collection=c'],
      ['POST', '/_api/document/c'],
      ['PUT', '/_api/document/c/e'],
      ['PATCH', '/_api/document/c/e'],
    ] as const) {
      expectError(await server.request(method, path, { body: large }), 400, 1216);
    }
    expect(await keys()).toEqual(['/_api/document/c/d', '/_api/document/c/e']);
  });

  test('documents that cannot be in a unique index make it 400/1210, and it is not there', async () => {
    await using server = await openWithCollection();
    for (const u of [1, 2, 1]) {
      await server.request('POST', '/_api/document?collection=c', { body: { u } });
    }
    expectError(await post(server, { type: 'hash', unique: true, fields: ['u'] }), 400, 1210);
    const list = await server.request('GET', '/_api/index?collection=c');
    expect(list.json['indexes']).toHaveLength(1);
    const more = await server.request('POST', '/_api/document?collection=c', { body: { u: 1 } });
    expect(more.status).toBe(202);
  });

  test('of many that ask for one index at once, all get the same', async () => {
    await using server = await openWithCollection();
    const body = { type: 'hash', unique: true, fields: ['u'] };
    const answers = await Promise.all(Array.from({ length: 6 }, () => post(server, body)));
    expect(new Set(answers.map(({ json }) => json['id'])).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  });
});

describe('GET and DELETE /_api/index', () => {
  test('the list holds what every collection has, and says all twice', async () => {
    await using server = await openWithCollection(3);
    const { json } = await server.request('GET', '/_api/index?collection=c');
    const primary = { id: 'c/0', type: 'primary', unique: true, fields: ['_id'] };
    const edge = { id: 'c/1', type: 'edge', unique: false, fields: ['_from', '_to'] };
    expect(json).toEqual({
      indexes: [primary, edge],
      identifiers: { 'c/0': primary, 'c/1': edge },
      error: false,
      code: 200,
    });
    const one = await server.request('GET', '/_api/index/c/0');
    expect(one.json).toEqual({ ...primary, error: false, code: 200 });
  });

  test('a dropped one is gone and no longer enforced', async () => {
    await using server = await openWithCollection();
    const { json } = await post(server, { type: 'hash', unique: true, fields: ['u'] });
    const path = `/_api/index/${json['id'] as string}`;
    await server.request('POST', '/_api/document?collection=c', { body: { u: 1 } });
    const dropped = await server.request('DELETE', path);
    expect(dropped.json).toEqual({ id: json['id'], error: false, code: 200 });
    expectError(await server.request('GET', path), 404, 1212);
    expectError(await server.request('DELETE', path), 404, 1212);
    const second = await server.request('POST', '/_api/document?collection=c', { body: { u: 1 } });
    expect(second.status).toBe(202);
  });

  test('what is built in stays', async () => {
    await using server = await openWithCollection(3);
    expectError(await server.request('DELETE', '/_api/index/c/0'), 400, 11);
    expectError(await server.request('DELETE', '/_api/index/c/1'), 400, 11);
  });

  test('unknown and malformed ids, unknown collections, other methods', async () => {
    await using server = await openWithCollection();
    expectError(await server.request('GET', '/_api/index'), 404, 1203);
    expectError(await server.request('GET', '/_api/index?collection=none'), 404, 1203);
    const index = { type: 'hash', fields: ['a'] };
    expectError(
      await server.request('POST', '/_api/index?collection=none', { body: index }),
      ...[404, 1203],
    );
    for (const method of ['GET', 'DELETE']) {
      expectError(await server.request(method, '/_api/index/c/4711'), 404, 1212);
      expectError(await server.request(method, '/_api/index/none/1'), 404, 1203);
      expectError(await server.request(method, '/_api/index/c/abc'), 400, 1214);
      expectError(await server.request(method, '/_api/index/c'), 400, 1214);
      expectError(await server.request(method, '/_api/index/c/1/2'), 400, 1214);
    }
    expectError(await server.request('PUT', '/_api/index/c/1', { body: {} }), 405, 405);
    expectError(await server.request('PATCH', '/_api/index', { body: {} }), 405, 405);
  });
});
