import { assert } from '../base/assert.ts';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { KeyCursor } from '../storage/key-cursor.ts';
import type { LineRun } from '../storage/line-run.ts';
import type { RunPart } from '../protocol/run-part.ts';
import { RunAppender } from '../storage/run-appender.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { DocumentLog } from './document-log.ts';
import type { DocumentWrites } from './document-writes.ts';
import type { StatsChanges } from './stats-changes.ts';

/** A run in parts: neighbouring lines, each with a collection of its own. */
export interface PartedRun extends LineRun {
  readonly parts: readonly Readonly<RunPart>[];
  readonly byParts: Int32Array;
}

interface RunDeps {
  readonly tx: WriteTx;
  readonly stats: StatsChanges;
  readonly log: DocumentLog;
  readonly documents: Pick<DocumentWrites, 'pointer'>;
}

/**
 * Writes the lines of a run into collections without indexes or caps whose writes are left out of the log; removals of
 * what is not there are passed over. Nothing but keys and revisions is looked at. Lines of one collection are written
 * together, in their order, and each has the tick that its place in the run gives it.
 * @param collections of the parts of the run, each another one
 */
export function writeRun(deps: RunDeps, collections: readonly Collection[], run: PartedRun): void {
  const lines = new RunAppender(run, { firstTick: drawAlike(deps.tx, run.count) });
  deps.tx.reserveLines(run.count);
  const key = new KeyCursor(0, run.page);
  // Without entries: each would be an object, and a page may have thousands of parts.
  let n = 0;
  for (const part of run.parts) {
    const collection = collections[n++];
    assert(collection, 'each part has its collection');
    writePart(deps, collection, { run, part, lines, key });
  }
}

function writePart(
  deps: RunDeps,
  collection: Collection,
  {
    run,
    part,
    lines,
    key,
  }: {
    run: PartedRun;
    part: Readonly<RunPart>;
    lines: RunAppender;
    key: KeyCursor;
  },
): void {
  const { tx } = deps;
  const { number, frontier, views } = collection;
  lines.begin(tx.journal(number), number);
  key.collection = number;
  let live = 0;
  let dead = 0;
  let entries = 0;
  for (let n = part.start; n < part.end; n++) {
    const i = run.byParts[n] ?? 0;
    key.moveTo(run.keyStarts[i] ?? 0, run.keyEnds[i] ?? 0);
    const isRemoval = run.types[i] === MarkerType.remove;
    const isNew = isRemoval ? frontier.lacksAt(key) : frontier.addIfLacking(key);
    const isOld = !isNew && tx.isLive(key);
    if (isRemoval && !isOld) continue;
    if (isOld && !views.isEmpty) keepOld(deps, collection, key.text);
    else if (!isOld && !isNew) frontier.addAt(key);
    lines.append(i);
    tx.putLine(key, lines);
    entries++;
    if (!isOld) live++;
    else if (isRemoval) live--;
    if (isOld) dead += isRemoval ? 2 : 1;
  }
  const written = lines.end();
  if (!written) return;
  const { bytes, lastTick } = written;
  deps.stats.count(collection, { tick: lastTick, bytes, live, dead, entries });
  deps.log.omitted(collection, lastTick);
}

function keepOld(
  { tx, documents }: { tx: WriteTx; documents: Pick<DocumentWrites, 'pointer'> },
  collection: Collection,
  key: string,
): void {
  const old = documents.pointer(collection, key);
  if (old) collection.views.keep(tx, key, old);
}

/** The first of some ticks that rise by one and have the same number of digits. */
export function drawAlike(tx: WriteTx, count: number): Tick {
  const first = tx.drawTicks(count);
  const last = first + BigInt(count - 1);
  return first.toString().length === last.toString().length ? first : tx.drawTicks(count);
}
