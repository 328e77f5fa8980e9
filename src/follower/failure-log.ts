import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { inWordsOfToday } from '../model/error-words.ts';
import { isServiceError } from '../model/errors.ts';
import { REPLICATION_ERRORS } from '../model/replication-errors.ts';

/** While something keeps failing, that is logged this often at most. */
const REPEAT_MS = 60_000;

/**
 * What a log line says of an error. Of one about the leader or the way there that is its number and its
 * message, which has everything; where it came from in this program is told only of others.
 */
export function errorFields(error: unknown): object {
  if (isServiceError(error) && Object.hasOwn(REPLICATION_ERRORS, error.kind)) {
    return { errorNum: error.errorNum, reason: inWordsOfToday(error.message) };
  }
  return { err: error };
}

/**
 * Logs a series of failures to reach a leader: the first one, then at most one a minute, and that it is over.
 */
export class FailureLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #failures = 0;
  #loggedMs = 0;

  constructor(deps: { clock: Clock; logger: Logger }) {
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  /** Called at each failure after which it is tried again. */
  failed(error: unknown): void {
    this.#failures++;
    const nowMs = this.#clock.nowMs();
    if (this.#failures > 1 && nowMs - this.#loggedMs < REPEAT_MS) return;
    this.#loggedMs = nowMs;
    this.#logger.warn(
      { ...errorFields(error), failures: this.#failures },
      'the leader cannot be reached; trying again',
    );
  }

  /** Called whenever the leader answers as it should. */
  reached(): void {
    if (this.#failures === 0) return;
    this.#logger.info({ failures: this.#failures }, 'the leader can be reached again');
    this.#failures = 0;
  }
}
