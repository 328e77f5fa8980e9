import { describe, expect, test } from 'vitest';
import { type TestServer, openTestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';

const ID = expect.stringMatching(/^\d+$/) as string;
const DEFAULT_KEYS = { type: 'traditional', allowUserKeys: true };

async function create(server: TestServer, body: Record<string, unknown>): Promise<string> {
  const answer = await server.request('POST', '/_api/collection', { body });
  expect(answer.status).toBe(200);
  return answer.json['id'] as string;
}

describe('POST /_api/collection', () => {
  test('answers with what was made, and where it is', async () => {
    await using server = await openTestServer();
    const body = { name: 'people', waitForSync: true };
    const answer = await server.request('POST', '/_api/collection', { body });
    expect(answer.status).toBe(200);
    expect(answer.headers['location']).toBe('/_db/_system/_api/collection/people');
    expect(answer.json).toEqual({
      ...{ id: ID, name: 'people', waitForSync: true, isVolatile: false, isSystem: false },
      ...{ status: 3, type: 2, keyOptions: DEFAULT_KEYS, error: false, code: 200 },
    });
  });

  test('takes every property', async () => {
    await using server = await openTestServer();
    const keyOptions = { type: 'autoincrement', offset: 10, increment: 5, allowUserKeys: true };
    await create(server, {
      ...{ name: 'e', type: 3, isVolatile: true, journalSize: 2_097_152, doCompact: false },
      keyOptions,
    });
    const { json } = await server.request('GET', '/_api/collection/e/properties');
    expect(json).toEqual({
      ...{ id: ID, name: 'e', waitForSync: false, isVolatile: true, isSystem: false, status: 3 },
      ...{ type: 3, doCompact: false, journalSize: 2_097_152, indexBuckets: 8, keyOptions },
      ...{ error: false, code: 200 },
    });
  });

  test('bad requests create nothing and say why', async () => {
    await using server = await openTestServer();
    const cases: [Record<string, unknown>, number, number][] = [
      [{}, 400, 1208],
      [{ name: '' }, 400, 1208],
      [{ name: 5 }, 400, 1208],
      [{ name: '1a' }, 400, 1208],
      [{ name: 'a.b' }, 400, 1208],
      [{ name: 'a'.repeat(65) }, 400, 1208],
      [{ name: '_sys' }, 400, 1208],
      [{ name: 'c', journalSize: 1_048_575 }, 400, 1206],
      [{ name: 'c', journalSize: 'big' }, 400, 10],
      [{ name: 'c', type: 4 }, 400, 10],
      [{ name: 'c', type: '2' }, 400, 10],
      [{ name: 'c', waitForSync: 'yes' }, 400, 10],
      [{ name: 'c', waitForSync: true, isVolatile: true }, 400, 10],
      [{ name: 'c', keyOptions: 'x' }, 400, 1232],
      [{ name: 'c', keyOptions: { type: 'foo' } }, 400, 1232],
      [{ name: 'c', keyOptions: { type: 'autoincrement', increment: 0 } }, 400, 1232],
    ];
    for (const [body, status, errorNum] of cases) {
      const answer = await server.request('POST', '/_api/collection', { body });
      expectError(answer, status, errorNum);
    }
    expect((await server.request('GET', '/_api/collection')).json['result']).toEqual([]);
  });

  test('a taken name is 409/1207; of many at once exactly one wins', async () => {
    await using server = await openTestServer();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        server.request('POST', '/_api/collection', { body: { name: 'race' } }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expectError(answer, 409, 1207);
    }
  });
});

describe('GET /_api/collection', () => {
  test('lists in the shapes of both generations, system collections unless excluded', async () => {
    await using server = await openTestServer();
    const id = await create(server, { name: 'a' });
    const systemId = await create(server, { name: '_s', isSystem: true });
    const { json } = await server.request('GET', '/_api/collection');
    const a = { id, name: 'a', isSystem: false, status: 3, type: 2 };
    const s = { id: systemId, name: '_s', isSystem: true, status: 3, type: 2 };
    expect(json).toEqual({
      ...{ collections: [a, s], names: { a, _s: s }, result: [a, s], error: false, code: 200 },
    });
    const users = await server.request('GET', '/_api/collection?excludeSystem=true');
    expect(users.json['result']).toEqual([a]);
  });

  test('one by name and by id', async () => {
    await using server = await openTestServer();
    const id = await create(server, { name: 'a' });
    for (const path of ['/_api/collection/a', `/_api/collection/${id}`, '/_api/collection/a/']) {
      const answer = await server.request('GET', path);
      expect(answer.json).toEqual({
        ...{ id, name: 'a', isSystem: false, status: 3, type: 2, error: false, code: 200 },
      });
      expect(answer.headers['location']).toBe('/_db/_system/_api/collection/a');
    }
  });

  test('count, figures and revision follow the documents', async () => {
    await using server = await openTestServer();
    await create(server, { name: 'a' });
    const empty = await server.request('GET', '/_api/collection/a/figures');
    expect(empty.json).toMatchObject({ count: 0, figures: { alive: { count: 0, size: 0 } } });
    expect((await server.request('GET', '/_api/collection/a/revision')).json['revision']).toBe('0');
    for (const key of ['x', 'y', 'z']) {
      await server.request('POST', '/_api/document?collection=a', { body: { _key: key } });
    }
    await server.request('PUT', '/_api/document/a/x', { body: { v: 1 } });
    await server.request('DELETE', '/_api/document/a/y');
    const count = await server.request('GET', '/_api/collection/a/count');
    expect(count.json).toMatchObject({ name: 'a', count: 2, journalSize: 33_554_432, code: 200 });
    const { json } = await server.request('GET', '/_api/collection/a/figures');
    const figures = json['figures'] as Record<string, Record<string, number>>;
    expect(figures['alive']).toMatchObject({ count: 2 });
    expect(figures['dead']).toMatchObject({ count: 3 });
    expect(figures['alive']!['size']! + figures['dead']!['size']!).toBe(
      figures['datafiles']!['fileSize'],
    );
    const revision = await server.request('GET', '/_api/collection/a/revision');
    expect(revision.json['revision']).toMatch(/^[1-9]\d+$/);
  });

  test('unknown collections, actions and paths that are too long', async () => {
    await using server = await openTestServer();
    await create(server, { name: 'a' });
    expectError(await server.request('GET', '/_api/collection/b'), 404, 1203);
    expectError(await server.request('GET', '/_api/collection/999'), 404, 1203);
    for (const action of ['properties', 'count', 'figures', 'revision', 'checksum', 'foo']) {
      expectError(await server.request('GET', `/_api/collection/b/${action}`), 404, 1203);
    }
    expectError(await server.request('GET', '/_api/collection/a/foo'), 404, 404);
    expectError(await server.request('GET', '/_api/collection/a/rename'), 404, 404);
    expectError(await server.request('GET', '/_api/collection/a/count/x'), 400, 400);
    expectError(await server.request('PUT', '/_api/collection/a/load/x', { body: {} }), 400, 400);
    expectError(await server.request('POST', '/_api/collection/a', { body: {} }), 405, 405);
    expectError(await server.request('PATCH', '/_api/collection', { body: {} }), 405, 405);
    expectError(await server.request('DELETE', '/_api/collection'), 405, 405);
  });
});

describe('PUT /_api/collection/<name>/<action>', () => {
  test('load and unload answer as the real server does, and change nothing', async () => {
    await using server = await openTestServer();
    const id = await create(server, { name: 'a' });
    const base = { id, name: 'a', isSystem: false, type: 2, error: false, code: 200 };
    const unloaded = await server.request('PUT', '/_api/collection/a/unload');
    expect(unloaded.json).toEqual({ ...base, status: 4 });
    const loaded = await server.request('PUT', '/_api/collection/a/load');
    expect(loaded.json).toEqual({ ...base, status: 3, count: 0 });
    const short = await server.request('PUT', '/_api/collection/a/load', {
      body: { count: false },
    });
    expect(short.json).toEqual({ ...base, status: 3 });
  });

  test('what was unloaded is said to be so until it is used', async () => {
    await using server = await openTestServer();
    await create(server, { name: 'a' });
    const status = async (): Promise<unknown> =>
      (await server.request('GET', '/_api/collection/a')).json['status'];
    const uses: (() => Promise<unknown>)[] = [
      () => server.request('PUT', '/_api/collection/a/load'),
      () => server.request('GET', '/_api/collection/a/count'),
      () => server.request('GET', '/_api/collection/a/checksum'),
      () => server.request('GET', '/_api/document/a/none'),
      () => server.request('POST', '/_api/document?collection=a', { body: {} }),
      () => server.request('PUT', '/_api/collection/a/truncate'),
    ];
    for (const use of uses) {
      expect(await status()).toBe(3);
      await server.request('PUT', '/_api/collection/a/unload');
      expect(await status()).toBe(2);
      const { json } = await server.request('GET', '/_api/collection');
      expect(json['names']).toMatchObject({ a: { status: 2 } });
      await use();
    }
    expect(await status()).toBe(3);
    expectError(await server.request('PUT', '/_api/collection/none/unload'), 404, 1203);
    expectError(await server.request('PUT', '/_api/collection/none/load'), 404, 1203);
    expectError(await server.request('PUT', '/_api/collection/none/rotate'), 404, 1203);
    expectError(await server.request('POST', '/_api/collection/a/unload'), 405, 405);
  });

  test('truncate removes every document', async () => {
    await using server = await openTestServer();
    const id = await create(server, { name: 'a' });
    for (let i = 0; i < 5; i++) {
      await server.request('POST', '/_api/document?collection=a', { body: { i } });
    }
    const { json } = await server.request('PUT', '/_api/collection/a/truncate');
    expect(json).toEqual({
      ...{ id, name: 'a', isSystem: false, status: 3, type: 2, error: false, code: 200 },
    });
    expect((await server.request('GET', '/_api/collection/a/count')).json['count']).toBe(0);
  });

  test('properties changes what is named and nothing else', async () => {
    await using server = await openTestServer();
    await create(server, { name: 'a' });
    const { json } = await server.request('PUT', '/_api/collection/a/properties', {
      body: { waitForSync: true, journalSize: 4_194_304, name: 'ignored', type: 3 },
    });
    expect(json).toMatchObject({
      ...{ name: 'a', type: 2, waitForSync: true, journalSize: 4_194_304, doCompact: true },
    });
    const put = (body: unknown) => server.request('PUT', '/_api/collection/a/properties', { body });
    expectError(await put({ waitForSync: 1 }), 400, 10);
    expectError(await put({ journalSize: 1 }), 400, 1206);
    expectError(await put('x'), 400, 600);
    expect((await put({})).json).toMatchObject({ waitForSync: true, journalSize: 4_194_304 });
  });

  test('rename keeps id and documents; taken and illegal names are refused', async () => {
    await using server = await openTestServer();
    const id = await create(server, { name: 'a' });
    await create(server, { name: 'taken' });
    await create(server, { name: '_s', isSystem: true });
    await server.request('POST', '/_api/document?collection=a', { body: { _key: 'k' } });
    const rename = (from: string, name: unknown) =>
      server.request('PUT', `/_api/collection/${from}/rename`, { body: { name } });
    expect((await rename('a', 'b')).json).toMatchObject({ id, name: 'b', code: 200 });
    expectError(await server.request('GET', '/_api/collection/a'), 404, 1203);
    const document = await server.request('GET', '/_api/document/b/k');
    expect(document.json).toMatchObject({ _id: 'b/k' });
    expectError(await rename('b', 'taken'), 409, 1207);
    expectError(await rename('b', '1x'), 400, 1208);
    expectError(await rename('b', '_b'), 400, 1208);
    expectError(await rename('b', undefined), 400, 1208);
    expectError(await rename('none', 'x'), 404, 1203);
    expectError(await rename('_s', 's'), 403, 11);
  });

  test('rotate works once there is something to rotate', async () => {
    await using server = await openTestServer();
    await create(server, { name: 'a' });
    expectError(await server.request('PUT', '/_api/collection/a/rotate'), 400, 1105);
    await server.request('POST', '/_api/document?collection=a', { body: {} });
    const { json } = await server.request('PUT', '/_api/collection/a/rotate');
    expect(json).toEqual({ result: true, error: false, code: 200 });
  });

  test('unknown actions and collections are 404', async () => {
    await using server = await openTestServer();
    await create(server, { name: 'a' });
    expectError(await server.request('PUT', '/_api/collection/a/foo', { body: {} }), 404, 404);
    expectError(await server.request('PUT', '/_api/collection/b/load', { body: {} }), 404, 1203);
  });
});

describe('DELETE /_api/collection/<name>', () => {
  test('drops by name and by id', async () => {
    await using server = await openTestServer();
    const a = await create(server, { name: 'a' });
    const b = await create(server, { name: 'b' });
    for (const [path, id] of [
      ['a', a],
      [b, b],
    ] as const) {
      const { json } = await server.request('DELETE', `/_api/collection/${path}`);
      expect(json).toEqual({ id, error: false, code: 200 });
      expectError(await server.request('DELETE', `/_api/collection/${path}`), 404, 1203);
    }
  });

  test('system collections go only when the client says so, the own ones of the server never', async () => {
    await using server = await openTestServer();
    await create(server, { name: '_mine', isSystem: true });
    await create(server, { name: '_users', isSystem: true });
    expectError(await server.request('DELETE', '/_api/collection/_mine'), 403, 11);
    expectError(await server.request('DELETE', '/_api/collection/_users?isSystem=true'), 403, 11);
    const dropped = await server.request('DELETE', '/_api/collection/_mine?isSystem=true');
    expect(dropped.status).toBe(200);
  });
});

describe('while an applier replicates a collection', () => {
  test('every change of it is refused with 403/1004, others go on', async () => {
    await using server = await openTestServer();
    await create(server, { name: 'a' });
    await create(server, { name: 'free' });
    server.catalogue.get('_system').writeGuard = (name) => name !== 'free';
    const put = (action: string, body: unknown) =>
      server.request('PUT', `/_api/collection/a/${action}`, { body });
    expectError(await server.request('DELETE', '/_api/collection/a'), 403, 1004);
    expectError(await put('rename', { name: 'b' }), 403, 1004);
    expectError(await put('properties', { waitForSync: true }), 403, 1004);
    expectError(
      await server.request('POST', '/_api/document?collection=a', { body: {} }),
      ...[403, 1004],
    );
    expectError(
      await server.request('POST', '/_api/import?collection=a&type=documents', { body: '{}' }),
      ...[403, 1004],
    );
    expect(
      (await server.request('POST', '/_api/document?collection=free', { body: {} })).status,
    ).toBe(202);
  });
});
