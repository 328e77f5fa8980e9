import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import { isServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { classify } from './classify.ts';
import { errorFields } from './failure-log.ts';
import type { LeaderClient } from './leader-client.ts';

export interface BarrierLeaseOptions {
  /** The leader keeps its log behind this tick. */
  readonly tick: Tick;
  /** How long the leader keeps the barrier without hearing of it, in seconds. */
  readonly ttlSeconds: number;
}

/** Deleting the barrier must not hold up the end of what it was for. */
const DELETE_TIMEOUT_MS = 5000;

/**
 * A barrier on the leader: while a copy is made it keeps the leader's log from being discarded behind
 * the tick at which following will begin (contract 2.10). It helps where it can be had; that it cannot
 * is no error.
 */
export class BarrierLease {
  readonly #client: LeaderClient;
  readonly #logger: Logger;
  readonly #options: BarrierLeaseOptions;
  readonly #ended = new AbortController();
  readonly #extending: Promise<void>;
  readonly id: string;

  private constructor(
    deps: { client: LeaderClient; logger: Logger },
    options: BarrierLeaseOptions,
    id: string,
  ) {
    this.#client = deps.client;
    this.#logger = deps.logger;
    this.#options = options;
    this.id = id;
    this.#extending = this.#keepUp();
  }

  /**
   * Undefined when the leader refuses, or does not answer as it should: all goes on without.
   * @throws the reason of `signal` when that is aborted
   */
  static async open(
    deps: { client: LeaderClient; logger: Logger },
    options: BarrierLeaseOptions,
    signal: AbortSignal,
  ): Promise<BarrierLease | undefined> {
    try {
      const id = await deps.client.createBarrier(options.tick, options.ttlSeconds, signal);
      return new BarrierLease(deps, options, id);
    } catch (error) {
      if (signal.aborted || !isServiceError(error)) throw error;
      deps.logger.debug(errorFields(error), 'the leader has no barrier to give; going on without');
      return undefined;
    }
  }

  /** Takes care of it no longer; it is deleted unless somebody else `keeps` it. */
  async close({ keeps }: { keeps: boolean }): Promise<void> {
    this.#ended.abort();
    await this.#extending;
    if (!keeps) await removeBarrier(this.#client, this.#logger, this.id);
  }

  async #keepUp(): Promise<void> {
    const { signal } = this.#ended;
    const { tick, ttlSeconds } = this.#options;
    for (;;) {
      await sleep((ttlSeconds * 1000) / 2, signal);
      if (signal.aborted) return;
      try {
        await this.#client.extendBarrier(this.id, tick, ttlSeconds, signal);
      } catch (error) {
        if (classify(error, signal) === 'abort') return;
        this.#logger.warn(errorFields(error), 'the barrier on the leader could not be prolonged');
      }
    }
  }
}

/** Deletes a barrier. What the leader says to that is logged and otherwise ignored. */
export async function removeBarrier(
  client: LeaderClient,
  logger: Logger,
  id: string,
): Promise<void> {
  try {
    await client.deleteBarrier(id, AbortSignal.timeout(DELETE_TIMEOUT_MS));
  } catch (error) {
    logger.debug(errorFields(error), 'the barrier could not be deleted; it will expire');
  }
}
