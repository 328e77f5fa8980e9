import { assert } from '../base/assert.ts';
import { objectList } from '../base/object-list.ts';
import { type Tick, tickText } from '../model/tick.ts';
import { BLOCK_HEADER_BYTES, BLOCK_LINES_FILL_BYTES } from './block.ts';
import { type Frame, FrameSlab } from './block-frame.ts';
import type { BlockSpace } from './keys.ts';
import type { LineRun } from './line-run.ts';
import type { BlockBuffers } from './block-buffers.ts';
import { OpenBlock, type RecordSink } from './open-block.ts';
import type { OpenPointer } from './pointer.ts';
import type { RunTarget } from './run-appender.ts';

const LINE_END_BYTES = 2;
const DATA_NAME_BYTES = ',"data":'.length;
const CLOSE_BRACE = 0x7d;
const NEWLINE = 0x0a;
/** A log that has so many blocks in one commit, 8 MiB, is likely to get many more: they are put together in slabs. */
const MANY_BLOCKS = 256;

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

/** A place in a writer to which a refused request can be taken back. */
export interface BlockMark {
  readonly writer: BlockWriter;
  readonly blocks: number;
  readonly entries: number;
  readonly bytes: number;
}

/**
 * Collects the entries one commit appends to one journal or changelog. Ticks must rise (P2). A
 * block is closed when the next line would pass 32 KiB; a longer line stands alone.
 */
export class BlockWriter implements RunTarget {
  readonly space: BlockSpace;
  readonly number: number;
  readonly #buffers: BlockBuffers;
  readonly #beginsSmall: boolean;
  readonly #total: { bytes: number };
  readonly #blocks = objectList<OpenBlock>();
  #bytes = 0;
  #lastTick: Tick = 0n;
  #slab: FrameSlab | undefined;
  /** In which turn it was marked last. */
  #turn = 0;

  /**
   * @param deps.total what the lines of this and of others take together
   * @param options.beginsSmall it is likely to get a few lines only
   */
  constructor(
    deps: { buffers: BlockBuffers; total?: { bytes: number } },
    options: { space: BlockSpace; number: number; beginsSmall?: boolean },
  ) {
    this.#buffers = deps.buffers;
    this.#total = deps.total ?? { bytes: 0 };
    this.space = options.space;
    this.number = options.number;
    this.#beginsSmall = options.beginsSmall ?? false;
  }

  /** Bytes of all lines in it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends a line given as text. Returns its length in bytes. */
  append(entry: Entry, tail: string, pointer?: OpenPointer): number {
    const head = `{"tick":"${tickText(entry.tick)}",`;
    const bytes = head.length + Buffer.byteLength(tail);
    const block = this.reserve(entry.tick, bytes);
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
    const head = `{"tick":"${tickText(entry.tick)}",${prefix}`;
    if (typeof data === 'string') return this.#appendText(entry, head, data, pointer);
    const headBytes = Buffer.byteLength(head);
    const dataBytes = data.end - data.start;
    const bytes = headBytes + dataBytes + LINE_END_BYTES;
    const block = this.reserve(entry.tick, bytes);
    const { buffer } = block;
    const start = BLOCK_HEADER_BYTES + block.length + headBytes;
    const end = start + dataBytes;
    write(buffer, start - headBytes, head, headBytes);
    data.source.copy(buffer, start, data.start, data.end);
    buffer[end] = CLOSE_BRACE;
    buffer[end + 1] = NEWLINE;
    this.#push(block, entry, bytes, pointer);
    return { source: buffer, start, end };
  }

  /** The line as one text: each call that writes one costs more than its bytes do. */
  #appendText(
    entry: Entry,
    head: string,
    data: string,
    pointer: OpenPointer | undefined,
  ): ByteSlice {
    const line = `${head}${data}}\n`;
    const bytes = Buffer.byteLength(line);
    const headBytes = bytes === line.length ? head.length : Buffer.byteLength(head);
    const block = this.reserve(entry.tick, bytes);
    const { buffer } = block;
    const at = BLOCK_HEADER_BYTES + block.length;
    write(buffer, at, line, bytes);
    this.#push(block, entry, bytes, pointer);
    return { source: buffer, start: at + headBytes, end: at + bytes - LINE_END_BYTES };
  }

  /**
   * Appends the line of a page, from its key on, behind a tick of our own and `prefix`, an ASCII text;
   * `oldRev` is left out. Returns as `appendData`.
   */
  appendCut(entry: Entry, prefix: string, line: CutLine, pointer?: OpenPointer): ByteSlice {
    const { page, keyStart, revEnd, dataStart, lineEnd } = line;
    const head = `{"tick":"${tickText(entry.tick)}",${prefix}`;
    const restStart = dataStart - DATA_NAME_BYTES;
    const bytes = head.length + (revEnd - keyStart) + (lineEnd - restStart);
    const block = this.reserve(entry.tick, bytes);
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
    const block = this.reserve(entry.tick, bytes);
    source.copy(block.buffer, BLOCK_HEADER_BYTES + block.length, start, end);
    this.#push(block, entry, bytes, pointer);
  }

  /**
   * Appends the lines of a run, with ticks that rise by one from `firstTick` on and have as many digits as those in
   * the lines. Each entry puts its key to point to it, or a removal takes it away, when the block is sealed.
   */
  appendRun(run: LineRun, firstTick: Tick, collection: number): void {
    const lastTick = firstTick + BigInt(run.count - 1);
    assert(lastTick.toString().length === run.tickDigits, 'new ticks fit in the place of the old');
    for (let from = 0; from < run.count;) {
      const start = from === 0 ? run.start : (run.ends[from - 1] ?? 0);
      const tick = firstTick + BigInt(from);
      const block = this.reserve(tick, (run.ends[from] ?? 0) - start);
      let to = from + 1;
      while (to < run.count && block.room((run.ends[to] ?? 0) - start, to - from)) to++;
      block.pushRun(run, from, to, tick, collection);
      from = to;
    }
    this.added((run.ends[run.count - 1] ?? 0) - run.start, lastTick);
  }

  /** Notes lines for which blocks were reserved. @param lastTick of the last one */
  added(bytes: number, lastTick: Tick): void {
    this.#bytes += bytes;
    this.#total.bytes += bytes;
    this.#lastTick = lastTick;
  }

  /** The line (without newline) of an entry of this commit, undefined when it is not in it. */
  find(tick: Tick): string | undefined {
    for (let b = this.#blocks.length - 1; b >= 0; b--) {
      const block = this.#blocks[b];
      if (!block || block.count === 0 || block.firstTick > tick) continue;
      const i = block.find(tick);
      return i < 0 ? undefined : block.lineText(i);
    }
    return undefined;
  }

  /** A mark for this turn, which is above 0; undefined when it has been marked in it. */
  markFor(turn: number): BlockMark | undefined {
    if (this.#turn === turn) return undefined;
    this.#turn = turn;
    return this.mark();
  }

  mark(): BlockMark {
    return {
      writer: this,
      blocks: this.#blocks.length,
      entries: this.#blocks[this.#blocks.length - 1]?.count ?? 0,
      bytes: this.#bytes,
    };
  }

  /** Drops everything appended after the mark. */
  rollback(mark: BlockMark): void {
    for (const dropped of this.#blocks.splice(mark.blocks)) this.#buffers.close(dropped);
    this.#blocks[mark.blocks - 1]?.truncate(mark.entries);
    this.#total.bytes -= this.#bytes - mark.bytes;
    this.#bytes = mark.bytes;
  }

  /** Finishes all blocks and hands each to `sink`. */
  seal(timeMs: number, sink: RecordSink): void {
    for (const block of this.#blocks) {
      if (block.count > 0) block.seal(this.space, this.number, timeMs, sink);
    }
  }

  /**
   * As `seal`, for very many blocks: each is let go of at once, and the writer empty afterwards.
   * @param onUnused told of each of them whose memory is free when it is collected as garbage, with others
   */
  sealAndRelease(timeMs: number, sink: RecordSink, onUnused: () => void): void {
    this.#slab = undefined;
    const blocks: (OpenBlock | undefined)[] = this.#blocks.splice(0);
    for (let i = 0; i < blocks.length; i++) {
      const block = blocks[i];
      if (!block) continue;
      blocks[i] = undefined;
      if (block.count > 0) block.seal(this.space, this.number, timeMs, sink);
      this.#buffers.close(block);
      if (block.frame.kind === 'shared') onUnused();
    }
  }

  /** Gives the buffers back; the writer must not be used afterwards. */
  release(): void {
    this.#slab = undefined;
    for (const block of this.#blocks.splice(0)) this.#buffers.close(block);
  }

  /** The block that a line of this length, which must be appended, belongs to; for those who write into it themselves. */
  reserve(tick: Tick, bytes: number): OpenBlock {
    assert(tick > this.#lastTick, 'ticks of one log rise');
    const last = this.#blocks[this.#blocks.length - 1];
    if (last?.fits(bytes, tick)) return last;
    const block = this.#open(bytes);
    this.#blocks.push(block);
    return block;
  }

  #open(bytes: number): OpenBlock {
    const others = this.#blocks.length;
    if (others >= MANY_BLOCKS && bytes <= BLOCK_LINES_FILL_BYTES) {
      return new OpenBlock(this.#shared());
    }
    return this.#buffers.open(bytes, this.#beginsSmall && others === 0);
  }

  #shared(): Frame {
    const frame = this.#slab?.take();
    if (frame) return frame;
    this.#slab = new FrameSlab();
    return this.#shared();
  }

  #push(block: OpenBlock, entry: Entry, bytes: number, pointer: OpenPointer | undefined): void {
    const { tick, type, collection, transaction } = entry;
    block.push(tick, bytes, type, collection, transaction, pointer);
    this.added(bytes, tick);
  }
}

/** @param bytes length of the text: as many as it has characters when it is ASCII, which is copied, not encoded */
function write(target: Buffer, at: number, text: string, bytes: number): void {
  target.write(text, at, bytes, bytes === text.length ? 'latin1' : 'utf8');
}
