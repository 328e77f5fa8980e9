import { MarkerType } from '../model/marker.ts';
import { isValidKey } from '../model/names.ts';
import type { Tick } from '../model/tick.ts';

/** Lines of one run at most. */
const LINES_MAX = 256;
/** No plain line is shorter: columns for more lines than a page can have would cost more than a page of one line. */
const LINE_MIN_BYTES = 40;
/** Of a page so much is made a text at a time, or one line: a text of all of it would be slow to get and to get rid of. */
const WINDOW_BYTES = 16 * 1024;

const HEAD = Buffer.from('{"tick":"');
const TYPE = Buffer.from('","type":230');
const KEY = Buffer.from(',"key":"');
const REV = Buffer.from(',"rev":"');
const OLD_REV = Buffer.from(',"oldRev":"');
const DATA = Buffer.from(',"data":{');
const KEY_TEXT = KEY.toString();
const ASCII = /^[ -~]*$/;

const SAFE_DIGITS = 15;
/** Of ids, the name of a collection, and what is around them. */
const MIDDLE_MAX = 1024;
const KEY_MAX = 254;
const QUOTE = 0x22;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const CLOSE_BRACE = 0x7d;
const NEWLINE = 0x0a;
const LAST_ASCII = 0x7e;
/** What stands between type and key; `tid` is never `0`, which would be none. */
const MIDDLE = /^(?:,"tid":"([1-9][0-9]*)")?(?:,"cid":"([^"\\]+)","cname":"([^"\\]+)")?$/;
/** By character code: 1 where it may stand in a key. */
const KEY_CODES = Uint8Array.from({ length: 256 }, (_, code) =>
  code <= LAST_ASCII && isValidKey(String.fromCharCode(code)) ? 1 : 0,
);

/**
 * Finds runs of neighbouring document lines in a page of a journal or a log that a ticklog server printed: lines of
 * exactly the shape of `documentTail`, alike between type and key - which is to say of one collection and
 * transaction - and with ticks of the same number of digits. `next` moves to a run, the columns describe it until
 * the next call; nothing is made per line. For pages that are known to be whole and ours, by their checksum; what is
 * inside `data` is not looked at. All offsets are bytes into the page.
 */
export class PlainLines {
  readonly page: Buffer;
  /** Number of lines in the run; 0 when the next line is not plain, or there is none. */
  count = 0;
  /** Where the run begins. */
  start = 0;
  /** Behind the newline of each line. */
  readonly ends: Int32Array;
  readonly types: Uint16Array;
  /** Of the key's text, which is a valid key, and, exclusive, of its end; likewise of the revision. */
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  readonly revStarts: Int32Array;
  readonly revEnds: Int32Array;
  /** Of what follows the revision, or the old revision where there is one: the comma before `"data"`, or `}`. */
  readonly tails: Int32Array;
  /** Where the digits of a tick begin, from the beginning of its line on. */
  readonly tickAt = HEAD.length;
  /** Digits of each tick of the run; 15 at most. */
  tickDigits = 0;
  /** Type of the upserts; undefined when there are only removals. */
  upsertType: number | undefined;
  /** How many of the lines are removals. */
  removals = 0;
  /** Transaction of all lines, empty outside of one. */
  tid = '';
  /** Id and name of the collection of all lines; empty in journals. */
  cid = '';
  cname = '';
  /** Whether all lines are upserts, and each key is above the one before it in byte order. */
  ascending = true;

  /** A part of the page, one character a byte. */
  #window = '';
  #windowStart = 0;
  #middle = HEAD;
  readonly #linesMax: number;
  #hasOldRevisions = false;
  #largestRevision = 0;

  constructor(page: Buffer) {
    this.page = page;
    const lines = Math.min(LINES_MAX, Math.ceil(page.length / LINE_MIN_BYTES));
    this.#linesMax = lines;
    this.ends = new Int32Array(lines);
    this.types = new Uint16Array(lines);
    this.keyStarts = new Int32Array(lines);
    this.keyEnds = new Int32Array(lines);
    this.revStarts = new Int32Array(lines);
    this.revEnds = new Int32Array(lines);
    this.tails = new Int32Array(lines);
  }

  /** Behind the last line of the run. */
  get end(): number {
    return this.count === 0 ? this.start : (this.ends[this.count - 1] ?? 0);
  }

  /** Whether the lines have nothing that lines of a journal have not. */
  get isJournal(): boolean {
    return this.#middle.length === 0 && !this.#hasOldRevisions;
  }

  get firstTick(): Tick {
    return this.#tickAt(this.start);
  }

  /** Tick of the last line of the run. */
  get lastTick(): Tick {
    return this.#tickAt(this.count === 1 ? this.start : (this.ends[this.count - 2] ?? 0));
  }

  /** The largest revision of all runs so far that is a number, 0 for none. */
  get largestRevision(): Tick {
    return BigInt(this.#largestRevision);
  }

  /** A text of its own: keeping it does not keep the page. */
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
    this.upsertType = undefined;
    this.removals = 0;
    this.#hasOldRevisions = false;
    this.ascending = true;
    this.tickDigits = this.#digitsAt(start + HEAD.length);
    if (this.tickDigits === 0 || this.tickDigits > SAFE_DIGITS) return false;
    if (!this.#findMiddle(start + HEAD.length + this.tickDigits + TYPE.length + 1)) return false;
    while (this.count < this.#linesMax && this.end - start < bytes && this.#line(this.end));
    return this.count > 0;
  }

  #tickAt(line: number): Tick {
    const at = line + this.tickAt;
    return BigInt(this.page.toString('latin1', at, at + this.tickDigits));
  }

  #digitsAt(start: number): number {
    const { page } = this;
    let end = start;
    while (end < page.length && isDigit(page[end] ?? 0)) end++;
    return end - start;
  }

  /** Notes what stands between type and key; mostly it is what stood there before. */
  #findMiddle(start: number): boolean {
    const { page } = this;
    if (stands(this.#middle, page, start) && stands(KEY, page, start + this.#middle.length)) {
      return true;
    }
    const text = page.toString('latin1', start, start + MIDDLE_MAX);
    const middle = text.slice(0, text.indexOf(KEY_TEXT));
    const parts = ASCII.test(middle) ? MIDDLE.exec(middle) : null;
    if (!parts) return false;
    this.#middle = Buffer.from(middle, 'latin1');
    [, this.tid = '', this.cid = '', this.cname = ''] = parts;
    return true;
  }

  /** Adds the line to the run; false when it is not plain, or not like the others. */
  #line(start: number): boolean {
    const { page } = this;
    const i = this.count;
    if (!stands(HEAD, page, start)) return false;
    let at = start + HEAD.length + this.tickDigits;
    if (!stands(TYPE, page, at)) return false;
    at += TYPE.length;
    const type = MarkerType.document + (page[at] ?? 0) - ZERO;
    if (!this.#isOfRun(type)) return false;
    if (!stands(this.#middle, page, at + 1)) return false;
    at += 1 + this.#middle.length;
    if (!stands(KEY, page, at)) return false;
    const keyStart = at + KEY.length;
    const keyEnd = this.#keyEnd(keyStart);
    if (keyEnd < 0 || !stands(REV, page, keyEnd + 1)) return false;
    const revStart = keyEnd + 1 + REV.length;
    const revEnd = this.#revisionEnd(revStart);
    if (revEnd < 0) return false;
    const tail = this.#tailAt(revEnd + 1);
    const end = tail < 0 ? -1 : this.#endOfLine(tail, type);
    if (end < 0) return false;
    this.types[i] = type;
    this.keyStarts[i] = keyStart;
    this.keyEnds[i] = keyEnd;
    this.revStarts[i] = revStart;
    this.revEnds[i] = revEnd;
    this.tails[i] = tail;
    this.ends[i] = end;
    if (type === MarkerType.remove) {
      this.ascending = false;
      this.removals++;
    } else this.upsertType = type;
    if (tail > revEnd + 1) this.#hasOldRevisions = true;
    this.ascending &&= i === 0 || this.#isAbove(i);
    this.count = i + 1;
    return true;
  }

  #isOfRun(type: number): boolean {
    if (type === MarkerType.remove) return true;
    if (this.upsertType !== undefined) return type === this.upsertType;
    return type === MarkerType.document || type === MarkerType.edge;
  }

  /** The quote behind a valid key, else -1. */
  #keyEnd(start: number): number {
    const { page } = this;
    let at = start;
    while (KEY_CODES[page[at] ?? 0] === 1) at++;
    return page[at] === QUOTE && at > start && at - start <= KEY_MAX ? at : -1;
  }

  /** The quote behind a revision that is no large number, and notes it; else -1. */
  #revisionEnd(start: number): number {
    const { page } = this;
    let value = 0;
    let isNumber = page[start] !== ZERO;
    for (let at = start; at < page.length; at++) {
      const code = page[at] ?? 0;
      if (code === QUOTE) {
        if (!isNumber) return at;
        if (at - start > SAFE_DIGITS) return -1;
        if (value > this.#largestRevision) this.#largestRevision = value;
        return at;
      }
      if (code < 0x20 || code > LAST_ASCII || code === BACKSLASH) return -1;
      if (isDigit(code)) value = value * 10 + (code - ZERO);
      else isNumber = false;
    }
    return -1;
  }

  /** Behind the old revision, if there is one; -1 when that is not plain. */
  #tailAt(start: number): number {
    const { page } = this;
    if (!stands(OLD_REV, page, start)) return start;
    for (let at = start + OLD_REV.length; at < page.length; at++) {
      const code = page[at] ?? 0;
      if (code === QUOTE) return at + 1;
      if (code < 0x20 || code > LAST_ASCII || code === BACKSLASH) return -1;
    }
    return -1;
  }

  /** Behind the newline, when what stands behind the revisions is as it should be; else -1. */
  #endOfLine(at: number, type: number): number {
    const { page } = this;
    if (type === MarkerType.remove) {
      return page[at] === CLOSE_BRACE && page[at + 1] === NEWLINE ? at + 2 : -1;
    }
    if (!stands(DATA, page, at)) return -1;
    const newline = this.#newline(at + DATA.length);
    if (newline < 0) return -1;
    return page[newline - 1] === CLOSE_BRACE && page[newline - 2] === CLOSE_BRACE
      ? newline + 1
      : -1;
  }

  /** The first newline from `from` on, -1 when there is none. */
  #newline(from: number): number {
    const { page } = this;
    if (from >= this.#windowStart) {
      const found = this.#window.indexOf('\n', from - this.#windowStart);
      if (found >= 0) return this.#windowStart + found;
    }
    for (let bytes = WINDOW_BYTES; ; bytes *= 2) {
      this.#windowStart = from;
      this.#window = page.toString('latin1', from, from + bytes);
      const found = this.#window.indexOf('\n');
      if (found >= 0) return from + found;
      if (from + bytes >= page.length) return -1;
    }
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
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** Whether these bytes stand there. */
function stands(bytes: Buffer, page: Buffer, at: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (page[at + i] !== bytes[i]) return false;
  return true;
}
