import type { Clock } from '../base/clock.ts';
import { isServiceError } from '../model/errors.ts';

/** What was found damaged since the server was started. */
export interface Damage {
  /** How often somebody met damage: requests, appliers, background work. */
  readonly count: number;
  /** ms since 1970. */
  readonly sinceMs: number;
  /** What it was the last time. */
  readonly message: string;
}

/** What is wrong with a store while it is open; states show it. */
export class StoreHealth {
  readonly #clock: Clock;
  #damage: Damage | undefined;

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Undefined as long as nothing was found. */
  get damage(): Damage | undefined {
    return this.#damage;
  }

  /** Takes down what somebody has failed with, if it was damage. */
  note(error: unknown): void {
    if (!isServiceError(error, 'storageDamaged')) return;
    const { count = 0, sinceMs = this.#clock.nowMs() } = this.#damage ?? {};
    this.#damage = { count: count + 1, sinceMs, message: error.message };
  }
}
