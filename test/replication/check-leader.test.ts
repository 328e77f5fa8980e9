import { describe, expect, test } from 'vitest';
import { type HttpFollower, openHttpFollower } from '../support/http-follower.ts';
import {
  command,
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

const COLLECTIONS = '/_db/_system/_api/collection';
const ORDERS = { id: '501', name: 'orders', status: 3, type: 2 };

/** A leader that says who it is; one of ticklog has incarnations. */
function stateOf(version: string, more: object = {}): Script {
  const state = { running: true, lastLogTick: '1000' };
  const server = { version, serverId: '4711', ...more };
  return { [`GET ${command('logger-state')}`]: () => ({ body: { state, server } }) };
}

async function check(
  { send }: HttpFollower,
  leader: ScriptedServer,
  body: object = {},
): Promise<Record<string, unknown>> {
  const { status, json } = await send('PUT', 'check-leader', {
    endpoint: leader.endpoint,
    ...body,
  });
  expect(status, JSON.stringify(json)).toBe(200);
  return json;
}

function include(...restrictCollections: string[]): object {
  return { restrictType: 'include', restrictCollections };
}

function askedOf(leader: ScriptedServer): string[] {
  return leader.requests.map(({ method, path }) => `${method} ${path.replace(command(''), '')}`);
}

describe('collections that a leader does not have', () => {
  test.each([
    ['1.4.3', { collections: [ORDERS, { ...ORDERS, name: '_graphs' }], names: {} }],
    ['3.8.0', { error: false, code: 200, result: [ORDERS, { ...ORDERS, name: '_graphs' }] }],
  ])('are told of a leader of %s without leaving anything there', async (version, list) => {
    await using leader = await startScriptedServer({
      ...stateOf(version),
      [`GET ${COLLECTIONS}`]: () => ({ body: list }),
    });
    const follower = await openHttpFollower();
    const restriction = include('ordres', 'zzzzzz', 'orders', '_graphs', 'ordres');
    const missingCollections = [{ name: 'ordres', nearest: 'orders' }, { name: 'zzzzzz' }];
    const server = { serverId: '4711', version };
    const told = { server, followsThis: false, missingCollections };
    expect(await check(follower, leader, restriction)).toEqual(told);
    expect(askedOf(leader)).toEqual(['GET logger-state', `GET ${COLLECTIONS}`]);
  });

  test('are also those that are never copied, where only what is named is', async () => {
    const names = ['orders', '_graphs', '_users'].map((name) => ({ ...ORDERS, name }));
    await using leader = await startScriptedServer({
      ...stateOf('1.4.3'),
      [`GET ${COLLECTIONS}`]: () => ({ body: { collections: names } }),
    });
    const follower = await openHttpFollower();
    const missingOf = async (body: object): Promise<unknown> =>
      (await check(follower, leader, body))['missingCollections'];
    const all = include('orders', '_graphs', '_users');
    expect(await missingOf(all)).toEqual([{ name: '_users' }]);
    const mine = { ...all, includeSystem: false };
    expect(await missingOf(mine)).toEqual([{ name: '_graphs' }, { name: '_users' }]);
    expect(await missingOf({ ...mine, restrictType: 'exclude' })).toEqual([]);
  });

  test('are no matter where nothing is restricted, and are not asked for', async () => {
    await using leader = await startScriptedServer(stateOf('1.4.3'));
    const told = await check(await openHttpFollower(), leader);
    expect(told).toEqual({ server: { serverId: '4711', version: '1.4.3' }, followsThis: false });
    expect(askedOf(leader)).toEqual(['GET logger-state']);
  });

  test('can be named in sync and make-follower, as the wire contract has it', async () => {
    await using leader = await startScriptedServer({
      ...stateOf('1.4.3'),
      [`POST ${command('batch')}`]: () => ({ body: { id: '7' } }),
      [`DELETE ${command('batch')}/7`]: () => ({ status: 204 }),
      [`GET ${command('inventory')}`]: () => ({
        body: { collections: [], state: { running: true, lastLogTick: '1000' }, tick: '1001' },
      }),
    });
    const { send } = await openHttpFollower();
    const body = { endpoint: leader.endpoint, ...include('later') };
    expect(await send('PUT', 'sync', body)).toMatchObject({
      ...{ status: 200, json: { collections: [] } },
    });
    expect(await send('PUT', 'make-follower', body)).toMatchObject({ status: 200 });
    expect((await send('GET', 'applier-config')).json).toMatchObject(include('later'));
  });
});

describe('a leader that follows this very database', () => {
  /** A ticklog leader with an applier. */
  async function toldOf(
    applier: (ownId: string) => { state: object; endpoint?: string; database?: string },
    autoStart = true,
  ): Promise<unknown> {
    const follower = await openHttpFollower();
    const { serverId } = follower.server.store.server;
    await using leader = await startScriptedServer({
      ...stateOf('1.4.3', { incarnations: [] }),
      [`GET ${command('applier-state')}`]: () => ({ body: applier(serverId) }),
      [`GET ${command('applier-config')}`]: () => ({ body: { autoStart } }),
    });
    return (await check(follower, leader))['followsThis'];
  }
  const endpoint = 'tcp://by.another.name:8529';
  const running = (leaderId: string) => ({ running: true, leaderId });
  const stopped = (leaderId: string) => ({ running: false, leaderId });

  test('is told of by server id, and also while its applier is only stopped', async () => {
    expect(await toldOf((id) => ({ state: running(id), endpoint, database: '_system' }))).toBe(
      true,
    );
    expect(await toldOf((id) => ({ state: running(id), endpoint }))).toBe(true);
    expect(await toldOf((id) => ({ state: stopped(id), endpoint, database: '_system' }))).toBe(
      true,
    );
  });

  test('is none that follows another server or database, or nobody any more', async () => {
    expect(await toldOf(() => ({ state: running('4712'), endpoint }))).toBe(false);
    expect(await toldOf((id) => ({ state: running(id), endpoint, database: 'shop' }))).toBe(false);
    expect(await toldOf((id) => ({ state: stopped(id), endpoint }), false)).toBe(false);
    expect(await toldOf((id) => ({ state: stopped(id) }))).toBe(false);
    expect(await toldOf(() => ({ state: { running: true }, endpoint }))).toBe(false);
  });
});
