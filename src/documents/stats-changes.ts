import type { Tick } from '../model/tick.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { CollectionStats } from './collection-stats.ts';

/** What one entry does to the figures of its collection. */
export interface EntryEffect {
  readonly tick: Tick;
  /** Length of the journal line in bytes. */
  readonly bytes: number;
  /** Change of the number of live documents. */
  readonly live: number;
  /** How many more entries are superseded, or removals. */
  readonly dead: number;
}

/** Figures of the collections one request changes, written once at its end. */
export class StatsChanges {
  readonly #tx: WriteTx;
  readonly #changed = new Map<Collection, CollectionStats>();

  constructor(deps: { tx: WriteTx }) {
    this.#tx = deps.tx;
  }

  of(collection: Collection): CollectionStats {
    return this.#changed.get(collection) ?? collection.readStats(this.#tx);
  }

  setLastKey(collection: Collection, lastKey: number): void {
    this.#changed.set(collection, { ...this.of(collection), lastKey });
  }

  count(collection: Collection, effect: EntryEffect): void {
    const stats = this.of(collection);
    this.#changed.set(collection, {
      ...stats,
      count: stats.count + effect.live,
      entries: stats.entries + 1,
      dead: stats.dead + effect.dead,
      bytes: stats.bytes + effect.bytes,
      lastTick: effect.tick,
    });
  }

  write(): void {
    for (const [collection, stats] of this.#changed) {
      collection.writeStats(this.#tx, { ...stats, newBlocks: stats.newBlocks + 1 });
    }
  }
}
