import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import { mergeLogBlocks } from '../changelog/log-merge.ts';
import { enforceCaps } from '../changelog/retention.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { Catalogue } from './catalogue.ts';
import { type CompactionLimits, compactJournal } from './journal-compaction.ts';

export interface MaintenanceOptions {
  readonly intervalMs: number;
  /** Removals stay in the journals at least this long. */
  readonly removalAgeMs: number;
  /** Smallest tick at which an open dump batch was created. */
  readonly horizon: () => Tick | undefined;
}

/**
 * The background work on logs and journals: caps, merging, compaction. One step at a time, through
 * the commit queue like everything else.
 */
export class Maintenance {
  readonly #store: Store;
  readonly #catalogue: Catalogue;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: MaintenanceOptions;
  readonly #abort = new AbortController();
  readonly #lastPass: CompactionLimits['lastPass'] = new WeakMap();
  #loop: Promise<void> | undefined;

  constructor(
    deps: { store: Store; catalogue: Catalogue; clock: Clock; logger: Logger },
    options: MaintenanceOptions,
  ) {
    this.#store = deps.store;
    this.#catalogue = deps.catalogue;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends after the step in hand. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
  }

  /** One round over everything; the loop does this again and again. */
  async round(): Promise<void> {
    const { signal } = this.#abort;
    for (const database of this.#catalogue.databases) {
      const limits: CompactionLimits = {
        horizon: this.#options.horizon,
        removalAgeMs: this.#options.removalAgeMs,
        nowMs: () => this.#clock.nowMs(),
        lastPass: this.#lastPass,
      };
      if (this.#isStopped() || database.dropped) continue;
      await enforceCaps(this.#store, database.changelog);
      await mergeLogBlocks(this.#store, database.changelog, signal);
      for (const collection of database.collections) {
        if (this.#isStopped()) return;
        await compactJournal(this.#store, collection, limits, signal);
      }
    }
  }

  #isStopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted && !this.#store.failure) {
      try {
        await this.round();
      } catch (error) {
        // Damage shows again to whoever reads the block; the other collections still want their turn.
        this.#logger.error({ err: error }, 'maintenance failed; it is tried again');
        await sleep(10 * this.#options.intervalMs, signal);
      }
      await sleep(this.#options.intervalMs, signal);
    }
  }
}
