import { setImmediate as nextTurn } from 'node:timers/promises';
import { counted } from '../base/words.ts';
import { ServiceError } from '../model/errors.ts';
import { Space, numberRange, primaryKeyDocument } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { Collections } from './collections.ts';
import type { Database } from './database.ts';
import { DocumentTx } from './document-tx.ts';
import { type BodyCutter, type ImportType, bodyCutter } from './import-lines.ts';
import { type ImportDocument, ImportParser } from './import-parser.ts';
import { ImportTally, completeFailure } from './import-tally.ts';
import { type OnDuplicate, writeGroup } from './import-writer.ts';
import type { StreamTransaction } from './stream-transaction.ts';
import { LINE_EXTRA_BYTES, REMOVAL_BYTES } from './transaction-size.ts';

export interface ImportSettings {
  readonly type: ImportType;
  /** All or nothing. */
  readonly complete: boolean;
  /** In addition to what the collection says. */
  readonly waitForSync: boolean;
  /** Collect a message for each bad document. */
  readonly details: boolean;
  readonly onDuplicate: OnDuplicate;
  /** The documents that are there give way to those of the import. */
  readonly overwrite: boolean;
  readonly fromPrefix?: string | undefined;
  readonly toPrefix?: string | undefined;
  /** How long the body says it is, in bytes. */
  readonly announcedBytes?: number | undefined;
  /** The stream transaction that it is a part of, and has to fit into. */
  readonly transaction?: StreamTransaction | undefined;
}

/**
 * Size of the transactions of an import that may be several, in bytes of lines: it is written while its
 * body comes in. Larger ones are not faster and cost 15 times their size in memory.
 */
const GROUP_BYTES = 2 * 1024 * 1024;
/** Large chunks are worked on in parts of this size. */
const PART_BYTES = 64 * 1024;
/** Other requests are let in at least this often. */
const STEP_MS = 5;

/**
 * Writes many documents from one body (contract 9.5). They are checked while the body comes in. What
 * must be all or nothing is one transaction of at most `transactionMaxBytes`, written when the body is
 * over; any other import above 2 MiB is written in several whole transactions (design, rule 6) while its
 * body comes in, and what was written stays if a later part fails.
 */
export class Importer {
  readonly #store: Store;
  readonly #collections: Collections;
  readonly #transactionMaxBytes: number;

  constructor(
    deps: { store: Store; collections: Collections },
    options: { transactionMaxBytes: number },
  ) {
    this.#store = deps.store;
    this.#collections = deps.collections;
    this.#transactionMaxBytes = options.transactionMaxBytes;
  }

  /** What an import holds in memory at most, in bytes of its body. */
  get transactionMaxBytes(): number {
    return this.#transactionMaxBytes;
  }

  /**
   * @param body pieces of the body, read no faster than they are worked on
   * @throws ServiceError resourceLimit: `complete`, or a part of a stream transaction, and larger than
   *   one may be;
   *   with status 409 what is wrong with the first bad document: `complete`, nothing is stored;
   *   invalidJson: the array is none; httpBadParameter: the line of names is missing;
   *   documentTooLarge, collectionNotFound, readOnly
   */
  async run(
    database: Database,
    collection: Collection,
    body: AsyncIterable<Buffer>,
    settings: ImportSettings,
    signal?: AbortSignal,
  ): Promise<ImportTally> {
    const parts = new ImportRun(
      { store: this.#store, collections: this.#collections, database, collection },
      { settings, transactionMaxBytes: this.#transactionMaxBytes },
    );
    try {
      await feed(parts, body, signal);
      return await parts.finish();
    } finally {
      await parts.settled();
    }
  }
}

async function feed(
  parts: ImportRun,
  body: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let startedAt = performance.now();
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += PART_BYTES) {
      signal?.throwIfAborted();
      await parts.add(chunk.subarray(at, at + PART_BYTES));
      if (performance.now() - startedAt < STEP_MS) continue;
      await nextTurn();
      startedAt = performance.now();
    }
  }
}

/** One import on its way. */
class ImportRun {
  readonly #store: Store;
  readonly #collections: Collections;
  readonly #database: Database;
  readonly #collection: Collection;
  readonly #settings: ImportSettings;
  readonly #transactionMaxBytes: number;
  /** What must be all or nothing may be larger than what is only to be written. */
  readonly #oneTransactionMaxBytes: number;
  readonly #cutter: BodyCutter;
  readonly #parser: ImportParser;
  readonly #tally: ImportTally;
  #documents: ImportDocument[] = [];
  #bytes = 0;
  /** Set once it is known that one transaction will not do. */
  #inGroups = false;
  /** The group that is being written while the next one is parsed. */
  #writing: Promise<void> = Promise.resolve();
  /** Why a `complete` import fails; the rest of its body is only read. */
  #failure: ServiceError | undefined;

  constructor(
    deps: { store: Store; collections: Collections; database: Database; collection: Collection },
    options: { settings: ImportSettings; transactionMaxBytes: number },
  ) {
    this.#store = deps.store;
    this.#collections = deps.collections;
    this.#database = deps.database;
    this.#collection = deps.collection;
    this.#settings = options.settings;
    const { type, details, fromPrefix, toPrefix, announcedBytes = 0 } = options.settings;
    const { complete, overwrite, transaction } = options.settings;
    const transactionMaxBytes = Math.min(
      options.transactionMaxBytes,
      transaction?.maxBytes ?? Infinity,
    );
    this.#transactionMaxBytes = transactionMaxBytes;
    this.#cutter = bodyCutter(type, options.transactionMaxBytes);
    this.#parser = new ImportParser({ type, fromPrefix, toPrefix });
    this.#tally = new ImportTally({ withDetails: details });
    this.#oneTransactionMaxBytes =
      complete || overwrite || transaction
        ? transactionMaxBytes
        : Math.min(GROUP_BYTES, transactionMaxBytes);
    if (announcedBytes > this.#oneTransactionMaxBytes) this.#giveUpOneTransaction();
  }

  /** Resolves when nothing of the import is being written any more, whether that went well or not. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#writing]);
  }

  async add(chunk: Buffer): Promise<void> {
    if (this.#failure) return;
    for (const text of this.#cutter.cut(chunk)) this.#take(text);
    if (!this.#inGroups && this.#bytes > this.#oneTransactionMaxBytes) this.#giveUpOneTransaction();
    if (this.#inGroups && this.#bytes >= GROUP_BYTES) await this.#flushGroups();
  }

  async finish(): Promise<ImportTally> {
    if (!this.#failure) for (const text of this.#cutter.end()) this.#take(text);
    if (this.#failure) throw this.#failure;
    this.#parser.end();
    if (!this.#inGroups && this.#removesTooMuch()) this.#giveUpOneTransaction();
    if (this.#inGroups) {
      await this.#flushGroups();
      await this.#writing;
    } else {
      const removeKeys = this.#settings.overwrite ? await this.#allKeys() : [];
      const documents = this.#documents;
      this.#documents = [];
      await this.#write(documents, removeKeys);
    }
    return this.#tally;
  }

  /** @throws ServiceError resourceLimit for an import that must be one transaction */
  #giveUpOneTransaction(): void {
    const { complete, transaction } = this.#settings;
    if (complete || transaction) {
      throw new ServiceError(
        'resourceLimit',
        `an import with complete=true, or inside a transaction, has at most ${counted(this.#transactionMaxBytes, 'byte')}; ` +
          'split it, or import without these',
      );
    }
    this.#inGroups = true;
    // A copy is not gone before the new one can be kept, except here: both do not fit.
    if (this.#settings.overwrite) {
      this.#startWriting(this.#collections.truncate(this.#database, this.#collection));
    }
  }

  #take(text: string | undefined): void {
    if (this.#failure) return;
    if (text !== undefined && text.trim() === '' && !this.#cutter.isOneValue) {
      this.#parser.skip();
      this.#tally.empty++;
      return;
    }
    try {
      const document = this.#parser.parse(text);
      if (!document) return;
      this.#documents.push(document);
      this.#bytes += document.length + LINE_EXTRA_BYTES;
    } catch (error) {
      this.#parseFailed(error, text);
    }
  }

  #parseFailed(error: unknown, text: string | undefined): void {
    if (!(error instanceof ServiceError) || error.kind === 'httpBadParameter') throw error;
    const { position } = this.#parser;
    if (error.kind === 'invalidJson' && this.#cutter.isOneValue) {
      throw new ServiceError('invalidJson', `at position ${position}: the array is no valid JSON`, {
        cause: error,
      });
    }
    if (this.#settings.complete) {
      this.#failure = completeFailure(position, error, text);
    } else {
      this.#tally.fail(position, error, text);
    }
  }

  /** Hands over whole groups; returns when the one before the last is written. */
  async #flushGroups(): Promise<void> {
    const documents = this.#documents;
    this.#documents = [];
    this.#bytes = 0;
    let start = 0;
    while (start < documents.length) {
      let end = start;
      for (let bytes = 0; end < documents.length && bytes < GROUP_BYTES; end++) {
        bytes += documents[end]?.length ?? 0;
      }
      await this.#writing;
      this.#startWriting(this.#write(documents.slice(start, end), []));
      start = end;
    }
  }

  #startWriting(writing: Promise<void>): void {
    this.#writing = writing;
    // Whoever waits for it next sees the error; until then it is nobody's.
    writing.catch(() => undefined);
  }

  async #write(documents: ImportDocument[], removeKeys: readonly string[]): Promise<void> {
    if (documents.length === 0 && removeKeys.length === 0) return;
    const { complete, onDuplicate, details, waitForSync, transaction } = this.#settings;
    const collection = this.#collection;
    const database = this.#database;
    const part = new ImportTally({ withDetails: details });
    const group = { documents, removeKeys, onDuplicate, complete };
    if (transaction) {
      await transaction.write(collection, (writes) => writeGroup(writes, collection, group, part));
    } else {
      const sync = waitForSync || collection.parameters.waitForSync;
      const run = (tx: WriteTx): void => {
        collection.assertAlive();
        database.assertWritable(collection.name);
        const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: true });
        writeGroup(writes, collection, group, part);
        writes.finish();
      };
      await this.#store.commit(run, { sync });
    }
    this.#tally.add(part);
  }

  /** Whether what `overwrite` removes does not fit into one transaction with the new documents. */
  #removesTooMuch(): boolean {
    if (!this.#settings.overwrite) return false;
    const removalBytes = this.#collection.stats.count * REMOVAL_BYTES;
    return removalBytes + this.#bytes > this.#transactionMaxBytes;
  }

  async #allKeys(): Promise<string[]> {
    const { start, end } = numberRange(Space.primary, this.#collection.number);
    const stored = await this.#store.level.keys({ gte: start, lt: end }).all();
    const keys = stored.map(primaryKeyDocument);
    const own = this.#settings.transaction?.ownKeys(this.#collection).keys() ?? [];
    return [...new Set([...keys, ...own])];
  }
}
