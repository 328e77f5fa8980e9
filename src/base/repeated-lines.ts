import type { Clock } from './clock.ts';

interface Series {
  readonly write: (repeated: number) => void;
  readonly untilMs: number;
  /** Since the line was written last. */
  count: number;
}

/** So many kinds of lines are told apart; the oldest series ends early. */
const SERIES_MAX = 500;

/**
 * Lets a line through that was not there a short time ago, and counts the others like it: when the time is over,
 * one more is written that says how many they were.
 */
export class RepeatedLines {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #series = new Map<string, Series>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: { clock: Clock }, options: { intervalMs: number }) {
    this.#clock = deps.clock;
    this.#intervalMs = options.intervalMs;
  }

  /**
   * @param key the same for lines that are alike
   * @param write called at once with 0; or, for the last line of a series, when it is over, with how many
   *   lines of it were not written
   */
  note(key: string, write: (repeated: number) => void): void {
    const nowMs = this.#clock.nowMs();
    this.#end((series) => series.untilMs <= nowMs);
    const known = this.#series.get(key);
    if (known) {
      this.#series.set(key, { write, untilMs: known.untilMs, count: known.count + 1 });
      this.#timer ??= setTimeout(() => this.#tick(), this.#intervalMs).unref();
      return;
    }
    const [oldest] = this.#series.keys();
    if (this.#series.size >= SERIES_MAX) this.#end((_series, each) => each === oldest);
    this.#series.set(key, { write, untilMs: nowMs + this.#intervalMs, count: 0 });
    write(0);
  }

  /** Writes what was counted, at the end. */
  close(): void {
    this.#end(() => true);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    this.#timer = undefined;
    this.#end((series) => series.untilMs <= nowMs);
    const isCounting = [...this.#series.values()].some(({ count }) => count > 0);
    if (isCounting) this.#timer = setTimeout(() => this.#tick(), this.#intervalMs).unref();
  }

  #end(isOver: (series: Series, key: string) => boolean): void {
    for (const [key, series] of this.#series) {
      if (!isOver(series, key)) continue;
      this.#series.delete(key);
      if (series.count > 0) series.write(series.count);
    }
  }
}
