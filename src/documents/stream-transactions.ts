import { counted } from '../base/words.ts';
import type { Clock } from '../base/clock.ts';
import { sleep } from '../base/sleep.ts';
import { ServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import { StagingBudget } from './staged-documents.ts';
import { StreamTransaction } from './stream-transaction.ts';
import type { CollectionAccess } from './write-locks.ts';

/** What a client says of a transaction it begins. */
export interface NewTransaction {
  /** Each collection once, with the most that it is used for. */
  readonly access: ReadonlyMap<Collection, CollectionAccess>;
  readonly waitForSync: boolean;
  readonly allowImplicit: boolean;
  /** How long to wait for collections that others have exclusively; 0 for as long as the client does. */
  readonly lockTimeoutMs: number;
  /** What it may write, in bytes of lines, where that is less than the server allows. */
  readonly maxBytes?: number | undefined;
}

export interface StreamTransactionsOptions {
  /** What one may write, in bytes of lines. */
  readonly maxBytes: number;
  /** What all that are open may have written together. */
  readonly budgetBytes: number;
  /** How many may be open at a time, those that wait for a collection included. */
  readonly maxOpen: number;
  /** One that nobody uses for so long is aborted. */
  readonly idleTimeoutMs: number;
}

/** So many that have ended are remembered, for those who ask what became of them. */
const ENDED_KEPT = 1000;
const SWEEPS_PER_TIMEOUT = 4;
const SWEEP_MIN_MS = 10;
const SWEEP_MAX_MS = 1000;

interface Running {
  readonly transaction: StreamTransaction;
  lastUsedMs: number;
}

/**
 * The stream transactions of all databases: begun, found by their ids, and aborted when nobody uses them any
 * longer. They live in memory, so that a stop or a crash aborts them all.
 */
export class StreamTransactions {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #options: StreamTransactionsOptions;
  readonly #budget: StagingBudget;
  readonly #running = new Map<string, Running>();
  /** In the order in which they ended. */
  readonly #ended = new Map<string, StreamTransaction>();
  /** Those that have begun, but wait for their id or their collections. */
  #openingCount = 0;
  /** Aborted, and replaced, whenever a transaction ends. */
  #nextEnd = new AbortController();
  #sweeper: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(deps: { store: Store; clock: Clock }, options: StreamTransactionsOptions) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#options = options;
    this.#budget = new StagingBudget({ limitBytes: options.budgetBytes });
  }

  /** What all open ones have written together, in bytes as they count towards the limits. */
  get usedBytes(): number {
    return this.#budget.usedBytes;
  }

  /**
   * Begins a transaction. Waits while others have a collection that only one can have.
   * @param signal ends the waiting; its reason is thrown
   * @throws ServiceError resourceLimit when there are too many, lockTimeout, collectionNotFound,
   *   shuttingDown
   */
  async begin(
    database: Database,
    wanted: NewTransaction,
    signal: AbortSignal,
  ): Promise<StreamTransaction> {
    if (this.#running.size + this.#openingCount >= this.#options.maxOpen) {
      throw new ServiceError(
        'resourceLimit',
        `no more than ${counted(this.#options.maxOpen, 'transaction')} may be open at a time; try again when some have ended`,
      );
    }
    this.#openingCount++;
    try {
      const transaction = await this.#create(database, wanted);
      await this.#admit(transaction, wanted.lockTimeoutMs, signal);
      this.#running.set(transaction.id, { transaction, lastUsedMs: this.#clock.nowMs() });
      this.#scheduleSweeps();
      return transaction;
    } finally {
      this.#openingCount--;
    }
  }

  /**
   * A transaction by its id, to look at or to end.
   * @throws ServiceError transactionNotFound when this database does not have it, or no longer knows
   */
  get(database: Database, id: string): StreamTransaction {
    this.#sweep();
    const transaction = this.#running.get(id)?.transaction ?? this.#ended.get(id);
    if (transaction?.database !== database) {
      throw new ServiceError('transactionNotFound', `transaction '${id}' not found`);
    }
    return transaction;
  }

  /**
   * A transaction by its id, to do something in it: it is not idle from here on.
   * @throws ServiceError transactionNotFound; transactionDisallowed when it has ended
   */
  join(database: Database, id: string): StreamTransaction {
    const transaction = this.get(database, id);
    transaction.assertRunning();
    const running = this.#running.get(id);
    if (running) running.lastUsedMs = this.#clock.nowMs();
    return transaction;
  }

  /** Those of a database that have not ended, oldest first. */
  running(database: Database): StreamTransaction[] {
    this.#sweep();
    const all = [...this.#running.values()].map(({ transaction }) => transaction);
    return all.filter((each) => each.database === database);
  }

  /** Aborts what is open in a database that is to be dropped; what is being committed is waited for. */
  abortAll(database: Database): Promise<void> {
    return this.#abortEach(this.running(database), 'its database is dropped');
  }

  /** Aborts all and lets nobody begin one; what is being committed is waited for. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    const all = [...this.#running.values()].map(({ transaction }) => transaction);
    await this.#abortEach(all, 'the server stops');
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  async #create(database: Database, wanted: NewTransaction): Promise<StreamTransaction> {
    const { access, waitForSync, allowImplicit, maxBytes } = wanted;
    const tid = await this.#store.drawTick();
    return new StreamTransaction(
      {
        store: this.#store,
        database,
        budget: this.#budget,
        onEnd: (transaction) => this.#forget(transaction),
      },
      {
        tid,
        access,
        waitForSync,
        allowImplicit,
        maxBytes: Math.min(maxBytes ?? Infinity, this.#options.maxBytes),
      },
    );
  }

  /** Resolves when the transaction has what it registered for. */
  async #admit(
    transaction: StreamTransaction,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { database, access } = transaction;
    const startedAt = performance.now();
    for (;;) {
      if (this.#isClosed) throw new ServiceError('shuttingDown');
      signal.throwIfAborted();
      database.assertAlive();
      for (const collection of access.keys()) collection.assertAlive();
      if (database.locks.admit(transaction, access)) return;
      const leftMs = timeoutMs === 0 ? Infinity : startedAt + timeoutMs - performance.now();
      if (leftMs <= 0) {
        throw new ServiceError(
          'lockTimeout',
          'another transaction has a collection that only one can have; try again, or with a longer lockTimeout',
        );
      }
      await sleep(leftMs, AbortSignal.any([signal, this.#nextEnd.signal]));
    }
  }

  #forget(transaction: StreamTransaction): void {
    this.#running.delete(transaction.id);
    this.#ended.set(transaction.id, transaction);
    for (const [oldest] of this.#ended) {
      if (this.#ended.size <= ENDED_KEPT) break;
      this.#ended.delete(oldest);
    }
    if (this.#running.size === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
    this.#wake();
  }

  #wake(): void {
    this.#nextEnd.abort();
    this.#nextEnd = new AbortController();
  }

  async #abortEach(transactions: readonly StreamTransaction[], reason: string): Promise<void> {
    for (const transaction of transactions) {
      // One that is being committed can not be stopped; what comes of it is the answer of its own request.
      if (transaction.isCommitting) await Promise.allSettled([transaction.commit()]);
      else transaction.abort(reason);
    }
  }

  #scheduleSweeps(): void {
    const intervalMs = this.#options.idleTimeoutMs / SWEEPS_PER_TIMEOUT;
    this.#sweeper ??= setInterval(
      () => this.#sweep(),
      Math.max(SWEEP_MIN_MS, Math.min(SWEEP_MAX_MS, intervalMs)),
    ).unref();
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const running of this.#running.values()) {
      const { transaction } = running;
      if (transaction.isActive) running.lastUsedMs = nowMs;
      else if (transaction.database.dropped) transaction.abort('its database was dropped');
      else if (nowMs - running.lastUsedMs >= this.#options.idleTimeoutMs) {
        transaction.abort(`nobody used it for ${this.#options.idleTimeoutMs / 1000} s`);
      }
    }
  }
}
