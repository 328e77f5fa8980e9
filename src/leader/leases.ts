import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';

/** Longer times to live are lowered to this: about 24 days, the longest a timer can run. */
const TTL_MAX_MS = 2 ** 31 - 1;

interface Lease<T> {
  readonly database: Database;
  readonly value: T;
  /** In ms since 1970. */
  expiresMs: number;
}

export interface LeasesOptions<T> {
  /** So many may be open at a time, of all databases together. */
  readonly max: number;
  /** What they are, in words, for the refusal of one more. */
  readonly what: string;
  /** Called once for each that ends, however it does. */
  readonly onEnd?: (value: T) => void;
}

/**
 * Things that a client opens, keeps alive and closes, and that end by themselves when it does not: dump
 * batches, barriers, lists of keys. One belongs to a database, ends with it, and is not found through
 * another.
 */
export class Leases<T> {
  readonly #clock: Clock;
  readonly #options: LeasesOptions<T>;
  readonly #open = new Map<string, Lease<T>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: { clock: Clock }, options: LeasesOptions<T>) {
    this.#clock = deps.clock;
    this.#options = options;
  }

  /**
   * Says whether there is room for one more.
   * @throws ServiceError resourceLimit (32)
   */
  assertRoom(): void {
    this.#sweep();
    const { max, what } = this.#options;
    if (this.#open.size >= max) {
      throw new ServiceError('resourceLimit', `there are ${max} open ${what} already`);
    }
  }

  /**
   * @param id never given before
   * @param ttlMs from `checkedTtlMs`
   */
  add(database: Database, id: string, ttlMs: number, value: T): void {
    this.#open.set(id, { database, value, expiresMs: this.#clock.nowMs() + ttlMs });
    this.#schedule();
  }

  /** Undefined for one that this database does not have, or no longer. */
  find(database: Database, id: string): T | undefined {
    return this.#find(database, id)?.value;
  }

  /** Lets it live for this time from now on; undefined as `find`. */
  extend(database: Database, id: string, ttlMs: number): T | undefined {
    const lease = this.#find(database, id);
    if (!lease) return undefined;
    lease.expiresMs = this.#clock.nowMs() + ttlMs;
    this.#schedule();
    return lease.value;
  }

  /** Returns false for one that this database does not have, or no longer. */
  remove(database: Database, id: string): boolean {
    const lease = this.#find(database, id);
    if (!lease) return false;
    this.#end(id, lease);
    this.#schedule();
    return true;
  }

  /** Ids and values of those that are open, the oldest first; of one database, or of all. */
  entries(database?: Database): [id: string, value: T][] {
    this.#sweep();
    return [...this.#open].flatMap(([id, lease]) =>
      database === undefined || lease.database === database ? [[id, lease.value]] : [],
    );
  }

  /** Ends all. */
  close(): void {
    for (const [id, lease] of this.#open) this.#end(id, lease);
    this.#schedule();
  }

  #find(database: Database, id: string): Lease<T> | undefined {
    this.#sweep();
    const lease = this.#open.get(id);
    return lease?.database === database ? lease : undefined;
  }

  #end(id: string, lease: Lease<T>): void {
    this.#open.delete(id);
    this.#options.onEnd?.(lease.value);
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const [id, lease] of this.#open) {
      if (lease.expiresMs <= nowMs || lease.database.dropped) this.#end(id, lease);
    }
  }

  /** Expired ones need not be swept by anyone asking: they hold the database. */
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

/**
 * A time to live as a client gives it, in ms.
 *
 * @param ttl in seconds, fractions allowed
 * @throws ServiceError badParameter (10) when it is no number above 0
 */
export function checkedTtlMs(ttl: unknown): number {
  if (typeof ttl !== 'number' || !(ttl > 0)) throw new ServiceError('badParameter');
  return Math.min(Math.ceil(ttl * 1000), TTL_MAX_MS);
}
