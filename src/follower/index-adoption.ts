import { type ChangeContext, changeCatalogue, logChange } from '../documents/catalogue-change.ts';
import type { Collection, IndexRecord } from '../documents/collection.ts';
import type { Collections } from '../documents/collections.ts';
import type { Database } from '../documents/database.ts';
import { newIndexDefinition, sameIndex } from '../documents/index-definition.ts';
import type { IndexDefinition } from '../model/collection.ts';
import { MarkerType } from '../model/marker.ts';
import { Space, numberRange } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';

export interface IndexAdoptionDeps {
  readonly store: Store;
  readonly collections: Collections;
  readonly database: Database;
}

/**
 * Makes an index of the leader with the leader's id. An equal index that a client made here gets that id,
 * without being built again; another index of this collection that has the id is dropped.
 *
 * @param described the index as the leader describes it, `id` being a string
 * @param context `also` is run in the batch that completes the index
 * @throws ServiceError httpBadParameter for a bad definition, uniqueConstraintViolated,
 *   collectionNotFound when the collection is dropped meanwhile
 */
export async function adoptIndex(
  deps: IndexAdoptionDeps,
  collection: Collection,
  described: Readonly<Record<string, unknown>>,
  context: ChangeContext,
): Promise<void> {
  const { store, collections, database } = deps;
  const definition = newIndexDefinition(described, String(described['id']));
  const { id } = definition;
  for (;;) {
    const isDone = await changeCatalogue(store, database, { origin: context.origin }, (tx) => {
      collection.assertAlive();
      const isThere =
        collection.indexDefinitions.some((each) => isSame(each, definition)) ||
        takeOver(tx, deps, collection, definition, context);
      if (isThere) context.also?.(tx);
      return isThere;
    });
    if (isDone) return;
    const made = await collections.createIndex(database, collection, described, context);
    // A client may have made an equal one at the same time.
    if (made.definition.id === id) return;
  }
}

/** Whether it is the wanted one, id included. */
function isSame(definition: IndexDefinition, wanted: IndexDefinition): boolean {
  return definition.id === wanted.id && sameIndex(definition, wanted);
}

/** Whether a finished index has the id or the rules of the wanted one. */
function isInTheWay({ definition, building }: IndexRecord, wanted: IndexDefinition): boolean {
  if (building) return false;
  return definition.id === wanted.id || sameIndex(definition, wanted);
}

/** Drops the index that has the id, and gives the id to the equal one; false when there is none. */
function takeOver(
  tx: WriteTx,
  { store, database }: IndexAdoptionDeps,
  collection: Collection,
  wanted: IndexDefinition,
  context: ChangeContext,
): boolean {
  const { record, cid, name: cname } = collection;
  const inTheWay = record.indexes.filter((each) => isInTheWay(each, wanted));
  if (inTheWay.length === 0) return false;
  const equal = inTheWay.find(({ definition }) => sameIndex(definition, wanted));
  const others = record.indexes.filter((each) => !inTheWay.includes(each));
  const indexes = equal ? [...others, { number: equal.number, definition: wanted }] : others;
  collection.writeRecord(tx, { ...record, indexes });
  tx.observeTick(BigInt(wanted.id));
  for (const { number, definition } of inTheWay) {
    if (number !== equal?.number) {
      store.eraser.erase(tx, numberRange(Space.secondary, number));
    }
    const type = MarkerType.indexDrop;
    logChange(tx, database, collection, context, { type, cid, cname, id: definition.id });
  }
  if (!equal) return false;
  const type = MarkerType.indexCreate;
  logChange(tx, database, collection, context, { type, cid, cname, index: wanted });
  return true;
}
