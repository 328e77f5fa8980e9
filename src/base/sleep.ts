import { assert } from './assert.ts';

/** Node fires timers beyond a signed 32-bit number at once instead of late. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * Waits `ms` milliseconds (longer times than about 24 days end there), or until `signal` is aborted.
 * An abort *resolves*, so no abort error has to be told apart from real ones in a loop: look at the
 * signal afterwards. Neither timer nor listener stays behind, whichever comes first.
 * @throws InvariantError when `ms` is negative or not a number.
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    assert(ms >= 0, `a sleep takes a time of at least 0 ms, got ${ms}`);
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, Math.min(ms, TIMER_MAX_MS));
    signal?.addEventListener('abort', finish, { once: true });
  });
}
