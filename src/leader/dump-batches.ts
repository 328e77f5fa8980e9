import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';

interface Batch {
  readonly database: Database;
  /** Last completed commit when it was created. */
  readonly tick: Tick;
  /** In ms since 1970. */
  expiresMs: number;
}

/** Open batches of all databases together; further ones are refused. */
const OPEN_MAX = 1000;
/** Longer times to live are lowered to this: about 24 days, the longest a timer can run. */
const TTL_MAX_MS = 2 ** 31 - 1;

/**
 * Dump batches (contract 3.3): while one is open, compaction leaves alone what a dump that began
 * with it may still read. A batch ends when it is removed, or when its time is over.
 */
export class DumpBatches {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #open = new Map<string, Batch>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: { store: Store; clock: Clock }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
  }

  /**
   * The smallest tick at which an open batch was created; undefined when none is open. What is
   * superseded above it must be kept (design, rule 7).
   */
  get horizon(): Tick | undefined {
    this.#sweep();
    let smallest: Tick | undefined;
    for (const { tick } of this.#open.values()) {
      if (smallest === undefined || tick < smallest) smallest = tick;
    }
    return smallest;
  }

  /**
   * Opens a batch and resolves with its id, which is never given twice.
   *
   * @param ttl in seconds, fractions allowed
   * @throws ServiceError badParameter (10) when `ttl` is no number above 0, resourceLimit (32) when
   *   too many are open
   */
  async create(database: Database, ttl: unknown): Promise<string> {
    const ttlMs = checkedTtlMs(ttl);
    this.#sweep();
    if (this.#open.size >= OPEN_MAX) {
      throw new ServiceError('resourceLimit', `there are ${OPEN_MAX} open dump batches already`);
    }
    const id = (await this.#store.drawTick()).toString();
    this.#open.set(id, {
      database,
      tick: this.#store.lastCommitted,
      expiresMs: this.#clock.nowMs() + ttlMs,
    });
    this.#schedule();
    return id;
  }

  /**
   * Lets a batch live for `ttl` seconds from now on.
   *
   * @throws ServiceError badParameter (10) as `create`, documentNotFound (400/1202) for a batch that
   *   this database does not have, or no longer
   */
  extend(database: Database, id: string, ttl: unknown): void {
    const ttlMs = checkedTtlMs(ttl);
    this.#find(database, id).expiresMs = this.#clock.nowMs() + ttlMs;
    this.#schedule();
  }

  /** Ends a batch. @throws ServiceError documentNotFound (400/1202) as `extend` */
  remove(database: Database, id: string): void {
    this.#find(database, id);
    this.#open.delete(id);
    this.#schedule();
  }

  /** Ends all batches. */
  close(): void {
    this.#open.clear();
    this.#schedule();
  }

  #find(database: Database, id: string): Batch {
    this.#sweep();
    const batch = this.#open.get(id);
    if (batch?.database !== database) {
      throw new ServiceError('documentNotFound', undefined, { httpStatus: 400 });
    }
    return batch;
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const [id, { expiresMs, database }] of this.#open) {
      if (expiresMs <= nowMs || database.dropped) this.#open.delete(id);
    }
  }

  /** Expired batches need not be swept by anyone asking: they hold the database. */
  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#open.size === 0) return;
    let next = Infinity;
    for (const { expiresMs } of this.#open.values()) next = Math.min(next, expiresMs);
    const delayMs = Math.min(Math.max(next - this.#clock.nowMs(), 1), TTL_MAX_MS);
    this.#timer = setTimeout(() => {
      this.#sweep();
      this.#schedule();
    }, delayMs).unref();
  }
}

function checkedTtlMs(ttl: unknown): number {
  if (typeof ttl !== 'number' || !(ttl > 0)) throw new ServiceError('badParameter');
  return Math.min(Math.ceil(ttl * 1000), TTL_MAX_MS);
}
