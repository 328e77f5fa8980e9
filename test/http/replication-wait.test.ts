import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { request } from 'undici';
import type { Collection } from '../../src/documents/collection.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

let server: LeaderServer;
beforeEach(async () => {
  server = await openLeaderServer();
});
afterEach(() => server[Symbol.asyncDispose]());

async function create(name: string): Promise<Collection> {
  return server.collections.create(server.database, { name });
}

async function insert(collection: Collection, key: string): Promise<void> {
  await server.documents.insert(server.database, collection, `{"_key":"${key}"}`);
}

async function state(): Promise<Record<string, unknown>> {
  return (await server.get('logger-state')).json['state'] as Record<string, unknown>;
}

async function lastLogTick(): Promise<string> {
  return (await state())['lastLogTick'] as string;
}

describe('logger-follow with wait', () => {
  test('is held until there is an event', async () => {
    await server.put('logger-start');
    const from = await lastLogTick();
    const held = server.get(`logger-follow?from=${from}&wait=30`);
    await create('people');
    const { status, lines } = await held;
    expect(status).toBe(200);
    expect(lines.map(({ type }) => type)).toEqual([2000]);
  });

  test('shows the client with the position that it waits at, before anything comes', async () => {
    await server.put('logger-start');
    const people = await create('people');
    const last = await lastLogTick();
    const held = server.get(`logger-follow?from=${last}&serverId=77&wait=30`);
    const clients = async (): Promise<unknown> =>
      (await server.get('logger-state')).json['clients'];
    await vi.waitFor(async () => {
      const shown = { serverId: '77', from: last, lastServedTick: '0' };
      expect(await clients()).toMatchObject([shown]);
    });
    await insert(people, 'a');
    expect((await held).lines).toHaveLength(1);
    const served = { serverId: '77', from: last, lastServedTick: await lastLogTick() };
    expect(await clients()).toMatchObject([served]);
  });

  test('ends with 204 when the time is over', async () => {
    const startedMs = performance.now();
    expect((await server.get('logger-follow?wait=0.3')).status).toBe(204);
    expect(performance.now() - startedMs).toBeGreaterThan(290);
  });

  test('answers at once where there is something, or where nothing can come any more', async () => {
    await server.put('logger-start');
    await create('people');
    const startedMs = performance.now();
    expect((await server.get('logger-follow?wait=30')).lines).toHaveLength(2);
    const { firstTick, lastLogTick: last } = await state();
    const nothing = `from=${firstTick as string}&to=${firstTick as string}&wait=30`;
    expect((await server.get(`logger-follow?${nothing}`)).status).toBe(204);
    await server.collections.create(server.database, { name: 'more' });
    const filtered = `from=${last as string}&to=${await lastLogTick()}&collection=people&wait=30`;
    expect((await server.get(`logger-follow?${filtered}`)).status).toBe(204);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  test('is not held where something is missing after from: that is told at once', async () => {
    await server.put('logger-start');
    const people = await create('people');
    const from = await lastLogTick();
    await server.put('logger-stop');
    const last = await lastLogTick();
    await insert(people, 'unlogged');
    const startedMs = performance.now();
    for (const position of [last, from]) {
      const query = `from=${position}&collection=people&wait=30`;
      const { status, headers } = await server.get(`logger-follow?${query}`);
      expect([status, headers['x-arango-replication-frompresent']]).toEqual([204, 'false']);
    }
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  test.each(['a write that is not logged', 'a sync that replaces data'])(
    'is ended by %s: what was waited for is missing',
    async (what) => {
      await server.put('logger-start');
      const people = await create('people');
      await server.put('logger-stop');
      const from = await lastLogTick();
      const waiting = vi.spyOn(server.database.changelog, 'waitAbove');
      const held = server.get(`logger-follow?from=${from}&wait=60`);
      await vi.waitFor(() => expect(waiting).toHaveBeenCalled(), 10_000);
      const startedMs = performance.now();
      if (what.startsWith('a write')) await insert(people, 'unlogged');
      else {
        await server.store.commit((tx) => server.database.changelog.noteHole(tx, tx.drawTick()));
      }
      const { status, headers } = await held;
      expect([status, headers['x-arango-replication-frompresent']]).toEqual([204, 'false']);
      expect(performance.now() - startedMs).toBeLessThan(10_000);
    },
  );

  test('a filter that matches nothing goes on waiting, and does not read the log in circles', async () => {
    await server.put('logger-start');
    const people = await create('people');
    const others = await create('others');
    const from = await lastLogTick();
    const reads = vi.spyOn(server.database.changelog, 'readPage');
    const held = server.get(`logger-follow?from=${from}&wait=30&collection=people`);
    for (let i = 0; i < 5; i++) await insert(others, `k${i}`);
    await vi.waitFor(() => expect(reads.mock.calls.length).toBeGreaterThan(0), 10_000);
    await insert(people, 'a');
    const { lines } = await held;
    expect(lines.map(({ key }) => key)).toEqual(['a']);
    expect(reads.mock.calls.length).toBeLessThanOrEqual(8);
  });

  test('a busy log that matches nothing does not hold a request beyond its time', async () => {
    await server.put('logger-start');
    await create('people');
    const others = await create('others');
    const from = await lastLogTick();
    const writing = new AbortController();
    const writer = (async () => {
      for (let i = 0; !writing.signal.aborted; i++) await insert(others, `k${i}`);
    })();
    const startedMs = performance.now();
    for (const wait of ['0', '0.2']) {
      const query = `from=${from}&wait=${wait}&collection=people`;
      expect((await server.get(`logger-follow?${query}`)).status).toBe(204);
    }
    expect(performance.now() - startedMs).toBeLessThan(5000);
    writing.abort();
    await writer;
  });

  test('the end of the server ends it', async () => {
    const waiting = vi.spyOn(server.database.changelog, 'waitAbove');
    const held = server.get('logger-follow?wait=60');
    await vi.waitFor(() => expect(waiting).toHaveBeenCalled(), 10_000);
    server.abort();
    expect((await held).status).toBe(204);
  });

  test('the end of the server ends that of many clients, which one listener waits for', async () => {
    const waiting = vi.spyOn(server.database.changelog, 'waitAbove');
    const before = getEventListeners(server.signal, 'abort').length;
    const held = Array.from({ length: 20 }, () => server.get('logger-follow?wait=60'));
    await vi.waitFor(() => expect(waiting).toHaveBeenCalledTimes(20), 10_000);
    expect(getEventListeners(server.signal, 'abort').length).toBeLessThanOrEqual(before + 1);
    server.abort();
    const statuses = (await Promise.all(held)).map(({ status }) => status);
    expect(statuses).toEqual(held.map(() => 204));
  });

  test('a client that goes away ends it', async () => {
    const waiting = vi.spyOn(server.database.changelog, 'waitAbove');
    const gone = new AbortController();
    const held = request(`${server.url}/_api/replication/logger-follow?wait=60`, {
      signal: gone.signal,
    });
    await vi.waitFor(() => expect(waiting).toHaveBeenCalled(), 10_000);
    gone.abort();
    await expect(held).rejects.toThrow();
    await waiting.mock.results[0]!.value;
    expect(server.leader.pageMemory.usedBytes).toBe(0);
  });

  test('the end of the database ends it with 404/1228', async () => {
    const other = await server.databases.create('other');
    const waiting = vi.spyOn(other.changelog, 'waitAbove');
    const held = server.call('GET', '/_db/other/_api/replication/logger-follow?wait=30');
    await vi.waitFor(() => expect(waiting).toHaveBeenCalled(), 10_000);
    await server.databases.drop('other');
    expect(other.dropped).toBe(true);
    expect((await held).json).toMatchObject({ code: 404, errorNum: 1228 });
  });
});
