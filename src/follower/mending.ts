import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { DocumentTx } from '../documents/document-tx.ts';
import { trackGivenKey } from '../documents/key-generator.ts';
import type { IndexedDocument } from '../documents/secondary-index.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { MarkerType, isDocumentMarker } from '../model/marker.ts';
import { isValidKey } from '../model/names.ts';
import { NumericRevisions } from '../model/numeric-revisions.ts';
import { isAcceptableTick } from '../model/tick.ts';
import { type ForeignLine, malformedLine, parsePage } from '../protocol/line-parser.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';

/** What a document is to be, and which one it is to take the place of. */
interface Mend {
  readonly key: string;
  readonly rev: string;
  /** Undefined where there is to be none so far. */
  readonly oldRev: string | undefined;
  /** Undefined for a removal. */
  readonly line: ForeignLine | undefined;
}

/** What became of the lines of a request. */
export interface MendResult {
  /** Documents that were written or removed. */
  readonly mended: number;
  /** Lines that were passed over: the document was another one by then, or its unique values are taken. */
  readonly skipped: number;
}

const NUMBER = /^[1-9][0-9]{0,19}$/;

/**
 * Makes documents of a copy what they are on its leader (`ticklog verify --repair`). Each line says which revision
 * was found here, and is passed over when there is another one by now: so an applier may run meanwhile, and whatever
 * it has applied stays. What is written is logged, or left out of the log, like what an applier writes; caps and key
 * rules are not enforced, and that a running applier keeps others from writing is no obstacle.
 */
export class Mending {
  readonly #store: Store;

  constructor(deps: { store: Store }) {
    this.#store = deps.store;
  }

  /**
   * Writes the lines of a request, all in one batch.
   *
   * @param body lines as in the log: 2300, 2301 and 2302, with `oldRev` where there is a document
   * @throws ServiceError invalidJson (600), invalidResponse (1401), unexpectedMarker (1406), collectionTypeInvalid
   *   (1218), illegalDocumentKey (1221), badParameter (10) for a revision above 2^62; collectionNotFound,
   *   storageDamaged. Nothing is changed then.
   */
  async run(database: Database, collection: Collection, body: Buffer): Promise<MendResult> {
    const mends = [...parsePage(body)].map((line) => mendOf(collection, line));
    return await this.#store.commit((tx) => {
      collection.assertAlive();
      const skipped = new MendWriter(tx, database, collection).write(mends);
      return { mended: mends.length - skipped, skipped };
    });
  }
}

function mendOf(collection: Collection, line: ForeignLine): Mend {
  const { type, key, rev, oldRev, from, to } = line;
  if (!isDocumentMarker(type)) {
    throw new ServiceError('unexpectedMarker', `marker type ${type} mends no document`);
  }
  if (key === undefined || rev === undefined) {
    throw malformedLine('no key or no revision', JSON.stringify({ type, key, rev }));
  }
  if (!isValidKey(key)) throw new ServiceError('illegalDocumentKey');
  if (NUMBER.test(rev) && !isAcceptableTick(BigInt(rev))) {
    throw new ServiceError('badParameter', `revision ${rev} is above the largest one`);
  }
  if (type === MarkerType.remove) return { key, rev, oldRev, line: undefined };
  const isEdge = collection.type === CollectionType.edge;
  const hasEnds = from !== undefined && to !== undefined;
  if (isEdge ? !hasEnds : type === MarkerType.edge) throw new ServiceError('collectionTypeInvalid');
  return { key, rev, oldRev, line };
}

/** Writes the mends of one request, inside the commit queue. */
class MendWriter {
  readonly #writes: DocumentTx;
  readonly #tx: WriteTx;
  readonly #collection: Collection;
  readonly #revisions = new NumericRevisions();

  constructor(tx: WriteTx, database: Database, collection: Collection) {
    this.#tx = tx;
    this.#collection = collection;
    this.#writes = new DocumentTx({ tx, database }, { origin: 'remote', grouped: false });
  }

  /** Returns how many were passed over. */
  write(mends: readonly Mend[]): number {
    const due = mends.filter((mend) => this.#isAsFound(mend));
    for (const mend of due) {
      this.#revisions.add(mend.rev);
      if (!mend.line) this.#remove(mend.key, mend.rev);
    }
    const left = this.#upsertAll(due.filter(({ line }) => line !== undefined));
    this.#writes.finish();
    const { largest } = this.#revisions;
    if (largest > 0n) this.#tx.observeTick(largest);
    return mends.length - due.length + left;
  }

  #isAsFound({ key, oldRev }: Mend): boolean {
    return this.#writes.pointer(this.#collection, key)?.rev === oldRev;
  }

  /** Whatever frees a unique value comes before what needs it. Returns how many cannot be written at all. */
  #upsertAll(mends: readonly Mend[]): number {
    let left = mends;
    for (let hasForced = false; ;) {
      const rest = left.filter((mend) => !this.#upsert(mend));
      if (rest.length === 0) return 0;
      if (rest.length === left.length) {
        if (hasForced) return rest.length;
        hasForced = true;
        this.#removeConflicts(rest);
      }
      left = rest;
    }
  }

  /** Values that go round in a circle: all but the first give way, and are written again. */
  #removeConflicts(left: readonly Mend[]): void {
    const keys = new Set(left.map(({ key }) => key));
    for (const mend of left) {
      const document = { ...mend.line?.value } as IndexedDocument;
      const owner = this.#writes.conflict(this.#collection, mend.key, document);
      if (owner !== undefined && keys.has(owner)) this.#remove(owner);
    }
  }

  #remove(key: string, rev?: string): void {
    const pointer = this.#writes.pointer(this.#collection, key);
    if (pointer) this.#writes.remove(this.#collection, key, pointer, rev);
  }

  #upsert({ key, rev, line }: Mend): boolean {
    if (!line) return true;
    const { value = {}, from, to, rest } = line;
    const ends = this.#collection.type === CollectionType.edge ? { from, to } : {};
    const old = this.#writes.pointer(this.#collection, key);
    try {
      this.#writes.upsert(this.#collection, key, { value, rest, ...ends }, old, rev);
    } catch (error) {
      if (isServiceError(error, 'uniqueConstraintViolated')) return false;
      throw error;
    }
    trackGivenKey(this.#writes, this.#collection, key);
    return true;
  }
}
