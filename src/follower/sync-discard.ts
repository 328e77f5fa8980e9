import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { SyncProgress } from './sync-progress.ts';

/**
 * Removes those hidden copies that are left, with their positions, in one batch with what `also` writes.
 * @throws ServiceError databaseNotFound
 */
export function discardCopies(
  { copies, progress }: { copies: CollectionCopies; progress: SyncProgress },
  database: Database,
  isLeft: (copy: Collection) => boolean,
  also?: (tx: WriteTx) => void,
): Promise<void> {
  return copies.discard(database, isLeft, (tx, going) => {
    database.assertAlive();
    for (const copy of going) progress.removePosition(tx, copy);
    also?.(tx);
  });
}
