import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { enforceCaps } from '../../src/changelog/retention.ts';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { ManualClock } from '../support/manual-clock.ts';

let clock: ManualClock;
let server: LeaderServer;
beforeEach(async () => {
  clock = new ManualClock();
  server = await openLeaderServer({ clock });
});
afterEach(() => server[Symbol.asyncDispose]());

function barrier(method: string, path: string, body?: string): Promise<Answer> {
  return server.call(method, `/_api/replication/barrier${path}`, body);
}

async function open(tick: string, ttl = 10): Promise<string> {
  return (await barrier('POST', '', JSON.stringify({ ttl, tick }))).json['id'] as string;
}

function expectEmpty(answer: Answer): void {
  expect([answer.status, answer.text]).toEqual([204, '']);
  expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
}

describe('barriers over HTTP', () => {
  test('are opened, listed, moved and ended', async () => {
    expect((await barrier('GET', '')).text).toBe('[]');
    const first = await open('17');
    const second = await open('18');
    expect(first).toMatch(/^\d+$/);
    expect((await barrier('GET', '')).json).toEqual([first, second]);
    expectEmpty(await barrier('PUT', `/${first}`, '{"ttl":10,"tick":"20"}'));
    expect(server.leader.barriers.horizon(server.database)).toBe(18n);
    expectEmpty(await barrier('DELETE', `/${second}`));
    expect(server.leader.barriers.horizon(server.database)).toBe(20n);
    expectEmpty(await barrier('DELETE', `/${first}`));
    expect((await barrier('GET', '')).text).toBe('[]');
  });

  test('take the tick as a number, too', async () => {
    expect((await barrier('POST', '', '{"ttl":5,"tick":17}')).status).toBe(200);
    expect(server.leader.barriers.horizon(server.database)).toBe(17n);
  });

  test.each([
    ['{"ttl":60}', 400],
    ['{"ttl":60,"tick":0}', 400],
    ['{"ttl":60,"tick":"abc"}', 400],
    ['{"ttl":60,"tick":-1}', 400],
    ['[]', 400],
    ['{foo', 400],
    ['', 400],
    ['{"tick":"5"}', 10],
    ['{"ttl":0,"tick":"5"}', 10],
    ['{"ttl":"5","tick":"5"}', 10],
  ])('are refused for %j with 400/%i, and none is opened', async (body, errorNum) => {
    const { status, json } = await barrier('POST', '', body);
    expect([status, json['errorNum']]).toEqual([400, errorNum]);
    expect((await barrier('GET', '')).text).toBe('[]');
  });

  test('never move back, and live on from each request', async () => {
    const id = await open('17');
    clock.advance(9999);
    expectEmpty(await barrier('PUT', `/${id}`, '{"ttl":10,"tick":"5"}'));
    clock.advance(9999);
    expectEmpty(await barrier('PUT', `/${id}`, '{"ttl":10}'));
    expect(server.leader.barriers.horizon(server.database)).toBe(17n);
    clock.advance(10_000);
    expect(server.leader.barriers.horizon(server.database)).toBeUndefined();
    expect((await barrier('GET', '')).text).toBe('[]');
  });

  test('that are unknown, or of another database, are 404/1202', async () => {
    await server.databases.create('other');
    const id = await open('17');
    for (const path of [
      '/_api/replication/barrier/4711',
      `/_db/other/_api/replication/barrier/${id}`,
    ]) {
      for (const method of ['PUT', 'DELETE']) {
        const { json } = await server.call(method, path, '{"ttl":5}');
        expect(json).toMatchObject({ code: 404, errorNum: 1202 });
      }
    }
    const other = await server.call('GET', '/_db/other/_api/replication/barrier');
    expect(other.text).toBe('[]');
  });

  test('with a bad body stay as they are', async () => {
    const id = await open('17');
    for (const [body, errorNum] of [
      ['{', 400],
      ['{"tick":"99"}', 10],
    ] as const) {
      const { json } = await barrier('PUT', `/${id}`, body);
      expect(json).toMatchObject({ code: 400, errorNum });
    }
    expect(server.leader.barriers.horizon(server.database)).toBe(17n);
  });

  test('are refused with 400/32 when a thousand are open', async () => {
    const { barriers } = server.leader;
    await Promise.all(
      Array.from({ length: 1000 }, () => barriers.create(server.database, { ttl: 60, tick: 5 })),
    );
    const { json } = await barrier('POST', '', '{"ttl":60,"tick":"5"}');
    expect(json).toMatchObject({ code: 400, errorNum: 32 });
  });
});

describe('a barrier', () => {
  /** Writes documents on their own, and one transaction; returns the ticks of all events. */
  async function fill(): Promise<bigint[]> {
    await server.put('logger-start');
    const { collections, documents, database, importer } = server;
    const boats = await collections.create(database, { name: 'boats' });
    for (let i = 0; i < 10; i++) await documents.insert(database, boats, `{"_key":"k${i}"}`);
    const body = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('{"_key":"a"}\n{"_key":"b"}\n{"_key":"c"}\n');
      await Promise.resolve();
    };
    await importer.run(
      database,
      boats,
      body(),
      {
        ...{ type: 'documents', onDuplicate: 'error', complete: false, waitForSync: false },
        ...{ details: false, overwrite: false, fromPrefix: undefined, toPrefix: undefined },
        announcedBytes: undefined,
      },
      new AbortController().signal,
    );
    for (let i = 10; i < 20; i++) await documents.insert(database, boats, `{"_key":"k${i}"}`);
    return (await server.get('logger-follow?chunkSize=1000000')).lines.map(({ tick }) => {
      return BigInt(tick as string);
    });
  }

  function cap(maxEvents: number): Promise<unknown> {
    const { changelog } = server.database;
    // Smaller than what clients may set.
    return server.store.commit(
      (tx) => changelog.configure(tx, { ...changelog.config, maxEvents }),
      { exclusive: true },
    );
  }

  async function held(): Promise<bigint[]> {
    return (await server.get('logger-follow?chunkSize=1000000')).lines.map(({ tick }) => {
      return BigInt(tick as string);
    });
  }

  test('holds what is newer than its tick in the log, above the caps', async () => {
    const ticks = await fill();
    await cap(5);
    const { changelog } = server.database;
    const horizon = (): bigint | undefined => server.leader.barriers.horizon(server.database);
    const id = await open(String(ticks[7]));
    await enforceCaps(server.store, changelog, horizon());
    expect(await held()).toEqual(ticks.slice(8));
    expect(changelog.state).toMatchObject({ events: ticks.length - 8, firstTick: ticks[8] });
    await enforceCaps(server.store, changelog, horizon());
    expect(await held()).toEqual(ticks.slice(8));
    await barrier('DELETE', `/${id}`);
    await enforceCaps(server.store, changelog, horizon());
    expect(await held()).toEqual(ticks.slice(-5));
  });

  test('within a transaction holds it whole', async () => {
    const ticks = await fill();
    await cap(5);
    // 1001, 2000, ten documents, then 2200.
    const begin = 12;
    await open(String(ticks[begin + 2]));
    const { changelog } = server.database;
    await enforceCaps(server.store, changelog, server.leader.barriers.horizon(server.database));
    expect(await held()).toEqual(ticks.slice(begin));
    expect(changelog.state.firstTick).toBe(ticks[begin]);
  });

  test('older than the log changes nothing', async () => {
    const ticks = await fill();
    await cap(5);
    await open('1');
    const { changelog } = server.database;
    const horizon = server.leader.barriers.horizon(server.database);
    expect(await enforceCaps(server.store, changelog, horizon)).toBe(false);
    expect(await held()).toEqual(ticks);
  });

  test('of another database does not hold this log', async () => {
    const other = await server.databases.create('other');
    await server.leader.barriers.create(other, { ttl: 10, tick: 5 });
    expect(server.leader.barriers.horizon(server.database)).toBeUndefined();
    expect(server.leader.barriers.horizon(other)).toBe(5n);
    await server.databases.drop('other');
    expect(server.leader.barriers.horizon(other)).toBeUndefined();
  });

  test('moves with the follower that names it, and lives for 180 seconds more', async () => {
    await server.put('logger-start');
    const id = await open('17', 10);
    await server.get(`logger-follow?from=400&barrier=${id}`);
    expect(server.leader.barriers.horizon(server.database)).toBe(400n);
    clock.advance(179_999);
    await server.get(`logger-follow?from=300&barrier=${id}`);
    expect(server.leader.barriers.horizon(server.database)).toBe(400n);
    clock.advance(180_000);
    expect(server.leader.barriers.horizon(server.database)).toBeUndefined();
    expect((await server.get(`logger-follow?barrier=${id}`)).status).toBe(200);
  });
});
