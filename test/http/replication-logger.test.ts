import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { isServiceError } from '../../src/model/errors.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

let server: LeaderServer;
beforeEach(async () => {
  server = await openLeaderServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const DIGITS = /^\d+$/;
const BAD_PARAMETER = { error: true, errorMessage: 'bad parameter', code: 400, errorNum: 400 };

async function create(name: string, type: 2 | 3 = 2): Promise<Collection> {
  return server.collections.create(server.database, { name, type });
}

async function insert(collection: Collection, key: string, value = '1'): Promise<string> {
  const body = `{"_key":"${key}","v":${value}}`;
  return (await server.documents.insert(server.database, collection, body)).rev;
}

async function state(): Promise<Record<string, unknown>> {
  return (await server.get('logger-state')).json['state'] as Record<string, unknown>;
}

describe('logger-state', () => {
  test('of a fresh server says: not running, no event (9.6 row 1)', async () => {
    const { status, json } = await server.get('logger-state');
    expect(status).toBe(200);
    expect(json).toMatchObject({
      state: {
        running: false,
        lastLogTick: '0',
        lastUncommittedLogTick: '0',
        totalEvents: 0,
        time: expect.stringMatching(TIME) as string,
        firstTick: '0',
        holeAt: '0',
      },
      server: { version: '1.4.3', serverId: expect.stringMatching(DIGITS) as string },
      clients: [],
    });
  });

  test('names the runs of this server as texts', async () => {
    const { json } = await server.get('logger-state');
    const { incarnations } = json['server'] as { incarnations: unknown[] };
    expect(incarnations).toEqual([
      {
        id: server.store.incarnation.id,
        firstTick: server.store.incarnation.firstTick.toString(),
        foundTick: server.store.incarnation.foundTick.toString(),
      },
    ]);
  });

  test('shows a change that was not logged as a hole', async () => {
    const people = await create('people');
    await insert(people, 'a');
    const { holeAt } = await state();
    expect(BigInt(holeAt as string)).toBe(people.stats.lastTick);
    const { headers } = await server.get('logger-follow');
    expect(headers['x-arango-replication-frompresent']).toBe('false');
    const later = await server.get(`logger-follow?from=${holeAt as string}`);
    expect(later.headers['x-arango-replication-frompresent']).toBe('true');
  });
});

describe('logger-start and logger-stop', () => {
  test('answer the same when called twice, and log each change once (9.6 row 2)', async () => {
    for (let i = 0; i < 2; i++) {
      const started = await server.put('logger-start');
      expect([started.status, started.text]).toEqual([200, '{"running":true}']);
    }
    expect(await state()).toMatchObject({ running: true, totalEvents: 1 });
    for (let i = 0; i < 2; i++) {
      const stopped = await server.put('logger-stop', '{"ignored":1}');
      expect([stopped.status, stopped.text]).toEqual([200, '{"running":false}']);
    }
    expect(await state()).toMatchObject({ running: false, totalEvents: 2 });
    const { lines } = await server.get('logger-follow');
    expect(lines.map(({ type }) => type)).toEqual([1001, 1000]);
    expect(lines[0]!['lastTick']).toBe('0');
    expect(lines[1]!['lastTick']).toBe(lines[0]!['tick']);
  });

  test('concern one database only', async () => {
    await server.databases.create('other');
    await server.call('PUT', '/_db/other/_api/replication/logger-start');
    expect(await state()).toMatchObject({ running: false, lastLogTick: '0' });
    const other = await server.call('GET', '/_db/other/_api/replication/logger-state');
    expect(other.json['state']).toMatchObject({ running: true, totalEvents: 1 });
    expect((await server.get('logger-follow')).status).toBe(204);
  });

  test('each logged operation raises totalEvents by 1 (9.6 row 9)', async () => {
    let expected = 0;
    const counted = async (operation: () => Promise<unknown>): Promise<void> => {
      await operation();
      expect(await state()).toMatchObject({ totalEvents: ++expected });
    };
    await counted(() => server.put('logger-start'));
    let people!: Collection;
    await counted(async () => {
      people = await create('people');
    });
    await counted(() => insert(people, 'a'));
    await counted(() => server.documents.replace(server.database, people, 'a', '{"v":2}'));
    await counted(() => server.documents.remove(server.database, people, 'a'));
    await counted(() =>
      server.collections.createIndex(server.database, people, { type: 'hash', fields: ['v'] }),
    );
    await counted(() => server.collections.rename(server.database, people, 'folk'));
    await counted(() => server.collections.drop(server.database, people));
    await counted(() => server.put('logger-stop'));
    await create('unlogged');
    expect(await state()).toMatchObject({ totalEvents: expected });
  });
});

describe('logger-config', () => {
  const DEFAULTS = {
    autoStart: false,
    logRemoteChanges: false,
    maxEvents: 1048576,
    maxEventsSize: 134217728,
    retainForClients: 0,
    retainForClientsSize: 1073741824,
  };

  test('GET shows all settings', async () => {
    const { status, json } = await server.get('logger-config');
    expect([status, json]).toEqual([200, DEFAULTS]);
  });

  test('PUT merges, passes over what is unknown or of a wrong type, and answers all', async () => {
    const merged = { ...DEFAULTS, autoStart: true, maxEvents: 4096 };
    const put = await server.put('logger-config', '{"autoStart":true,"maxEvents":4096,"x":1}');
    expect([put.status, put.json]).toEqual([200, merged]);
    for (const body of ['{}', '[]', '3', '{"autoStart":"yes","maxEvents":"many"}']) {
      expect((await server.put('logger-config', body)).json).toEqual(merged);
    }
    expect((await server.get('logger-config')).json).toEqual(merged);
    expect((await server.put('logger-config', '{"maxEvents":0,"maxEventsSize":0}')).json).toEqual({
      ...merged,
      maxEvents: 0,
      maxEventsSize: 0,
    });
  });

  test.each([
    '{"maxEvents":1}',
    '{"maxEvents":4095}',
    '{"maxEvents":-1}',
    '{"maxEvents":1e300}',
    '{"maxEventsSize":1}',
    '{"maxEventsSize":1048575}',
    '{"retainForClients":-1}',
    '{"retainForClients":1e300}',
    '{"retainForClientsSize":1048575}',
    '{"autoStart":true,"maxEvents":4096,"maxEventsSize":-0.5}',
  ])('PUT %s is 400/1409 and changes nothing (9.6 row 10)', async (body) => {
    const { status, json } = await server.put('logger-config', body);
    expect(status).toBe(400);
    expect(json).toMatchObject({
      errorNum: 1409,
      errorMessage: 'invalid replication logger configuration',
    });
    expect((await server.get('logger-config')).json).toEqual(DEFAULTS);
  });

  test.each(['{foo', '', '{"autoStart":true,"autoStart":false}'])(
    'PUT of the malformed body %j is 400/400',
    async (body) => {
      const { status, json } = await server.put('logger-config', body);
      expect([status, json]).toEqual([400, BAD_PARAMETER]);
      expect((await server.get('logger-config')).json).toEqual(DEFAULTS);
    },
  );

  test('two changes at a time are both kept', async () => {
    await Promise.all([
      server.put('logger-config', '{"autoStart":true}'),
      server.put('logger-config', '{"maxEvents":5000}'),
    ]);
    expect((await server.get('logger-config')).json).toEqual({
      ...DEFAULTS,
      autoStart: true,
      maxEvents: 5000,
    });
  });
});

describe('logger-first-tick and logger-tick-ranges', () => {
  test('tell of an empty log', async () => {
    expect((await server.get('logger-first-tick')).text).toBe('{"firstTick":null}');
    expect((await server.get('logger-tick-ranges')).text).toBe('[]');
  });

  test('tell what the log holds', async () => {
    await server.put('logger-start');
    await create('people');
    const { lines } = await server.get('logger-follow');
    const [tickMin, tickMax] = [lines[0]!['tick'], lines[1]!['tick']];
    expect((await server.get('logger-first-tick')).json).toEqual({ firstTick: tickMin });
    expect((await server.get('logger-tick-ranges')).json).toEqual([
      { datafile: 'changelog-_system', status: 'open', tickMin, tickMax },
    ]);
  });
});

test('a failed operation leaves no trace in the log', async () => {
  await server.put('logger-start');
  const people = await create('people');
  await insert(people, 'a');
  const before = await state();
  await expect(insert(people, 'a')).rejects.toSatisfy((error) =>
    isServiceError(error, 'uniqueConstraintViolated'),
  );
  expect(await state()).toMatchObject({
    lastLogTick: before['lastLogTick'],
    totalEvents: before['totalEvents'],
  });
});
