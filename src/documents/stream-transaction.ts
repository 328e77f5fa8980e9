import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import type { DocumentWrites } from './document-writes.ts';
import { writeStaged } from './staged-commit.ts';
import { StagedDocuments, type StagingBudget } from './staged-documents.ts';
import { StagedWrites } from './staged-writes.ts';
import type { CollectionAccess, LockHolder } from './write-locks.ts';

/** What clients are told of a transaction. */
export type TransactionStatus = 'running' | 'committed' | 'aborted';

export interface StreamTransactionOptions {
  /** Its id, and the `tid` of its lines in the log. */
  readonly tid: Tick;
  readonly access: ReadonlyMap<Collection, CollectionAccess>;
  /** Whether it may read collections that it did not name. */
  readonly allowImplicit: boolean;
  /** Whether its commit waits for the disk; otherwise the collections it wrote to say so. */
  readonly waitForSync: boolean;
  /** Most that it may write, in bytes of lines. */
  readonly maxBytes: number;
}

/** A document as a transaction sees it where it wrote it itself. */
export type OwnDocument = { readonly rev: string; readonly data: string } | 'removed';

/**
 * A transaction over several requests. What it writes is held in memory, seen only by itself, and becomes one
 * batch and one group of the log when it is committed; until then a crash or an abort leaves nothing of
 * it. It reads what is committed at the moment, and its own writes over that; what it has written nobody
 * else can write before it has ended.
 */
export class StreamTransaction implements LockHolder {
  readonly id: string;
  readonly tid: Tick;
  readonly database: Database;
  readonly #store: Store;
  readonly #budget: StagingBudget;
  readonly #options: StreamTransactionOptions;
  readonly #onEnd: (transaction: StreamTransaction) => void;
  readonly #staged = new StagedDocuments();
  #state: TransactionStatus | 'committing' = 'running';
  #committing: Promise<void> | undefined;
  #abortReason = '';
  #activeCount = 0;

  /** @param deps.onEnd called once, when it is committed or aborted and holds nothing any more */
  constructor(
    deps: {
      store: Store;
      database: Database;
      budget: StagingBudget;
      onEnd: (transaction: StreamTransaction) => void;
    },
    options: StreamTransactionOptions,
  ) {
    this.#store = deps.store;
    this.#budget = deps.budget;
    this.#onEnd = deps.onEnd;
    this.#options = options;
    this.database = deps.database;
    this.tid = options.tid;
    this.id = options.tid.toString();
  }

  get status(): TransactionStatus {
    return this.#state === 'committing' ? 'running' : this.#state;
  }

  get access(): ReadonlyMap<Collection, CollectionAccess> {
    return this.#options.access;
  }

  /** Most that it may write, in bytes of lines. */
  get maxBytes(): number {
    return this.#options.maxBytes;
  }

  /** Whether something is being done in it at the moment, so that it is not idle. */
  get isActive(): boolean {
    return this.#activeCount > 0;
  }

  /** Whether its commit is under way and can no longer be stopped. */
  get isCommitting(): boolean {
    return this.#state === 'committing';
  }

  /** @throws ServiceError transactionDisallowed when it is committed or aborted, or about to be */
  assertRunning(): void {
    if (this.#state === 'running') return;
    const why = this.#abortReason === '' ? '' : `: ${this.#abortReason}`;
    const what = this.#state === 'committing' ? 'is being committed' : `was already ${this.#state}`;
    throw new ServiceError('transactionDisallowed', `transaction ${this.id} ${what}${why}`);
  }

  /** @throws ServiceError transactionUnregisteredCollection, collectionNotFound, transactionDisallowed */
  assertReadable(collection: Collection): void {
    this.assertRunning();
    collection.assertAlive();
    if (!this.#options.allowImplicit && !this.access.has(collection)) {
      throw this.#unregistered(collection, 'read');
    }
  }

  /** What it made of a document itself; undefined when the committed one counts. */
  own(collection: Collection, key: string): OwnDocument | undefined {
    const staged = this.#staged.of(collection)?.documents.get(key);
    if (!staged) return undefined;
    const { rev, data } = staged;
    return data ? { rev, data: data.toString('utf8') } : 'removed';
  }

  /** Keys it has written, and whether there is a document under each now. */
  ownKeys(collection: Collection): Map<string, boolean> {
    const documents = this.#staged.of(collection)?.documents ?? new Map<string, never>();
    return new Map([...documents].map(([key, { data }]) => [key, data !== undefined]));
  }

  /** By how many documents it sees more, or fewer, than are committed. */
  countChange(collection: Collection): number {
    return this.#staged.of(collection)?.liveChange ?? 0;
  }

  /**
   * Runs one operation inside of the commit queue. When it throws, the transaction is as it was before, and
   * goes on. Resolves when the ticks it has drawn may be shown.
   * @throws ServiceError transactionUnregisteredCollection for a collection it did not name for
   *   writing, conflict (409), resourceLimit, transactionDisallowed; and what `run` throws
   */
  write<T>(collection: Collection, run: (writes: DocumentWrites) => T): Promise<T> {
    return this.use(() =>
      this.#store.commit((tx) => {
        this.#assertWritable(collection);
        const writes = new StagedWrites(
          {
            ...{ tx, staged: this.#staged, holder: this },
            ...{ database: this.database, budget: this.#budget },
          },
          { maxBytes: this.maxBytes },
        );
        try {
          const result = run(writes);
          writes.keep();
          return result;
        } catch (error) {
          writes.drop();
          throw error;
        }
      }),
    );
  }

  /** Keeps it from being idle while something is done in it. */
  async use<T>(run: () => Promise<T>): Promise<T> {
    this.#activeCount++;
    try {
      return await run();
    } finally {
      this.#activeCount--;
    }
  }

  /**
   * Makes all it has written one batch. When it is committed already, that is all. When it fails nothing is
   * written, and it is aborted.
   * @throws ServiceError transactionDisallowed when it was aborted; and as `writeStaged`
   */
  commit(): Promise<void> {
    if (this.#state === 'committed') return Promise.resolve();
    this.#committing ??= this.use(() => this.#commit()).finally(() => {
      this.#committing = undefined;
    });
    return this.#committing;
  }

  /**
   * Forgets what it has written. When it is aborted already, that is all.
   * @throws ServiceError transactionDisallowed when it is committed, or about to be
   */
  abort(reason = ''): void {
    if (this.#state === 'aborted') return;
    this.assertRunning();
    this.#end('aborted', reason);
  }

  async #commit(): Promise<void> {
    this.assertRunning();
    const collections = [...this.#staged.collections].map(([collection]) => collection);
    const sync =
      this.#options.waitForSync || collections.some(({ parameters }) => parameters.waitForSync);
    try {
      if (!this.#staged.isEmpty) await this.#store.commit((tx) => this.#write(tx), { sync });
    } catch (error) {
      if (this.#state !== 'aborted') {
        const reason = error instanceof Error ? error.message : String(error);
        this.#end('aborted', `its commit failed: ${reason}`);
      }
      throw error;
    }
    this.#end('committed');
  }

  #write(tx: WriteTx): void {
    this.assertRunning();
    writeStaged(tx, this.database, this, this.#staged);
    // From here on the queue shows what was written to everybody behind, so the locks have done their work.
    this.#state = 'committing';
    this.#release();
  }

  /** Gives back locks and memory. */
  #release(): void {
    for (const keyText of this.#staged.lockedKeys) this.database.locks.release(keyText);
    this.#budget.release(this.#staged.bytes);
    this.#staged.clear();
  }

  #end(state: 'committed' | 'aborted', reason = ''): void {
    this.#state = state;
    this.#abortReason = reason;
    this.#release();
    this.database.locks.dismiss(this, this.access);
    this.#onEnd(this);
  }

  #assertWritable(collection: Collection): void {
    this.assertRunning();
    this.database.assertAlive();
    collection.assertAlive();
    const access = this.access.get(collection);
    if (access !== 'write' && access !== 'exclusive') throw this.#unregistered(collection, 'write');
    this.database.assertWritable(collection.name);
  }

  #unregistered({ name }: Collection, access: 'read' | 'write'): ServiceError {
    return new ServiceError(
      'transactionUnregisteredCollection',
      `collection '${name}' was not registered for ${access} access when transaction ${this.id} began`,
    );
  }
}
