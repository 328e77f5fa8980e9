import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ApiRouter } from '../../src/http/context.ts';
import type { ReplicationCommands } from '../../src/http/replication-dispatch.ts';
import { rightOfCommand, rightOfRoute } from '../../src/http/route-rights.ts';
import { type OpenServer, openServer } from '../../src/open-server.ts';
import { type CheckedAnswer, checkAnswer } from '../support/api-check.ts';
import { allOperations } from '../support/api-document.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** What the server is put together from, seen where it is made. */
const made = vi.hoisted(() => ({
  routers: [] as ApiRouter[],
  tables: [] as ReplicationCommands[],
}));

vi.mock(import('../../src/http/context.ts'), async (importOriginal) => {
  const original = await importOriginal();
  const apiRouter = (prefix: string): ApiRouter => {
    const router = original.apiRouter(prefix);
    made.routers.push(router);
    return router;
  };
  return { ...original, apiRouter };
});

vi.mock(import('../../src/http/replication-dispatch.ts'), async (importOriginal) => {
  const original = await importOriginal();
  const replicationDispatch: typeof original.replicationDispatch = (...tables) => {
    made.tables.push(...tables);
    return original.replicationDispatch(...tables);
  };
  return { ...original, replicationDispatch };
});

const ROOT = 'root';
let server: OpenServer;

beforeAll(async () => {
  server = await openServer({ authentication: true, rootPassword: ROOT });
  await call(ROOT, 'POST', '/_api/database', { name: 'harbour' });
  for (const [user, grant] of [
    ['reader', 'ro'],
    ['writer', 'rw'],
  ]) {
    await call(ROOT, 'POST', '/_api/user', { user, passwd: user });
    await call(ROOT, 'PUT', `/_api/user/${String(user)}/database/harbour`, { grant });
  }
});
afterAll(() => server.stop());

/** By HTTP basic, with the name as the password. */
async function call(
  user: string | undefined,
  method: string,
  path: string,
  body?: object | string,
): Promise<CheckedAnswer> {
  const pair = Buffer.from(`${String(user)}:${String(user)}`).toString('base64');
  const response = await fetch(server.url + path, {
    method,
    headers: user === undefined ? {} : { authorization: `Basic ${pair}` },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const headers = Object.fromEntries(response.headers);
  const answer = { status: response.status, headers, text: await response.text() };
  checkAnswer(method, path, answer);
  return answer;
}

/** Method and path, and the right in the table. */
const operations = allOperations().map(({ name }) => {
  const [method = '', path = ''] = name.split(' ');
  return { name, method, path: path.replaceAll(/\{\w+\}/g, 'none'), right: rightOf(method, path) };
});

function rightOf(method: string, path: string): string | undefined {
  const command = /^\/_api\/replication\/([^/]+)/.exec(path)?.[1];
  if (command !== undefined) return rightOfCommand(method, command);
  // The document names some parameters otherwise.
  const named = path
    .replace('{index}', '{id}')
    .replace('{transaction}', '{id}')
    .replace('/_api/collection/{collection}', '/_api/collection/{name}');
  return rightOfRoute(method, named.replaceAll(/\{(\w+)\}/g, ':$1'));
}

describe('the table of rights', () => {
  test('has every route and every command', () => {
    const routes = made.routers.flatMap(({ stack }) =>
      stack.flatMap(({ methods, path }) =>
        methods.map((method) => [method, String(path)] as const),
      ),
    );
    expect(routes.length).toBeGreaterThan(50);
    for (const [method, path] of routes) {
      expect(rightOfRoute(method, path), `${method} ${path}`).toBeDefined();
    }
    for (const { name } of allOperations()) {
      const [, method = '', command = ''] = /^(\w+) \/_api\/replication\/([^/]+)/.exec(name) ?? [];
      if (command !== '') expect(rightOfCommand(method, command), name).toBeDefined();
    }
    const commands = made.tables.flatMap((table) => Object.entries(table));
    for (const [command, { methods }] of commands) {
      for (const method of Object.keys(methods)) {
        expect(rightOfCommand(method, command), `${method} ${command}`).toBeDefined();
      }
    }
  });

  test('opens to everybody no more than logging in, whether the server takes requests, and the files of the page', () => {
    const open = operations.filter(({ right }) => right === 'open');
    expect(open.map(({ name }) => name).sort()).toEqual([
      ...['GET /_admin/server/availability', 'GET /_admin/ui', 'GET /_admin/ui/{file}'],
      'POST /_open/auth',
    ]);
  });
});

test('without credentials every operation that is not open is 401, and does nothing', async () => {
  for (const { name, method, path, right } of operations) {
    if (right === 'open') continue;
    for (const prefix of ['', '/_db/harbour', '/_db/nowhere']) {
      const target = `${prefix}${path}?collection=c`;
      const answer = await call(undefined, method, target, method === 'GET' ? undefined : '{}');
      expect(answer.status, name).toBe(401);
      expect(answer.headers['www-authenticate']).toMatch(/^Basic realm=/);
    }
  }
  const { text } = await call(ROOT, 'GET', '/_api/database');
  expect(JSON.parse(text)).toMatchObject({ result: ['_system', 'harbour'] });
});

test.each([
  ['reader', ['ro', 'user', 'open']],
  ['writer', ['ro', 'rw', 'user', 'open']],
])('%s may do what the table has as %s, and nothing else', async (user, allowed) => {
  for (const { name, method, path, right = '' } of operations) {
    // About other users only administrators are told; that has tests of its own.
    if (right === 'user' && path.startsWith('/_api/user/')) continue;
    // No JSON, so that nothing is changed.
    const body = method === 'GET' ? undefined : 'x';
    const answer = await call(user, method, `/_db/harbour${path}`, body);
    if (allowed.includes(right)) expect(answer.text, name).not.toMatch(/"errorNum":11\b/);
    else
      expect([answer.status, answer.text], name).toEqual([
        403,
        expect.stringMatching(/"errorNum":11\b/),
      ]);
  }
});

describe('the first user', () => {
  test('needs a password, and then may do everything', async () => {
    await expect(openServer({ authentication: true })).rejects.toThrow(/TICKLOG_ROOT_PASSWORD/);
    const { text } = await call(ROOT, 'GET', '/_api/user/root/database?full=true');
    expect(JSON.parse(text)).toMatchObject({ result: { '*': { permission: 'rw' } } });
  });

  test('keeps the password that it has when the server starts again with another', async () => {
    await using dir = await makeTempDir();
    const options = { authentication: true, databaseDirectory: dir.path };
    await (await openServer({ ...options, rootPassword: 'first' })).stop();
    for (const more of [{}, { rootPassword: 'second' }]) {
      await using server = await openServer({ ...options, ...more });
      const statusOf = async (password: string): Promise<number> => {
        const body = JSON.stringify({ username: 'root', password });
        return (await fetch(`${server.url}/_open/auth`, { method: 'POST', body })).status;
      };
      expect([await statusOf('first'), await statusOf('second')]).toEqual([200, 401]);
    }
  });

  test('is made one who may do everything where nobody is', async () => {
    await using dir = await makeTempDir();
    const open = await openServer({ databaseDirectory: dir.path });
    const create = { method: 'POST', body: JSON.stringify({ username: 'root', passwd: 'old' }) };
    await fetch(`${open.url}/_api/user`, create);
    await open.stop();
    const options = { authentication: true, databaseDirectory: dir.path };
    await expect(openServer(options)).rejects.toThrow(/needs a password for the user root/);
    await using server = await openServer({ ...options, rootPassword: 'new' });
    const authorization = `Basic ${Buffer.from('root:new').toString('base64')}`;
    const answer = await fetch(`${server.url}/_api/database`, { headers: { authorization } });
    expect(answer.status).toBe(200);
  });
});

describe('the secret of tokens', () => {
  const login = { method: 'POST', body: JSON.stringify({ username: 'root', password: ROOT }) };

  test('is made in the data directory for its owner alone, and outlives a restart', async () => {
    await using dir = await makeTempDir();
    const options = { authentication: true, databaseDirectory: dir.path, rootPassword: ROOT };
    const first = await openServer(options);
    const { jwt } = (await (await fetch(`${first.url}/_open/auth`, login)).json()) as {
      jwt: string;
    };
    await first.stop();
    expect((await stat(join(dir.path, 'jwt-secret'))).mode & 0o777).toBe(0o600);
    await using second = await openServer(options);
    const headers = { authorization: `bearer ${jwt}` };
    expect((await fetch(`${second.url}/_api/version`, { headers })).status).toBe(200);
  });

  test('can be given in a file, which must have one that is long enough', async () => {
    await using dir = await makeTempDir();
    const jwtSecretFile = join(dir.path, 'secret');
    const options = { authentication: true, rootPassword: ROOT, jwtSecretFile };
    await expect(openServer(options)).rejects.toThrow(/can not be read/);
    await writeFile(jwtSecretFile, 'short\n', { mode: 0o600 });
    await expect(openServer(options)).rejects.toThrow(/shorter than 32 bytes/);
    await writeFile(jwtSecretFile, ' \n');
    await expect(openServer(options)).rejects.toThrow(/is empty/);
    const secret = 'x'.repeat(40);
    await writeFile(jwtSecretFile, `${secret}\n`);
    await using server = await openServer(options);
    const token = await new SignJWT({ iss: 'arangodb', preferred_username: 'root' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1m')
      .sign(Buffer.from(secret));
    const headers = { authorization: `bearer ${token}` };
    expect((await fetch(`${server.url}/_api/version`, { headers })).status).toBe(200);
  });
});
