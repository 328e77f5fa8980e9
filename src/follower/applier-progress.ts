import type { Clock } from '../base/clock.ts';
import type { Tick } from '../model/tick.ts';

/** What an applier says of its way, for its state (contract 5.4). Written by the loop, read by all. */
export class ApplierProgress {
  readonly #clock: Clock;
  #message: string | undefined;
  #messageAtMs = 0;
  #failedConnects = 0;
  #totalRequests = 0;
  #totalFailedConnects = 0;
  #lastAvailableTick: Tick = 0n;
  #committedAtMs = 0;
  #caughtUp = false;
  #caughtUpAtMs = 0;

  /** @param message the first one; without it the state shows none */
  constructor(deps: { clock: Clock }, message?: string) {
    this.#clock = deps.clock;
    if (message !== undefined) this.say(message);
  }

  /** What is being done, and undefined when that was never said. */
  get message(): string | undefined {
    return this.#message;
  }

  /** Time of the message, ms since 1970; 0 without one. */
  get messageAtMs(): number {
    return this.#messageAtMs;
  }

  /** Failures to reach the leader since it was reached last. */
  get failedConnects(): number {
    return this.#failedConnects;
  }

  get totalRequests(): number {
    return this.#totalRequests;
  }

  get totalFailedConnects(): number {
    return this.#totalFailedConnects;
  }

  /** Newest tick of the leader's log, as of its last answer; 0 when unknown. */
  get lastAvailableTick(): Tick {
    return this.#lastAvailableTick;
  }

  /**
   * How long ago, in ms, the oldest event that is not applied yet was committed: 0 when all are, and
   * undefined when it cannot be known. Where a leader does not tell when its events were committed,
   * since when the end of its log was last reached.
   */
  get behindMs(): number | undefined {
    if (this.#caughtUp) return 0;
    const sinceMs = Math.max(this.#committedAtMs, this.#caughtUpAtMs);
    return sinceMs === 0 ? undefined : Math.max(0, this.#clock.nowMs() - sinceMs);
  }

  say(message: string): void {
    this.#message = message;
    this.#messageAtMs = this.#clock.nowMs();
  }

  /** A request is sent. */
  request(message: string): void {
    this.say(message);
    this.#totalRequests++;
  }

  /** The leader answered. */
  reached(): void {
    this.#failedConnects = 0;
  }

  /** It did not. */
  failed(): void {
    this.#failedConnects++;
    this.#totalFailedConnects++;
  }

  /** A page came: the log ends at `tick`; `isEnd` when nothing is left to apply. */
  available(tick: Tick, isEnd: boolean): void {
    this.#lastAvailableTick = tick;
    // What comes now was committed since the page before, so that is no delay of ours.
    if (this.#caughtUp) this.#caughtUpAtMs = this.#clock.nowMs();
    this.#caughtUp = isEnd;
  }

  /** A page is applied; `isEnd` when it reached the end of the log. */
  applied(page: { isEnd: boolean; committedAtMs: number | undefined }): void {
    this.#caughtUp = page.isEnd;
    if (page.committedAtMs !== undefined) this.#committedAtMs = page.committedAtMs;
  }
}
