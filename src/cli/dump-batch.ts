import { sleep } from '../base/sleep.ts';
import { refusedAnswer } from '../follower/classify.ts';
import type { LeaderClient } from '../follower/leader-client.ts';

export interface DumpBatchOptions {
  /** How long the server keeps the batch without hearing of it, in seconds. */
  readonly ttlSeconds: number;
  /** The batch is extended in the background when this long has passed, in ms. */
  readonly extendAfterMs: number;
}

/** Statuses by which servers say that they do not know a batch: 400 in 1.4, 404 later. */
const UNKNOWN_BATCH: ReadonlySet<number> = new Set([400, 404]);
/** After an attempt to extend that failed. */
const RETRY_MS = 5000;
/** Deleting the batch must not hold up the end. */
const DELETE_TIMEOUT_MS = 5000;

/**
 * A batch on the server (contract 3.3), open for as long as the dump takes. A batch that the server
 * lost is no batch: what belongs to the dump may have been compacted, so the dump has failed.
 */
export class DumpBatch {
  readonly #client: LeaderClient;
  readonly #options: DumpBatchOptions;
  readonly #id: string;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  readonly #extending: Promise<void>;

  private constructor(client: LeaderClient, options: DumpBatchOptions, id: string) {
    this.#client = client;
    this.#options = options;
    this.#id = id;
    this.#extending = this.#keepOpen();
  }

  /** @throws ServiceError as the client */
  static async open(
    client: LeaderClient,
    options: DumpBatchOptions,
    signal: AbortSignal,
  ): Promise<DumpBatch> {
    const { id } = await client.createBatch(options.ttlSeconds, signal);
    return new DumpBatch(client, options, id);
  }

  /**
   * Takes up a batch that another run has left.
   * @returns undefined when the server no longer has it
   * @throws ServiceError as the client
   */
  static async resume(
    client: LeaderClient,
    options: DumpBatchOptions,
    id: string,
    signal: AbortSignal,
  ): Promise<DumpBatch | undefined> {
    try {
      await client.extendBatch(id, options.ttlSeconds, signal);
    } catch (error) {
      if (UNKNOWN_BATCH.has(refusedAnswer(error)?.status ?? 0)) return undefined;
      throw error;
    }
    return new DumpBatch(client, options, id);
  }

  get id(): string {
    return this.#id;
  }

  /** Aborted, with an error as its reason, when the server no longer knows the batch. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Extends the batch. @throws Error when it is lost; ServiceError as the client */
  async extend(signal: AbortSignal): Promise<void> {
    await this.#orLost(this.#client.extendBatch(this.#id, this.#options.ttlSeconds, signal));
  }

  /**
   * Ends the batch after a dump that was good so far.
   * @throws Error when it was lost on the way; ServiceError as the client
   */
  async close(signal: AbortSignal): Promise<void> {
    await this.#stopExtending();
    this.#lost.signal.throwIfAborted();
    await this.#orLost(this.#client.deleteBatch(this.#id, signal));
  }

  /** Leaves the batch for somebody to take up, for as long as the server keeps it. */
  async leave(): Promise<void> {
    await this.#stopExtending();
  }

  /** Ends the batch after a failure, which is all there is to say: the server lets it expire. */
  async abandon(): Promise<void> {
    await this.#stopExtending();
    if (this.#lost.signal.aborted) return;
    const timeout = AbortSignal.timeout(DELETE_TIMEOUT_MS);
    await this.#client.deleteBatch(this.#id, timeout).catch(() => undefined);
  }

  async #stopExtending(): Promise<void> {
    this.#ended.abort();
    await this.#extending;
  }

  async #orLost(request: Promise<void>): Promise<void> {
    try {
      await request;
    } catch (error) {
      const refused = refusedAnswer(error);
      if (!refused || !UNKNOWN_BATCH.has(refused.status)) throw error;
      const reason = new Error(
        `the server at ${this.#client.endpoint} has lost dump batch ${this.#id}, by a restart or ` +
          'because it expired: what was read is not of one moment; dump again',
        { cause: error },
      );
      this.#lost.abort(reason);
      throw reason;
    }
  }

  async #keepOpen(): Promise<void> {
    const { signal } = this.#ended;
    const { extendAfterMs } = this.#options;
    let waitMs = extendAfterMs;
    for (;;) {
      await sleep(waitMs, signal);
      if (signal.aborted) return;
      try {
        await this.extend(signal);
        waitMs = extendAfterMs;
      } catch {
        // Whether the server is away for long enough to lose the batch shows at the next attempt.
        if (this.#lost.signal.aborted) return;
        waitMs = Math.min(RETRY_MS, extendAfterMs);
      }
    }
  }
}
