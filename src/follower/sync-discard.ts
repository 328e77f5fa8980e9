import type { Catalogue } from '../documents/catalogue.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { SyncProgress } from './sync-progress.ts';

/**
 * Removes hidden copies with their positions, except those in `keep`, in one batch with what `also`
 * writes. @throws ServiceError databaseNotFound
 */
export function discardCopies(
  deps: { catalogue: Catalogue; copies: CollectionCopies; progress: SyncProgress },
  database: Database,
  keep: ReadonlySet<number>,
  also: (tx: WriteTx) => void,
): Promise<void> {
  const { catalogue, copies, progress } = deps;
  return copies.discard(database, keep, (tx) => {
    database.assertAlive();
    for (const copy of catalogue.hiddenOf(database)) {
      if (!keep.has(copy.number)) progress.removePosition(tx, copy);
    }
    also(tx);
  });
}
