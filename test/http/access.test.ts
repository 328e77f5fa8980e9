import { SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Right } from '../../src/model/right.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { Answer, RequestOptions } from '../support/http-server.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { expectError } from './expect-error.ts';

const SECRET = Buffer.alloc(32, 7);
let clock: ManualClock;
let server: LeaderServer;

/** Users with a right to `harbour`, and `root`, who may do everything. */
const RIGHTS: Readonly<Record<string, Right>> = { reader: 'ro', writer: 'rw', nobody: 'none' };

beforeEach(async () => {
  clock = new ManualClock();
  server = await openLeaderServer({ authentication: true, clock, tokenSecret: SECRET });
  const { users } = server.access;
  await users.create('root', { password: 'root' }, new Map([['*', 'rw']]));
  await call('root', 'POST', '/_api/database', { body: { name: 'harbour' } });
  for (const [name, right] of Object.entries(RIGHTS)) {
    await users.create(name, { password: name }, new Map([['harbour', right]]));
  }
  const body = { name: 'c' };
  await call('root', 'POST', '/_db/harbour/_api/collection', { body });
  await call('root', 'POST', '/_db/harbour/_api/document/c', { body: { _key: 'k' } });
});
afterEach(() => server[Symbol.asyncDispose]());

/** By HTTP basic, with the name as the password. */
function call(
  user: string | undefined,
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<Answer> {
  const access = user === undefined ? {} : { authorization: basic(user, user) };
  return server.request(method, path, { ...options, headers: { ...access, ...options.headers } });
}

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

/** The status of a request with this header. */
async function statusWith(authorization: string): Promise<number> {
  return (await server.request('GET', '/_api/version', { headers: { authorization } })).status;
}

describe('without credentials', () => {
  test('an answer says why in the shape of 3.x, and has no body in that of 1.4', async () => {
    expect((await call(undefined, 'GET', '/_api/version')).text).toBe('');
    const headers = { 'x-arango-version': '30400' };
    expectError(await call(undefined, 'GET', '/_api/version', { headers }), 401, 401);
  });

  test('unknown paths, methods and spellings are 401 as well', async () => {
    for (const [method, path] of [
      ['GET', '/_api/boats'],
      ['PATCH', '/_api/version'],
      ['GET', '/_db/harbour/_api/document/c/k'],
      ['GET', '/_db/harbour/_api/document/c/%6b'],
      ['GET', '/_db/%68arbour/_api/document/c/k'],
      ['HEAD', '/_db/harbour/_api/document/c/k'],
      ['GET', '//_api/version'],
      ['GET', '/_api/replication//%6cogger-state'],
      ['GET', '/_db/%zz/_api/version'],
      ['GET', '/_db/harbour'],
      ['GET', '/'],
    ] as const) {
      const { status } = await call(undefined, method, path, { undocumented: true });
      expect(status, `${method} ${path}`).toBe(401);
    }
  });

  test('requests that nobody waits for are 401 at once', async () => {
    const headers = { 'x-arango-async': 'store' };
    const path = '/_db/harbour/_api/document/c/k';
    expect((await call(undefined, 'DELETE', path, { headers })).status).toBe(401);
    expect((await call('writer', 'GET', path)).status).toBe(200);
  });

  test('whether the server takes requests is told, also for databases that are not there', async () => {
    for (const prefix of ['', '/_db/harbour', '/_db/nowhere']) {
      const path = `${prefix}/_admin/server/availability`;
      expect((await call(undefined, 'GET', path)).status).toBe(200);
    }
    expect((await call(undefined, 'OPTIONS', '/_api/version')).status).toBe(200);
  });
});

describe('a user', () => {
  test.each(['nobody', 'reader', 'writer'])(
    '%s does not get into other databases, and does not learn which there are',
    async (user) => {
      for (const name of ['_system', 'nowhere']) {
        const answer = await call(user, 'GET', `/_db/${name}/_api/replication/inventory`);
        expectError(answer, 403, 11);
        expect((await call(user, 'GET', `/_db/${name}/_api/document/c/k`)).status).toBe(403);
      }
      const seen = (await call(user, 'GET', '/_api/database/user')).json['result'];
      expect(seen).toEqual(user === 'nobody' ? [] : ['harbour']);
    },
  );

  test('reads and writes documents by the quick way and the other one alike', async () => {
    for (const key of ['k', '%6b']) {
      const path = `/_db/harbour/_api/document/c/${key}`;
      expectError(await call('nobody', 'GET', path), 403, 11);
      expect((await call('reader', 'GET', path)).status).toBe(200);
      expect((await call('reader', 'HEAD', path)).status).toBe(200);
      for (const [method, body] of [
        ['PUT', '{"a":1}'],
        ['PATCH', '{"a":1}'],
        ['DELETE', undefined],
      ] as const) {
        expectError(await call('reader', method, path, { body }), 403, 11);
      }
      const body = '{"a":1}';
      expect((await call('writer', 'PUT', path, { body })).status).toBe(202);
      expect((await call('writer', 'PATCH', path, { body })).status).toBe(202);
    }
    const path = '/_db/harbour/_api/document/c';
    expectError(await call('reader', 'POST', path, { body: '{}' }), 403, 11);
    expectError(await call('reader', 'POST', `${path}?x=%20`, { body: '{}' }), 403, 11);
    expect((await call('writer', 'POST', path, { body: '{}' })).status).toBe(202);
    expect((await call('writer', 'DELETE', `${path}/k`)).status).toBe(202);
  });

  test('who may read can follow: log, inventory, dump, batches, barriers, lists of keys', async () => {
    const base = '/_db/harbour/_api/replication';
    const answer = async (method: string, path: string, body?: object): Promise<Answer> => {
      const got = await call('reader', method, `${base}/${path}`, { body });
      expect(got.status, `${method} ${path}`).toBeLessThan(300);
      return got;
    };
    await answer('GET', 'logger-state');
    await answer('GET', 'logger-follow?from=0');
    await answer('PUT', 'logger-follow?from=0', []);
    await answer('GET', 'determine-open-transactions');
    await answer('GET', 'inventory');
    await answer('GET', 'dump?collection=c');
    const batch = (await answer('POST', 'batch', { ttl: 60 })).json['id'];
    await answer('PUT', `batch/${String(batch)}`, { ttl: 60 });
    await answer('DELETE', `batch/${String(batch)}`);
    const barrier = (await answer('POST', 'barrier', { ttl: 60, tick: '1' })).json['id'];
    await answer('PUT', `barrier/${String(barrier)}`, { ttl: 60, tick: '1' });
    await answer('DELETE', `barrier/${String(barrier)}`);
    const keys = (await answer('POST', 'keys?collection=c')).json['id'];
    await answer('GET', `keys/${String(keys)}`);
    await answer('PUT', `keys/${String(keys)}?type=keys&chunk=0&chunkSize=10`);
    await answer('DELETE', `keys/${String(keys)}`);
    for (const path of ['restore-collection', 'restore-data?collection=c', 'logger-stop']) {
      expectError(await call('reader', 'PUT', `${base}/${path}`), 403, 11);
      // However the command is spelled.
      const spelled = `${base}//%${path.charCodeAt(0).toString(16)}${path.slice(1)}/x`;
      expectError(await call('reader', 'PUT', spelled), 403, 11);
    }
  });

  test('sees and changes itself, but not others nor its rights', async () => {
    const headers = { 'x-arango-version': '30400' };
    const own = (method: string, path: string, body?: object): Promise<Answer> =>
      call('reader', method, `/_api/user${path}`, { body, headers });
    expect((await own('GET', '')).json['result']).toEqual([
      { user: 'reader', active: true, extra: {} },
    ]);
    expect((await own('GET', '/reader')).status).toBe(200);
    expect((await own('GET', '/reader/database')).json['result']).toEqual({ harbour: 'ro' });
    expect((await own('GET', '/reader/database/harbour')).json['result']).toBe('ro');
    for (const path of ['/root', '/root/database', '/root/database/harbour']) {
      expectError(await own('GET', path), 403, 11);
    }
    expectError(await own('PATCH', '/root', { passwd: 'mine' }), 403, 11);
    expectError(await own('PUT', '/none', { passwd: 'mine' }), 403, 11);
    expectError(await own('POST', '', { user: 'more' }), 403, 11);
    expectError(await own('DELETE', '/reader'), 403, 11);
    expectError(await own('PUT', '/reader/database/harbour', { grant: 'rw' }), 403, 11);
    expectError(await own('DELETE', '/writer/database/harbour'), 403, 11);
    expect((await own('PATCH', '/reader', { passwd: 'new' })).status).toBe(200);
    expect(await statusWith(basic('reader', 'reader'))).toBe(401);
    expect((await own('GET', '/reader')).status).toBe(401);
  });

  test('has jobs of his own, that others do not see', async () => {
    const headers = { 'x-arango-async': 'store' };
    const path = '/_db/harbour/_api/document/c/k';
    const { headers: got } = await call('reader', 'GET', path, { headers });
    const id = String(got['x-arango-async-id']);
    const job = (user: string, method: string): Promise<Answer> =>
      call(user, method, `/_api/job/${id}`);
    await vi.waitFor(async () => expect((await job('reader', 'GET')).status).toBe(200), 10_000);
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expect((await job('writer', method)).status).toBe(404);
    }
    expect((await call('writer', 'GET', '/_api/job/done')).text).toBe('[]');
    await call('writer', 'DELETE', '/_api/job/all');
    expect((await call('reader', 'GET', '/_api/job/done')).text).toBe(`["${id}"]`);
    expect((await job('reader', 'PUT')).json).toMatchObject({ _key: 'k' });
  });

  test('who sends a request that nobody waits for gets no further than otherwise', async () => {
    const headers = { 'x-arango-async': 'store' };
    const path = '/_db/harbour/_api/document/c/k';
    const { headers: got } = await call('reader', 'DELETE', path, { headers });
    const job = `/_api/job/${String(got['x-arango-async-id'])}`;
    await vi.waitFor(async () => expectError(await call('reader', 'PUT', job), 403, 11), 10_000);
  });

  test('who makes a database may write to it', async () => {
    await server.access.users.create('boss', { password: 'boss' }, new Map([['_system', 'rw']]));
    const body = { name: 'yard' };
    expect((await call('boss', 'POST', '/_api/database', { body })).status).toBe(200);
    const made = await call('boss', 'POST', '/_db/yard/_api/collection', { body: { name: 'c' } });
    expect(made.status).toBe(200);
  });
});

describe('HTTP basic', () => {
  test('takes the password and nothing else', async () => {
    const good = basic('root', 'root');
    expect(await statusWith(good)).toBe(200);
    expect(await statusWith(good.replace('Basic', 'bAsIC'))).toBe(200);
    for (const bad of [
      ...[basic('root', 'Root'), basic('root', ''), basic('root', 'root '), basic('ROOT', 'root')],
      ...[basic('none', 'root'), basic('', ''), 'Basic', 'Basic ', 'Basic =', 'Basic cm9vdA=='],
      ...['root:root', 'Digest x', 'Bearer', 'Bearer x', `Bearer ${good.slice(6)}`, 'null'],
    ]) {
      expect(await statusWith(bad), bad).toBe(401);
    }
  });

  test('takes passwords with colons and beyond ASCII', async () => {
    await server.access.users.create('ä', { password: 'a:b:ü€' }, new Map([['*', 'ro']]));
    expect(await statusWith(basic('ä', 'a:b:ü€'))).toBe(200);
    expect(await statusWith(basic('ä', 'a:b'))).toBe(401);
  });

  test('lets nobody in without a password', async () => {
    await server.access.users.create('open', {}, new Map([['*', 'rw']]));
    await server.access.users.create('empty', { password: '' }, new Map([['*', 'rw']]));
    for (const name of ['open', 'empty']) expect(await statusWith(basic(name, ''))).toBe(401);
  });

  test('sees at once what became of a user, though checks are kept', async () => {
    const { users } = server.access;
    const header = basic('writer', 'writer');
    const status = async (): Promise<number> => {
      const path = '/_db/harbour/_api/document/c/k';
      return (await server.request('GET', path, { headers: { authorization: header } })).status;
    };
    expect(await status()).toBe(200);
    await users.update('writer', { active: false });
    expect(await status()).toBe(401);
    await users.update('writer', { active: true });
    expect(await status()).toBe(200);
    await users.grant('writer', 'harbour', 'none');
    expect(await status()).toBe(403);
    await users.grant('writer', 'harbour', 'ro');
    expect(await status()).toBe(200);
    await users.update('writer', { password: 'other' });
    expect(await status()).toBe(401);
    await users.update('writer', { password: 'writer' });
    expect(await status()).toBe(200);
    await users.remove('writer');
    expect(await status()).toBe(401);
    await users.create('writer', { password: 'writer' });
    expect(await status()).toBe(403);
  });
});

describe('tokens', () => {
  const login = (username: unknown, password: unknown): Promise<Answer> =>
    server.request('POST', '/_open/auth', { body: { username, password } });
  const tokenOf = async (user: string): Promise<string> =>
    String((await login(user, user)).json['jwt']);

  test('are given for a name and a password, and let in', async () => {
    const answer = await login('root', 'root');
    expect([answer.status, Object.keys(answer.json)]).toEqual([200, ['jwt']]);
    const token = String(answer.json['jwt']);
    expect(await statusWith(`bearer ${token}`)).toBe(200);
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as object;
    expect(claims).toMatchObject({ preferred_username: 'root', iss: 'arangodb' });
    expect(token).not.toContain(Buffer.from('root:root').toString('base64'));
  });

  test('are not given for wrong passwords and bad requests', async () => {
    for (const [name, password] of [
      ['root', 'x'],
      ['none', 'x'],
      ['', ''],
    ]) {
      expect((await login(name, password)).status).toBe(401);
    }
    for (const body of [{}, { username: 'root' }, { username: 1, password: 'x' }, [], 'x']) {
      expectError(await server.request('POST', '/_open/auth', { body }), 400, 400);
    }
  });

  test('are not given for bodies that are large, of whoever sends them', async () => {
    const body = { username: 'root', password: 'x'.repeat(20_000) };
    expect((await server.request('POST', '/_open/auth', { body })).status).toBe(413);
  });

  test('end with their time', async () => {
    const header = `bearer ${await tokenOf('root')}`;
    expect(await statusWith(header)).toBe(200);
    clock.advance(59_000);
    expect(await statusWith(header)).toBe(200);
    clock.advance(2000);
    expect(await statusWith(header)).toBe(401);
  });

  test('end with the password, with the user, and while the user is not active', async () => {
    const { users } = server.access;
    await users.grant('writer', '_system', 'ro');
    const header = `bearer ${await tokenOf('writer')}`;
    await users.update('writer', { active: false });
    expect(await statusWith(header)).toBe(401);
    await users.update('writer', { active: true });
    expect(await statusWith(header)).toBe(200);
    await users.update('writer', { password: 'writer' });
    expect(await statusWith(header)).toBe(401);
    const again = `bearer ${await tokenOf('writer')}`;
    await users.remove('writer');
    expect(await statusWith(again)).toBe(401);
  });

  test('are refused when they are not of this server', async () => {
    const sign = (claims: object, key = SECRET, alg = 'HS256'): Promise<string> =>
      new SignJWT({ iss: 'arangodb', exp: clock.nowMs() / 1000 + 60, ...claims })
        .setProtectedHeader({ alg })
        .sign(key);
    const root = { preferred_username: 'root' };
    expect(await statusWith(`bearer ${await sign(root)}`)).toBe(200);
    const good = await tokenOf('root');
    const [head = '', body = '', signature = ''] = good.split('.');
    const other = Buffer.from(body, 'base64url').toString().replace('root', 'toor');
    for (const bad of [
      await sign(root, Buffer.alloc(32, 8)),
      await sign(root, Buffer.alloc(64, 7), 'HS512'),
      await sign({ ...root, iss: 'others' }),
      await sign({ ...root, exp: undefined }),
      await sign({ ...root, exp: clock.nowMs() / 1000 - 1 }),
      await sign({ preferred_username: 'none' }),
      await sign({ server_id: 'x' }),
      await sign({ preferred_username: ['root'] }),
      new UnsecuredJWT({ ...root, iss: 'arangodb', exp: clock.nowMs() / 1000 + 60 }).encode(),
      [head, Buffer.from(other).toString('base64url'), signature].join('.'),
      [head, body, ''].join('.'),
      [head, body, signature.slice(0, -2)].join('.'),
    ]) {
      expect(await statusWith(`bearer ${bad}`), bad).toBe(401);
    }
  });
});
