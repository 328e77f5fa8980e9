import type { Origin } from '../changelog/changelog.ts';
import { type DdlLine, ddlTail } from '../protocol/line.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection, Followed } from './collection.ts';
import type { Database } from './database.ts';

/** Who makes a change, and what else must be in its batch: the applier's checkpoint (P3). */
export interface ChangeContext {
  readonly origin: Origin;
  readonly also?: (tx: WriteTx) => void;
  /** Whose copy the collection created or renamed is from then on. */
  readonly followed?: Followed;
  /**
   * Asked about a collection whose name or id is wanted: whether it may be dropped in the same batch. May
   * throw what is to be said instead of duplicateName.
   */
  readonly mayReplace?: (inTheWay: Collection, tx: WriteTx) => boolean;
  /** Ends a change that takes long, such as building an index; then nothing of it is left. */
  readonly signal?: AbortSignal;
}

/** A change made by a client of this server. */
export const LOCAL: ChangeContext = { origin: 'local' };

/** Runs a change of a database's catalogue in a batch of its own, with what must be in it. */
export function changeCatalogue<T>(
  store: Store,
  database: Database,
  context: ChangeContext,
  run: (tx: WriteTx) => T,
): Promise<T> {
  return store.commit(
    (tx) => {
      database.assertAlive();
      const result = run(tx);
      context.also?.(tx);
      return result;
    },
    { exclusive: true },
  );
}

/** @throws ServiceError collectionNotFound when it is gone; readOnly when it is an applier's */
export function assertChangeable(
  database: Database,
  collection: Collection,
  context: ChangeContext,
): void {
  collection.assertAlive();
  if (context.origin === 'local') database.assertWritable(collection.name);
}

/** Logs a change of a collection, or notes that it went unlogged. */
export function logChange(
  tx: WriteTx,
  database: Database,
  collection: Collection,
  context: ChangeContext,
  line: DdlLine,
): void {
  if (collection.excluded) return;
  const tick = tx.drawTick();
  const { changelog } = database;
  if (!changelog.logs(context.origin)) {
    changelog.noteUnlogged(tx, tick, context.origin);
    return;
  }
  const log = changelog.begin(tx);
  log.append(
    { tick, type: line.type, collection: collection.number, transaction: 0n },
    ddlTail(line),
  );
  log.end();
}
