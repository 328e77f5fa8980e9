import { Fifo } from '../base/fifo.ts';
import type { Tick } from '../model/tick.ts';
import type { Block } from './block.ts';
import { readBlocks } from './block-reader.ts';
import type { Level } from './commit-group.ts';
import type { BlockSpace } from './keys.ts';
import { type Page, type PageRange, pageOf } from './page.ts';

/** Counted beside the bytes of a block for its objects. */
const BLOCK_OVERHEAD_BYTES = 500;
/** A log whose end nobody reads any more is not kept for more than this. */
const UNREAD_MAX_BYTES = 4 * 1024 * 1024;

/**
 * The memory that the newest blocks of all logs share. Who needs more takes it from the log that has not
 * been read for longest.
 */
export class TipMemory {
  readonly #maxBytes: number;
  #bytes = 0;
  #newest: LogTip | undefined;
  /** By space and number of the log; the one that was read last comes last. */
  readonly #tips = new Map<string, LogTip>();

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
    if (this.#newest === tip) return;
    this.#newest = tip;
    this.#tips.delete(tip.id);
    this.#tips.set(tip.id, tip);
  }

  /** The end of a log somebody has read up to; undefined when nobody has. */
  find(space: BlockSpace, number: number): LogTip | undefined {
    return this.#tips.size === 0 ? undefined : this.#tips.get(idOf(space, number));
  }

  /** Makes room by taking from others, and from the one that asks in the end. */
  claim(bytes: number): void {
    this.#bytes += bytes;
    for (const tip of this.#tips.values()) {
      while (this.#bytes > this.#maxBytes && tip.dropOldest());
      if (this.#bytes <= this.#maxBytes) return;
    }
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  forget(tip: LogTip): void {
    if (this.#newest === tip) this.#newest = undefined;
    this.#tips.delete(tip.id);
  }
}

/**
 * The newest blocks of a log in memory, once a reader has come to its end: those who read on from there
 * share what one of them reads, and what is committed behind it comes here without being read at all. Blocks never
 * change; merging puts their lines in others, which is the same for readers.
 */
export class LogTip {
  /** Of its log among all. */
  readonly id: string;
  readonly #level: Level;
  readonly #memory: TipMemory;
  readonly #lastTick: () => Tick;
  readonly #log: { readonly space: BlockSpace; readonly number: number };
  readonly #onRead: () => void;
  readonly #blocks = new Fifo<Block>();
  /** All entries above `#from` up to `#to` are in the blocks; undefined while nobody is near the end. */
  #from: Tick | undefined;
  #to: Tick = 0n;
  #reading: Promise<void> | undefined;
  #closed = false;
  /** Bytes that came since somebody has read. */
  #unreadBytes = 0;

  /**
   * @param deps.lastTick of the newest committed entry of the log
   * @param deps.onRead called whenever the store is read
   */
  constructor(
    deps: { level: Level; memory: TipMemory; lastTick: () => Tick; onRead: () => void },
    log: { space: BlockSpace; number: number },
  ) {
    this.#level = deps.level;
    this.#memory = deps.memory;
    this.#lastTick = deps.lastTick;
    this.#onRead = deps.onRead;
    this.#log = log;
    this.id = idOf(log.space, log.number);
  }

  /** Notes that somebody has read up to the end of the log, which is here. */
  begin(end: Tick): void {
    if (this.#closed || this.#from !== undefined) return;
    this.#from = end;
    this.#to = end;
    this.#unreadBytes = 0;
    this.#memory.touch(this);
  }

  /**
   * Takes the blocks of a commit that is in the store now, before the log says so. Where something is missing
   * between them and what is here they are read from the store when somebody wants them.
   */
  add(blocks: readonly Block[]): void {
    if (this.#from === undefined || this.#reading || this.#to !== this.#lastTick()) return;
    for (const block of blocks) {
      this.#push(block);
      this.#unreadBytes += sizeOf(block);
    }
    if (this.#unreadBytes > UNREAD_MAX_BYTES) this.#giveUp();
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
        this.#unreadBytes = 0;
        const page = pageOf(this.#blocks.from(this.#indexAbove(range.from)), range);
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
    this.#closed = true;
    this.#giveUp();
  }

  #giveUp(): void {
    while (this.dropOldest());
    this.#from = undefined;
    this.#memory.forget(this);
  }

  #push(block: Block): void {
    this.#blocks.push(block);
    this.#to = block.lastTick;
    this.#memory.claim(sizeOf(block));
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
    const range = { from: this.#to, expectedBytes: enough, ...this.#log };
    let bytes = 0;
    for await (const block of readBlocks(this.#level, range)) {
      if (this.#closed) return;
      this.#push(block);
      bytes += block.lines.length;
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
      if ((this.#blocks.at(middle)?.lastTick ?? 0n) > tick) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Bytes of lines in blocks that reach above a tick; a part of the first of them may be below it. */
  #bytesAbove(tick: Tick): number {
    let bytes = 0;
    for (const block of this.#blocks.from(this.#indexAbove(tick) + 1)) bytes += block.lines.length;
    return bytes;
  }
}

function idOf(space: BlockSpace, number: number): string {
  return `${space}/${number}`;
}

function sizeOf(block: Block): number {
  return block.lines.length + BLOCK_OVERHEAD_BYTES;
}
