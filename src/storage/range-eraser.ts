import type { Logger } from '../base/logger.ts';
import type { Level } from './commit-group.ts';
import type { CommitQueue } from './commit-queue.ts';
import { type KeyRange, metaKey, metaKeyNumber } from './keys.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import type { WriteTx } from './write-tx.ts';

/** A range that is to be erased, as it is stored. */
export interface ErasureRecord {
  readonly start: Buffer;
  readonly end: Buffer;
}

/** Letter of the records of ranges. */
export const KIND = 'e';
/** Keys removed in one batch, so that no write waits for more than that. */
const STEP_KEYS = 2000;

/**
 * Removes ranges of keys that nothing refers to any more: what a drop, a switch or retention left
 * behind. The range is noted in the same batch as the change that orphaned it, and the work goes on
 * after a restart.
 */
export class RangeEraser {
  readonly #level: Level;
  /** As it is now: damaged blocks, of which it may be refused later, are erased, too. */
  readonly #iterator: Level['iterator'];
  readonly #queue: CommitQueue;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  #nextNumber = 1;
  readonly #pending: { key: Buffer; range: KeyRange }[] = [];
  #running: Promise<void> | undefined;

  constructor(
    deps: { level: Level; queue: CommitQueue; logger: Logger },
    options: { signal: AbortSignal },
  ) {
    this.#level = deps.level;
    this.#iterator = deps.level.iterator.bind(deps.level);
    this.#queue = deps.queue;
    this.#logger = deps.logger;
    this.#signal = options.signal;
  }

  /** Notes the range in the transaction and removes it in the background once that is committed. */
  erase(tx: WriteTx, range: KeyRange): void {
    const key = metaKey(KIND, this.#nextNumber++);
    tx.put(key, encodeRecord(key, { start: range.start, end: range.end }));
    tx.afterCommit(() => {
      this.#pending.push({ key, range });
      this.#wake();
    });
  }

  /**
   * As `erase`, in a transaction of its own, which runs after all that the queue has been asked for. That it
   * fails is logged; the range stays then, so this is for what is looked for at the next start.
   */
  eraseSoon(range: KeyRange): void {
    this.#queue
      .commit((tx) => {
        this.erase(tx, range);
      })
      .catch((error: unknown) => {
        this.#logger.error({ err: error }, 'unused data could not be removed');
      });
  }

  /** Takes up what an earlier run left unfinished. */
  async start(): Promise<void> {
    const range = {
      gte: metaKey(KIND),
      lt: Buffer.from([metaKey(KIND)[0] ?? 0, KIND.charCodeAt(0) + 1]),
    };
    for (const [key, value] of await this.#level.iterator(range).all()) {
      const { start, end } = decodeRecord<ErasureRecord>(key, value);
      this.#nextNumber = metaKeyNumber(key) + 1;
      this.#pending.push({ key, range: { start, end } });
    }
    this.#wake();
  }

  /** Resolves when the background work has ended, also after an abort. */
  async stopped(): Promise<void> {
    await this.#running;
  }

  #wake(): void {
    if (this.#running || this.#signal.aborted || this.#pending.length === 0) return;
    this.#running = this.#run().then(
      () => {
        this.#running = undefined;
        // A range may have been noted after the last look.
        this.#wake();
      },
      (error: unknown) => {
        this.#running = undefined;
        if (!this.#signal.aborted) {
          this.#logger.error({ err: error }, 'removing unused data failed');
        }
      },
    );
  }

  async #run(): Promise<void> {
    for (;;) {
      const task = this.#pending[0];
      if (!task || this.#signal.aborted) return;
      if (await this.#step(task.range)) continue;
      await this.#queue.commit((tx) => tx.del(task.key));
      this.#pending.shift();
    }
  }

  /** Removes up to STEP_KEYS keys; false when none was left. */
  async #step(range: KeyRange): Promise<boolean> {
    const options = { gte: range.start, lt: range.end, limit: STEP_KEYS, values: false };
    const keys = (await this.#iterator(options).all()).map(([key]) => key);
    if (keys.length === 0) return false;
    await this.#queue.commit((tx) => {
      for (const key of keys) tx.putBlind(key, null);
    });
    return true;
  }
}
