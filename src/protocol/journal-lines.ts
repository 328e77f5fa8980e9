import { MarkerType, type UpsertMarkerType } from '../model/marker.ts';
import { NumericRevisions } from '../model/numeric-revisions.ts';
import type { Tick } from '../model/tick.ts';

/** Lines of one run at most. */
const LINES_MAX = 256;

const HEAD = Buffer.from('{"tick":"');
const TYPE = Buffer.from('","type":230');
const KEY = Buffer.from(',"key":"');
const REV = Buffer.from(',"rev":"');
const DATA = Buffer.from(',"data":{');

const SAFE_DIGITS = 15;
const QUOTE = 0x22;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const CLOSE_BRACE = 0x7d;
const NEWLINE = 0x0a;
const LAST_ASCII = 0x7e;

/**
 * Finds runs of neighbouring lines in a page of a journal that a ticklog server printed: lines of exactly the
 * shape of `documentTail`, with ticks of the same number of digits. `next` moves to a run, the columns describe it
 * until the next call; nothing is made per line. For pages that are known to be whole and ours, by their checksum;
 * what is inside `data` is not looked at. All offsets are bytes into the page.
 */
export class JournalLines {
  readonly page: Buffer;
  /** Number of lines in the run; 0 when the next line is not plain, or there is none. */
  count = 0;
  /** Where the run begins. */
  start = 0;
  /** Behind the newline of each line. */
  readonly ends = new Int32Array(LINES_MAX);
  readonly types = new Uint16Array(LINES_MAX);
  /** Of the key's text and, exclusive, of its end; likewise of the revision. */
  readonly keyStarts = new Int32Array(LINES_MAX);
  readonly keyEnds = new Int32Array(LINES_MAX);
  readonly revStarts = new Int32Array(LINES_MAX);
  readonly revEnds = new Int32Array(LINES_MAX);
  /** Where the digits of a tick begin, from the beginning of its line on. */
  readonly tickAt = HEAD.length;
  /** Digits of each tick of the run; 15 at most. */
  tickDigits = 0;
  /** Whether all lines are upserts, and each key is above the one before it in byte order. */
  ascending = true;

  /** One character a byte. */
  readonly #text: string;
  readonly #upsert: number;
  readonly #revisions = new NumericRevisions();
  #largestRevision = 0;

  /** @param type of the upserts; lines of another type are not plain */
  constructor(page: Buffer, type: UpsertMarkerType) {
    this.page = page;
    this.#text = page.toString('latin1');
    this.#upsert = type;
  }

  /** Behind the last line of the run. */
  get end(): number {
    return this.count === 0 ? this.start : (this.ends[this.count - 1] ?? 0);
  }

  /** Tick of the last line of the run, which must have one. */
  get lastTick(): Tick {
    const line = this.count === 1 ? this.start : (this.ends[this.count - 2] ?? 0);
    const at = line + this.tickAt;
    return BigInt(this.#text.slice(at, at + this.tickDigits));
  }

  /** The largest revision so far that is a number, 0 for none. */
  get largestRevision(): Tick {
    if (this.#largestRevision > 0) this.#revisions.add(this.#largestRevision.toString());
    return this.#revisions.largest;
  }

  key(i: number): string {
    return this.page.toString('latin1', this.keyStarts[i], this.keyEnds[i]);
  }

  /**
   * Moves to the run that begins at `start`, where a line begins.
   * @param bytes the run ends with the line with which it grows larger than this
   * @returns false when there is no plain line
   */
  next(start: number, bytes: number): boolean {
    this.start = start;
    this.count = 0;
    this.ascending = true;
    this.tickDigits = this.#digitsAt(start + HEAD.length);
    if (this.tickDigits === 0 || this.tickDigits > SAFE_DIGITS) return false;
    while (this.count < LINES_MAX && this.end - start < bytes && this.#line(this.end));
    return this.count > 0;
  }

  #digitsAt(start: number): number {
    const { page } = this;
    let end = start;
    while (end < page.length && isDigit(page[end] ?? 0)) end++;
    return end - start;
  }

  /** Adds the line to the run; false when it is not plain. */
  #line(start: number): boolean {
    const { page } = this;
    const i = this.count;
    if (!stands(HEAD, page, start)) return false;
    let at = start + HEAD.length + this.tickDigits;
    if (!stands(TYPE, page, at)) return false;
    at += TYPE.length;
    const type = MarkerType.document + (page[at] ?? 0) - ZERO;
    if (type !== this.#upsert && type !== MarkerType.remove) return false;
    if (!stands(KEY, page, at + 1)) return false;
    const keyStart = at + 1 + KEY.length;
    const keyEnd = this.#plainEnd(keyStart);
    if (keyEnd < 0 || !stands(REV, page, keyEnd + 1)) return false;
    const revStart = keyEnd + 1 + REV.length;
    const revEnd = this.#plainEnd(revStart);
    if (revEnd < 0) return false;
    const end = this.#endOfLine(revEnd + 1, type);
    if (end < 0) return false;
    this.types[i] = type;
    this.keyStarts[i] = keyStart;
    this.keyEnds[i] = keyEnd;
    this.revStarts[i] = revStart;
    this.revEnds[i] = revEnd;
    this.ends[i] = end;
    this.#noteRevision(revStart, revEnd);
    this.ascending &&= type === this.#upsert && (i === 0 || this.#isAbove(i));
    this.count = i + 1;
    return true;
  }

  /** The closing quote of a string that is its own source text; -1 when it has escapes or so. */
  #plainEnd(start: number): number {
    const { page } = this;
    for (let at = start; at < page.length; at++) {
      const code = page[at] ?? 0;
      if (code === QUOTE) return at;
      if (code < 0x20 || code > LAST_ASCII || code === BACKSLASH) return -1;
    }
    return -1;
  }

  /** Behind the newline, when what stands behind the revision is as it should be; else -1. */
  #endOfLine(at: number, type: number): number {
    const { page } = this;
    if (type === MarkerType.remove) {
      return page[at] === CLOSE_BRACE && page[at + 1] === NEWLINE ? at + 2 : -1;
    }
    if (!stands(DATA, page, at)) return -1;
    const newline = this.#text.indexOf('\n', at + DATA.length);
    if (newline < 0) return -1;
    return page[newline - 1] === CLOSE_BRACE && page[newline - 2] === CLOSE_BRACE
      ? newline + 1
      : -1;
  }

  /** Whether the key of line `i` is above that of the line before. */
  #isAbove(i: number): boolean {
    const { page } = this;
    let at = this.keyStarts[i] ?? 0;
    let other = this.keyStarts[i - 1] ?? 0;
    const otherEnd = this.keyEnds[i - 1] ?? 0;
    const end = this.keyEnds[i] ?? 0;
    for (; at < end && other < otherEnd; at++, other++) {
      const difference = (page[at] ?? 0) - (page[other] ?? 0);
      if (difference !== 0) return difference > 0;
    }
    return at < end;
  }

  #noteRevision(start: number, end: number): void {
    const { page } = this;
    if (end - start > SAFE_DIGITS) {
      this.#revisions.add(this.#text.slice(start, end));
      return;
    }
    if (page[start] === ZERO) return;
    let value = 0;
    for (let at = start; at < end; at++) {
      const code = page[at] ?? 0;
      if (!isDigit(code)) return;
      value = value * 10 + (code - ZERO);
    }
    if (value > this.#largestRevision) this.#largestRevision = value;
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** Whether these bytes stand there. */
function stands(bytes: Buffer, page: Buffer, at: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (page[at + i] !== bytes[i]) return false;
  return true;
}
