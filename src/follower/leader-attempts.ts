import { Backoff } from '../base/backoff.ts';
import { sleep } from '../base/sleep.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import { type ServiceError, isServiceError } from '../model/errors.ts';
import type { ApplierProgress } from './applier-progress.ts';
import { classify } from './classify.ts';

export interface LeaderAttemptsDeps {
  readonly progress: ApplierProgress;
  /** Told of each answer. */
  readonly onAnswer: () => void;
  /** Told of each failure after which it is tried again. */
  readonly onLost: (error: ServiceError) => void;
}

const RETRY_BASE_MS = 1000;
const RETRY_FLOOR_MS = 300;

/** Makes requests of a leader until they are answered: failures that may pass are repeated. */
export class LeaderAttempts {
  readonly #deps: LeaderAttemptsDeps;
  readonly #maxRetries: number;
  readonly #backoff: Backoff;
  readonly #floorMs: number;
  /** In a row. */
  #failures = 0;

  constructor(
    deps: LeaderAttemptsDeps,
    options: Pick<ApplierConfig, 'maxConnectRetries' | 'connectionRetryWaitTime'>,
  ) {
    this.#deps = deps;
    this.#maxRetries = options.maxConnectRetries;
    const maxMs = Math.max(1, options.connectionRetryWaitTime * 1000);
    this.#backoff = new Backoff({ baseMs: Math.min(RETRY_BASE_MS, maxMs), maxMs });
    this.#floorMs = Math.min(RETRY_FLOOR_MS, maxMs);
  }

  /**
   * Sends a request until it is answered, with pauses.
   *
   * @param holdMs asked before each attempt: how long the leader will be asked to hold it
   * @throws the reason of the signal, what does not pass, and the last failure after too many
   */
  async run<T>(
    message: string,
    send: () => Promise<T>,
    signal: AbortSignal,
    holdMs = (): number => 0,
  ): Promise<T> {
    const { progress, onAnswer, onLost } = this.#deps;
    for (;;) {
      try {
        progress.request(message, holdMs());
        const answer = await send();
        this.#failures = 0;
        this.#backoff.reset();
        progress.reached();
        onAnswer();
        return answer;
      } catch (error) {
        const verdict = classify(error, signal);
        if (verdict === 'abort') throw error;
        if (isFailedConnect(error)) progress.failed();
        else progress.lost();
        if (verdict !== 'retry') throw error;
        this.#failures++;
        if (this.#maxRetries > 0 && this.#failures > this.#maxRetries) throw error;
        onLost(error as ServiceError);
        const pauseMs = this.#backoff.nextMs(this.#floorMs);
        progress.waits(pauseMs);
        await sleep(pauseMs, signal);
        signal.throwIfAborted();
      }
    }
  }
}

/** Whether the failure counts as one to reach the leader (contract 6.5). */
function isFailedConnect(error: unknown): boolean {
  return isServiceError(error, 'noResponse') || isServiceError(error, 'leaderError');
}
