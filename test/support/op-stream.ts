import type { Collection } from '../../src/documents/collection.ts';
import type { Database } from '../../src/documents/database.ts';
import { DocumentTx } from '../../src/documents/document-tx.ts';
import { StreamTransactions } from '../../src/documents/stream-transactions.ts';
import type { StreamTransaction } from '../../src/documents/stream-transaction.ts';
import type { CollectionAccess } from '../../src/documents/write-locks.ts';
import { CollectionType } from '../../src/model/collection.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type ErrorName, ServiceError } from '../../src/model/errors.ts';
import { MarkerType } from '../../src/model/marker.ts';
import type { Random } from './random.ts';
import type { OpenCore } from './store.ts';

/** What an operation that was answered must have left in the log of its database. */
export interface Acknowledged {
  readonly database: string;
  readonly type: number;
  /** Revision of a written document or of a removal. */
  readonly rev?: string;
  readonly cid?: string;
  readonly id?: string;
}

/** What random operations on changing data run into. */
const EXPECTED: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['documentNotFound', 'collectionNotFound', 'databaseNotFound', 'indexNotFound'] as const),
  ...(['uniqueConstraintViolated', 'duplicateName', 'conflict', 'lockTimeout'] as const),
]);

const KEYS = 60;
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const MIB = 1024 * 1024;
const STREAMING = {
  maxBytes: 64 * MIB,
  budgetBytes: 256 * MIB,
  maxOpen: 100,
  idleTimeoutMs: 60_000,
};
const NEVER = new AbortController().signal;

type Operation = (stream: OpStream, database: Database) => Promise<void>;

/**
 * Random operations of all kinds on a core, in the order of a seed; what they meet depends on the
 * moment. Every answer is reported.
 */
export class OpStream {
  readonly core: OpenCore;
  readonly random: Random;
  readonly transactions: StreamTransactions;
  readonly #acknowledge: (op: Acknowledged) => void;

  constructor(
    deps: { core: OpenCore; random: Random; acknowledge: (op: Acknowledged) => void },
    options: { databases: readonly string[] },
  ) {
    this.core = deps.core;
    this.random = deps.random;
    this.transactions = new StreamTransactions(
      { store: deps.core.store, clock: systemClock },
      STREAMING,
    );
    this.#acknowledge = deps.acknowledge;
    this.databases = options.databases;
  }

  readonly databases: readonly string[];

  /** Runs so many operations, some of them at a time. */
  async run(count: number, inFlight: number): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.step();
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
  }

  /** One operation; an error that has nothing to do with the data is thrown. */
  async step(): Promise<void> {
    const name = this.random.pick(this.databases) ?? '_system';
    const database = this.core.catalogue.find(name);
    if (!database) return;
    const operation = this.random.percent(94)
      ? this.random.pick(DOCUMENT_OPERATIONS)
      : this.random.pick(CATALOGUE_OPERATIONS);
    await this.attempt(async () => operation?.(this, database));
  }

  /** Runs something that may meet what others do. @returns undefined when it has */
  async attempt<T>(run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof ServiceError && EXPECTED.has(error.kind)) return undefined;
      throw error;
    }
  }

  acknowledge(database: Database, op: Omit<Acknowledged, 'database'>): void {
    this.#acknowledge({ database: database.name, ...op });
  }

  collection(database: Database): Collection | undefined {
    return this.random.pick(database.collections);
  }

  key(): string {
    return `k${this.random.below(KEYS)}`;
  }

  /** Attributes that indexes and updates go by, as the inside of an object. */
  rest(): string {
    const unique = this.random.percent(30) ? `,"u":${this.random.below(300)}` : '';
    const pad = this.random.percent(3) ? 40_000 : this.random.below(200);
    return `"n":${this.random.below(10)}${unique},"pad":"${'x'.repeat(pad)}"`;
  }
}

const upsertType = (collection: Collection): number =>
  collection.type === CollectionType.edge ? MarkerType.edge : MarkerType.document;

const insert: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (!collection) return;
  const key = stream.random.percent(90) ? `"_key":"${stream.key()}",` : '';
  const overwriteMode = stream.random.percent(50) ? 'replace' : 'conflict';
  const edge = collection.type === CollectionType.edge;
  const ends = { from: `a/${stream.key()}`, to: `a/${stream.key()}` };
  const settings = { overwriteMode, ...(edge ? { ends } : {}) } as const;
  const body = `{${key}${stream.rest()}}`;
  const { rev } = await stream.core.documents.insert(database, collection, body, settings);
  stream.acknowledge(database, { type: upsertType(collection), rev });
};

const replace: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (!collection) return;
  const body = `{${stream.rest()}}`;
  const { rev } = await stream.core.documents.replace(database, collection, stream.key(), body);
  stream.acknowledge(database, { type: upsertType(collection), rev });
};

const update: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (!collection) return;
  const body = `{"n":${stream.random.below(10)},"patched":true}`;
  const settings = { keepNull: true, mergeObjects: true, waitForSync: stream.random.percent(2) };
  const key = stream.key();
  const { rev } = await stream.core.documents.update(database, collection, key, body, settings);
  stream.acknowledge(database, { type: upsertType(collection), rev });
};

const remove: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (!collection) return;
  await stream.core.documents.remove(database, collection, stream.key());
};

/** Several documents of several collections in one transaction. */
const transaction: Operation = async (stream, database) => {
  const { random, core } = stream;
  const revs = await core.store.commit((tx) => {
    const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: true });
    const written: string[] = [];
    for (let i = random.below(20); i >= 0; i--) {
      const collection = stream.collection(database);
      if (!collection || collection.type === CollectionType.edge) continue;
      const key = stream.key();
      const old = writes.pointer(collection, key);
      if (old && random.percent(40)) {
        written.push(writes.remove(collection, key, old));
        continue;
      }
      const rest = stream.rest();
      const value = JSON.parse(`{${rest}}`) as Record<string, unknown>;
      written.push(writes.upsert(collection, key, { value, rest }, old));
    }
    writes.finish();
    return written;
  });
  for (const rev of revs) stream.acknowledge(database, { type: 0, rev });
};

/** Several operations one after another, while others go on. */
const streamTransaction: Operation = async (stream, database) => {
  const { random } = stream;
  const access = new Map<Collection, CollectionAccess>();
  for (let i = random.below(3); i >= 0; i--) {
    const collection = stream.collection(database);
    if (collection) access.set(collection, random.percent(5) ? 'exclusive' : 'write');
  }
  const wanted = { access, waitForSync: false, allowImplicit: true, lockTimeoutMs: 5 };
  const open = await stream.transactions.begin(database, wanted, NEVER);
  const revs: string[] = [];
  try {
    for (let i = random.below(12); i >= 0; i--) {
      const collection = random.pick([...access.keys()]);
      if (collection) await stream.attempt(() => writeInside(stream, open, collection, revs));
    }
    if (random.percent(20)) return;
    await open.commit();
    for (const rev of revs) stream.acknowledge(database, { type: 0, rev });
  } finally {
    if (open.status === 'running') open.abort();
  }
};

/** @param revs gets those that must be in the log after the commit */
async function writeInside(
  stream: OpStream,
  transaction: StreamTransaction,
  collection: Collection,
  revs: string[],
): Promise<void> {
  const { core, random } = stream;
  const { database } = transaction;
  const key = stream.key();
  const chance = random.below(100);
  if (chance < 20) {
    await core.documents.remove(database, collection, key, { transaction });
  } else if (chance < 23) {
    await core.collections.truncate(database, collection, { transaction });
  } else if (chance < 50) {
    const settings = { keepNull: true, mergeObjects: true, transaction };
    const body = `{"n":${random.below(10)},"patched":true}`;
    revs.push((await core.documents.update(database, collection, key, body, settings)).rev);
  } else {
    const edge = collection.type === CollectionType.edge;
    const settings = {
      overwriteMode: 'replace',
      transaction,
      ...(edge ? { ends: { from: `a/${key}`, to: `a/${key}` } } : {}),
    } as const;
    const body = `{"_key":"${key}",${stream.rest()}}`;
    revs.push((await core.documents.insert(database, collection, body, settings)).rev);
  }
}

const create: Operation = async (stream, database) => {
  const { random, core } = stream;
  const name = random.pick(NAMES) ?? 'a';
  const collection = await core.collections.create(database, {
    name,
    type: random.percent(20) ? CollectionType.edge : CollectionType.document,
    ...(random.percent(20)
      ? { keyOptions: { type: 'autoincrement', allowUserKeys: true, offset: 7, increment: 3 } }
      : {}),
  });
  stream.acknowledge(database, { type: MarkerType.collectionCreate, cid: collection.cid });
};

const drop: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (!collection || stream.random.percent(70)) return;
  await stream.core.collections.drop(database, collection);
  stream.acknowledge(database, { type: MarkerType.collectionDrop, cid: collection.cid });
};

const rename: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (!collection) return;
  const name = stream.random.pick(NAMES) ?? 'a';
  await stream.core.collections.rename(database, collection, name);
  stream.acknowledge(database, { type: MarkerType.collectionRename, cid: collection.cid });
};

const change: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (!collection) return;
  const journalSize = 1_048_576 + stream.random.below(1000);
  await stream.core.collections.changeProperties(database, collection, { journalSize });
  stream.acknowledge(database, { type: MarkerType.collectionChange, cid: collection.cid });
};

const createIndex: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (!collection) return;
  const unique = stream.random.percent(50);
  const { definition } = await stream.core.collections.createIndex(database, collection, {
    type: stream.random.percent(50) ? 'hash' : 'skiplist',
    fields: unique ? ['u'] : ['n', 'patched'],
    unique,
    sparse: stream.random.percent(70) || unique,
  });
  stream.acknowledge(database, { type: MarkerType.indexCreate, id: definition.id });
};

const dropIndex: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  const index = stream.random.pick(collection?.indexDefinitions ?? []);
  if (!collection || !index) return;
  await stream.core.collections.dropIndex(database, collection, index.id);
  stream.acknowledge(database, { type: MarkerType.indexDrop, id: index.id });
};

const truncate: Operation = async (stream, database) => {
  const collection = stream.collection(database);
  if (collection) await stream.core.collections.truncate(database, collection);
};

/** A database of its own comes and goes. */
const passingDatabase: Operation = async ({ core, random }) => {
  const name = `passing${random.below(2)}`;
  const existing = core.catalogue.find(name);
  if (existing) {
    await core.databases.drop(name);
    return;
  }
  const database = await core.databases.create(name);
  const collection = await core.collections.create(database, { name: 'p' });
  for (let i = 0; i < 20; i++) await core.documents.insert(database, collection, '{"a":1}');
};

const DOCUMENT_OPERATIONS = [
  ...[insert, insert, insert, replace, update, update, remove, transaction],
  streamTransaction,
];
const CATALOGUE_OPERATIONS = [
  ...[create, create, create, drop, rename, change, createIndex, createIndex, dropIndex],
  ...[truncate, passingDatabase],
];
