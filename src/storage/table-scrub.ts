import { deferred } from '../base/deferred.ts';
import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import type { DamageGuard } from './damage-guard.ts';
import type { StoreHealth } from './health.ts';
import { type LiveTable, readManifest } from './manifest.ts';
import { withTable } from './store-files.ts';
import { FileDamage } from './table-block.ts';

export interface TableScrubOptions {
  readonly storeDirectory: string;
  /** Aborted when the store is closed. */
  readonly signal: AbortSignal;
  /** Between two looks for tables that are new. */
  readonly intervalMs?: number;
  /** All tables are read again after this time. */
  readonly againMs?: number;
}

/** A MiB is read, then others have their turn for so long: some 100 MB/s at most. */
const PAUSE_MS = 10;
const INTERVAL_MS = 10 * 60 * 1000;
const AGAIN_MS = 24 * 60 * 60 * 1000;

/**
 * Reads the tables of an open store in the background, at its beginning and once a day, and compares them with their
 * checksums, which LevelDB does not do. What is damaged is noted and logged, and the guard refuses to read it.
 */
export class TableScrub {
  readonly #guard: DamageGuard;
  readonly #health: StoreHealth;
  readonly #logger: Logger;
  readonly #options: TableScrubOptions;
  /** Tables that have been read, whatever came of it. */
  #read = new Set<number>();
  #readSinceMs = performance.now();
  readonly #readOnce = deferred();
  #loop: Promise<void> | undefined;

  constructor(
    deps: { guard: DamageGuard; health: StoreHealth; logger: Logger },
    options: TableScrubOptions,
  ) {
    this.#guard = deps.guard;
    this.#health = deps.health;
    this.#logger = deps.logger;
    this.#options = options;
  }

  /** Resolves when everything has been read once, or could not be. */
  get readOnce(): Promise<void> {
    return this.#readOnce.promise;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when it has ended, after the signal was aborted. */
  async stopped(): Promise<void> {
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal, intervalMs = INTERVAL_MS, againMs = AGAIN_MS } = this.#options;
    while (!signal.aborted) {
      if (performance.now() - this.#readSinceMs > againMs) {
        this.#read = new Set();
        this.#readSinceMs = performance.now();
      }
      try {
        await this.#pass();
      } catch (error) {
        this.#logger.error({ err: error }, 'the tables of the store could not be checked');
      }
      this.#readOnce.resolve();
      await sleep(intervalMs, signal);
    }
  }

  async #pass(): Promise<void> {
    const { storeDirectory, signal } = this.#options;
    const manifest = await readManifest(storeDirectory);
    const tables = (manifest?.tables ?? []).filter(({ number }) => !this.#read.has(number));
    for (const table of tables) {
      if (signal.aborted) return;
      try {
        await this.#readTable(table);
      } catch (error) {
        // Its index was whole when the store was opened, or a part of a manifest was read.
        if (!(error instanceof FileDamage) && !isServiceError(error, 'unknownFormat')) throw error;
        if (await this.#isGone(table)) continue;
        this.#logger.warn({ err: error, table: table.number }, 'a table could not be checked');
      }
      this.#read.add(table.number);
    }
  }

  /** Whether LevelDB has merged a table into others by now. */
  async #isGone({ number }: LiveTable): Promise<boolean> {
    const manifest = await readManifest(this.#options.storeDirectory);
    return manifest?.tables.every((each) => each.number !== number) ?? false;
  }

  async #readTable(table: LiveTable): Promise<void> {
    const { storeDirectory, signal } = this.#options;
    await withTable(storeDirectory, table, async (file) => {
      for await (const damaged of file.damagedBlocks()) {
        for (const { from, to, what } of damaged) {
          this.#damaged(table, { from: from ?? table.smallest.key, to, what });
        }
        await sleep(PAUSE_MS, signal);
        if (signal.aborted) return;
      }
    });
  }

  #damaged(
    { number }: LiveTable,
    { from, to, what }: { from: Buffer; to: Buffer; what: string },
  ): void {
    const error = new ServiceError(
      'storageDamaged',
      `table ${number} of the store is damaged: ${what}`,
    );
    this.#guard.add({ from, to, what: error.message });
    this.#health.note(error);
    const keys = { from: from.toString('hex'), to: to.toString('hex') };
    this.#logger.error({ err: error, ...keys }, 'what this part of the store holds is not served');
  }
}
