import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import { Leases, checkedTtlMs } from './leases.ts';

/**
 * Dump batches (contract 3.3): while one is open, compaction leaves alone what a dump that began
 * with it may still read. A batch ends when it is removed, or when its time is over.
 */
export class DumpBatches {
  readonly #store: Store;
  /** By id: the last completed commit when it was created. */
  readonly #open: Leases<Tick>;

  /** @param options.max open ones of all databases together; further ones are refused */
  constructor(deps: { store: Store; clock: Clock }, options: { max: number }) {
    this.#store = deps.store;
    this.#open = new Leases<Tick>(deps, { max: options.max, what: 'dump batches' });
  }

  /**
   * The smallest tick at which an open batch was created; undefined when none is open. What is
   * superseded above it must be kept (design, rule 7).
   */
  get horizon(): Tick | undefined {
    let smallest: Tick | undefined;
    for (const [, tick] of this.#open.entries()) {
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
    this.#open.assertRoom();
    const id = (await this.#store.drawTick()).toString();
    this.#open.add(database, id, ttlMs, this.#store.lastCommitted);
    return id;
  }

  /**
   * Lets a batch live for `ttl` seconds from now on.
   *
   * @throws ServiceError badParameter (10) as `create`, documentNotFound (1202) for a batch that this
   *   database does not have, or no longer
   */
  extend(database: Database, id: string, ttl: unknown): void {
    const tick = this.#open.extend(database, id, checkedTtlMs(ttl));
    if (tick === undefined) throw new ServiceError('documentNotFound');
  }

  /** Whether this database has a batch of this id. */
  has(database: Database, id: string): boolean {
    return this.#open.find(database, id) !== undefined;
  }

  /** Ends a batch. @throws ServiceError documentNotFound (1202) as `extend` */
  remove(database: Database, id: string): void {
    if (!this.#open.remove(database, id)) throw new ServiceError('documentNotFound');
  }

  /** Ends all batches. */
  close(): void {
    this.#open.close();
  }
}
