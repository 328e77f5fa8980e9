import type { Clock } from '../base/clock.ts';
import { SYNC_FAILED } from '../model/error-words.ts';
import { ERRORS } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Reason } from './applier-machine.ts';
import type { Displaced } from './document-applier.ts';

/** Something that went wrong, with its time in ms since 1970. */
export interface NotedError extends Reason {
  readonly atMs: number;
  /** Tick of the entry that it is about; undefined where it is about none. */
  readonly tick: Tick | undefined;
  /** Whether the entry was passed over, as `ignoreErrors` allows. */
  readonly ignored?: boolean;
}

/** The same thing so often in a row, as of the last time. */
export interface RepeatedError extends NotedError {
  /** When it went wrong for the first time. */
  readonly firstAtMs: number;
  readonly count: number;
}

const KEPT = 20;

/** What went wrong with an applier, in memory: the last error of its run, and the last ones of all runs. */
export class ErrorHistory {
  readonly #clock: Clock;
  #last: NotedError | undefined;
  #all: readonly RepeatedError[] = [];

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Of the present run, or of the one that has ended; also that somebody stopped it. */
  get last(): NotedError | undefined {
    return this.#last;
  }

  /** The newest first; what repeats itself takes the room of one. */
  get all(): readonly RepeatedError[] {
    return this.#all;
  }

  /** Something ended a run, kept it from beginning, or had it begin anew. */
  note(why: Reason, tick?: Tick, atMs = this.#clock.nowMs()): void {
    this.#last = { ...why, atMs, tick };
    if (why.errorNum !== ERRORS.applierStopped.errorNum) this.#add(this.#last);
  }

  /** The leader was lost, and is tried again: nothing has ended. */
  lost(why: Reason): void {
    this.#add({ ...why, atMs: this.#clock.nowMs(), tick: undefined });
  }

  /** A copy that somebody asked for was not finished: nothing of the applier has ended. */
  syncFailed({ errorNum, message }: Reason): void {
    if (errorNum === ERRORS.applierStopped.errorNum) return;
    this.#add({
      errorNum,
      message: `${SYNC_FAILED}${message}`,
      atMs: this.#clock.nowMs(),
      tick: undefined,
    });
  }

  /** An entry failed and was passed over: nothing has ended. */
  ignored(why: Reason, tick: Tick): void {
    this.#add({
      errorNum: why.errorNum,
      message: why.message,
      atMs: this.#clock.nowMs(),
      tick,
      ignored: true,
    });
  }

  /** A document made room for one of the leader: nothing has ended, but it is missing here now. */
  displaced({ collection, tick }: Displaced): void {
    const { errorNum } = ERRORS.uniqueConstraintViolated;
    const message =
      `documents of collection '${collection}' were removed here, each for one of the leader with the same value ` +
      'in a unique index: what has that index here is not what the leader has; verify shows what differs';
    const error = { errorNum, message, atMs: this.#clock.nowMs(), tick };
    // There may be many in a row; they are one, told by the newest.
    this.#add(error, this.#all[0]?.message === message);
  }

  /** A run begins. */
  begin(): void {
    this.#last = undefined;
  }

  clear(): void {
    this.#last = undefined;
    this.#all = [];
  }

  #add(error: NotedError, repeats?: boolean): void {
    const [newest] = this.#all;
    if (newest && (repeats ?? isSame(newest, error))) {
      const { firstAtMs, count } = newest;
      this.#all = [{ ...error, firstAtMs, count: count + 1 }, ...this.#all.slice(1)];
      return;
    }
    const first = { ...error, firstAtMs: error.atMs, count: 1 };
    this.#all = [first, ...this.#all].slice(0, KEPT);
  }
}

/** What is passed over may be thousands of entries: those with one number are one, told by the newest. */
function isSame(a: NotedError, b: NotedError): boolean {
  if (a.ignored === true && b.ignored === true) return a.errorNum === b.errorNum;
  if (a.ignored !== b.ignored) return false;
  return a.errorNum === b.errorNum && a.message === b.message && a.tick === b.tick;
}
