import { MarkerType } from '../model/marker.ts';
import { type Tick, tickText } from '../model/tick.ts';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_VERSION,
  FLAG_COLLECTIONS,
  FLAG_TRANSACTIONS,
  blockCrc,
  directoryBytes,
} from './block.ts';
import { type Frame, SOURCE_BYTES, STANDARD_BYTES } from './block-frame.ts';
import { addDigits, copyWords } from './bytes.ts';
import type { KeyCursor } from './key-cursor.ts';
import { type BlockSpace, blockKey, primaryKeyBytes } from './keys.ts';
import type { LineRun } from './line-run.ts';
import { type OpenPointer, encodePointerBytes } from './pointer.ts';
import type { Scratch } from './scratch.ts';

const SPAN_MAX = 0xffff_ffffn;
const TWO_32 = 2 ** 32;
/** What stands in a line between the comma before the key and its text. */
const KEY_NAME_BYTES = '"key":"'.length;
const SHORT_BYTES = 64;
/** So many bytes are copied word by word sooner than by a call, which makes an object. */
const WORDS_BYTES = 2048;
const EMPTY: Buffer = Buffer.alloc(0);

/** Where what is put together for a batch is handed to; both copy what they are given. */
export interface RecordSink {
  put(key: Buffer, value: Buffer): void;
  del(key: Buffer): void;
  readonly keys: Scratch;
  readonly values: Scratch;
}

/** A block that still grows. */
export class OpenBlock {
  readonly frame: Frame;
  /** Bytes of lines. */
  length = 0;
  count = 0;
  #firstTick: Tick = 0n;
  /** By entry; shorter when the last ones have none. */
  readonly #pointers: (OpenPointer | undefined)[] = [];
  /** By entry; empty while none has one. */
  #transactions: bigint[] = [];
  #hasOwnPointers = false;
  /** Which bytes of which page stand behind the block. */
  readonly #source = { page: EMPTY, from: 0, to: 0 };

  constructor(frame: Frame) {
    this.frame = frame;
  }

  get buffer(): Buffer {
    return this.frame.buffer;
  }

  get firstTick(): Tick {
    return this.#firstTick;
  }

  /** Whether there is room for a line of this length with this tick. */
  fits(bytes: number, tick: Tick): boolean {
    if (!this.room(bytes, 0)) return false;
    return this.count === 0 || tick - this.#firstTick <= SPAN_MAX;
  }

  /** Whether there is room for lines of this length, one more than `others`. */
  room(bytes: number, others: number): boolean {
    const { entries, linesBytes } = this.frame;
    return this.count + others < entries && this.length + bytes <= linesBytes;
  }

  /** Notes a line whose bytes stand behind the others already. */
  push(
    tick: Tick,
    bytes: number,
    type: number,
    collection: number,
    transaction: bigint,
    pointer: OpenPointer | undefined,
  ): void {
    const i = this.count++;
    if (i === 0) this.#firstTick = tick;
    const { frame } = this;
    this.length += bytes;
    frame.offsets[i] = Number(tick - this.#firstTick);
    frame.ends[i] = this.length;
    frame.types[i] = type;
    frame.collections[i] = collection;
    frame.keyEnds[i] = 0;
    if (transaction !== 0n) this.#setTransaction(i, transaction);
    if (pointer) this.#pointers[i] = pointer;
  }

  /**
   * Appends the lines `from` to `to` of a run, which must have room, with new ticks of as many digits as theirs have.
   */
  pushRun(run: LineRun, from: number, to: number, firstTick: Tick, collection: number): void {
    const { frame } = this;
    const { page, ends, types, keyStarts, keyEnds, revStarts, revEnds } = run;
    const start = from === 0 ? run.start : (ends[from - 1] ?? 0);
    const end = ends[to - 1] ?? 0;
    page.copy(frame.buffer, BLOCK_HEADER_BYTES + this.length, start, end);
    if (this.count === 0) this.#firstTick = firstTick;
    // From an offset in the page to one in the buffer, and to one in the lines.
    const shift = BLOCK_HEADER_BYTES + this.length - start;
    const linesShift = this.length - start;
    const digits = Buffer.from(firstTick.toString(), 'latin1');
    let offset = Number(firstTick - this.#firstTick);
    let tickAt = start + shift + run.tickAt;
    let n = this.count;
    for (let i = from; i < to; i++, n++) {
      for (let d = 0; d < digits.length; d++) frame.buffer[tickAt + d] = digits[d] ?? 0;
      addDigits(digits, 1);
      const lineEnd = ends[i] ?? 0;
      tickAt = lineEnd + shift + run.tickAt;
      frame.offsets[n] = offset++;
      frame.ends[n] = lineEnd + linesShift;
      frame.types[n] = types[i] ?? 0;
      frame.collections[n] = collection;
      frame.keyStarts[n] = (keyStarts[i] ?? 0) + shift;
      frame.keyEnds[n] = (keyEnds[i] ?? 0) + shift;
      frame.revStarts[n] = (revStarts[i] ?? 0) + shift;
      frame.revEnds[n] = (revEnds[i] ?? 0) + shift;
    }
    this.length += end - start;
    this.count = n;
    this.#hasOwnPointers = true;
  }

  /**
   * Appends line `i` of a run as a journal has it: behind `head`, a tick and a type, what follows from the key on but
   * for the old revision. The entry puts its key to point to it when the block is sealed, unless it is a removal.
   * @param offset of its tick from the first one of the block
   */
  pushLine(run: LineRun, i: number, head: Buffer, offset: number, collection: number): void {
    const { frame, count: n } = this;
    const { buffer } = frame;
    const keyStart = run.keyStarts[i] ?? 0;
    const from = keyStart - KEY_NAME_BYTES;
    const revEnd = run.revEnds[i] ?? 0;
    const tail = run.tails[i] ?? 0;
    const end = run.ends[i] ?? 0;
    const start = BLOCK_HEADER_BYTES + this.length;
    for (let k = 0; k < head.length; k++) buffer[start + k] = head[k] ?? 0;
    const shift = start + head.length - from;
    // Copying some bytes one by one costs less than one call.
    let copied = from;
    if (tail > revEnd + 1 || end - from < SHORT_BYTES) {
      const stop = revEnd + 1;
      for (; copied < stop; copied++) buffer[copied + shift] = run.page[copied] ?? 0;
      copied = tail;
    }
    const restAt = start + head.length + (copied === from ? 0 : revEnd + 1 - from);
    this.#copy(run, copied, end, restAt);
    const type = run.types[i] ?? 0;
    this.length = restAt + end - copied - BLOCK_HEADER_BYTES;
    this.count = n + 1;
    frame.offsets[n] = offset;
    frame.ends[n] = this.length;
    frame.types[n] = type;
    frame.collections[n] = collection;
    frame.keyStarts[n] = keyStart + shift;
    frame.keyEnds[n] = (run.keyEnds[i] ?? 0) + shift;
    frame.revStarts[n] = (run.revStarts[i] ?? 0) + shift;
    frame.revEnds[n] = revEnd + shift;
    this.#hasOwnPointers = true;
  }

  /** As `push`. @param offset of its tick from the first one of the block */
  pushAt(
    offset: number,
    bytes: number,
    type: number,
    collection: number,
    transaction: bigint,
  ): void {
    const { frame } = this;
    const n = this.count++;
    this.length += bytes;
    frame.offsets[n] = offset;
    frame.ends[n] = this.length;
    frame.types[n] = type;
    frame.collections[n] = collection;
    frame.keyEnds[n] = 0;
    if (transaction !== 0n) this.#setTransaction(n, transaction);
  }

  /**
   * Has the entry pushed last put its key to point to it when the block is sealed. Offsets are places in the buffer.
   * @param revEnd 0 for a revision that is the tick
   */
  own(keyStart: number, keyEnd: number, revStart: number, revEnd: number): void {
    const { frame } = this;
    const n = this.count - 1;
    frame.keyStarts[n] = keyStart;
    frame.keyEnds[n] = keyEnd;
    frame.revStarts[n] = revStart;
    frame.revEnds[n] = revEnd;
    this.#hasOwnPointers = true;
  }

  /** Copies bytes of a page; those behind them are likely to be wanted next, unless the run is mixed. */
  #copy({ page, view, isMixed, ends, count }: LineRun, from: number, to: number, at: number): void {
    const { buffer, kind } = this.frame;
    if (isMixed && to - from <= WORDS_BYTES) {
      copyWords(view, from, to, this.frame.view, at);
      return;
    }
    if (isMixed || kind !== 'standard' || to - from > SOURCE_BYTES) {
      page.copy(buffer, at, from, to);
      return;
    }
    const source = this.#source;
    if (source.page !== page || from < source.from || to > source.to) {
      source.page = page;
      source.from = from;
      source.to = Math.min(from + SOURCE_BYTES, ends[count - 1] ?? 0);
      page.copy(buffer, STANDARD_BYTES, from, source.to);
    }
    const shift = STANDARD_BYTES - source.from;
    buffer.copyWithin(at, from + shift, to + shift);
  }

  /** Says what tick an empty block begins with. */
  begin(firstTick: Tick): void {
    this.#firstTick = firstTick;
  }

  tick(i: number): Tick {
    return this.#firstTick + BigInt(this.frame.offsets[i] ?? 0);
  }

  /** Whether an entry with a pointer of its own has this key. */
  hasKey(i: number, { collection, source, start, end }: KeyCursor): boolean {
    const { frame, buffer } = this;
    const own = frame.keyStarts[i] ?? 0;
    if ((frame.keyEnds[i] ?? 0) - own !== end - start) return false;
    if (frame.collections[i] !== collection) return false;
    for (let at = start; at < end; at++) if (buffer[own + at - start] !== source[at]) return false;
    return true;
  }

  /** Key of an entry with a pointer of its own. */
  key(i: number): string {
    return this.buffer.toString('latin1', this.frame.keyStarts[i], this.frame.keyEnds[i]);
  }

  /** Revision of an entry with a pointer of its own. */
  revision(i: number): string {
    if (this.frame.revEnds[i] === 0) return tickText(this.tick(i));
    return this.buffer.toString('latin1', this.frame.revStarts[i], this.frame.revEnds[i]);
  }

  /** From an entry to the end of the block, in ticks; as it is now. */
  distance(i: number): number {
    return (this.frame.offsets[this.count - 1] ?? 0) - (this.frame.offsets[i] ?? 0);
  }

  /** Index of the entry with this tick, -1 when there is none. */
  find(tick: Tick): number {
    const offset = tick - this.#firstTick;
    if (offset < 0n || offset > SPAN_MAX) return -1;
    const i = this.frame.offsets.indexOf(Number(offset));
    return i < this.count ? i : -1;
  }

  /** The line of an entry as text, without its newline. */
  lineText(i: number): string {
    const start = i === 0 ? 0 : (this.frame.ends[i - 1] ?? 0);
    const end = (this.frame.ends[i] ?? 0) - 1;
    return this.buffer.toString('utf8', BLOCK_HEADER_BYTES + start, BLOCK_HEADER_BYTES + end);
  }

  /** Drops all entries from the `count`-th on. */
  truncate(count: number): void {
    this.count = count;
    this.length = count === 0 ? 0 : (this.frame.ends[count - 1] ?? 0);
    if (this.#pointers.length > count) this.#pointers.length = count;
    if (this.#transactions.length > count) this.#transactions.length = count;
  }

  /**
   * Finishes header and directory, tells the pointers to its entries where it ends, and hands it to `sink`; behind
   * it what entries with a pointer of their own make of their keys.
   */
  seal(space: BlockSpace, number: number, timeMs: number, sink: RecordSink): void {
    const { frame, count } = this;
    const distance = frame.offsets[count - 1] ?? 0;
    const key = blockKey(space, number, this.#firstTick + BigInt(distance));
    sink.put(key, this.#finish(key, timeMs));
    this.#pointers.forEach((pointer, i) => {
      if (pointer) pointer.distance = distance - (frame.offsets[i] ?? 0);
    });
    if (this.#hasOwnPointers) this.#putPointers(number, distance, sink);
  }

  /** The stored form, a view of the buffer. */
  #finish(key: Buffer, timeMs: number): Buffer {
    const { frame, count } = this;
    const collection = frame.collections[0] ?? 0;
    const sameCollection = isAll(frame.collections, count, collection);
    const hasTransactions = this.#transactions.some((tid) => tid !== 0n);
    const flags =
      (sameCollection ? 0 : FLAG_COLLECTIONS) | (hasTransactions ? FLAG_TRANSACTIONS : 0);
    let at = BLOCK_HEADER_BYTES + this.length;
    const value = this.buffer.subarray(0, at + directoryBytes(count, flags));
    value[4] = BLOCK_VERSION;
    value[5] = flags;
    value.writeUInt16LE(0, 6);
    value.writeBigUInt64LE(this.#firstTick, 8);
    value.writeDoubleLE(timeMs, 16);
    value.writeUInt32LE(count, 24);
    value.writeUInt32LE(this.length, 28);
    value.writeUInt32LE(collection, 32);
    at = writeColumn32(value, at, frame.offsets, count);
    at = writeColumn32(value, at, frame.ends, count);
    for (let i = 0; i < count; i++, at += 2) {
      const type = frame.types[i] ?? 0;
      value[at] = type;
      value[at + 1] = type >>> 8;
    }
    if (!sameCollection) at = writeColumn32(value, at, frame.collections, count);
    if (hasTransactions) {
      for (let i = 0; i < count; i++) {
        at = value.writeBigUInt64LE(this.#transactions[i] ?? 0n, at);
      }
    }
    value.writeUInt32LE(blockCrc(key, value), 0);
    return value;
  }

  #putPointers(number: number, distance: number, sink: RecordSink): void {
    const { frame } = this;
    const { buffer } = frame;
    const high = Number(this.#firstTick >> 32n);
    const low = Number(this.#firstTick & SPAN_MAX);
    for (let i = 0; i < this.count; i++) {
      const keyEnd = frame.keyEnds[i] ?? 0;
      if (keyEnd === 0) continue;
      const key = primaryKeyBytes(number, buffer, frame.keyStarts[i] ?? 0, keyEnd, sink.keys);
      const offset = frame.offsets[i] ?? 0;
      if (frame.types[i] === MarkerType.remove) {
        sink.del(key);
        continue;
      }
      const revEnd = frame.revEnds[i] ?? 0;
      const rev = revEnd > 0 && { source: buffer, start: frame.revStarts[i] ?? 0, end: revEnd };
      const tickLow = low + offset;
      const tickHigh = high + (tickLow >= TWO_32 ? 1 : 0);
      sink.put(
        key,
        encodePointerBytes(tickHigh, tickLow, distance - offset, rev || undefined, sink.values),
      );
    }
  }

  #setTransaction(i: number, transaction: bigint): void {
    while (this.#transactions.length < i) this.#transactions.push(0n);
    this.#transactions[i] = transaction;
  }
}

function isAll(column: Uint32Array, count: number, value: number): boolean {
  for (let i = 0; i < count; i++) if (column[i] !== value) return false;
  return true;
}

/** Little-endian; returns where it ends. */
function writeColumn32(target: Buffer, start: number, column: Uint32Array, count: number): number {
  let at = start;
  for (let i = 0; i < count; i++, at += 4) {
    const value = column[i] ?? 0;
    target[at] = value;
    target[at + 1] = value >>> 8;
    target[at + 2] = value >>> 16;
    target[at + 3] = value >>> 24;
  }
  return at;
}
