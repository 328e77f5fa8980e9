import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Checksums } from '../../../src/documents/checksum.ts';
import type { Collection } from '../../../src/documents/collection.ts';
import { CollectionView } from '../../../src/documents/collection-view.ts';
import { DocumentTx } from '../../../src/documents/document-tx.ts';
import { compactJournal } from '../../../src/documents/journal-compaction.ts';
import { dataOfLine } from '../../../src/documents/stored-document.ts';
import { Space } from '../../../src/storage/keys.ts';
import type { Documents } from '../../support/journal-model.ts';
import { TestCore } from '../../support/store.ts';
import { checksumOf, expectView, keptCount } from '../../support/view-model.ts';

const NEVER = new AbortController().signal;
const WHOLE_PASS = {
  ...{ horizon: () => undefined, removalAgeMs: 0, nowMs: () => Infinity },
  lastPass: new WeakMap<Collection, { deadLeft: number; endedMs: number }>(),
};

let core: TestCore;
let c: Collection;
beforeEach(async () => {
  core = await TestCore.open();
  c = await core.collections.create(core.system, { name: 'c' });
});
afterEach(() => core[Symbol.asyncDispose]());

const openView = (): Promise<CollectionView> => CollectionView.open(core.store, c);

async function put(key: string, n: number): Promise<void> {
  const body = `{"_key":"${key}","n":${n}}`;
  await core.documents.insert(core.system, c, body, { overwriteMode: 'replace' });
}

async function remove(key: string): Promise<void> {
  await core.documents.remove(core.system, c, key);
}

/** All documents as they are now. */
async function now(): Promise<Documents> {
  const documents: Documents = new Map();
  for await (const key of core.documents.keys(c)) {
    documents.set(key, dataOfLine(core.store.readLine(c.number, key)!.line));
  }
  return documents;
}

async function read(view: CollectionView): Promise<string[]> {
  const texts: string[] = [];
  for await (const documents of view.pointers()) {
    for await (const { key, line } of view.lines(documents)) {
      texts.push(`${key}=${(JSON.parse(dataOfLine(line)) as { n: number }).n}`);
    }
  }
  return texts;
}

test('a view shows what was there when it was opened, each of several its own moment', async () => {
  const views: CollectionView[] = [];
  const states: Documents[] = [];
  const note = async (): Promise<void> => {
    states.push(await now());
    views.push(await openView());
  };
  await note();
  await put('a', 1);
  await put('b', 1);
  await note();
  await put('a', 2);
  await remove('b');
  await put('c', 2);
  await note();
  await put('b', 3);
  await remove('c');
  await put('0', 3);
  await note();
  await core.collections.truncate(core.system, c);
  await note();
  await put('b', 4);
  for (const [i, view] of views.entries()) await expectView(view, states[i]!);
  expect(states.map((each) => [...each.keys()].join(''))).toEqual(['', 'ab', 'ac', '0ab', '']);
});

test('the moment of a view lies between two requests, also where all are one batch', async () => {
  await put('a', 1);
  const writes = [put('a', 2), put('b', 2)];
  const opening = openView();
  writes.push(put('a', 3), put('b', 3), put('c', 3), remove('b'));
  const later = openView();
  await Promise.all(writes);
  expect(await read(await opening)).toEqual(['a=2', 'b=2']);
  expect(await read(await later)).toEqual(['a=3', 'c=3']);
});

test('what a refused request would have changed is not kept, and is kept when it is changed later', async () => {
  await put('a', 1);
  const view = await openView();
  const refused = core.store.commit((tx) => {
    const writes = new DocumentTx(
      { tx, database: core.system },
      { origin: 'local', grouped: false },
    );
    writes.remove(c, 'a', writes.pointer(c, 'a')!);
    throw new Error('refused');
  });
  await expect(refused).rejects.toThrow('refused');
  expect(await keptCount(core.store)).toBe(0);
  expect(await read(view)).toEqual(['a=1']);
  await remove('a');
  expect(await keptCount(core.store)).toBe(1);
  expect(await read(view)).toEqual(['a=1']);
});

test('for a document that is new nothing is kept, and for any other one pointer a view', async () => {
  await put('a', 1);
  await openView();
  await openView();
  await put('b', 1);
  await remove('b');
  expect(await keptCount(core.store)).toBe(0);
  for (let n = 2; n < 10; n++) await put('a', n);
  await remove('a');
  await put('a', 10);
  expect(await keptCount(core.store)).toBe(2);
});

test('while no view is open nothing is kept', async () => {
  await put('a', 1);
  (await openView()).close();
  await put('a', 2);
  await remove('a');
  expect(await keptCount(core.store)).toBe(0);
});

test('compaction leaves what an open view shows, and takes it when that is closed', async () => {
  for (let i = 0; i < 1500; i++) await put(`k${i}`, 1);
  const view = await openView();
  const expected = await now();
  for (let i = 0; i < 1500; i++) await (i % 3 === 0 ? remove(`k${i}`) : put(`k${i}`, 2));
  // The second time all blocks have been moved.
  for (let round = 0; round < 2; round++) await compactJournal(core.store, c, WHOLE_PASS, NEVER);
  await expectView(view, expected);
  const { entries } = c.stats;
  expect(entries).toBe(3000);
  view.close();
  await compactJournal(core.store, c, WHOLE_PASS, NEVER);
  expect(c.stats.entries).toBe(1000);
});

test('a view that is closed while it is read is read to the end, and then nothing is left of it', async () => {
  for (let i = 0; i < 1500; i++) await put(`k${i}`, 1);
  const view = await openView();
  await core.collections.truncate(core.system, c);
  let count = 0;
  for await (const documents of view.pointers()) {
    view.close();
    await put('a', 1);
    count += documents.length;
  }
  expect(count).toBe(1500);
  expect(c.views.isEmpty).toBe(true);
  await vi.waitFor(async () => expect(await keptCount(core.store)).toBe(0), 10_000);
});

test('a restart with an open view leaves nothing behind, and takes nothing from the views after it', async () => {
  for (let i = 0; i < 5000; i++) await put(`k${i % 2500}`, 1);
  await openView();
  await core.collections.truncate(core.system, c);
  expect(await keptCount(core.store)).toBe(2500);
  await core.reopen();
  c = core.system.get('c');
  await put('a', 1);
  const view = await openView();
  await put('a', 2);
  await vi.waitFor(async () => expect(await keptCount(core.store)).toBe(1), 10_000);
  expect(await read(view)).toEqual(['a=1']);
});

test('nothing more is read of a collection that was dropped', async () => {
  for (let i = 0; i < 1500; i++) await put(`k${i}`, 1);
  const view = await openView();
  const pieces = view.pointers();
  await pieces.next();
  await core.collections.drop(core.system, c);
  await expect(pieces.next()).rejects.toMatchObject({ kind: 'collectionNotFound' });
  await expect(openView()).rejects.toMatchObject({ kind: 'collectionNotFound' });
});

test('a checksum of a collection that is dropped meanwhile is not that of a part', async () => {
  const checksums = new Checksums({ store: core.store });
  for (const withData of [false, true]) {
    const other = await core.collections.create(core.system, { name: `d${withData}` });
    for (let i = 0; i < 3000; i++) {
      await core.documents.insert(core.system, other, `{"_key":"k${i}"}`);
    }
    const sum = checksums.of(other, { withData, withRevisions: false });
    const dropped = core.collections.drop(core.system, other);
    await expect(sum).rejects.toMatchObject({ kind: 'collectionNotFound' });
    await dropped;
  }
});

test('a checksum takes a document once whose block is merged with those before while it is made', async () => {
  for (let i = 0; i < 300; i++) await put(`k${i}`, i);
  const checksums = new Checksums({ store: core.store });
  const parts = { withData: true, withRevisions: true };
  const { level } = core.store;
  const iterator = level.iterator.bind(level);
  let merged = false;
  // Between the first blocks that it reads and the next ones.
  vi.spyOn(level, 'iterator').mockImplementation(((options: { gt?: Buffer }) => {
    const opened = iterator(options);
    if (options.gt?.[0] !== Space.journal || merged) return opened;
    merged = true;
    const close = opened.close.bind(opened);
    return Object.assign(opened, {
      close: async () => {
        await close();
        await compactJournal(core.store, c, WHOLE_PASS, NEVER);
      },
    });
  }) as never);
  const { checksum, count } = await checksums.of(c, parts);
  expect(merged).toBe(true);
  expect({ checksum, count }).toEqual({ checksum: checksumOf(await now(), parts), count: 300 });
});
