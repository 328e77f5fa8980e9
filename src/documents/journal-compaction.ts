import { setImmediate as nextTurn } from 'node:timers/promises';
import { MarkerType } from '../model/marker.ts';
import { MAX_TICK, type Tick } from '../model/tick.ts';
import { LineCutter } from '../protocol/line-cutter.ts';
import type { Block } from '../storage/block.ts';
import {
  type KeptEntry,
  SMALL_BLOCK_BYTES,
  SMALL_COMMITS_MIN,
  isWorthMerging,
  mergeRuns,
  rewriteBlocks,
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
  readonly isRemoval: boolean;
  /** A removal that nothing supersedes: copies that lack it must start anew once it is gone. */
  readonly isFinal: boolean;
  readonly key: string;
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
    const from = this.#pass.whole ? 0n : this.#collection.stats.mergedTick;
    let merged = from;
    const range = { space: Space.journal, number, from, to: this.#store.lastCommitted } as const;
    for await (const run of mergeRuns(readBlocksInPieces(this.#store.level, range))) {
      if (signal.aborted || this.#collection.dropped) return;
      const bytes = await this.#rewrite(run);
      const last = run.at(-1);
      if (last && bytes >= SMALL_BLOCK_BYTES) merged = last.lastTick;
      await nextTurn();
    }
    await this.#store.commit((tx) => {
      if (this.#collection.dropped) return;
      const stats = this.#collection.readStats(tx);
      const mergedTick = merged > stats.mergedTick ? merged : stats.mergedTick;
      this.#collection.writeStats(tx, { ...stats, newBlocks: 0, mergedTick });
    });
  }

  /** Rewrites a run if that makes it fewer blocks or smaller; returns the bytes that are left. */
  async #rewrite(run: readonly Block[]): Promise<number> {
    const bytes = run.reduce((sum, block) => sum + block.lines.length, 0);
    if (!this.#pass.whole && !isWorthMerging(run)) return bytes;
    const horizon = horizonOf(this.#collection, this.#limits);
    const verdicts = new Map(run.map((block) => [block, this.#judge(block, horizon ?? MAX_TICK)]));
    const all = [...verdicts.values()].flat();
    if (run.length === 1 && all.every(({ keep }) => keep)) return bytes;
    let left = 0;
    let removalGone: Tick = 0n;
    await this.#store.commit(
      (tx) => {
        if (this.#collection.dropped) return;
        // A batch or view opened since then may be older than what was seen to supersede an entry.
        if (horizonOf(this.#collection, this.#limits) !== horizon) {
          this.#pass.keptSuperseded = true;
          left = bytes;
          return;
        }
        rewriteBlocks(
          tx,
          { space: Space.journal, number: this.#collection.number },
          run,
          (block, i) => {
            const verdict = verdicts.get(block)?.[i];
            if (!verdict) return {};
            if (verdict.keep) {
              left += block.lineEnd(i) - block.lineStart(i);
              return this.#kept(tx, verdict, block.tick(i));
            }
            if (verdict.isFinal) removalGone = block.tick(i);
            return undefined;
          },
        );
        this.#account(tx, all, bytes - left, removalGone);
      },
      { exclusive: true },
    );
    return left;
  }

  /**
   * Decides for each entry. What is superseded now stays so: while the horizon is the same, the
   * verdict may be carried out a little later.
   */
  #judge(block: Block, horizon: Tick): Verdict[] {
    const verdicts: Verdict[] = [];
    const lines = new LineCutter(block.lines);
    const old = block.timeMs <= this.#limits.nowMs() - this.#limits.removalAgeMs;
    for (let i = 0; lines.next(); i++) {
      const { key } = lines;
      const isRemoval = lines.type === MarkerType.remove;
      const stored = this.#store.level.getSync(primaryKey(this.#collection.number, key));
      const live = stored ? pointerTick(stored) : undefined;
      const tick = block.tick(i);
      // A key that is gone was removed at a tick nobody knows; that may be above the horizon.
      const superseded = live === undefined ? !isRemoval : live > tick;
      const belowHorizon = live === undefined ? horizon === MAX_TICK : live <= horizon;
      const isFinal = isRemoval && !superseded;
      let keep = !(superseded && belowHorizon);
      if (isRemoval) {
        const expired = isFinal && tick <= horizon && old;
        keep = !this.#pass.whole || this.#pass.keptSuperseded || (keep && !expired);
      } else if (keep && superseded) {
        this.#pass.keptSuperseded = true;
      }
      verdicts.push({ keep, isRemoval, isFinal, key });
    }
    return verdicts;
  }

  #kept(tx: WriteTx, { key, isRemoval }: Verdict, tick: Tick): KeptEntry {
    if (isRemoval) return {};
    const pointerKey = this.#collection.primaryPrefix + key;
    const pointer = tx.pointer(pointerKey);
    if (pointer?.tick !== tick) return {};
    return { pointer: { key: pointerKey, value: new OpenPointer(tick, pointer.rev) } };
  }

  #account(tx: WriteTx, verdicts: readonly Verdict[], bytes: number, removalGone: Tick): void {
    const gone = verdicts.filter(({ keep }) => !keep).length;
    if (gone === 0) return;
    const stats = this.#collection.readStats(tx);
    this.#collection.writeStats(tx, {
      ...stats,
      entries: stats.entries - gone,
      dead: stats.dead - gone,
      bytes: stats.bytes - bytes,
    });
    const { record } = this.#collection;
    if (removalGone > record.deletionsSince) {
      this.#collection.writeRecord(tx, { ...record, deletionsSince: removalGone });
    }
  }
}
