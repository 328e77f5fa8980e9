import { describe, expect, test, vi } from 'vitest';
import { startLogger } from '../../../src/documents/databases.ts';
import { CollectionType } from '../../../src/model/collection.ts';
import type { ErrorName } from '../../../src/model/errors.ts';
import { Space, numberRange } from '../../../src/storage/keys.ts';
import { type LogLine, logLines } from '../../support/log-lines.ts';
import { TestCore } from '../../support/store.ts';
import { expectNoLeftovers, erasurePending, verifyCore } from '../../support/verify-core.ts';

async function open(transactionMaxBytes?: number): Promise<TestCore> {
  const core = await TestCore.open(
    transactionMaxBytes === undefined ? {} : { transactionMaxBytes },
  );
  await startLogger(core.store, core.system);
  return core;
}

function refusal(kind: ErrorName): Error {
  return expect.objectContaining({ kind }) as Error;
}

async function insertMany(core: TestCore, name: string, count: number): Promise<void> {
  const collection = core.system.get(name);
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      core.documents.insert(core.system, collection, `{"_key":"k${i}","n":${i}}`),
    ),
  );
}

function journalBytes(core: TestCore, number: number): Promise<string> {
  const { start, end } = numberRange(Space.journal, number);
  return core.store.level
    .iterator({ gte: start, lt: end })
    .all()
    .then((blocks) => blocks.map(([, value]) => value.toString('hex')).join());
}

describe('creating a collection', () => {
  test('gives it an id of its own, shows it at once and logs it whole', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, {
      name: 'c',
      type: CollectionType.edge,
      waitForSync: true,
      journalSize: 2_000_000,
    });
    expect(core.system.byName('c')).toBe(c);
    expect(core.system.byCid(c.cid)).toBe(c);
    expect(core.system.find(c.cid)).toBe(c);
    const [, line] = await logLines(core.system.changelog);
    expect(line).toMatchObject({
      type: 2000,
      cid: c.cid,
      cname: 'c',
      collection: { name: 'c', type: 3, cid: c.cid, waitForSync: true, maximalSize: 2_000_000 },
    });
    expect(c.deletionsSince).toBe(c.record.createdTick);
  });

  test('P10: refuses names and sizes that are not allowed, and names that exist', async () => {
    await using core = await open();
    await core.collections.create(core.system, { name: 'c' });
    for (const [wanted, kind] of [
      [{ name: '1c' }, 'illegalName'],
      [{ name: '' }, 'illegalName'],
      [{ name: 'a/b' }, 'illegalName'],
      [{ name: 'c' }, 'duplicateName'],
      [{ name: 'd', journalSize: 1000 }, 'journalTooSmall'],
    ] as const) {
      const create = async (): Promise<unknown> => core.collections.create(core.system, wanted);
      await expect(create()).rejects.toThrow(refusal(kind));
    }
    expect(core.system.collections).toHaveLength(1);
  });

  test('of many at the same time with one name exactly one is made', async () => {
    await using core = await open();
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () => core.collections.create(core.system, { name: 'c' })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await verifyCore(core);
  });

  test('exactly as a leader describes it keeps its id, and refuses one that is taken', async () => {
    await using core = await open();
    const local = await core.collections.create(core.system, { name: 'local' });
    const cid = (BigInt(local.cid) + 1_000_000n).toString();
    const parameters = { ...local.parameters, name: 'c', cid };
    const c = await core.collections.createWith(core.system, parameters);
    expect(c.cid).toBe(cid);
    expect(await core.store.drawTick()).toBeGreaterThan(BigInt(cid));
    for (const taken of [
      { ...parameters, name: 'd' },
      { ...parameters, cid: '5' },
    ]) {
      await expect(core.collections.createWith(core.system, taken)).rejects.toThrow(
        refusal('duplicateName'),
      );
    }
    const huge = { ...parameters, name: 'e', cid: (1n << 63n).toString() };
    await expect(core.collections.createWith(core.system, huge)).rejects.toThrow(
      refusal('badParameter'),
    );
    await verifyCore(core);
  });

  test('P3: what belongs to the same batch is written with it, or neither is', async () => {
    await using core = await open();
    const local = await core.collections.create(core.system, { name: 'local' });
    const key = Buffer.from('mzzz');
    const also = vi.fn((tx: { put(key: Buffer, value: Buffer): void }) =>
      tx.put(key, Buffer.from('position')),
    );
    const context = { origin: 'remote', also } as const;
    await expect(
      core.collections.createWith(core.system, local.parameters, context),
    ).rejects.toThrow(refusal('duplicateName'));
    expect(core.store.level.getSync(key)).toBeUndefined();
    const parameters = { ...local.parameters, name: 'c', cid: '77' };
    await core.collections.createWith(core.system, parameters, context);
    expect(core.store.level.getSync(key)?.toString()).toBe('position');
    await expect(
      core.collections.createWith(
        core.system,
        { ...parameters, name: 'd', cid: '78' },
        {
          origin: 'remote',
          also: () => {
            throw new Error('no room');
          },
        },
      ),
    ).rejects.toThrow('no room');
    expect(core.system.byName('d')).toBeUndefined();
  });
});

describe('renaming a collection', () => {
  test('does not touch its documents, and answers show the new name', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    await insertMany(core, 'c', 30);
    const before = await journalBytes(core, c.number);
    await core.collections.rename(core.system, c, 'd');
    expect(await journalBytes(core, c.number)).toBe(before);
    expect([core.system.byName('c'), core.system.byName('d')]).toEqual([undefined, c]);
    expect(core.documents.read(c, 'k1').text).toMatch(/^\{"_id":"d\/k1"/);
    const last = (await logLines(core.system.changelog)).at(-1)!;
    expect(last).toMatchObject({ type: 2002, cid: c.cid, cname: 'c', collection: { name: 'd' } });
    await core.reopen();
    expect(core.system.get('d').cid).toBe(c.cid);
    expect(core.system.get('d').stats.count).toBe(30);
    await verifyCore(core);
  });

  test('to a name that exists or is none is refused, and changes nothing', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    await core.collections.create(core.system, { name: 'd' });
    for (const [name, kind] of [
      ['d', 'duplicateName'],
      ['_d', 'illegalName'],
      ['', 'illegalName'],
    ] as const) {
      await expect(core.collections.rename(core.system, c, name)).rejects.toThrow(refusal(kind));
    }
    expect(c.name).toBe('c');
    await verifyCore(core);
  });

  test('two at the same time to one name: exactly one wins', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    const d = await core.collections.create(core.system, { name: 'd' });
    const results = await Promise.allSettled([
      core.collections.rename(core.system, c, 'e'),
      core.collections.rename(core.system, d, 'e'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await verifyCore(core);
  });
});

describe('changing properties', () => {
  test('is logged with all parameters, and stays over a restart', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    await core.collections.changeProperties(core.system, c, { waitForSync: true });
    await core.collections.changeProperties(core.system, c, {});
    expect(c.parameters).toMatchObject({ waitForSync: true, name: 'c', cid: c.cid });
    const lines = (await logLines(core.system.changelog)).filter(({ type }) => type === 2003);
    expect(lines).toHaveLength(2);
    await core.reopen();
    expect(core.system.get('c').parameters.waitForSync).toBe(true);
  });
});

describe('dropping a collection', () => {
  test('takes it out of sight at once and erases all it held', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    await core.collections.createIndex(core.system, c, { type: 'hash', fields: ['n'] });
    await insertMany(core, 'c', 3000);
    await core.collections.drop(core.system, c);
    expect(core.system.find('c')).toBeUndefined();
    expect(core.system.find(c.cid)).toBeUndefined();
    expect(c.dropped).toBe(true);
    await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 5000);
    await expectNoLeftovers(core);
    const last = (await logLines(core.system.changelog)).at(-1)!;
    expect(last).toMatchObject({ type: 2001, cid: c.cid, cname: 'c' });
    await expect(core.collections.drop(core.system, c)).rejects.toThrow(
      refusal('collectionNotFound'),
    );
  });

  test('a new one of the same name begins empty, whatever is still being erased', async () => {
    await using core = await open();
    for (let round = 0; round < 4; round++) {
      const c = await core.collections.create(core.system, { name: 'c' });
      expect(c.stats).toMatchObject({ count: 0, entries: 0 });
      await insertMany(core, 'c', 500);
      expect(c.stats.count).toBe(500);
      await core.collections.drop(core.system, c);
    }
    await core.reopen();
    await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 5000);
    await expectNoLeftovers(core);
    await verifyCore(core);
  });
});

describe('truncating a collection', () => {
  function groups(lines: readonly LogLine[]): LogLine[][] {
    const found = new Map<string, LogLine[]>();
    for (const line of lines) {
      if (line.tid !== undefined) found.set(line.tid, [...(found.get(line.tid) ?? []), line]);
    }
    return [...found.values()];
  }

  test('logs the removal of each document, as one transaction', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    await core.collections.createIndex(core.system, c, {
      type: 'hash',
      fields: ['n'],
      unique: true,
    });
    await insertMany(core, 'c', 500);
    await core.collections.truncate(core.system, c);
    expect(c.stats).toMatchObject({ count: 0, entries: 1000, dead: 1000 });
    const [group, ...more] = groups(await logLines(core.system.changelog));
    expect(more).toEqual([]);
    expect(group!.map(({ type }) => type)).toEqual([
      2200,
      ...Array.from({ length: 500 }, () => 2302),
      2201,
    ]);
    const counts = [{ cid: c.cid, name: 'c', operations: 500 }];
    expect(group![0]!['collections']).toEqual(counts);
    expect(group!.at(-1)!['collections']).toEqual(counts);
    // The values of the index are free again.
    await insertMany(core, 'c', 10);
    await verifyCore(core);
  });

  test('rule 6: above the limit of a transaction it is several whole ones', async () => {
    await using core = await open(20_000);
    const c = await core.collections.create(core.system, { name: 'c' });
    await core.documents.insert(core.system, c, '{}');
    await insertMany(core, 'c', 25_000);
    await core.collections.truncate(core.system, c);
    expect(c.stats.count).toBe(0);
    const all = groups(await logLines(core.system.changelog));
    expect(all.length).toBeGreaterThan(1);
    const removals = all.map((group) => {
      expect([group[0]!.type, group.at(-1)!.type]).toEqual([2200, 2201]);
      return group.length - 2;
    });
    expect(removals.reduce((sum, each) => sum + each, 0)).toBe(25_001);
    await verifyCore(core);
  });

  test('of an empty one leaves no trace', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    await core.collections.truncate(core.system, c);
    expect(await logLines(core.system.changelog)).toHaveLength(2);
    expect(c.stats).toMatchObject({ entries: 0, newBlocks: 0 });
  });

  test('while writers write, removes what was there and keeps figures exact', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    await insertMany(core, 'c', 2000);
    const truncating = core.collections.truncate(core.system, c);
    const writing = Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        core.documents.insert(core.system, c, `{"_key":"new${i}"}`),
      ),
    );
    await Promise.all([truncating, writing]);
    for (let i = 0; i < 2000; i++) {
      expect(core.store.pointer(c.number, `k${i}`)).toBeUndefined();
    }
    await verifyCore(core);
  });

  test('of one dropped meanwhile is refused', async () => {
    await using core = await open();
    const c = await core.collections.create(core.system, { name: 'c' });
    await insertMany(core, 'c', 10);
    await core.collections.drop(core.system, c);
    await insertMany(core, (await core.collections.create(core.system, { name: 'c' })).name, 5);
    await expect(core.collections.truncate(core.system, c)).rejects.toThrow(
      refusal('collectionNotFound'),
    );
    expect(core.system.get('c').stats.count).toBe(5);
  });
});

describe('databases', () => {
  test('are created once, found by name, and stay over a restart with settings of their own', async () => {
    await using core = await open();
    const results = await Promise.allSettled([
      core.databases.create('other'),
      core.databases.create('other'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await core.collections.create(core.catalogue.get('other'), { name: 'c' });
    await core.reopen();
    expect(core.catalogue.databases.map(({ name }) => name)).toEqual(['_system', 'other']);
    expect(core.catalogue.get('other').get('c').databaseNumber).not.toBe(core.system.number);
    expect(core.system.byName('c')).toBeUndefined();
    for (const name of ['_system', '_x', '', '1', 'a b']) {
      await expect(core.databases.create(name), name).rejects.toThrow(
        refusal('databaseNameInvalid'),
      );
    }
  });

  test('dropping one removes all it held, and tells those who still hold it', async () => {
    await using core = await open();
    const other = await core.databases.create('other');
    await startLogger(core.store, other);
    const c = await core.collections.create(other, { name: 'c' });
    for (let i = 0; i < 50; i++) await core.documents.insert(other, c, '{"u":1}');
    await core.collections.createIndex(other, c, { type: 'hash', fields: ['u'] });
    await core.databases.drop('other');
    expect(core.catalogue.find('other')).toBeUndefined();
    const late = [
      () => core.documents.insert(other, c, '{}'),
      () => core.collections.create(other, { name: 'd' }),
      () => startLogger(core.store, other),
    ];
    for (const attempt of late) await expect(attempt()).rejects.toMatchObject({ httpStatus: 404 });
    await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 5000);
    await expectNoLeftovers(core);
    await core.reopen();
    expect(core.catalogue.databases).toHaveLength(1);
    const again = await core.databases.create('other');
    expect(again.collections).toEqual([]);
    expect(again.changelog.state.events).toBe(0);
  });

  test('`_system` cannot be dropped, nor one that does not exist', async () => {
    await using core = await open();
    await expect(core.databases.drop('_system')).rejects.toThrow(refusal('forbidden'));
    await expect(core.databases.drop('nothing')).rejects.toThrow(refusal('databaseNotFound'));
  });
});
