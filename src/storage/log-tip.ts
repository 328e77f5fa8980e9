import type { Tick } from '../model/tick.ts';
import type { Block } from './block.ts';
import { readBlocks } from './block-reader.ts';
import type { Level } from './commit-group.ts';
import type { BlockSpace } from './keys.ts';
import { type Page, type PageRange, pageOf } from './page.ts';

/** Counted beside the bytes of a block for its objects. */
const BLOCK_OVERHEAD_BYTES = 500;

/**
 * The memory that the newest blocks of all logs share. Who needs more takes it from the log that has not
 * been read for longest.
 */
export class TipMemory {
  readonly #maxBytes: number;
  #bytes = 0;
  /** The one that was read last comes last. */
  readonly #tips = new Set<LogTip>();

  constructor(options: { maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Bytes held at the moment. */
  get usedBytes(): number {
    return this.#bytes;
  }

  /** Notes that a log was read. */
  touch(tip: LogTip): void {
    this.#tips.delete(tip);
    this.#tips.add(tip);
  }

  /** Makes room by taking from others, and from the one that asks in the end. */
  claim(bytes: number): void {
    this.#bytes += bytes;
    for (const tip of this.#tips) {
      while (this.#bytes > this.#maxBytes && tip.dropOldest());
      if (this.#bytes <= this.#maxBytes) return;
    }
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  forget(tip: LogTip): void {
    this.#tips.delete(tip);
  }
}

/**
 * The newest blocks of a log in memory, once a reader has come to its end: those who read on from there
 * share what one of them reads. Blocks never change; merging puts their lines in others, which is the same
 * for readers.
 */
export class LogTip {
  readonly #level: Level;
  readonly #memory: TipMemory;
  readonly #log: { readonly space: BlockSpace; readonly number: number };
  readonly #onRead: () => void;
  #blocks: Block[] = [];
  /** All entries above `#from` up to `#to` are in the blocks; undefined while nobody is near the end. */
  #from: Tick | undefined;
  #to: Tick = 0n;
  #reading: Promise<void> | undefined;
  #closed = false;

  /** @param deps.onRead called whenever the store is read */
  constructor(
    deps: { level: Level; memory: TipMemory; onRead: () => void },
    log: { space: BlockSpace; number: number },
  ) {
    this.#level = deps.level;
    this.#memory = deps.memory;
    this.#onRead = deps.onRead;
    this.#log = log;
  }

  /** Notes that somebody has read up to the end of the log, which is here. */
  begin(end: Tick): void {
    if (this.#closed || this.#from !== undefined) return;
    this.#from = end;
    this.#to = end;
    this.#memory.touch(this);
  }

  /**
   * A page as `readPage` has it, but for the end of one that is cut short by the memory there is: then
   * it says that there is more. undefined when its beginning is not in memory.
   * @throws ServiceError storageDamaged
   */
  async page(range: PageRange): Promise<Page | undefined> {
    while (this.#covers(range.from)) {
      if (range.to <= this.#to || this.#bytesAbove(range.from) > this.#enough(range)) {
        this.#memory.touch(this);
        const page = pageOf(this.#blocks.slice(this.#indexAbove(range.from)), range);
        return this.#to < range.to ? { ...page, more: true } : page;
      }
      this.#reading ??= this.#readOn(range).finally(() => (this.#reading = undefined));
      await this.#reading;
    }
    return undefined;
  }

  /** Gives up the oldest block; false when there is none. */
  dropOldest(): boolean {
    const block = this.#blocks.shift();
    if (!block) return false;
    this.#from = block.lastTick;
    this.#memory.release(sizeOf(block));
    return true;
  }

  /** Gives everything up, for good. */
  close(): void {
    while (this.dropOldest());
    this.#closed = true;
    this.#from = undefined;
    this.#memory.forget(this);
  }

  /** Bytes a page can have, at most. */
  #enough({ limitBytes }: PageRange): number {
    return Math.min(limitBytes, this.#memory.maxBytes / 2);
  }

  #covers(tick: Tick): boolean {
    return this.#from !== undefined && tick >= this.#from;
  }

  /** Reads what a page like this needs beyond what is here. */
  async #readOn(wanted: PageRange): Promise<void> {
    this.#onRead();
    const { to } = wanted;
    const enough = this.#enough(wanted);
    const range = { ...this.#log, from: this.#to, expectedBytes: enough };
    let bytes = 0;
    for await (const block of readBlocks(this.#level, range)) {
      if (this.#closed) return;
      this.#blocks.push(block);
      this.#to = block.lastTick;
      bytes += block.lines.length;
      this.#memory.claim(sizeOf(block));
      if (bytes > enough || this.#to >= to) return;
    }
    // Nothing more is there up to `to`: the last ticks of a commit may have no entry.
    if (this.#to < to) this.#to = to;
  }

  #indexAbove(tick: Tick): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle]?.lastTick ?? 0n) > tick) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Bytes of lines in blocks that reach above a tick; a part of the first of them may be below it. */
  #bytesAbove(tick: Tick): number {
    let bytes = 0;
    for (const block of this.#blocks.slice(this.#indexAbove(tick) + 1)) bytes += block.lines.length;
    return bytes;
  }
}

function sizeOf(block: Block): number {
  return block.lines.length + BLOCK_OVERHEAD_BYTES;
}
