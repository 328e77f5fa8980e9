import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import type { LineRun } from '../storage/line-run.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { DocumentLog } from './document-log.ts';
import type { DocumentWrites } from './document-writes.ts';
import type { StatsChanges } from './stats-changes.ts';

/** A run, and the keys of its lines as texts, which are not kept. */
export type KeyedRun = LineRun & { keySlice(i: number): string };

/**
 * Writes the lines of a run into a collection without indexes or caps whose writes are left out of the log, in their
 * order; removals of what is not there are passed over. Nothing but keys and revisions is looked at.
 */
export function writeRun(
  deps: {
    tx: WriteTx;
    stats: StatsChanges;
    log: DocumentLog;
    documents: Pick<DocumentWrites, 'pointer'>;
  },
  collection: Collection,
  run: KeyedRun,
): void {
  const { tx, documents } = deps;
  const { number, primaryPrefix, frontier, views } = collection;
  const lines = tx.journal(number).beginRun(run, drawAlike(tx, run.count), number);
  let live = 0;
  let dead = 0;
  let entries = 0;
  for (let i = 0; i < run.count; i++) {
    const key = run.keySlice(i);
    const old = documents.pointer(collection, key);
    const isRemoval = run.types[i] === MarkerType.remove;
    if (isRemoval && !old) continue;
    if (!old) frontier.add(key);
    else if (!views.isEmpty) views.keep(tx, key, old);
    const pointer = lines.append(i);
    tx.putPointer(primaryPrefix + key, isRemoval ? null : pointer);
    entries++;
    if (!old) live++;
    else if (isRemoval) live--;
    if (old) dead += isRemoval ? 2 : 1;
  }
  const written = lines.end();
  if (!written) return;
  const { bytes, lastTick } = written;
  deps.stats.count(collection, { tick: lastTick, bytes, live, dead, entries });
  deps.log.omitted(collection, lastTick);
}

/** The first of some ticks that rise by one and have the same number of digits. */
export function drawAlike(tx: WriteTx, count: number): Tick {
  const first = tx.drawTicks(count);
  const last = first + BigInt(count - 1);
  return first.toString().length === last.toString().length ? first : tx.drawTicks(count);
}
