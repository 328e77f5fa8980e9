import type { Clock } from './clock.ts';

const SLOT_MS = 1000;
const SLOTS = 10;
/** Of the beginning, whose rate would be that of a single moment. */
const SHORTEST_MS = 200;

/** How much comes in a second, over the last ten. Costs a few numbers, however much comes. */
export class Rate {
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #amounts = new Float64Array(SLOTS);
  readonly #slots = new Float64Array(SLOTS).fill(-1);

  /** Begins to count now. */
  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
    this.#beganMs = deps.clock.nowMs();
  }

  add(amount: number): void {
    const slot = Math.floor(this.#clock.nowMs() / SLOT_MS);
    const i = slot % SLOTS;
    if (this.#slots[i] !== slot) {
      this.#slots[i] = slot;
      this.#amounts[i] = 0;
    }
    this.#amounts[i] = (this.#amounts[i] ?? 0) + amount;
  }

  get perSecond(): number {
    const nowMs = this.#clock.nowMs();
    const now = Math.floor(nowMs / SLOT_MS);
    let sum = 0;
    for (let i = 0; i < SLOTS; i++) {
      const slot = this.#slots[i] ?? -1;
      if (slot <= now && slot > now - SLOTS) sum += this.#amounts[i] ?? 0;
    }
    // The oldest slot that counts begins there.
    const windowMs = nowMs - (now - SLOTS + 1) * SLOT_MS;
    const sinceMs = Math.max(SHORTEST_MS, nowMs - this.#beganMs);
    return (sum * 1000) / Math.min(windowMs, sinceMs);
  }
}
