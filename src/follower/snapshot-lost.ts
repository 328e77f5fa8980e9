import { Backoff } from '../base/backoff.ts';
import { sleep } from '../base/sleep.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { classify, refusedAnswer } from './classify.ts';

/**
 * Cause of an error after which the snapshot that is copied cannot be gone on with: the leader keeps
 * the position in it, and does not send a page a second time (contract 3.4).
 */
export class SnapshotLost extends Error {
  override readonly name = 'SnapshotLost';
}

/** What leaders from 3.4 on say of a batch that is gone, or in use. */
const BATCH_GONE: ReadonlySet<number | undefined> = new Set([1600, 1601]);
const BACKOFF = { baseMs: 250, maxMs: 4000 };

/**
 * What the failure of a request for a page means where the batch is a snapshot: undefined when it is
 * none that another snapshot would cure.
 */
export function snapshotLost(error: unknown, signal: AbortSignal): ServiceError | undefined {
  if (!isServiceError(error)) return undefined;
  const isGone = BATCH_GONE.has(refusedAnswer(error)?.remote?.errorNum);
  if (!isGone && classify(error, signal) !== 'retry') return undefined;
  const cause = new SnapshotLost(error.message, { cause: error });
  return new ServiceError(error.kind, error.message, { cause });
}

/**
 * Runs a copy again, after a pause, when it lost its snapshot.
 *
 * @param run is told which attempt it is, from 1 on
 * @param options.onLost removes what the attempt has left, after each that lost it
 * @throws what `run` throws, that with the last of `attempts`; the reason of the signal
 */
export async function repeatWhenLost<T>(
  run: (attempt: number) => Promise<T>,
  options: { attempts: number; onLost: (error: unknown) => Promise<void> },
  signal: AbortSignal,
): Promise<T> {
  const backoff = new Backoff(BACKOFF);
  for (let attempt = 1; ; attempt++) {
    try {
      return await run(attempt);
    } catch (error) {
      const isLost = isServiceError(error) && error.cause instanceof SnapshotLost;
      if (!isLost) throw error;
      await options.onLost(error);
      if (attempt >= options.attempts) throw error;
      await sleep(backoff.nextMs(), signal);
      signal.throwIfAborted();
    }
  }
}
