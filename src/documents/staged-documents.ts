import type { Tick } from '../model/tick.ts';
import type { Collection } from './collection.ts';

/** A document as a transaction has left it. */
export interface StagedDocument {
  /** Tick that its revision was drawn as; it has no entry in a journal yet. */
  readonly tick: Tick;
  readonly rev: string;
  /** Text of the document, `_key` and `_rev` first; undefined when it is removed. */
  readonly data: Buffer | undefined;
  /** Tick of the committed entry that was live when the transaction first wrote the key; 0 for none. */
  readonly baseTick: Tick;
}

/** One write of a transaction, to be repeated when it is committed. */
export interface StagedOperation extends StagedDocument {
  readonly key: string;
  /** Set for the first write of a key: then the committed entry must still be the same. */
  readonly isFirst: boolean;
}

/** What was written to one collection. */
export interface StagedCollection {
  /** In the order of the writes; a commit empties it as it goes, so that nothing is in memory twice. */
  readonly operations: (StagedOperation | undefined)[];
  readonly documents: Map<string, StagedDocument>;
  /** By how many documents there are more, or fewer, than committed. */
  liveChange: number;
}

/** Memory that all open transactions share. */
export class StagingBudget {
  readonly limitBytes: number;
  #usedBytes = 0;

  constructor(options: { limitBytes: number }) {
    this.limitBytes = options.limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether so much more can be staged. */
  fits(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.limitBytes;
  }

  add(bytes: number): void {
    this.#usedBytes += bytes;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** What a stream transaction has written and not committed: in memory, and nowhere else. */
export class StagedDocuments {
  readonly #collections = new Map<Collection, StagedCollection>();
  /** Entries of unique indexes: value text -> key of the document, null where one was given up. */
  readonly #uniqueEntries = new Map<string, Buffer | null>();
  readonly #lockedKeys: string[] = [];
  #bytes = 0;

  /** What was written counts so much towards the limits. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#collections.size === 0;
  }

  /** In the order in which they were first written. */
  get collections(): IterableIterator<[Collection, StagedCollection]> {
    return this.#collections.entries();
  }

  of(collection: Collection): StagedCollection | undefined {
    return this.#collections.get(collection);
  }

  uniqueEntry(keyText: string): Buffer | null | undefined {
    return this.#uniqueEntries.get(keyText);
  }

  get lockedKeys(): readonly string[] {
    return this.#lockedKeys;
  }

  /** Takes over what one operation of the client wrote. */
  add(written: {
    readonly operations: ReadonlyMap<Collection, readonly StagedOperation[]>;
    readonly uniqueEntries: ReadonlyMap<string, Buffer | null>;
    readonly lockedKeys: readonly string[];
    readonly bytes: number;
  }): void {
    for (const [collection, operations] of written.operations) {
      const staged = this.#collectionOf(collection);
      for (const operation of operations) stage(staged, operation);
    }
    for (const [keyText, owner] of written.uniqueEntries) this.#uniqueEntries.set(keyText, owner);
    for (const keyText of written.lockedKeys) this.#lockedKeys.push(keyText);
    this.#bytes += written.bytes;
  }

  /** Forgets everything. */
  clear(): void {
    this.#collections.clear();
    this.#uniqueEntries.clear();
    this.#lockedKeys.length = 0;
    this.#bytes = 0;
  }

  #collectionOf(collection: Collection): StagedCollection {
    let staged = this.#collections.get(collection);
    if (!staged) {
      staged = { operations: [], documents: new Map(), liveChange: 0 };
      this.#collections.set(collection, staged);
    }
    return staged;
  }
}

function stage(staged: StagedCollection, operation: StagedOperation): void {
  const { key, baseTick, data } = operation;
  const before = staged.documents.get(key);
  const wasLive = before ? before.data !== undefined : baseTick > 0n;
  staged.liveChange += Number(data !== undefined) - Number(wasLive);
  staged.operations.push(operation);
  staged.documents.set(key, operation);
}
