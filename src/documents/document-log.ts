import { assert } from '../base/assert.ts';
import type { Origin } from '../changelog/changelog.ts';
import type { LogAddition, LogSession } from '../changelog/log-session.ts';
import { type DocumentMarkerType, MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { documentHead, documentTail, transactionTail } from '../protocol/line.ts';
import type { BlockWriter, LineData } from '../storage/block-writer.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';

/** The fields a log line shares with the journal line, and the revision it replaces. */
export interface LoggedLine {
  readonly type: DocumentMarkerType;
  readonly key: string;
  readonly rev: string;
  readonly oldRev: string | undefined;
}

interface GroupedLine {
  readonly tick: Tick;
  readonly collection: Collection;
  readonly line: LoggedLine;
  readonly data: LineData | undefined;
}

/**
 * The log entries of one request's document writes: standalone, or in groups of 2200 .. 2201. A
 * group's first line says how many follow, so its lines are held until it ends.
 */
export class DocumentLog {
  readonly #tx: WriteTx;
  readonly #database: Database;
  readonly #origin: Origin;
  #session: LogSession | undefined;
  #group: { tid: Tick; startTick: Tick; lines: GroupedLine[] } | undefined;
  #unlogged: Tick = 0n;

  constructor(deps: { tx: WriteTx; database: Database }, options: { origin: Origin }) {
    this.#tx = deps.tx;
    this.#database = deps.database;
    this.#origin = options.origin;
  }

  /** @param tid id of the transaction; the tick of its 2200 where it has no older one */
  beginGroup(tid?: Tick): void {
    assert(!this.#group, 'groups do not nest');
    const startTick = this.#tx.drawTick();
    this.#group = { tid: tid ?? startTick, startTick, lines: [] };
  }

  /** Logs the group; one without lines leaves no trace (contract 2.7). */
  endGroup(): void {
    const group = this.#group;
    assert(group, 'a group was begun');
    this.#group = undefined;
    if (group.lines.length === 0) return;
    const tid = group.tid.toString();
    const collections = countByCollection(group.lines);
    const { transactionStart, transactionCommit } = MarkerType;
    const log = this.#log();
    log.append(
      { tick: group.startTick, type: transactionStart, collection: 0, transaction: group.tid },
      transactionTail(transactionStart, tid, collections),
    );
    for (const { collection, tick, line, data } of group.lines) {
      this.#append(collection, tick, line, data, group.tid);
    }
    log.append(
      {
        tick: this.#tx.drawTick(),
        type: transactionCommit,
        collection: 0,
        transaction: group.tid,
      },
      transactionTail(transactionCommit, tid, collections),
    );
  }

  /** Adds the entry of a write whose journal entry has this tick; `data` unless it is a removal. */
  add(collection: Collection, tick: Tick, line: LoggedLine, data?: LineData): void {
    if (collection.excluded) return;
    if (!this.#database.changelog.logs(this.#origin)) this.#unlogged = tick;
    else if (this.#group) this.#group.lines.push({ tick, collection, line, data });
    else this.#append(collection, tick, line, data, 0n);
  }

  /** Whether writes of a collection are left out of the log. */
  omits(collection: Collection): boolean {
    return collection.excluded || !this.#database.changelog.logs(this.#origin);
  }

  /** Notes writes that are left out of the log, the last of which has this tick; those noted before may have later ones. */
  omitted(collection: Collection, tick: Tick): void {
    if (!collection.excluded && tick > this.#unlogged) this.#unlogged = tick;
  }

  /**
   * Where the entries of neighbouring writes outside of a group go, one a write; undefined when they are left out of
   * the log. `wrote` must follow.
   */
  target(collection: Collection): BlockWriter | undefined {
    assert(!this.#group, 'the entries of a group are held until it ends');
    return this.omits(collection) ? undefined : this.#log().writer();
  }

  /** Notes neighbouring writes, whose entries are in the log if it has a `target` for them. */
  wrote(collection: Collection, writes: LogAddition): void {
    if (this.omits(collection)) this.omitted(collection, writes.lastTick);
    else this.#log().added(writes);
  }

  /** Ends an open group, and writes the state of the log. */
  finish(): void {
    if (this.#group) this.endGroup();
    this.#session?.end();
    if (this.#unlogged > 0n) {
      this.#database.changelog.noteUnlogged(this.#tx, this.#unlogged, this.#origin);
    }
  }

  #append(
    collection: Collection,
    tick: Tick,
    { type, key, rev, oldRev }: LoggedLine,
    data: LineData | undefined,
    transaction: Tick,
  ): void {
    const tid = transaction > 0n ? transaction.toString() : undefined;
    const line = { type, tid, cid: collection.cid, cname: collection.name, key, rev, oldRev };
    const entry = { tick, type, collection: collection.number, transaction };
    if (data === undefined) this.#log().append(entry, documentTail(line));
    else this.#log().appendData(entry, documentHead(line), data);
  }

  #log(): LogSession {
    return (this.#session ??= this.#database.changelog.begin(this.#tx));
  }
}

function countByCollection(
  lines: readonly GroupedLine[],
): { cid: string; name: string; operations: number }[] {
  const operations = new Map<Collection, number>();
  for (const { collection } of lines) {
    operations.set(collection, (operations.get(collection) ?? 0) + 1);
  }
  return [...operations].map(([{ cid, name }, count]) => ({ cid, name, operations: count }));
}
