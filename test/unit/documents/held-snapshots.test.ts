import { expect, test, vi } from 'vitest';
import { mergeLogBlocks } from '../../../src/changelog/log-merge.ts';
import type { Collection } from '../../../src/documents/collection.ts';
import { CollectionView } from '../../../src/documents/collection-view.ts';
import { compactJournal } from '../../../src/documents/journal-compaction.ts';
import { removeOrphans } from '../../../src/follower/staging.ts';
import { keyGroups } from '../../../src/storage/key-groups.ts';
import { Space, numberRange, primaryKeyDocument, stagingKey } from '../../../src/storage/keys.ts';
import { TestCore } from '../../support/store.ts';
import { onWrite } from '../../support/batch-control.ts';

const NEVER = new AbortController().signal;
const DOCUMENTS = 300;
const WHOLE_PASS = {
  horizon: () => undefined,
  removalAgeMs: 0,
  nowMs: () => Date.now(),
  lastPass: new WeakMap<Collection, { deadLeft: number; endedMs: number }>(),
};

interface Closable {
  close(): Promise<void>;
}

/** The largest number of iterators that were open when a batch was begun. */
function watch({ store }: TestCore): { batches: number; most: number } {
  const { level } = store;
  const seen = { batches: 0, most: 0 };
  const open = new Set<Closable>();
  const watched = <T extends Closable>(iterator: T): T => {
    open.add(iterator);
    const close = iterator.close.bind(iterator);
    return Object.assign(iterator, {
      close: () => {
        open.delete(iterator);
        return close();
      },
    });
  };
  for (const name of ['iterator', 'keys'] as const) {
    const original = level[name].bind(level) as (...args: unknown[]) => Closable;
    vi.spyOn(level, name).mockImplementation(((...args: unknown[]) =>
      watched(original(...args))) as never);
  }
  onWrite(store, () => {
    seen.batches++;
    seen.most = Math.max(seen.most, open.size);
  });
  return seen;
}

/** A collection in many small blocks, each document written four times; the log holds the same. */
async function fill(core: TestCore): Promise<Collection> {
  const collection = await core.collections.create(core.system, { name: 'c' });
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < DOCUMENTS; i++) {
      const text = `{"_key":"k${i}","n":${i},"pad":"${'x'.repeat(500)}"}`;
      await core.documents.insert(core.system, collection, text, { overwriteMode: 'replace' });
    }
  }
  return collection;
}

const WRITERS: [string, (core: TestCore, collection: Collection) => Promise<unknown>][] = [
  [
    'the compaction of a journal',
    ({ store }, collection) => compactJournal(store, collection, WHOLE_PASS, NEVER),
  ],
  ['the merging of a log', ({ store, system }) => mergeLogBlocks(store, system.changelog, NEVER)],
  [
    'the making of an index',
    ({ collections, system }, collection) =>
      collections.createIndex(system, collection, { type: 'hash', fields: ['n'], unique: true }),
  ],
  [
    'a truncate in several transactions',
    ({ collections, system }, collection) => collections.truncate(system, collection),
  ],
  [
    'the removal of what is staged',
    async ({ store, system }) => {
      await store.commit((tx) => {
        for (let n = 0; n < 2500; n++) {
          tx.putBlind(stagingKey(system.number, 5n, n), Buffer.from('x'));
        }
      });
      await removeOrphans(store, system.number, []);
    },
  ],
];

test.each(WRITERS)('%s holds no snapshot of the store while it writes', async (_what, run) => {
  await using core = await TestCore.open({
    loggerConfig: { autoStart: true },
    transactionMaxBytes: 64 * 1024,
  });
  const collection = await fill(core);
  const seen = watch(core);
  await run(core, collection);
  expect(seen.batches).toBeGreaterThan(1);
  expect(seen.most).toBe(0);
});

const READERS: [string, (view: CollectionView) => AsyncGenerator][] = [
  ['the documents of a view are listed', (view) => view.pointers()],
  [
    'the documents of a view are read',
    async function* (view) {
      for await (const documents of view.pointers()) yield* view.lines(documents);
    },
  ],
];

test.each(READERS)(
  'while %s no snapshot of the store is held between two of them',
  async (_what, read) => {
    await using core = await TestCore.open();
    const collection = await fill(core);
    const snapshot = vi.spyOn(core.store.level, 'snapshot');
    const seen = watch(core);
    const view = await CollectionView.open(core.store, collection);
    const pieces = read(view);
    while (!(await pieces.next()).done) {
      await core.documents.insert(core.system, collection, '{}');
    }
    view.close();
    expect(seen.batches).toBeGreaterThan(1);
    expect(seen.most).toBe(0);
    expect(snapshot).not.toHaveBeenCalled();
  },
);

test('the keys of a range come in groups, all of them and in order, whatever the size of a group', async () => {
  await using core = await TestCore.open();
  const collection = await core.collections.create(core.system, { name: 'c' });
  const expected = Array.from({ length: 10 }, (_, i) => `k${i}`);
  for (const key of expected) {
    await core.documents.insert(core.system, collection, `{"_key":"${key}"}`);
  }
  const range = numberRange(Space.primary, collection.number);
  for (const count of [1, 3, 5, 10, 11]) {
    const groups: string[][] = [];
    for await (const keys of keyGroups(core.store.level, range, count)) {
      groups.push(keys.map(primaryKeyDocument));
    }
    expect(groups.flat()).toEqual(expected);
    expect(groups.slice(0, -1).every(({ length }) => length === count)).toBe(true);
  }
});
