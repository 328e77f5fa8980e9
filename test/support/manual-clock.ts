import type { Clock } from '../../src/base/clock.ts';

/** A clock that stands still until the test moves it. */
export class ManualClock implements Clock {
  #nowMs: number;

  /** Starts at `nowMs`, by default at a date that is easily told from 0 and from today. */
  constructor(nowMs = Date.UTC(2020, 0, 1)) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Moves the clock by `ms` milliseconds; a negative number is a clock that was set back. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }

  /** Puts the clock at `nowMs` milliseconds since 1970. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}
