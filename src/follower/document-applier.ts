import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { DocumentTx } from '../documents/document-tx.ts';
import { trackGivenKey } from '../documents/key-generator.ts';
import type { IndexedDocument } from '../documents/secondary-index.ts';
import { CollectionType } from '../model/collection.ts';
import { ENTRY_MARK } from '../model/error-words.ts';
import { type ErrorName, ServiceError, isServiceError } from '../model/errors.ts';
import { MarkerType } from '../model/marker.ts';
import { isValidKey } from '../model/names.ts';
import { MAX_TICK, type Tick } from '../model/tick.ts';
import type { PlainLines } from '../protocol/plain-lines.ts';
import type { RunPart } from '../protocol/run-part.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { NumericRevisions } from '../model/numeric-revisions.ts';
import type { AppliedLines } from './applier-draft.ts';
import { isFollowed } from './followed-collection.ts';
import type { LeaderCollections } from './leader-collections.ts';
import type { PageLines } from './page-lines.ts';
import type { Restriction } from './restriction.ts';

/** A document that was removed for one of the leader with the same value in a unique index. */
export interface Displaced {
  readonly collection: string;
  readonly key: string;
  /** Key of the leader's. */
  readonly by: string;
  /** Of the leader's line. */
  readonly tick: Tick;
}

/** Local documents removed for one that comes in, before the error stands (contract 6.7, rule of 3.8). */
const CONFLICTS_MAX = 10;
const OFFENDING_BYTES = 256;
const MAX_TICK_DIGITS = 19;
const NUMBER = /^[1-9][0-9]{0,18}$/;
const LARGE_NUMBER = /^[1-9][0-9]{18,19}$/;

/**
 * An error with the start of the line it is about behind its message (contract 6.7). One that has
 * it already stays as it is.
 */
export function offending(error: ServiceError, body: Buffer, lines: PageLines): ServiceError {
  if (error.message.includes(ENTRY_MARK)) return error;
  const end = Math.min(lines.lineEnd - 1, lines.lineStart + OFFENDING_BYTES);
  // A character cut in half is left out.
  const start = body
    .toString('utf8', lines.lineStart, end)
    .replace(/\ufffd+$/, '')
    .trimStart();
  return new ServiceError(error.kind, `${error.message}${ENTRY_MARK}${start}`, {
    cause: error,
  });
}

/** As `offending`, for a new error with the text its kind has. */
export function refuse(kind: ErrorName, body: Buffer, lines: PageLines): ServiceError {
  return offending(new ServiceError(kind), body, lines);
}

/**
 * Applies the document lines of one batch (contract 6.7). Nothing is enforced but unique indexes:
 * caps and key rules are the leader's, whose removals come through the log as well.
 */
export class DocumentApplier {
  readonly #tx: WriteTx;
  readonly #database: Database;
  readonly #restriction: Restriction;
  readonly #theirs: LeaderCollections;
  readonly #knownTick: Tick;
  readonly #onDisplaced: ((displaced: Displaced) => void) | undefined;
  readonly #revisions = new NumericRevisions();
  #writes: DocumentTx | undefined;
  readonly #counts = { excluded: 0, documents: 0, removals: 0 };
  #spoiled = false;
  /** Neighbouring lines mostly belong to one collection. */
  #lastCid = '';
  #lastCname = '';
  #last: Collection | undefined;
  /** What the log says of the last one up to here is in it already. */
  #copiedUpTo: Tick = 0n;
  /** Where parts of runs go to, each to another one. */
  readonly #takers = new Map<RunPart, Collection>();
  readonly #taken = new Set<Collection>();

  /** @param deps.onDisplaced told once it is committed of what does not come again with a later line */
  constructor(
    deps: {
      tx: WriteTx;
      database: Database;
      onDisplaced?: ((displaced: Displaced) => void) | undefined;
    },
    options: { restriction: Restriction; theirs: LeaderCollections; knownTick: Tick },
  ) {
    this.#tx = deps.tx;
    this.#database = deps.database;
    this.#onDisplaced = deps.onDisplaced;
    this.#restriction = options.restriction;
    this.#theirs = options.theirs;
    this.#knownTick = options.knownTick;
  }

  /** What became of the lines so far. */
  get counts(): AppliedLines {
    return this.#counts;
  }

  /** How many collections are written to so far. */
  get collections(): number {
    return this.#writes?.collections ?? 0;
  }

  /**
   * Whether a line failed after documents in its way had been removed: nothing of the batch may be
   * written then.
   */
  get spoiled(): boolean {
    return this.#spoiled;
  }

  /** What follows, up to `endGroup`, is one transaction in the log of this server. */
  beginGroup(): void {
    this.#documents.beginGroup();
  }

  endGroup(): void {
    this.#documents.endGroup();
  }

  /**
   * Applies the present line, a 2300, 2301 or 2302. One that fails has changed nothing, unless `spoiled`
   * says so.
   *
   * @throws ServiceError collectionNotFound, collectionTypeInvalid, illegalDocumentKey, badParameter for a
   *   revision above 2^63, uniqueConstraintViolated, each with the start of the line
   */
  apply(lines: PageLines, body: Buffer): void {
    try {
      const collection = this.#collection(lines);
      if (!collection) return;
      this.#noteRevision(lines.rev);
      if (lines.type === MarkerType.remove) {
        this.#remove(collection, lines);
        this.#counts.removals++;
      } else {
        this.#upsert(collection, lines, body);
        this.#counts.documents++;
      }
    } catch (error) {
      throw error instanceof ServiceError ? offending(error, body, lines) : error;
    }
  }

  /**
   * Applies a run of lines.
   * @returns false when some have to be applied one by one: then none is, and their parts are refused
   */
  applyRun(run: PlainLines): boolean {
    const { firstTick } = run;
    const collections: Collection[] = [];
    for (const part of run.parts) {
      const collection = this.#takerOf(part, firstTick);
      if (collection) collections.push(collection);
      else part.isRefused = true;
    }
    if (collections.length < run.parts.length) return false;
    this.#documents.writeRun(collections, run);
    this.#revisions.addNumber(run.largestRevision);
    for (const { count, removals } of run.parts) {
      this.#counts.removals += removals;
      this.#counts.documents += count - removals;
    }
    return true;
  }

  /** The collection that takes the lines of a part as they are; undefined when they have to be looked at one by one. */
  #takerOf(part: RunPart, firstTick: Tick): Collection | undefined {
    const collection = this.#takers.get(part) ?? this.#newTaker(part, firstTick);
    const wanted = collection?.type === CollectionType.edge ? MarkerType.edge : MarkerType.document;
    return (part.upsertType ?? wanted) === wanted ? collection : undefined;
  }

  #newTaker(part: RunPart, firstTick: Tick): Collection | undefined {
    const { cid, cname } = part;
    const collection = this.#find(cid, cname);
    if (!collection || this.#taken.has(collection)) return undefined;
    if (firstTick <= this.#copiedUpTo) return undefined;
    if (!this.#documents.takesRuns(collection)) return undefined;
    this.#takers.set(part, collection);
    // Another part may be of the same one, found by its name: lines of two would not be written in their order.
    this.#taken.add(collection);
    return collection;
  }

  /** Writes figures and log, and pushes the own counter above all revisions seen and above `tick`. */
  finish(tick: Tick): void {
    this.#writes?.finish();
    const { largest } = this.#revisions;
    this.#tx.observeTick(largest > tick ? largest : tick);
  }

  /** Refused here, one that is too large is the fault of its line, and not of the whole batch. */
  #noteRevision(rev: string): void {
    if (rev.length >= MAX_TICK_DIGITS && LARGE_NUMBER.test(rev) && BigInt(rev) >= MAX_TICK) {
      throw new ServiceError('badParameter', `revision ${rev} is above 2^63`);
    }
    this.#revisions.add(rev);
  }

  get #documents(): DocumentTx {
    return (this.#writes ??= new DocumentTx(
      { tx: this.#tx, database: this.#database },
      { origin: 'remote', grouped: false },
    ));
  }

  /**
   * Undefined when the line is to be passed over: not followed, older than the copy that is here, or of what is
   * gone by a later line.
   */
  #collection(lines: PageLines): Collection | undefined {
    const { cid, cname } = lines;
    const last = this.#lastOf(cid, cname);
    if (last) return lines.tick > this.#copiedUpTo ? last : undefined;
    const found = this.#find(cid, cname);
    if (found) return lines.tick > this.#copiedUpTo ? found : undefined;
    const named = { cid, name: cname };
    if (!isFollowed(this.#restriction, named, this.#theirs.find(cid, cname))) {
      this.#counts.excluded++;
    } else if (!this.#theirs.isOutdated(named, lines.tick)) throw this.#theirs.missing(named);
    return undefined;
  }

  /** Finds a collection and remembers it as the last one; undefined when it is not here, or not followed. */
  #find(cid: string, cname: string): Collection | undefined {
    const found = this.#theirs.find(cid, cname);
    if (!found || !isFollowed(this.#restriction, { cid, name: cname }, found)) return undefined;
    this.#last = found;
    this.#copiedUpTo = this.#theirs.copiedUpTo(found);
    this.#lastCid = cid;
    this.#lastCname = cname;
    return found;
  }

  #lastOf(cid: string, cname: string): Collection | undefined {
    return cid === this.#lastCid && cname === this.#lastCname ? this.#last : undefined;
  }

  #remove(collection: Collection, lines: PageLines): void {
    const pointer = this.#documents.pointer(collection, lines.key);
    if (pointer) this.#documents.remove(collection, lines.key, pointer, lines.rev);
  }

  #upsert(collection: Collection, lines: PageLines, body: Buffer): void {
    if (!isValidKey(lines.key)) throw new ServiceError('illegalDocumentKey');
    checkType(collection, lines);
    let removed = 0;
    try {
      for (;;) {
        const conflict = this.#tryWrite(collection, lines);
        if (!conflict) return;
        if (removed >= CONFLICTS_MAX || !this.#removeConflict(collection, lines, body)) {
          throw conflict;
        }
        removed++;
      }
    } catch (error) {
      this.#spoiled ||= removed > 0;
      throw error;
    }
  }

  /** Writes a document, or says that others have unique values that it needs. */
  #tryWrite(collection: Collection, lines: PageLines): ServiceError | undefined {
    try {
      this.#write(collection, lines);
    } catch (error) {
      if (isServiceError(error, 'uniqueConstraintViolated')) return error;
      throw error;
    }
    trackGivenKey(this.#documents, collection, lines.key);
    return undefined;
  }

  #write(collection: Collection, lines: PageLines): void {
    const { key, rev } = lines;
    const old = this.#documents.pointer(collection, key);
    if (lines.exact) {
      this.#documents.upsertCut(collection, key, rev, lines, old);
      return;
    }
    const { value, from, to, rest } = lines.parsed();
    const ends = collection.type === CollectionType.edge ? { from, to } : {};
    this.#documents.upsert(collection, key, { value: value ?? {}, rest, ...ends }, old, rev);
  }

  /**
   * Removes the local document in the way, if it is none of the leader's, or comes later in the log: of a log that is
   * read a second time the leader may have made the index after the line, and have both.
   * @returns false when there is none, or it would not come again
   */
  #removeConflict(collection: Collection, lines: PageLines, body: Buffer): boolean {
    const { key: by, tick } = lines;
    const text = lines.exact ? body.toString('utf8', lines.dataStart, lines.dataEnd) : undefined;
    const document = (
      text === undefined ? { ...lines.parsed().value } : JSON.parse(text)
    ) as IndexedDocument;
    const key = this.#documents.conflict(collection, by, document);
    const pointer = key === undefined ? undefined : this.#documents.pointer(collection, key);
    if (key === undefined || !pointer) return false;
    const comesAgain = NUMBER.test(pointer.rev) && BigInt(pointer.rev) > tick;
    if (!comesAgain && tick <= this.#knownTick) return false;
    this.#documents.remove(collection, key, pointer);
    if (!comesAgain) {
      const displaced = { collection: collection.name, key, by, tick };
      this.#tx.afterCommit(() => this.#onDisplaced?.(displaced));
    }
    return true;
  }
}

/** @throws ServiceError collectionTypeInvalid (1218): an edge in a document collection, or the reverse */
function checkType(collection: Collection, lines: PageLines): void {
  const wantsEdge = collection.type === CollectionType.edge;
  // Leaders of 3.x write edges as 2300; there the ends in the document tell.
  const isEdge =
    lines.type === MarkerType.edge ||
    (!lines.exact && wantsEdge && lines.parsed().from !== undefined);
  if (isEdge !== wantsEdge) throw new ServiceError('collectionTypeInvalid');
  if (!lines.exact && wantsEdge && lines.parsed().to === undefined) {
    throw new ServiceError('collectionTypeInvalid');
  }
}
