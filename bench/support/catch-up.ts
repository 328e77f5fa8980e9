import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerApi } from './server-api.ts';

const DEFAULT_POLL_MS = 5;

/**
 * Waits until a follower has applied everything up to a tick.
 *
 * @param tick usually the last tick of the leader's log
 * @throws Error when its applier has stopped, with the reason; the reason of the signal
 */
export async function waitUntilApplied(
  follower: ServerApi,
  tick: bigint,
  signal: AbortSignal,
  pollMs = DEFAULT_POLL_MS,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const state = await follower.applierState();
    if (state.appliedTick >= tick) return;
    if (!state.running) {
      const { errorNum, errorMessage } = state;
      throw new Error(`the applier has stopped: ${errorNum} ${errorMessage} (${state.progress})`);
    }
    await sleep(pollMs);
  }
}
