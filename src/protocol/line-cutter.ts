import { ServiceError } from '../model/errors.ts';
import { MarkerType, isDocumentMarker, isMarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { type ForeignLine, malformedLine, parseLine } from './line-parser.ts';

const TICK = '{"tick":"';
const TYPE = '","type":';
const TID = ',"tid":"';
const CID = ',"cid":"';
const CNAME = ',"cname":"';
const KEY = ',"key":"';
const REV = ',"rev":"';
const OLD_REV = ',"oldRev":"';
const DATA = ',"data":{"_key":"';
const DATA_VALUE_AT = ',"data":'.length;

const TYPE_DIGITS = 4;
const SAFE_DIGITS = 15;
const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const CLOSE_BRACE = 0x7d;
const LAST_ASCII = 0x7e;

/**
 * Walks over a page of lines that a ticklog server printed, without parsing or allocating per
 * line: `next()` moves to a line, the getters describe it until the next call. Offsets are byte
 * offsets into the page. For pages that are known to be whole and ours, by their checksum; what
 * is inside `data` is not looked at.
 *
 * A line that has not exactly the shape of `documentTail` and its neighbours is given to
 * `parseLine` instead; then `exact` is false, and the line must be printed anew from `parsed()`.
 *
 * Texts may be slices that keep the whole page in memory: what is stored for long must be copied.
 */
export class LineCutter {
  readonly page: Buffer;
  /** One character a byte, so that its offsets are those of the page. */
  #text = '';

  #exact = false;
  #parsed: ForeignLine | undefined;
  #type = 0;
  #tickNumber = 0;
  #tid = '';
  #lineStart = 0;
  #lineEnd = 0;
  #tickStart = 0;
  #typeStart = -1;
  #keyStart = -1;
  #keyEnd = -1;
  #revEnd = -1;
  #oldRevEnd = -1;
  #dataStart = -1;

  /** Neighbours mostly belong to one collection: its id, its name, and the source of both. */
  #collectionSource = '';
  #collectionCid = '';
  #collectionName = '';
  #hasCollection = false;

  constructor(page: Buffer) {
    this.page = page;
  }

  /** Whether the line has our shape; only then the offsets other than those of the line hold. */
  get exact(): boolean {
    return this.#exact;
  }

  get type(): number {
    return this.#type;
  }

  get tick(): Tick {
    if (this.#tickNumber >= 0) return BigInt(this.#tickNumber);
    return this.#exact ? BigInt(this.tickText) : (this.parsed().tick ?? 0n);
  }

  /** The tick as a number while it is exact as one; -1 when it has more than 15 digits. */
  get tickNumber(): number {
    return this.#tickNumber;
  }

  /** The tick in decimal digits. */
  get tickText(): string {
    return this.#exact
      ? this.#text.slice(this.#tickStart, this.#typeStart - 2)
      : this.tick.toString();
  }

  /** The transaction, empty outside of one. */
  get tid(): string {
    return this.#tid;
  }

  /** Id of the collection, empty in journals and in lines that concern none. */
  get cid(): string {
    return this.#hasCollection ? this.#collectionCid : '';
  }

  /** Name of the collection, empty likewise. */
  get cname(): string {
    return this.#hasCollection ? this.#collectionName : '';
  }

  /** Key of the document, empty in lines of other types. */
  get key(): string {
    if (!this.#exact) return this.parsed().key ?? '';
    if (this.#keyEnd < 0) return '';
    return this.#text.slice(this.#keyStart + KEY.length - 1, this.#keyEnd);
  }

  /** Revision, empty likewise. */
  get rev(): string {
    if (!this.#exact) return this.parsed().rev ?? '';
    if (this.#keyEnd < 0) return '';
    return this.#text.slice(this.#keyEnd + 1 + REV.length, this.#revEnd);
  }

  /** The revision before, empty when there is none. */
  get oldRev(): string {
    if (!this.#exact) return this.parsed().oldRev ?? '';
    if (this.#oldRevEnd < 0) return '';
    return this.#text.slice(this.#revEnd + 1 + OLD_REV.length, this.#oldRevEnd);
  }

  get lineStart(): number {
    return this.#lineStart;
  }

  /** Behind the newline. */
  get lineEnd(): number {
    return this.#lineEnd;
  }

  /** Of `"type"`: from here to `lineEnd` is the tail that a new tick can be put before. */
  get typeStart(): number {
    return this.#typeStart;
  }

  /** Of `"key"`: from here to `lineEnd` journal and changelog lines are alike but for `oldRev`. */
  get keyStart(): number {
    return this.#keyStart;
  }

  /** Behind the closing quote of `rev`: there `oldRev` or `data` may follow, each after a comma. */
  get revEnd(): number {
    return this.#revEnd < 0 ? -1 : this.#revEnd + 1;
  }

  /** Of the opening brace of the document, -1 when there is none. */
  get dataStart(): number {
    return this.#dataStart;
  }

  /** Behind the closing brace of the document, -1 when there is none. */
  get dataEnd(): number {
    return this.#dataStart < 0 ? -1 : this.#lineEnd - 2;
  }

  /**
   * The line, parsed on the first call; for everything but documents the way to its contents.
   *
   * @throws ServiceError as `parseLine`
   */
  parsed(): ForeignLine {
    return (this.#parsed ??= parseLine(this.#lineText()));
  }

  /** Makes the line that begins at `offset` the next one. */
  seek(offset: number): void {
    this.#lineEnd = offset;
  }

  /**
   * Moves to the next line.
   *
   * @returns false when there is none
   * @throws ServiceError as `parseLine` for a line of another shape, and invalidResponse (1401)
   *   when the page ends within a line, or a line has no tick, or a document line no key or rev
   */
  next(): boolean {
    const start = this.#lineEnd;
    if (start >= this.page.length) return false;
    if (this.#text === '') this.#text = this.page.toString('latin1');
    const newline = this.#text.indexOf('\n', start);
    if (newline < 0) throw new ServiceError('invalidResponse', 'page ends within a line');
    this.#lineStart = start;
    this.#lineEnd = newline + 1;
    this.#parsed = undefined;
    this.#exact = this.#cut(start, newline);
    if (!this.#exact) this.#adopt();
    return true;
  }

  /** Finds the fields by their fixed places. Returns false when something is not in its place. */
  #cut(start: number, newline: number): boolean {
    const text = this.#text;
    if (!text.startsWith(TICK, start)) return false;
    let pos = this.#cutTick(start + TICK.length);
    if (pos < 0 || !text.startsWith(TYPE, pos)) return false;
    this.#typeStart = pos + 2;
    pos += TYPE.length;
    const type = this.#cutType(pos);
    if (type < 0) return false;
    this.#type = type;
    pos += TYPE_DIGITS;

    this.#tid = '';
    if (text.startsWith(TID, pos)) {
      const tidEnd = this.#plainEnd(pos + TID.length);
      if (tidEnd < 0) return false;
      this.#tid = text.slice(pos + TID.length, tidEnd);
      if (this.#tid === '0') return false;
      pos = tidEnd + 1;
    }
    pos = this.#cutCollection(pos);
    if (pos < 0) return false;
    if (isDocumentMarker(type)) return this.#cutDocument(pos, newline);
    if (!isMarkerType(type)) return false;
    this.#keyStart = this.#keyEnd = this.#revEnd = this.#oldRevEnd = this.#dataStart = -1;
    return this.#text.charCodeAt(newline - 1) === CLOSE_BRACE;
  }

  /** Returns the position behind the digits, or -1 when there are none. */
  #cutTick(start: number): number {
    const text = this.#text;
    let pos = start;
    let value = 0;
    for (let code = text.charCodeAt(pos); code >= ZERO && code <= NINE;) {
      value = value * 10 + (code - ZERO);
      code = text.charCodeAt(++pos);
    }
    this.#tickStart = start;
    this.#tickNumber = pos - start > SAFE_DIGITS ? -1 : value;
    return pos === start ? -1 : pos;
  }

  /** Returns the type, or -1 when there are not exactly four digits. */
  #cutType(start: number): number {
    const text = this.#text;
    let type = 0;
    for (let pos = start; pos < start + TYPE_DIGITS; pos++) {
      const code = text.charCodeAt(pos);
      if (!(code >= ZERO && code <= NINE)) return -1;
      type = type * 10 + (code - ZERO);
    }
    const behind = text.charCodeAt(start + TYPE_DIGITS);
    return behind === COMMA || behind === CLOSE_BRACE ? type : -1;
  }

  /** Passes `cid` and `cname` if they are there. Returns the position behind them, -1 if broken. */
  #cutCollection(start: number): number {
    const text = this.#text;
    const source = this.#collectionSource;
    this.#hasCollection = true;
    if (source !== '' && text.startsWith(source, start)) return start + source.length;
    if (!text.startsWith(CID, start)) {
      this.#hasCollection = false;
      return start;
    }
    const cidEnd = this.#plainEnd(start + CID.length);
    if (cidEnd < 0 || !text.startsWith(CNAME, cidEnd + 1)) return -1;
    const nameStart = cidEnd + 1 + CNAME.length;
    const nameEnd = this.#plainEnd(nameStart);
    // Names outside of ASCII are legal in later versions; parsing them per line is good enough.
    if (nameEnd < 0) return -1;
    this.#collectionCid = text.slice(start + CID.length, cidEnd);
    this.#collectionName = text.slice(nameStart, nameEnd);
    this.#collectionSource = text.slice(start, nameEnd + 1);
    return nameEnd + 1;
  }

  #cutDocument(start: number, newline: number): boolean {
    const text = this.#text;
    if (!text.startsWith(KEY, start)) return false;
    this.#keyStart = start + 1;
    this.#keyEnd = this.#plainEnd(start + KEY.length);
    if (this.#keyEnd < 0 || !text.startsWith(REV, this.#keyEnd + 1)) return false;
    this.#revEnd = this.#plainEnd(this.#keyEnd + 1 + REV.length);
    if (this.#revEnd < 0) return false;
    let pos = this.#revEnd + 1;
    this.#oldRevEnd = -1;
    if (text.startsWith(OLD_REV, pos)) {
      this.#oldRevEnd = this.#plainEnd(pos + OLD_REV.length);
      if (this.#oldRevEnd < 0) return false;
      pos = this.#oldRevEnd + 1;
    }
    this.#dataStart = -1;
    if (text.charCodeAt(newline - 1) !== CLOSE_BRACE) return false;
    if (this.#type === MarkerType.remove) return pos === newline - 1;
    if (!text.startsWith(DATA, pos) || text.charCodeAt(newline - 2) !== CLOSE_BRACE) return false;
    this.#dataStart = pos + DATA_VALUE_AT;
    return true;
  }

  /** The closing quote of a string that is its own source text; -1 when it has escapes or so. */
  #plainEnd(start: number): number {
    const text = this.#text;
    for (let pos = start; ; pos++) {
      const code = text.charCodeAt(pos);
      if (code === QUOTE) return pos;
      if (!(code >= 0x20 && code <= LAST_ASCII) || code === BACKSLASH) return -1;
    }
  }

  /** Takes a line of another shape from the parser. */
  #adopt(): void {
    const line = this.parsed();
    if (line.tick === undefined) throw malformedLine('no tick', this.#lineText());
    if (isDocumentMarker(line.type) && (line.key === undefined || line.rev === undefined)) {
      throw malformedLine('no key or revision', this.#lineText());
    }
    this.#type = line.type;
    this.#tickNumber = line.tick < 10n ** BigInt(SAFE_DIGITS) ? Number(line.tick) : -1;
    this.#tid = line.tid ?? '';
    this.#hasCollection = line.cid !== undefined;
    this.#collectionCid = line.cid ?? '';
    this.#collectionName = line.cname ?? '';
    this.#collectionSource = '';
    this.#typeStart = this.#keyStart = this.#keyEnd = this.#revEnd = this.#oldRevEnd = -1;
    this.#dataStart = -1;
  }

  #lineText(): string {
    return this.page.toString('utf8', this.#lineStart, this.#lineEnd - 1);
  }
}
