import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import type { Tick } from '../model/tick.ts';
import { classify, refusedAnswer } from './classify.ts';
import { errorFields } from './failure-log.ts';
import type { LeaderBatch } from './leader-answers.ts';
import type { LeaderClient } from './leader-client.ts';

export interface BatchLeaseOptions {
  /** How long the leader keeps the batch without hearing of it, in seconds. */
  readonly ttlSeconds: number;
  /** The batch is extended when this long has passed, in ms. */
  readonly extendAfterMs: number;
  /** The batch is a snapshot: another one shows other data, and does not take its place. */
  readonly isSnapshot?: boolean;
}

/** Statuses by which leaders say that they do not know a batch: 400 in 1.4, 404 later. */
const UNKNOWN_BATCH: ReadonlySet<number> = new Set([400, 404]);
/** After a failed attempt to extend. */
const RETRY_MS = 5000;
/** Deleting the batch must not hold up the end of a sync. */
const DELETE_TIMEOUT_MS = 5000;

/**
 * A dump batch on the leader, kept open for as long as a sync needs it (contract 6.2, step 2), also
 * while an index is built and no other request is made.
 */
export class BatchLease {
  readonly #client: LeaderClient;
  readonly #logger: Logger;
  readonly #options: BatchLeaseOptions;
  readonly #ended = new AbortController();
  #batch: LeaderBatch;
  #openings = 1;
  readonly #extending: Promise<void>;

  /** Takes charge of a batch that is open; see `open`. */
  constructor(
    deps: { client: LeaderClient; logger: Logger },
    options: BatchLeaseOptions,
    batch: LeaderBatch,
  ) {
    this.#client = deps.client;
    this.#logger = deps.logger;
    this.#options = options;
    this.#batch = batch;
    this.#extending = this.#keepOpen();
  }

  /** @throws ServiceError as the client */
  static async open(
    deps: { client: LeaderClient; logger: Logger },
    options: BatchLeaseOptions,
    signal: AbortSignal,
  ): Promise<BatchLease> {
    const batch = await deps.client.createBatch(options.ttlSeconds, signal);
    return new BatchLease(deps, options, batch);
  }

  get id(): string {
    return this.#batch.id;
  }

  /** Tick of the snapshot that the batch is, of leaders that tell. */
  get lastTick(): Tick | undefined {
    return this.#batch.lastTick;
  }

  /** How many batches it took: with each but the first the leader may have compacted the dump. */
  get openings(): number {
    return this.#openings;
  }

  /** Extends the batch, or opens another when the leader no longer knows it. */
  async extend(signal: AbortSignal): Promise<void> {
    const { ttlSeconds, isSnapshot = false } = this.#options;
    try {
      await this.#client.extendBatch(this.id, ttlSeconds, signal);
    } catch (error) {
      const refused = refusedAnswer(error);
      if (!refused || !UNKNOWN_BATCH.has(refused.status) || isSnapshot) throw error;
      this.#batch = await this.#client.createBatch(ttlSeconds, signal);
      this.#openings++;
      this.#logger.warn(errorFields(error), 'the leader lost the dump batch; opened another');
    }
  }

  /** Deletes the batch. What the leader says to that is logged and otherwise ignored (6.2, step 8). */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#extending;
    try {
      await this.#client.deleteBatch(this.id, AbortSignal.timeout(DELETE_TIMEOUT_MS));
    } catch (error) {
      this.#logger.debug(errorFields(error), 'the dump batch could not be deleted; it will expire');
    }
  }

  async #keepOpen(): Promise<void> {
    const { signal } = this.#ended;
    let waitMs = this.#options.extendAfterMs;
    for (;;) {
      await sleep(waitMs, signal);
      if (signal.aborted) return;
      waitMs = this.#options.extendAfterMs;
      try {
        await this.extend(signal);
      } catch (error) {
        if (classify(error, signal) === 'abort') return;
        waitMs = Math.min(RETRY_MS, waitMs);
        this.#logger.warn(errorFields(error), 'the dump batch could not be extended; trying again');
      }
    }
  }
}
