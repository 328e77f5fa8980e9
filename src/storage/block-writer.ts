import { assert } from '../base/assert.ts';
import type { Tick } from '../model/tick.ts';
import {
  BLOCK_ENTRIES_MAX,
  BLOCK_HEADER_BYTES,
  BLOCK_LINES_FILL_BYTES,
  BLOCK_VERSION,
  FLAG_COLLECTIONS,
  FLAG_TRANSACTIONS,
  blockCrc,
  directoryBytes,
} from './block.ts';
import { type BlockSpace, blockKey } from './keys.ts';
import type { OpenPointer } from './pointer.ts';

const ENTRY_MAX_BYTES = directoryBytes(1, FLAG_COLLECTIONS | FLAG_TRANSACTIONS);
const STANDARD_BYTES =
  BLOCK_HEADER_BYTES + BLOCK_LINES_FILL_BYTES + BLOCK_ENTRIES_MAX * ENTRY_MAX_BYTES;
const SPAN_MAX = 0xffff_ffffn;
const LINE_END_BYTES = 2;
const DATA_NAME_BYTES = ',"data":'.length;
const CLOSE_BRACE = 0x7d;
const NEWLINE = 0x0a;

/** Where a document stands in a page. */
export interface ByteSlice {
  readonly source: Buffer;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** The source text of a document, as a string or where it stands in a page. */
export type LineData = string | ByteSlice;

/**
 * A document's line as it stands in a page of our own shape; offsets are bytes into the page.
 * `revEnd` is behind the quote that ends the revision, `dataStart` where the document begins.
 */
export interface CutLine {
  readonly page: Buffer;
  readonly keyStart: number;
  readonly revEnd: number;
  readonly dataStart: number;
  /** Behind the newline. */
  readonly lineEnd: number;
}

/** One entry to be appended. The line is `{"tick":"<tick>",` followed by the tail. */
export interface Entry {
  readonly tick: Tick;
  readonly type: number;
  /** Number of the collection it is about, 0 for none. */
  readonly collection: number;
  /** Transaction id, 0 for none. */
  readonly transaction: bigint;
}

/** Buffers of standard blocks, used again so that steady writing allocates nothing. */
export class BlockBuffers {
  readonly #free: Buffer[] = [];
  readonly #keepCount: number;

  constructor(options: { keepCount: number }) {
    this.#keepCount = options.keepCount;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(STANDARD_BYTES);
  }

  give(buffer: Buffer): void {
    if (buffer.length === STANDARD_BYTES && this.#free.length < this.#keepCount) {
      this.#free.push(buffer);
    }
  }
}

/** A block that still grows: the bytes as they will be stored, and the directory as arrays. */
class OpenBlock {
  readonly buffer: Buffer;
  readonly ticks: Tick[] = [];
  readonly ends: number[] = [];
  readonly types: number[] = [];
  readonly collections: number[] = [];
  readonly transactions: bigint[] = [];
  readonly pointers: (OpenPointer | undefined)[] = [];
  length = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  get count(): number {
    return this.ticks.length;
  }

  /** Room for lines, keeping back what the directory of one more entry needs. */
  fits(bytes: number, tick: Tick): boolean {
    const count = this.count;
    if (count === 0) return true;
    if (count >= BLOCK_ENTRIES_MAX || tick - (this.ticks[0] ?? 0n) > SPAN_MAX) return false;
    return this.length + bytes <= BLOCK_LINES_FILL_BYTES;
  }

  truncate(count: number): void {
    for (const column of [this.ticks, this.ends, this.types, this.collections]) {
      column.length = count;
    }
    this.transactions.length = count;
    this.pointers.length = count;
    this.length = count === 0 ? 0 : (this.ends[count - 1] ?? 0);
  }

  /** Finishes header and directory; the result is a view of the buffer. */
  seal(space: BlockSpace, number: number, timeMs: number): { key: Buffer; value: Buffer } {
    const count = this.count;
    const first = this.ticks[0] ?? 0n;
    const last = this.ticks[count - 1] ?? 0n;
    const collection = this.collections[0] ?? 0;
    const flags =
      (this.collections.some((other) => other !== collection) ? FLAG_COLLECTIONS : 0) |
      (this.transactions.some((tid) => tid !== 0n) ? FLAG_TRANSACTIONS : 0);
    let at = BLOCK_HEADER_BYTES + this.length;
    const value = this.buffer.subarray(0, at + directoryBytes(count, flags));
    value[4] = BLOCK_VERSION;
    value[5] = flags;
    value.writeUInt16LE(0, 6);
    value.writeBigUInt64LE(first, 8);
    value.writeDoubleLE(timeMs, 16);
    value.writeUInt32LE(count, 24);
    value.writeUInt32LE(this.length, 28);
    value.writeUInt32LE(collection, 32);
    for (const tick of this.ticks) at = value.writeUInt32LE(Number(tick - first), at);
    for (const end of this.ends) at = value.writeUInt32LE(end, at);
    for (const type of this.types) at = value.writeUInt16LE(type, at);
    if (flags & FLAG_COLLECTIONS) {
      for (const each of this.collections) at = value.writeUInt32LE(each, at);
    }
    if (flags & FLAG_TRANSACTIONS) {
      for (const tid of this.transactions) at = value.writeBigUInt64LE(tid, at);
    }
    const key = blockKey(space, number, last);
    value.writeUInt32LE(blockCrc(key, value), 0);
    this.pointers.forEach((pointer) => {
      if (pointer) pointer.distance = Number(last - pointer.tick);
    });
    return { key, value };
  }
}

const EMPTY_BLOCK = new OpenBlock(Buffer.alloc(0));

/** A place in a writer to which a refused request can be taken back. */
export interface BlockMark {
  readonly blocks: number;
  readonly entries: number;
  readonly bytes: number;
}

/**
 * Collects the entries one commit appends to one journal or changelog. Ticks must rise (P2). A
 * block is closed when the next line would pass 32 KiB; a longer line stands alone.
 */
export class BlockWriter {
  readonly space: BlockSpace;
  readonly number: number;
  readonly #buffers: BlockBuffers;
  readonly #blocks: OpenBlock[] = [];
  #bytes = 0;
  #lastTick: Tick = 0n;

  constructor(deps: { buffers: BlockBuffers }, options: { space: BlockSpace; number: number }) {
    this.#buffers = deps.buffers;
    this.space = options.space;
    this.number = options.number;
  }

  /** Bytes of all lines in it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends a line given as text. Returns its length in bytes. */
  append(entry: Entry, tail: string, pointer?: OpenPointer): number {
    const head = `{"tick":"${entry.tick}",`;
    const bytes = head.length + Buffer.byteLength(tail);
    const block = this.#reserve(entry, bytes);
    const at = BLOCK_HEADER_BYTES + block.length;
    block.buffer.write(head, at, 'latin1');
    block.buffer.write(tail, at + head.length);
    this.#push(block, entry, bytes, pointer);
    return bytes;
  }

  /**
   * Appends a line whose tail is `prefix`, the data, and the end of the object. Data that stands in a
   * page is copied, not decoded. Returns where the data stands now; valid until the commit is written.
   */
  appendData(entry: Entry, prefix: string, data: LineData, pointer?: OpenPointer): ByteSlice {
    const head = `{"tick":"${entry.tick}",${prefix}`;
    const headBytes = Buffer.byteLength(head);
    const dataBytes = typeof data === 'string' ? Buffer.byteLength(data) : data.end - data.start;
    const bytes = headBytes + dataBytes + LINE_END_BYTES;
    const block = this.#reserve(entry, bytes);
    const { buffer } = block;
    const start = BLOCK_HEADER_BYTES + block.length + headBytes;
    const end = start + dataBytes;
    buffer.write(head, start - headBytes);
    if (typeof data === 'string') buffer.write(data, start);
    else data.source.copy(buffer, start, data.start, data.end);
    buffer[end] = CLOSE_BRACE;
    buffer[end + 1] = NEWLINE;
    this.#push(block, entry, bytes, pointer);
    return { source: buffer, start, end };
  }

  /**
   * Appends the line of a page, from its key on, behind a tick of our own and `prefix`, an ASCII text;
   * `oldRev` is left out. Returns as `appendData`.
   */
  appendCut(entry: Entry, prefix: string, line: CutLine, pointer?: OpenPointer): ByteSlice {
    const { page, keyStart, revEnd, dataStart, lineEnd } = line;
    const head = `{"tick":"${entry.tick}",${prefix}`;
    const restStart = dataStart - DATA_NAME_BYTES;
    const bytes = head.length + (revEnd - keyStart) + (lineEnd - restStart);
    const block = this.#reserve(entry, bytes);
    const { buffer } = block;
    const at = BLOCK_HEADER_BYTES + block.length;
    const end = at + bytes;
    buffer.write(head, at, 'latin1');
    if (revEnd === restStart) {
      page.copy(buffer, at + head.length, keyStart, lineEnd);
    } else {
      page.copy(buffer, at + head.length, keyStart, revEnd);
      page.copy(buffer, end - (lineEnd - restStart), restStart, lineEnd);
    }
    this.#push(block, entry, bytes, pointer);
    return { source: buffer, start: end - (lineEnd - dataStart), end: end - LINE_END_BYTES };
  }

  /** Appends a whole stored line as it is: what merging blocks does. */
  appendLine(
    entry: Entry,
    source: Buffer,
    start: number,
    end: number,
    pointer?: OpenPointer,
  ): void {
    const bytes = end - start;
    const block = this.#reserve(entry, bytes);
    source.copy(block.buffer, BLOCK_HEADER_BYTES + block.length, start, end);
    this.#push(block, entry, bytes, pointer);
  }

  /** The line (without newline) of an entry of this commit, undefined when it is not in it. */
  find(tick: Tick): string | undefined {
    for (let b = this.#blocks.length - 1; b >= 0; b--) {
      const block = this.#blocks[b];
      if (!block || block.count === 0 || (block.ticks[0] ?? 0n) > tick) continue;
      const i = block.ticks.indexOf(tick);
      if (i < 0) return undefined;
      const start = i === 0 ? 0 : (block.ends[i - 1] ?? 0);
      const end = (block.ends[i] ?? 0) - 1;
      return block.buffer.toString('utf8', BLOCK_HEADER_BYTES + start, BLOCK_HEADER_BYTES + end);
    }
    return undefined;
  }

  mark(): BlockMark {
    return {
      blocks: this.#blocks.length,
      entries: this.#blocks[this.#blocks.length - 1]?.count ?? 0,
      bytes: this.#bytes,
    };
  }

  /** Drops everything appended after the mark. */
  rollback(mark: BlockMark): void {
    for (const dropped of this.#blocks.splice(mark.blocks)) this.#buffers.give(dropped.buffer);
    this.#blocks[mark.blocks - 1]?.truncate(mark.entries);
    this.#bytes = mark.bytes;
  }

  /**
   * Finishes all blocks and hands each to `put`, which must copy what it is given.
   * @param options.release give each block's buffer back at once; the writer is empty afterwards
   */
  seal(
    timeMs: number,
    put: (key: Buffer, value: Buffer) => void,
    options: { release: boolean } = { release: false },
  ): void {
    this.#blocks.forEach((block, i) => {
      if (block.count === 0) return;
      const { key, value } = block.seal(this.space, this.number, timeMs);
      put(key, value);
      if (!options.release) return;
      this.#buffers.give(block.buffer);
      this.#blocks[i] = EMPTY_BLOCK;
    });
  }

  /** Gives the buffers back; the writer must not be used afterwards. */
  release(): void {
    for (const block of this.#blocks.splice(0)) this.#buffers.give(block.buffer);
  }

  #reserve(entry: Entry, bytes: number): OpenBlock {
    assert(entry.tick > this.#lastTick, 'ticks of one log rise');
    const last = this.#blocks[this.#blocks.length - 1];
    if (last && last.fits(bytes, entry.tick) && last.buffer.length >= this.#needed(last, bytes)) {
      return last;
    }
    const large = bytes > BLOCK_LINES_FILL_BYTES;
    const size = BLOCK_HEADER_BYTES + bytes + ENTRY_MAX_BYTES;
    const block = new OpenBlock(large ? Buffer.allocUnsafeSlow(size) : this.#buffers.take());
    this.#blocks.push(block);
    return block;
  }

  #needed(block: OpenBlock, bytes: number): number {
    return BLOCK_HEADER_BYTES + block.length + bytes + (block.count + 1) * ENTRY_MAX_BYTES;
  }

  #push(block: OpenBlock, entry: Entry, bytes: number, pointer: OpenPointer | undefined): void {
    this.#bytes += bytes;
    block.length += bytes;
    block.ticks.push(entry.tick);
    block.ends.push(block.length);
    block.types.push(entry.type);
    block.collections.push(entry.collection);
    block.transactions.push(entry.transaction);
    block.pointers.push(pointer);
    this.#lastTick = entry.tick;
  }
}
