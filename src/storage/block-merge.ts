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

/** Some small blocks between others of a fair size are left: there is nothing to merge them with. */
const FAIR_SHARE = 31 / 32;

/**
 * Whether the blocks of the last commits are worth a look: they are not when most of them are of a fair size.
 * @param bytes the sum of `NewBytes` of these commits, or less where not all of it is known
 */
export function isWorthLooking(commits: number, bytes: number): boolean {
  return bytes < commits * WORTH_MERGING_BYTES * FAIR_SHARE;
}

/** What was written since a log was merged: of a commit no more than makes its blocks fair, for it makes no others larger. */
export class NewBytes {
  #sum = 0;
  #ofCommit = 0;

  get sum(): number {
    return this.#sum;
  }

  /** @param beginsCommit false when another write of the same commit was added before */
  add(bytes: number, beginsCommit: boolean): void {
    if (beginsCommit) this.#ofCommit = 0;
    const counted = Math.min(bytes, WORTH_MERGING_BYTES - this.#ofCommit);
    this.#ofCommit += counted;
    this.#sum += counted;
  }

  /** Begins anew with the next commit. */
  clear(): void {
    this.#sum = 0;
    this.#ofCommit = WORTH_MERGING_BYTES;
  }
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
 * New blocks in place of others of one log, with entries of theirs in the same order and bytes: put together before the
 * commit that writes them, so that this holds up nobody.
 */
export class BlockRewrite {
  readonly #log: { readonly space: BlockSpace; readonly number: number };
  readonly #old: readonly Block[];
  readonly #writer: BlockWriter;
  readonly #new: [Buffer, Buffer][] = [];

  constructor(log: { space: BlockSpace; number: number }, old: readonly Block[]) {
    this.#log = log;
    this.#old = old;
    this.#writer = new BlockWriter({ buffers: new BlockBuffers({ keepCount: 0 }) }, log);
  }

  /** Lets an entry of one of the blocks stay. @param pointer to be told where the entry's block ends now */
  append(block: Block, i: number, pointer?: OpenPointer): void {
    const entry = {
      tick: block.tick(i),
      type: block.type(i),
      collection: block.collection(i),
      transaction: block.transaction(i),
    };
    const { lines } = block;
    this.#writer.appendLine(entry, lines, block.lineStart(i), block.lineEnd(i), pointer);
  }

  /** Bytes of the lines that stay. */
  get bytes(): number {
    return this.#writer.bytes;
  }

  /** Finishes the new blocks, and tells the pointers. Nothing may be appended any more. */
  seal(): void {
    // The values stay as they are: their blocks are this writer's, which is not used any more.
    const put = (key: Buffer, value: Buffer): void =>
      void this.#new.push([Buffer.from(key), value]);
    const sink = { put, del: () => undefined, keys: new Scratch(), values: new Scratch() };
    this.#writer.seal(this.#old.at(-1)?.timeMs ?? 0, sink);
  }

  /** Puts the new blocks in the place of the old ones. In the same commit the pointers must be moved, if there are any. */
  write(tx: WriteTx): void {
    const { space, number } = this.#log;
    for (const { lastTick } of this.#old) tx.del(blockKey(space, number, lastTick));
    // Mostly the last one has a key that is among those just removed.
    for (const [key, value] of this.#new) tx.put(key, value);
  }
}
