import { assert } from '../base/assert.ts';
import type { Origin } from '../changelog/changelog.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { MarkerType, type UpsertMarkerType } from '../model/marker.ts';
import { isValidKey } from '../model/names.ts';
import { type Tick, tickText } from '../model/tick.ts';
import { buildData, dataHead } from '../protocol/json-text.ts';
import { documentHead, documentTail, journalHead } from '../protocol/line.ts';
import type { ByteSlice, CutLine } from '../storage/block-writer.ts';
import { type DocumentRows, longestRow } from '../storage/document-rows.ts';
import { OpenPointer, type Pointer } from '../storage/pointer.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { CappedDocument } from './cap-list.ts';
import type { Collection } from './collection.ts';
import type { CollectionStats } from './collection-stats.ts';
import type { Database } from './database.ts';
import { assertAdmitted } from './document-limits.ts';
import { DocumentLog } from './document-log.ts';
import {
  type DocumentBytes,
  type DocumentContent,
  type DocumentWrites,
  indexedDocument,
} from './document-writes.ts';
import { areNew, writeNew } from './new-documents.ts';
import { type PartedRun, writeRun } from './run-writes.ts';
import type { IndexedDocument } from './secondary-index.ts';
import { StatsChanges } from './stats-changes.ts';
import {
  type SplitText,
  bytesOf,
  dataOfLine,
  documentOfCut,
  documentOfLine,
} from './stored-document.ts';
import type { LockHolder, WriteLocks } from './write-locks.ts';

/** So many documents more than were written are removed at most with one request; the next goes on. */
const CAP_REMOVALS_MAX = 1000;

export interface DocumentTxOptions {
  readonly origin: Origin;
  /** Log all writes as one transaction, 2200 .. 2201, even a single one. */
  readonly grouped: boolean;
  /** The stream transaction that is committed: its id, and its locks are no obstacle. */
  readonly committing?: LockHolder & { readonly tid: Tick };
}

const CLOSE_BRACE = 0x7d;

/**
 * The document writes of one request within one database: journal entry, log entry, pointer,
 * indexes and figures of each, all in the same batch (P1). `finish` must be called at the end.
 * Each method checks before it writes, so one that throws has changed nothing.
 *
 * Local writes keep off what stream transactions hold. Remote ones do not: an applier does as its leader
 * did, and a transaction that meets with it fails when it is committed.
 */
export class DocumentTx implements DocumentWrites {
  readonly #tx: WriteTx;
  readonly #stats: StatsChanges;
  readonly #log: DocumentLog;
  readonly #database: Database;
  /** Whether it is a client who writes: to him caps and the limit of a document apply. */
  readonly #isLocal: boolean;
  /** Undefined when there is no need to look. */
  readonly #locks: WriteLocks | undefined;
  readonly #holder: LockHolder | undefined;
  /** Capped collections that clients have written into, and how often. */
  #grown: Map<Collection, number> | undefined;

  constructor(deps: { tx: WriteTx; database: Database }, options: DocumentTxOptions) {
    const { locks } = deps.database;
    this.#tx = deps.tx;
    this.#database = deps.database;
    this.#locks = options.origin === 'local' && !locks.isEmpty ? locks : undefined;
    this.#holder = options.committing;
    this.#stats = new StatsChanges({ tx: deps.tx });
    this.#log = new DocumentLog(deps, { origin: options.origin });
    // What comes from a leader is taken as it is, and its removals do what caps do here (design, section 5).
    this.#isLocal = options.origin === 'local';
    if (options.grouped) this.#log.beginGroup(options.committing?.tid);
  }

  drawTick(): Tick {
    return this.#tx.drawTick();
  }

  pointer(collection: Collection, key: string): Pointer | undefined {
    // What can be no key is not looked for: only ASCII is the same text in latin1.
    if (collection.frontier.lacks(key) || !isValidKey(key)) return undefined;
    return this.#tx.pointer(collection.primaryPrefix + key);
  }

  text(collection: Collection, _key: string, pointer: Pointer): string {
    return dataOfLine(this.#tx.readLine(collection.number, pointer));
  }

  /** The whole document a pointer of this transaction refers to, parsed. */
  document(collection: Collection, pointer: Pointer): IndexedDocument {
    return documentOfLine(this.#tx.readLine(collection.number, pointer));
  }

  stats(collection: Collection): CollectionStats {
    return this.#stats.of(collection);
  }

  /** How many collections are written to so far. */
  get collections(): number {
    return this.#stats.size;
  }

  setLastKey(collection: Collection, lastKey: number): void {
    this.#stats.setLastKey(collection, lastKey);
  }

  /** Writes from here to `endGroup` are logged as one transaction. Groups do not nest. */
  beginGroup(): void {
    this.#log.beginGroup();
  }

  endGroup(): void {
    this.#log.endGroup();
  }

  /**
   * Inserts, or replaces what `old` points to. The revision is the entry's tick unless one is given.
   * @throws ServiceError uniqueConstraintViolated by a secondary index; documentTooLarge for a document
   *   of a client that alone is above the bytes of a cap, or above the server's limit; conflict (409) with a lock.
   */
  upsert(
    collection: Collection,
    key: string,
    content: DocumentContent,
    old: Pointer | undefined,
    rev?: string,
  ): string {
    this.#locks?.assertDocumentFree(collection, key, this.#holder);
    const tick = this.#tx.drawTick();
    const newRev = rev ?? tickText(tick);
    const data = buildData(key, newRev, content.from, content.to, content.rest);
    if (this.#isLocal) assertAdmitted(this.#database, collection, data);
    if (collection.indexes.length > 0) {
      this.#reindex(collection, key, indexedDocument(key, content), old);
    }
    this.#write(collection, tick, key, newRev, old, data);
    return newRev;
  }

  /** As `upsert`, with the whole text of a document, `_key` and `_rev` first, as `text` gives it. */
  upsertText(
    collection: Collection,
    key: string,
    rev: string,
    text: string,
    old: Pointer | undefined,
  ): void {
    this.#locks?.assertDocumentFree(collection, key, this.#holder);
    if (this.#isLocal) assertAdmitted(this.#database, collection, text);
    if (collection.indexes.length > 0) {
      this.#reindex(collection, key, JSON.parse(text) as IndexedDocument, old);
    }
    this.#write(collection, this.#tx.drawTick(), key, rev, old, text);
  }

  /**
   * Removes the oldest documents of a capped collection until it is within its bounds.
   * @param max removals at most
   * @returns whether that was not enough
   */
  enforceCaps(collection: Collection, max: number): boolean {
    for (let removed = 0; ; removed++) {
      const oldest = this.#excess(collection);
      if (!oldest || removed >= max) return oldest !== undefined;
      const pointer = this.pointer(collection, oldest.key);
      if (pointer?.tick !== oldest.tick) {
        throw new ServiceError(
          'storageDamaged',
          `the list of a cap of collection '${collection.name}' does not fit its documents`,
        );
      }
      this.remove(collection, oldest.key, pointer);
    }
  }

  /**
   * As `upsert`, with a line as it stands in a page of our own shape, whose key and revision are `key` and
   * `rev`. The bytes are copied, not parsed, unless there are indexes.
   */
  upsertCut(
    collection: Collection,
    key: string,
    rev: string,
    line: CutLine,
    old: Pointer | undefined,
  ): void {
    this.#locks?.assertDocumentFree(collection, key, this.#holder);
    if (this.#isLocal) assertAdmitted(this.#database, collection, line);
    if (collection.indexes.length > 0) {
      this.#reindex(collection, key, documentOfCut(line), old);
    }
    this.#write(collection, this.#tx.drawTick(), key, rev, old, line);
  }

  /** Whether lines can go into a collection with nothing but their keys and revisions being looked at. */
  takesRuns(collection: Collection): boolean {
    return (
      !this.#locks &&
      !this.#isLocal &&
      collection.parameters.keyOptions?.type !== 'autoincrement' &&
      collection.indexes.length === 0 &&
      collection.caps.length === 0 &&
      this.#log.omits(collection)
    );
  }

  /** As `upsertCut` and `remove` for each line of a run, where `takesRuns`; see `writeRun`. */
  writeRun(collections: readonly Collection[], run: PartedRun): void {
    const deps = { tx: this.#tx, stats: this.#stats, log: this.#log, documents: this };
    writeRun(deps, collections, run);
  }

  /** Whether documents can be written by `writeNew`: where it is enough to know that they are new, and none is too long. */
  takesNew(collection: Collection, rows: DocumentRows): boolean {
    return (
      !this.#locks &&
      collection.parameters.keyOptions?.type !== 'autoincrement' &&
      collection.indexes.length === 0 &&
      collection.caps.length === 0 &&
      longestRow(rows) <= this.#database.documentMaxBytes &&
      areNew(collection, rows)
    );
  }

  /** As `upsertBytes` for each of the documents, in their order, where `takesNew`; outside of groups. */
  writeNew(collection: Collection, rows: DocumentRows): void {
    writeNew({ tx: this.#tx, stats: this.#stats, log: this.#log }, collection, rows);
  }

  /** As `upsert`; the bytes of the user's attributes are copied, not parsed, unless there are indexes. */
  upsertBytes(
    collection: Collection,
    key: string,
    { from, to, rest }: DocumentBytes,
    old: Pointer | undefined,
    rev?: string,
  ): string {
    this.#locks?.assertDocumentFree(collection, key, this.#holder);
    const tick = this.#tx.drawTick();
    const newRev = rev ?? tickText(tick);
    const isEmpty = rest.source[rest.start] === CLOSE_BRACE;
    const head = dataHead(key, newRev, from, to) + (isEmpty ? '' : ',');
    const text = { head, headBytes: Buffer.byteLength(head), rest };
    if (this.#isLocal) assertAdmitted(this.#database, collection, text);
    if (collection.indexes.length > 0) {
      const source = rest.source.toString('utf8', rest.start, rest.end);
      this.#reindex(collection, key, JSON.parse(head + source) as IndexedDocument, old);
    }
    this.#write(collection, tick, key, newRev, old, text);
    return newRev;
  }

  /** Key of a document that holds a unique value this one needs; undefined when none does. */
  conflict(collection: Collection, key: string, document: IndexedDocument): string | undefined {
    for (const index of collection.indexes) {
      const owner = index.conflict(this.#tx, document, key);
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  /** Removes what `old` points to; returns the revision of the removal. @throws ServiceError conflict (409) */
  remove(collection: Collection, key: string, old: Pointer, rev?: string): string {
    this.#locks?.assertDocumentFree(collection, key, this.#holder);
    if (collection.indexes.length > 0) {
      const before = this.document(collection, old);
      for (const index of collection.indexes) index.remove(this.#tx, before, key);
    }
    for (const cap of collection.caps) cap.remove(this.#tx, old.tick);
    const tick = this.#tx.drawTick();
    const newRev = rev ?? tickText(tick);
    const type = MarkerType.remove;
    if (!collection.views.isEmpty) collection.views.keep(this.#tx, key, old);
    this.#tx.putPointer(collection.primaryPrefix + key, null);
    const bytes = this.#tx
      .journal(collection.number)
      .append(
        { tick, type, collection: collection.number, transaction: 0n },
        documentTail({ type, key, rev: newRev }),
      );
    this.#stats.count(collection, { tick, bytes, live: -1, dead: 2 });
    this.#log.add(collection, tick, { type, key, rev: newRev, oldRev: old.rev });
    return newRev;
  }

  /**
   * Removes what there is no more room for where a client has written into a capped collection, and writes
   * figures and what is left to log.
   * @throws ServiceError storageDamaged; conflict (409) when there is a lock on what has to give way
   */
  finish(): void {
    for (const [collection, count] of this.#grown ?? []) {
      this.enforceCaps(collection, count + CAP_REMOVALS_MAX);
    }
    this.#log.finish();
    this.#stats.write();
  }

  #write(
    collection: Collection,
    tick: Tick,
    key: string,
    rev: string,
    old: Pointer | undefined,
    data: string | CutLine | SplitText,
  ): void {
    assert(old === undefined || old.tick < tick, 'a newer entry supersedes an older one');
    const type: UpsertMarkerType =
      collection.type === CollectionType.edge ? MarkerType.edge : MarkerType.document;
    if (!old) collection.frontier.add(key);
    else if (!collection.views.isEmpty) collection.views.keep(this.#tx, key, old);
    const pointer = new OpenPointer(tick, rev);
    this.#tx.putPointer(collection.primaryPrefix + key, pointer);
    const entry = { tick, type, collection: collection.number, transaction: 0n };
    const journal = this.#tx.journal(collection.number);
    const before = journal.bytes;
    let stored: ByteSlice;
    if (typeof data === 'string') {
      stored = journal.appendData(entry, documentHead({ type, key, rev }), data, pointer);
    } else if ('page' in data) {
      stored = journal.appendCut(entry, journalHead(type), data, pointer);
    } else {
      const { head, headBytes, rest } = data;
      const prefix = documentHead({ type, key, rev }) + head;
      const { source, start, end } = journal.appendData(entry, prefix, rest, pointer);
      stored = { source, start: start - headBytes, end };
    }
    const bytes = journal.bytes - before;
    this.#stats.count(collection, { tick, bytes, live: old ? 0 : 1, dead: old ? 1 : 0 });
    if (collection.caps.length > 0) {
      this.#keepCaps(collection, { tick, key, bytes: bytesOf(data) }, old);
    }
    // The log copies the bytes of the journal: the text need not be kept, nor encoded again.
    this.#log.add(collection, tick, { type, key, rev, oldRev: old?.rev }, stored);
  }

  #keepCaps(collection: Collection, document: CappedDocument, old: Pointer | undefined): void {
    for (const cap of collection.caps) {
      if (old) cap.remove(this.#tx, old.tick);
      cap.append(this.#tx, document);
    }
    if (!this.#isLocal) return;
    this.#grown ??= new Map();
    this.#grown.set(collection, (this.#grown.get(collection) ?? 0) + 1);
  }

  /**
   * Values that are given up need no lock: a transaction can have taken them over only from a document that
   * it holds.
   */
  #assertValuesFree(
    locks: WriteLocks,
    collection: Collection,
    key: string,
    after: IndexedDocument,
  ): void {
    for (const index of collection.indexes) {
      const entry = index.uniqueEntry(after, key);
      if (!entry) continue;
      locks.assertValuesFree(collection, index, entry.toString('latin1'), this.#holder);
    }
  }

  /** The document that a cap wants removed first. */
  #excess(collection: Collection): CappedDocument | undefined {
    const { count } = this.stats(collection);
    for (const cap of collection.caps) {
      const oldest = cap.excess(this.#tx, count);
      if (oldest) return oldest;
    }
    return undefined;
  }

  #reindex(
    collection: Collection,
    key: string,
    after: IndexedDocument,
    old: Pointer | undefined,
  ): void {
    if (this.#locks) this.#assertValuesFree(this.#locks, collection, key, after);
    for (const index of collection.indexes) index.check(this.#tx, after, key);
    const before = old && this.document(collection, old);
    for (const index of collection.indexes) {
      if (before) index.remove(this.#tx, before, key);
      index.insert(this.#tx, after, key);
    }
  }
}
