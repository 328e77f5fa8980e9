import { Changelog } from '../changelog/changelog.ts';
import type { LoggerConfig } from '../model/logger-config.ts';
import { ServiceError } from '../model/errors.ts';
import { Space, metaKey, metaKeyNumber, numberRange, primaryKeyDocument } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import { StoredState } from '../storage/stored-state.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { Collection, type CollectionRecord } from './collection.ts';
import { EMPTY_STATS, decodeStats, statsKey } from './collection-stats.ts';
import { Database } from './database.ts';

export interface DatabaseRecord {
  readonly id: string;
  readonly name: string;
}

export interface CatalogueOptions {
  /** What new databases begin with, and what settings of older ones lack. */
  readonly defaultLoggerConfig: LoggerConfig;
  /** Longest document that a client may write, in bytes; without it there is no such limit. */
  readonly documentMaxBytes?: number;
}

const NUMBER_KEY = metaKey('n');

/**
 * What databases and collections there are, as committed. Numbers for them and for indexes come
 * from one counter and are never used again.
 */
export class Catalogue {
  readonly #store: Store;
  readonly #documentMaxBytes: number;
  readonly #databases = new Map<string, Database>();
  /** Copies in the making, by number. */
  readonly #hidden = new Map<number, Collection>();
  /** Read when one is drawn first: a server whose counter is damaged still serves what it has. */
  #numbers: StoredState<{ readonly next: number }> | undefined;

  private constructor(store: Store, documentMaxBytes: number) {
    this.#store = store;
    this.#documentMaxBytes = documentMaxBytes;
  }

  /** Reads the catalogue of an opened store. */
  static async load(store: Store, options: CatalogueOptions): Promise<Catalogue> {
    const { documentMaxBytes = Infinity } = options;
    const catalogue = new Catalogue(store, documentMaxBytes);
    const byNumber = new Map<number, Database>();
    for (const { key, record } of await store.records<DatabaseRecord>('d')) {
      const number = metaKeyNumber(key);
      const config = store.record<Partial<LoggerConfig>>(metaKey('L', number));
      const changelog = new Changelog(
        { store },
        {
          databaseNumber: number,
          // Stores of earlier versions lack what came later.
          config: { ...options.defaultLoggerConfig, ...config },
          bornTick: BigInt(record.id),
        },
      );
      const { id, name } = record;
      const database = new Database({ changelog }, { number, id, name, documentMaxBytes });
      byNumber.set(number, database);
      catalogue.#databases.set(record.name, database);
    }
    for (const { key, record } of await store.records<CollectionRecord>('c')) {
      const number = metaKeyNumber(key);
      const stored = store.level.getSync(statsKey(number));
      const stats = stored ? decodeStats(statsKey(number), stored) : EMPTY_STATS;
      // A copy in the making is looked through when it is complete.
      const largestKey = record.hidden ? undefined : await largestKeyOf(store, number);
      const collection = new Collection(number, record, stats, largestKey);
      const database = byNumber.get(record.database);
      if (!database) {
        throw new ServiceError(
          'storageDamaged',
          `collection ${record.parameters.name} has no database`,
        );
      }
      if (record.hidden) catalogue.#hidden.set(number, collection);
      else database.show(collection);
    }
    return catalogue;
  }

  get databases(): Database[] {
    return [...this.#databases.values()];
  }

  find(name: string): Database | undefined {
    return this.#databases.get(name);
  }

  /** @throws ServiceError databaseNotFound */
  get(name: string): Database {
    const database = this.#databases.get(name);
    if (!database) throw new ServiceError('databaseNotFound', `database '${name}' not found`);
    return database;
  }

  /** A copy in the making. */
  hidden(number: number): Collection | undefined {
    return this.#hidden.get(number);
  }

  hiddenOf(database: Database): Collection[] {
    return [...this.#hidden.values()].filter((each) => each.databaseNumber === database.number);
  }

  /** Draws a number for a database, a collection or an index. */
  drawNumber(tx: WriteTx): number {
    const numbers = (this.#numbers ??= new StoredState({
      key: NUMBER_KEY,
      committed: { next: this.#store.record<number>(NUMBER_KEY) ?? 1 },
      encode: (key, { next }) => encodeRecord(key, next),
    }));
    const { next } = numbers.read(tx);
    numbers.write(tx, { next: next + 1 });
    return next;
  }

  /** Writes a new collection, seen once committed. Needs a batch of its own unless it is hidden. */
  addCollection(tx: WriteTx, database: Database, record: CollectionRecord): Collection {
    const collection = new Collection(this.drawNumber(tx), record, EMPTY_STATS, '');
    collection.writeRecord(tx, record);
    tx.afterCommit(() => {
      if (record.hidden) this.#hidden.set(collection.number, collection);
      else database.show(collection);
    });
    return collection;
  }

  /** Says that a copy is one no longer; the caller shows or deletes it. */
  forgetHidden(collection: Collection): void {
    this.#hidden.delete(collection.number);
  }

  /** Writes a new database, seen once committed. Needs a batch of its own. */
  addDatabase(tx: WriteTx, name: string, id: string, config: LoggerConfig): Database {
    const number = this.drawNumber(tx);
    const key = metaKey('d', number);
    tx.put(key, encodeRecord(key, { id, name } satisfies DatabaseRecord));
    const changelog = new Changelog(
      { store: this.#store },
      { databaseNumber: number, config, bornTick: BigInt(id) },
    );
    changelog.configure(tx, config);
    const documentMaxBytes = this.#documentMaxBytes;
    const database = new Database({ changelog }, { number, id, name, documentMaxBytes });
    tx.afterCommit(() => this.#databases.set(name, database));
    return database;
  }

  /** Removes the record of a database; the caller sees to what it held. */
  deleteDatabase(tx: WriteTx, database: Database): void {
    tx.del(metaKey('d', database.number));
    tx.afterCommit(() => {
      this.#databases.delete(database.name);
      database.markDropped();
    });
  }
}

/** The last key of a collection in byte order, empty when it has none. */
async function largestKeyOf(store: Store, number: number): Promise<string> {
  const { start, end } = numberRange(Space.primary, number);
  const [last] = await store.level.keys({ gte: start, lt: end, reverse: true, limit: 1 }).all();
  return last === undefined ? '' : primaryKeyDocument(last);
}
