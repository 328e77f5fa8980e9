import type { Clock } from '../base/clock.ts';
import type { Tick } from '../model/tick.ts';
import { type AppliedPage, PageRates } from './page-rates.ts';
import { ReplicationFigures } from './replication-figures.ts';

/** An answer that takes this much longer than it may says nothing good of the leader. */
const LATE_MS = 10_000;

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
  #pageAtMs = 0;
  /** Whether a page of the log came since the leader was last lost. */
  #isCurrent = false;
  #answerDueMs = Infinity;
  #nextAttemptAtMs: number | undefined;
  /** Of all appliers together. */
  readonly #totals: ReplicationFigures;
  /** Of the pages that were applied. */
  readonly rates: PageRates;
  readonly #times = { fetch: { count: 0, ms: 0 }, apply: { count: 0, ms: 0 } };

  /** @param message the first one; without it the state shows none */
  constructor(deps: { clock: Clock; figures?: ReplicationFigures | undefined }, message?: string) {
    this.#clock = deps.clock;
    this.rates = new PageRates(deps);
    this.#totals = deps.figures ?? new ReplicationFigures();
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

  /** When the leader is asked again after a failure, ms since 1970; undefined unless that is waited for. */
  get nextAttemptAtMs(): number | undefined {
    return this.#nextAttemptAtMs;
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

  /** Whether `lastAvailableTick` holds now: the leader was asked for its log, and answers in time. */
  get isCurrent(): boolean {
    return this.#isCurrent && this.#clock.nowMs() <= this.#answerDueMs;
  }

  /**
   * How long ago, in ms, the oldest event that is not applied yet was committed: 0 when all are, and
   * undefined when it cannot be known. Where a leader does not tell when its events were committed,
   * and while it does not answer, since when the end of its log was last reached.
   */
  get behindMs(): number | undefined {
    if (this.#caughtUp && this.isCurrent) return 0;
    const sinceMs = Math.max(this.#committedAtMs, this.#caughtUpAtMs);
    return sinceMs === 0 ? undefined : Math.max(0, this.#clock.nowMs() - sinceMs);
  }

  /** Pages fetched and applied, with the time that took; that of fetching includes being held. */
  get times(): Readonly<
    Record<'fetch' | 'apply', { readonly count: number; readonly ms: number }>
  > {
    return this.#times;
  }

  /** Notes how long it took to fetch or to apply a page. */
  timed(what: 'fetch' | 'apply', ms: number): void {
    this.#times[what].count++;
    this.#times[what].ms += ms;
    const { tailing } = this.#totals;
    if (what === 'apply') tailing.applyMs += ms;
    else tailing.requestMs += ms;
  }

  /** A page of the log is written. */
  page(page: AppliedPage): void {
    this.timed('apply', page.ms);
    const { tailing, pageSeconds } = this.#totals;
    tailing.bytes += page.bytes;
    tailing.events += page.events;
    tailing.documents += page.documents;
    tailing.removals += page.removals;
    pageSeconds.add(page.ms / 1000);
    this.rates.applied(page);
  }

  say(message: string): void {
    this.#message = message;
    this.#messageAtMs = this.#clock.nowMs();
    this.#nextAttemptAtMs = undefined;
  }

  /**
   * A request is sent.
   * @param holdMs how long the leader may keep it
   */
  request(message: string, holdMs = 0): void {
    this.say(message);
    this.#totalRequests++;
    this.#totals.tailing.requests++;
    this.#answerDueMs = this.#clock.nowMs() + holdMs + LATE_MS;
  }

  /** The leader answered. */
  reached(): void {
    this.#failedConnects = 0;
    this.#answerDueMs = Infinity;
  }

  /** It did not. */
  failed(): void {
    this.#failedConnects++;
    this.#totalFailedConnects++;
    this.#totals.failedConnects++;
    this.lost();
  }

  /** It will be asked again after this time. */
  waits(ms: number): void {
    this.#nextAttemptAtMs = this.#clock.nowMs() + ms;
  }

  /** The leader no longer has what comes next. */
  lostPlace(): void {
    this.#totals.tailing.lostPlaces++;
  }

  /** How far the leader is can no longer be known, until its next page. */
  lost(): void {
    this.#isCurrent = false;
    this.#caughtUp = false;
  }

  /** A page came: the log ends at `tick`; `isEnd` when nothing is left to apply. */
  available(tick: Tick, isEnd: boolean): void {
    this.rates.available(this.#lastAvailableTick, tick);
    this.#lastAvailableTick = tick;
    this.#pageAtMs = this.#clock.nowMs();
    // What comes now was committed since the page before, so that is no delay of ours.
    if (this.#caughtUp || isEnd) this.#caughtUpAtMs = this.#pageAtMs;
    this.#caughtUp = isEnd;
    this.#isCurrent = true;
  }

  /** A page is applied; `isEnd` when it reached the end of the log. */
  applied(page: { isEnd: boolean; committedAtMs: number | undefined }): void {
    // The leader may have been lost since the page came.
    this.#caughtUp = page.isEnd && this.#isCurrent;
    if (page.isEnd) this.#caughtUpAtMs = this.#pageAtMs;
    if (page.committedAtMs !== undefined) this.#committedAtMs = page.committedAtMs;
  }
}
