import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { deferred } from '../../src/base/deferred.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { CollectionCopies } from '../../src/documents/collection-copy.ts';
import { startLogger } from '../../src/documents/databases.ts';
import { Appliers } from '../../src/follower/appliers.ts';
import { readCheckpoint } from '../../src/follower/checkpoint.ts';
import { InitialSyncer } from '../../src/follower/initial-syncer.ts';
import { applierCommands } from '../../src/http/replication-applier.ts';
import { replicationDispatch } from '../../src/http/replication-dispatch.ts';
import { syncCommands } from '../../src/http/replication-sync.ts';
import { metaKey } from '../../src/storage/keys.ts';
import { type TestServer, openTestServer } from '../support/http-server.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { LeaderScript, json, loggerState, page } from '../support/leader-script.ts';
import { SyncFollower, contentOf, keysOf } from '../support/sync-follower.ts';

const OPTIONS = { version: '1.4.3', transactionMaxBytes: 64 * 1024 * 1024 };
const SMALL_PAGES = { chunkSizeBytes: 500 };

/** A leader with two collections, and a follower with a syncer and an applier on one core. */
interface Scene extends AsyncDisposable {
  readonly leader: LeaderServer;
  readonly follower: SyncFollower;
  readonly appliers: Appliers;
  readonly endpoint: string;
}

async function openScene(): Promise<Scene> {
  const leader = await openLeaderServer();
  await startLogger(leader.store, leader.database);
  for (const name of ['aa', 'bb']) {
    await leader.collections.create(leader.database, { name });
    await insert(leader, name, 0, 20);
  }
  const endpoint = `tcp://127.0.0.1:${leader.port}`;
  const follower = await SyncFollower.open({ endpoint }, { fetchRetries: 0 });
  const { store, catalogue, collections } = follower.core;
  const deps = { store, catalogue, collections, logger: silentLogger, clock: systemClock };
  const appliers = new Appliers({ ...deps, initialSyncer: follower.syncer }, OPTIONS);
  return {
    ...{ leader, follower, appliers, endpoint },
    async [Symbol.asyncDispose]() {
      await appliers.stopAll();
      await follower[Symbol.asyncDispose]();
      await leader[Symbol.asyncDispose]();
    },
  };
}

async function insert(
  { documents, database }: LeaderServer,
  name: string,
  from: number,
  to: number,
): Promise<void> {
  for (let i = from; i < to; i++) {
    await documents.insert(database, database.get(name), `{"_key":"k${i}","n":${i}}`);
  }
}

/** Starts the applier where it stands, waits until it has all that the leader has, and stops it. */
async function followToEnd({ leader, follower, appliers, endpoint }: Scene): Promise<void> {
  const applier = appliers.of(follower.database);
  const { lastTick } = leader.database.changelog.state;
  await applier.configure({ endpoint });
  await applier.start();
  await vi.waitFor(
    () => {
      expect(applier.isRunning).toBe(true);
      const stored = readCheckpoint(follower.core.store, follower.database.number);
      expect((stored?.appliedTick ?? 0n) >= lastTick).toBe(true);
    },
    { timeout: 10_000 },
  );
  await applier.stop();
}

async function expectEqual({ leader, follower }: Scene): Promise<void> {
  expect(await contentOf(follower.core.store, follower.database)).toEqual(
    await contentOf(leader.store, leader.database),
  );
}

/** A sync that ends in the middle of the second collection. */
async function failInTheMiddle({ follower }: Scene): Promise<void> {
  const { client } = follower;
  client.dumps = [];
  const seen = new Set<string>();
  client.onDump = ({ collection, from }) => {
    seen.add(collection);
    if (seen.size === 2 && from > 0n) throw new Error('the wire broke');
  };
  await expect(follower.sync(SMALL_PAGES)).rejects.toThrow('the wire broke');
  client.onDump = () => undefined;
}

describe('the position of the applier after a sync', () => {
  it('passes over what the log says of a collection that the leader drops during the copy', async () => {
    await using scene = await openScene();
    const { leader, follower } = scene;
    const { documents, collections, database } = leader;
    const bb = database.get('bb');
    await documents.remove(database, bb, 'k0');
    follower.client.onDump = ({ collection }, count) => {
      if (collection === bb.cid && count > 5) throw new Error('the wire broke');
    };
    await expect(follower.sync(SMALL_PAGES)).rejects.toThrow('the wire broke');
    follower.client.onDump = () => undefined;
    // Half a copy still has k0, which the leader had removed before: an index over both cannot be.
    await documents.insert(database, bb, '{"_key":"later","n":0}');
    await collections.createIndex(database, bb, { type: 'hash', fields: ['n'], unique: true });
    await collections.rename(database, bb, 'cc');
    await collections.drop(database, bb);
    await follower.sync(SMALL_PAGES);
    expect(follower.database.collections.map(({ name }) => name)).toEqual(['aa']);
    await followToEnd(scene);
    await expectEqual(scene);
  });

  it('is where the sync ended, with the leader and its run', async () => {
    await using scene = await openScene();
    const { leader, follower } = scene;
    const { lastLogTick } = await follower.sync();
    expect(readCheckpoint(follower.core.store, follower.database.number)).toMatchObject({
      leaderId: leader.store.server.serverId,
      incarnation: leader.store.incarnation.id,
      appliedTick: lastLogTick,
      processedTick: lastLogTick,
      open: [],
    });
    await insert(leader, 'aa', 20, 30);
    await followToEnd(scene);
    await expectEqual(scene);
  });

  it('is not gone back behind: a sync that the applier has overtaken begins anew', async () => {
    await using scene = await openScene();
    const { leader, follower } = scene;
    await follower.sync();
    await insert(leader, 'aa', 20, 30);
    await failInTheMiddle(scene);
    await insert(leader, 'aa', 30, 40);
    await leader.documents.remove(leader.database, leader.database.get('bb'), 'k1');
    await followToEnd(scene);
    await expectEqual(scene);
    await follower.sync(SMALL_PAGES);
    expect(await keysOf(follower.core, 'bb')).not.toContain('k1');
    await expectEqual(scene);
    await followToEnd(scene);
    await expectEqual(scene);
  });

  it('stays when only some of what it follows is copied', async () => {
    await using scene = await openScene();
    const { leader, follower } = scene;
    await follower.sync();
    await insert(leader, 'bb', 20, 30);
    await follower.sync({ restrictType: 'include', restrictCollections: ['aa'] });
    await followToEnd(scene);
    await expectEqual(scene);
  });
});

describe('an applier and a sync of one database', () => {
  it('never run at the same time, also when the sync begins while the applier is being started', async () => {
    await using scene = await openScene();
    const { follower, appliers, endpoint } = scene;
    const applier = appliers.of(follower.database);
    await applier.configure({ endpoint });
    const { promise: held, resolve: release } = deferred();
    follower.client.onTogether = () => held;
    const starting = applier.start({ from: 1n });
    // Its own check is made, and its position is being stored.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    const syncing = follower.sync();
    await expect(starting).rejects.toMatchObject({ errorNum: 1411 });
    expect(applier.isRunning).toBe(false);
    await vi.waitFor(() => expect(follower.client.together).not.toEqual([]), 10_000);
    release();
    await syncing;
    await expectEqual(scene);
  });

  it('damage in what an unfinished sync has left does not keep the state from being told', async () => {
    await using scene = await openScene();
    const { follower, appliers } = scene;
    await failInTheMiddle(scene);
    const { store } = follower.core;
    await store.level.put(metaKey('y', follower.database.number), Buffer.from('no record'));
    const { state } = await appliers.of(follower.database).stop();
    expect(state).toMatchObject({ running: false });
    expect(state).not.toHaveProperty('unfinishedSync');
    expect(store.health.damage?.count).toBeGreaterThan(0);
  });

  it('forgetting the applier removes what an unfinished sync has left', async () => {
    await using scene = await openScene();
    const { follower, appliers } = scene;
    const applier = appliers.of(follower.database);
    await failInTheMiddle(scene);
    expect(follower.core.catalogue.hiddenOf(follower.database)).not.toEqual([]);
    expect(await follower.progressRecords()).toBeGreaterThan(0);
    expect(applier.state().state.unfinishedSync).toEqual({
      leaderId: scene.leader.store.server.serverId,
      database: '_system',
      tick: expect.stringMatching(/^[0-9]+$/) as string,
      ...{ collectionsDone: 1, collectionsExpected: 2 },
    });
    await applier.forget();
    expect(applier.state().state).not.toHaveProperty('unfinishedSync');
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
    expect(await follower.progressRecords()).toBe(0);
    await follower.sync();
    await expectEqual(scene);
  });
});

/** A server with the commands of the follower. */
function openServer(): Promise<TestServer> {
  return openTestServer({
    routers: (parts) => {
      const copies = new CollectionCopies(parts);
      const syncer = new InitialSyncer({ ...parts, copies });
      const appliers = new Appliers({ ...parts, initialSyncer: syncer }, OPTIONS);
      return [
        replicationDispatch(
          applierCommands(appliers),
          syncCommands({
            syncer,
            logger: silentLogger,
            store: parts.store,
            isApplierRunning: (database) => appliers.of(database).isRunning,
            onFailure: (database, error) => appliers.syncFailed(database, error),
          }),
        ),
      ];
    },
  });
}

/** A leader with one collection, of which no page comes for a long time. */
async function openSlowLeader(): Promise<LeaderScript> {
  const parameters = { cid: '9', name: 'nine', type: 2, version: 4, deleted: false };
  const state = { running: true, lastLogTick: '1000' };
  const script = await LeaderScript.open();
  return script
    .always('GET logger-state', loggerState())
    .always('POST batch', json({ id: '77' }))
    .always('DELETE batch/77', { status: 204 })
    .always(
      'GET inventory',
      json({ collections: [{ parameters, indexes: [] }], state, tick: '1001' }),
    )
    .always('GET dump', { ...page([]), delayMs: 20_000 });
}

describe('a sync that somebody asked for', () => {
  const API = '/_api/replication';

  it.each<[string, string, string]>([
    ['a stop of the applier', 'PUT', 'applier-stop'],
    ['forgetting the applier', 'DELETE', 'applier-state'],
  ])('is seen in the state of the applier, and ended by %s', async (_what, method, command) => {
    await using leader = await openSlowLeader();
    await using server = await openServer();
    let answered = false;
    const syncing = server
      .request('PUT', `${API}/sync`, { body: { endpoint: leader.endpoint } })
      .finally(() => (answered = true));
    await vi.waitFor(() => expect(leader.seen('GET dump')).not.toEqual([]), 10_000);
    const during = await server.request('GET', `${API}/applier-state`);
    expect(during.json['state']).toMatchObject({
      running: false,
      phase: 'syncing',
      sync: { endpoint: leader.endpoint, since: expect.stringMatching(/^20\d\d-.*Z$/) as string },
      progress: {
        message:
          "sync: fetching leader collection dump for collection 'nine', id 9, type 2, batch 1 " +
          '(0 of 1 collection done, 0 documents copied)',
      },
    });
    const started = await server.request('PUT', `${API}/applier-start`);
    expect(started.status).toBe(400);

    const stopped = await server.request(method, `${API}/${command}`);
    expect(stopped.json['state']).toMatchObject({ running: false, phase: 'stopped' });
    // The batch is deleted at the end of all work of the sync.
    expect(leader.seen('DELETE batch')).toHaveLength(1);
    const answer = await syncing;
    expect(answered).toBe(true);
    expect([answer.status, answer.json['errorNum']]).toEqual([500, 1412]);
    // Somebody wanted it so: nothing went wrong.
    const after = await server.request('GET', `${API}/applier-state`);
    expect(JSON.stringify(after.json)).not.toContain('the sync failed');
    expect(server.catalogue.get('_system').byName('nine')).toBeUndefined();
    const left = server.catalogue.hiddenOf(server.catalogue.get('_system'));
    expect(left).toHaveLength(command === 'applier-stop' ? 1 : 0);
  });

  it('is among the last errors when it fails, and only then', async () => {
    await using leader = await openSlowLeader();
    leader.always('GET dump', { status: 500 });
    await using server = await openServer();
    const body = { endpoint: leader.endpoint };
    const answer = await server.request('PUT', `${API}/sync`, { body });
    expect([answer.status, answer.json['errorNum']]).toEqual([500, 1402]);
    await server.request('PUT', `${API}/sync`, { body: { endpoint: 'nowhere' } });
    const { json: shown } = await server.request('GET', `${API}/applier-state`);
    expect(shown['state']).toMatchObject({
      ...{ running: false, phase: 'stopped', lastError: { errorNum: 0 } },
      lastErrors: [
        { errorNum: 1402, errorMessage: `the sync failed: ${String(answer.json['errorMessage'])}` },
      ],
    });
  });
});
