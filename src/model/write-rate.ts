/** How fast something goes, as an average. */
export interface WriteRate {
  readonly perSecond: number;
  /** Of how long it is the average. */
  readonly seconds: number;
}

/** Over so much of a history: long enough for a server that is written to once a minute, and still of now. */
const WINDOW_SECONDS = 300;

/**
 * The average of the newest five minutes of a history.
 * @param times of the samples, in seconds since 1970, the oldest first
 * @param rates a second, each since the sample before; null for what is not known
 * @param interval seconds between two samples
 * @returns undefined where there are no samples
 */
export function recentRate(
  times: readonly number[],
  rates: readonly (number | null)[],
  interval: number,
): WriteRate | undefined {
  let [seconds, amount] = [0, 0];
  for (let i = times.length - 1; i >= 0 && seconds < WINDOW_SECONDS; i--) {
    const rate = rates[i] ?? null;
    if (rate === null) continue;
    const before = times[i - 1];
    const length = before === undefined ? interval : (times[i] ?? before) - before;
    seconds += length;
    amount += rate * length;
  }
  return seconds > 0 ? { perSecond: amount / seconds, seconds } : undefined;
}

/** How long a log of so many events reaches back at this rate, in seconds; null where none are written. */
export function reachOf(events: number, { perSecond }: WriteRate): number | null {
  return events > 0 && perSecond > 0 ? events / perSecond : null;
}

/** Below this an average is that of a moment. */
const SPAN_MIN_SECONDS = 10;

/** Of which time an average is: `over the last 5 minutes`, `over the last 42 seconds`, `just now`. */
export function spanWords(seconds: number): string {
  if (seconds < SPAN_MIN_SECONDS) return 'just now';
  if (seconds < 60) return `over the last ${Math.round(seconds)} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes === 1 ? 'over the last minute' : `over the last ${minutes} minutes`;
}
