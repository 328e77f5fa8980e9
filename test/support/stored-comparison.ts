import { expect } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { parametersToWire } from '../../src/model/collection.ts';
import { Space, numberRange } from '../../src/storage/keys.ts';
import type { Store } from '../../src/storage/store.ts';
import { type Documents, replay } from './journal-model.ts';
import { openCore } from './store.ts';
import { verifyCollection } from './verify-core.ts';

/** Entries of the indexes of a store, without what is each server's own. */
export type IndexEntries = ReadonlyMap<string, ReadonlyMap<string, string>>;

const NUMBER_BYTES = 5;

/**
 * Opens the data of a server that does not run. In each collection journal, pointers, figures, caps and indexes
 * must agree with one another.
 * @returns the entries of the indexes, by collection and id of the index
 */
export async function verifyStored(directory: string): Promise<IndexEntries> {
  const core = await openCore(directory);
  try {
    const all = new Map<string, ReadonlyMap<string, string>>();
    for (const collection of core.catalogue.get('_system').collections) {
      const { name, parameters, indexDefinitions } = collection;
      const documents: Documents = new Map();
      await replay(core.store, collection, documents);
      const indexes = new Map(indexDefinitions.map((each) => [each.id, each]));
      const wire = parametersToWire(parameters);
      await verifyCollection(core, collection, { name, parameters: wire, indexes, documents });
      for (const [id, entries] of await indexEntries(core.store, collection)) {
        all.set(`${name} (${collection.cid}) ${id}`, entries);
      }
    }
    return all;
  } finally {
    await core.store.close();
  }
}

/** Whoever looks something up in an index gets the same from both. */
export function expectSameIndexes(actual: IndexEntries, expected: IndexEntries): void {
  for (const [id, entries] of expected) expect(actual.get(id), `index ${id}`).toEqual(entries);
}

async function indexEntries(
  store: Store,
  { record }: Collection,
): Promise<Map<string, ReadonlyMap<string, string>>> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  for (const { number, definition } of record.indexes) {
    // The list of a cap goes by ticks, which are each server's own.
    if (definition.type === 'cap') continue;
    const { start, end } = numberRange(Space.secondary, number);
    const entries = await store.level.iterator({ gte: start, lt: end }).all();
    found.set(
      definition.id,
      new Map(entries.map(([key, value]) => [key.toString('hex', NUMBER_BYTES), value.toString()])),
    );
  }
  return found;
}
