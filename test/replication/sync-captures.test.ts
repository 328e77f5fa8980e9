import { describe, expect, it } from 'vitest';
import { CollectionType } from '../../src/model/collection.ts';
import { LeaderScript, readWireCapture, replay } from '../support/leader-script.ts';
import { SyncFollower, documentsOf } from '../support/sync-follower.ts';

const OLD = readWireCapture('arangodb-1.4.3/wire/follower-to-leader.raw');
const NEW = readWireCapture('arangodb-3.0.3/wire/follower-to-leader.raw');

// The captures are no part of the project; say so instead of passing without them.
if (!OLD || !NEW) console.warn('skipped: the captures of real servers are not at hand');

describe.skipIf(!OLD)('the answers of a real 1.4.3 leader', () => {
  it('make the follower equal to that leader', async () => {
    await using script = await LeaderScript.open();
    replay(script, OLD ?? Buffer.alloc(0));
    await using follower = await SyncFollower.open(script);
    const result = await follower.sync();
    expect(result).toEqual({
      collections: [
        { id: '13001126', name: 'people' },
        { id: '13787558', name: 'knows' },
        { id: '14639526', name: 'vol' },
        { id: '28074406', name: 'geoj' },
        { id: '42230182', name: 'gv' },
        { id: '43016614', name: 'ge' },
        { id: '60842406', name: 'emptycol' },
      ],
      lastLogTick: 61_563_302n,
      leaderId: '7594068428450',
      leaderWasStopped: false,
    });
    expect(script.surprises).toEqual([]);
    const { store } = follower.core;
    const people = follower.database.get('people');
    const documents = await documentsOf(store, people);
    expect(Object.keys(documents).sort()).toEqual([
      '21717414',
      'alice',
      'num',
      'str',
      't1',
      't3',
      'unlogged',
    ]);
    expect(documents['t1']).toEqual({ _key: 't1', _rev: '31154598', uid: 11, serial: 11, x: 1 });
    expect(documents['alice']).toMatchObject({
      city: 'Köln',
      nested: { a: [1, 2.5, -3, true, false, null, 'x"y\\z/\n'] },
    });
    expect(store.readLine(people.number, 'num')?.line).toContain('123456789.12345679104328156');
    expect(people.indexDefinitions.map(({ id }) => id)).toEqual([
      ...['17195430', '17523110', '18178470', '18506150', '18768294', '19095974', '19423654'],
      '19685798',
    ]);
    expect(people.parameters.waitForSync).toBe(true);
    const knows = follower.database.get('knows');
    expect(knows.type).toBe(CollectionType.edge);
    expect(await documentsOf(store, knows)).toEqual({
      e1: { _key: 'e1', _rev: '24732070', _from: 'people/alice', _to: 'people/num', since: 2012 },
      te: { _key: 'te', _rev: '31220134', _from: 'people/t1', _to: 'people/t2' },
    });
    const vol = follower.database.get('vol');
    expect(vol.stats.count).toBe(0);
    expect(vol.parameters).toMatchObject({
      isVolatile: true,
      keyOptions: { type: 'autoincrement', offset: 10, increment: 5 },
    });
    expect(await store.drawTick()).toBeGreaterThan(61_563_302n);
  });

  it('can be synced again and with a restriction', async () => {
    await using script = await LeaderScript.open();
    replay(script, OLD ?? Buffer.alloc(0));
    await using follower = await SyncFollower.open(script);
    await follower.sync();
    const again = await follower.sync({
      restrictType: 'include',
      restrictCollections: ['people', 'knows'],
    });
    expect(again.collections).toEqual([
      { id: '13001126', name: 'people' },
      { id: '13787558', name: 'knows' },
    ]);
    expect(follower.database.collections).toHaveLength(7);
  });

  it('are refused where it has no such database', async () => {
    await using script = await LeaderScript.open();
    replay(script, OLD ?? Buffer.alloc(0));
    await using follower = await SyncFollower.open({
      endpoint: script.endpoint,
      database: 'nosuchdb',
    });
    await expect(follower.sync()).rejects.toMatchObject({
      errorNum: 1402,
      message:
        `got invalid response from master at ${script.endpoint}: HTTP 404: Not Found: ` +
        'database not found (error 1228)',
    });
  });
});

describe.skipIf(!NEW)('the answers of a real 3.0.3 leader', () => {
  it('make the follower equal to that leader', async () => {
    await using script = await LeaderScript.open();
    // Its own follower asks up to one tick further.
    replay(script, NEW ?? Buffer.alloc(0), ['to', 'chunkSize']);
    await using follower = await SyncFollower.open(script);
    const result = await follower.sync();
    expect(script.surprises).toEqual([]);
    expect(result.leaderWasStopped).toBe(false);
    const names = result.collections.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['people', 'knows', 'vol', '_mysys', '_graphs']));
    expect(names).not.toContain('_users');
    const people = follower.database.get('people');
    expect(people.stats.count).toBeGreaterThan(3);
    const documents = await documentsOf(follower.core.store, people);
    expect(documents['alice']).toMatchObject({ _key: 'alice', name: 'Alice' });
    expect(documents['alice']).not.toHaveProperty('_id');
    const edges = Object.values(
      await documentsOf(follower.core.store, follower.database.get('knows')),
    );
    expect(edges[0]).toMatchObject({ _from: expect.stringContaining('people/') as unknown });
  });
});
