import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { classify, refusedAnswer } from '../../src/follower/classify.ts';
import { LeaderClient, type LeaderClientOptions } from '../../src/follower/leader-client.ts';
import { type ErrorName, ServiceError } from '../../src/model/errors.ts';
import { LeaderScript, json, loggerState, page, refusal } from '../support/leader-script.ts';

const live = new AbortController().signal;

interface Scripted extends AsyncDisposable {
  readonly script: LeaderScript;
  readonly client: LeaderClient;
}

async function open(options: Partial<LeaderClientOptions> = {}): Promise<Scripted> {
  const script = await LeaderScript.open();
  const client = clientOf(script.endpoint, options);
  return {
    script,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await script[Symbol.asyncDispose]();
    },
  };
}

function clientOf(endpoint: string, options: Partial<LeaderClientOptions> = {}): LeaderClient {
  return new LeaderClient(
    {},
    {
      endpoint,
      database: 'shop',
      requestTimeoutMs: 5000,
      connectTimeoutMs: 2000,
      ownServerId: '23',
      ...options,
    },
  );
}

async function failure(run: Promise<unknown>): Promise<ServiceError> {
  try {
    await run;
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('requests', () => {
  it('name the database and the own server, and nothing else unless asked to', async () => {
    await using leader = await open();
    const { script, client } = leader;
    script.next('GET logger-state', loggerState());
    await client.state(live);
    const [request] = script.requests;
    expect(request?.database).toBe('shop');
    expect([...(request?.query ?? [])]).toEqual([['serverId', '23']]);
    expect(request?.headers.authorization).toBeUndefined();
  });

  it('carry basic authentication when a user is configured', async () => {
    await using leader = await open({ username: 'rép', password: 'x:y' });
    leader.script.next('GET logger-state', loggerState());
    await leader.client.state(live);
    const expected = `Basic ${Buffer.from('rép:x:y').toString('base64')}`;
    expect(leader.script.requests[0]?.headers.authorization).toBe(expected);
  });

  it('reuse the connections of those before', async () => {
    await using leader = await open();
    leader.script.always('GET logger-state', loggerState());
    for (let i = 0; i < 20; i++) await leader.client.state(live);
    const ports = leader.script.requests.map(({ port }) => port);
    expect(new Set(ports).size).toBeLessThanOrEqual(2);
  });

  it('ask for a page by position, size and patience', async () => {
    await using leader = await open();
    leader.script.always('GET logger-follow', page([], { headers: FOLLOW_HEADERS }));
    await leader.client.follow({ from: 7n, chunkSizeBytes: 99, waitSeconds: 3 }, live);
    expect(Object.fromEntries(leader.script.requests[0]!.query)).toEqual({
      chunkSize: '99',
      from: '7',
      wait: '3',
      serverId: '23',
    });
  });
});

const FOLLOW_HEADERS = { 'x-arango-replication-lasttick': '9000112' };

describe('answers', () => {
  it('a state is read with its ticks as they are', async () => {
    await using leader = await open();
    leader.script.next('GET logger-state', loggerState({ lastLogTick: '9223372036854775806' }));
    expect(await leader.client.state(live)).toEqual({
      serverId: '4711',
      version: '1.4.3',
      running: true,
      lastLogTick: 9_223_372_036_854_775_806n,
      incarnations: undefined,
    });
  });

  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['no state', JSON.stringify({ server: { version: '1.4.3', serverId: '1' } })],
    [
      'a tick that is a fraction',
      JSON.stringify({ state: { lastLogTick: 1.5 }, server: { version: '1', serverId: '1' } }),
    ],
    ['no server', JSON.stringify({ state: { running: true, lastLogTick: '1' } })],
    [
      'a server id that is a number',
      JSON.stringify({ state: { lastLogTick: '1' }, server: { version: '1.4.3', serverId: 5 } }),
    ],
  ])('a state with %s is 1401', async (_what, body) => {
    await using leader = await open();
    leader.script.next('GET logger-state', { body });
    const error = await failure(leader.client.state(live));
    expect(error.errorNum).toBe(1401);
    expect(error.message).toContain(
      `got invalid response from master at ${leader.client.endpoint}: `,
    );
    // It may come from something in between.
    expect(classify(error, live)).toBe('retry');
  });

  it.each(['checkmore', 'lastincluded', 'lasttick'])(
    'a log page without %s is 1401',
    async (name) => {
      await using leader = await open();
      const answer = page([], { headers: FOLLOW_HEADERS });
      const missing = `x-arango-replication-${name}`;
      const headers = Object.fromEntries(
        Object.entries(answer.headers ?? {}).filter(([header]) => header !== missing),
      );
      leader.script.next('GET logger-follow', { ...answer, headers });
      const request = { from: 0n, chunkSizeBytes: 1, waitSeconds: 0 };
      const error = await failure(leader.client.follow(request, live));
      expect(error.errorNum).toBe(1401);
      expect(error.message).toContain(`required header x-arango-replication-${name} is missing`);
    },
  );

  it('a dump page without checkmore is 1401, one without lastincluded only if there is more', async () => {
    await using leader = await open();
    const request = { collection: '1', from: 0n, chunkSizeBytes: 1 };
    leader.script.next(
      'GET dump',
      { status: 204 },
      { status: 204, headers: { 'x-arango-replication-checkmore': 'false' } },
      { status: 204, headers: { 'x-arango-replication-checkmore': 'true' } },
    );
    expect((await failure(leader.client.dump(request, live))).errorNum).toBe(1401);
    expect(await leader.client.dump(request, live)).toMatchObject({
      checkMore: false,
      lastIncluded: 0n,
    });
    expect((await failure(leader.client.dump(request, live))).errorNum).toBe(1401);
  });

  it('what a page says is read, and what it does not say is undefined', async () => {
    await using leader = await open();
    const request = { from: 0n, chunkSizeBytes: 1, waitSeconds: 0 };
    const line = '{"tick":"17","type":1000,"lastTick":"0"}';
    leader.script.next(
      'GET logger-follow',
      page([line], { headers: FOLLOW_HEADERS }),
      page([line], {
        ticklog: true,
        checkMore: true,
        headers: {
          ...FOLLOW_HEADERS,
          'x-arango-replication-active': 'false',
          'x-arango-replication-frompresent': 'true',
          'x-arango-replication-lastscanned': '18',
          'x-ticklog-incarnation': 'abcd',
          'x-ticklog-committed-at': '1700000000000',
        },
      }),
    );
    const plain = await leader.client.follow(request, live);
    expect(plain.body.toString()).toBe(`${line}\n`);
    expect(plain).toMatchObject({ checkMore: false, lastIncluded: 17n, lastTick: 9_000_112n });
    expect(plain).toMatchObject({ active: undefined, fromPresent: undefined, verified: false });
    expect(await leader.client.follow(request, live)).toMatchObject({
      checkMore: true,
      active: false,
      fromPresent: true,
      lastScanned: 18n,
      incarnation: 'abcd',
      committedAtMs: 1_700_000_000_000,
      verified: true,
    });
  });

  it('a page that fails its checksum is to be fetched again', async () => {
    await using leader = await open();
    const headers = { 'x-ticklog-crc32': '1' };
    leader.script.next('GET dump', page(['{"tick":"1"}'], { headers }));
    const request = { collection: '1', from: 0n, chunkSizeBytes: 1 };
    const error = await failure(leader.client.dump(request, live));
    expect(error.kind).toBe('invalidResponse');
    expect(classify(error, live)).toBe('retry');
  });

  it('an inventory is read: what has no name, is deleted or of another type is passed over', async () => {
    await using leader = await open();
    const parameters = { cid: '5', name: 'orders', type: 2 };
    const indexes = [
      { id: '0', type: 'primary', unique: true, fields: ['_key'] },
      { id: '9', type: 'hash', unique: true, fields: ['nr'], sparse: false },
    ];
    const ticklog = { deletionsSince: '3', count: 4 };
    leader.script.next(
      'GET inventory',
      json({
        collections: [
          { parameters, indexes, ticklog },
          { parameters: { ...parameters, name: undefined }, indexes },
          { parameters: { ...parameters, deleted: true }, indexes },
          { parameters: { ...parameters, type: 4 }, indexes },
        ],
        state: { running: false, lastLogTick: '6' },
        tick: '7',
      }),
    );
    const inventory = await leader.client.inventory({ includeSystem: true }, live);
    expect(inventory).toMatchObject({ tick: 7n, state: { running: false, lastLogTick: 6n } });
    expect(inventory.collections).toHaveLength(1);
    expect(inventory.collections[0]).toMatchObject({
      parameters,
      indexes: [indexes[1]],
      deletionsSince: 3n,
      count: 4,
    });
    expect(leader.script.requests[0]?.query.get('includeSystem')).toBe('true');
  });

  it.each([
    ['no list', { collections: {}, state: { lastLogTick: '1' }, tick: '1' }],
    ['no tick', { collections: [], state: { lastLogTick: '1' } }],
    [
      'a collection without an id',
      {
        collections: [{ parameters: { name: 'a', type: 2 }, indexes: [] }],
        state: { lastLogTick: '1' },
        tick: '1',
      },
    ],
    [
      'a collection without indexes',
      {
        collections: [{ parameters: { name: 'a', type: 2, cid: '1' } }],
        state: { lastLogTick: '1' },
        tick: '1',
      },
    ],
    [
      'an index without an id',
      {
        collections: [
          { parameters: { name: 'a', type: 2, cid: '1' }, indexes: [{ type: 'hash' }] },
        ],
        state: { lastLogTick: '1' },
        tick: '1',
      },
    ],
  ])('an inventory with %s is 1401', async (_what, body) => {
    await using leader = await open();
    leader.script.next('GET inventory', json(body));
    expect((await failure(leader.client.inventory({}, live))).errorNum).toBe(1401);
  });

  it('batches are opened, extended and deleted', async () => {
    await using leader = await open();
    const { script, client } = leader;
    script
      .next('POST batch', json({ id: '99' }))
      .next('PUT batch/99', { status: 204 })
      .next('DELETE batch/99', { status: 204 });
    const { id } = await client.createBatch(180, live);
    await client.extendBatch(id, 60, live);
    await client.deleteBatch(id, live);
    expect(script.requests.map((each) => each.body)).toEqual(['{"ttl":180}', '{"ttl":60}', '']);
    expect(script.surprises).toEqual([]);
  });
});

describe('failures', () => {
  it('a refused connection is 1400, in the words of real servers', async () => {
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const endpoint = `tcp://127.0.0.1:${port}`;
    const client = clientOf(endpoint);
    const error = await failure(client.state(live));
    await client.close();
    expect(error.errorNum).toBe(1400);
    expect(error.message).toBe(
      `could not connect to master at ${endpoint}: Could not connect to '${endpoint}': Connection refused`,
    );
    expect(error.cause).toBeInstanceOf(Error);
  });

  it.each<[number, string]>([
    [404, 'Not Found'],
    [500, 'Internal Server Error'],
    [301, 'Moved Permanently'],
  ])('an answer %i is 1402', async (status, text) => {
    await using leader = await open();
    const answer = refusal(status, 1228, 'database not found');
    leader.script.next('GET logger-state', {
      ...answer,
      headers: { location: `${leader.script.endpoint}/elsewhere` },
    });
    const error = await failure(leader.client.state(live));
    expect(error.errorNum).toBe(1402);
    expect(error.message).toBe(
      `got invalid response from master at ${leader.script.endpoint}: HTTP ${status}: ${text}: ` +
        'database not found (error 1228)',
    );
    expect(refusedAnswer(error)).toMatchObject({
      status,
      remote: { errorNum: 1228, errorMessage: 'database not found' },
    });
    expect(leader.script.requests).toHaveLength(1);
  });

  it('a connection that breaks off in the middle of an answer is 1400', async () => {
    await using leader = await open();
    leader.script.next('GET logger-state', { body: '{"state"', cut: true });
    expect((await failure(leader.client.state(live))).errorNum).toBe(1400);
  });

  it('a leader that stays silent is 1400 when the time is over', async () => {
    await using leader = await open({ requestTimeoutMs: 300 });
    leader.script.next('GET logger-state', { ...loggerState(), delayMs: 4000 });
    expect((await failure(leader.client.state(live))).errorNum).toBe(1400);
  });

  it('a leader that was asked to wait may take that much longer', async () => {
    await using leader = await open({ requestTimeoutMs: 300 });
    const answer = page([], { headers: FOLLOW_HEADERS });
    leader.script.next('GET logger-follow', { ...answer, delayMs: 1800 });
    const request = { from: 0n, chunkSizeBytes: 1, waitSeconds: 5 };
    expect((await leader.client.follow(request, live)).lastTick).toBe(9_000_112n);
  });

  it('something that speaks no HTTP is 1401', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('220 mail.example ESMTP\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = clientOf(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect((await failure(client.state(live))).errorNum).toBe(1401);
    await client.close();
    server.close();
  });

  it('a body above the limit is refused before it is in memory', async () => {
    await using leader = await open({ pageMaxBytes: 1000 });
    leader.script.next('GET dump', page(['x'.repeat(2000)]), page(['x'.repeat(900)]));
    const request = { collection: '1', from: 0n, chunkSizeBytes: 1 };
    const error = await failure(leader.client.dump(request, live));
    expect(error.kind).toBe('invalidResponse');
    expect((await leader.client.dump(request, live)).body).toHaveLength(901);
  });

  it('an abort ends a request with its own reason', async () => {
    await using leader = await open();
    leader.script.always('GET logger-state', { ...loggerState(), delayMs: 4000 });
    const stop = new AbortController();
    const reason = new Error('enough');
    const running = leader.client.state(stop.signal);
    setTimeout(() => stop.abort(reason), 50);
    await expect(running).rejects.toBe(reason);
    await expect(leader.client.state(stop.signal)).rejects.toBe(reason);
    expect(leader.script.requests).toHaveLength(1);
  });

  it('an endpoint that is none is refused as by real servers', () => {
    const make = (): LeaderClient => clientOf('foo');
    expect(make).toThrow(expect.objectContaining({ errorNum: 4, message: 'invalid endpoint' }));
    expect(make).toThrow(ServiceError);
    const kind: ErrorName = 'internal';
    expect(make).toThrow(expect.objectContaining({ kind }));
  });
});
