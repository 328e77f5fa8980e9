import { join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { Catalogue } from '../../src/documents/catalogue.ts';
import { CollectionCopies } from '../../src/documents/collection-copy.ts';
import { Collections } from '../../src/documents/collections.ts';
import { type Database, SYSTEM_DATABASE } from '../../src/documents/database.ts';
import { Databases } from '../../src/documents/databases.ts';
import { Documents } from '../../src/documents/documents.ts';
import type { LoggerConfig } from '../../src/model/logger-config.ts';
import { Store } from '../../src/storage/store.ts';
import { ManualClock } from './manual-clock.ts';
import { type TempDir, makeTempDir } from './temp-dir.ts';

/** No caps, started by hand: what most tests want. */
export const TEST_LOGGER_CONFIG: LoggerConfig = {
  autoStart: false,
  logRemoteChanges: false,
  maxEvents: 0,
  maxEventsSize: 0,
  retainForClients: 0,
  retainForClientsSize: 0,
};

/** What a test may choose of a core. */
export interface TestCoreOptions {
  readonly clock?: Clock;
  readonly loggerConfig?: Partial<LoggerConfig>;
  /** Largest transaction in bytes of lines; 64 MiB when absent. */
  readonly transactionMaxBytes?: number;
}

/** Everything below the servers, opened in the order in which the server opens it. */
export interface OpenCore {
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly collections: Collections;
  readonly databases: Databases;
  readonly documents: Documents;
  readonly copies: CollectionCopies;
}

/** Opens the core on a data directory. */
export async function openCore(
  directory: string,
  options: TestCoreOptions = {},
): Promise<OpenCore> {
  const clock = options.clock ?? new ManualClock();
  const defaultLoggerConfig = { ...TEST_LOGGER_CONFIG, ...options.loggerConfig };
  const store = await Store.open({ clock, logger: silentLogger }, { directory });
  const catalogue = await Catalogue.load(store, { defaultLoggerConfig });
  const collections = new Collections(
    { store, catalogue },
    { transactionMaxBytes: options.transactionMaxBytes ?? 64 * 1024 * 1024 },
  );
  const databases = new Databases({ store, catalogue, collections }, { defaultLoggerConfig });
  await databases.open();
  const documents = new Documents({ store });
  const copies = new CollectionCopies({ store, catalogue, collections });
  return { store, catalogue, collections, databases, documents, copies };
}

/** A core in a temporary directory, which goes when it is disposed of. */
export class TestCore implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly #options: TestCoreOptions;
  #core: OpenCore;

  private constructor(dir: TempDir, core: OpenCore, options: TestCoreOptions) {
    this.#dir = dir;
    this.#core = core;
    this.#options = options;
  }

  static async open(options: TestCoreOptions = {}): Promise<TestCore> {
    const clock = options.clock ?? new ManualClock();
    const dir = await makeTempDir();
    const directory = join(dir.path, 'data');
    const fixed = { ...options, clock };
    return new TestCore(dir, await openCore(directory, fixed), fixed);
  }

  /** The data directory. */
  get directory(): string {
    return join(this.#dir.path, 'data');
  }

  get store(): Store {
    return this.#core.store;
  }

  get catalogue(): Catalogue {
    return this.#core.catalogue;
  }

  get collections(): Collections {
    return this.#core.collections;
  }

  get databases(): Databases {
    return this.#core.databases;
  }

  get documents(): Documents {
    return this.#core.documents;
  }

  get copies(): CollectionCopies {
    return this.#core.copies;
  }

  /** The `_system` database. */
  get system(): Database {
    return this.#core.catalogue.get(SYSTEM_DATABASE);
  }

  /** Closes and opens again, as a restart does. All objects got before are of no use afterwards. */
  async reopen(): Promise<void> {
    await this.#core.store.close();
    this.#core = await openCore(this.directory, this.#options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#core.store.close();
    await this.#dir[Symbol.asyncDispose]();
  }
}
