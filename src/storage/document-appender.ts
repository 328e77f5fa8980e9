import type { UpsertMarkerType } from '../model/marker.ts';
import { type Tick, tickText } from '../model/tick.ts';
import type { BlockSegment } from './ascending-keys.ts';
import { BlockCursor } from './block-cursor.ts';
import { BLOCK_HEADER_BYTES } from './block.ts';
import { type DocumentRows, ROW_CELLS, RowColumn } from './document-rows.ts';
import { addDigits } from './bytes.ts';
import type { OpenBlock } from './open-block.ts';
import type { RunTarget } from './run-appender.ts';

const TICK = '{"tick":"';
const TYPE = '","type":';
const KEY = Buffer.from('"key":"');
const REV = Buffer.from('","rev":"');
const OWN_KEY = Buffer.from('","data":{"_key":"');
const OWN_REV = Buffer.from('","_rev":"');
const OWN_FROM = Buffer.from('","_from":"');
const OWN_TO = Buffer.from('","_to":"');
/** Behind the last of the server's own attributes where the user has some, and where he has none. */
const NEXT = Buffer.from('",');
const LAST = Buffer.from('"');
const LINE_END = Buffer.from('}\n');
const CLOSE_BRACE = 0x7d;
/** What is around key, revision and the user's attributes of a document that is no edge. */
const FRAME_BYTES =
  KEY.length + REV.length + OWN_KEY.length + OWN_REV.length + NEXT.length + LINE_END.length;

/**
 * Prints documents that stand in a buffer as lines of a journal and of a log, byte by byte and without making anything
 * for one of them: the same lines as `BlockWriter.appendData` is given for new documents. Their ticks rise by one.
 */
export class DocumentAppender {
  readonly #journal: BlockCursor;
  readonly #log: BlockCursor | undefined;
  readonly #type: UpsertMarkerType;
  readonly #collection: number;
  readonly #transaction: bigint;
  readonly #head: Buffer;
  readonly #logHead: Buffer;
  /** Of the tick, in both heads. */
  readonly #digits: Buffer;
  readonly #logDigits: Buffer;
  readonly #segments: BlockSegment[] = [];
  /** Lines so far. */
  #count = 0;

  /**
   * @param deps.log undefined when nothing is logged
   * @param options.firstTick must have as many digits as the last one
   * @param options.logFields what stands between type and key in the log, such as `"cid":"7","cname":"a",`
   * @param options.transaction in the log; 0 for none
   */
  constructor(
    deps: { journal: RunTarget; log: RunTarget | undefined },
    options: {
      firstTick: Tick;
      type: UpsertMarkerType;
      collection: number;
      transaction: bigint;
      logFields: string;
    },
  ) {
    const { firstTick, type, collection, transaction, logFields } = options;
    this.#journal = new BlockCursor({ target: deps.journal }, { firstTick });
    this.#log = deps.log && new BlockCursor({ target: deps.log }, { firstTick });
    this.#type = type;
    this.#collection = collection;
    this.#transaction = transaction;
    const digits = tickText(firstTick);
    this.#head = Buffer.from(`${TICK}${digits}${TYPE}${type},`);
    this.#logHead = Buffer.from(`${TICK}${digits}${TYPE}${type},${logFields}`);
    this.#digits = this.#head.subarray(TICK.length, TICK.length + digits.length);
    this.#logDigits = this.#logHead.subarray(TICK.length, TICK.length + digits.length);
  }

  /** Bytes of journal lines so far. */
  get journalBytes(): number {
    return this.#journal.bytes;
  }

  get logBytes(): number {
    return this.#log?.bytes ?? 0;
  }

  append({ source, cells, count }: DocumentRows): void {
    for (let row = 0; row < count; row++) this.#append(source, cells, row * ROW_CELLS);
  }

  /** Must be called once behind the last line. Returns where the journal's lines are. */
  end(): readonly BlockSegment[] {
    this.#journal.end(this.#count - 1);
    this.#log?.end(this.#count - 1);
    return this.#segments;
  }

  #append(source: Buffer, cells: Int32Array, cell: number): void {
    const n = this.#count++;
    if (n > 0) {
      addDigits(this.#digits, 1);
      addDigits(this.#logDigits, 1);
    }
    const keyBytes =
      (cells[cell + RowColumn.keyEnd] ?? 0) - (cells[cell + RowColumn.keyStart] ?? 0);
    const revStart = cells[cell + RowColumn.revStart] ?? -1;
    const isRevTick = revStart < 0;
    const revBytes = isRevTick
      ? this.#digits.length
      : (cells[cell + RowColumn.revEnd] ?? 0) - revStart;
    const bytes = this.#head.length + tailBytes(source, cells, cell, keyBytes, revBytes);
    const block = this.#journal.blockFor(n, bytes);
    const { buffer } = block;
    const start = BLOCK_HEADER_BYTES + block.length;
    buffer.set(this.#head, start);
    const tail = start + this.#head.length;
    const keyStart = tail + KEY.length;
    const lineEnd = this.#putTail(buffer, tail, source, cells, cell);
    const keyEnd = keyStart + keyBytes;
    const ownRevStart = keyEnd + REV.length;
    block.pushAt(this.#journal.offset(n), bytes, this.#type, this.#collection, 0n);
    block.own(keyStart, keyEnd, ownRevStart, isRevTick ? 0 : ownRevStart + revBytes);
    this.#noteSegment(block);
    if (this.#log) this.#appendLog(this.#log, n, buffer, tail, lineEnd);
  }

  #appendLog(log: BlockCursor, n: number, source: Buffer, start: number, end: number): void {
    const bytes = this.#logHead.length + end - start;
    const block = log.blockFor(n, bytes);
    const at = BLOCK_HEADER_BYTES + block.length;
    block.buffer.set(this.#logHead, at);
    source.copy(block.buffer, at + this.#logHead.length, start, end);
    block.pushAt(log.offset(n), bytes, this.#type, this.#collection, this.#transaction);
  }

  /** Prints a line from its key on; returns where it ends. */
  #putTail(target: Buffer, start: number, source: Buffer, cells: Int32Array, cell: number): number {
    const keyStart = cells[cell + RowColumn.keyStart] ?? 0;
    const keyEnd = cells[cell + RowColumn.keyEnd] ?? 0;
    const given = cells[cell + RowColumn.revStart] ?? -1;
    const rev = given < 0 ? this.#digits : source;
    const revStart = given < 0 ? 0 : given;
    const revEnd = given < 0 ? rev.length : (cells[cell + RowColumn.revEnd] ?? 0);
    let at = put(target, start, KEY, 0, KEY.length);
    at = put(target, at, source, keyStart, keyEnd);
    at = put(target, at, REV, 0, REV.length);
    at = put(target, at, rev, revStart, revEnd);
    at = put(target, at, OWN_KEY, 0, OWN_KEY.length);
    at = put(target, at, source, keyStart, keyEnd);
    at = put(target, at, OWN_REV, 0, OWN_REV.length);
    at = put(target, at, rev, revStart, revEnd);
    const fromStart = cells[cell + RowColumn.fromStart] ?? -1;
    if (fromStart >= 0) {
      at = put(target, at, OWN_FROM, 0, OWN_FROM.length);
      at = put(target, at, source, fromStart, cells[cell + RowColumn.fromEnd] ?? 0);
      at = put(target, at, OWN_TO, 0, OWN_TO.length);
      const toStart = cells[cell + RowColumn.toStart] ?? 0;
      at = put(target, at, source, toStart, cells[cell + RowColumn.toEnd] ?? 0);
    }
    const restStart = cells[cell + RowColumn.restStart] ?? 0;
    const behind = source[restStart] === CLOSE_BRACE ? LAST : NEXT;
    at = put(target, at, behind, 0, behind.length);
    at += source.copy(target, at, restStart, cells[cell + RowColumn.restEnd] ?? 0);
    return put(target, at, LINE_END, 0, LINE_END.length);
  }

  #noteSegment(block: OpenBlock): void {
    const last = this.#segments[this.#segments.length - 1];
    if (last?.block === block) last.to = block.count;
    else this.#segments.push({ block, from: block.count - 1, to: block.count });
  }
}

/** Length of a line from its key on. */
function tailBytes(
  source: Buffer,
  cells: Int32Array,
  cell: number,
  keyBytes: number,
  revBytes: number,
): number {
  const restStart = cells[cell + RowColumn.restStart] ?? 0;
  const restBytes = (cells[cell + RowColumn.restEnd] ?? 0) - restStart;
  const bytes = FRAME_BYTES + 2 * keyBytes + 2 * revBytes + restBytes;
  const isEmpty = source[restStart] === CLOSE_BRACE;
  return (isEmpty ? bytes - 1 : bytes) + endsBytes(cells, cell);
}

function endsBytes(cells: Int32Array, cell: number): number {
  const fromStart = cells[cell + RowColumn.fromStart] ?? -1;
  if (fromStart < 0) return 0;
  const from = (cells[cell + RowColumn.fromEnd] ?? 0) - fromStart;
  const to = (cells[cell + RowColumn.toEnd] ?? 0) - (cells[cell + RowColumn.toStart] ?? 0);
  return OWN_FROM.length + from + OWN_TO.length + to;
}

/** Copies some bytes, of which there are so few that one call would cost more; returns where they end. */
function put(target: Buffer, at: number, source: Buffer, start: number, end: number): number {
  const shift = at - start;
  for (let i = start; i < end; i++) target[i + shift] = source[i] ?? 0;
  return end + shift;
}
