import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import type { Store } from '../storage/store.ts';
import type { LogKeep } from '../changelog/retention.ts';
import { Barriers } from './barriers.ts';
import { ClientRetention } from './client-retention.ts';
import { type FollowClient, FollowClients } from './clients.ts';
import { Cursors } from './cursors.ts';
import { DumpBatches } from './dump-batches.ts';
import { DumpTogether } from './dump-together.ts';
import { CollectionDump } from './dump.ts';
import { LogFollow } from './follow.ts';
import { type Inventory, type InventoryOptions, readInventory } from './inventory.ts';
import { KeyLists } from './key-lists.ts';
import { LeaderLogger } from './logger.ts';
import { PageMemory } from './page-memory.ts';
import { PagesAhead } from './pages-ahead.ts';

export interface LeaderOptions {
  /** What `server.version` of logger-state says; followers decide by it. */
  readonly version: string;
  /** Largest page in bytes, one line apart. */
  readonly maxPageBytes: number;
  /** Bytes of pages built but not sent, of all requests together. */
  readonly pageBudgetBytes: number;
  /** Dump batches open at a time, and as many barriers; 1000 by default. */
  readonly maxBatches?: number;
  /** Lists of keys open at a time; 64 by default. */
  readonly maxKeyLists?: number;
}

/** Who follows a log; see `ClientRetention`. */
export interface ClientStanding extends FollowClient {
  readonly retainedBytes: number;
  readonly lost: boolean;
  readonly headroom: number;
}

const MAX_BATCHES = 1000;
const MAX_KEY_LISTS = 64;

/** Everything a follower can ask this server for. */
export class Leader {
  readonly logger: LeaderLogger;
  readonly follow: LogFollow;
  readonly dump: CollectionDump;
  readonly dumpTogether: DumpTogether;
  readonly batches: DumpBatches;
  readonly barriers: Barriers;
  readonly keys: KeyLists;
  readonly cursors: Cursors;
  readonly pageMemory: PageMemory;
  readonly pagesAhead: PagesAhead;
  readonly #store: Store;
  readonly #retention: ClientRetention;

  constructor(deps: { store: Store; clock: Clock }, options: LeaderOptions) {
    const { store, clock } = deps;
    const clients = new FollowClients();
    const memory = new PageMemory({
      budgetBytes: options.pageBudgetBytes,
      maxPageBytes: options.maxPageBytes,
    });
    this.#store = store;
    this.pageMemory = memory;
    this.pagesAhead = new PagesAhead({ memory });
    const retention = new ClientRetention({ store, clock, clients });
    this.#retention = retention;
    this.logger = new LeaderLogger({ store, clock, retention }, { version: options.version });
    this.follow = new LogFollow({ store, clock, clients, memory });
    this.dump = new CollectionDump({ store, ahead: this.pagesAhead });
    this.dumpTogether = new DumpTogether({ store, memory });
    const { maxBatches = MAX_BATCHES, maxKeyLists = MAX_KEY_LISTS } = options;
    this.batches = new DumpBatches({ store, clock }, { max: maxBatches });
    this.barriers = new Barriers({ store, clock }, { max: maxBatches });
    this.keys = new KeyLists({ store, clock }, { max: maxKeyLists });
    this.cursors = new Cursors({ store, clock });
  }

  /** See `readInventory`. */
  inventory(database: Database, options: InventoryOptions): Inventory {
    return readInventory({ store: this.#store, logger: this.logger }, database, options);
  }

  /**
   * What of a log stays although it is above its caps: what is behind a barrier, and what followers have not read.
   * Remembers where these are. To be called before the caps are enforced, about once a second.
   */
  async logKeep(database: Database): Promise<LogKeep> {
    const clients = await this.#retention.update(database);
    return { above: this.barriers.horizon(database), clients };
  }

  /** Those who follow a log, the last to have asked last, and how they stand. */
  clients(database: Database): readonly ClientStanding[] {
    return this.#retention.clients(database).map((client) => ({
      ...client,
      ...this.#retention.standing(database, client),
      headroom: this.#retention.headroom(database, client),
    }));
  }

  /** Ends what runs by itself: the clocks of dump batches, barriers, lists of keys and cursors, and reading ahead. */
  async close(): Promise<void> {
    this.batches.close();
    this.barriers.close();
    this.keys.close();
    this.cursors.close();
    await this.pagesAhead.close();
  }
}
