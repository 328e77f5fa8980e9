import { assert } from './assert.ts';

/** How a series of retries is spaced. */
export interface BackoffOptions {
  /** Upper end of the first delay, in milliseconds; doubled with every further one. At least 1. */
  baseMs: number;
  /** No delay is drawn above this many milliseconds. At least `baseMs`. */
  maxMs: number;
  /** Source of numbers in [0, 1); `Math.random` unless a test wants to know the delays. */
  random?: () => number;
}

/**
 * Delays between retries: capped exponential with full jitter, so that many followers that lost
 * one leader do not come back in step. One object per loop; not for use by several at once.
 */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #ceilingMs: number;

  /** @throws InvariantError when `baseMs` < 1 or `maxMs` < `baseMs`. */
  constructor(options: BackoffOptions) {
    assert(options.baseMs >= 1, `baseMs must be at least 1, got ${options.baseMs}`);
    assert(options.maxMs >= options.baseMs, `maxMs must not be below baseMs, got ${options.maxMs}`);
    this.#baseMs = options.baseMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random ?? Math.random;
    this.#ceilingMs = options.baseMs;
  }

  /**
   * The delay before the next try, in whole milliseconds from 0 to the present ceiling; then doubles
   * that ceiling. `floorMs` (a server's Retry-After) lifts the result, beyond `maxMs` if it must.
   */
  nextMs(floorMs = 0): number {
    const drawnMs = Math.round(this.#random() * this.#ceilingMs);
    this.#ceilingMs = Math.min(this.#maxMs, this.#ceilingMs * 2);
    return Math.max(drawnMs, floorMs);
  }

  /** Starts over at `baseMs`; called once something has worked again. */
  reset(): void {
    this.#ceilingMs = this.#baseMs;
  }
}
