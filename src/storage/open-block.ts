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
import { Cell, type Frame, ROW_CELLS, SOURCE_BYTES, STANDARD_BYTES } from './block-frame.ts';
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
  // What most blocks have none of is made when it is wanted: a commit may have thousands of blocks.
  /** By entry; shorter when the last ones have none. */
  #pointers: (OpenPointer | undefined)[] | undefined;
  /** By entry; shorter when the last ones have none. */
  #transactions: bigint[] | undefined;
  #hasOwnPointers = false;
  /** Which bytes of which page stand behind the block. */
  #source: { page: Buffer; from: number; to: number } | undefined;

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
    this.length += bytes;
    this.#setRow(i, Number(tick - this.#firstTick), type, collection);
    if (transaction !== 0n) this.#setTransaction(i, transaction);
    if (pointer) (this.#pointers ??= [])[i] = pointer;
  }

  /**
   * Appends the lines `from` to `to` of a run, which must have room, with new ticks of as many digits as theirs have.
   */
  pushRun(run: LineRun, from: number, to: number, firstTick: Tick, collection: number): void {
    const { buffer, rows } = this.frame;
    const { page, ends, types, keyStarts, keyEnds, revStarts, revEnds } = run;
    const start = from === 0 ? run.start : (ends[from - 1] ?? 0);
    const end = ends[to - 1] ?? 0;
    page.copy(buffer, BLOCK_HEADER_BYTES + this.length, start, end);
    if (this.count === 0) this.#firstTick = firstTick;
    // From an offset in the page to one in the buffer, and to one in the lines.
    const shift = BLOCK_HEADER_BYTES + this.length - start;
    const linesShift = this.length - start;
    const digits = Buffer.from(firstTick.toString(), 'latin1');
    let offset = Number(firstTick - this.#firstTick);
    let tickAt = start + shift + run.tickAt;
    let n = this.count;
    for (let i = from; i < to; i++, n++) {
      for (let d = 0; d < digits.length; d++) buffer[tickAt + d] = digits[d] ?? 0;
      addDigits(digits, 1);
      const lineEnd = ends[i] ?? 0;
      tickAt = lineEnd + shift + run.tickAt;
      const row = ROW_CELLS * n;
      rows[row + Cell.offset] = offset++;
      rows[row + Cell.end] = lineEnd + linesShift;
      rows[row + Cell.type] = types[i] ?? 0;
      rows[row + Cell.collection] = collection;
      rows[row + Cell.keyStart] = (keyStarts[i] ?? 0) + shift;
      rows[row + Cell.keyEnd] = (keyEnds[i] ?? 0) + shift;
      rows[row + Cell.revStart] = (revStarts[i] ?? 0) + shift;
      rows[row + Cell.revEnd] = (revEnds[i] ?? 0) + shift;
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
    const { buffer, count: n } = this;
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
    this.length = restAt + end - copied - BLOCK_HEADER_BYTES;
    this.count = n + 1;
    this.#setRow(n, offset, run.types[i] ?? 0, collection);
    const keyEnd = (run.keyEnds[i] ?? 0) + shift;
    this.own(keyStart + shift, keyEnd, (run.revStarts[i] ?? 0) + shift, revEnd + shift);
  }

  /** As `push`. @param offset of its tick from the first one of the block */
  pushAt(
    offset: number,
    bytes: number,
    type: number,
    collection: number,
    transaction: bigint,
  ): void {
    const n = this.count++;
    this.length += bytes;
    this.#setRow(n, offset, type, collection);
    if (transaction !== 0n) this.#setTransaction(n, transaction);
  }

  /**
   * Has the entry pushed last put its key to point to it when the block is sealed. Offsets are places in the buffer.
   * @param revEnd 0 for a revision that is the tick
   */
  own(keyStart: number, keyEnd: number, revStart: number, revEnd: number): void {
    const { rows } = this.frame;
    const row = ROW_CELLS * (this.count - 1);
    rows[row + Cell.keyStart] = keyStart;
    rows[row + Cell.keyEnd] = keyEnd;
    rows[row + Cell.revStart] = revStart;
    rows[row + Cell.revEnd] = revEnd;
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
    const source = (this.#source ??= { page, from: 0, to: 0 });
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
    return this.#firstTick + BigInt(this.#cell(i, Cell.offset));
  }

  type(i: number): number {
    return this.#cell(i, Cell.type);
  }

  /** Whether an entry with a pointer of its own has this key. */
  hasKey(i: number, { collection, source, start, end }: KeyCursor): boolean {
    const { buffer, rows } = this.frame;
    const row = ROW_CELLS * i;
    const own = rows[row + Cell.keyStart] ?? 0;
    if ((rows[row + Cell.keyEnd] ?? 0) - own !== end - start) return false;
    if (rows[row + Cell.collection] !== collection) return false;
    for (let at = start; at < end; at++) if (buffer[own + at - start] !== source[at]) return false;
    return true;
  }

  /** Key of an entry with a pointer of its own. */
  key(i: number): string {
    return this.buffer.toString('latin1', this.#cell(i, Cell.keyStart), this.#cell(i, Cell.keyEnd));
  }

  /** Revision of an entry with a pointer of its own. */
  revision(i: number): string {
    if (this.#cell(i, Cell.revEnd) === 0) return tickText(this.tick(i));
    return this.buffer.toString('latin1', this.#cell(i, Cell.revStart), this.#cell(i, Cell.revEnd));
  }

  /** From an entry to the end of the block, in ticks; as it is now. */
  distance(i: number): number {
    return this.#cell(this.count - 1, Cell.offset) - this.#cell(i, Cell.offset);
  }

  /** Index of the entry with this tick, -1 when there is none. */
  find(tick: Tick): number {
    const offset = tick - this.#firstTick;
    if (offset < 0n || offset > SPAN_MAX) return -1;
    const wanted = Number(offset);
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#cell(middle, Cell.offset) < wanted) low = middle + 1;
      else high = middle;
    }
    return low < this.count && this.#cell(low, Cell.offset) === wanted ? low : -1;
  }

  /** The line of an entry as text, without its newline. */
  lineText(i: number): string {
    const start = i === 0 ? 0 : this.#cell(i - 1, Cell.end);
    const end = this.#cell(i, Cell.end) - 1;
    return this.buffer.toString('utf8', BLOCK_HEADER_BYTES + start, BLOCK_HEADER_BYTES + end);
  }

  /** Drops all entries from the `count`-th on. */
  truncate(count: number): void {
    this.count = count;
    this.length = count === 0 ? 0 : this.#cell(count - 1, Cell.end);
    if (this.#pointers && this.#pointers.length > count) this.#pointers.length = count;
    if (this.#transactions && this.#transactions.length > count) this.#transactions.length = count;
  }

  /**
   * Finishes header and directory, tells the pointers to its entries where it ends, and hands it to `sink`; behind
   * it what entries with a pointer of their own make of their keys.
   */
  seal(space: BlockSpace, number: number, timeMs: number, sink: RecordSink): void {
    const distance = this.#cell(this.count - 1, Cell.offset);
    const key = blockKey(space, number, this.#firstTick + BigInt(distance), sink.keys);
    sink.put(key, this.#finish(key, timeMs));
    this.#pointers?.forEach((pointer, i) => {
      if (pointer) pointer.distance = distance - this.#cell(i, Cell.offset);
    });
    if (this.#hasOwnPointers) this.#putPointers(number, distance, sink);
  }

  /** The stored form, a view of the buffer. */
  #finish(key: Buffer, timeMs: number): Buffer {
    const { count } = this;
    const { view } = this.frame;
    const collection = this.#cell(0, Cell.collection);
    const sameCollection = this.#isAllOf(collection);
    const hasTransactions = this.#transactions?.some((tid) => tid !== 0n) ?? false;
    const flags =
      (sameCollection ? 0 : FLAG_COLLECTIONS) | (hasTransactions ? FLAG_TRANSACTIONS : 0);
    let at = BLOCK_HEADER_BYTES + this.length;
    const value = this.buffer.subarray(0, at + directoryBytes(count, flags));
    view.setUint8(4, BLOCK_VERSION);
    view.setUint8(5, flags);
    view.setUint16(6, 0, true);
    view.setBigUint64(8, this.#firstTick, true);
    view.setFloat64(16, timeMs, true);
    view.setUint32(24, count, true);
    view.setUint32(28, this.length, true);
    view.setUint32(32, collection, true);
    at = this.#writeColumn(Cell.offset, at);
    at = this.#writeColumn(Cell.end, at);
    for (let i = 0; i < count; i++, at += 2) view.setUint16(at, this.#cell(i, Cell.type), true);
    if (!sameCollection) at = this.#writeColumn(Cell.collection, at);
    if (hasTransactions) {
      for (let i = 0; i < count; i++, at += 8) {
        view.setBigUint64(at, this.#transactions?.[i] ?? 0n, true);
      }
    }
    value.writeUInt32LE(blockCrc(key, value), 0);
    return value;
  }

  #putPointers(number: number, distance: number, sink: RecordSink): void {
    const { buffer, rows } = this.frame;
    const high = Number(this.#firstTick >> 32n);
    const low = Number(this.#firstTick & SPAN_MAX);
    for (let i = 0; i < this.count; i++) {
      const row = ROW_CELLS * i;
      const keyEnd = rows[row + Cell.keyEnd] ?? 0;
      if (keyEnd === 0) continue;
      const key = primaryKeyBytes(
        number,
        buffer,
        rows[row + Cell.keyStart] ?? 0,
        keyEnd,
        sink.keys,
      );
      const offset = rows[row + Cell.offset] ?? 0;
      if (rows[row + Cell.type] === MarkerType.remove) {
        sink.del(key);
        continue;
      }
      const revEnd = rows[row + Cell.revEnd] ?? 0;
      const rev = revEnd > 0 && {
        source: buffer,
        start: rows[row + Cell.revStart] ?? 0,
        end: revEnd,
      };
      const tickLow = low + offset;
      const tickHigh = high + (tickLow >= TWO_32 ? 1 : 0);
      sink.put(
        key,
        encodePointerBytes(tickHigh, tickLow, distance - offset, rev || undefined, sink.values),
      );
    }
  }

  /** Of an entry that has no pointer of its own, or not yet. */
  #setRow(i: number, offset: number, type: number, collection: number): void {
    const { rows } = this.frame;
    const row = ROW_CELLS * i;
    rows[row + Cell.offset] = offset;
    rows[row + Cell.end] = this.length;
    rows[row + Cell.type] = type;
    rows[row + Cell.collection] = collection;
    rows[row + Cell.keyEnd] = 0;
  }

  #cell(i: number, column: number): number {
    return this.frame.rows[ROW_CELLS * i + column] ?? 0;
  }

  #isAllOf(collection: number): boolean {
    for (let i = 0; i < this.count; i++) {
      if (this.#cell(i, Cell.collection) !== collection) return false;
    }
    return true;
  }

  /** Little-endian; returns where it ends. */
  #writeColumn(column: number, start: number): number {
    const { view } = this.frame;
    let at = start;
    for (let i = 0; i < this.count; i++, at += 4) view.setUint32(at, this.#cell(i, column), true);
    return at;
  }

  #setTransaction(i: number, transaction: bigint): void {
    const transactions = (this.#transactions ??= []);
    while (transactions.length < i) transactions.push(0n);
    transactions[i] = transaction;
  }
}
