import { ServiceError } from '../model/errors.ts';
import { keyGroups } from '../storage/key-groups.ts';
import { Space, numberRange, primaryKeyDocument } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import {
  type DocumentOperation,
  type InsertSettings,
  type MergeSettings,
  type Precondition,
  type ReturnSettings,
  type Written,
  insertOperation,
  removeOperation,
  replaceOperation,
  updateOperation,
} from './document-operations.ts';
import { DocumentTx } from './document-tx.ts';
import { dataOfLine, withId } from './stored-document.ts';
import type { StreamTransaction } from './stream-transaction.ts';

export interface WriteResult extends Written {
  /** Whether the write was fsynced before the answer. */
  readonly synced: boolean;
}

export interface StoredDocument {
  readonly key: string;
  readonly rev: string;
  /** JSON text of the document, with `_id`. */
  readonly text: string;
}

export interface SyncSettings {
  /** In addition to what the collection says. */
  readonly waitForSync?: boolean;
  /** The stream transaction that it is a part of; then nothing is fsynced before the commit. */
  readonly transaction?: StreamTransaction | undefined;
}

export type WriteSettings = SyncSettings & ReturnSettings;

const SYNCED = { sync: true };
const NOT_SYNCED = { sync: false };

/** Keys read at once for a list. */
const KEYS_PER_READ = 10_000;

/** Single documents: read, insert, replace, update, remove (contract 9.3). */
export class Documents {
  readonly #store: Store;

  constructor(deps: { store: Store }) {
    this.#store = deps.store;
  }

  /**
   * @param transaction reads as that one sees it
   * @throws ServiceError documentNotFound; and as `StreamTransaction.assertReadable`
   */
  read(collection: Collection, key: string, transaction?: StreamTransaction): StoredDocument {
    collection.assertAlive();
    if (transaction) {
      transaction.assertReadable(collection);
      const own = transaction.own(collection, key);
      if (own === 'removed') throw new ServiceError('documentNotFound');
      if (own) return { key, rev: own.rev, text: withId(collection.name, key, own.data) };
    }
    const found = this.#store.readLine(collection.number, key);
    if (!found) throw new ServiceError('documentNotFound');
    return {
      key,
      rev: found.pointer.rev,
      text: withId(collection.name, key, dataOfLine(found.line)),
    };
  }

  /**
   * Keys of the collection in byte order, read in pieces; behind them, those of documents that
   * `transaction` wrote before.
   */
  async *keys(
    collection: Collection,
    transaction?: StreamTransaction,
  ): AsyncGenerator<string, void, void> {
    transaction?.assertReadable(collection);
    const own = transaction?.ownKeys(collection) ?? new Map<string, boolean>();
    const range = numberRange(Space.primary, collection.number);
    for await (const keys of keyGroups(this.#store.level, range, KEYS_PER_READ)) {
      for (const stored of keys) {
        const key = primaryKeyDocument(stored);
        if (!own.has(key)) yield key;
      }
    }
    for (const [key, isThere] of own) if (isThere) yield key;
  }

  /** How many documents there are. @throws ServiceError as `StreamTransaction.assertReadable` */
  count(collection: Collection, transaction?: StreamTransaction): number {
    transaction?.assertReadable(collection);
    return collection.stats.count + (transaction?.countChange(collection) ?? 0);
  }

  /** See insertOperation. @throws ServiceError also readOnly, collectionNotFound */
  insert(
    database: Database,
    collection: Collection,
    body: string,
    settings: SyncSettings & InsertSettings = {},
  ): Promise<WriteResult> {
    return this.#write(database, collection, settings, insertOperation(body, settings));
  }

  /** See replaceOperation. @throws ServiceError also readOnly, collectionNotFound */
  replace(
    database: Database,
    collection: Collection,
    key: string,
    body: string,
    settings: WriteSettings & Precondition = {},
  ): Promise<WriteResult> {
    return this.#write(database, collection, settings, replaceOperation(key, body, settings));
  }

  /** See updateOperation. @throws ServiceError also readOnly, collectionNotFound */
  update(
    database: Database,
    collection: Collection,
    key: string,
    body: string,
    settings: WriteSettings & Precondition & MergeSettings,
  ): Promise<WriteResult> {
    return this.#write(database, collection, settings, updateOperation(key, body, settings));
  }

  /** See removeOperation. @throws ServiceError also readOnly, collectionNotFound */
  remove(
    database: Database,
    collection: Collection,
    key: string,
    settings: WriteSettings & Precondition = {},
  ): Promise<WriteResult> {
    return this.#write(database, collection, settings, removeOperation(key, settings));
  }

  /** The promise is that of the queue: one more in between would be made once a write. */
  #write(
    database: Database,
    collection: Collection,
    settings: SyncSettings,
    operation: DocumentOperation,
  ): Promise<WriteResult> {
    if (settings.transaction) return inside(settings.transaction, collection, operation);
    const sync = settings.waitForSync === true || collection.parameters.waitForSync;
    return this.#store.commit(
      (tx) => {
        collection.assertAlive();
        database.assertWritable(collection.name);
        const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: false });
        const { key, rev, oldRev, newText, oldText } = operation({ writes, collection });
        writes.finish();
        return { key, rev, oldRev, newText, oldText, synced: sync };
      },
      sync ? SYNCED : NOT_SYNCED,
    );
  }
}

async function inside(
  transaction: StreamTransaction,
  collection: Collection,
  operation: DocumentOperation,
): Promise<WriteResult> {
  const written = await transaction.write(collection, (writes) =>
    operation({ writes, collection }),
  );
  return { synced: false, ...written };
}
