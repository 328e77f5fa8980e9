import { ServiceError } from '../model/errors.ts';
import type { Collection } from './collection.ts';
import type { SecondaryIndex } from './secondary-index.ts';

/** Who holds locks: a stream transaction, which messages name by its id. */
export interface LockHolder {
  readonly id: string;
}

/** How a transaction may use a collection. */
export type CollectionAccess = 'read' | 'write' | 'exclusive';

/**
 * What the open stream transactions of one database keep others from writing: documents and unique values,
 * by the bytes of their keys as latin1 text, and whole collections. Nobody ever waits for a key, so there are
 * no deadlocks: who meets a lock is refused. Looked at inside the commit queue only.
 */
export class WriteLocks {
  readonly #keys = new Map<string, LockHolder>();
  readonly #exclusive = new Map<Collection, LockHolder>();
  /** Transactions that may write the collection, the exclusive one left out. */
  readonly #writers = new Map<Collection, Set<LockHolder>>();

  /** Whether nobody is kept from anything: all that ordinary writes look at. */
  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#exclusive.size === 0;
  }

  /**
   * Registers what a transaction may do, all of it or nothing.
   * @returns false when another has a collection that only one can have
   */
  admit(holder: LockHolder, access: ReadonlyMap<Collection, CollectionAccess>): boolean {
    for (const [collection, kind] of access) {
      if (kind === 'read') continue;
      if (this.#exclusive.has(collection)) return false;
      if (kind === 'exclusive' && this.#writers.has(collection)) return false;
    }
    for (const [collection, kind] of access) {
      if (kind === 'exclusive') this.#exclusive.set(collection, holder);
      if (kind !== 'write') continue;
      const writers = this.#writers.get(collection);
      if (writers) writers.add(holder);
      else this.#writers.set(collection, new Set([holder]));
    }
    return true;
  }

  /** Takes back what `admit` registered. */
  dismiss(holder: LockHolder, access: ReadonlyMap<Collection, CollectionAccess>): void {
    for (const collection of access.keys()) {
      if (this.#exclusive.get(collection) === holder) this.#exclusive.delete(collection);
      const writers = this.#writers.get(collection);
      if (writers?.delete(holder) && writers.size === 0) this.#writers.delete(collection);
    }
  }

  /** @returns whether it was free; it stays with a holder that has it already */
  take(keyText: string, holder: LockHolder): boolean {
    if (this.#keys.has(keyText)) return false;
    this.#keys.set(keyText, holder);
    return true;
  }

  release(keyText: string): void {
    this.#keys.delete(keyText);
  }

  /**
   * @param holder who wants to write; undefined for one outside of transactions
   * @throws ServiceError conflict (409/1200) when another one holds the document or its collection
   */
  assertDocumentFree(collection: Collection, key: string, holder: LockHolder | undefined): void {
    const owner = this.#ownerOf(collection, collection.primaryPrefix + key, holder);
    if (owner) throw lockedBy(owner, `document '${collection.name}/${key}'`);
  }

  /** As `assertDocumentFree`, for values that a unique index lets only one document have. */
  assertValuesFree(
    collection: Collection,
    index: SecondaryIndex,
    keyText: string,
    holder: LockHolder | undefined,
  ): void {
    const owner = this.#ownerOf(collection, keyText, holder);
    if (!owner) return;
    const { id, fields } = index.definition;
    const what = `a value of ${JSON.stringify(fields)} in index ${id} of '${collection.name}'`;
    throw lockedBy(owner, what);
  }

  #ownerOf(
    collection: Collection,
    keyText: string,
    holder: LockHolder | undefined,
  ): LockHolder | undefined {
    const owner = this.#exclusive.get(collection) ?? this.#keys.get(keyText);
    return owner === holder ? undefined : owner;
  }
}

function lockedBy(owner: LockHolder, what: string): ServiceError {
  return new ServiceError(
    'conflict',
    `write-write conflict: ${what} is held by transaction ${owner.id}; try again when that has ended`,
    { httpStatus: 409 },
  );
}
