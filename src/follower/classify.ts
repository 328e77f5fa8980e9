import { ERRORS, isServiceError } from '../model/errors.ts';
import type { RemoteError } from '../protocol/error-body.ts';

/** What to do about an error of a loop that talks to a leader. */
export type Verdict = 'abort' | 'retry' | 'resync' | 'fatal';

/** Statuses below 500 that say "not now". */
const TRY_LATER: ReadonlySet<number> = new Set([408, 429]);

const UNAUTHORIZED = 401;

/** Cause of a leaderError: the answer that was no success. */
export class RefusedAnswer extends Error {
  override readonly name = 'RefusedAnswer';
  readonly status: number;
  /** What the leader said in the body, if it was of our kind. */
  readonly remote: RemoteError | undefined;

  constructor(status: number, remote: RemoteError | undefined) {
    super(
      remote
        ? `HTTP ${status}, error ${remote.errorNum}: ${remote.errorMessage}`
        : `HTTP ${status}`,
    );
    this.status = status;
    this.remote = remote;
  }
}

/**
 * Cause of an invalidResponse that is not what a leader sends: damaged on the way, or somebody else's answer.
 * Asking again may help.
 */
export class DamagedBody extends Error {
  override readonly name = 'DamagedBody';
}

/** Cause of a startTickNotPresent where what is here is whole up to the position: only the log behind it is lost. */
export class LogGap extends Error {
  override readonly name = 'LogGap';
}

/**
 * The one place that decides what an error means to a loop: `abort` when the loop was told to end,
 * `retry` when the leader can not be reached, has a fault of its own (5xx), or something between answers in its
 * place - a redirect, a refusal that is none of a leader's, an answer that is none or arrived damaged; `resync` when the leader's log no longer reaches back; `fatal` for all else.
 */
export function classify(error: unknown, signal: AbortSignal): Verdict {
  if (signal.aborted) return 'abort';
  if (!isServiceError(error)) return 'fatal';
  switch (error.kind) {
    case 'noResponse':
      return 'retry';
    case 'leaderError':
      return isPassing(error.cause) ? 'retry' : 'fatal';
    case 'invalidResponse':
      return error.cause instanceof DamagedBody ? 'retry' : 'fatal';
    case 'startTickNotPresent':
    case 'noStartTick':
      return 'resync';
    default:
      return 'fatal';
  }
}

/** The answer behind a leaderError; undefined for other errors. */
export function refusedAnswer(error: unknown): RefusedAnswer | undefined {
  if (!isServiceError(error, 'leaderError')) return undefined;
  return error.cause instanceof RefusedAnswer ? error.cause : undefined;
}

/** Whether the leader does not know the collection that was asked for; with its database gone it answers otherwise. */
export function isCollectionGone(error: unknown): boolean {
  const refused = refusedAnswer(error);
  return refused?.status === 404 && refused.remote?.errorNum === ERRORS.collectionNotFound.errorNum;
}

function isPassing(cause: unknown): boolean {
  if (!(cause instanceof RefusedAnswer)) return false;
  const { status, remote } = cause;
  if (status >= 500 || status < 400 || TRY_LATER.has(status)) return true;
  // A leader says in the body why; who wants a password must be given one.
  return remote === undefined && status !== UNAUTHORIZED;
}
