import { describe, expect, test } from 'vitest';
import { startLogger } from '../../../src/documents/databases.ts';
import { Restriction } from '../../../src/follower/restriction.ts';
import { START, PageFollower, created, ddl, errorNum, put, uniqueIndex } from './page-follower.ts';

describe('events about collections and indexes', () => {
  test('are applied between documents in their order, each with the position', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([
      put(1001, 'a', 1),
      created(1002, '900', 'new'),
      put(1003, 'b', 1, { cid: '900', cname: 'new' }),
      ddl(1004, 2002, { collection: { name: 'renamed' }, cname: 'new' }, '900'),
      put(1005, 'c', 1, { cid: '900', cname: 'renamed' }),
      ddl(1006, 2001, {}),
    ]);
    expect(await follower.content('renamed')).toEqual({ b: 1, c: 1 });
    expect(follower.core.system.byName('c')).toBeUndefined();
    await follower.restart();
    expect(follower.applier.checkpoint.processedTick).toBe(1006n);
    expect(follower.core.system.get('renamed').cid).toBe('900');
  });

  test('may all come again without any effect', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([uniqueIndex(1001), ddl(1002, 2002, { collection: { name: 'd' } })]);
    await follower.apply([
      created(1003, '77', 'c'),
      created(1004, '4444', 'd'),
      uniqueIndex(1005),
      ddl(1006, 2002, { collection: { name: 'd' } }),
      ddl(1007, 2001, { cname: 'unknown' }, '5'),
      ddl(1008, 2101, { id: '123456' }),
    ]);
    expect(follower.core.system.get('d').cid).toBe('77');
    expect(follower.core.system.get('d').indexDefinitions).toHaveLength(1);
    expect(follower.applier.checkpoint.processedTick).toBe(1008n);
    expect(follower.applier.figures.events).toBe(8);
  });

  test('change properties, and keep what the event does not say', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([
      ddl(1001, 2003, {
        collection: { waitForSync: true, doCompact: false, maximalSize: 2_000_000 },
      }),
      ddl(1002, 2003, { collection: { waitForSync: false, maximalSize: 17 } }),
    ]);
    expect(follower.c.parameters).toMatchObject({
      waitForSync: false,
      doCompact: false,
      maximalSize: 2_000_000,
    });
  });

  test('make and drop indexes with the ids of the leader', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([uniqueIndex(1001, '991'), uniqueIndex(1002, '991')]);
    expect(follower.c.indexDefinitions).toMatchObject([{ id: '991', type: 'hash', unique: true }]);
    await follower.apply([ddl(1003, 2101, { id: '991' })]);
    expect(follower.c.indexDefinitions).toEqual([]);
  });

  test('of 3.x carry what they say in data', async () => {
    await using follower = await PageFollower.open();
    const line = (tick: number, type: number, data: unknown): string =>
      JSON.stringify({ tick: String(tick), type, database: '1', cid: '900', cname: 'x', data });
    await follower.apply([
      line(1001, 2000, { cid: '900', id: '900', name: 'x', type: 2, waitForSync: true }),
      line(1002, 2100, { id: '901', type: 'skiplist', fields: ['q'], unique: false, sparse: true }),
      put(1003, 'a', 1, { cid: '900', cname: 'x' }),
      line(1004, 2004, {}),
    ]);
    const { system } = follower.core;
    expect(system.get('x').indexDefinitions).toMatchObject([{ id: '901', sparse: true }]);
    expect(await follower.content('x')).toEqual({});
    await follower.apply([line(1005, 2001, { id: '900', name: 'x' })]);
    expect(system.byName('x')).toBeUndefined();
  });

  test.each([
    [
      'a rename of an unknown collection',
      ddl(1001, 2002, { collection: { name: 'n' } }, '5'),
      1203,
    ],
    ['a rename to a name that is taken', ddl(1001, 2002, { collection: { name: 'e' } }), 1207],
    ['a rename without a name', ddl(1001, 2002, { collection: {} }), 1406],
    ['a creation of another type', created(1001, '900', 'c', 3), 1207],
    ['a creation with an illegal name', created(1001, '900', 'a b'), 1208],
    ['an index of an unknown collection', ddl(1001, 2100, { index: {} }, '5'), 1203],
    ['an index that is not described', ddl(1001, 2100, {}), 1406],
  ])('%s stops the applier', async (_what, line, num) => {
    await using follower = await PageFollower.open();
    const stopped = follower.apply([
      line.replace('"cid":"5","cname":"c"', '"cid":"5","cname":"?"'),
    ]);
    await expect(stopped).rejects.toThrow(errorNum(num));
    await expect(stopped).rejects.toThrow(/, offending marker: \{"tick":"1001"/);
    expect(follower.applier.checkpoint.processedTick).toBe(START);
  });

  test('an index that local documents do not satisfy stops the applier and is not left behind', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([put(1001, 'a', 1), put(1002, 'b', 1)]);
    await expect(follower.apply([uniqueIndex(1003)])).rejects.toThrow(errorNum(1210));
    expect(follower.c.indexDefinitions).toEqual([]);
    expect(follower.applier.checkpoint.processedTick).toBe(1002n);
  });

  test('give an equal index that was made here the id of the leader, without building it again', async () => {
    await using follower = await PageFollower.open();
    const { core } = follower;
    const local = { type: 'hash', unique: true, fields: ['v'] };
    await core.collections.createIndex(core.system, follower.c, local);
    const number = follower.c.record.indexes[0]?.number;
    await follower.apply([put(1001, 'a', 1), uniqueIndex(1002, '991')]);
    expect(follower.c.record.indexes).toMatchObject([{ number, definition: { id: '991' } }]);
    await follower.restart();
    expect(follower.applier.checkpoint.processedTick).toBe(1002n);
    expect(follower.c.indexDefinitions).toMatchObject([{ id: '991' }]);
    // It is still kept: the later of two documents wins.
    await follower.apply([put(1003, 'b', 1)]);
    expect(await follower.content()).toEqual({ b: 1 });
    await follower.apply([ddl(1004, 2101, { id: '991' })]);
    expect(follower.c.indexDefinitions).toEqual([]);
  });

  test('of a leader that is not ticklog take over what has the name, and note whose copy it is', async () => {
    await using follower = await PageFollower.open();
    const { system, collections } = follower.core;
    const own = await collections.create(system, { name: 'own' });
    expect(own.followed).toBeUndefined();
    await follower.apply([created(1001, '900', 'own')]);
    const followed = { leaderId: '1', database: '_system', tick: 1001n };
    await follower.restart();
    expect(system.get('own').cid).toBe(own.cid);
    expect(follower.core.system.get('own').followed).toEqual(followed);
    // A second time nothing is noted anew.
    await follower.apply([created(1002, '900', 'own')]);
    expect(follower.core.system.get('own').followed).toEqual(followed);
    await follower.core.collections.rename(
      follower.core.system,
      follower.core.system.get('own'),
      'renamed',
    );
    expect(follower.core.system.get('renamed').followed).toBeUndefined();
  });

  test('drop another index that has the id of the new one, whether or not an equal one is here', async () => {
    await using follower = await PageFollower.open();
    const { core } = follower;
    const local = (id: string, field: string): Promise<unknown> =>
      core.collections.createIndex(core.system, follower.c, {
        ...{ id, type: 'hash', unique: true, fields: [field] },
      });
    await local('990', 'x');
    await local('991', 'y');
    await follower.apply([put(1001, 'a', 1), uniqueIndex(1002, '991')]);
    const fields = (): unknown[] =>
      follower.c.indexDefinitions.map((each) => [each.id, each.fields]);
    expect(fields()).toEqual([
      ['990', ['x']],
      ['991', ['v']],
    ]);
    await follower.apply([uniqueIndex(1003, '990')]);
    expect(fields()).toEqual([['990', ['v']]]);
    await follower.apply([put(1004, 'b', 1)]);
    expect(await follower.content()).toEqual({ b: 1 });
  });

  test('tell those who follow this server of a changed id as of a drop and a creation', async () => {
    await using follower = await PageFollower.open(
      {},
      { loggerConfig: { logRemoteChanges: true } },
    );
    const { core } = follower;
    await startLogger(core.store, core.system);
    await core.collections.createIndex(core.system, follower.c, {
      ...{ type: 'hash', unique: true, fields: ['v'] },
    });
    await follower.apply([uniqueIndex(1002, '991')]);
    expect(await follower.logged()).toEqual([1001, 2100, 2101, 2100]);
  });
});

describe('a collection renamed', () => {
  const follow = (type: 'include' | 'exclude', names: string[]): Promise<PageFollower> =>
    PageFollower.open({ restriction: new Restriction(type, names, true) });
  const renamed = (tick: number, cname: string, name: string, cid: string): string =>
    ddl(tick, 2002, { cname, collection: { name } }, cid);

  test.each([
    ['include', ['c', 'e', 'wanted']],
    ['exclude', ['other']],
  ] as const)('into what is followed (%s) is a place that is lost', async (type, names) => {
    await using follower = await follow(type, [...names]);
    const stopped = follower.apply([
      put(1001, 'x', 1, { cid: '99', cname: 'other' }),
      renamed(1002, 'other', 'wanted', '99'),
    ]);
    await expect(stopped).rejects.toThrow(errorNum(1414));
    await expect(stopped).rejects.toThrow(/'other' is now 'wanted'.*sync anew/);
    expect(follower.applier.checkpoint.processedTick).toBe(1001n);
  });

  test('out of what is followed stays as it is, and is lost when it comes back', async () => {
    await using follower = await follow('include', ['c', 'e']);
    await follower.apply([
      put(1001, 'a', 1),
      renamed(1002, 'c', 'out', '77'),
      put(1003, 'b', 1, { cname: 'out' }),
      renamed(1004, 'out', 'farther', '77'),
    ]);
    expect(await follower.content('out')).toEqual({ a: 1 });
    await expect(follower.apply([renamed(1005, 'farther', 'c', '77')])).rejects.toThrow(
      errorNum(1414),
    );
  });

  test('within what is followed, or outside of it, is none of that', async () => {
    await using follower = await follow('include', ['c', 'e', 'd']);
    await follower.apply([
      renamed(1001, 'c', 'd', '77'),
      renamed(1002, 'other', 'another', '99'),
      // Those that a leader of 1.4 sends again after a sync.
      renamed(1003, 'other', 'd', '77'),
    ]);
    expect(follower.core.system.get('d').cid).toBe('77');
    expect(follower.applier.checkpoint.processedTick).toBe(1003n);
  });
});
