import type { Tick } from '../model/tick.ts';
import { countedBytes, needsNoMerging } from '../storage/block-merge.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { CollectionStats } from './collection-stats.ts';

/** What an entry, or some together, do to the figures of its collection. */
export interface EntryEffect {
  readonly tick: Tick;
  /** Length of the journal line in bytes. */
  readonly bytes: number;
  /** Change of the number of live documents. */
  readonly live: number;
  /** How many more entries are superseded, or removals. */
  readonly dead: number;
  /** Entries it stands for, one if it does not say; `tick` is that of the last. */
  readonly entries?: number;
}

type MutableStats = { -readonly [Name in keyof CollectionStats]: CollectionStats[Name] };

/** Spelled out: a spread of them is made by the slow way, and this runs once a write. */
function copyOf(stats: CollectionStats): MutableStats {
  const { count, entries, dead, bytes, newBlocks, lastTick, lastKey, mergedTick } = stats;
  return { count, entries, dead, bytes, newBlocks, lastTick, lastKey, mergedTick };
}

/** Figures of the collections one request changes, written once at its end. */
export class StatsChanges {
  readonly #tx: WriteTx;
  /** Of all but the first one. */
  #others: Map<Collection, MutableStats> | undefined;
  #first: Collection | undefined;
  #firstStats: MutableStats | undefined;
  // Neighbouring writes mostly go to one collection.
  #lastCollection: Collection | undefined;
  #lastStats: MutableStats | undefined;

  constructor(deps: { tx: WriteTx }) {
    this.#tx = deps.tx;
  }

  /** Number of collections that are changed. */
  get size(): number {
    return (this.#first ? 1 : 0) + (this.#others?.size ?? 0);
  }

  of(collection: Collection): CollectionStats {
    return this.#found(collection) ?? collection.readStats(this.#tx);
  }

  setLastKey(collection: Collection, lastKey: number): void {
    this.#change(collection).lastKey = lastKey;
  }

  count(collection: Collection, effect: EntryEffect): void {
    const stats = this.#change(collection);
    stats.count += effect.live;
    stats.entries += effect.entries ?? 1;
    stats.dead += effect.dead;
    stats.bytes += effect.bytes;
    stats.lastTick = effect.tick;
  }

  write(): void {
    if (this.#first && this.#firstStats) this.#write(this.#first, this.#firstStats);
    for (const [collection, stats] of this.#others ?? []) this.#write(collection, stats);
  }

  #write(collection: Collection, stats: MutableStats): void {
    const bytes = stats.bytes - collection.readStats(this.#tx).bytes;
    if (needsNoMerging(bytes, stats.newBlocks)) {
      stats.newBlocks = 0;
      stats.mergedTick = stats.lastTick;
      collection.newBytes = 0;
    } else {
      if (!collection.hasChangedStats(this.#tx)) stats.newBlocks++;
      collection.newBytes += countedBytes(bytes);
    }
    collection.writeStats(this.#tx, stats);
  }

  #found(collection: Collection): MutableStats | undefined {
    return this.#first === collection ? this.#firstStats : this.#others?.get(collection);
  }

  #change(collection: Collection): MutableStats {
    if (this.#lastStats && this.#lastCollection === collection) return this.#lastStats;
    let stats = this.#found(collection);
    if (!stats) {
      stats = copyOf(collection.readStats(this.#tx));
      if (!this.#first) {
        this.#first = collection;
        this.#firstStats = stats;
      } else {
        this.#others ??= new Map();
        this.#others.set(collection, stats);
      }
    }
    this.#lastCollection = collection;
    this.#lastStats = stats;
    return stats;
  }
}
