import { describe, expect, test, vi } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { newIndexDefinition } from '../../../src/documents/index-definition.ts';
import type { ErrorName } from '../../../src/model/errors.ts';
import { Space } from '../../../src/storage/keys.ts';
import { logLines } from '../../support/log-lines.ts';
import { TestCore } from '../../support/store.ts';
import { verifyCore } from '../../support/verify-core.ts';

interface Opened extends AsyncDisposable {
  readonly core: TestCore;
  readonly c: Collection;
}

async function open(): Promise<Opened> {
  const core = await TestCore.open();
  await startLogger(core.store, core.system);
  const c = await core.collections.create(core.system, { name: 'c' });
  return { core, c, [Symbol.asyncDispose]: () => core[Symbol.asyncDispose]() };
}

const UNIQUE = { type: 'hash', fields: ['u'], unique: true };

function insert({ core, c }: Opened, body: string): Promise<unknown> {
  return core.documents.insert(core.system, c, body);
}

function entryCount(core: TestCore): Promise<number> {
  const range = { gte: Buffer.from([Space.secondary]), lt: Buffer.from([Space.secondary + 1]) };
  return core.store.level
    .keys(range)
    .all()
    .then((keys) => keys.length);
}

function refusal(kind: ErrorName): Error {
  return expect.objectContaining({ kind }) as Error;
}

describe('a unique index', () => {
  test('refuses a second document with the same value, and names the first', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const { definition } = await core.collections.createIndex(core.system, c, UNIQUE);
    await insert(opened, '{"_key":"a","u":1}');
    await expect(insert(opened, '{"_key":"b","u":1.0}')).rejects.toMatchObject({
      kind: 'uniqueConstraintViolated',
      message: expect.stringMatching(new RegExp(`${definition.id}.*'a'`)) as string,
    });
    expect(c.stats.count).toBe(1);
    await insert(opened, '{"_key":"b","u":2}');
    await verifyCore(core);
  });

  test('of many concurrent writes of one value exactly one wins, in one group too', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.collections.createIndex(core.system, c, UNIQUE);
    const results = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) => insert(opened, `{"_key":"k${i}","u":"same"}`)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await verifyCore(core);
  });

  test('a value is free again once its document lets it go, also within one group', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.collections.createIndex(core.system, c, UNIQUE);
    await insert(opened, '{"_key":"a","u":1}');
    await Promise.all([
      core.documents.replace(core.system, c, 'a', '{"u":2}'),
      insert(opened, '{"_key":"b","u":1}'),
      core.documents.remove(core.system, c, 'a'),
      insert(opened, '{"_key":"c","u":2}'),
    ]);
    await expect(insert(opened, '{"u":1}')).rejects.toThrow(refusal('uniqueConstraintViolated'));
    await expect(insert(opened, '{"u":2}')).rejects.toThrow(refusal('uniqueConstraintViolated'));
    await verifyCore(core);
  });

  test('a document does not stand in its own way', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.collections.createIndex(core.system, c, UNIQUE);
    await insert(opened, '{"_key":"a","u":1}');
    await core.documents.replace(core.system, c, 'a', '{"u":1,"x":1}');
    await verifyCore(core);
  });

  test('a refused write leaves none of its entries, in no index', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.collections.createIndex(core.system, c, { type: 'skiplist', fields: ['n'] });
    await core.collections.createIndex(core.system, c, UNIQUE);
    await insert(opened, '{"_key":"a","u":1,"n":1}');
    await insert(opened, '{"_key":"b","u":2,"n":2}');
    const entries = await entryCount(core);
    await expect(core.documents.replace(core.system, c, 'b', '{"u":1,"n":3}')).rejects.toThrow(
      refusal('uniqueConstraintViolated'),
    );
    await expect(insert(opened, '{"u":2,"n":9}')).rejects.toThrow(
      refusal('uniqueConstraintViolated'),
    );
    expect(await entryCount(core)).toBe(entries);
    await verifyCore(core);
  });

  test('is enforced over a restart', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.collections.createIndex(core.system, c, UNIQUE);
    await insert(opened, '{"u":1}');
    await core.reopen();
    await expect(
      core.documents.insert(core.system, core.system.get('c'), '{"u":1}'),
    ).rejects.toThrow(refusal('uniqueConstraintViolated'));
  });
});

describe('sparse', () => {
  test('leaves out documents that lack a value, or have null there', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const fields = ['a', 'b.c'];
    await core.collections.createIndex(core.system, c, { ...UNIQUE, fields, sparse: true });
    for (const body of ['{}', '{}', '{"a":1}', '{"a":1,"b":{"c":null}}', '{"a":1,"b":[1]}']) {
      await insert(opened, body);
    }
    expect(await entryCount(core)).toBe(0);
    await insert(opened, '{"a":1,"b":{"c":false}}');
    await expect(insert(opened, '{"a":1,"b":{"c":false}}')).rejects.toThrow(
      refusal('uniqueConstraintViolated'),
    );
  });

  test('otherwise a missing value counts as null, which only one document may have', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.collections.createIndex(core.system, c, { ...UNIQUE, sparse: false });
    await insert(opened, '{"x":1}');
    await expect(insert(opened, '{"u":null}')).rejects.toThrow(refusal('uniqueConstraintViolated'));
    await insert(opened, '{"u":false}');
  });
});

describe('creating an index', () => {
  test('takes in what is there, is shown and logged once, and an equal one is found', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 300; i++) void insert(opened, `{"u":${i},"n":${i % 7}}`);
    const first = await core.collections.createIndex(core.system, c, UNIQUE);
    expect(first.isNew).toBe(true);
    expect(await core.collections.createIndex(core.system, c, UNIQUE)).toEqual({
      definition: first.definition,
      isNew: false,
    });
    expect(c.indexDefinitions).toEqual([first.definition]);
    const logged = (await logLines(core.system.changelog)).filter(({ type }) => type === 2100);
    expect(logged.map(({ index }) => index)).toEqual([first.definition]);
    await verifyCore(core);
  });

  test('is not shown before it is complete', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 50; i++) await insert(opened, `{"u":${i}}`);
    const creating = core.collections.createIndex(core.system, c, UNIQUE);
    await vi.waitFor(() => expect(c.record.indexes).toHaveLength(1), { interval: 0 });
    if (c.record.indexes[0]?.building) expect(c.indexDefinitions).toEqual([]);
    await creating;
    expect(c.indexDefinitions).toHaveLength(1);
  });

  test('while writes go on, misses none of them', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 400; i++) await insert(opened, `{"_key":"k${i}","u":${i},"n":1}`);
    let building = true;
    let next = 1000;
    const writer = async (): Promise<void> => {
      while (building) {
        const key = `k${next % 400}`;
        const body = `{"u":${next++},"n":${next % 5}}`;
        await core.documents.replace(core.system, c, key, body);
        await core.documents.remove(core.system, c, key);
        await insert(opened, `{"_key":"${key}","u":${next++}}`);
      }
    };
    const writers = Array.from({ length: 4 }, writer);
    for (const wanted of [UNIQUE, { type: 'persistent', fields: ['n', 'u'], sparse: false }]) {
      await core.collections.createIndex(core.system, c, wanted);
    }
    building = false;
    await Promise.all(writers);
    expect(next).toBeGreaterThan(1010);
    await verifyCore(core);
  });

  test('of documents that do not satisfy it fails, and leaves nothing', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 100; i++) await insert(opened, `{"u":${i % 99}}`);
    const events = core.system.changelog.state.events;
    await expect(core.collections.createIndex(core.system, c, UNIQUE)).rejects.toThrow(
      refusal('uniqueConstraintViolated'),
    );
    expect(c.record.indexes).toEqual([]);
    expect(core.system.changelog.state.events).toBe(events);
    await vi.waitFor(async () => expect(await entryCount(core)).toBe(0), 10_000);
    // Writes are no longer held to it.
    await insert(opened, '{"u":5}');
    await verifyCore(core);
  });

  test('asked for twice at the same time makes one, and both are told of it', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 50; i++) await insert(opened, `{"u":${i}}`);
    const results = await Promise.all(
      Array.from({ length: 5 }, () => core.collections.createIndex(core.system, c, UNIQUE)),
    );
    expect(results.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(new Set(results.map(({ definition }) => definition.id)).size).toBe(1);
    expect(c.indexDefinitions).toHaveLength(1);
  });

  test('asked for twice at the same time fails for both when it cannot be made', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 50; i++) await insert(opened, `{"u":${i % 40}}`);
    const results = await Promise.allSettled(
      Array.from({ length: 3 }, () => core.collections.createIndex(core.system, c, UNIQUE)),
    );
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(c.record.indexes).toEqual([]);
  });

  test('of a collection that is dropped meanwhile fails, and nothing is left', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 200; i++) await insert(opened, `{"u":${i}}`);
    const creating = core.collections.createIndex(core.system, c, UNIQUE);
    await vi.waitFor(() => expect(c.record.indexes).toHaveLength(1), { interval: 0 });
    const [created] = await Promise.allSettled([creating, core.collections.drop(core.system, c)]);
    if (created.status === 'rejected') {
      expect(created.reason).toMatchObject({ kind: 'collectionNotFound' });
    }
    await vi.waitFor(async () => expect(await entryCount(core)).toBe(0), 10_000);
  });

  test('left half-built by a crash is taken away at the next start', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await insert(opened, '{"u":1}');
    const definition = newIndexDefinition(UNIQUE, '77');
    await core.store.commit(
      (tx) => {
        const index = { number: core.catalogue.drawNumber(tx), definition, building: true };
        c.writeRecord(tx, { ...c.record, indexes: [index] });
      },
      { exclusive: true },
    );
    await insert(opened, '{"u":2}');
    expect(await entryCount(core)).toBe(1);
    await core.reopen();
    expect(core.system.get('c').record.indexes).toEqual([]);
    await vi.waitFor(async () => expect(await entryCount(core)).toBe(0), 10_000);
  });

  test('P10: refuses definitions that make no sense', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (const wanted of [
      {},
      { type: 'nonsense', fields: ['a'] },
      { type: 'hash' },
      { type: 'hash', fields: [] },
      { type: 'hash', fields: ['a', 'a'] },
      { type: 'hash', fields: [''] },
      { type: 'hash', fields: ['_id'] },
      { type: 'hash', fields: ['a'], id: 'x1' },
    ]) {
      await expect(
        core.collections.createIndex(core.system, c, wanted),
        JSON.stringify(wanted),
      ).rejects.toThrow(refusal('httpBadParameter'));
    }
    expect(c.record.indexes).toEqual([]);
  });

  test('with the id of a leader keeps it, and pushes the own counter above it', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const id = (core.store.lastCommitted + (1n << 30n)).toString();
    const wanted = { ...UNIQUE, id };
    const { definition } = await core.collections.createIndex(core.system, c, wanted);
    expect(definition.id).toBe(id);
    expect(await core.store.drawTick()).toBeGreaterThan(BigInt(id));
    await expect(
      core.collections.createIndex(core.system, c, { type: 'hash', fields: ['z'], id }),
    ).rejects.toThrow(refusal('duplicateName'));
  });
});

describe('dropping an index', () => {
  test('ends its rule, erases its entries and is logged', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const { definition } = await core.collections.createIndex(core.system, c, UNIQUE);
    for (let i = 0; i < 50; i++) await insert(opened, `{"u":${i}}`);
    await core.collections.dropIndex(core.system, c, definition.id);
    await insert(opened, '{"u":1}');
    await vi.waitFor(async () => expect(await entryCount(core)).toBe(0), 10_000);
    await expect(core.collections.dropIndex(core.system, c, definition.id)).rejects.toThrow(
      refusal('indexNotFound'),
    );
    const last = (await logLines(core.system.changelog)).findLast(({ type }) => type === 2101);
    expect(last).toMatchObject({ id: definition.id, cid: c.cid, cname: 'c' });
    await verifyCore(core);
  });

  test('that is still being built is refused, and the building is not disturbed', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 300; i++) await insert(opened, `{"u":${i}}`);
    const creating = core.collections.createIndex(core.system, c, UNIQUE);
    await vi.waitFor(() => expect(c.record.indexes).toHaveLength(1), { interval: 0 });
    const index = c.record.indexes[0]!;
    expect(index.building).toBe(true);
    await expect(core.collections.dropIndex(core.system, c, index.definition.id)).rejects.toThrow(
      refusal('indexNotFound'),
    );
    await creating;
    await verifyCore(core);
  });
});
