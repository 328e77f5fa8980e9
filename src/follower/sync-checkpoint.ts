import type { Database } from '../documents/database.ts';
import { isServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { loadApplierConfig } from './applier-config.ts';
import {
  type Checkpoint,
  UNKNOWN_LEADER,
  checkpointAt,
  readCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import type { SyncPosition } from './initial-syncer.ts';
import { Restriction } from './restriction.ts';

/**
 * Moves the position of the database's applier to where a sync ended, in the batch that puts the
 * copies in place (P3, P7): an applier that starts from its own position then neither passes over
 * what happened after the copy, nor misses what it still has to do for collections that were not copied.
 *
 * @param restriction what was copied
 */
export function moveCheckpoint(
  tx: WriteTx,
  { store, database }: { store: Store; database: Database },
  restriction: Restriction,
  position: SyncPosition,
): void {
  if (coversApplier(store, database, restriction) || isBehind(store, database, position)) {
    // What is staged of open transactions has no owner now, and goes when the applier starts.
    writeCheckpoint(tx, database.number, checkpointAt(position, tx.timeMs));
  }
}

/** Whether all that the applier is set to follow was copied, so that it has nothing older to do. */
function coversApplier(store: Store, database: Database, copied: Restriction): boolean {
  const config = loadApplierConfig(store, database.number);
  const { restrictType, restrictCollections, includeSystem } = config;
  const isEverything = copied.type === '' && (copied.includeSystem || !includeSystem);
  return (
    isEverything || copied.equals(new Restriction(restrictType, restrictCollections, includeSystem))
  );
}

/** Whether the copies are older than the applier's position: they need what came in between again. */
export function isBehind(
  store: Store,
  database: Database,
  { leaderId, tick }: Pick<SyncPosition, 'leaderId' | 'tick'>,
): boolean {
  const stored = readable(store, database);
  if (!stored || stored.processedTick <= tick) return false;
  return stored.leaderId === leaderId || stored.leaderId === UNKNOWN_LEADER;
}

function readable(store: Store, database: Database): Checkpoint | undefined {
  try {
    return readCheckpoint(store, database.number);
  } catch (error) {
    // The applier says so itself, with 1407, when it is started.
    if (isServiceError(error, 'invalidApplierState')) return undefined;
    throw error;
  }
}
