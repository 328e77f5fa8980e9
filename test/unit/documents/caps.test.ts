import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Collection } from '../../../src/documents/collection.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { Importer } from '../../../src/documents/import.ts';
import { Maintenance } from '../../../src/documents/maintenance.ts';
import type { ErrorName } from '../../../src/model/errors.ts';
import { Space, numberRange } from '../../../src/storage/keys.ts';
import { logLines } from '../../support/log-lines.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { Random } from '../../support/random.ts';
import { TestCore } from '../../support/store.ts';
import { verifyCaps, verifyCore } from '../../support/verify-core.ts';
import { PageFollower, ddl, put } from '../follower/page-follower.ts';

interface Opened extends AsyncDisposable {
  readonly core: TestCore;
  c: Collection;
}

async function open(cap?: object): Promise<Opened> {
  const core = await TestCore.open();
  await startLogger(core.store, core.system);
  const c = await core.collections.create(core.system, { name: 'c' });
  if (cap) await core.collections.createIndex(core.system, c, { type: 'cap', ...cap });
  return { core, c, [Symbol.asyncDispose]: () => core[Symbol.asyncDispose]() };
}

function insert({ core, c }: Opened, key: string, more = ''): Promise<unknown> {
  return core.documents.insert(core.system, c, `{"_key":"${key}"${more}}`);
}

async function keys({ core, c }: Opened): Promise<string[]> {
  const found: string[] = [];
  for await (const key of core.documents.keys(c)) found.push(key);
  return found;
}

/** Types of the events above a tick, and of removals their keys. */
async function events({ core }: Opened, from: bigint): Promise<string[]> {
  const lines = await logLines(core.system.changelog, { from });
  return lines.map(({ type, key }) => (type === 2302 ? `2302 ${key ?? ''}` : `${type}`));
}

function refusal(kind: ErrorName): Error {
  return expect.objectContaining({ kind }) as Error;
}

describe('a cap of a number of documents', () => {
  test('removes the oldest with the write that brings one too many, and logs it behind that', async () => {
    await using opened = await open({ size: 3 });
    for (const key of ['a', 'b', 'c']) await insert(opened, key);
    const { lastTick } = opened.core.system.changelog.state;
    await insert(opened, 'd');
    await insert(opened, 'e');
    expect(await events(opened, lastTick)).toEqual(['2300', '2302 a', '2300', '2302 b']);
    expect(await keys(opened)).toEqual(['c', 'd', 'e']);
    expect(opened.c.stats.count).toBe(3);
    await verifyCore(opened.core);
  });

  test('a document that is changed is a young one again; one that is removed makes room', async () => {
    await using opened = await open({ size: 2 });
    const { core, c } = opened;
    await insert(opened, 'a');
    await insert(opened, 'b');
    await core.documents.replace(core.system, c, 'a', '{"x":1}');
    await insert(opened, 'c');
    expect(await keys(opened)).toEqual(['a', 'c']);
    await core.documents.remove(core.system, c, 'a');
    await insert(opened, 'd');
    expect(await keys(opened)).toEqual(['c', 'd']);
    await verifyCore(core);
  });

  test('holds among writes of one commit, down to a single document', async () => {
    await using opened = await open({ size: 1 });
    await Promise.all(Array.from({ length: 50 }, (_, i) => insert(opened, `k${i}`)));
    expect(await keys(opened)).toEqual(['k49']);
    await verifyCore(opened.core);
  });

  test('a write that fails takes its removal back', async () => {
    await using opened = await open({ size: 2 });
    const { core, c } = opened;
    const unique = { type: 'hash', fields: ['u'], unique: true };
    await core.collections.createIndex(core.system, c, unique);
    await insert(opened, 'a', ',"u":1');
    await insert(opened, 'b', ',"u":2');
    await expect(insert(opened, 'c', ',"u":2')).rejects.toThrow(
      refusal('uniqueConstraintViolated'),
    );
    expect(await keys(opened)).toEqual(['a', 'b']);
    // The oldest still holds its value: it gives way only afterwards.
    await expect(insert(opened, 'c', ',"u":1')).rejects.toThrow(
      refusal('uniqueConstraintViolated'),
    );
    await insert(opened, 'c', ',"u":3');
    await insert(opened, 'd', ',"u":1');
    expect(await keys(opened)).toEqual(['c', 'd']);
    await verifyCore(core);
  });

  test('an import leaves its last documents, in one transaction with the removals', async () => {
    await using opened = await open({ size: 2 });
    const { core, c } = opened;
    const { lastTick } = core.system.changelog.state;
    const importer = new Importer(core, { transactionMaxBytes: 1 << 20 });
    const settings = { type: 'documents', onDuplicate: 'error', waitForSync: false } as const;
    const flags = { complete: true, details: false, overwrite: false };
    const lines = ['a', 'b', 'c', 'd'].map((key) => `{"_key":"${key}"}\n`).join('');
    const body = (async function* () {
      yield await Promise.resolve(Buffer.from(lines));
    })();
    await importer.run(core.system, c, body, { ...settings, ...flags });
    expect(await keys(opened)).toEqual(['c', 'd']);
    expect(await events(opened, lastTick)).toEqual([
      ...['2200', '2300', '2300', '2300', '2300', '2302 a', '2302 b', '2201'],
    ]);
    await verifyCore(core);
  });
});

describe('a cap of a number of bytes', () => {
  test('removes as many as are needed, and refuses a document that alone is too large', async () => {
    await using opened = await open({ byteSize: 1000 });
    const pad = (length: number): string => `,"p":"${'x'.repeat(length)}"`;
    for (const key of ['a', 'b', 'c']) await insert(opened, key, pad(200));
    await insert(opened, 'd', pad(750));
    expect(await keys(opened)).toEqual(['d']);
    await expect(insert(opened, 'e', pad(1000))).rejects.toThrow(refusal('documentTooLarge'));
    expect(await keys(opened)).toEqual(['d']);
    await insert(opened, 'f');
    const { core, c } = opened;
    await core.documents.replace(core.system, c, 'f', `{"p":"${'x'.repeat(600)}"}`);
    expect(await keys(opened)).toEqual(['f']);
    await verifyCore(core);
  });
});

describe('making and dropping a cap', () => {
  test('what there is too much of goes, oldest first, behind the event of the index', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (const key of ['a', 'b', 'c', 'd']) await insert(opened, key);
    await core.documents.replace(core.system, c, 'a', '{"x":1}');
    const { lastTick } = core.system.changelog.state;
    await core.collections.createIndex(core.system, c, { type: 'cap', size: 2 });
    expect(await keys(opened)).toEqual(['a', 'd']);
    expect(await events(opened, lastTick)).toEqual(['2100', '2200', '2302 b', '2302 c', '2201']);
    await verifyCore(core);
  });

  test('writers may go on while it is made', async () => {
    await using opened = await open();
    const { core, c } = opened;
    for (let i = 0; i < 3000; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => insert(opened, `k${i + j}`)));
    }
    const making = core.collections.createIndex(core.system, c, { type: 'cap', size: 500 });
    for (let i = 0; i < 40; i++) {
      await Promise.all([
        insert(opened, `n${i}`),
        core.documents.remove(core.system, c, `k${i * 70}`).catch(() => undefined),
        core.documents.replace(core.system, c, `k${i * 70 + 1}`, '{}').catch(() => undefined),
      ]);
    }
    await making;
    for (let i = 0; i < 5; i++) await insert(opened, `m${i}`);
    expect(c.stats.count).toBe(500);
    await verifyCore(core);
  });

  test('of two different ones asked for at once one is made; an equal one is found', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const make = (size: number): Promise<unknown> =>
      core.collections.createIndex(core.system, c, { type: 'cap', size, byteSize: 0 });
    const results = await Promise.allSettled([make(3), make(4), make(3)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { kind: 'capAlreadyDefined' } });
    expect(c.indexDefinitions).toHaveLength(1);
  });

  test('a dropped one removes nothing more, and another one may be made', async () => {
    await using opened = await open({ size: 2 });
    const { core, c } = opened;
    const [definition] = c.indexDefinitions;
    for (const key of ['a', 'b']) await insert(opened, key);
    await core.collections.dropIndex(core.system, c, definition!.id);
    await insert(opened, 'c');
    expect(await keys(opened)).toEqual(['a', 'b', 'c']);
    await core.collections.createIndex(core.system, c, { type: 'cap', size: 1 });
    expect(await keys(opened)).toEqual(['c']);
    await verifyCore(core);
  });

  test('one of which an earlier version kept the definition only is enforced after a start', async () => {
    await using opened = await open({ size: 2 });
    const { core } = opened;
    const range = numberRange(Space.secondary, opened.c.record.indexes[0]!.number);
    await core.store.level.clear({ gte: range.start, lt: range.end });
    for (const key of ['a', 'b', 'c']) await insert(opened, key);
    expect(await keys(opened)).toHaveLength(3);
    await core.reopen();
    opened.c = core.system.get('c');
    await verifyCaps(core, opened.c);
    await insert(opened, 'd');
    expect(await keys(opened)).toEqual(['c', 'd']);
    await verifyCaps(core, opened.c);
  });
});

test('holds while the journal is compacted under it', async () => {
  await using opened = await open({ size: 20 });
  const { core } = opened;
  const clock = new ManualClock();
  const maintenance = new Maintenance(
    { store: core.store, catalogue: core.catalogue, clock, logger: silentLogger },
    { intervalMs: 1, removalAgeMs: 1000, horizon: () => undefined },
  );
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 1000; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, j) => insert(opened, `r${round}-${i + j}`)));
    }
    clock.advance(10_000);
    await maintenance.round();
    expect(opened.c.stats.count).toBe(20);
    await verifyCaps(core, opened.c);
  }
  expect(opened.c.stats.entries).toBeLessThan(3000);
  await maintenance.stop();
});

describe('on a follower', () => {
  const cap = (tick: number): string =>
    ddl(tick, 2100, { index: { id: '990', type: 'cap', unique: false, size: 2, byteSize: 0 } });

  test('a cap removes nothing that comes from the leader, and holds for clients afterwards', async () => {
    await using follower = await PageFollower.open();
    await follower.apply([put(1001, 'a', 1), cap(1002)]);
    await follower.apply([put(1003, 'b', 1), put(1004, 'c', 1)], { verified: true });
    expect(Object.keys(await follower.content())).toEqual(['a', 'b', 'c']);
    await verifyCaps(follower.core, follower.c);
    await follower.restart();
    const { core } = follower;
    await core.documents.insert(core.system, follower.c, '{"_key":"d"}');
    expect(Object.keys(await follower.content())).toEqual(['c', 'd']);
    await verifyCaps(core, follower.c);
  });

  test('a copy has its cap, also when it is completed twice, and keeps all it was sent', async () => {
    await using opened = await open();
    const { core } = opened;
    const parameters = { ...opened.c.parameters, cid: '4711' };
    const copy = await core.copies.create(core.system, parameters, () => undefined);
    await core.copies.append(
      copy,
      (writer) => {
        for (const key of ['a', 'b', 'c']) {
          writer.upsert(key, `r${key}`, `{"_key":"${key}","_rev":"r${key}"}`);
        }
      },
      () => undefined,
    );
    const definitions = [{ id: '900', type: 'cap', unique: false, size: 2, byteSize: 0 }];
    for (let i = 0; i < 2; i++) {
      const { signal } = new AbortController();
      await core.copies.complete(copy, definitions, () => undefined, signal);
    }
    await core.copies.switchIn(core.system, [copy], () => undefined);
    opened.c = copy;
    expect(await keys(opened)).toEqual(['a', 'b', 'c']);
    await verifyCaps(core, copy);
    await insert(opened, 'd');
    expect(await keys(opened)).toEqual(['c', 'd']);
  });
});

test.each([1, 2, 3, 4])('random writes keep the newest (seed %i)', async (seed) => {
  const random = new Random(seed);
  const size = 1 + random.below(6);
  await using opened = await open({ size });
  const { core, c } = opened;
  let model: string[] = [];
  for (let round = 0; round < 30; round++) {
    const writes = Array.from({ length: 1 + random.below(8) }, () => {
      const key = `k${random.below(12)}`;
      const isThere = model.includes(key);
      model = model.filter((each) => each !== key);
      if (random.percent(25)) {
        return core.documents.remove(core.system, c, key).then(
          () => expect(isThere).toBe(true),
          () => expect(isThere).toBe(false),
        );
      }
      model = [...model, key].slice(-size);
      return core.documents.insert(core.system, c, `{"_key":"${key}","round":${round}}`, {
        overwriteMode: random.percent(50) ? 'replace' : 'update',
      });
    });
    await Promise.all(writes);
    expect(await keys(opened)).toEqual([...model].sort());
  }
  await verifyCore(core);
});
