import type { Database } from '../documents/database.ts';
import type { Tick } from '../model/tick.ts';
import { metaKey } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import { type ApplierMachine, type Reason, reasonOf } from './applier-machine.ts';

/** How the last run of an applier ended. */
export interface Ending {
  readonly phase: 'stopped' | 'failed';
  readonly why: Reason;
  /** ms since 1970. */
  readonly atMs: number;
  /** Tick of the line that ended it; undefined when it was none. */
  readonly failedTick: Tick | undefined;
}

/** Keeps how the last run ended, so that a restarted server still tells it (P9). */
export class EndingRecord {
  readonly #store: Store;
  readonly #database: Database;
  #ending: Ending | undefined;

  /** @throws ServiceError storageDamaged */
  constructor(deps: { store: Store; database: Database }) {
    this.#store = deps.store;
    this.#database = deps.database;
    this.#ending = deps.store.record<Ending>(this.#key);
  }

  /** As stored; undefined when it was never started, or began to run and was not ended in good order. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** Stores it, or forgets it: a run begins. Does nothing for a database that was dropped. */
  async set(ending: Ending | undefined): Promise<void> {
    if (ending === undefined && this.#ending === undefined) return;
    const key = this.#key;
    await this.#store.commit((tx) => {
      if (this.#database.dropped) return;
      if (ending) tx.put(key, encodeRecord(key, ending));
      else tx.del(key);
    });
    this.#ending = ending;
  }

  /** Stores how a machine came to rest; nothing when it is not at rest. */
  async note(machine: ApplierMachine, failedTick: Tick | undefined): Promise<void> {
    const { phase, sinceMs } = machine;
    const why = reasonOf(machine);
    if ((phase !== 'stopped' && phase !== 'failed') || !why) return;
    await this.set({ phase, why, atMs: sinceMs, failedTick });
  }

  get #key(): Buffer {
    return metaKey('w', this.#database.number);
  }
}
