import type { Tick } from '../model/tick.ts';
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

/** Figures of the collections one request changes, written once at its end. */
export class StatsChanges {
  readonly #tx: WriteTx;
  readonly #changed = new Map<Collection, MutableStats>();
  // Neighbouring writes mostly go to one collection.
  #lastCollection: Collection | undefined;
  #lastStats: MutableStats | undefined;

  constructor(deps: { tx: WriteTx }) {
    this.#tx = deps.tx;
  }

  of(collection: Collection): CollectionStats {
    return this.#changed.get(collection) ?? collection.readStats(this.#tx);
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
    for (const [collection, stats] of this.#changed) {
      stats.newBlocks++;
      collection.writeStats(this.#tx, stats);
    }
  }

  #change(collection: Collection): MutableStats {
    if (this.#lastStats && this.#lastCollection === collection) return this.#lastStats;
    let stats = this.#changed.get(collection);
    if (!stats) {
      stats = { ...collection.readStats(this.#tx) };
      this.#changed.set(collection, stats);
    }
    this.#lastCollection = collection;
    this.#lastStats = stats;
    return stats;
  }
}
