import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import { type Answer, openTestServer, type TestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';

const OF_3 = { 'x-arango-version': '30400' };

let server: TestServer;
beforeEach(async () => {
  server = await openTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

function call(method: string, path: string, body?: unknown): Promise<Answer> {
  return server.request(method, `/_api/user${path}`, { body, headers: OF_3 });
}

function create(user: string, more: object = {}): Promise<Answer> {
  return call('POST', '', { user, passwd: 'p', ...more });
}

describe('users', () => {
  test('are created, listed, read, replaced, changed and removed', async () => {
    const extra = { name: 'Ada', list: [1] };
    const created = await create('ada', { extra });
    expect([created.status, created.json]).toEqual([
      201,
      { user: 'ada', active: true, extra, error: false, code: 201 },
    ]);
    await create('bob', { active: false });
    const listed = await call('GET', '');
    expect(listed.json['result']).toEqual([
      { user: 'ada', active: true, extra },
      { user: 'bob', active: false, extra: {} },
    ]);
    const changed = await call('PATCH', '/bob', { active: true, extra: { a: null } });
    expect(changed.json).toMatchObject({ user: 'bob', active: true, extra: { a: null } });
    const replaced = await call('PUT', '/ada', { passwd: 'q' });
    expect(replaced.json).toMatchObject({ user: 'ada', active: true, extra: {} });
    expect((await call('GET', '/bob')).json).toMatchObject({ user: 'bob', extra: { a: null } });
    const removed = await call('DELETE', '/bob');
    expect([removed.status, removed.json]).toEqual([202, { error: false, code: 202 }]);
    expectError(await call('GET', '/bob'), 404, 1703);
    expectError(await call('DELETE', '/bob'), 404, 1703);
    expectError(await call('PUT', '/bob', { passwd: 'x' }), 404, 1703);
    expectError(await call('PATCH', '/bob', {}), 404, 1703);
  });

  test('are named and answered as 1.4 does, for its clients', async () => {
    const body = { username: 'ada', passwd: 'p' };
    const answer = await server.request('POST', '/_api/user', { body });
    expect([answer.status, answer.json]).toEqual([201, { error: false, code: 201 }]);
    expect((await call('GET', '/ada')).status).toBe(200);
  });

  test('of a name that is taken or cannot be are refused', async () => {
    await create('ada');
    expectError(await create('ada'), 409, 1702);
    for (const name of ['', 'a:b', 'a/b', 'a\nb', 'x'.repeat(129)]) {
      expectError(await create(name), 400, 1700);
    }
    expectError(await call('POST', '', { passwd: 'p' }), 400, 1700);
    const both = await Promise.all([create('bob'), create('bob')]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(server.access.users.all.map(({ name }) => name)).toEqual(['ada', 'bob']);
  });

  test('with members of wrong types are refused, and nothing changes', async () => {
    await create('ada', { extra: { kept: 1 } });
    const bad = [
      ...[{ passwd: 1 }, { passwd: 'x'.repeat(1025) }, { active: 'yes' }, { extra: [] }],
      ...[{ extra: 'text' }, { extra: null }, { extra: { long: 'x'.repeat(65_536) } }],
    ];
    for (const body of bad) {
      expectError(await call('PATCH', '/ada', body), 400, 400);
      expectError(await call('PUT', '/ada', body), 400, 400);
      expectError(await create('bob', body), 400, 400);
    }
    for (const depth of [300, 20_000, 100_000]) {
      const extra = `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      expectError(await call('PATCH', '/ada', `{"extra":${extra}}`), 400, 400);
    }
    expectError(await call('POST', '', '[]'), 400, 400);
    expectError(await call('POST', '', 'no JSON'), 400, 400);
    expect(server.access.users.all).toHaveLength(1);
    expect((await call('GET', '/ada')).json['extra']).toEqual({ kept: 1 });
  });

  test('may bear names and extras that are special to JavaScript', async () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'ü ß', '%2f']) {
      const path = `/${encodeURIComponent(name)}`;
      expectError(await call('GET', path), 404, 1703);
      const body = `{"user":${JSON.stringify(name)},"extra":{"__proto__":{"a":1}}}`;
      expect((await call('POST', '', body)).status).toBe(201);
      expect((await call('GET', path)).text).toContain('"extra":{"__proto__":{"a":1}}');
    }
  });

  test('outlive a restart with their rights, and no password is stored as it is', async () => {
    await create('ada', { passwd: 'very-s3cret' });
    await call('PUT', '/ada/database/_system', { grant: 'ro' });
    const { users, authenticator } = await openAccess(server, {
      ...{ secret: Buffer.alloc(32, 1), lifetimeMs: 1000 },
    });
    expect(users.get('ada').rights).toEqual(new Map([['_system', 'ro']]));
    expect(await authenticator.login('ada', 'very-s3cret')).toBe(users.get('ada'));
    expect(await authenticator.login('ada', 'very-s3cre')).toBeUndefined();
    for await (const [key, value] of server.store.level.iterator()) {
      expect(Buffer.concat([key, value]).includes('very-s3cret')).toBe(false);
    }
  });

  test('are in no inventory, dump or log', async () => {
    const before = server.catalogue.get('_system').changelog.state;
    await create('ada');
    await call('PUT', '/ada/database/*', { grant: 'rw' });
    const { changelog, collections } = server.catalogue.get('_system');
    expect(changelog.state).toEqual(before);
    expect([...collections]).toEqual([]);
  });
});

describe('rights', () => {
  beforeEach(async () => {
    for (const name of ['harbour', 'docks']) {
      await server.request('POST', '/_api/database', { body: { name } });
    }
    await create('ada');
  });

  const grant = (database: string, right: unknown): Promise<Answer> =>
    call('PUT', `/ada/database/${database}`, { grant: right });
  const right = async (database: string): Promise<unknown> =>
    (await call('GET', `/ada/database/${database}`)).json['result'];

  test('are those of the database, else those of *, else none', async () => {
    expect(await right('harbour')).toBe('none');
    const granted = await grant('*', 'ro');
    expect([granted.status, granted.json]).toEqual([200, { '*': 'ro', error: false, code: 200 }]);
    await grant('harbour', 'rw');
    await grant('docks', 'none');
    expect(await Promise.all(['harbour', 'docks', '_system', '*'].map(right))).toEqual([
      ...['rw', 'none', 'ro', 'ro'],
    ]);
    expect((await call('GET', '/ada/database')).json['result']).toEqual({
      ...{ _system: 'ro', harbour: 'rw' },
    });
    expect((await call('GET', '/ada/database?full=true')).json['result']).toEqual({
      _system: { permission: 'undefined', collections: {} },
      docks: { permission: 'none', collections: {} },
      harbour: { permission: 'rw', collections: {} },
      '*': { permission: 'ro' },
    });
    const revoked = await call('DELETE', '/ada/database/harbour');
    expect([revoked.status, revoked.json]).toEqual([202, { error: false, code: 202 }]);
    expect(await right('harbour')).toBe('ro');
  });

  test('are refused for what is not there, and when they are none', async () => {
    expectError(await grant('nowhere', 'rw'), 404, 1228);
    expectError(await call('GET', '/ada/database/nowhere'), 404, 1228);
    for (const bad of ['RW', '', 'write', null, 1, ['rw'], undefined]) {
      expectError(await grant('harbour', bad), 400, 400);
    }
    expectError(await call('PUT', '/bob/database/harbour', { grant: 'rw' }), 404, 1703);
    expectError(await call('DELETE', '/bob/database/harbour'), 404, 1703);
    expectError(await call('GET', '/bob/database'), 404, 1703);
    expect(server.access.users.get('ada').rights.size).toBe(0);
  });

  test('of a collection are those of its database, and cannot be given', async () => {
    await grant('harbour', 'ro');
    const answer = await call('GET', '/ada/database/harbour/boats');
    expect(answer.json).toEqual({ result: 'ro', error: false, code: 200 });
    expectError(await call('PUT', '/ada/database/harbour/boats', { grant: 'rw' }), 501, 9);
    expectError(await call('DELETE', '/ada/database/harbour/boats'), 501, 9);
  });

  test('end with the database, also for one of its name', async () => {
    await grant('harbour', 'rw');
    await grant('docks', 'ro');
    await server.request('DELETE', '/_api/database/harbour');
    await server.request('POST', '/_api/database', { body: { name: 'harbour' } });
    expect([await right('harbour'), await right('docks')]).toEqual(['none', 'ro']);
    const { users } = await openAccess(server, { secret: Buffer.alloc(32), lifetimeMs: 1000 });
    expect(users.get('ada').rights).toEqual(new Map([['docks', 'ro']]));
  });

  test('come with a new database for the users that it is made with', async () => {
    const users = [
      { username: 'ada', passwd: 'other' },
      { username: 'eve', extra: { a: 1 } },
    ];
    const body = { name: 'yard', users };
    expect((await server.request('POST', '/_api/database', { body })).status).toBe(200);
    expect(await right('yard')).toBe('rw');
    expect((await call('GET', '/eve')).json).toMatchObject({ extra: { a: 1 } });
    // Those that are there stay what they are.
    expect(await server.access.authenticator.login('ada', 'other')).toBeUndefined();
    expect(await server.access.authenticator.login('ada', 'p')).toBeDefined();
  });
});
