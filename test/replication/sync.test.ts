import { describe, expect, it } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import type { SyncPosition } from '../../src/follower/initial-syncer.ts';
import { CollectionType } from '../../src/model/collection.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { SyncFollower, contentOf, keysOf } from '../support/sync-follower.ts';
import { openSyncPair } from '../support/sync-pair.ts';

async function fill(leader: LeaderServer, name: string, count: number): Promise<Collection> {
  const collection = await leader.collections.create(leader.database, { name });
  await insert(leader, collection, 0, count);
  return collection;
}

async function insert(
  { documents, database }: LeaderServer,
  collection: Collection,
  from: number,
  to: number,
): Promise<void> {
  const writes = [];
  for (let i = from; i < to; i++) {
    const text = JSON.stringify({ _key: `k${i}`, n: i, text: 'ä"\\\n'.repeat(i % 7) });
    writes.push(documents.insert(database, collection, text));
  }
  await Promise.all(writes);
}

/** A bit of everything. */
async function fillWithVariety(leader: LeaderServer): Promise<void> {
  const { collections, documents, database } = leader;
  const orders = await fill(leader, 'orders', 300);
  for (let i = 0; i < 300; i += 3) await documents.remove(database, orders, `k${i}`);
  for (let i = 1; i < 300; i += 3) {
    await documents.replace(
      database,
      orders,
      `k${i}`,
      `{"n":${1000 + i},"big":12345678901234567890}`,
    );
  }
  await collections.createIndex(database, orders, { type: 'hash', fields: ['n'], unique: true });
  await collections.createIndex(database, orders, {
    type: 'fulltext',
    fields: ['text'],
    minLength: 3,
  });
  await collections.create(database, { name: 'empty', waitForSync: true, journalSize: 2_000_000 });
  const numbered = await collections.create(database, {
    name: 'numbered',
    keyOptions: { type: 'autoincrement', allowUserKeys: true, offset: 10, increment: 5 },
  });
  for (let i = 0; i < 20; i++) await documents.insert(database, numbered, `{"i":${i}}`);
  await collections.create(database, { name: '_mine' });
  const links = await collections.create(database, { name: 'links', type: CollectionType.edge });
  for (let i = 0; i < 50; i++) {
    const ends = { from: `orders/k${i}`, to: 'numbered/10' };
    await documents.insert(database, links, `{"_key":"e${i}","w":${i}.50}`, { ends });
  }
}

describe('a sync', () => {
  it('makes the follower equal to the leader: ids, properties, indexes, keys, revisions, data', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fillWithVariety(leader);
    const result = await follower.sync({ chunkSizeBytes: 4000 });
    const expected = await contentOf(leader.store, leader.database);
    expect(await contentOf(follower.core.store, follower.database)).toEqual(expected);
    expect(Object.keys(expected).sort()).toEqual(['_mine', 'empty', 'links', 'numbered', 'orders']);
    expect(result.collections.map(({ id }) => BigInt(id))).toEqual(
      Object.values(expected)
        .map(({ cid }) => BigInt(cid))
        .sort((a, b) => (a < b ? -1 : 1)),
    );
    expect(result).toMatchObject({
      lastLogTick: leader.database.changelog.state.lastTick,
      leaderId: leader.store.server.serverId,
      incarnation: leader.store.incarnation.id,
      leaderWasStopped: false,
    });
  });

  it('leaves a follower that still is equal after a restart, with nothing left of the sync', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fillWithVariety(leader);
    await follower.sync();
    await follower.restart();
    expect(await contentOf(follower.core.store, follower.database)).toEqual(
      await contentOf(leader.store, leader.database),
    );
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
    expect(await follower.progressRecords()).toBe(0);
  });

  it('keeps what is unique unique, and goes on numbering where the leader was', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fillWithVariety(leader);
    await follower.sync();
    const { documents } = follower.core;
    const orders = follower.database.get('orders');
    await expect(documents.insert(follower.database, orders, '{"n":1001}')).rejects.toMatchObject({
      errorNum: 1210,
    });
    const next = await documents.insert(follower.database, follower.database.get('numbered'), '{}');
    expect(next.key).toBe('110');
  });

  it('pushes the own counter above everything that came from the leader', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, 'orders', 10);
    for (let i = 0; i < 3; i++) await leader.store.drawTick();
    await leader.store.commit((tx) => tx.observeTick(1n << 60n));
    await insert(leader, leader.database.get('orders'), 10, 20);
    await follower.sync();
    expect(await follower.core.store.drawTick()).toBeGreaterThan(leader.store.lastCommitted);
  });

  it('ends at one tick: what changes meanwhile is not in the copy, and in the log behind it', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    const a = await fill(leader, 'aa', 50);
    const b = await fill(leader, 'bb', 50);
    const before = await contentOf(leader.store, leader.database);
    follower.client.onDump = async (_request, n) => {
      const writes = [
        insert(leader, a, n * 100, n * 100 + 10),
        insert(leader, b, n * 100, n * 100 + 10),
      ];
      await Promise.all(writes);
      await leader.documents.remove(leader.database, b, `k${n}`);
    };
    const result = await follower.sync({ chunkSizeBytes: 1000 });
    const copied = await contentOf(follower.core.store, follower.database);
    expect(copied).toEqual(before);
    const page = await follower.client.follow(
      { from: result.lastLogTick, chunkSizeBytes: 10_000_000, waitSeconds: 0 },
      new AbortController().signal,
    );
    expect(page.fromPresent).toBe(true);
    const first = /"tick":"([0-9]+)"/.exec(page.body.toString())?.[1] ?? '0';
    expect(BigInt(first)).toBeGreaterThan(result.lastLogTick);
    expect(page.body.toString().split('\n').length - 1).toBe(21 * follower.client.dumps.length);
  });

  it('puts the position into the batch of the switch', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, 'orders', 20);
    const seen: { position: SyncPosition; visible: number }[] = [];
    const result = await follower.sync({
      onSwitch: (_tx, position) => {
        seen.push({ position, visible: follower.database.collections.length });
      },
    });
    expect(seen).toEqual([
      {
        position: {
          leaderId: leader.store.server.serverId,
          incarnation: leader.store.incarnation.id,
          tick: result.lastLogTick,
        },
        visible: 0,
      },
    ]);
    expect(follower.database.collections).toHaveLength(1);
  });

  it('switches nothing when the position cannot be written', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, 'orders', 20);
    const onSwitch = (): never => {
      throw new Error('no position');
    };
    await expect(follower.sync({ onSwitch })).rejects.toThrow('no position');
    expect(follower.database.collections).toEqual([]);
    await follower.sync();
    expect(follower.database.byName('orders')?.stats.count).toBe(20);
  });

  it('replaces what has the id or the name of a collection of the leader, and keeps all else', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    const orders = await fill(leader, 'orders', 5);
    const links = await fill(leader, 'links', 5);
    await follower.sync();
    const { collections, documents } = follower.core;
    await collections.rename(follower.database, follower.database.get('orders'), 'renamed');
    const impostor = await collections.create(follower.database, { name: 'orders' });
    await documents.insert(follower.database, impostor, '{"_key":"local"}');
    const own = await collections.create(follower.database, { name: 'own' });
    await documents.insert(follower.database, own, '{"_key":"local"}');
    await follower.sync();
    expect(follower.database.collections.map(({ name }) => name).sort()).toEqual([
      'links',
      'orders',
      'own',
    ]);
    expect(follower.database.get('orders').cid).toBe(orders.cid);
    expect(follower.database.get('links').cid).toBe(links.cid);
    expect(await keysOf(follower.core, 'orders')).toEqual(['k0', 'k1', 'k2', 'k3', 'k4']);
    expect(await keysOf(follower.core, 'own')).toEqual(['local']);
  });

  it('copies what the restriction lets through, and touches nothing else', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    for (const name of ['aa', 'bb', '_cc']) await fill(leader, name, 3);
    const aa = await follower.core.collections.create(follower.database, { name: 'aa' });
    const only = await follower.sync({
      restrictType: 'include',
      restrictCollections: ['bb', 'zz'],
    });
    expect(only.collections.map(({ name }) => name)).toEqual(['bb']);
    expect(follower.database.byName('aa')).toBe(aa);
    const but = await follower.sync({ restrictType: 'exclude', restrictCollections: ['aa'] });
    expect(but.collections.map(({ name }) => name).sort()).toEqual(['_cc', 'bb']);
    expect(follower.database.byName('aa')).toBe(aa);
    const users = await follower.sync({ includeSystem: false });
    expect(users.collections.map(({ name }) => name).sort()).toEqual(['aa', 'bb']);
  });

  it('does not copy a leader on which nothing but excluded collections is', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, '_users', 3);
    expect((await follower.sync()).collections).toEqual([]);
    expect(follower.database.byName('_users')).toBeUndefined();
  });

  it('is refused with 1411 while another one of the same database runs', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, 'orders', 20);
    const first = follower.sync();
    expect(follower.syncer.isRunning(follower.database)).toBe(true);
    await expect(follower.sync()).rejects.toMatchObject({ errorNum: 1411 });
    await first;
    expect(follower.syncer.isRunning(follower.database)).toBe(false);
    await follower.sync();
  });

  it('says that the logger of the leader is stopped, and copies up to the inventory', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    const orders = await fill(leader, 'orders', 10);
    await leader.put('logger-stop');
    await insert(leader, orders, 10, 20);
    const expected = leader.store.lastCommitted;
    const result = await follower.sync();
    expect(result).toMatchObject({ leaderWasStopped: true, lastLogTick: expected });
    expect(follower.messages.join('\n')).toContain('the logger of the leader is stopped');
    expect(follower.database.get('orders').stats.count).toBe(20);
  });

  it('copies a leader whose logger was never started', async () => {
    await using leader = await openLeaderServer();
    await using follower = await SyncFollower.open({ endpoint: `tcp://127.0.0.1:${leader.port}` });
    await fill(leader, 'orders', 10);
    const result = await follower.sync();
    expect(result.leaderWasStopped).toBe(true);
    expect(result.lastLogTick).toBeGreaterThan(0n);
    expect(follower.database.get('orders').stats.count).toBe(10);
  });

  it('leaves out what the leader drops meanwhile', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, 'aa', 30);
    const bb = await fill(leader, 'bb', 30);
    await leader.collections.createIndex(leader.database, bb, {
      type: 'hash',
      fields: ['n'],
      unique: true,
    });
    const cc = await fill(leader, 'cc', 30);
    follower.client.onDump = async ({ collection, from }) => {
      if (collection === bb.cid && from > 0n) await leader.collections.drop(leader.database, bb);
      if (collection === cc.cid) await leader.collections.drop(leader.database, cc);
    };
    const result = await follower.sync({ chunkSizeBytes: 500 });
    expect(result.collections.map(({ name }) => name).sort()).toEqual(['aa']);
    expect(follower.database.get('aa').stats.count).toBe(30);
    expect(follower.database.collections.map(({ name }) => name)).toEqual(['aa']);
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
  });

  it('leaves out what a leader that logs nothing drops meanwhile', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, 'aa', 5);
    const bb = await fill(leader, 'bb', 30);
    await leader.put('logger-stop');
    follower.client.onDump = async ({ collection, from }) => {
      if (collection === bb.cid && from > 0n) await leader.collections.drop(leader.database, bb);
    };
    const result = await follower.sync({ chunkSizeBytes: 500 });
    expect(result.collections.map(({ name }) => name)).toEqual(['aa']);
    expect(follower.database.byName('bb')).toBeUndefined();
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
    expect(await follower.progressRecords()).toBe(0);
  });

  it('has one page fetched while one is written, and the last slices of one more stored', async () => {
    await using pair = await openSyncPair({ sliceBytes: 200 });
    const { leader, follower } = pair;
    await fill(leader, 'orders', 400);
    let written = 0;
    let most = 0;
    follower.client.onDump = (_request, n) => {
      most = Math.max(most, n - written);
    };
    await follower.sync({
      chunkSizeBytes: 1000,
      onProgress: (message) => {
        if (message.startsWith('copied a page')) written++;
      },
    });
    expect(written).toBeGreaterThan(20);
    expect(most).toBeGreaterThanOrEqual(2);
    expect(most).toBeLessThanOrEqual(3);
  });

  it('opens a dump batch and deletes it in the end, also when it fails', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, 'orders', 20);
    follower.client.onDump = () => {
      expect(leader.leader.batches.horizon).toBeDefined();
    };
    await follower.sync();
    expect(leader.leader.batches.horizon).toBeUndefined();
    follower.client.onDump = () => {
      throw new Error('broken');
    };
    await expect(follower.sync()).rejects.toThrow('broken');
    expect(leader.leader.batches.horizon).toBeUndefined();
  });

  it('tells of its steps with figures that rise', async () => {
    await using pair = await openSyncPair();
    const { leader, follower } = pair;
    await fill(leader, 'orders', 100);
    await leader.documents.remove(leader.database, leader.database.get('orders'), 'k1');
    const figures: number[] = [];
    let last: unknown;
    await follower.sync({
      chunkSizeBytes: 1000,
      onProgress: (_message, now) => {
        figures.push(now.documents);
        last = now;
      },
    });
    expect(figures).toEqual([...figures].sort((a, b) => a - b));
    expect(last).toMatchObject({ collections: 1, collectionsDone: 1, documents: 100, removals: 1 });
  });
});
