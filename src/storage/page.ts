import type { Tick } from '../model/tick.ts';
import type { Block } from './block.ts';
import { readBlocks, readBlocksOf } from './block-reader.ts';
import type { Level } from './commit-group.ts';
import type { BlockSpace } from './keys.ts';
import { type PageBody, PageBodyBuilder } from './page-body.ts';

export interface PageRange {
  readonly space: BlockSpace;
  readonly number: number;
  /** Exclusive. */
  readonly from: Tick;
  /** Inclusive. */
  readonly to: Tick;
  /** The page ends after the line with which it grows larger than this (contract 2.6). */
  readonly limitBytes: number;
  /** A line that would take the page above this is left for the next one, unless it is the first. */
  readonly maxBytes?: number | undefined;
  /** Which entries to include; all when absent. */
  readonly accept?: ((block: Block, i: number) => boolean) | undefined;
}

export interface Page {
  /** The lines, exactly as stored. */
  readonly body: PageBody;
  readonly count: number;
  /** Tick of the last line, 0 when there is none. */
  readonly lastIncluded: Tick;
  /** Tick of the last entry looked at, also when it was left out; 0 when there is none. */
  readonly lastScanned: Tick;
  /** Whether an entry up to `to` was left for the next page. */
  readonly more: boolean;
  /** Commit time of the last entry looked at, ms since 1970; 0 when there is none. */
  readonly timeMs: number;
}

/** Lines looked at for one page when most are left out, so that one request stays bounded. */
const SCAN_BLOCKS_MAX = 4096;
/** Read along with a page: the block behind it, which tells whether there is more. */
const NEXT_BLOCK_BYTES = 64 * 1024;

/**
 * Reads one page: whole lines from `from` on until `limitBytes` are passed, at least one line if
 * there is any. Memory is bounded by `limitBytes` and one line, or by `maxBytes`.
 * @throws ServiceError storageDamaged at a damaged block; nothing of it is served.
 */
export async function readPage(level: Level, range: PageRange): Promise<Page> {
  const page = new PageBuilder(range);
  let blocks = 0;
  for await (const block of readBlocks(level, {
    expectedBytes: range.limitBytes + NEXT_BLOCK_BYTES,
    ...range,
  })) {
    if (!page.add(block)) break;
    if (++blocks >= SCAN_BLOCKS_MAX) {
      page.more = true;
      break;
    }
  }
  return page.finish();
}

/**
 * A page out of blocks that are in memory, as `readPage` makes it of those in the store.
 * @param blocks all that hold ticks above `from` up to those the page has room for, in order
 */
export function pageOf(blocks: readonly Block[], range: PageRange): Page {
  const page = new PageBuilder(range);
  for (const block of blocks) if (!page.add(block)) break;
  return page.finish();
}

/**
 * The whole of several logs, one page each, as far as all of them together make no more than `limitBytes`.
 * @param range.numbers of the logs
 * @returns by number; the first that is too large, and those with larger numbers, are not there
 * @throws ServiceError storageDamaged at a damaged block
 */
export async function readWholeLogs(
  level: Level,
  range: Pick<PageRange, 'space' | 'to' | 'limitBytes'> & { numbers: readonly number[] },
): Promise<ReadonlyMap<number, Page>> {
  const { space, to, limitBytes } = range;
  const numbers = [...range.numbers].sort((a, b) => a - b);
  if (numbers.length === 0) return new Map();
  const blocksOf = new Map<number, Block[]>(numbers.map((number) => [number, []]));
  let bytes = 0;
  const expectedBytes = limitBytes + NEXT_BLOCK_BYTES;
  for await (const { number, block } of readBlocksOf(level, { space, numbers, expectedBytes })) {
    bytes += block.lines.length;
    if (bytes > limitBytes) {
      for (const each of numbers) if (each >= number) blocksOf.delete(each);
      break;
    }
    blocksOf.get(number)?.push(block);
  }
  const pages = new Map<number, Page>();
  for (const [number, blocks] of blocksOf) {
    pages.set(number, pageOf(blocks, { space, number, from: 0n, to, limitBytes: Infinity }));
  }
  return pages;
}

class PageBuilder {
  more = false;
  readonly #range: PageRange;
  readonly #body = new PageBodyBuilder();
  #count = 0;
  #lastIncluded: Tick = 0n;
  #lastScanned: Tick = 0n;
  #timeMs = 0;

  constructor(range: PageRange) {
    this.#range = range;
  }

  /** Takes what fits of a block; false when the page is complete. */
  add(block: Block): boolean {
    // A block may begin with what the one before has, when small ones were merged in between.
    const { from } = this.#range;
    const start = block.firstAbove(this.#lastScanned > from ? this.#lastScanned : from);
    const end = block.lastTick <= this.#range.to ? block.count : block.firstAbove(this.#range.to);
    if (start >= end) return false;
    if (this.#full) {
      this.more = true;
      return false;
    }
    const stop = this.#range.accept
      ? this.#addSelected(block, start, end, this.#range.accept)
      : this.#addRun(block, start, end);
    if (stop < end) this.more = true;
    // The first line of the block did not fit: nothing of it was looked at.
    if (stop === start) return false;
    this.#timeMs = block.timeMs;
    this.#lastScanned = block.tick(stop - 1);
    return stop === block.count && block.lastTick < this.#range.to;
  }

  finish(): Page {
    return {
      body: this.#body.finish(),
      count: this.#count,
      lastIncluded: this.#lastIncluded,
      lastScanned: this.#lastScanned,
      more: this.more,
      timeMs: this.#timeMs,
    };
  }

  get #full(): boolean {
    return this.#body.length > this.#range.limitBytes;
  }

  get #maxBytes(): number {
    return this.#range.maxBytes ?? Infinity;
  }

  /** One slice up to the line that passes the limit; returns the entry after it. */
  #addRun(block: Block, start: number, end: number): number {
    const offset = block.lineStart(start);
    const taken = this.#body.length - offset;
    let stop = Math.min(firstEndAbove(block, start, end, this.#range.limitBytes - taken) + 1, end);
    if (taken + block.lineEnd(stop - 1) > this.#maxBytes) {
      stop = firstEndAbove(block, start, stop, this.#maxBytes - taken);
      if (stop === start && this.#count === 0) stop = start + 1;
    }
    if (stop > start) this.#take(block, start, stop);
    return stop;
  }

  /** What is wanted and stands together is copied in one piece. */
  #addSelected(
    block: Block,
    start: number,
    end: number,
    accept: (block: Block, i: number) => boolean,
  ): number {
    let runStart = start;
    let stop = end;
    // What the run being gathered would make of the page.
    let count = this.#count;
    let bytes = this.#body.length;
    for (let i = start; i < end; i++) {
      if (!accept(block, i)) {
        this.#takeCopy(block, runStart, i);
        runStart = i + 1;
        continue;
      }
      const lineBytes = block.lineEnd(i) - block.lineStart(i);
      if (count > 0 && bytes + lineBytes > this.#maxBytes) {
        stop = i;
        break;
      }
      count++;
      bytes += lineBytes;
      if (bytes > this.#range.limitBytes) {
        stop = i + 1;
        break;
      }
    }
    this.#takeCopy(block, runStart, stop);
    return stop;
  }

  /** A copy, so that a few lines do not keep their whole block in memory. */
  #takeCopy(block: Block, start: number, end: number): void {
    if (start < end) this.#take(block, start, end, (slice) => Buffer.from(slice));
  }

  #take(
    block: Block,
    start: number,
    end: number,
    own: (slice: Buffer) => Buffer = (slice) => slice,
  ): void {
    const isWhole = start === 0 && end === block.count;
    const slice = block.lines.subarray(block.lineStart(start), block.lineEnd(end - 1));
    this.#body.add(own(slice), isWhole ? block.linesCrc32 : undefined);
    this.#count += end - start;
    this.#lastIncluded = block.tick(end - 1);
  }
}

/** The first entry from `start` on whose line ends above `position`; `end` when none does. */
function firstEndAbove(block: Block, start: number, end: number, position: number): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (block.lineEnd(middle) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
