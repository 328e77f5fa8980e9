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

  /** Whether the last page reached the end of the leader's log, and is applied. */
  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** When the newest entry applied was committed by the leader, ms since 1970; 0 when unknown. */
  get committedAtMs(): number {
    return this.#committedAtMs;
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

  /** The leader has told of the end of its log. */
  available(tick: Tick, caughtUp: boolean): void {
    this.#lastAvailableTick = tick;
    if (!caughtUp) this.#caughtUp = false;
  }

  /** A page is applied. */
  applied(page: { caughtUp: boolean; committedAtMs: number | undefined }): void {
    this.#caughtUp = page.caughtUp;
    if (page.committedAtMs !== undefined) this.#committedAtMs = page.committedAtMs;
  }
}
