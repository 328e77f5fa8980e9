import { type Origin } from '../changelog/changelog.ts';
import type { LogSession } from '../changelog/log-session.ts';
import { MarkerType, type UpsertMarkerType } from '../model/marker.ts';
import { CollectionType } from '../model/collection.ts';
import type { Tick } from '../model/tick.ts';
import { buildData } from '../protocol/json-text.ts';
import { documentTail, transactionTail } from '../protocol/line.ts';
import { primaryKey } from '../storage/keys.ts';
import { type Pointer, decodePointer, encodePointer } from '../storage/pointer.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { CollectionStats } from './collection-stats.ts';
import type { Database } from './database.ts';
import type { IndexedDocument } from './secondary-index.ts';
import { documentOfLine } from './stored-document.ts';

/** A document to be written, apart from key and revision. */
export interface DocumentContent {
  /** The user's attributes, parsed; looked at only where there are indexes. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Source text of the user's attributes, joined by commas. */
  readonly rest: string;
}

export interface DocumentTxOptions {
  readonly origin: Origin;
  /** Log the writes as one transaction, 2200 .. 2201, even if it is a single one. */
  readonly grouped: boolean;
}

interface Logged {
  readonly tick: Tick;
  readonly type: number;
  readonly collection: Collection;
  readonly tail: string;
}

/**
 * The document writes of one request within one database: journal entry, log entry, pointer,
 * indexes and figures of each, all in the same batch (P1). `finish` must be called at the end.
 * Each method checks before it writes, so one that throws has changed nothing.
 */
export class DocumentTx {
  readonly #tx: WriteTx;
  readonly #database: Database;
  readonly #options: DocumentTxOptions;
  readonly #stats = new Map<Collection, CollectionStats>();
  readonly #logged: Logged[] = [];
  readonly #startTick: Tick;
  #log: LogSession | undefined;
  #unlogged: Tick = 0n;

  constructor(deps: { tx: WriteTx; database: Database }, options: DocumentTxOptions) {
    this.#tx = deps.tx;
    this.#database = deps.database;
    this.#options = options;
    this.#startTick = options.grouped ? deps.tx.drawTick() : 0n;
  }

  pointer(collection: Collection, key: string): Pointer | undefined {
    const stored = this.#tx.get(primaryKey(collection.number, key));
    return stored && decodePointer(stored);
  }

  /** The whole document a pointer of this transaction refers to, parsed. */
  document(collection: Collection, pointer: Pointer): IndexedDocument {
    return documentOfLine(this.#tx.readLine(collection.number, pointer));
  }

  stats(collection: Collection): CollectionStats {
    return this.#stats.get(collection) ?? collection.readStats(this.#tx);
  }

  /** Notes the last key an autoincrement generator gave out. */
  setLastKey(collection: Collection, lastKey: number): void {
    this.#stats.set(collection, { ...this.stats(collection), lastKey });
  }

  /**
   * Inserts, or replaces what `old` points to. The revision is the entry's tick unless one is given.
   * @throws ServiceError uniqueConstraintViolated by a secondary index.
   */
  upsert(
    collection: Collection,
    key: string,
    content: DocumentContent,
    old: Pointer | undefined,
    rev?: string,
  ): string {
    if (collection.indexes.length > 0) this.#reindex(collection, key, content, old);
    const tick = this.#tx.drawTick();
    const newRev = rev ?? tick.toString();
    const type: UpsertMarkerType =
      collection.type === CollectionType.edge ? MarkerType.edge : MarkerType.document;
    const data = buildData(key, newRev, content.from, content.to, content.rest);
    const pointer = encodePointer(tick, newRev);
    this.#tx.put(primaryKey(collection.number, key), pointer);
    const bytes = this.#tx
      .journal(collection.number)
      .append(
        { tick, type, collection: collection.number, transaction: 0n },
        documentTail({ type, key, rev: newRev, data }),
        pointer,
      );
    this.#count(collection, tick, bytes, old ? 0 : 1, old ? 1 : 0);
    this.#logDocument(collection, tick, { type, key, rev: newRev, oldRev: old?.rev, data });
    return newRev;
  }

  /** Removes what `old` points to; returns the revision of the removal. */
  remove(collection: Collection, key: string, old: Pointer, rev?: string): string {
    if (collection.indexes.length > 0) {
      const before = this.document(collection, old);
      for (const index of collection.indexes) index.remove(this.#tx, before, key);
    }
    const tick = this.#tx.drawTick();
    const newRev = rev ?? tick.toString();
    const type = MarkerType.remove;
    this.#tx.del(primaryKey(collection.number, key));
    const bytes = this.#tx
      .journal(collection.number)
      .append(
        { tick, type, collection: collection.number, transaction: 0n },
        documentTail({ type, key, rev: newRev }),
      );
    this.#count(collection, tick, bytes, -1, 2);
    this.#logDocument(collection, tick, { type, key, rev: newRev, oldRev: old.rev });
    return newRev;
  }

  /** Writes figures and log entries. */
  finish(): void {
    for (const [collection, stats] of this.#stats) {
      collection.writeStats(this.#tx, { ...stats, newBlocks: stats.newBlocks + 1 });
    }
    if (this.#options.grouped && this.#logged.length > 0) this.#logGroup();
    this.#log?.end();
    if (this.#unlogged > 0n) {
      this.#database.changelog.noteUnlogged(this.#tx, this.#unlogged, this.#options.origin);
    }
  }

  #reindex(
    collection: Collection,
    key: string,
    content: DocumentContent,
    old: Pointer | undefined,
  ): void {
    const after: IndexedDocument = {
      ...content.value,
      _key: key,
      _id: `${collection.name}/${key}`,
      ...(content.from === undefined ? {} : { _from: content.from, _to: content.to }),
    };
    for (const index of collection.indexes) index.check(this.#tx, after, key);
    const before = old && this.document(collection, old);
    for (const index of collection.indexes) {
      if (before) index.remove(this.#tx, before, key);
      index.insert(this.#tx, after, key);
    }
  }

  #count(collection: Collection, tick: Tick, bytes: number, live: number, dead: number): void {
    const stats = this.stats(collection);
    this.#stats.set(collection, {
      ...stats,
      count: stats.count + live,
      entries: stats.entries + 1,
      dead: stats.dead + dead,
      bytes: stats.bytes + bytes,
      lastTick: tick,
    });
  }

  #logDocument(
    collection: Collection,
    tick: Tick,
    line: {
      type: UpsertMarkerType | typeof MarkerType.remove;
      key: string;
      rev: string;
      oldRev: string | undefined;
      data?: string;
    },
  ): void {
    if (collection.excluded) return;
    if (!this.#database.changelog.logs(this.#options.origin)) {
      this.#unlogged = tick;
      return;
    }
    const grouped = this.#options.grouped;
    const tail = documentTail({
      ...line,
      tid: grouped ? this.#startTick.toString() : undefined,
      cid: collection.cid,
      cname: collection.name,
    });
    // The first line of a group tells how many follow, so a group is written when all are known.
    if (grouped) this.#logged.push({ tick, type: line.type, collection, tail });
    else this.#append(tick, line.type, collection.number, 0n, tail);
  }

  #logGroup(): void {
    const tid = this.#startTick;
    const operations = new Map<Collection, number>();
    for (const { collection } of this.#logged) {
      operations.set(collection, (operations.get(collection) ?? 0) + 1);
    }
    const collections = [...operations].map(([{ cid, name }, count]) => {
      return { cid, name, operations: count };
    });
    const { transactionStart, transactionCommit } = MarkerType;
    const start = transactionTail(transactionStart, tid.toString(), collections);
    this.#append(tid, transactionStart, 0, tid, start);
    for (const { tick, type, collection, tail } of this.#logged) {
      this.#append(tick, type, collection.number, tid, tail);
    }
    const commit = transactionTail(transactionCommit, tid.toString(), collections);
    this.#append(this.#tx.drawTick(), transactionCommit, 0, tid, commit);
  }

  #append(tick: Tick, type: number, collection: number, transaction: bigint, tail: string): void {
    this.#log ??= this.#database.changelog.begin(this.#tx);
    this.#log.append({ tick, type, collection, transaction }, tail);
  }
}
