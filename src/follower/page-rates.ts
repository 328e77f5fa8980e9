import type { Clock } from '../base/clock.ts';
import { Rate } from '../base/rate.ts';
import type { Tick } from '../model/tick.ts';

/** What a page of the leader's log came to. */
export interface AppliedPage {
  readonly events: number;
  /** Of these, documents put in or replaced, and removed. */
  readonly documents: number;
  readonly removals: number;
  readonly bytes: number;
  /** Position before and after it. */
  readonly from: Tick;
  readonly to: Tick;
  /** How long it took. */
  readonly ms: number;
}

/** How fast a leader's log is applied and grows, over the last seconds. */
export class PageRates {
  readonly #events: Rate;
  readonly #bytes: Rate;
  readonly #applied: Rate;
  readonly #grown: Rate;
  #appliedBytes = 0;

  constructor(deps: { clock: Clock }) {
    this.#events = new Rate(deps);
    this.#bytes = new Rate(deps);
    this.#applied = new Rate(deps);
    this.#grown = new Rate(deps);
  }

  /** A page is applied. */
  applied({ events, bytes, from, to }: AppliedPage): void {
    this.#events.add(events);
    this.#bytes.add(bytes);
    this.#appliedBytes += bytes;
    if (from > 0n && to > from) this.#applied.add(Number(to - from));
  }

  /** The leader's log ends at another tick than was known before; 0 for an end that was not known. */
  available(before: Tick, now: Tick): void {
    if (before > 0n && now > before) this.#grown.add(Number(now - before));
  }

  /** Of all pages that were applied, in bytes of the log. */
  get appliedBytes(): number {
    return this.#appliedBytes;
  }

  get eventsPerSecond(): number {
    return this.#events.perSecond;
  }

  get bytesPerSecond(): number {
    return this.#bytes.perSecond;
  }

  /** When the end of the log will be reached; null when it gets no nearer. */
  secondsLeft(ticksBehind: number): number | null {
    if (ticksBehind === 0) return 0;
    const speed = this.#applied.perSecond - this.#grown.perSecond;
    return speed > 0 ? ticksBehind / speed : null;
  }
}
