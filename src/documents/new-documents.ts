import { CollectionType } from '../model/collection.ts';
import { MarkerType } from '../model/marker.ts';
import { collectionFields } from '../protocol/line.ts';
import { AscendingKeys } from '../storage/ascending-keys.ts';
import { DocumentAppender } from '../storage/document-appender.ts';
import { type DocumentRows, isAscending, rowKey } from '../storage/document-rows.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { DocumentLog } from './document-log.ts';
import { drawAlike } from './run-writes.ts';
import type { StatsChanges } from './stats-changes.ts';

/** Whether it is known without a look into the store that all documents are new, and one above the other. */
export function areNew(collection: Collection, rows: DocumentRows): boolean {
  return rows.count > 0 && collection.frontier.isBelow(rowKey(rows, 0)) && isAscending(rows);
}

/**
 * Inserts documents that `areNew` into a collection without indexes or caps, each logged as a write of its own. A
 * document without a revision gets its tick.
 */
export function writeNew(
  deps: { tx: WriteTx; stats: StatsChanges; log: DocumentLog },
  collection: Collection,
  rows: DocumentRows,
): void {
  const { tx, log } = deps;
  const { count } = rows;
  const { number, primaryPrefix, cid, name } = collection;
  const firstTick = drawAlike(tx, count);
  const lastTick = firstTick + BigInt(count - 1);
  const appender = new DocumentAppender(
    { journal: tx.journal(number), log: log.target(collection) },
    {
      type: collection.type === CollectionType.edge ? MarkerType.edge : MarkerType.document,
      logFields: collectionFields(cid, name),
      firstTick,
      collection: number,
      transaction: 0n,
    },
  );
  appender.append(rows);
  const segments = appender.end();
  tx.addAscending(new AscendingKeys({ segments }, { prefix: primaryPrefix }));
  collection.frontier.raise(rowKey(rows, count - 1));
  const { journalBytes, logBytes } = appender;
  const effect = { tick: lastTick, bytes: journalBytes, live: count, dead: 0, entries: count };
  deps.stats.count(collection, effect);
  log.wrote(collection, { firstTick, lastTick, events: count, bytes: logBytes });
}
