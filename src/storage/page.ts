import type { Tick } from '../model/tick.ts';
import type { Block } from './block.ts';
import { readBlocks } from './block-reader.ts';
import type { Level } from './commit-group.ts';
import type { BlockSpace } from './keys.ts';

export interface PageRange {
  readonly space: BlockSpace;
  readonly number: number;
  /** Exclusive. */
  readonly from: Tick;
  /** Inclusive. */
  readonly to: Tick;
  /** The page ends after the line with which it grows larger than this (contract 2.6). */
  readonly limitBytes: number;
  /** Which entries to include; all when absent. */
  readonly accept?: (block: Block, i: number) => boolean;
}

export interface Page {
  /** The lines, exactly as stored. */
  readonly body: Buffer;
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

/**
 * Reads one page: whole lines from `from` on until `limitBytes` are passed, at least one line if
 * there is any. Memory is bounded by `limitBytes` and one line.
 * @throws ServiceError storageDamaged at a damaged block; nothing of it is served.
 */
export async function readPage(level: Level, range: PageRange): Promise<Page> {
  const page = new PageBuilder(range);
  let blocks = 0;
  for await (const block of readBlocks(level, { ...range, expectedBytes: range.limitBytes })) {
    if (!page.add(block)) break;
    if (++blocks >= SCAN_BLOCKS_MAX) {
      page.more = true;
      break;
    }
  }
  return page.finish();
}

class PageBuilder {
  more = false;
  readonly #range: PageRange;
  readonly #slices: Buffer[] = [];
  #bytes = 0;
  #count = 0;
  #lastIncluded: Tick = 0n;
  #lastScanned: Tick = 0n;
  #timeMs = 0;

  constructor(range: PageRange) {
    this.#range = range;
  }

  /** Takes what fits of a block; false when the page is complete. */
  add(block: Block): boolean {
    const start = block.firstAbove(this.#range.from);
    const end = block.lastTick <= this.#range.to ? block.count : block.firstAbove(this.#range.to);
    if (start >= end) return false;
    if (this.#full) {
      this.more = true;
      return false;
    }
    const stop = this.#range.accept
      ? this.#addSelected(block, start, end, this.#range.accept)
      : this.#addRun(block, start, end);
    this.#timeMs = block.timeMs;
    this.#lastScanned = block.tick(stop - 1);
    if (stop < end) this.more = true;
    return stop === block.count;
  }

  finish(): Page {
    return {
      body: this.#slices.length === 1 ? (this.#slices[0] ?? EMPTY) : Buffer.concat(this.#slices),
      count: this.#count,
      lastIncluded: this.#lastIncluded,
      lastScanned: this.#lastScanned,
      more: this.more,
      timeMs: this.#timeMs,
    };
  }

  get #full(): boolean {
    return this.#bytes > this.#range.limitBytes;
  }

  /** One slice up to the line that passes the limit; returns the entry after it. */
  #addRun(block: Block, start: number, end: number): number {
    const offset = block.lineStart(start);
    const room = this.#range.limitBytes - this.#bytes + offset;
    let low = start;
    let high = end - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (block.lineEnd(middle) > room) high = middle;
      else low = middle + 1;
    }
    this.#take(block, start, low + 1);
    return low + 1;
  }

  #addSelected(
    block: Block,
    start: number,
    end: number,
    accept: (block: Block, i: number) => boolean,
  ): number {
    for (let i = start; i < end; i++) {
      if (accept(block, i)) this.#take(block, i, i + 1);
      if (this.#full) return i + 1;
    }
    return end;
  }

  #take(block: Block, start: number, end: number): void {
    const slice = block.lines.subarray(block.lineStart(start), block.lineEnd(end - 1));
    this.#slices.push(slice);
    this.#bytes += slice.length;
    this.#count += end - start;
    this.#lastIncluded = block.tick(end - 1);
  }
}

const EMPTY = Buffer.alloc(0);
