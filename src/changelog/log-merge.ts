import type { Tick } from '../model/tick.ts';
import { readBlocksInPieces } from '../storage/block-reader.ts';
import {
  BlockRewrite,
  SMALL_BLOCK_BYTES,
  SMALL_COMMITS_MIN,
  isWorthLooking,
  isWorthMerging,
  mergeRuns,
} from '../storage/block-merge.ts';
import { Space } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Changelog } from './changelog.ts';

/**
 * Merges the small blocks that single writes left at the end of a changelog, one run a commit. Nothing points into
 * a log, so others may write in the same batch.
 * @returns whether it looked.
 */
export async function mergeLogBlocks(
  store: Store,
  changelog: Changelog,
  signal: AbortSignal,
): Promise<boolean> {
  if (changelog.commitsSinceMerge < SMALL_COMMITS_MIN) return false;
  const { lastTick, mergedTick, removedTick } = changelog.state;
  if (!isWorthLooking(changelog.commitsSinceMerge, changelog.bytesSinceMerge)) {
    await noteMerged(store, changelog, lastTick);
    return true;
  }
  const number = changelog.databaseNumber;
  const log = { space: Space.changelog, number } as const;
  const from = mergedTick > removedTick ? mergedTick : removedTick;
  let merged = from;
  const range = { ...log, from, to: store.lastCommitted };
  for await (const run of mergeRuns(readBlocksInPieces(store.level, range))) {
    if (signal.aborted || changelog.dropped) return true;
    const bytes = run.reduce((sum, block) => sum + block.lines.length, 0);
    const last = run.at(-1);
    if (!last) continue;
    if (isWorthMerging(run)) {
      const rewrite = new BlockRewrite(log, run);
      for (const block of run) for (let i = 0; i < block.count; i++) rewrite.append(block, i);
      rewrite.seal();
      await store.commit((tx) => {
        if (changelog.dropped || changelog.isRemoved(tx, run[0]?.firstTick ?? 0n)) return;
        rewrite.write(tx);
      });
    }
    if (bytes >= SMALL_BLOCK_BYTES) merged = last.lastTick;
  }
  await noteMerged(store, changelog, merged);
  return true;
}

function noteMerged(store: Store, changelog: Changelog, upTo: Tick): Promise<void> {
  return store.commit((tx) => {
    if (!changelog.dropped) changelog.noteMerged(tx, upTo);
  });
}
