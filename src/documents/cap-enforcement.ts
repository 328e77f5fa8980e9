import type { Store } from '../storage/store.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import { DocumentTx } from './document-tx.ts';

/** Removals of one transaction; of many documents more than one is needed. */
const REMOVALS_PER_STEP = 10_000;

/**
 * Removes the oldest documents of a collection until it is within its cap, in whole transactions of a
 * bounded size. Others may write meanwhile.
 * @throws ServiceError collectionNotFound, readOnly; the reason of `signal` when that aborts
 */
export async function enforceCaps(
  store: Store,
  database: Database,
  collection: Collection,
  signal: AbortSignal,
): Promise<void> {
  for (let isOver = true; isOver;) {
    signal.throwIfAborted();
    isOver = await store.commit((tx) => {
      collection.assertAlive();
      database.assertWritable(collection.name);
      const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: true });
      const isMore = writes.enforceCaps(collection, REMOVALS_PER_STEP);
      writes.finish();
      return isMore;
    });
  }
}
