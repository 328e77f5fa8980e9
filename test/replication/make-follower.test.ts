import { describe, expect, test, vi } from 'vitest';
import { startLogger } from '../../src/documents/databases.ts';
import { type HttpFollower, openHttpFollower } from '../support/http-follower.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import {
  LeaderScript,
  type ScriptAnswer,
  json,
  loggerState,
  page,
  refusal,
} from '../support/leader-script.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { contentOf } from '../support/sync-follower.ts';

const OPTIONS = { fetchRetries: 0 };
const ORDERS = {
  parameters: { cid: '501', name: 'orders', type: 2, version: 4, deleted: false },
  indexes: [],
};

async function openLeader(): Promise<LeaderServer> {
  const leader = await openLeaderServer();
  await startLogger(leader.store, leader.database);
  const orders = await leader.collections.create(leader.database, { name: 'orders' });
  for (let i = 0; i < 20; i++) {
    await leader.documents.insert(leader.database, orders, `{"_key":"k${i}","v":${i}}`);
  }
  return leader;
}

function endpointOf({ port }: LeaderServer): string {
  return `tcp://127.0.0.1:${port}`;
}

/** A leader of 1.4 with one collection of one document. */
async function openScript(): Promise<LeaderScript> {
  const script = await LeaderScript.open();
  return script
    .always('GET logger-state', loggerState())
    .always('POST batch', json({ id: '77' }))
    .always('DELETE batch/77', { status: 204 })
    .always(
      'GET inventory',
      json({ collections: [ORDERS], state: { running: true, lastLogTick: '1000' }, tick: '1001' }),
    )
    .always('GET dump', page(['{"tick":"9","type":2300,"key":"a","rev":"9","data":{"_key":"a"}}']))
    .always('GET logger-follow', idleLog());
}

function idleLog(): ScriptAnswer {
  return { ...page([], { headers: { 'x-arango-replication-lasttick': '1000' } }), delayMs: 20 };
}

function error(code: number, errorNum: number): object {
  return expect.objectContaining({ error: true, code, errorNum }) as object;
}

function keysOf({ server }: HttpFollower, name: string): Promise<string[]> {
  const database = server.catalogue.get('_system');
  return contentOf(server.store, database).then((content) =>
    Object.keys(content[name]?.documents ?? {}),
  );
}

describe.each(['make-follower', 'make-slave'])('PUT %s', (command) => {
  test('copies everything, follows from there, and starts with the server from then on', async () => {
    await using leader = await openLeader();
    const follower = await openHttpFollower();
    const { send, until, server } = follower;
    const endpoint = endpointOf(leader);
    const { status, json: made } = await send('PUT', command, { endpoint, chunkSize: 5000 });
    expect(status).toBe(200);
    const copiedTo = (made['copied'] as { lastLogTick: string }).lastLogTick;
    expect(made).toMatchObject({
      state: { running: true, lastError: { errorNum: 0 }, lastAppliedContinuousTick: copiedTo },
      endpoint,
      database: '_system',
      copied: { collections: [{ name: 'orders' }] },
    });
    expect((await send('GET', 'applier-config')).json).toMatchObject({
      endpoint,
      autoStart: true,
      chunkSize: 5000,
    });
    const orders = leader.database.get('orders');
    await leader.documents.insert(leader.database, orders, '{"_key":"later"}');
    const { lastTick } = leader.database.changelog.state;
    await until((state) => BigInt(state.lastAppliedContinuousTick ?? 0) >= lastTick);
    const database = server.catalogue.get('_system');
    expect(await contentOf(server.store, database)).toEqual(
      await contentOf(leader.store, leader.database),
    );
  });

  test.each([
    ['{foo', 600],
    ['', 600],
    [[], 400],
    [{}, 400],
    [{ endpoint: '' }, 400],
    [{ endpoint: 17 }, 400],
    [{ endpoint: 'tcp://127.0.0.1:1', restrictType: 'include' }, 400],
    [{ endpoint: 'tcp://127.0.0.1:1', restrictCollections: ['a'] }, 400],
    [{ endpoint: 'tcp://127.0.0.1:1', restrictType: 'some', restrictCollections: ['a'] }, 400],
    [{ endpoint: 'foo' }, 1410],
    [{ endpoint: 'tcp://127.0.0.1:1', requestTimeout: -1 }, 1410],
  ])('%j is refused with 400/%i and leaves what was configured', async (body, errorNum) => {
    const { send } = await openHttpFollower();
    const configured = { endpoint: 'tcp://127.0.0.1:2', maxConnectRetries: 7 };
    await send('PUT', 'applier-config', configured);
    expect((await send('PUT', command, body)).json).toEqual(error(400, errorNum));
    expect((await send('GET', 'applier-config')).json).toMatchObject(configured);
  });

  test.each(['GET', 'POST', 'DELETE'])('by %s is refused with 405', async (method) => {
    const { send } = await openHttpFollower();
    expect((await send(method, command)).json).toEqual(error(405, 405));
  });

  test('for a database that is not there is refused with 404', async () => {
    const { server } = await openHttpFollower();
    const answer = await server.request('PUT', `/_db/nowhere/_api/replication/${command}`, {
      body: { endpoint: 'tcp://127.0.0.1:1' },
    });
    expect(answer.json).toEqual(error(404, 1228));
  });
});

test('what it logs has the id of the request', async () => {
  await using leader = await openLeader();
  const { logger, lines } = recordingLogger();
  const { send } = await openHttpFollower(OPTIONS, logger);
  const headers = { 'x-request-id': 'mine-1' };
  await send('PUT', 'make-follower', { endpoint: endpointOf(leader) }, headers);
  await send('PUT', 'applier-stop');
  const end = lines.findIndex(({ message }) => message === 'applier started');
  const copying = lines.slice(0, end + 1);
  expect(copying.filter(({ context }) => context['requestId'] !== 'mine-1')).toEqual([]);
  const told = copying.filter(({ level }) => level !== 'debug').map(({ message }) => message);
  expect(told).toEqual(['sync begins', 'sync finished', 'applier started']);
  // What it does from then on is nobody's request.
  const later = lines.slice(end + 1);
  expect(later.at(-1)?.message).toBe('applier stopped');
  expect(later.filter(({ context }) => context['requestId'] !== undefined)).toEqual([]);
});

describe('a copy that fails', () => {
  test('leaves the applier without a configuration, and the old data readable', async () => {
    await using leader = await openLeader();
    await using script = await openScript();
    const follower = await openHttpFollower(OPTIONS);
    const { send } = follower;
    await send('PUT', 'make-follower', { endpoint: endpointOf(leader) });
    script.always('GET dump', { status: 500 });
    const failed = await send('PUT', 'make-follower', { endpoint: script.endpoint });
    expect(failed.json).toEqual(error(500, 1402));
    const { json: state } = await send('GET', 'applier-state');
    expect(state).not.toHaveProperty('endpoint');
    expect(state['state']).toMatchObject({
      running: false,
      lastAppliedContinuousTick: null,
      lastError: { errorNum: 1402 },
    });
    expect((await send('PUT', 'applier-start')).json).toEqual(error(400, 1410));
    expect(await keysOf(follower, 'orders')).toHaveLength(20);
    // The next attempt makes the follower.
    script.always('GET dump', page([]));
    expect((await send('PUT', 'make-follower', { endpoint: script.endpoint })).status).toBe(200);
    expect(await keysOf(follower, 'orders')).toEqual([]);
  });

  test.each<[string, Record<string, unknown>, number]>([
    ['a leader that cannot be reached', { endpoint: 'tcp://127.0.0.1:1' }, 1400],
    ['a leader without the database', {}, 1402],
  ])('for %s is 500', async (_what, body, errorNum) => {
    await using script = await openScript();
    script.always('GET logger-state', { status: 404 });
    const { send } = await openHttpFollower(OPTIONS);
    const { json: answer } = await send('PUT', 'make-follower', {
      endpoint: script.endpoint,
      ...body,
    });
    expect(answer).toEqual(error(500, errorNum));
  });

  test.each([
    [
      'a leader that does not answer to the end',
      () => ({ ...json({ cut: 'off' }), cut: true }),
      1400,
    ],
    ['the server itself', (serverId: string) => loggerState({ serverId }), 1405],
    ['a server that asks for a password', () => ({ status: 401 }), 1402],
  ])('for %s leaves a follower following whom it follows', async (_what, answer, errorNum) => {
    await using leader = await openLeader();
    await using script = await openScript();
    const { send, server } = await openHttpFollower(OPTIONS);
    const kept = { endpoint: endpointOf(leader), chunkSize: 5000 };
    await send('PUT', 'make-follower', kept);
    script.always('GET logger-state', answer(server.store.server.serverId));
    const failed = await send('PUT', 'make-follower', { endpoint: script.endpoint });
    expect(failed.json).toEqual(error(500, errorNum));
    expect((await send('GET', 'applier-config')).json).toMatchObject({ ...kept, autoStart: true });
    const { json: now } = await send('GET', 'applier-state');
    expect(now).toMatchObject({ state: { running: true, lastError: { errorNum: 0 } } });
  });

  test('goes on where it was when it is tried again', async () => {
    await using leader = await openLeader();
    const { send, server } = await openHttpFollower(OPTIONS);
    const path = '/_api/replication/make-follower';
    const links = await leader.collections.create(leader.database, { name: 'links' });
    await leader.documents.insert(leader.database, links, '{"_key":"x"}');
    const body = { endpoint: endpointOf(leader), chunkSize: 200 };
    const copying = server.request('PUT', path, { body });
    const hidden = (): number => server.catalogue.hiddenOf(server.catalogue.get('_system')).length;
    await vi.waitFor(() => expect(hidden()).toBeGreaterThan(0), { interval: 1 });
    await send('PUT', 'applier-stop');
    const stopped = await copying;
    expect(stopped.json).toEqual(error(500, 1412));
    expect(hidden()).toBeGreaterThan(0);
    expect((await send('PUT', 'make-follower', body)).status).toBe(200);
    expect(hidden()).toBe(0);
  });
});

describe('while a follower is being made', () => {
  test('its configuration cannot be changed, nor the applier started', async () => {
    await using script = await openScript();
    const { send } = await openHttpFollower();
    script.always('GET dump', { ...page([]), delayMs: 500 });
    const making = send('PUT', 'make-follower', { endpoint: script.endpoint });
    await vi.waitFor(() => expect(script.seen('GET dump')).not.toEqual([]), 10_000);
    const config = { endpoint: 'tcp://127.0.0.1:2' };
    expect((await send('PUT', 'applier-config', config)).json).toEqual(error(400, 1411));
    expect((await send('PUT', 'applier-start')).status).toBe(400);
    expect((await send('GET', 'applier-state')).json['state']).toMatchObject({ phase: 'syncing' });
    expect((await making).json).toMatchObject({ endpoint: script.endpoint });
  });

  test('another request begins anew, and the first one ends with 1412', async () => {
    await using script = await openScript();
    const { send } = await openHttpFollower();
    script.next('GET dump', { ...page([]), delayMs: 5000 });
    const first = send('PUT', 'make-follower', { endpoint: script.endpoint });
    await vi.waitFor(() => expect(script.seen('GET dump')).not.toEqual([]), 10_000);
    const second = await send('PUT', 'make-slave', { endpoint: script.endpoint });
    expect((await first).json).toEqual(error(500, 1412));
    expect(second.json).toMatchObject({ state: { running: true }, endpoint: script.endpoint });
  });

  test('forgetting the applier ends it, and leaves nothing', async () => {
    await using script = await openScript();
    const follower = await openHttpFollower();
    const { send } = follower;
    script.next('GET dump', { ...page([]), delayMs: 5000 });
    const making = send('PUT', 'make-follower', { endpoint: script.endpoint });
    await vi.waitFor(() => expect(script.seen('GET dump')).not.toEqual([]), 10_000);
    expect((await send('DELETE', 'applier-state')).json).not.toHaveProperty('endpoint');
    expect((await making).json).toEqual(error(500, 1412));
    expect((await send('GET', 'applier-config')).json).not.toHaveProperty('endpoint');
  });
});

describe('a follower that runs', () => {
  test('is made one of another leader, with nothing left of its settings', async () => {
    await using leader = await openLeader();
    await using script = await openScript();
    const follower = await openHttpFollower();
    const { send } = follower;
    await send('PUT', 'make-follower', {
      endpoint: endpointOf(leader),
      username: 'u',
      maxConnectRetries: 3,
      includeSystem: false,
    });
    const body = { endpoint: script.endpoint, autoStart: false };
    expect((await send('PUT', 'make-follower', body)).status).toBe(200);
    const { json: config } = await send('GET', 'applier-config');
    expect(config).toMatchObject({
      endpoint: script.endpoint,
      maxConnectRetries: 100,
      autoStart: true,
    });
    expect(config).not.toHaveProperty('username');
    expect(config).not.toHaveProperty('includeSystem');
    expect(await keysOf(follower, 'orders')).toEqual(['a']);
  });
});

describe('a barrier on the leader', () => {
  test('is asked for, handed to the applier, moved along, and removed when that stops', async () => {
    await using script = await openScript();
    script
      .always('GET logger-state', loggerState({ version: '3.0.3' }))
      .always('GET determine-open-transactions', {
        ...json([]),
        headers: { 'x-arango-replication-lasttick': '1000' },
      })
      .always('PUT logger-follow', idleLog())
      .next('POST barrier', json({ id: '4321' }))
      .always('DELETE barrier/4321', { status: 204 });
    const { send } = await openHttpFollower();
    expect((await send('PUT', 'make-follower', { endpoint: script.endpoint })).status).toBe(200);
    expect(JSON.parse(script.seen('POST barrier')[0]?.body ?? '')).toEqual({
      ttl: 600,
      tick: '1000',
    });
    await vi.waitFor(() => expect(script.seen('PUT logger-follow')).not.toEqual([]), 10_000);
    expect(script.seen('PUT logger-follow')[0]?.query.get('barrier')).toBe('4321');
    expect(script.seen('DELETE barrier')).toEqual([]);
    await send('PUT', 'applier-stop');
    expect(script.seen('DELETE barrier')).toHaveLength(1);
    expect(script.surprises).toEqual([]);
  });

  test('is left by a sync that is asked to keep it, and taken over by the applier', async () => {
    await using script = await openScript();
    script
      .always('GET logger-state', loggerState({ version: '2.8.11' }))
      .always('GET determine-open-transactions', refusal(404, 404))
      .always('PUT logger-follow', idleLog())
      .always('POST barrier', json({ id: '4321' }))
      .always('DELETE barrier/4321', { status: 204 });
    const { send } = await openHttpFollower();
    const { json: kept } = await send('PUT', 'sync', {
      endpoint: script.endpoint,
      keepBarrier: true,
    });
    expect(kept).toMatchObject({ barrierId: '4321', lastLogTick: '1000' });
    expect(script.seen('DELETE barrier')).toEqual([]);
    await send('PUT', 'applier-config', { endpoint: script.endpoint });
    await send('PUT', 'applier-start?from=1000&barrierId=4321');
    await vi.waitFor(() => expect(script.seen('PUT logger-follow')).not.toEqual([]), 10_000);
    expect(script.seen('PUT logger-follow')[0]?.query.get('barrier')).toBe('4321');
    await send('PUT', 'applier-stop');
    expect(script.seen('DELETE barrier')).toHaveLength(1);
    const { json: plain } = await send('PUT', 'sync', { endpoint: script.endpoint });
    expect(plain).not.toHaveProperty('barrierId');
    expect(script.seen('DELETE barrier')).toHaveLength(2);
  });

  test('that cannot be had is done without', async () => {
    await using script = await openScript();
    script
      .always('GET logger-state', loggerState({ version: '3.0.3' }))
      .always('POST barrier', { status: 500 });
    const { send } = await openHttpFollower();
    const { status, json: answer } = await send('PUT', 'sync', {
      endpoint: script.endpoint,
      keepBarrier: true,
    });
    expect(status).toBe(200);
    expect(answer).not.toHaveProperty('barrierId');
    expect(script.seen('DELETE barrier')).toEqual([]);
  });

  test('is not asked for of a leader of 1.4', async () => {
    await using script = await openScript();
    const { send } = await openHttpFollower();
    await send('PUT', 'sync', { endpoint: script.endpoint });
    expect(script.seen('POST barrier')).toEqual([]);
  });
});
