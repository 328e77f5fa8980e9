import { counted } from '../base/words.ts';
import type { CollectionParameters, CollectionType, IndexDefinition } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { isExcludedFromReplication, isSystemName } from '../model/names.ts';
import type { Tick } from '../model/tick.ts';
import { NewBytes } from '../storage/block-merge.ts';
import { metaKey, primaryPrefix } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import { StoredState } from '../storage/stored-state.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { type CollectionStats, encodeStats, statsKey } from './collection-stats.ts';
import { CapList } from './cap-list.ts';
import { KeyFrontier } from './key-frontier.ts';
import { CollectionWorks } from './collection-works.ts';
import { OpenViews } from './open-views.ts';
import { SecondaryIndex } from './secondary-index.ts';

/** What the catalogue stores of an index. */
export interface IndexRecord {
  readonly number: number;
  readonly definition: IndexDefinition;
  /** Set until existing documents are in it; nobody is shown it before. */
  readonly building?: boolean;
}

/** Whose copy a collection is. */
export interface Followed {
  /** Server id of the leader. */
  readonly leaderId: string;
  /** Database on the leader. */
  readonly database: string;
  /** The leader's tick as of which it is known to have a collection of this id and name. */
  readonly tick: Tick;
  /**
   * What it was copied as: all that the leader's log says of it up to this tick is in it already. Absent for what
   * came with the log, and for copies from leaders that do not tell their runs.
   */
  readonly copied?: CopiedAt;
}

/** A moment in the history of a leader. */
export interface CopiedAt {
  readonly tick: Tick;
  /** The run in which the tick was given out. */
  readonly incarnation: string;
}

/** What the catalogue stores of a collection. */
export interface CollectionRecord {
  readonly database: number;
  /** A hidden one is a copy in the making: it has no name yet that anyone could use. */
  readonly hidden: boolean;
  readonly parameters: CollectionParameters;
  readonly indexes: readonly IndexRecord[];
  readonly createdTick: Tick;
  /** Removals of the journal are complete for positions at or above this tick (rule 7). */
  readonly deletionsSince: Tick;
  /** Absent for what was made, restored or renamed here, and in stores of earlier versions. */
  readonly followed?: Followed;
}

/**
 * A collection as committed. Its number stands in all its keys and is never used again; its id and
 * name are what the wire knows. Changed only inside batches of their own.
 */
export class Collection {
  readonly number: number;
  readonly databaseNumber: number;
  /** See the function of this name. */
  readonly primaryPrefix: string;
  /** Those that are open. Whoever replaces or removes a pointer must ask them to keep it. */
  readonly views = new OpenViews();
  /** What was written in the commits that `stats.newBlocks` counts, see `isWorthLooking`; those before a start are not known. */
  readonly newBytes = new NewBytes();
  /** What goes over all of it at the moment. */
  readonly works = new CollectionWorks();
  #frontier: KeyFrontier;
  #record: CollectionRecord;
  readonly #stats: StoredState<CollectionStats>;
  #indexes: readonly SecondaryIndex[];
  #caps: readonly CapList[];
  #dropped = false;
  #unloaded = false;

  /** @param largestKey no key is above it, in byte order; undefined if that is not known */
  constructor(
    number: number,
    record: CollectionRecord,
    stats: CollectionStats,
    largestKey: string | undefined,
  ) {
    this.number = number;
    this.databaseNumber = record.database;
    this.primaryPrefix = primaryPrefix(number);
    this.#frontier = new KeyFrontier(largestKey);
    this.#record = record;
    this.#stats = new StoredState({ key: statsKey(number), committed: stats, encode: encodeStats });
    this.#indexes = enforcedIndexes(record);
    this.#caps = capsOf(record);
  }

  get cid(): string {
    return this.#record.parameters.cid;
  }

  get name(): string {
    return this.#record.parameters.name;
  }

  get type(): CollectionType {
    return this.#record.parameters.type;
  }

  get parameters(): CollectionParameters {
    return this.#record.parameters;
  }

  get record(): CollectionRecord {
    return this.#record;
  }

  get followed(): Followed | undefined {
    return this.#record.followed;
  }

  get stats(): CollectionStats {
    return this.#stats.committed;
  }

  /** What is known of its keys. Whoever writes a new one must add it. */
  get frontier(): KeyFrontier {
    return this.#frontier;
  }

  /** Says what the largest key of a copy is, after a look. */
  setLargestKey(key: string): void {
    this.#frontier = new KeyFrontier(key);
  }

  get isSystem(): boolean {
    return isSystemName(this.name);
  }

  /** Whether it never takes part in replication (contract 2.7). */
  get excluded(): boolean {
    return isExcludedFromReplication(this.name);
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  get deletionsSince(): Tick {
    return this.#record.deletionsSince;
  }

  /** All definitions but primary and edge index, in the order of creation. */
  get indexDefinitions(): readonly IndexDefinition[] {
    return this.#record.indexes.flatMap((each) => (each.building ? [] : each.definition));
  }

  /** The indexes that are kept up to date; others are definitions only. */
  get indexes(): readonly SecondaryIndex[] {
    return this.#indexes;
  }

  /** The caps; one at most, unless it is a copy of a collection that had others of its own. */
  get caps(): readonly CapList[] {
    return this.#caps;
  }

  /** @throws ServiceError documentTooLarge for a document that alone is above the bytes of a cap */
  assertAdmitted(bytes: number): void {
    if (this.#caps.every((cap) => cap.admits(bytes))) return;
    throw new ServiceError(
      'documentTooLarge',
      `the document has ${counted(bytes, 'byte')}, more than the cap of collection '${this.name}' allows for all`,
    );
  }

  /** Whether a client has unloaded it and nobody has used it since; nothing else comes of that. */
  get unloaded(): boolean {
    return this.#unloaded;
  }

  unload(): void {
    this.#unloaded = true;
  }

  /**
   * Comes before every use, and loads it.
   * @throws ServiceError collectionNotFound when it was dropped since it was looked up.
   */
  assertAlive(): void {
    if (this.#dropped) throw new ServiceError('collectionNotFound');
    this.#unloaded = false;
  }

  /** The figures as of a transaction. */
  readStats(tx: WriteTx): CollectionStats {
    return this.#stats.read(tx);
  }

  /** Whether the batch has changed the figures already. */
  hasChangedStats(tx: WriteTx): boolean {
    return this.#stats.isChangedIn(tx);
  }

  /** Writes the figures, shown once committed. */
  writeStats(tx: WriteTx, stats: CollectionStats): void {
    this.#unloaded = false;
    this.#stats.write(tx, stats);
  }

  /** Writes a changed record, shown once committed. Needs a batch of its own. */
  writeRecord(tx: WriteTx, record: CollectionRecord): void {
    const key = metaKey('c', this.number);
    tx.put(key, encodeRecord(key, record));
    tx.afterCommit(() => {
      this.#record = record;
      this.#indexes = enforcedIndexes(record);
      this.#caps = capsOf(record);
    });
  }

  /** Removes record and figures; the data is the eraser's. Needs a batch of its own. */
  delete(tx: WriteTx): void {
    tx.del(metaKey('c', this.number));
    tx.del(this.#stats.key);
    tx.afterCommit(() => {
      this.#dropped = true;
    });
  }
}

function enforcedIndexes(record: CollectionRecord): SecondaryIndex[] {
  return record.indexes.flatMap(
    ({ number, definition }) => SecondaryIndex.from(number, definition) ?? [],
  );
}

function capsOf(record: CollectionRecord): CapList[] {
  return record.indexes.flatMap(({ number, definition }) => CapList.from(number, definition) ?? []);
}
