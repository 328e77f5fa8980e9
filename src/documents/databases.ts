import type { LoggerConfig } from '../model/logger-config.ts';
import { ServiceError } from '../model/errors.ts';
import { isValidDatabaseName } from '../model/names.ts';
import { Space, metaKey, numberRange, prefixRange } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Catalogue } from './catalogue.ts';
import type { Collections } from './collections.ts';
import { eraseLeftViews } from './collection-view.ts';
import { type Database, SYSTEM_DATABASE } from './database.ts';

/** Kinds of meta records that belong to one database. */
const DATABASE_KINDS = ['l', 'L', 'f', 'a', 'k', 'w', 'x', 'y'];

/** Create and drop of databases (contract 9.1); neither is logged. */
export class Databases {
  readonly #store: Store;
  readonly #catalogue: Catalogue;
  readonly #collections: Collections;
  readonly #defaultLoggerConfig: LoggerConfig;
  readonly #onDrop: ((tx: WriteTx, name: string) => void) | undefined;

  constructor(
    deps: { store: Store; catalogue: Catalogue; collections: Collections },
    options: {
      defaultLoggerConfig: LoggerConfig;
      /** Adds to the batch that drops a database what has to go with it. */
      onDrop?: (tx: WriteTx, name: string) => void;
    },
  ) {
    this.#store = deps.store;
    this.#catalogue = deps.catalogue;
    this.#collections = deps.collections;
    this.#defaultLoggerConfig = options.defaultLoggerConfig;
    this.#onDrop = options.onDrop;
  }

  /**
   * Makes sure that there is a `_system`, starts the loggers that are to start by themselves, and sees to what
   * an earlier run left behind.
   */
  async open(): Promise<void> {
    if (!this.#catalogue.find(SYSTEM_DATABASE)) await this.#add(SYSTEM_DATABASE);
    for (const database of this.#catalogue.databases) {
      if (database.changelog.config.autoStart) await startLogger(this.#store, database);
    }
    await this.#collections.removeUnfinishedIndexes();
    await eraseLeftViews(this.#store);
  }

  /** @throws ServiceError databaseNameInvalid, duplicateName */
  async create(name: string): Promise<Database> {
    if (!isValidDatabaseName(name)) throw new ServiceError('databaseNameInvalid');
    const database = await this.#add(name);
    if (database.changelog.config.autoStart) await startLogger(this.#store, database);
    return database;
  }

  /** Drops a database with all it holds. @throws ServiceError databaseNotFound, forbidden for `_system` */
  async drop(name: string): Promise<void> {
    const database = this.#catalogue.get(name);
    if (database.isSystem) {
      throw new ServiceError('forbidden', `database '${name}' cannot be dropped`);
    }
    await this.#store.commit(
      (tx) => {
        database.assertAlive();
        for (const collection of [...database.collections, ...this.#catalogue.hiddenOf(database)]) {
          this.#collections.dropSilently(tx, database, collection);
        }
        for (const kind of DATABASE_KINDS) tx.del(metaKey(kind, database.number));
        this.#store.eraser.erase(tx, numberRange(Space.changelog, database.number));
        this.#store.eraser.erase(tx, numberRange(Space.staging, database.number));
        // The positions of a sync under way stand below its plan, one for each copy.
        this.#store.eraser.erase(tx, prefixRange(metaKey('y', database.number)));
        this.#catalogue.deleteDatabase(tx, database);
        this.#onDrop?.(tx, name);
      },
      { exclusive: true },
    );
  }

  async #add(name: string): Promise<Database> {
    const id = (await this.#store.drawTick()).toString();
    return this.#store.commit(
      (tx) => {
        if (this.#catalogue.find(name)) throw new ServiceError('duplicateName');
        return this.#catalogue.addDatabase(tx, name, id, this.#defaultLoggerConfig);
      },
      { exclusive: true },
    );
  }
}

/** Starts the logger of a database; nothing happens when it runs. */
export function startLogger(store: Store, database: Database): Promise<void> {
  return store.commit(
    (tx) => {
      database.assertAlive();
      database.changelog.start(tx);
    },
    { exclusive: true },
  );
}

/** Stops it; the last event is fsynced (contract 2.3). */
export function stopLogger(store: Store, database: Database): Promise<void> {
  return store.commit(
    (tx) => {
      database.assertAlive();
      database.changelog.stop(tx);
    },
    { exclusive: true, sync: true },
  );
}
