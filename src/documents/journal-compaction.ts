import { setImmediate as nextTurn } from 'node:timers/promises';
import { MarkerType } from '../model/marker.ts';
import { MAX_TICK, type Tick } from '../model/tick.ts';
import { LineCutter } from '../protocol/line-cutter.ts';
import type { Block } from '../storage/block.ts';
import {
  BlockRewrite,
  SMALL_BLOCK_BYTES,
  SMALL_COMMITS_MIN,
  isWorthLooking,
  isWorthMerging,
  mergeRuns,
} from '../storage/block-merge.ts';
import { readBlocksInPieces } from '../storage/block-reader.ts';
import { Space, primaryKey } from '../storage/keys.ts';
import { OpenPointer, pointerTick } from '../storage/pointer.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';

export interface CompactionLimits {
  /**
   * Smallest tick at which an open dump batch was created; undefined when none is open. Open views of the
   * collection are seen to besides.
   */
  readonly horizon: () => Tick | undefined;
  /** Removals younger than this stay, so that half-made copies can be resumed. */
  readonly removalAgeMs: number;
  readonly nowMs: () => number;
  /** What the last whole pass over a journal could not leave out yet, and when it ended. */
  readonly lastPass: WeakMap<Collection, { deadLeft: number; endedMs: number }>;
}

/** A whole pass is worth it when this share of the entries, and this many, are superseded. */
const DEAD_SHARE_MIN = 0.3;
const DEAD_MIN = 1000;

/** What a pass has seen so far. */
interface Pass {
  /** Whether the pass began at the start of the journal. */
  readonly whole: boolean;
  /** Whether a superseded entry was let stay: then no removal after it may go. */
  keptSuperseded: boolean;
}

interface Verdict {
  readonly keep: boolean;
  /** A removal that nothing supersedes: copies that lack it must start anew once it is gone. */
  readonly isFinal: boolean;
}

/** What takes the place of a run. */
interface Prepared {
  readonly rewrite: BlockRewrite;
  /** Where the entries that stay are, by primary key; some may be superseded. */
  readonly moves: Map<string, OpenPointer>;
  /** Entries that are left out. */
  readonly gone: number;
  /** Tick of the last final removal among them, 0 for none. */
  readonly removalGone: Tick;
}

/**
 * Brings a journal into shape, one bounded run of blocks a batch: merges small blocks, and where much
 * is superseded leaves those entries out (design, rule 7).
 * @returns whether there was something to do.
 */
export async function compactJournal(
  store: Store,
  collection: Collection,
  limits: CompactionLimits,
  signal: AbortSignal,
): Promise<boolean> {
  const whole = isWholePassDue(collection, limits);
  if (!whole && collection.stats.newBlocks < SMALL_COMMITS_MIN) return false;
  const compaction = new JournalCompaction({ store, collection, limits }, { whole });
  await compaction.run(signal);
  if (whole) {
    const { dead } = collection.stats;
    limits.lastPass.set(collection, { deadLeft: dead, endedMs: limits.nowMs() });
  }
  return true;
}

/** Whether leaving out what is superseded is worth a pass over the whole journal. */
function isWholePassDue(collection: Collection, limits: CompactionLimits): boolean {
  // While a batch or a view is open much must stay; the pass is made when it is closed.
  if (horizonOf(collection, limits) !== undefined) return false;
  const { dead, entries } = collection.stats;
  const last = limits.lastPass.get(collection);
  const settled = last && limits.nowMs() - last.endedMs < limits.removalAgeMs ? last.deadLeft : 0;
  const fresh = dead - settled;
  return fresh >= DEAD_MIN && fresh >= DEAD_SHARE_MIN * entries;
}

/** The smallest tick as of which somebody may still read; undefined when nobody does. */
function horizonOf(collection: Collection, limits: CompactionLimits): Tick | undefined {
  const batches = limits.horizon();
  const views = collection.views.horizon;
  if (batches === undefined || views === undefined) return batches ?? views;
  return batches < views ? batches : views;
}

class JournalCompaction {
  readonly #store: Store;
  readonly #collection: Collection;
  readonly #limits: CompactionLimits;
  readonly #pass: Pass;

  constructor(
    deps: { store: Store; collection: Collection; limits: CompactionLimits },
    options: { whole: boolean },
  ) {
    this.#store = deps.store;
    this.#collection = deps.collection;
    this.#limits = deps.limits;
    this.#pass = { whole: options.whole, keptSuperseded: false };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { number } = this.#collection;
    const { newBytes, stats } = this.#collection;
    if (!this.#pass.whole && !isWorthLooking(stats.newBlocks, newBytes.sum)) {
      await this.#noteMerged(stats.lastTick);
      return;
    }
    const from = this.#pass.whole ? 0n : stats.mergedTick;
    let merged = from;
    const range = { space: Space.journal, number, from, to: this.#store.lastCommitted } as const;
    for await (const run of mergeRuns(readBlocksInPieces(this.#store.level, range))) {
      if (signal.aborted || this.#collection.dropped) return;
      const bytes = await this.#rewrite(run);
      const last = run.at(-1);
      if (last && bytes >= SMALL_BLOCK_BYTES) merged = last.lastTick;
      await nextTurn();
    }
    await this.#noteMerged(merged);
  }

  #noteMerged(upTo: Tick): Promise<void> {
    return this.#store.commit((tx) => {
      if (this.#collection.dropped) return;
      const stats = this.#collection.readStats(tx);
      const mergedTick = upTo > stats.mergedTick ? upTo : stats.mergedTick;
      this.#collection.newBytes.clear();
      this.#collection.writeStats(tx, { ...stats, newBlocks: 0, mergedTick });
    });
  }

  /** Rewrites a run if that makes it fewer blocks or smaller; returns the bytes that are left. */
  async #rewrite(run: readonly Block[]): Promise<number> {
    const bytes = run.reduce((sum, block) => sum + block.lines.length, 0);
    if (!this.#pass.whole && !isWorthMerging(run)) return bytes;
    const horizon = horizonOf(this.#collection, this.#limits);
    const { rewrite, moves, gone, removalGone } = this.#prepare(run, horizon ?? MAX_TICK);
    if (run.length === 1 && gone === 0) return bytes;
    // Both take some tenths of a millisecond, and others are let in between.
    await nextTurn();
    let left = 0;
    await this.#store.commit(
      (tx) => {
        if (this.#collection.dropped) return;
        // A batch or view opened since then may be older than what was seen to supersede an entry.
        if (horizonOf(this.#collection, this.#limits) !== horizon) {
          this.#pass.keptSuperseded = true;
          left = bytes;
          return;
        }
        left = rewrite.bytes;
        for (const [key, { tick }] of moves) {
          if (tx.pointer(key)?.tick !== tick) moves.delete(key);
        }
        rewrite.write(tx);
        tx.movePointers(moves);
        this.#account(tx, { entries: gone, bytes: bytes - left, removalGone });
      },
      // The record of the collection may change with it.
      { exclusive: this.#pass.whole },
    );
    return left;
  }

  /**
   * Puts the new blocks of a run together. What is superseded now stays so:
   * while the horizon is the same, what was decided may be carried out a little later.
   */
  #prepare(run: readonly Block[], horizon: Tick): Prepared {
    const { number, primaryPrefix } = this.#collection;
    const rewrite = new BlockRewrite({ space: Space.journal, number }, run);
    const moves = new Map<string, OpenPointer>();
    let gone = 0;
    let removalGone: Tick = 0n;
    for (const block of run) {
      const lines = new LineCutter(block.lines);
      for (let i = 0; lines.next(); i++) {
        const tick = block.tick(i);
        const { keep, isFinal } = this.#judge(block, tick, lines, horizon);
        if (!keep) {
          gone++;
          if (isFinal) removalGone = tick;
        } else if (lines.type === MarkerType.remove) {
          rewrite.append(block, i);
        } else {
          const pointer = new OpenPointer(tick, lines.rev);
          moves.set(primaryPrefix + lines.key, pointer);
          rewrite.append(block, i, pointer);
        }
      }
    }
    rewrite.seal();
    return { rewrite, moves, gone, removalGone };
  }

  #judge(block: Block, tick: Tick, { type, key }: LineCutter, horizon: Tick): Verdict {
    const isRemoval = type === MarkerType.remove;
    const stored = this.#store.level.getSync(primaryKey(this.#collection.number, key));
    const live = stored ? pointerTick(stored) : undefined;
    // A key that is gone was removed at a tick nobody knows; that may be above the horizon.
    const superseded = live === undefined ? !isRemoval : live > tick;
    const belowHorizon = live === undefined ? horizon === MAX_TICK : live <= horizon;
    const isFinal = isRemoval && !superseded;
    let keep = !(superseded && belowHorizon);
    if (isRemoval) {
      const old = block.timeMs <= this.#limits.nowMs() - this.#limits.removalAgeMs;
      const expired = isFinal && tick <= horizon && old;
      keep = !this.#pass.whole || this.#pass.keptSuperseded || (keep && !expired);
    } else if (keep && superseded) {
      this.#pass.keptSuperseded = true;
    }
    return { keep, isFinal };
  }

  #account(tx: WriteTx, gone: { entries: number; bytes: number; removalGone: Tick }): void {
    if (gone.entries === 0) return;
    const stats = this.#collection.readStats(tx);
    this.#collection.writeStats(tx, {
      ...stats,
      entries: stats.entries - gone.entries,
      dead: stats.dead - gone.entries,
      bytes: stats.bytes - gone.bytes,
    });
    const { record } = this.#collection;
    if (gone.removalGone > record.deletionsSince) {
      this.#collection.writeRecord(tx, { ...record, deletionsSince: gone.removalGone });
    }
  }
}
