import { waitUntilApplied } from '../support/catch-up.ts';
import type { ServerApi } from '../support/server-api.ts';

/** Between two looks. Longer ones would say less, shorter ones slow down what they look at. */
const PAUSE_MS = 50;
const POLL_MS = 2;

/**
 * Measures again and again how long it takes from the moment the leader has an entry as its newest until
 * the follower has applied it, until `signal` is aborted.
 * @returns milliseconds, in the order of the looks; the polling itself is a part of them
 */
export async function watchLag(
  leader: ServerApi,
  follower: ServerApi,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const lagsMs: number[] = [];
  while (!signal.aborted) {
    const tick = await leader.lastLogTick();
    const startedAt = performance.now();
    try {
      await waitUntilApplied(follower, tick, signal, POLL_MS);
    } catch (error) {
      if (error === signal.reason) return lagsMs;
      throw error;
    }
    lagsMs.push(performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return lagsMs;
}
