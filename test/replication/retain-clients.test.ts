import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { retainLog } from '../../src/changelog/retention.ts';
import { startLogger } from '../../src/documents/databases.ts';
import type { LoggerConfig } from '../../src/model/logger-config.ts';
import { metaKey } from '../../src/storage/keys.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { LiveServer } from '../support/live-server.ts';
import { ManualClock } from '../support/manual-clock.ts';

interface Client {
  readonly serverId: string;
  readonly from: string;
  readonly retainedBytes: number;
  readonly lost: boolean;
}

/** A leader whose log may hold 20 events, and keeps it for followers; nothing works but what a test calls. */
async function openScene(config: Partial<LoggerConfig>) {
  const clock = new ManualClock();
  const server = await openLeaderServer({ clock });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const { store, database, leader } = server;
  await startLogger(store, database);
  await server.collections.create(database, { name: 'c' });
  const { changelog } = database;
  await store.commit(
    (tx) => changelog.configure(tx, { ...changelog.config, maxEvents: 20, ...config }),
    { exclusive: true },
  );
  return {
    server,
    clock,
    changelog,
    round: async () => retainLog(store, changelog, await leader.logKeep(database)),
    /** Asks for the log as a follower of this id; resolves with whether its place was there. */
    ask: async (id: number, from: bigint) => {
      const answer = await server.get(`logger-follow?serverId=${id}&from=${from}&chunkSize=1`);
      return answer.headers['x-arango-replication-frompresent'] === 'true';
    },
    clients: async () => {
      const { clients } = (await server.get('logger-state')).json as { clients: Client[] };
      return new Map(clients.map((client) => [client.serverId, client]));
    },
  };
}

async function write({ documents, database }: LeaderServer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await documents.insert(database, database.get('c'), `{"pad":"${'x'.repeat(1000)}"}`);
  }
}

describe('retainForClients', () => {
  test('keeps above the caps what a follower has not read, and says how much that is', async () => {
    const { server, changelog, ask, round, clients } = await openScene({ retainForClients: 60 });
    await write(server, 10);
    const position = changelog.state.lastTick;
    expect(await ask(7, position)).toBe(true);
    await round();
    const before = changelog.state.bytes;
    await write(server, 100);
    await round();
    expect(changelog.state.events).toBe(100);
    const { retainedBytes, lost } = (await clients()).get('7')!;
    expect(lost).toBe(false);
    expect(Math.abs(retainedBytes - changelog.state.bytes)).toBeLessThan(before);
    expect(await ask(7, position)).toBe(true);
    expect(await ask(7, changelog.state.lastTick)).toBe(true);
    await round();
    expect(changelog.state.events).toBe(20);
    expect((await clients()).get('7')).toMatchObject({ retainedBytes: 0, lost: false });
  });

  test('the furthest behind counts, and a position in the middle keeps about its part', async () => {
    const { server, changelog, ask, round, clients } = await openScene({ retainForClients: 60 });
    const positions: bigint[] = [];
    for (let i = 0; i < 4; i++) {
      await write(server, 25);
      positions.push(changelog.state.lastTick);
    }
    for (const [i, position] of positions.entries()) await ask(i + 1, position);
    await round();
    expect(changelog.state.events).toBe(75);
    const found = await clients();
    const kept = [1, 2, 3, 4].map((id) => found.get(String(id))!.retainedBytes);
    expect(kept[3]).toBe(0);
    const third = changelog.state.bytes / 3;
    for (const [i, parts] of [3, 2, 1].entries()) {
      expect(Math.abs(kept[i]! - parts * third)).toBeLessThan(third / 2);
    }
  });

  test('the headroom of a follower shrinks as the log grows behind its place', async () => {
    const { server, changelog, ask, round } = await openScene({ maxEvents: 100 });
    const { leader, database } = server;
    const headroom = (): number => leader.clients(database)[0]?.headroom ?? NaN;
    await write(server, 50);
    await ask(7, changelog.state.lastTick);
    await round();
    expect(headroom()).toBe(1);
    for (const expected of [0.75, 0.5, 0.25]) {
      await write(server, 25);
      await round();
      expect(Math.abs(headroom() - expected)).toBeLessThan(0.1);
    }
    await write(server, 50);
    await round();
    expect(headroom()).toBe(0);
    expect(leader.clients(database)[0]?.lost).toBe(true);
  });

  test('ends when a follower has not asked for that long, which is then lost', async () => {
    const { server, clock, changelog, ask, round, clients } = await openScene({
      retainForClients: 60,
    });
    await ask(7, changelog.state.lastTick);
    await write(server, 50);
    clock.advance(59_000);
    await round();
    expect(changelog.state.events).toBeGreaterThanOrEqual(50);
    clock.advance(1000);
    await round();
    expect(changelog.state.events).toBe(20);
    expect((await clients()).get('7')).toMatchObject({ retainedBytes: 0, lost: true });
  });

  test('gives way to the cap in bytes: who is too far behind is lost, the others are not', async () => {
    const { server, changelog, ask, round, clients } = await openScene({
      ...{ retainForClients: 60, retainForClientsSize: 40_000, maxEventsSize: 0 },
    });
    const first = changelog.state.lastTick;
    await ask(7, first);
    await write(server, 30);
    const second = changelog.state.lastTick;
    await ask(8, second);
    await round();
    expect((await clients()).get('7')).toMatchObject({ lost: false });
    await write(server, 25);
    await round();
    const { bytes, events } = changelog.state;
    expect(bytes).toBeLessThanOrEqual(40_000);
    expect(events).toBeGreaterThan(25);
    const found = await clients();
    expect(found.get('7')).toMatchObject({ retainedBytes: 0, lost: true });
    expect(found.get('8')).toMatchObject({ lost: false });
    expect(found.get('8')!.retainedBytes).toBeGreaterThan(20_000);
    expect(await ask(7, first)).toBe(false);
    expect(await ask(8, second)).toBe(true);
    // Who is lost keeps nothing.
    await ask(8, changelog.state.lastTick);
    await round();
    expect(changelog.state.events).toBe(20);
  });

  test('keeps nothing for a client that was forgotten, which is known again when it comes back', async () => {
    const { server, changelog, ask, round, clients } = await openScene({ retainForClients: 60 });
    await ask(7, changelog.state.lastTick);
    await ask(8, changelog.state.lastTick);
    await round();
    await write(server, 50);
    await ask(8, changelog.state.lastTick);
    await round();
    expect(changelog.state.events).toBeGreaterThanOrEqual(50);
    const forget = (id: string) =>
      server.call('DELETE', `/_api/replication/logger-state?client=${id}`);
    const { status, json } = await forget('7');
    expect([status, json['clients']]).toEqual([200, [expect.objectContaining({ serverId: '8' })]]);
    await round();
    expect(changelog.state.events).toBe(20);
    const unknown = await forget('7');
    expect([unknown.status, unknown.json]).toMatchObject([404, { errorNum: 404 }]);
    expect(unknown.json['errorMessage']).toContain("no client '7' has asked for this log");
    await ask(7, changelog.state.lastTick);
    await write(server, 50);
    await round();
    expect([...(await clients()).keys()]).toEqual(['8', '7']);
    expect(changelog.state.events).toBe(50);
  });

  test('keeps nothing for one that was forgotten while it waited: that it is answered does not bring it back', async () => {
    const { server, changelog, clients } = await openScene({ retainForClients: 60 });
    const from = changelog.state.lastTick;
    const waiting = server.get(`logger-follow?from=${from}&serverId=7&wait=20`);
    await vi.waitFor(async () => expect((await clients()).has('7')).toBe(true), 10_000);
    await server.call('DELETE', '/_api/replication/logger-state?client=7');
    await write(server, 1);
    expect((await waiting).text).toContain('"type":2300');
    expect((await clients()).has('7')).toBe(false);
  });

  test('is not given up where no client is named: servers of old do not know that request', async () => {
    const { server } = await openScene({ retainForClients: 60 });
    const answer = await server.call('DELETE', '/_api/replication/logger-state');
    expect([answer.status, answer.json['errorNum']]).toEqual([405, 405]);
  });

  test('0 lets the caps decide', async () => {
    const { server, changelog, ask, round } = await openScene({ retainForClients: 0 });
    await ask(7, changelog.state.lastTick);
    await write(server, 50);
    await round();
    expect(changelog.state.events).toBe(20);
  });

  test('does not keep more than the caps allow where there is no follower', async () => {
    const { server, changelog, round } = await openScene({ retainForClients: 60 });
    await write(server, 50);
    await round();
    expect(changelog.state.events).toBe(20);
  });
});

describe('a follower that was away', () => {
  const CAPS = { maxEvents: 4096, retainForClients: 600 };
  /** In which time the caps are enforced more than once. */
  const ROUNDS_MS = 2500;

  async function load(leader: LiveServer, from: number, count: number): Promise<void> {
    const lines = Array.from({ length: count }, (_, i) => `{"_key":"k${from + i}"}`);
    const path = '/_api/import?collection=c&type=documents';
    await leader.api.http.json('POST', path, lines.join('\n'));
  }

  async function configure(leader: LiveServer, config: object): Promise<void> {
    const path = '/_api/replication/logger-config';
    await leader.api.http.json('PUT', path, JSON.stringify(config));
  }

  test('finds its place again above the caps, over a restart of the leader', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    await configure(leader, CAPS);
    await leader.create('c');
    await follower.sync(leader);
    await leader.put('c', 'first');
    await follower.configure(leader);
    await follower.follow(leader);
    // It is remembered before it is needed.
    await sleep(ROUNDS_MS);
    await load(leader, 0, 6000);
    await leader.restart();
    await sleep(ROUNDS_MS);
    await load(leader, 6000, 1000);
    await follower.configure(leader);
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
    await configure(leader, { retainForClients: 0 });
    await load(leader, 7000, 5000);
    await sleep(ROUNDS_MS);
    const path = '/_api/replication/logger-state';
    const { clients } = (await leader.api.http.json('GET', path)) as { clients: Client[] };
    expect(clients).toMatchObject([{ lost: true, retainedBytes: 0 }]);
    await follower.api.startApplier();
    expect(await follower.stopped()).toMatchObject({ errorNum: 1414 });
  });
});

test('a client that was forgotten stays so over a restart, the others do not', async () => {
  await using leader = await LiveServer.start();
  const state = '/_api/replication/logger-state';
  const config = JSON.stringify({ retainForClients: 600 });
  await leader.api.http.json('PUT', '/_api/replication/logger-config', config);
  for (const id of [7, 8])
    await leader.api.http.json('GET', `/_api/replication/logger-follow?serverId=${id}`);
  // Both are stored by then.
  await sleep(2500);
  await leader.api.http.json('DELETE', `${state}?client=7`);
  await leader.restart();
  const { clients } = (await leader.api.http.json('GET', state)) as { clients: Client[] };
  expect(clients.map(({ serverId }) => serverId)).toEqual(['8']);
});

describe('what is remembered of followers, damaged,', () => {
  async function openDamaged() {
    const scene = await openScene({ retainForClients: 60 });
    const { store, database } = scene.server;
    await store.level.put(metaKey('f', database.number), Buffer.from('no record'));
    return scene;
  }

  test('is shown as damage by the state of the logger, which has those who have asked since', async () => {
    const { server, changelog, ask, clients } = await openDamaged();
    expect((await clients()).size).toBe(0);
    await ask(7, changelog.state.lastTick);
    expect([...(await clients()).keys()]).toEqual(['7']);
    const { status, json } = await server.get('logger-state');
    expect(status).toBe(200);
    const { storage } = (json as { state: { storage?: { damage?: { count: number } } } }).state;
    expect(storage?.damage?.count).toBeGreaterThan(0);
  });

  test('keeps the log as it is: nobody knows for whom', async () => {
    const { server, changelog, round } = await openDamaged();
    await write(server, 100);
    await expect(round()).rejects.toMatchObject({ kind: 'storageDamaged' });
    expect(changelog.state.events).toBeGreaterThan(100);
  });
});
