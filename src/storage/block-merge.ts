import type { Block } from './block.ts';
import { BLOCK_LINES_FILL_BYTES } from './block.ts';
import { BlockWriter } from './block-writer.ts';
import { type BlockSpace, blockKey } from './keys.ts';
import { BlockBuffers } from './block-buffers.ts';
import type { OpenPointer } from './pointer.ts';
import { Scratch } from './scratch.ts';
import type { WriteTx } from './write-tx.ts';

/** Blocks with fewer bytes of lines than this are worth merging with their neighbours. */
export const SMALL_BLOCK_BYTES = 16 * 1024;

/** So many commits with small blocks are worth a look at the end of a log. */
export const SMALL_COMMITS_MIN = 64;

/** A write with so many bytes of lines makes full blocks by itself, but for the last one. */
const FULL_BLOCKS_BYTES = 4 * BLOCK_LINES_FILL_BYTES;

/**
 * Whether the blocks of a write, and all before it, are to be left as they are: looking through much that is
 * full already for a few small blocks costs more than these do.
 * @param bytes of lines the write adds
 * @param smallCommits commits since the log was last merged
 */
export function needsNoMerging(bytes: number, smallCommits: number): boolean {
  return bytes >= FULL_BLOCKS_BYTES && smallCommits < SMALL_COMMITS_MIN;
}

/** A run whose blocks have more bytes of lines on average is left as it is: moving it costs more than it saves. */
const WORTH_MERGING_BYTES = 4 * 1024;

/** What becomes of one entry of a rewritten block. */
export interface KeptEntry {
  /** The document's pointer under its primary key, to be told where the entry's block ends now. */
  readonly pointer?: { readonly key: string; readonly value: OpenPointer };
}

/** Groups neighbouring blocks into runs that fit into one block; a full block is a run of its own. */
export async function* mergeRuns(
  blocks: AsyncIterable<Block>,
): AsyncGenerator<Block[], void, void> {
  let run: Block[] = [];
  let bytes = 0;
  for await (const block of blocks) {
    const spread = run[0] ? block.lastTick - run[0].firstTick : 0n;
    if (
      run.length > 0 &&
      (bytes + block.lines.length > BLOCK_LINES_FILL_BYTES || spread > 0xffff_ffffn)
    ) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(block);
    bytes += block.lines.length;
  }
  if (run.length > 0) yield run;
}

/** Whether the blocks of a run, which `mergeRuns` found, are so small that they should become one. */
export function isWorthMerging(run: readonly Block[]): boolean {
  const bytes = run.reduce((sum, block) => sum + block.lines.length, 0);
  return run.length > 1 && bytes < run.length * WORTH_MERGING_BYTES;
}

/**
 * Replaces blocks by new ones that hold the entries `keep` lets stay, in the same order and bytes.
 * Where there are pointers it needs a batch of its own, so that nobody reads one before its block is there.
 */
export function rewriteBlocks(
  tx: WriteTx,
  log: { space: BlockSpace; number: number },
  blocks: readonly Block[],
  keep: (block: Block, i: number) => KeptEntry | undefined,
): void {
  const writer = new BlockWriter({ buffers: new BlockBuffers({ keepCount: 0 }) }, log);
  const pointers: { key: string; value: OpenPointer }[] = [];
  const old = new Map<string, Buffer>();
  for (const block of blocks) {
    const key = blockKey(log.space, log.number, block.lastTick);
    old.set(key.toString('latin1'), key);
    for (let i = 0; i < block.count; i++) {
      const kept = keep(block, i);
      if (!kept) continue;
      const entry = {
        tick: block.tick(i),
        type: block.type(i),
        collection: block.collection(i),
        transaction: block.transaction(i),
      };
      writer.appendLine(
        entry,
        block.lines,
        block.lineStart(i),
        block.lineEnd(i),
        kept.pointer?.value,
      );
      if (kept.pointer) pointers.push(kept.pointer);
    }
  }
  const timeMs = blocks.at(-1)?.timeMs ?? tx.timeMs;
  writer.seal(timeMs, {
    put: (key, value) => {
      old.delete(key.toString('latin1'));
      tx.putBlind(key, value);
    },
    del: (key) => {
      tx.putBlind(key, null);
    },
    keys: new Scratch(),
    values: new Scratch(),
  });
  for (const key of old.values()) tx.putBlind(key, null);
  for (const { key, value } of pointers) tx.putPointer(key, value);
}
