import { objectList } from '../base/object-list.ts';
import { MarkerType } from '../model/marker.ts';
import { isValidKey } from '../model/names.ts';
import type { Tick } from '../model/tick.ts';
import { type RunPart, RunParts, stands } from './run-part.ts';

/** Lines of one run at most. */
const LINES_MAX = 16 * 1024;
/** Columns for more lines are not kept for other pages. */
const LINES_KEPT_MAX = 4 * 1024;
/** For each of its collections: lines that need not be brought together are better dealt with while they are in cache. */
const LINES_PER_PART = 256;
/** No plain line is shorter: columns for more lines than a page can have would cost more than a page of one line. */
const LINE_MIN_BYTES = 40;
/** Most are longer than this: pages of others have more runs. */
const LINE_USUAL_BYTES = 128;
/** Of a page so much is made a text at a time, or one line: a text of all of it would be slow to get and to get rid of. */
const WINDOW_BYTES = 16 * 1024;

const HEAD = Buffer.from('{"tick":"');
const TYPE = Buffer.from('","type":230');
const TID = Buffer.from(',"tid":"');
const REV = Buffer.from(',"rev":"');
const OLD_REV = Buffer.from(',"oldRev":"');
const DATA = Buffer.from(',"data":{');

const SAFE_DIGITS = 15;
const KEY_MAX = 254;
const QUOTE = 0x22;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const CLOSE_BRACE = 0x7d;
const NEWLINE = 0x0a;
const LAST_ASCII = 0x7e;
const NOTHING = Buffer.alloc(0);
/** Below 0 for none; no integer, as code compiled for small ones would be thrown away when it grows large. */
const NO_REVISION = -0.5;
/** By character code: 1 where it may stand in a key. */
const KEY_CODES = Uint8Array.from({ length: 256 }, (_, code) =>
  code <= LAST_ASCII && isValidKey(String.fromCharCode(code)) ? 1 : 0,
);

/**
 * Finds runs of neighbouring document lines in a page of a journal or a log that a ticklog server printed: lines of
 * exactly the shape of `documentTail`, of one transaction or none, with ticks of the same number of digits and, in
 * each collection, upserts of one type. `next` moves to a run, the columns describe it until the next call; nothing is
 * made per line. For pages that are known to be whole and ours, by their checksum; what is inside `data` is not looked
 * at. All offsets are bytes into the page.
 */
export class PlainLines {
  page!: Buffer;
  view!: DataView;
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
  /** The parts of the run, one a collection, by the first line of each. */
  readonly parts = objectList<RunPart>();
  /** The lines of the run, part after part. */
  readonly byParts: Int32Array;
  /** Where the digits of a tick begin, from the beginning of its line on. */
  readonly tickAt = HEAD.length;
  /** Digits of each tick of the run; 15 at most. */
  tickDigits = 0;
  /** Transaction of all lines, empty outside of one. */
  tid = '';
  /** Whether all lines are upserts, and each key is above the one before it in byte order. */
  ascending = true;

  /** A part of the page, one character a byte. */
  #window = '';
  #windowStart = 0;
  /** What says the transaction. */
  #tidBytes: Buffer = NOTHING;
  #known!: RunParts;
  readonly #linesMax: number;
  /** By line: the place of its part. */
  readonly #partOf: Uint16Array;
  #hasOldRevisions = false;
  #largestRevision = NO_REVISION;

  constructor(page: Buffer) {
    this.reopen(page);
    const lines = linesIn(page);
    this.#linesMax = lines;
    this.ends = new Int32Array(lines);
    this.types = new Uint16Array(lines);
    this.keyStarts = new Int32Array(lines);
    this.keyEnds = new Int32Array(lines);
    this.revStarts = new Int32Array(lines);
    this.revEnds = new Int32Array(lines);
    this.tails = new Int32Array(lines);
    this.byParts = new Int32Array(lines);
    this.#partOf = new Uint16Array(lines);
  }

  /** Goes to another page, as a new one would: columns are more work to make than a small page is to read. */
  reopen(page: Buffer): void {
    this.page = page;
    this.view = new DataView(page.buffer, page.byteOffset, page.length);
    this.#known = new RunParts(page);
    this.start = 0;
    this.count = 0;
    this.parts.length = 0;
    this.#tidBytes = NOTHING;
    this.#window = '';
    this.#windowStart = 0;
    this.#largestRevision = NO_REVISION;
  }

  /** Whether runs of this page would be as long with columns of its own. */
  suits(page: Buffer): boolean {
    return this.#linesMax >= linesIn(page);
  }

  /** Whether its columns take so little memory that they may be kept for other pages. */
  get isSmall(): boolean {
    return this.#linesMax <= LINES_KEPT_MAX;
  }

  /** Behind the last line of the run. */
  get end(): number {
    return this.count === 0 ? this.start : (this.ends[this.count - 1] ?? 0);
  }

  /** Whether the lines have nothing that lines of a journal have not. */
  get isJournal(): boolean {
    return this.tid === '' && this.parts[0]?.cid === '' && !this.isMixed && !this.#hasOldRevisions;
  }

  /** Whether there is more than one part. */
  get isMixed(): boolean {
    return this.parts.length > 1;
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
    return BigInt(Math.max(0, this.#largestRevision));
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
    for (const part of this.parts) part.clear();
    this.parts.length = 0;
    this.#hasOldRevisions = false;
    this.ascending = true;
    this.tickDigits = this.#digitsAt(start + HEAD.length);
    if (this.tickDigits === 0 || this.tickDigits > SAFE_DIGITS) return false;
    if (!this.#findTid(start + HEAD.length + this.tickDigits + TYPE.length + 1)) return false;
    const stop = Math.min(start + bytes, this.page.length);
    while (this.count < this.#room && this.end < stop && this.#line(this.end));
    this.#order();
    return this.count > 0;
  }

  /** Says that no part is refused any more. */
  admitAll(): void {
    this.#known.admitAll();
  }

  get #room(): number {
    return Math.min(this.#linesMax, LINES_PER_PART * Math.max(1, this.parts.length));
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

  /** Notes the transaction; mostly it is that of the run before. Never `0`, which would be none. */
  #findTid(start: number): boolean {
    const { page } = this;
    this.tid = '';
    this.#tidBytes = NOTHING;
    if (!stands(TID, page, start)) return true;
    const digits = start + TID.length;
    const end = digits + this.#digitsAt(digits);
    if (end === digits || page[digits] === ZERO || page[end] !== QUOTE) return false;
    this.tid = page.toString('latin1', digits, end);
    this.#tidBytes = page.subarray(start, end + 1);
    return true;
  }

  /** Puts the lines in the order of the parts. */
  #order(): void {
    if (!this.isMixed) {
      const [part] = this.parts;
      if (!part) return;
      part.start = 0;
      part.end = this.count;
      return;
    }
    let at = 0;
    for (const part of this.parts) {
      part.start = at;
      part.end = at;
      at += part.count;
    }
    for (let i = 0; i < this.count; i++) {
      const part = this.parts[this.#partOf[i] ?? 0];
      if (part) this.byParts[part.end++] = i;
    }
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
    if (!stands(this.#tidBytes, page, at + 1)) return false;
    at += 1 + this.#tidBytes.length;
    const part = this.#known.at(at);
    if (!part || part.isRefused || !isOfPart(type, part)) return false;
    const keyStart = at + part.name.length;
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
    this.byParts[i] = i;
    if (part.count === 0) {
      part.place = this.parts.length;
      this.parts.push(part);
    }
    part.count++;
    this.#partOf[i] = part.place;
    if (type === MarkerType.remove) {
      this.ascending = false;
      part.removals++;
    } else part.upsertType = type;
    if (tail > revEnd + 1) this.#hasOldRevisions = true;
    this.ascending &&= i === 0 || this.#isAbove(i);
    this.count = i + 1;
    return true;
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

/** So many lines the runs of a page have at most. */
function linesIn({ length }: Buffer): number {
  const usual = Math.max(LINES_PER_PART, Math.ceil(length / LINE_USUAL_BYTES));
  return Math.min(LINES_MAX, usual, Math.ceil(length / LINE_MIN_BYTES));
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** Whether a line of this type may be one of those of a part. */
function isOfPart(type: number, { upsertType }: RunPart): boolean {
  if (type === MarkerType.remove) return true;
  if (upsertType !== undefined) return type === upsertType;
  return type === MarkerType.document || type === MarkerType.edge;
}
