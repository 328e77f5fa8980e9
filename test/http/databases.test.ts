import { describe, expect, test } from 'vitest';
import { openTestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';

describe('/_api/database', () => {
  test('create, list, drop', async () => {
    await using server = await openTestServer();
    const created = await server.request('POST', '/_api/database', { body: { name: 'd1' } });
    expect(created.status).toBe(200);
    expect(created.json).toEqual({ result: true, error: false, code: 200 });
    const list = await server.request('GET', '/_api/database');
    expect(list.json).toEqual({ result: ['_system', 'd1'], error: false, code: 200 });
    const dropped = await server.request('DELETE', '/_api/database/d1');
    expect(dropped.json).toEqual({ result: true, error: false, code: 200 });
    expectError(await server.request('GET', '/_db/d1/_api/version'), 404, 1228);
    expect((await server.request('GET', '/_api/database/user')).json['result']).toEqual([
      '_system',
    ]);
  });

  test('collections of one database are not those of another', async () => {
    await using server = await openTestServer();
    await server.request('POST', '/_api/database', { body: { name: 'd1' } });
    await server.request('POST', '/_db/d1/_api/collection', { body: { name: 'c' } });
    expectError(await server.request('GET', '/_api/collection/c'), 404, 1203);
    expect((await server.request('GET', '/_db/d1/_api/collection/c')).status).toBe(200);
  });

  test('current tells id, name and whether it is the system database', async () => {
    await using server = await openTestServer();
    const { json } = await server.request('GET', '/_api/database/current');
    expect(json['result']).toEqual({
      id: expect.stringMatching(/^\d+$/) as string,
      name: '_system',
      path: 'none',
      isSystem: true,
    });
  });

  test('list, create and drop work in _system only', async () => {
    await using server = await openTestServer();
    await server.request('POST', '/_api/database', { body: { name: 'd1' } });
    expectError(await server.request('GET', '/_db/d1/_api/database'), 403, 1230);
    expectError(
      await server.request('POST', '/_db/d1/_api/database', { body: { name: 'd2' } }),
      ...[403, 1230],
    );
    expectError(await server.request('DELETE', '/_db/d1/_api/database/d1'), 403, 1230);
    expect((await server.request('GET', '/_db/d1/_api/database/user')).json['result']).toEqual([
      ...['_system', 'd1'],
    ]);
  });

  test('bad names are 400/1229, taken ones 409/1207', async () => {
    await using server = await openTestServer();
    for (const name of [undefined, '', 1, null, '_x', '1a', 'a b', 'a/b', 'ä', 'a'.repeat(65)]) {
      expectError(await server.request('POST', '/_api/database', { body: { name } }), 400, 1229);
    }
    expectError(
      await server
        .request('POST', '/_api/database', { body: { name: 'a'.repeat(64) } })
        .then(() => server.request('POST', '/_api/database', { body: { name: 'a'.repeat(64) } })),
      ...[409, 1207],
    );
  });

  test('malformed users are 400/400 and create nothing', async () => {
    await using server = await openTestServer();
    const bad = ['root', {}, [1], [null], [{}], [{ username: '' }], [{ username: 'u', passwd: 1 }]];
    for (const users of bad) {
      const body = { name: 'd1', users };
      expectError(await server.request('POST', '/_api/database', { body }), 400, 400);
    }
    expectError(await server.request('GET', '/_db/d1/_api/version'), 404, 1228);
    const body = { name: 'd1', users: [{ username: 'u', passwd: 'p', active: true, extra: {} }] };
    expect((await server.request('POST', '/_api/database', { body })).status).toBe(200);
  });

  test('unknown databases are not dropped, nor is _system', async () => {
    await using server = await openTestServer();
    expectError(await server.request('DELETE', '/_api/database/none'), 404, 1228);
    const refused = await server.request('DELETE', '/_api/database/_system');
    expectError(refused, 403, 11);
    expect(refused.text).toContain("database '_system' cannot be dropped");
  });

  test('other methods are 405', async () => {
    await using server = await openTestServer();
    expectError(await server.request('PUT', '/_api/database', { body: {} }), 405, 405);
    expectError(await server.request('DELETE', '/_api/database'), 405, 405);
    expectError(await server.request('POST', '/_api/database/current', { body: {} }), 405, 405);
  });

  test('of many that create one name at once exactly one does', async () => {
    await using server = await openTestServer();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        server.request('POST', '/_api/database', { body: { name: 'race' } }),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 7 }, () => 409)]);
  });

  test('what works on a database is stopped before it is dropped', async () => {
    const order: string[] = [];
    await using server = await openTestServer({
      onDropDatabase: async (database) => {
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${database.name} dropped: ${database.dropped}`);
      },
    });
    await server.request('POST', '/_api/database', { body: { name: 'd1' } });
    await server.request('DELETE', '/_api/database/d1');
    expect(order).toEqual(['d1 dropped: false']);
  });
});
