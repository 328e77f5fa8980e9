import type { Clock } from '../../src/base/clock.ts';

/** The machine's clock, which can be made to go on by any time at once. */
export class SkewedClock implements Clock {
  #skewMs = 0;

  nowMs(): number {
    return Date.now() + this.#skewMs;
  }

  skip(ms: number): void {
    this.#skewMs += ms;
  }
}
