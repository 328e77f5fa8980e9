import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startLogger } from '../../src/documents/databases.ts';
import { readCheckpoint } from '../../src/follower/checkpoint.ts';
import { type WireState, openHttpFollower } from '../support/http-follower.ts';
import { openLeaderServer } from '../support/leader-server.ts';

const UNREACHABLE = 'tcp://127.0.0.1:1';

function error(code: number, errorNum: number): object {
  return expect.objectContaining({ error: true, code, errorNum }) as object;
}

test('a position that is none is 400/10, and the stored one stays', async () => {
  const { server, send } = await openHttpFollower();
  const { number } = server.catalogue.get('_system');
  await send('PUT', 'applier-config', { endpoint: UNREACHABLE, maxConnectRetries: 0 });
  await send('PUT', 'applier-start?from=17');
  await send('PUT', 'applier-stop');
  for (const from of ['abc', '', '0', '-', '9223372036854775808', '99999999999999999999']) {
    expect((await send('PUT', `applier-start?from=${from}`)).json, from).toEqual(error(400, 10));
    const { state } = (await send('GET', 'applier-state')).json as { state: WireState };
    expect(state.running).toBe(false);
    expect(readCheckpoint(server.store, number)?.processedTick).toBe(17n);
  }
});

test('an applier that is configured and started over HTTP catches up, and its collections refuse writes', async () => {
  await using leader = await openLeaderServer();
  const { send, until, server } = await openHttpFollower();
  await startLogger(leader.store, leader.database);
  const c = await leader.collections.create(leader.database, { name: 'c' });
  await send('PUT', 'applier-config', { endpoint: `tcp://127.0.0.1:${leader.port}` });
  await send('PUT', `applier-start?from=${leader.database.id}`);
  for (let i = 0; i < 50; i++) await leader.documents.insert(leader.database, c, `{"i":${i}}`);
  const { lastTick } = leader.database.changelog.state;
  await until((state) => BigInt(state.lastAppliedContinuousTick ?? 0) >= lastTick);
  expect(server.catalogue.get('_system').get('c').stats.count).toBe(50);
  // The follower's own interface says so, too, to whoever writes there.
  const refused = await server.request('POST', '/_api/document?collection=c', { body: {} });
  expect(refused.json).toEqual(error(403, 1004));
});

describe('the applier commands', () => {
  test('show a client of 3.x the settings of 3.0, in their order, and refuse no JSON with 600', async () => {
    const { send } = await openHttpFollower();
    const headers = { 'x-arango-version': '30003' };
    const config = { endpoint: UNREACHABLE, allowWrites: true };
    const put = await send('PUT', 'applier-config', config, headers);
    expect(put.text).toBe((await send('GET', 'applier-config', undefined, headers)).text);
    expect(Object.keys(put.json)).toEqual([
      ...['endpoint', 'database', 'requestTimeout', 'connectTimeout', 'ignoreErrors'],
      ...['maxConnectRetries', 'sslProtocol', 'chunkSize', 'autoStart', 'adaptivePolling'],
      ...['autoResync', 'autoResyncRetries', 'includeSystem', 'requireFromPresent', 'verbose'],
      ...['incremental', 'useCollectionId', 'restrictType', 'restrictCollections'],
      ...['connectionRetryWaitTime', 'initialSyncMaxWaitTime', 'idleMinWaitTime'],
      ...['idleMaxWaitTime', 'allowWrites'],
    ]);
    expect((await send('PUT', 'applier-config', '{foo', headers)).json).toEqual(error(400, 600));
    expect((await send('PUT', 'sync', '{foo', headers)).json).toEqual(error(400, 600));
  });

  test.each([
    ['POST', 'applier-config'],
    ['DELETE', 'applier-config'],
    ['GET', 'applier-start'],
    ['POST', 'applier-stop'],
    ['PUT', 'applier-state'],
  ])('%s %s is refused with 405', async (method, command) => {
    const { send } = await openHttpFollower();
    expect((await send(method, command)).json).toEqual(error(405, 405));
  });

  test.each(['{foo', '', '{"endpoint":"tcp://a:1","endpoint":"tcp://b:1"}'])(
    'a configuration that is no JSON is refused with 400: %j',
    async (body) => {
      const { send } = await openHttpFollower();
      expect((await send('PUT', 'applier-config', body)).json).toEqual(error(400, 400));
    },
  );

  test('a stop of one that never ran, and stops again, answer the state', async () => {
    const { send } = await openHttpFollower();
    for (let i = 0; i < 2; i++) {
      const { status, json } = await send('PUT', 'applier-stop');
      expect(status).toBe(200);
      expect(json['state']).toMatchObject({ running: false, lastError: { errorNum: 0 } });
    }
  });

  test('each database has its own, and a dropped one none', async () => {
    const { server, send } = await openHttpFollower();
    await server.request('POST', '/_api/database', { body: { name: 'other' } });
    const path = '/_db/other/_api/replication/applier-config';
    const body = { endpoint: UNREACHABLE, maxConnectRetries: 0 };
    const { json } = await server.request('PUT', path, { body });
    expect(json).toMatchObject({ endpoint: UNREACHABLE, database: 'other' });
    expect((await send('GET', 'applier-config')).json).not.toHaveProperty('endpoint');
    await server.request('PUT', '/_db/other/_api/replication/applier-start?from=1');
    const dropped = await server.request('DELETE', '/_api/database/other');
    expect(dropped.status).toBe(200);
    expect((await server.request('GET', path)).json).toEqual(error(404, 1228));
  });

  test('the password is nowhere in what they answer', async () => {
    const { send } = await openHttpFollower();
    const body = { endpoint: UNREACHABLE, username: 'u', password: 'hunter2' };
    const answers = [
      await send('PUT', 'applier-config', body),
      await send('GET', 'applier-config'),
      await send('GET', 'applier-state'),
    ];
    for (const { text } of answers) expect(text).not.toContain('hunter2');
  });
});

const CAPTURES = fileURLToPath(
  new URL('../../../shared/captures/arangodb-1.4.3/applier/', import.meta.url),
);
const HAS_CAPTURES = existsSync(CAPTURES);

if (!HAS_CAPTURES) {
  process.stderr.write(
    'SKIPPED: the captures of real followers are not here; nothing is compared\n',
  );
}

interface Capture {
  readonly method: string;
  readonly command: string;
  readonly body: string;
  readonly status: number;
  readonly json: Record<string, unknown>;
}

function readCapture(name: string): Capture {
  const text = readFileSync(`${CAPTURES}${name}.http`, 'utf8').replaceAll('\r', '');
  const [, request = '', response = ''] = text.split(/### (?:REQUEST|RESPONSE).*###\n/);
  const [line = '', , ...body] = request.split('\n');
  const [method = '', path = ''] = line.split(' ');
  return {
    method,
    command: path.replace('/_api/replication/', ''),
    body: body.join('\n').trim(),
    status: Number(/HTTP\/1.1 ([0-9]+)/.exec(response)?.[1]),
    json: JSON.parse(response.slice(response.indexOf('\n\n'))) as Record<string, unknown>,
  };
}

/** What differs from server to server and from day to day; the rest must be the same. */
function comparable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, member: unknown) => {
      if (key === 'time' && member !== '') return 'time';
      return key === 'serverId' ? 'id' : member;
    }),
  ) as unknown;
}

test.skipIf(!HAS_CAPTURES)(
  'answers what a real follower answered to the same requests',
  async () => {
    const { send } = await openHttpFollower();
    const captures = [
      ...['state-never-started', 'config-get-unconfigured', 'start-unconfigured'],
      ...['stop-never-started', 'config-put-bad-json', 'config-put-empty-body', 'config-put-array'],
      ...['config-put-no-endpoint', 'config-put-empty-endpoint', 'config-put-numeric-endpoint'],
      ...['config-put-good', 'config-get-configured', 'config-put-partial-keeps-rest'],
      ...['config-put-wrong-types', 'state-configured-not-started'],
      ...['delete-state', 'state-after-delete', 'config-after-delete-state'],
      ...['start-after-delete-state', 'config-put-good-again', 'start-without-state-and-from'],
    ].map((name) => ({ name, ...readCapture(name) }));
    for (const { name, method, command, body, status, json } of captures) {
      if (name === 'start-without-state-and-from') {
        // The failed start before it left an error; there it had been in another order.
        await send('DELETE', 'applier-state');
        await send('PUT', 'applier-config', readCapture('config-put-good-again').body);
      }
      const answer = await send(method, command, body);
      expect.soft(answer.status, name).toBe(status);
      const expected = comparable(json) as Record<string, unknown>;
      // Ours has more members in the state, behind those.
      expect.soft(comparable(answer.json), name).toMatchObject(expected);
      expect.soft(Object.keys(answer.json), name).toEqual(Object.keys(json));
    }
  },
);

test('an endpoint that cannot be used is refused, where real servers try it for ever', async () => {
  const { send } = await openHttpFollower();
  const answer = await send('PUT', 'applier-config', { endpoint: 'foo' });
  expect(answer.json).toEqual(error(400, 1410));
});
