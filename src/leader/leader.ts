import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import type { Store } from '../storage/store.ts';
import { FollowClients } from './clients.ts';
import { DumpBatches } from './dump-batches.ts';
import { CollectionDump } from './dump.ts';
import { LogFollow } from './follow.ts';
import { type Inventory, readInventory } from './inventory.ts';
import { LeaderLogger } from './logger.ts';
import { PageMemory } from './page-memory.ts';

export interface LeaderOptions {
  /** What `server.version` of logger-state says; followers decide by it. */
  readonly version: string;
  /** Largest page in bytes, one line apart. */
  readonly maxPageBytes: number;
  /** Bytes of pages built but not sent, of all requests together. */
  readonly pageBudgetBytes: number;
}

/** Everything a follower can ask this server for. */
export class Leader {
  readonly logger: LeaderLogger;
  readonly follow: LogFollow;
  readonly dump: CollectionDump;
  readonly batches: DumpBatches;
  readonly pageMemory: PageMemory;
  readonly #store: Store;

  constructor(deps: { store: Store; clock: Clock }, options: LeaderOptions) {
    const { store, clock } = deps;
    const clients = new FollowClients();
    const memory = new PageMemory({
      budgetBytes: options.pageBudgetBytes,
      maxPageBytes: options.maxPageBytes,
    });
    this.#store = store;
    this.pageMemory = memory;
    this.logger = new LeaderLogger({ store, clock, clients }, { version: options.version });
    this.follow = new LogFollow({ store, clock, clients, memory });
    this.dump = new CollectionDump({ store, memory });
    this.batches = new DumpBatches({ store, clock });
  }

  /** See `readInventory`. */
  inventory(database: Database, options: { includeSystem: boolean }): Inventory {
    return readInventory({ store: this.#store, logger: this.logger }, database, options);
  }

  /** Ends what runs by itself: the clock of the dump batches. */
  close(): void {
    this.batches.close();
  }
}
