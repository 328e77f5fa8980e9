import {
  ApplierClient,
  makeFollower,
  startMakeFollower,
  startSync,
  sync,
} from './applier-client.ts';
import { BarriersClient } from './barriers-client.ts';
import { CollectionClient } from './collection-client.ts';
import type { CollectionInfo, NewCollection } from './collection-types.ts';
import { type DumpOptions, readDump } from './dump-reader.ts';
import type { FeedEntry } from './feed-entry.ts';
import { type FollowOptions, followLog } from './feed-reader.ts';
import type { Job } from './job.ts';
import type { DumpEntry, LogEntry } from './log-entry.ts';
import { type LogOptions, readLog } from './log-reader.ts';
import { LoggerClient, readInventory } from './logger-client.ts';
import type {
  ApplierChanges,
  FollowerStatus,
  Inventory,
  LeaderSelection,
  SyncResult,
} from './replication-types.ts';
import { RestoreClient } from './restore-client.ts';
import type { RequestOptions, Scope } from './scope.ts';
import {
  runTransaction,
  type Transaction,
  type TransactionCollections,
  type TransactionOptions,
} from './transaction.ts';

/**
 * One database of a server. The object stands for a name: a method rejects with databaseNotFound (1228) when there
 * is none. All reject as `ServerHttp.send`.
 */
export class DatabaseClient {
  readonly name: string;
  readonly logger: LoggerClient;
  readonly applier: ApplierClient;
  readonly barriers: BarriersClient;
  readonly restore: RestoreClient;
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }) {
    this.#scope = deps.scope;
    this.name = deps.scope.database;
    this.logger = new LoggerClient(deps);
    this.applier = new ApplierClient(deps);
    this.barriers = new BarriersClient(deps);
    this.restore = new RestoreClient(deps);
  }

  /** Of this name, whether or not there is one. */
  collection<T extends object = Record<string, unknown>>(name: string): CollectionClient<T> {
    return new CollectionClient<T>({ scope: this.#scope }, name);
  }

  /** Creates a collection. @throws TicklogError duplicateName (1207), illegalName (1208) */
  async createCollection<T extends object = Record<string, unknown>>(
    name: string,
    options: NewCollection & RequestOptions = {},
  ): Promise<CollectionClient<T>> {
    const collection = this.collection<T>(name);
    await collection.create(options);
    return collection;
  }

  /** @param options.excludeSystem leave out those whose names begin with `_` */
  async collections(
    options: RequestOptions & { excludeSystem?: boolean | undefined } = {},
  ): Promise<readonly CollectionInfo[]> {
    const { signal, excludeSystem } = options;
    const { collections } = await this.#scope.json<{ collections: CollectionInfo[] }>(
      'GET',
      '/_api/collection',
      { query: { excludeSystem }, signal },
    );
    return collections;
  }

  /**
   * The log of changes, in the order of their commits; by default it goes on with what comes until its signal
   * is aborted or the loop is left (contract 2.6). See `LogOptions`.
   *
   * @throws TicklogError 1414 where events are missing; the reason of the signal when that is aborted
   */
  log(options: LogOptions = {}): AsyncGenerator<LogEntry, void, void> {
    return readLog(this.#scope, options);
  }

  /**
   * The changes as they come: as `log`, but told by the server at once, with an `operation` that tells inserts from
   * updates, over interruptions of the connection, until the signal is aborted or the loop is left. See
   * `FollowOptions`.
   *
   * @throws PlaceLostError (1414) where events are missing; TicklogError when the first request has no answer
   */
  follow(options: FollowOptions = {}): AsyncGenerator<FeedEntry, void, void> {
    return followLog(this.#scope, options);
  }

  /** What a collection holds, in rising order of ticks (contract 3.4). */
  dump(collection: string, options: DumpOptions = {}): AsyncGenerator<DumpEntry, void, void> {
    return readDump(this.#scope, collection, options);
  }

  /** @param options.includeSystem list collections whose names begin with `_`, too */
  inventory(
    options: RequestOptions & { includeSystem?: boolean | undefined } = {},
  ): Promise<Inventory> {
    return readInventory(this.#scope, options);
  }

  /**
   * Copies a leader; resolves when that is done (contract 3.7). What the leader does not have is kept.
   * An abort of the signal does not end it; `applier.stop` does.
   */
  sync(leader: LeaderSelection, options: RequestOptions = {}): Promise<SyncResult> {
    return sync(this.#scope, leader, options);
  }

  /** As `sync`, but resolves when the copying has begun, which goes on whoever waits for it. */
  startSync(leader: LeaderSelection, options: RequestOptions = {}): Promise<Job<SyncResult>> {
    return startSync(this.#scope, leader, options);
  }

  /**
   * Copies a leader and follows it from then on; resolves when it is copied and the applier has been started
   * (contract 3.8). Settings that are not given are those that the applier has by default. An abort of the
   * signal does not end it; `applier.stop` does.
   */
  makeFollower(
    leader: LeaderSelection & ApplierChanges,
    options: RequestOptions = {},
  ): Promise<FollowerStatus> {
    return makeFollower(this.#scope, leader, options);
  }

  /** As `makeFollower`, but resolves when the copying has begun, which goes on whoever waits for it. */
  startMakeFollower(
    leader: LeaderSelection & ApplierChanges,
    options: RequestOptions = {},
  ): Promise<Job<FollowerStatus>> {
    return startMakeFollower(this.#scope, leader, options);
  }

  /**
   * Runs `work` with a transaction, which is committed when that has resolved and aborted when it has
   * rejected: all that was written through it becomes visible at once, or nothing.
   *
   * @param collections what it writes to, or what it reads and writes
   * @throws TicklogError notImplemented (501) of servers without them; what `work` throws
   */
  transaction<R>(
    collections: TransactionCollections,
    work: (transaction: Transaction) => Promise<R>,
    options: TransactionOptions = {},
  ): Promise<R> {
    return runTransaction(this.#scope, collections, work, options);
  }
}
