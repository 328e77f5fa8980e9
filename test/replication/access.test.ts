import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Logger } from '../../src/base/logger.ts';
import { type OpenServer, openServer, type OpenServerOptions } from '../../src/open-server.ts';
import { checkAnswer } from '../support/api-check.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { makeTempDir } from '../support/temp-dir.ts';

const PASSWORD = 'v3ry-s3cret';
const WRONG = 'wr0ng-s3cret';
/** Everything that was logged and answered, to be searched. */
let said: string[];
let leader: OpenServer;

/** Keeps all that it is told. */
const logger: Logger = (() => {
  const keep = (obj: object, msg: string): void => {
    said.push(msg, inspect(obj, { depth: 20 }));
  };
  const logger = { debug: keep, info: keep, warn: keep, error: keep, child: () => logger };
  return logger;
})();

interface Called {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

async function call(
  server: OpenServer,
  method: string,
  path: string,
  body?: object,
  user?: string,
): Promise<Called> {
  const pair = Buffer.from(`${user ?? ''}:${PASSWORD}`).toString('base64');
  const response = await fetch(server.url + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: user === undefined ? {} : { authorization: `Basic ${pair}` },
  });
  const text = await response.text();
  const headers = Object.fromEntries(response.headers);
  checkAnswer(method, path, { status: response.status, headers, text });
  if (!path.includes('_open')) said.push(text, inspect(headers));
  return { status: response.status, json: JSON.parse(text) as Called['json'] };
}

function openFollower(options: OpenServerOptions = {}): Promise<OpenServer> {
  return openServer({ logger, ...options });
}

const endpointOf = (server: OpenServer): string => server.url.replace('http:', 'tcp:');

beforeEach(async () => {
  said = [];
  leader = await openServer({ logger, authentication: true, rootPassword: PASSWORD });
  const asRoot = (method: string, path: string, body: object): Promise<Called> =>
    call(leader, method, path, body, 'root');
  await asRoot('POST', '/_api/user', { username: 'replica', passwd: PASSWORD });
  await asRoot('PUT', '/_api/user/replica/database/_system', { grant: 'ro' });
  await asRoot('POST', '/_api/collection', { name: 'c' });
  await asRoot('POST', '/_api/document?collection=c', { _key: 'k1' });
});
afterEach(() => leader.stop());

const REPLICA = { username: 'replica', password: PASSWORD };

describe('a follower whose user on the leader may only read', () => {
  test.each([
    ['1.4', {}],
    ['3.x', { compatibleVersion: '3.0.3' }],
  ])('is made, follows and goes on after a restart (%s)', async (_, options) => {
    await using dir = await makeTempDir();
    const directory = { databaseDirectory: dir.path, ...options };
    const follower = await openFollower(directory);
    const body = { endpoint: endpointOf(leader), ...REPLICA };
    const made = await call(follower, 'PUT', '/_api/replication/make-follower', body);
    expect(made.status).toBe(200);
    const hasKey = async (server: OpenServer, key: string): Promise<void> => {
      const read = (): Promise<Called> => call(server, 'GET', `/_api/document/c/${key}`);
      await vi.waitFor(async () => expect((await read()).status).toBe(200), 10_000);
    };
    await call(leader, 'POST', '/_api/document?collection=c', { _key: 'k2' }, 'root');
    await hasKey(follower, 'k2');
    await follower.stop();
    await call(leader, 'POST', '/_api/document?collection=c', { _key: 'k3' }, 'root');
    await using again = await openFollower(directory);
    await hasKey(again, 'k3');
    const keys = (await call(again, 'GET', '/_api/replication/applier-config')).json;
    expect(keys).toMatchObject({ username: 'replica' });
    expect(keys).not.toHaveProperty('password');
    expect(said.join('\n')).not.toContain(PASSWORD);
  });

  test('may be a user of another database by its own name', async () => {
    await call(leader, 'POST', '/_api/database', { name: 'shop' }, 'root');
    await call(leader, 'POST', '/_db/shop/_api/collection', { name: 'd' }, 'root');
    await using follower = await openFollower();
    const body = { endpoint: endpointOf(leader), database: 'shop', ...REPLICA };
    const refused = await call(follower, 'PUT', '/_api/replication/sync', body);
    expect(refused).toMatchObject({ status: 500, json: { errorNum: 1402 } });
    await call(leader, 'PUT', '/_api/user/replica/database/shop', { grant: 'ro' }, 'root');
    const synced = await call(follower, 'PUT', '/_api/replication/sync', body);
    expect(synced.json).toMatchObject({ collections: [{ name: 'd' }] });
  });

  test('by a token as well', async () => {
    const { json } = await call(leader, 'POST', '/_open/auth', {
      ...{ username: 'replica', password: PASSWORD },
    });
    await using follower = await openFollower();
    const config = { endpoint: endpointOf(leader), jwt: json['jwt'] };
    const made = await call(follower, 'PUT', '/_api/replication/make-follower', config);
    expect(made.status).toBe(200);
    expect(said.join('\n')).not.toContain(String(json['jwt']));
  });
});

describe('the password of a leader', () => {
  test('is neither returned nor logged, right or wrong', async () => {
    await using follower = await openFollower({ compatibleVersion: '3.0.3' });
    const base = '/_api/replication';
    for (const password of [WRONG, PASSWORD]) {
      const body = { endpoint: endpointOf(leader), ...REPLICA, password, verbose: true };
      const good = password === PASSWORD;
      expect((await call(follower, 'PUT', `${base}/sync`, body)).status).toBe(good ? 200 : 500);
      await call(follower, 'PUT', `${base}/applier-config`, body);
      await call(follower, 'GET', `${base}/applier-config`);
      await call(follower, 'PUT', `${base}/applier-start?from=1`);
      await vi.waitFor(async () => {
        const { json } = await call(follower, 'GET', `${base}/applier-state`);
        const { running, lastError } = json['state'] as Record<string, unknown>;
        if (!good) expect([running, lastError]).toMatchObject([false, { errorNum: 1402 }]);
      }, 10_000);
      await call(follower, 'PUT', `${base}/applier-config`, body);
      await call(follower, 'PUT', `${base}/applier-stop`);
      const made = await call(follower, 'PUT', `${base}/make-follower`, body);
      expect(made.status).toBe(good ? 200 : 500);
      await call(follower, 'GET', `${base}/applier-state`);
      await call(follower, 'DELETE', `${base}/applier-state`);
    }
    const all = said.join('\n');
    expect(all).toContain('replica');
    for (const secret of [PASSWORD, WRONG]) {
      expect(all).not.toContain(secret);
      expect(all).not.toContain(Buffer.from(`replica:${secret}`).toString('base64'));
    }
  });

  test('is not shown either when it stands in an endpoint, where it cannot', async () => {
    await using follower = await openFollower();
    const endpoint = `tcp://replica:${PASSWORD}@127.0.0.1:8529`;
    const put = (command: string): Promise<Called> =>
      call(follower, 'PUT', `/_api/replication/${command}`, { endpoint });
    for (const command of ['sync', 'applier-config', 'make-follower']) {
      expect((await put(command)).status).toBeGreaterThanOrEqual(400);
    }
    expect(said.join('\n')).not.toContain(PASSWORD);
  });
});

describe('where a server may connect to', () => {
  const COMMANDS = ['sync', 'applier-config', 'make-follower', 'check-leader'];

  test('is everywhere unless it is restricted, and then nowhere else', async () => {
    await using other = await startScriptedServer({});
    const [host = ''] = new URL(leader.url).host.split(':');
    await using follower = await openFollower({
      leaderEndpoints: [`${host}:${leader.endpoint.port}`, 'leader.example.org', '*.lan:1'],
    });
    const put = (command: string, endpoint: string): Promise<Called> =>
      call(follower, 'PUT', `/_api/replication/${command}`, { endpoint, ...REPLICA });
    const { port } = leader.endpoint;
    const refused = [
      ...[other.endpoint, `tcp://localhost:${port}`, `tcp://[::1]:${port}`, 'tcp://lan:1'],
      ...[`ssl://127.0.0.2:${port}`, 'tcp://a.lan:2', 'tcp://leader.example.org.evil:8529'],
    ];
    for (const endpoint of refused) {
      for (const command of COMMANDS) {
        const { status, json } = await put(command, endpoint);
        expect([status, json['errorNum']], `${command} ${endpoint}`).toEqual([403, 11]);
      }
    }
    expect(other.requests).toEqual([]);
    const config = await call(follower, 'GET', '/_api/replication/applier-config');
    expect(config.json).not.toHaveProperty('endpoint');
    for (const endpoint of ['tcp://a.lan:1', 'http://LEADER.example.org', endpointOf(leader)]) {
      expect((await put('applier-config', endpoint)).status).toBe(200);
    }
    expect((await put('sync', endpointOf(leader))).status).toBe(200);
    expect((await put('make-follower', endpointOf(leader))).status).toBe(200);
  });

  test('holds for what was configured before', async () => {
    await using dir = await makeTempDir();
    await using other = await startScriptedServer({});
    const before = await openFollower({ databaseDirectory: dir.path });
    const config = { endpoint: other.endpoint, autoStart: true };
    await call(before, 'PUT', '/_api/replication/applier-config', config);
    await before.stop();
    await using after = await openFollower({
      ...{ databaseDirectory: dir.path, leaderEndpoints: ['leader.example.org'] },
    });
    const started = await call(after, 'PUT', '/_api/replication/applier-start?from=1');
    expect(started).toMatchObject({ status: 403, json: { errorNum: 11 } });
    const { json } = await call(after, 'GET', '/_api/replication/applier-state');
    expect(json['state']).toMatchObject({ running: false });
    expect(other.requests).toEqual([]);
  });

  test.each([301, 302, 303, 307, 308])('does not follow redirects: %i', async (status) => {
    await using target = await startScriptedServer({});
    const location = `${target.endpoint.replace('tcp:', 'http:')}/_api/replication/logger-state`;
    const redirect = { status, headers: { location } };
    await using from = await startScriptedServer({
      'GET /_db/_system/_api/replication/logger-state': () => redirect,
    });
    await using follower = await openFollower();
    const body = { endpoint: from.endpoint, ...REPLICA };
    const synced = await call(follower, 'PUT', '/_api/replication/sync', body);
    expect(synced).toMatchObject({ status: 500, json: { errorNum: 1402 } });
    expect(from.requests.length).toBeGreaterThan(0);
    expect(target.requests).toEqual([]);
  });
});
