import { assert } from '../base/assert.ts';
import { counted } from '../base/words.ts';
import { ServiceError } from '../model/errors.ts';
import { isValidKey } from '../model/names.ts';
import type { Tick } from '../model/tick.ts';
import { buildData } from '../protocol/json-text.ts';
import type { Pointer } from '../storage/pointer.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { CollectionStats } from './collection-stats.ts';
import type { Database } from './database.ts';
import { assertAdmitted } from './document-limits.ts';
import { type DocumentContent, type DocumentWrites, indexedDocument } from './document-writes.ts';
import type { IndexEntries, IndexedDocument } from './secondary-index.ts';
import type {
  StagedDocument,
  StagedDocuments,
  StagedOperation,
  StagingBudget,
} from './staged-documents.ts';
import { dataOfLine } from './stored-document.ts';
import { LINE_EXTRA_BYTES, REMOVAL_BYTES, VALUE_EXTRA_BYTES } from './transaction-size.ts';
import type { LockHolder, WriteLocks } from './write-locks.ts';

export interface StagedWritesDeps {
  readonly tx: WriteTx;
  /** What the transaction wrote before. */
  readonly staged: StagedDocuments;
  readonly database: Database;
  readonly holder: LockHolder;
  readonly budget: StagingBudget;
}

/**
 * What one operation of a client writes inside a stream transaction. Nothing of it reaches the commit but
 * the ticks that were drawn and the keys that a generator gave out: it sees what is committed or about to be,
 * what the transaction wrote before, and its own writes. Each key it writes is locked. Ends with `keep`,
 * or with `drop`, which leaves the transaction as it was.
 */
export class StagedWrites implements DocumentWrites, IndexEntries {
  readonly #tx: WriteTx;
  readonly #staged: StagedDocuments;
  readonly #database: Database;
  readonly #locks: WriteLocks;
  readonly #holder: LockHolder;
  readonly #budget: StagingBudget;
  readonly #maxBytes: number;
  readonly #operations = new Map<Collection, StagedOperation[]>();
  readonly #documents = new Map<string, StagedDocument>();
  readonly #uniqueEntries = new Map<string, Buffer | null>();
  readonly #lockedKeys: string[] = [];
  #bytes = 0;

  /** @param options.maxBytes what the whole transaction may write */
  constructor(deps: StagedWritesDeps, options: { maxBytes: number }) {
    this.#tx = deps.tx;
    this.#staged = deps.staged;
    this.#database = deps.database;
    this.#locks = deps.database.locks;
    this.#holder = deps.holder;
    this.#budget = deps.budget;
    this.#maxBytes = options.maxBytes;
  }

  drawTick(): Tick {
    return this.#tx.drawTick();
  }

  /** Of a document that the transaction wrote the tick is that of its revision, and leads to no entry. */
  pointer(collection: Collection, key: string): Pointer | undefined {
    const staged = this.#find(collection, key);
    if (!staged) return this.#committed(collection, key);
    const { tick, rev, data } = staged;
    return data && { tick, distance: 0, rev };
  }

  text(collection: Collection, key: string, pointer: Pointer): string {
    const staged = this.#find(collection, key);
    if (!staged) return dataOfLine(this.#tx.readLine(collection.number, pointer));
    assert(staged.data !== undefined, 'a pointer leads to a document');
    return staged.data.toString('utf8');
  }

  stats(collection: Collection): CollectionStats {
    return collection.readStats(this.#tx);
  }

  /** At once and for good, as two transactions must not make the same key. */
  setLastKey(collection: Collection, lastKey: number): void {
    collection.writeStats(this.#tx, { ...collection.readStats(this.#tx), lastKey });
  }

  upsert(
    collection: Collection,
    key: string,
    content: DocumentContent,
    old: Pointer | undefined,
  ): string {
    const tick = this.#tx.drawTick();
    const rev = tick.toString();
    const text = buildData(key, rev, content.from, content.to, content.rest);
    // A text may hang on to the whole body that it was cut out of.
    const data = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
    data.write(text);
    const after = collection.indexes.length > 0 ? indexedDocument(key, content) : {};
    const taken = uniqueEntriesOf(collection, key, after);
    const valueBytes = taken.reduce((sum, { length }) => sum + length + VALUE_EXTRA_BYTES, 0);
    this.#locks.assertDocumentFree(collection, key, this.#holder);
    assertAdmitted(this.#database, collection, text);
    for (const index of collection.indexes) {
      const entry = index.uniqueEntry(after, key);
      if (!entry) continue;
      this.#locks.assertValuesFree(collection, index, entry.toString('latin1'), this.#holder);
      index.check(this, after, key);
    }
    this.#count(data.length + LINE_EXTRA_BYTES + valueBytes);
    this.#giveUpValues(collection, key, old);
    for (const entry of taken) {
      this.#lock(entry.toString('latin1'));
      this.put(entry, Buffer.from(key));
    }
    this.#write(collection, key, { tick, rev, data });
    return rev;
  }

  remove(collection: Collection, key: string, old: Pointer): string {
    this.#locks.assertDocumentFree(collection, key, this.#holder);
    this.#count(REMOVAL_BYTES);
    this.#giveUpValues(collection, key, old);
    const tick = this.#tx.drawTick();
    const rev = tick.toString();
    this.#write(collection, key, { tick, rev, data: undefined });
    return rev;
  }

  /** Makes all of it a part of the transaction. */
  keep(): void {
    this.#staged.add({
      operations: this.#operations,
      uniqueEntries: this.#uniqueEntries,
      lockedKeys: this.#lockedKeys,
      bytes: this.#bytes,
    });
    this.#budget.add(this.#bytes);
  }

  /** Gives back the locks; the rest was nowhere else. */
  drop(): void {
    for (const keyText of this.#lockedKeys) this.#locks.release(keyText);
  }

  /** Used by the indexes. */
  get(key: Buffer): Buffer | undefined {
    const keyText = key.toString('latin1');
    const own = this.#uniqueEntries.get(keyText);
    const staged = own === undefined ? this.#staged.uniqueEntry(keyText) : own;
    return staged === undefined ? this.#tx.get(key) : (staged ?? undefined);
  }

  /** Used by the indexes. */
  put(key: Buffer, value: Buffer): void {
    this.#uniqueEntries.set(key.toString('latin1'), value);
  }

  /** Used by the indexes. */
  del(key: Buffer): void {
    this.#uniqueEntries.set(key.toString('latin1'), null);
  }

  #find(collection: Collection, key: string): StagedDocument | undefined {
    const own = this.#documents.get(collection.primaryPrefix + key);
    return own ?? this.#staged.of(collection)?.documents.get(key);
  }

  #committed(collection: Collection, key: string): Pointer | undefined {
    if (collection.frontier.lacks(key)) return undefined;
    // Only ASCII is the same text in latin1.
    if (!isValidKey(key)) return undefined;
    return this.#tx.pointer(collection.primaryPrefix + key);
  }

  #lock(keyText: string): void {
    if (this.#locks.take(keyText, this.#holder)) this.#lockedKeys.push(keyText);
  }

  /** @throws ServiceError resourceLimit */
  #count(bytes: number): void {
    if (this.#staged.bytes + this.#bytes + bytes > this.#maxBytes) {
      throw new ServiceError(
        'resourceLimit',
        `transaction ${this.#holder.id} can hold ${counted(this.#maxBytes, 'byte')} and no more; commit it in parts`,
      );
    }
    if (!this.#budget.fits(this.#bytes + bytes)) {
      throw new ServiceError(
        'resourceLimit',
        `all open transactions together can hold ${counted(this.#budget.limitBytes, 'byte')} and no more; ` +
          'try again when others have ended',
      );
    }
    this.#bytes += bytes;
  }

  #giveUpValues(collection: Collection, key: string, old: Pointer | undefined): void {
    if (!old || !collection.indexes.some(({ definition }) => definition.unique)) return;
    const before = JSON.parse(this.text(collection, key, old)) as IndexedDocument;
    for (const index of collection.indexes) {
      if (index.definition.unique) index.remove(this, before, key);
    }
  }

  #write(
    collection: Collection,
    key: string,
    written: Pick<StagedDocument, 'tick' | 'rev' | 'data'>,
  ): void {
    const before = this.#find(collection, key);
    const baseTick = before?.baseTick ?? this.#committed(collection, key)?.tick ?? 0n;
    const keyText = collection.primaryPrefix + key;
    this.#lock(keyText);
    const operation = { ...written, key, baseTick, isFirst: before === undefined };
    this.#documents.set(keyText, operation);
    const operations = this.#operations.get(collection);
    if (operations) operations.push(operation);
    else this.#operations.set(collection, [operation]);
  }
}

function uniqueEntriesOf(collection: Collection, key: string, after: IndexedDocument): Buffer[] {
  return collection.indexes.flatMap((index) => index.uniqueEntry(after, key) ?? []);
}
