import { objectList } from '../base/object-list.ts';
import type { Tick } from '../model/tick.ts';
import { needsNoMerging } from '../storage/block-merge.ts';
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

/** The figures of one collection: as the request found them, and as it leaves them. */
interface Change {
  readonly collection: Collection;
  readonly before: CollectionStats;
  readonly stats: MutableStats;
}

/** Figures of the collections one request changes, written once at its end. */
export class StatsChanges {
  readonly #tx: WriteTx;
  readonly #changes = objectList<Change>();
  /** Of all but the first one. */
  #others: Map<Collection, Change> | undefined;
  /** Neighbouring writes mostly go to one collection. */
  #last: Change | undefined;

  constructor(deps: { tx: WriteTx }) {
    this.#tx = deps.tx;
  }

  /** Number of collections that are changed. */
  get size(): number {
    return this.#changes.length;
  }

  of(collection: Collection): CollectionStats {
    return this.#found(collection)?.stats ?? collection.readStats(this.#tx);
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
    for (const change of this.#changes) this.#write(change);
  }

  #write({ collection, before, stats }: Change): void {
    const bytes = stats.bytes - before.bytes;
    if (needsNoMerging(bytes, stats.newBlocks)) {
      stats.newBlocks = 0;
      stats.mergedTick = stats.lastTick;
      collection.newBytes.clear();
    } else {
      const beginsCommit = !collection.hasChangedStats(this.#tx);
      if (beginsCommit) stats.newBlocks++;
      collection.newBytes.add(bytes, beginsCommit);
    }
    collection.writeStats(this.#tx, stats);
  }

  #found(collection: Collection): Change | undefined {
    const first = this.#changes[0];
    return first?.collection === collection ? first : this.#others?.get(collection);
  }

  #change(collection: Collection): MutableStats {
    if (this.#last?.collection === collection) return this.#last.stats;
    let change = this.#found(collection);
    if (!change) {
      const before = collection.readStats(this.#tx);
      change = { collection, before, stats: copyOf(before) };
      if (this.#changes.length > 0) (this.#others ??= new Map()).set(collection, change);
      this.#changes.push(change);
    }
    this.#last = change;
    return change.stats;
  }
}
