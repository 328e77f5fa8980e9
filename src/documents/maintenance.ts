import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import { mergeLogBlocks } from '../changelog/log-merge.ts';
import { type LogKeep, retainLog } from '../changelog/retention.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { Catalogue } from './catalogue.ts';
import type { Database } from './database.ts';
import { type CompactionLimits, compactJournal } from './journal-compaction.ts';

export interface MaintenanceOptions {
  readonly intervalMs: number;
  /** Removals stay in the journals at least this long. */
  readonly removalAgeMs: number;
  /** Smallest tick at which an open dump batch was created. */
  readonly horizon: () => Tick | undefined;
  /** What stays of the log of a database although it is above its caps; nothing when absent. */
  readonly logKeep?: (database: Database) => Promise<LogKeep>;
}

const RETRY_MS = 60 * 60 * 1000;
/** Reading all tables once may take long; caps of logs cannot wait for ever. */
const SCRUB_WAIT_MAX_MS = 10 * 60 * 1000;

/**
 * The background work on logs and journals: caps, merging, compaction. One step at a time, through
 * the commit queue like everything else.
 */
export class Maintenance {
  /** Rounds over everything, and steps that had something to do or failed, since the start. */
  readonly figures = { rounds: 0, removals: 0, merges: 0, compactions: 0, failures: 0 };
  readonly #store: Store;
  readonly #catalogue: Catalogue;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: MaintenanceOptions;
  readonly #abort = new AbortController();
  readonly #lastPass: CompactionLimits['lastPass'] = new WeakMap();
  /** When a step last failed, by what it works on. */
  readonly #failures = new Map<string, number>();
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
    const limits: CompactionLimits = {
      horizon: this.#options.horizon,
      removalAgeMs: this.#options.removalAgeMs,
      nowMs: () => this.#clock.nowMs(),
      lastPass: this.#lastPass,
    };
    this.figures.rounds++;
    for (const database of this.#catalogue.databases) {
      if (database.dropped) continue;
      const { changelog } = database;
      const base = { database: database.name };
      await this.#attempt('removals', { ...base, step: 'caps of the log' }, async () =>
        retainLog(this.#store, changelog, (await this.#options.logKeep?.(database)) ?? {}),
      );
      await this.#attempt('merges', { ...base, step: 'merging of the log' }, () =>
        mergeLogBlocks(this.#store, changelog, signal),
      );
      for (const collection of database.collections) {
        const what = { ...base, collection: collection.name, step: 'compaction' };
        await this.#attempt('compactions', what, () =>
          compactJournal(this.#store, collection, limits, signal),
        );
      }
    }
  }

  /** A step that fails, on a damaged block say, is logged once an hour and keeps nothing else waiting. */
  async #attempt(
    figure: 'removals' | 'merges' | 'compactions',
    what: Readonly<Record<string, string>>,
    run: () => Promise<boolean>,
  ): Promise<void> {
    if (this.#isStopped() || this.#store.failure) return;
    const id = Object.values(what).join('/');
    const failedMs = this.#failures.get(id);
    const nowMs = this.#clock.nowMs();
    if (failedMs !== undefined && nowMs - failedMs < RETRY_MS) return;
    try {
      if (await run()) this.figures[figure]++;
      this.#failures.delete(id);
    } catch (error) {
      if (this.#isStopped()) return;
      this.#store.health.note(error);
      this.figures.failures++;
      this.#failures.set(id, nowMs);
      this.#logger.error({ err: error, ...what }, 'maintenance failed; tried again in an hour');
    }
  }

  #isStopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const waited = new AbortController();
    const anyEnd = AbortSignal.any([signal, waited.signal]);
    await Promise.race([this.#store.scrubbed, sleep(SCRUB_WAIT_MAX_MS, anyEnd)]);
    waited.abort();
    while (!signal.aborted && !this.#store.failure) {
      await this.round();
      await sleep(this.#options.intervalMs, signal);
    }
  }
}
