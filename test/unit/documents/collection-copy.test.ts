import { describe, expect, test, vi } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import type { CopyWriter } from '../../../src/documents/collection-copy.ts';
import { startLogger } from '../../../src/documents/databases.ts';
import type { CollectionParameters, IndexDefinition } from '../../../src/model/collection.ts';
import { metaKey } from '../../../src/storage/keys.ts';
import { replay } from '../../support/journal-model.ts';
import { logLines } from '../../support/log-lines.ts';
import { type OpenCore, TestCore } from '../../support/store.ts';
import { erasurePending, expectNoLeftovers } from '../../support/verify-core.ts';
import { watchSync } from '../../support/batch-control.ts';

const NOTHING = (): void => undefined;
const NEVER = new AbortController().signal;
const POSITION = metaKey('y', 1);
const UNIQUE: IndexDefinition = { id: '900', type: 'hash', unique: true, fields: ['u'] };

function parameters(
  name: string,
  cid: string,
  changes: Partial<CollectionParameters> = {},
): CollectionParameters {
  return {
    version: 4,
    type: 2,
    cid,
    deleted: false,
    doCompact: true,
    maximalSize: 33_554_432,
    name,
    isVolatile: false,
    waitForSync: false,
    ...changes,
  };
}

function upsert(writer: CopyWriter, key: string, rest: string): void {
  const rev = `r${key}`;
  writer.upsert(key, rev, `{"_key":"${key}","_rev":"${rev}",${rest}}`);
}

/** Copies documents k0, k1, ... in pages, as a sync does. */
async function fill(core: OpenCore, copy: Collection, count: number): Promise<void> {
  for (let start = 0; start < count; start += 50) {
    await core.copies.append(
      copy,
      (writer) => {
        for (let i = start; i < Math.min(start + 50, count); i++) {
          upsert(writer, `k${i}`, `"u":${i},"new":true`);
        }
      },
      (tx) => tx.put(POSITION, Buffer.from(`${start}`)),
    );
  }
}

/** `_system` with a collection `c` of old documents. */
async function open(): Promise<{ core: TestCore; old: Collection } & AsyncDisposable> {
  const core = await TestCore.open();
  const old = await core.collections.create(core.system, { name: 'c' });
  for (let i = 0; i < 20; i++) {
    await core.documents.insert(core.system, old, `{"_key":"k${i}","new":false}`);
  }
  return { core, old, [Symbol.asyncDispose]: () => core[Symbol.asyncDispose]() };
}

describe('a copy in the making', () => {
  test('P6: is seen by nobody, and the old data is read until the switch and not afterwards', async () => {
    await using opened = await open();
    const { core, old } = opened;
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await fill(core, copy, 200);
    await core.copies.complete(copy, [UNIQUE], NOTHING, NEVER);
    expect(core.system.collections).toEqual([old]);
    expect(core.system.byCid('55')).toBeUndefined();
    expect(core.documents.read(old, 'k1').text).toContain('"new":false');
    await core.documents.insert(core.system, old, '{"_key":"late"}');
    await core.copies.switchIn(core.system, [copy], NOTHING);
    expect(core.system.collections).toEqual([copy]);
    expect(core.system.get('c')).toBe(copy);
    expect(core.system.get('55')).toBe(copy);
    expect(core.system.byCid(old.cid)).toBeUndefined();
    expect(core.documents.read(copy, 'k1')).toEqual({
      key: 'k1',
      rev: 'rk1',
      text: '{"_id":"c/k1","_key":"k1","_rev":"rk1","u":1,"new":true}',
    });
    expect(old.dropped).toBe(true);
    await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 10_000);
    await expectNoLeftovers(core);
  });

  test('P3: position and page are one batch', async () => {
    await using opened = await open();
    const { core } = opened;
    const copy = await core.copies.create(core.system, parameters('c', '55'), (tx, made) =>
      tx.put(POSITION, Buffer.from(`copy ${made.number}`)),
    );
    expect(core.store.level.getSync(POSITION)?.toString()).toBe(`copy ${copy.number}`);
    await expect(
      core.copies.append(
        copy,
        (writer) => upsert(writer, 'a', '"x":1'),
        () => {
          throw new Error('no room');
        },
      ),
    ).rejects.toThrow('no room');
    expect(core.store.readLine(copy.number, 'a')).toBeUndefined();
    expect(copy.stats.entries).toBe(0);
    await fill(core, copy, 60);
    expect(core.store.level.getSync(POSITION)?.toString()).toBe('50');
    expect(copy.stats.entries).toBe(60);
  });

  test('of several lines for a key the last one counts, removals too, within a page and across', async () => {
    await using opened = await open();
    const { core } = opened;
    const copy = await core.copies.create(core.system, parameters('d', '55'), NOTHING);
    await core.copies.append(
      copy,
      (writer) => {
        upsert(writer, 'a', '"x":1');
        upsert(writer, 'b', '"x":1');
        upsert(writer, 'a', '"x":2');
        upsert(writer, 'c', '"x":1');
        writer.remove('c', 'r9');
        writer.remove('never', 'r9');
      },
      NOTHING,
    );
    await core.copies.append(
      copy,
      (writer) => {
        writer.remove('b', 'r10');
        upsert(writer, 'c', '"x":3');
        upsert(writer, 'a', '"x":4');
      },
      NOTHING,
    );
    await core.copies.complete(copy, [], NOTHING, NEVER);
    await core.copies.switchIn(core.system, [copy], NOTHING);
    const documents = new Map<string, string>();
    const { entries, bytes } = await replay(core.store, copy, documents);
    expect([...documents.keys()].sort()).toEqual(['a', 'c']);
    expect(core.documents.read(copy, 'a').text).toContain('"x":4');
    expect(core.documents.read(copy, 'c').text).toContain('"x":3');
    expect(copy.stats).toMatchObject({ count: 2, entries, bytes, dead: entries - 2 });
  });

  test('rule 11: figures are exact, and stay so with the writes after the switch', async () => {
    await using opened = await open();
    const { core } = opened;
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await fill(core, copy, 130);
    await core.copies.complete(copy, [], NOTHING, NEVER);
    await core.copies.switchIn(core.system, [copy], NOTHING);
    expect(copy.stats).toMatchObject({ count: 130, entries: 130, dead: 0 });
    await core.documents.remove(core.system, copy, 'k1');
    await core.documents.insert(core.system, copy, '{"_key":"z"}');
    await core.documents.replace(core.system, copy, 'k2', '{}');
    expect(copy.stats).toMatchObject({ count: 130, entries: 133, dead: 3 });
    await core.reopen();
    expect(core.system.get('c').stats).toMatchObject({ count: 130, entries: 133, dead: 3 });
  });

  test('has the indexes of the leader, with its ids, which hold from the switch on', async () => {
    await using opened = await open();
    const { core } = opened;
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await fill(core, copy, 100);
    const geo: IndexDefinition = { id: '901', type: 'geo', unique: false, fields: ['l'] };
    await core.copies.complete(copy, [UNIQUE, geo], NOTHING, NEVER);
    await core.copies.switchIn(core.system, [copy], NOTHING);
    expect(copy.indexDefinitions).toEqual([UNIQUE, geo]);
    await expect(core.documents.insert(core.system, copy, '{"u":7}')).rejects.toMatchObject({
      kind: 'uniqueConstraintViolated',
      message: expect.stringContaining('k7') as string,
    });
    await core.documents.remove(core.system, copy, 'k7');
    await core.documents.insert(core.system, copy, '{"u":7}');
  });

  test('that does not satisfy an index of the leader cannot be completed, and harms nothing', async () => {
    await using opened = await open();
    const { core, old } = opened;
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await core.copies.append(
      copy,
      (writer) => {
        upsert(writer, 'a', '"u":1');
        upsert(writer, 'b', '"u":1');
      },
      NOTHING,
    );
    await expect(core.copies.complete(copy, [UNIQUE], NOTHING, NEVER)).rejects.toMatchObject({
      kind: 'uniqueConstraintViolated',
    });
    await core.copies.discard(core.system, () => true, NOTHING);
    expect(core.system.collections).toEqual([old]);
    expect(core.documents.read(old, 'k1').text).toContain('"new":false');
    await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 10_000);
    await expectNoLeftovers(core);
  });

  test('can be completed again after a crash in the middle of it', async () => {
    await using opened = await open();
    const { core } = opened;
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await fill(core, copy, 100);
    const broken = core.copies.complete(
      copy,
      [UNIQUE],
      () => {
        throw new Error('killed');
      },
      NEVER,
    );
    await expect(broken).rejects.toThrow('killed');
    await core.reopen();
    const [again] = core.catalogue.hiddenOf(core.system);
    await core.copies.complete(again!, [UNIQUE], NOTHING, NEVER);
    await core.copies.switchIn(core.system, [again!], NOTHING);
    expect(again!.stats.count).toBe(100);
    expect(again!.indexDefinitions).toEqual([UNIQUE]);
  });

  test('survives a restart hidden, can be gone on with, and autoincrement goes on above its keys', async () => {
    await using opened = await open();
    const { core } = opened;
    const keyOptions = { type: 'autoincrement', allowUserKeys: true, offset: 0, increment: 1 };
    const wanted = parameters('c', '55', { keyOptions });
    const copy = await core.copies.create(core.system, wanted, NOTHING);
    await core.copies.append(copy, (writer) => upsert(writer, '17', '"x":1'), NOTHING);
    await core.reopen();
    expect(core.system.collections.map(({ name }) => name)).toEqual(['c']);
    const [again] = core.catalogue.hiddenOf(core.system);
    expect(again!.number).toBe(copy.number);
    expect(core.catalogue.hidden(copy.number)).toBe(again);
    await core.copies.append(again!, (writer) => upsert(writer, '5', '"x":1'), NOTHING);
    await core.copies.complete(again!, [], NOTHING, NEVER);
    await core.copies.switchIn(core.system, [again!], NOTHING);
    const { key } = await core.documents.insert(core.system, core.system.get('c'), '{}');
    expect(key).toBe('18');
    expect(core.catalogue.hiddenOf(core.system)).toEqual([]);
  });

  test('completing can be aborted', async () => {
    await using opened = await open();
    const { core } = opened;
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await fill(core, copy, 10);
    const also = vi.fn();
    const abort = AbortSignal.abort(new Error('stopped'));
    await expect(core.copies.complete(copy, [UNIQUE], also, abort)).rejects.toThrow('stopped');
    expect(also).not.toHaveBeenCalled();
  });
});

describe('the switch', () => {
  test('P6, P7: puts all copies in place in one batch, with what belongs to it', async () => {
    await using opened = await open();
    const { core } = opened;
    const copies: Collection[] = [];
    for (const [name, cid] of [
      ['c', '55'],
      ['d', '56'],
      ['e', '57'],
    ] as const) {
      const copy = await core.copies.create(core.system, parameters(name, cid), NOTHING);
      await fill(core, copy, 10);
      await core.copies.complete(copy, [], NOTHING, NEVER);
      copies.push(copy);
    }
    const writes = watchSync(core.store);
    const seen: string[][] = [];
    const switching = core.copies.switchIn(core.system, copies, (tx) => {
      tx.put(POSITION, Buffer.from('done'));
    });
    const reader = setInterval(() => {
      seen.push(core.system.collections.map(({ number }) => String(number)));
    }, 0);
    await switching;
    expect(writes).toHaveLength(1);
    clearInterval(reader);
    expect(core.system.collections).toEqual(copies);
    for (const numbers of seen) expect([1, 3]).toContain(numbers.length);
    expect(core.store.level.getSync(POSITION)?.toString()).toBe('done');
  });

  test('a switch whose batch fails changes nothing', async () => {
    await using opened = await open();
    const { core, old } = opened;
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await fill(core, copy, 10);
    await expect(
      core.copies.switchIn(core.system, [copy], () => {
        throw new Error('no room');
      }),
    ).rejects.toThrow('no room');
    expect(core.system.collections).toEqual([old]);
    expect(old.dropped).toBe(false);
    expect(core.documents.read(old, 'k1').text).toContain('"new":false');
    await core.reopen();
    expect(core.documents.read(core.system.get('c'), 'k1').text).toContain('"new":false');
    expect(core.catalogue.hiddenOf(core.system)).toHaveLength(1);
  });

  test('replaces what has the same id under another name, and what has the same name', async () => {
    await using opened = await open();
    const { core, old } = opened;
    const renamed = await core.collections.createWith(core.system, parameters('before', '55'));
    const other = await core.collections.create(core.system, { name: 'untouched' });
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await core.copies.switchIn(core.system, [copy], NOTHING);
    expect(core.system.collections).toEqual([other, copy]);
    expect([old.dropped, renamed.dropped, other.dropped]).toEqual([true, true, false]);
    expect(core.system.byName('before')).toBeUndefined();
  });

  test('makes a hole in the log only where remote changes are logged', async () => {
    for (const logRemoteChanges of [false, true]) {
      await using core = await TestCore.open({ loggerConfig: { logRemoteChanges } });
      await startLogger(core.store, core.system);
      const { changelog } = core.system;
      const before = changelog.state.lastTick;
      const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
      await fill(core, copy, 10);
      await core.copies.complete(copy, [], NOTHING, NEVER);
      expect(changelog.holds(before)).toBe(true);
      await core.copies.switchIn(core.system, [copy], NOTHING);
      expect(changelog.holds(before)).toBe(!logRemoteChanges);
      expect(changelog.holds(core.store.lastCommitted)).toBe(true);
      expect(await logLines(changelog)).toHaveLength(1);
    }
  });

  test('rule 7: positions in the old journal do not hold for the new one', async () => {
    await using opened = await open();
    const { core } = opened;
    const position = core.store.lastCommitted;
    const copy = await core.copies.create(core.system, parameters('c', '55'), NOTHING);
    await core.copies.switchIn(core.system, [copy], NOTHING);
    expect(copy.deletionsSince).toBeGreaterThan(position);
  });
});

describe('discarding', () => {
  test('removes copies that will not be finished, and spares those to be kept', async () => {
    await using opened = await open();
    const { core, old } = opened;
    const other = await core.databases.create('other');
    const kept = await core.copies.create(core.system, parameters('a', '1'), NOTHING);
    const gone = await core.copies.create(core.system, parameters('b', '2'), NOTHING);
    const elsewhere = await core.copies.create(other, parameters('b', '2'), NOTHING);
    await fill(core, gone, 100);
    const isLeft = (copy: Collection): boolean => copy !== kept;
    await core.copies.discard(core.system, isLeft, (tx, going) => {
      expect(going).toEqual([gone]);
      tx.put(POSITION, Buffer.from('discarded'));
    });
    expect(core.catalogue.hiddenOf(core.system)).toEqual([kept]);
    expect(core.catalogue.hiddenOf(other)).toEqual([elsewhere]);
    expect(core.system.collections).toEqual([old]);
    expect(core.store.level.getSync(POSITION)?.toString()).toBe('discarded');
    await expect(core.copies.append(gone, NOTHING, NOTHING)).rejects.toMatchObject({
      kind: 'collectionNotFound',
    });
    await core.reopen();
    expect(core.catalogue.hiddenOf(core.system).map(({ number }) => number)).toEqual([kept.number]);
  });

  test('asks about the copies that there are when its turn comes', async () => {
    await using opened = await open();
    const { core } = opened;
    const gone = await core.copies.create(core.system, parameters('a', '1'), NOTHING);
    const making = core.copies.create(core.system, parameters('b', '2'), NOTHING);
    await core.copies.discard(core.system, (each) => each === gone, NOTHING);
    expect(core.catalogue.hiddenOf(core.system)).toEqual([await making]);
  });

  test('the drop of a database takes its copies along', async () => {
    await using opened = await open();
    const { core } = opened;
    const other = await core.databases.create('other');
    const copy = await core.copies.create(other, parameters('b', '2'), NOTHING);
    await fill(core, copy, 100);
    await core.databases.drop('other');
    expect(copy.dropped).toBe(true);
    await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 10_000);
    await expectNoLeftovers(core);
  });
});
