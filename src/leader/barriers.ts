import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import { type Tick, tickFromWire } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import { Leases, checkedTtlMs } from './leases.ts';

interface Barrier {
  tick: Tick;
}

/** What a client says of a barrier, as it came. */
export interface BarrierRequest {
  /** In seconds. */
  readonly ttl: unknown;
  readonly tick: unknown;
}

/** How long a barrier lives on from a request for the log that names it (contract 2.6). */
const FOLLOW_TTL_SECONDS = 180;

/**
 * Barriers (contract 2.10): while one is open, the caps of the log leave alone what is newer than its
 * tick. A barrier ends when it is removed, or when its time is over.
 */
export class Barriers {
  readonly #store: Store;
  readonly #open: Leases<Barrier>;

  /** @param options.max open ones of all databases together; further ones are refused */
  constructor(deps: { store: Store; clock: Clock }, options: { max: number }) {
    this.#store = deps.store;
    this.#open = new Leases<Barrier>(deps, { max: options.max, what: 'barriers' });
  }

  /** Everything above this tick must stay in the log of the database; undefined without a barrier. */
  horizon(database: Database): Tick | undefined {
    let smallest: Tick | undefined;
    for (const [, { tick }] of this.#open.entries(database)) {
      if (smallest === undefined || tick < smallest) smallest = tick;
    }
    return smallest;
  }

  /** Ids of the open barriers of a database, the oldest first. */
  list(database: Database): string[] {
    return this.#open.entries(database).map(([id]) => id);
  }

  /**
   * Opens a barrier and resolves with its id, which is never given twice.
   *
   * @throws ServiceError httpBadParameter (400) without a tick, badParameter (10) when `ttl` is no
   *   number above 0, resourceLimit (32) when too many are open
   */
  async create(database: Database, { ttl, tick }: BarrierRequest): Promise<string> {
    const wanted = tickFromWire(tick) ?? 0n;
    if (wanted === 0n) throw new ServiceError('httpBadParameter', 'invalid tick value');
    const ttlMs = checkedTtlMs(ttl);
    this.#open.assertRoom();
    const id = (await this.#store.drawTick()).toString();
    this.#open.add(database, id, ttlMs, { tick: wanted });
    return id;
  }

  /**
   * Lets a barrier live for `ttl` seconds from now on, and moves it to the tick where that is ahead.
   *
   * @throws ServiceError badParameter (10) as `create`, documentNotFound (1202) for a barrier that this
   *   database does not have, or no longer
   */
  extend(database: Database, id: string, { ttl, tick }: BarrierRequest): void {
    const ttlMs = checkedTtlMs(ttl);
    if (!this.#move(database, id, ttlMs, tickFromWire(tick) ?? 0n)) {
      throw new ServiceError('documentNotFound');
    }
  }

  /** A follower that names its barrier has everything up to `from`. An unknown one is passed over. */
  noteFollow(database: Database, id: string, from: Tick): void {
    this.#move(database, id, checkedTtlMs(FOLLOW_TTL_SECONDS), from);
  }

  /** Ends a barrier. @throws ServiceError documentNotFound (1202) as `extend` */
  remove(database: Database, id: string): void {
    if (!this.#open.remove(database, id)) throw new ServiceError('documentNotFound');
  }

  /** Ends all barriers. */
  close(): void {
    this.#open.close();
  }

  #move(database: Database, id: string, ttlMs: number, tick: Tick): boolean {
    const barrier = this.#open.extend(database, id, ttlMs);
    if (!barrier) return false;
    if (tick > barrier.tick) barrier.tick = tick;
    return true;
  }
}
