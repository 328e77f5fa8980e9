import { randomInt } from 'node:crypto';
import {
  COLLECTION_VERSION,
  type CollectionParameters,
  CollectionType,
  DEFAULT_JOURNAL_SIZE,
  type IndexDefinition,
  MIN_JOURNAL_SIZE,
} from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { MarkerType } from '../model/marker.ts';
import { isValidCollectionName } from '../model/names.ts';
import { keyGroups } from '../storage/key-groups.ts';
import { Space, numberRange, primaryKeyDocument } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Catalogue } from './catalogue.ts';
import {
  type ChangeContext,
  LOCAL,
  assertChangeable,
  changeCatalogue,
  logChange,
} from './catalogue-change.ts';
import type { Collection } from './collection.ts';
import { CollectionIndexes } from './collection-indexes.ts';
import type { Database } from './database.ts';
import { DocumentTx } from './document-tx.ts';
import type { DocumentWrites } from './document-writes.ts';
import type { SyncSettings } from './documents.ts';
import type { StreamTransaction } from './stream-transaction.ts';
import { REMOVAL_BYTES } from './transaction-size.ts';

/** What a client says of a collection it wants; the rest gets its default. */
export interface NewCollection {
  readonly name: string;
  readonly type?: CollectionType;
  readonly waitForSync?: boolean;
  readonly doCompact?: boolean;
  readonly journalSize?: number;
  readonly isVolatile?: boolean;
  readonly keyOptions?: CollectionParameters['keyOptions'];
}

export interface ChangedProperties {
  readonly waitForSync?: boolean;
  readonly doCompact?: boolean;
  readonly journalSize?: number;
}

/** Size of the transactions of a truncate that is too large for one. */
const GROUP_BYTES = 8 * 1024 * 1024;
const CID_MIN = 2 ** 40;
const CID_MAX = 2 ** 47;

/** Create, drop, rename, change, truncate, and indexes (contract 9.2, 9.4); each is logged. */
export class Collections {
  readonly #store: Store;
  readonly #catalogue: Catalogue;
  readonly #indexes: CollectionIndexes;
  readonly #transactionMaxBytes: number;

  constructor(
    deps: { store: Store; catalogue: Catalogue },
    options: { transactionMaxBytes: number },
  ) {
    this.#store = deps.store;
    this.#catalogue = deps.catalogue;
    this.#indexes = new CollectionIndexes(deps);
    this.#transactionMaxBytes = options.transactionMaxBytes;
  }

  /** @throws ServiceError illegalName, duplicateName, journalTooSmall, readOnly */
  create(database: Database, wanted: NewCollection): Promise<Collection> {
    if (!isValidCollectionName(wanted.name, true)) throw new ServiceError('illegalName');
    checkJournalSize(wanted.journalSize);
    return this.createWith(database, {
      version: COLLECTION_VERSION,
      type: wanted.type ?? CollectionType.document,
      cid: newCid(database),
      deleted: false,
      doCompact: wanted.doCompact ?? true,
      maximalSize: wanted.journalSize ?? DEFAULT_JOURNAL_SIZE,
      name: wanted.name,
      isVolatile: wanted.isVolatile ?? false,
      waitForSync: wanted.waitForSync ?? false,
      ...(wanted.keyOptions ? { keyOptions: wanted.keyOptions } : {}),
    });
  }

  /**
   * Creates a collection exactly as described, id included: what an applier or a restore does. What the
   * context lets be replaced goes in the same batch.
   * @throws ServiceError duplicateName when name or id is taken, readOnly
   */
  createWith(
    database: Database,
    parameters: CollectionParameters,
    context: ChangeContext = LOCAL,
  ): Promise<Collection> {
    return changeCatalogue(this.#store, database, context, (tx) => {
      if (context.origin === 'local') database.assertWritable(parameters.name);
      const inTheWay = [database.byName(parameters.name), database.byCid(parameters.cid)];
      this.#makeRoom(tx, database, inTheWay, context);
      tx.observeTick(BigInt(parameters.cid));
      const createdTick = tx.drawTick();
      const collection = this.#catalogue.addCollection(tx, database, {
        database: database.number,
        hidden: false,
        parameters,
        indexes: [],
        createdTick,
        deletionsSince: createdTick,
        ...(context.followed ? { followed: context.followed } : {}),
      });
      const { cid, name } = parameters;
      logChange(tx, database, collection, context, {
        type: MarkerType.collectionCreate,
        cid,
        cname: name,
        collection: parameters,
      });
      return collection;
    });
  }

  /**
   * Creates a collection as a backup describes it. With `overwrite` it takes the place of what has its name,
   * and of what has its id where one is asked for, in one batch.
   * @param described without a `cid` it is given one
   * @throws ServiceError duplicateName without `overwrite`, illegalName, readOnly, badParameter for an id
   *   above 2^62
   */
  restore(
    database: Database,
    described: Omit<CollectionParameters, 'cid'> & { readonly cid?: string | undefined },
    options: { overwrite: boolean },
  ): Promise<Collection> {
    const { name, cid = newCid(database) } = described;
    if (!isValidCollectionName(name, true)) throw new ServiceError('illegalName');
    const mayReplace = (old: Collection): boolean => {
      database.assertWritable(old.name);
      return options.overwrite;
    };
    return this.createWith(database, { ...described, cid }, { ...LOCAL, mayReplace });
  }

  /** @throws ServiceError collectionNotFound, readOnly */
  drop(database: Database, collection: Collection, context: ChangeContext = LOCAL): Promise<void> {
    return changeCatalogue(this.#store, database, context, (tx) => {
      assertChangeable(database, collection, context);
      this.#drop(tx, database, collection, context);
    });
  }

  /** Notes whose copy a collection is, as the context says; not logged. @throws ServiceError collectionNotFound */
  follow(database: Database, collection: Collection, context: ChangeContext): Promise<void> {
    return changeCatalogue(this.#store, database, context, (tx) => {
      collection.assertAlive();
      const { record } = collection;
      const { followed } = context;
      collection.writeRecord(tx, { ...record, ...(followed ? { followed } : {}) });
    });
  }

  /** Removes a collection without a log entry: what a switch and the drop of a database do. */
  dropSilently(tx: WriteTx, database: Database, collection: Collection): void {
    collection.delete(tx);
    this.#store.eraser.erase(tx, numberRange(Space.journal, collection.number));
    this.#store.eraser.erase(tx, numberRange(Space.primary, collection.number));
    for (const { number } of collection.record.indexes) {
      this.#store.eraser.erase(tx, numberRange(Space.secondary, number));
    }
    tx.afterCommit(() => {
      database.hide(collection);
      this.#catalogue.forgetHidden(collection);
    });
  }

  /**
   * A client's change of name makes a collection its own: what the leader does with the name is no longer
   * its business. What the context lets be replaced goes in the same batch.
   * @throws ServiceError illegalName, duplicateName, readOnly
   */
  rename(
    database: Database,
    collection: Collection,
    newName: string,
    context: ChangeContext = LOCAL,
  ): Promise<void> {
    return changeCatalogue(this.#store, database, context, (tx) => {
      assertChangeable(database, collection, context);
      if (!isValidCollectionName(newName, collection.isSystem)) {
        throw new ServiceError('illegalName');
      }
      if (context.origin === 'local') database.assertWritable(newName);
      const inTheWay = database.byName(newName);
      if (inTheWay === collection) throw new ServiceError('duplicateName');
      this.#makeRoom(tx, database, [inTheWay], context);
      const oldName = collection.name;
      logChange(tx, database, collection, context, {
        type: MarkerType.collectionRename,
        cid: collection.cid,
        cname: oldName,
        newName,
      });
      const { followed: before, ...record } = collection.record;
      const followed = context.followed ?? (context.origin === 'remote' ? before : undefined);
      const parameters = { ...record.parameters, name: newName };
      collection.writeRecord(tx, { ...record, parameters, ...(followed ? { followed } : {}) });
      tx.afterCommit(() => {
        database.show(collection, oldName);
      });
    });
  }

  /** Changes properties; logged even if nothing changed (contract 2.7). @throws ServiceError journalTooSmall */
  changeProperties(
    database: Database,
    collection: Collection,
    changes: ChangedProperties,
    context: ChangeContext = LOCAL,
  ): Promise<void> {
    checkJournalSize(changes.journalSize);
    return changeCatalogue(this.#store, database, context, (tx) => {
      assertChangeable(database, collection, context);
      const { record } = collection;
      const parameters: CollectionParameters = {
        ...record.parameters,
        waitForSync: changes.waitForSync ?? record.parameters.waitForSync,
        doCompact: changes.doCompact ?? record.parameters.doCompact,
        maximalSize: changes.journalSize ?? record.parameters.maximalSize,
      };
      collection.writeRecord(tx, { ...record, parameters });
      logChange(tx, database, collection, context, {
        type: MarkerType.collectionChange,
        cid: collection.cid,
        cname: collection.name,
        collection: parameters,
      });
    });
  }

  /** See CollectionIndexes.create. */
  createIndex(
    database: Database,
    collection: Collection,
    wanted: Readonly<Record<string, unknown>>,
    context: ChangeContext = LOCAL,
  ): Promise<{ definition: IndexDefinition; isNew: boolean }> {
    return this.#indexes.create(database, collection, wanted, context);
  }

  /** @throws ServiceError indexNotFound, readOnly */
  dropIndex(
    database: Database,
    collection: Collection,
    id: string,
    context: ChangeContext = LOCAL,
  ): Promise<void> {
    return this.#indexes.drop(database, collection, id, context);
  }

  /** Ends index builds that are under way. */
  close(): Promise<void> {
    return this.#indexes.close();
  }

  /** Removes what earlier runs left half-built. */
  removeUnfinishedIndexes(): Promise<void> {
    return this.#indexes.removeUnfinished();
  }

  /** Drops what is in the way. @throws ServiceError duplicateName where the context does not allow it */
  #makeRoom(
    tx: WriteTx,
    database: Database,
    inTheWay: readonly (Collection | undefined)[],
    context: ChangeContext,
  ): void {
    for (const collection of new Set(inTheWay)) {
      if (!collection) continue;
      if (!context.mayReplace?.(collection, tx)) throw new ServiceError('duplicateName');
      this.#drop(tx, database, collection, context);
    }
  }

  #drop(tx: WriteTx, database: Database, collection: Collection, context: ChangeContext): void {
    logChange(tx, database, collection, context, {
      type: MarkerType.collectionDrop,
      cid: collection.cid,
      cname: collection.name,
    });
    this.dropSilently(tx, database, collection);
  }

  /**
   * Removes all documents, each with its removal logged. Up to `transaction.max-size`, of which a
   * removal takes 512 bytes, it is one transaction, above several whole ones (design, rule 6). As a
   * part of a stream transaction it must fit into that.
   * @throws ServiceError conflict (409) when a stream transaction holds a document; resourceLimit
   */
  async truncate(
    database: Database,
    collection: Collection,
    settings: SyncSettings = {},
  ): Promise<void> {
    if (settings.transaction) {
      await this.#truncateIn(settings.transaction, collection);
      return;
    }
    collection.assertAlive();
    database.assertWritable(collection.name);
    const sync = settings.waitForSync === true || collection.parameters.waitForSync;
    const { start, end } = numberRange(Space.primary, collection.number);
    const max = this.#transactionMaxBytes;
    const isOne = collection.stats.count * REMOVAL_BYTES <= max;
    const groupCount = Math.ceil((isOne ? max : Math.min(max, GROUP_BYTES)) / REMOVAL_BYTES);
    for await (const group of keyGroups(this.#store.level, { start, end }, groupCount)) {
      await this.#store.commit((tx) => removeGroup(tx, database, collection, group), { sync });
    }
  }

  /** Removes what it sees now, in one operation. */
  #truncateIn(transaction: StreamTransaction, collection: Collection): Promise<void> {
    return transaction.use(async () => {
      transaction.assertReadable(collection);
      const { start, end } = numberRange(Space.primary, collection.number);
      // One more than it can hold, so that it is refused without holding on to any number of keys.
      const limit = Math.ceil(transaction.maxBytes / REMOVAL_BYTES) + 1;
      const committed = await this.#store.level.keys({ gte: start, lt: end, limit }).all();
      const own = transaction.ownKeys(collection).keys();
      const all = new Set([...committed.map(primaryKeyDocument), ...own]);
      await transaction.write(collection, (writes) => removeAll(writes, collection, all));
    });
  }
}

/** One group of removals. */
function removeGroup(
  tx: WriteTx,
  database: Database,
  collection: Collection,
  keys: readonly Buffer[],
): void {
  collection.assertAlive();
  database.assertWritable(collection.name);
  const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: true });
  removeAll(writes, collection, keys.map(primaryKeyDocument));
  writes.finish();
}

/** Keys that are gone by now do not matter. */
function removeAll(writes: DocumentWrites, collection: Collection, keys: Iterable<string>): void {
  for (const key of keys) {
    const pointer = writes.pointer(collection, key);
    if (pointer) writes.remove(collection, key, pointer);
  }
}

/**
 * An id that no collection of any server has but by a chance of one in 2^46: a follower looks collections
 * up by the leader's id, and must not meet one of its own. It lies below all ticks of our own, so
 * it is none of them.
 */
function newCid(database: Database): string {
  for (;;) {
    const cid = randomInt(CID_MIN, CID_MAX).toString();
    if (!database.byCid(cid)) return cid;
  }
}

function checkJournalSize(journalSize: number | undefined): void {
  if (journalSize !== undefined && journalSize < MIN_JOURNAL_SIZE) {
    throw new ServiceError('journalTooSmall');
  }
}
