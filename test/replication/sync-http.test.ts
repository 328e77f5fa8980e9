import { request as rawRequest } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { CollectionCopies } from '../../src/documents/collection-copy.ts';
import { InitialSyncer } from '../../src/follower/initial-syncer.ts';
import { replicationDispatch } from '../../src/http/replication-dispatch.ts';
import { syncCommands } from '../../src/http/replication-sync.ts';
import { type TestServer, openTestServer } from '../support/http-server.ts';
import {
  LeaderScript,
  type ScriptAnswer,
  json,
  loggerState,
  page,
  refusal,
} from '../support/leader-script.ts';

const SYNC = '/_api/replication/sync';

/** A server that can sync; an applier is said to run where `running` says so. */
function openFollower(running: { applier: boolean } = { applier: false }): Promise<TestServer> {
  return openTestServer({
    routers: (parts) => {
      const copies = new CollectionCopies(parts);
      const syncer = new InitialSyncer({ ...parts, copies }, { fetchRetries: 0 });
      const isApplierRunning = (): boolean => running.applier;
      return [
        replicationDispatch(
          syncCommands({
            ...{ ...parts, syncer, logger: silentLogger, isApplierRunning },
            onFailure: () => undefined,
          }),
        ),
      ];
    },
  });
}

function listed(cid: string, name: string): object {
  return {
    parameters: { cid, name, type: 2, version: 4, deleted: false },
    indexes: [],
  };
}

async function openLeader(dump: Partial<ScriptAnswer> = {}): Promise<LeaderScript> {
  const script = await LeaderScript.open();
  const collections = [listed('9', 'nine'), listed('10', 'ten'), listed('100', '_sys')];
  return script
    .always('GET logger-state', loggerState({ lastLogTick: '9000112' }))
    .always('POST batch', json({ id: '77' }))
    .always('DELETE batch/77', { status: 204 })
    .always('GET inventory', ({ query }) =>
      json({
        collections: query.get('includeSystem') === 'true' ? collections : collections.slice(0, 2),
        state: { running: true, lastLogTick: '9000112' },
        tick: '9000113',
      }),
    )
    .always('GET dump', { ...page([]), ...dump });
}

describe('PUT sync', () => {
  it('answers the collections in the order of their ids, and the tick to follow from', async () => {
    await using leader = await openLeader();
    await using server = await openFollower();
    const answer = await server.request('PUT', SYNC, { body: { endpoint: leader.endpoint } });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.text).toBe(
      '{"collections":[{"id":"9","name":"nine"},{"id":"10","name":"ten"},{"id":"100","name":"_sys"}],' +
        '"lastLogTick":"9000112"}',
    );
    expect(leader.surprises).toEqual([]);
  });

  it('takes user, database, restriction and the parameters of later versions', async () => {
    await using leader = await openLeader();
    await using server = await openFollower();
    await server.databases.create('shop');
    const body = {
      endpoint: leader.endpoint,
      database: 'store',
      username: 'rep',
      password: 'secret',
      restrictType: 'exclude',
      restrictCollections: ['ten', 17, null],
      includeSystem: false,
      incremental: true,
      keepBarrier: true,
      useCollectionId: false,
      verbose: true,
      initialSyncMaxWaitTime: 5,
    };
    const answer = await server.request('PUT', `/_db/shop${SYNC}`, { body });
    expect(answer.json['collections']).toEqual([{ id: '9', name: 'nine' }]);
    const [first] = leader.requests;
    expect(first?.database).toBe('store');
    expect(first?.headers.authorization).toBe(
      `Basic ${Buffer.from('rep:secret').toString('base64')}`,
    );
    expect(first?.query.get('serverId')).toBe(server.store.server.serverId);
    expect(server.catalogue.get('shop').byName('nine')).toBeDefined();
    expect(server.catalogue.get('_system').byName('nine')).toBeUndefined();
  });

  it('asks for the database of its own name unless told another', async () => {
    await using leader = await openLeader();
    await using server = await openFollower();
    await server.databases.create('shop');
    await server.request('PUT', `/_db/shop${SYNC}`, { body: { endpoint: leader.endpoint } });
    expect(new Set(leader.requests.map(({ database }) => database))).toEqual(new Set(['shop']));
  });

  it('says when the logger of the leader is stopped', async () => {
    await using leader = await openLeader();
    await using server = await openFollower();
    leader.next(
      'GET inventory',
      json({ collections: [], state: { running: false, lastLogTick: '0' }, tick: '55' }),
    );
    const answer = await server.request('PUT', SYNC, { body: { endpoint: leader.endpoint } });
    expect(answer.json).toEqual({ collections: [], lastLogTick: '55', leaderWasStopped: true });
  });

  it.each<[string, unknown, string]>([
    ['broken JSON', '{foo', 'bad parameter'],
    ['no body', undefined, 'bad parameter'],
    ['an attribute twice', '{"endpoint":"a","endpoint":"b"}', 'bad parameter'],
    ['no endpoint', {}, '<endpoint> must be a valid endpoint'],
    ['an empty endpoint', { endpoint: '' }, '<endpoint> must be a valid endpoint'],
    ['an endpoint that is a number', { endpoint: 5 }, '<endpoint> must be a valid endpoint'],
    ['a list', [], '<endpoint> must be a valid endpoint'],
    ...(
      [
        ['restrictCollections alone', { restrictCollections: ['people'] }],
        ['restrictType alone', { restrictType: 'include' }],
        ['restrictType with an empty list', { restrictType: 'include', restrictCollections: [] }],
        ['restrictType with no list', { restrictType: 'include', restrictCollections: 'people' }],
        ['another restrictType', { restrictType: 'foo', restrictCollections: ['people'] }],
      ] as const
    ).map(([what, body]): [string, unknown, string] => [
      what,
      { endpoint: 'tcp://127.0.0.1:1', ...body },
      'invalid value for <restrictCollections> or <restrictType>',
    ]),
  ])('%s is 400/400', async (_what, body, errorMessage) => {
    await using server = await openFollower();
    const answer = await server.request('PUT', SYNC, { body });
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({ error: true, errorMessage, code: 400, errorNum: 400 });
  });

  it('the wrong method is 405', async () => {
    await using server = await openFollower();
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await server.request(method, SYNC);
      expect([answer.status, answer.json['errorNum']]).toEqual([405, 405]);
    }
  });

  it('an unreachable leader is 500/1400', async () => {
    await using server = await openFollower();
    const body = { endpoint: 'tcp://127.0.0.1:1' };
    expect((await server.request('PUT', SYNC, { body })).json).toEqual({
      error: true,
      errorMessage:
        "could not connect to master at tcp://127.0.0.1:1: Could not connect to 'tcp://127.0.0.1:1': Connection refused",
      code: 500,
      errorNum: 1400,
    });
  });

  it.each([
    [{ endpoint: 'foo' }, "'foo' is not an endpoint such as tcp://127.0.0.1:8529"],
    [{ endpoint: 'tcp://h:99999' }, "'tcp://h:99999' is not an endpoint such as"],
    [{ endpoint: 'tcp://u:secret@h:1' }, "'tcp://...@h:1' is not an endpoint such as"],
    [{ endpoint: 'tcp://127.0.0.1:1', requestTimeout: -1 }, 'requestTimeout must not be negative'],
    [{ endpoint: 'tcp://127.0.0.1:1', connectTimeout: 1e7 }, 'connectTimeout must not be above'],
  ])('%j is 400/1410, as for make-follower', async (body, message) => {
    await using server = await openFollower();
    const { status, json } = await server.request('PUT', SYNC, { body });
    expect([status, json['errorNum']]).toEqual([400, 1410]);
    expect(json['errorMessage']).toContain(message);
  });

  it.each([
    ['requestTimeout', 'GET logger-state'],
    ['initialSyncMaxWaitTime', 'GET dump'],
  ])('gives up a leader that is silent for longer than %s', async (setting, silent) => {
    await using leader = await openLeader();
    leader.always(silent, { ...page([]), delayMs: 60_000 });
    await using server = await openFollower();
    const body = { endpoint: leader.endpoint, [setting]: 0.2 };
    const answer = await server.request('PUT', SYNC, { body });
    expect([answer.status, answer.json['errorNum']]).toEqual([500, 1400]);
    expect(answer.json['errorMessage']).toContain(
      `could not connect to master at ${leader.endpoint}`,
    );
  });

  it('a database that the leader does not have is 500/1402', async () => {
    await using leader = await openLeader();
    await using server = await openFollower();
    leader.next('GET logger-state', refusal(404, 1228, 'database not found'));
    const answer = await server.request('PUT', SYNC, { body: { endpoint: leader.endpoint } });
    expect(answer.json).toEqual({
      error: true,
      errorMessage:
        `got invalid response from master at ${leader.endpoint}: HTTP 404: Not Found: ` +
        'database not found (error 1228)',
      code: 500,
      errorNum: 1402,
    });
  });

  it('a page for people in place of an answer is 500/1402, and not repeated', async () => {
    await using leader = await openLeader();
    await using server = await openFollower();
    leader.next('GET logger-state', { status: 403, body: '<h1>Log in first</h1>' });
    const answer = await server.request('PUT', SYNC, { body: { endpoint: leader.endpoint } });
    expect(answer.json).toMatchObject({
      errorMessage: `got invalid response from master at ${leader.endpoint}: HTTP 403: Forbidden`,
      errorNum: 1402,
    });
  });

  it('this server itself is 500/1405', async () => {
    await using leader = await openLeader();
    await using server = await openFollower();
    const { serverId } = server.store.server;
    leader.next('GET logger-state', loggerState({ serverId }));
    const answer = await server.request('PUT', SYNC, { body: { endpoint: leader.endpoint } });
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({
      errorNum: 1405,
      errorMessage: `got same server id (${serverId}) from endpoint '${leader.endpoint}' as the local applier server's id`,
    });
  });

  it('what is wrong with the data of the leader is 500 as well', async () => {
    await using leader = await openLeader(
      page(['{"tick":"1","type":2300,"key":" ","rev":"1","data":{}}']),
    );
    await using server = await openFollower();
    const answer = await server.request('PUT', SYNC, { body: { endpoint: leader.endpoint } });
    expect([answer.status, answer.json['errorNum'], answer.json['code']]).toEqual([500, 1221, 500]);
  });

  it('is refused while the applier runs, and while another sync does', async () => {
    const running = { applier: true };
    await using leader = await openLeader({ delayMs: 300 });
    await using server = await openFollower(running);
    const body = { endpoint: leader.endpoint };
    expect((await server.request('PUT', SYNC, { body })).json).toEqual({
      error: true,
      errorMessage: 'cannot perform operation while applier is running',
      code: 400,
      errorNum: 1411,
    });
    running.applier = false;
    const first = server.request('PUT', SYNC, { body });
    await vi.waitFor(() => expect(leader.seen('GET dump')).not.toEqual([]), 10_000);
    const second = await server.request('PUT', SYNC, { body });
    expect([second.status, second.json['errorNum']]).toEqual([400, 1411]);
    expect((await first).status).toBe(200);
  });

  it('goes on when the client goes away', async () => {
    await using leader = await openLeader({ delayMs: 200 });
    await using server = await openFollower();
    const client = rawRequest(`${server.url}${SYNC}`, { method: 'PUT' });
    client.on('error', () => undefined);
    client.end(JSON.stringify({ endpoint: leader.endpoint }));
    await vi.waitFor(() => expect(leader.seen('GET dump')).not.toEqual([]), 10_000);
    client.destroy();
    const database = server.catalogue.get('_system');
    await vi.waitFor(() => expect(database.byName('_sys')).toBeDefined(), { timeout: 10_000 });
  });

  it('ends when the server stops', async () => {
    await using leader = await openLeader({ delayMs: 5000 });
    await using server = await openFollower();
    const running = server.request('PUT', SYNC, { body: { endpoint: leader.endpoint } });
    await vi.waitFor(() => expect(leader.seen('GET dump')).not.toEqual([]), 10_000);
    const startedMs = Date.now();
    server.abort();
    const answer = await running;
    expect([answer.status, answer.json['errorNum']]).toEqual([503, 30]);
    expect(Date.now() - startedMs).toBeLessThan(3000);
    expect(leader.seen('DELETE batch')).toHaveLength(1);
  });
});
