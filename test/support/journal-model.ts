import { expect } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { dataOfLine } from '../../src/documents/stored-document.ts';
import { MarkerType } from '../../src/model/marker.ts';
import { MAX_TICK, type Tick } from '../../src/model/tick.ts';
import { Space } from '../../src/storage/keys.ts';
import { readPage } from '../../src/storage/page.ts';
import type { Store } from '../../src/storage/store.ts';

/** Texts of documents by key. */
export type Documents = Map<string, string>;

interface Change {
  readonly tick: Tick;
  readonly key: string;
  /** undefined for a removal. */
  readonly data: string | undefined;
}

/** All changes of a collection ever made, kept outside of the store. */
export class JournalModel {
  readonly #changes: Change[] = [];
  readonly now: Documents = new Map();

  get length(): number {
    return this.#changes.length;
  }

  note(change: Change): void {
    this.#changes.push(change);
    apply(this.now, change);
  }

  /** The documents as they were when everything up to this tick was committed. */
  asOf(tick: Tick): Documents {
    const documents: Documents = new Map();
    for (const change of this.#changes) {
      if (change.tick > tick) break;
      apply(documents, change);
    }
    return documents;
  }
}

/** What a follower does with the entries of a journal from `from` (exclusive) to `to`, page by page. */
export async function replay(
  store: Store,
  collection: Collection,
  onto: Documents,
  range: { from?: Tick; to?: Tick; limitBytes?: number } = {},
): Promise<{ entries: number; bytes: number }> {
  const { to = MAX_TICK, limitBytes = 10_000 } = range;
  let from = range.from ?? 0n;
  let entries = 0;
  let bytes = 0;
  for (;;) {
    const journal = { space: Space.journal, number: collection.number } as const;
    const page = await readPage(store.level, { ...journal, from, to, limitBytes });
    entries += page.count;
    bytes += page.body.length;
    for (const line of page.body.toString().split('\n').slice(0, -1)) {
      apply(onto, changeOf(line));
    }
    if (!page.more) return { entries, bytes };
    from = page.lastScanned;
  }
}

/** Says that two sets of documents are equal, in few words when they are not. */
export function expectSame(actual: Documents, expected: Documents, what: string): void {
  const differences: string[] = [];
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    if (actual.get(key) !== expected.get(key)) {
      const [is, should] = [actual.get(key), expected.get(key)].map((text) => text?.slice(0, 60));
      differences.push(`${key}: ${is ?? '-'} instead of ${should ?? '-'}`);
    }
  }
  expect(differences.slice(0, 5), what).toEqual([]);
}

/** Checks what must hold of a collection at rest: reads, journal and figures agree with the model. */
export async function expectWhole(
  store: Store,
  collection: Collection,
  model: JournalModel,
): Promise<void> {
  const read: Documents = new Map();
  for (const key of model.now.keys()) {
    const found = store.readLine(collection.number, key);
    if (found) read.set(key, dataOfLine(found.line));
  }
  expectSame(read, model.now, 'reads by key');
  const replayed: Documents = new Map();
  const { entries, bytes } = await replay(store, collection, replayed);
  expectSame(replayed, model.now, 'the journal from its start');
  const { stats } = collection;
  expect({ count: stats.count, entries: stats.entries, bytes: stats.bytes }).toEqual({
    count: model.now.size,
    entries,
    bytes,
  });
  expect(stats.dead).toBe(entries - model.now.size);
}

function changeOf(line: string): Change {
  const parsed = JSON.parse(line) as { tick: string; type: number; key: string };
  const isRemoval = parsed.type === MarkerType.remove;
  const data = isRemoval ? undefined : dataOfLine(line);
  return { tick: BigInt(parsed.tick), key: parsed.key, data };
}

function apply(documents: Documents, { key, data }: Change): void {
  if (data === undefined) documents.delete(key);
  else documents.set(key, data);
}
