import { describe, expect, test } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import { CollectionType } from '../../../src/model/collection.ts';
import type { ErrorName } from '../../../src/model/errors.ts';
import { logLines } from '../../support/log-lines.ts';
import { TestCore } from '../../support/store.ts';

const MERGE = { keepNull: true, mergeObjects: true };

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

function textOf(core: TestCore, collection: Collection, key: string): string {
  return core.documents.read(collection, key).text;
}

function refusal(kind: ErrorName): Error {
  return expect.objectContaining({ kind }) as Error;
}

describe('insert', () => {
  test('stores the text as it came, with key and revision in front', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const body = '{"n":12345678901234567890, "_key":"a","f":1.50,"o":{"x":[ 1 ]},"t":"ä\\u00e4"}';
    const { key, rev, synced } = await core.documents.insert(core.system, c, body);
    expect({ key, synced }).toEqual({ key: 'a', synced: false });
    expect(core.documents.read(c, 'a')).toEqual({
      key: 'a',
      rev,
      text: `{"_id":"c/a","_key":"a","_rev":"${rev}","n":12345678901234567890,"f":1.50,"o":{"x":[ 1 ]},"t":"ä\\u00e4"}`,
    });
  });

  test('takes key, id and revision of the body for what they are, not for content', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const body = '{"_id":"x/y","_rev":"1","_key":"a","_from":"u/1","_to":"u/2","b":1}';
    const { rev } = await core.documents.insert(core.system, c, body);
    expect(textOf(core, c, 'a')).toBe(`{"_id":"c/a","_key":"a","_rev":"${rev}","b":1}`);
  });

  test('P10: refuses what is no document or no key, and stores nothing', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const before = core.store.lastCommitted;
    for (const [body, kind] of [
      ['[1]', 'invalidDocumentType'],
      ['{', 'invalidJson'],
      ['{"_key":""}', 'illegalDocumentKey'],
      ['{"_key":7}', 'illegalDocumentKey'],
      ['{"_key":"a/b"}', 'illegalDocumentKey'],
      [`{"_key":"${'x'.repeat(255)}"}`, 'illegalDocumentKey'],
    ] as const) {
      const insert = async (): Promise<unknown> => core.documents.insert(core.system, c, body);
      await expect(insert(), body).rejects.toThrow(refusal(kind));
    }
    expect(c.stats.count).toBe(0);
    expect(core.store.lastCommitted).toBe(before);
  });

  test('of many concurrent inserts of one key exactly one wins', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        core.documents.insert(core.system, c, `{"_key":"a","n":${i}}`),
      ),
    );
    const won = results.filter(({ status }) => status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({
          kind: 'uniqueConstraintViolated',
          message: expect.stringContaining("'a'") as string,
        });
      }
    }
    expect(textOf(core, c, 'a')).toContain('"n":0');
    expect(c.stats).toMatchObject({ count: 1, entries: 1, dead: 0 });
    expect(await logLines(core.system.changelog)).toHaveLength(3);
  });

  test('with an overwrite mode keeps, replaces or merges what is there', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const insert = (body: string, overwriteMode: 'ignore' | 'replace' | 'update') =>
      core.documents.insert(core.system, c, body, { overwriteMode, returnOld: true });
    const first = await insert('{"_key":"a","x":1,"y":2}', 'ignore');
    const kept = await insert('{"_key":"a","x":9}', 'ignore');
    expect(kept.rev).toBe(first.rev);
    const merged = await insert('{"_key":"a","x":3}', 'update');
    expect(merged.oldRev).toBe(first.rev);
    expect(merged.oldText).toContain('"x":1,"y":2');
    expect(textOf(core, c, 'a')).toContain('"x":3,"y":2');
    await insert('{"_key":"a","z":1}', 'replace');
    expect(textOf(core, c, 'a')).toMatch(/"_rev":"\d+","z":1\}$/);
    expect(c.stats).toMatchObject({ count: 1, entries: 3, dead: 2 });
  });

  test('answers whether it was fsynced: where it, or the collection, asks for it', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const settings = { waitForSync: true };
    expect((await core.documents.insert(core.system, c, '{}', settings)).synced).toBe(true);
    await core.collections.changeProperties(core.system, c, { waitForSync: true });
    expect((await core.documents.insert(core.system, c, '{}')).synced).toBe(true);
  });
});

describe('replace, update, remove', () => {
  test('replace leaves nothing of the old document but its key', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const first = await core.documents.insert(core.system, c, '{"_key":"a","x":1}');
    const second = await core.documents.replace(core.system, c, 'a', '{"_key":"b","y":2}');
    expect(second).toMatchObject({ key: 'a', oldRev: first.rev });
    expect(textOf(core, c, 'a')).toBe(`{"_id":"c/a","_key":"a","_rev":"${second.rev}","y":2}`);
    expect(BigInt(second.rev)).toBeGreaterThan(BigInt(first.rev));
  });

  test('update merges, keeps spellings, and removes nulls when told', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.documents.insert(core.system, c, '{"_key":"a","n":1.0,"o":{"x":1,"y":2},"p":1}');
    await core.documents.update(core.system, c, 'a', '{"o":{"y":3,"z":4},"p":null}', {
      ...MERGE,
      keepNull: false,
    });
    expect(textOf(core, c, 'a')).toMatch(/"n":1\.0,"o":\{"x":1,"y":3,"z":4\}\}$/);
    const settings = { ...MERGE, mergeObjects: false };
    await core.documents.update(core.system, c, 'a', '{"o":{"q":null}}', settings);
    expect(textOf(core, c, 'a')).toMatch(/"n":1\.0,"o":\{"q":null\}\}$/);
  });

  test('remove leaves a removal in journal and log, naming the revision it ends', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const { rev } = await core.documents.insert(core.system, c, '{"_key":"a","x":1}');
    const removed = await core.documents.remove(core.system, c, 'a', { returnOld: true });
    expect(removed).toMatchObject({ rev, oldRev: rev });
    expect(removed.oldText).toContain('"x":1');
    expect(() => core.documents.read(c, 'a')).toThrow(refusal('documentNotFound'));
    expect(c.stats).toMatchObject({ count: 0, entries: 2, dead: 2 });
    const last = (await logLines(core.system.changelog)).at(-1)!;
    expect(last).toMatchObject({ type: 2302, key: 'a', oldRev: rev, cname: 'c', cid: c.cid });
    expect(last.rev).toBe(last.tick.toString());
  });

  test('a wrong revision is refused with the one there is, and the right one is taken', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const { rev } = await core.documents.insert(core.system, c, '{"_key":"a"}');
    const wrong = { rev: '1' };
    const writes = [
      () => core.documents.replace(core.system, c, 'a', '{}', wrong),
      () => core.documents.update(core.system, c, 'a', '{}', { ...MERGE, ...wrong }),
      () => core.documents.remove(core.system, c, 'a', wrong),
    ];
    for (const write of writes) {
      await expect(write()).rejects.toMatchObject({
        kind: 'conflict',
        fields: { _id: 'c/a', _key: 'a', _rev: rev },
      });
    }
    const second = await core.documents.replace(core.system, c, 'a', '{}', { rev });
    await core.documents.remove(core.system, c, 'a', { rev: second.rev });
  });

  test('of concurrent replacements that name the same revision exactly one wins', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const { rev } = await core.documents.insert(core.system, c, '{"_key":"a"}');
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) =>
        core.documents.replace(core.system, c, 'a', `{"n":${i}}`, { rev }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(textOf(core, c, 'a')).toContain('"n":0');
  });

  test('concurrent updates of one document lose none of each other', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.documents.insert(core.system, c, '{"_key":"a"}');
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        core.documents.update(core.system, c, 'a', `{"f${i}":${i}}`, MERGE),
      ),
    );
    const document = JSON.parse(textOf(core, c, 'a')) as Record<string, unknown>;
    expect(Object.keys(document)).toHaveLength(203);
    expect(c.stats).toMatchObject({ count: 1, entries: 201, dead: 200 });
  });

  test('the text of before and after comes from the same write', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.documents.insert(core.system, c, '{"_key":"a","n":-1}');
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        core.documents.update(core.system, c, 'a', `{"n":${n}}`, {
          ...MERGE,
          returnOld: true,
          returnNew: true,
        }),
      ),
    );
    results.forEach(({ oldText, newText, rev, oldRev }, n) => {
      expect(oldText).toBe(`{"_id":"c/a","_key":"a","_rev":"${oldRev!}","n":${n - 1}}`);
      expect(newText).toBe(`{"_id":"c/a","_key":"a","_rev":"${rev}","n":${n}}`);
    });
  });

  test('what is not there is not found', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const writes = [
      () => core.documents.replace(core.system, c, 'a', '{}'),
      () => core.documents.update(core.system, c, 'a', '{}', MERGE),
      () => core.documents.remove(core.system, c, 'a'),
    ];
    for (const write of writes) await expect(write()).rejects.toThrow(refusal('documentNotFound'));
    expect(c.stats).toMatchObject({ count: 0, entries: 0 });
  });

  test('writes to a collection dropped while they waited are refused', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const results = await Promise.allSettled([
      core.collections.drop(core.system, c),
      core.documents.insert(core.system, c, '{}'),
    ]);
    expect(results[1]).toMatchObject({ reason: { kind: 'collectionNotFound' } });
    expect(() => core.documents.read(c, 'a')).toThrow(refusal('collectionNotFound'));
  });

  test('writes are refused while an applier owns the collection, reads are not', async () => {
    await using opened = await open();
    const { core, c } = opened;
    await core.documents.insert(core.system, c, '{"_key":"a"}');
    core.system.writeGuard = (name) => name === 'c';
    const writes = [
      () => core.documents.insert(core.system, c, '{}'),
      () => core.documents.remove(core.system, c, 'a'),
      () => core.collections.drop(core.system, c),
      () => core.collections.truncate(core.system, c),
      () => core.collections.create(core.system, { name: 'c' }),
    ];
    for (const write of writes) {
      await expect(write()).rejects.toMatchObject({ kind: 'readOnly', httpStatus: 403 });
    }
    expect(textOf(core, c, 'a')).toContain('"_key":"a"');
    core.system.writeGuard = undefined;
    await core.documents.remove(core.system, c, 'a');
  });
});

describe('edges', () => {
  async function edges(): Promise<Opened> {
    const opened = await open();
    const e = await opened.core.collections.create(opened.core.system, {
      name: 'e',
      type: CollectionType.edge,
    });
    return { ...opened, c: e };
  }

  test('have two ends, from the body or beside it, and keep them unless told otherwise', async () => {
    await using opened = await edges();
    const { core, c } = opened;
    const { system } = core;
    await core.documents.insert(system, c, '{"_key":"a","_from":"u/1","_to":"u/2","x":1}');
    expect(textOf(core, c, 'a')).toMatch(/"_from":"u\/1","_to":"u\/2","x":1\}$/);
    const ends = { from: 'u/3', to: 'u/4' };
    await core.documents.insert(system, c, '{"_key":"b"}', { ends });
    expect(textOf(core, c, 'b')).toMatch(/"_from":"u\/3","_to":"u\/4"\}$/);
    await core.documents.replace(system, c, 'a', '{"_to":"u/9"}');
    expect(textOf(core, c, 'a')).toMatch(/"_from":"u\/1","_to":"u\/9"\}$/);
    await core.documents.update(system, c, 'b', '{"y":1}', MERGE);
    expect(textOf(core, c, 'b')).toMatch(/"_from":"u\/3","_to":"u\/4","y":1\}$/);
    const lines = await logLines(system.changelog);
    expect(lines.filter(({ type }) => type === 2301)).toHaveLength(4);
  });

  test('without an end, or with one that is no handle, are refused', async () => {
    await using opened = await edges();
    const { core, c } = opened;
    for (const [body, kind] of [
      ['{"_from":"u/1"}', 'edgeAttributeMissing'],
      ['{"_from":"u/1","_to":2}', 'edgeAttributeMissing'],
      ['{"_from":"u/1","_to":"2"}', 'illegalDocumentHandle'],
    ] as const) {
      await expect(core.documents.insert(core.system, c, body)).rejects.toThrow(refusal(kind));
    }
    expect(c.stats.count).toBe(0);
  });
});

describe('the log of document writes', () => {
  test('holds each write once, with collection and old revision, in the order of commits', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const a = await core.documents.insert(core.system, c, '{"_key":"a","x":1}');
    const b = await core.documents.replace(core.system, c, 'a', '{"x":2}');
    const lines = (await logLines(core.system.changelog)).slice(2);
    expect(lines.map(({ text }) => text)).toEqual([
      `{"tick":"${a.rev}","type":2300,"cid":"${c.cid}","cname":"c","key":"a","rev":"${a.rev}","data":{"_key":"a","_rev":"${a.rev}","x":1}}`,
      `{"tick":"${b.rev}","type":2300,"cid":"${c.cid}","cname":"c","key":"a","rev":"${b.rev}","oldRev":"${a.rev}","data":{"_key":"a","_rev":"${b.rev}","x":2}}`,
    ]);
  });

  test('documents of many megabytes are stored, logged and read', async () => {
    await using opened = await open();
    const { core, c } = opened;
    const pad = 'ä'.repeat(4_000_000);
    await core.documents.insert(core.system, c, `{"_key":"big","pad":"${pad}"}`);
    await core.documents.insert(core.system, c, '{"_key":"small"}');
    const text = textOf(core, c, 'big');
    expect(text.includes(pad)).toBe(true);
    const lines = await logLines(core.system.changelog, { limitBytes: 100 });
    expect(lines.map(({ key }) => key).slice(2)).toEqual(['big', 'small']);
  });
});
