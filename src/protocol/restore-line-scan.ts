import { MAX_JSON_DEPTH } from './json-scan.ts';
import {
  NOT_PLAIN,
  STRING_BYTES,
  behindBlanks,
  behindRun,
  behindString,
  behindValue,
  byteAt,
} from './json-bytes.ts';

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const UNDERSCORE = 0x5f;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const KEY_MAX_BYTES = 254;
const NAME_MAX_BYTES = 64;
const TYPE_DIGITS = 4;
/** Longer documents are compared by parsing: each name is compared with all before it. */
const NAMES_MAX = 64;

/** 1 for the bytes of keys, of collection names, and of any ASCII text without escapes. */
const KEY_BYTES = tableOf(/[a-zA-Z0-9_:.@()+,=;$!*'%-]/);
const NAME_BYTES = tableOf(/[a-zA-Z0-9_-]/);
const TEXT_BYTES = tableOf(/[ -!#-[\]-~]/);

const TYPE = Buffer.from('type');
const KEY = Buffer.from('key');
const REV = Buffer.from('rev');
const DATA = Buffer.from('data');
const OWN_ID = Buffer.from('_id');
const OWN_KEY = Buffer.from('_key');
const OWN_REV = Buffer.from('_rev');
const OWN_FROM = Buffer.from('_from');
const OWN_TO = Buffer.from('_to');

/**
 * Finds its way over the lines of a restore (contract 4.3) that are spelled plainly, without parsing or
 * allocating: envelopes of 1.4 with `key` and `rev` on top, envelopes of 3.x with only `data`, and bare
 * documents, in which the server's own attributes come before all others. Everything is checked: a
 * line that is found to be plain is valid JSON, its keys and handles are well-formed, and no name is repeated
 * in its document. The fields are offsets into the bytes, -1 for what the line does not have.
 */
export class RestoreLineScan {
  readonly #bytes: Buffer;
  readonly #hashes = new Int32Array(NAMES_MAX);

  /** 0 when the line does not say. */
  type = 0;
  /** `key` and `rev` of the envelope. */
  keyStart = -1;
  keyEnd = -1;
  revStart = -1;
  revEnd = -1;
  /** `_key`, `_rev`, `_from` and `_to` of the document. */
  ownKeyStart = -1;
  ownKeyEnd = -1;
  ownRevStart = -1;
  ownRevEnd = -1;
  fromStart = -1;
  fromEnd = -1;
  toStart = -1;
  toEnd = -1;
  /** Of the first of the user's attributes; of the closing brace where there is none. */
  restStart = -1;
  /** Behind the closing brace of the document. */
  dataEnd = -1;

  /** @param bytes UTF-8 that ends with a newline */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The position of the newline that ends the envelope at `at`, or NOT_PLAIN. */
  envelope(at: number): number {
    this.#clear();
    const bytes = this.#bytes;
    if (byteAt(bytes, at) !== OPEN_BRACE) return NOT_PLAIN;
    let pos = behindBlanks(bytes, at + 1);
    for (;;) {
      const nameStart = pos + 1;
      if (byteAt(bytes, pos) !== QUOTE) return NOT_PLAIN;
      pos = behindRun(bytes, nameStart, TEXT_BYTES);
      if (byteAt(bytes, pos) !== QUOTE) return NOT_PLAIN;
      const nameEnd = pos;
      pos = this.#colon(nameEnd + 1);
      if (pos === NOT_PLAIN) return NOT_PLAIN;
      pos = this.#field(nameStart, nameEnd, pos);
      if (pos === NOT_PLAIN) return NOT_PLAIN;
      pos = behindBlanks(bytes, pos);
      const byte = byteAt(bytes, pos);
      if (byte === CLOSE_BRACE) return this.#lineEnd(pos + 1);
      if (byte !== COMMA) return NOT_PLAIN;
      pos = behindBlanks(bytes, pos + 1);
    }
  }

  /** The position of the newline that ends the bare document at `at`, or NOT_PLAIN. */
  document(at: number): number {
    this.#clear();
    const end = this.#data(at);
    return end === NOT_PLAIN ? NOT_PLAIN : this.#lineEnd(end);
  }

  #lineEnd(at: number): number {
    const pos = behindBlanks(this.#bytes, at);
    return byteAt(this.#bytes, pos) === NEWLINE ? pos : NOT_PLAIN;
  }

  /** One field of the envelope, whose value is at `at`. Of one that comes twice the last counts: not plain. */
  #field(nameStart: number, nameEnd: number, at: number): number {
    const bytes = this.#bytes;
    if (isName(bytes, nameStart, nameEnd, TYPE)) {
      return this.type === 0 ? this.#type(at) : NOT_PLAIN;
    }
    if (isName(bytes, nameStart, nameEnd, KEY)) {
      if (this.keyStart >= 0) return NOT_PLAIN;
      this.keyStart = at + 1;
      this.keyEnd = this.#key(at);
      return behindQuote(this.keyEnd);
    }
    if (isName(bytes, nameStart, nameEnd, REV)) {
      if (this.revStart >= 0) return NOT_PLAIN;
      this.revStart = at + 1;
      this.revEnd = this.#text(at);
      return behindQuote(this.revEnd);
    }
    if (isName(bytes, nameStart, nameEnd, DATA)) {
      return this.dataEnd < 0 ? this.#data(at) : NOT_PLAIN;
    }
    return behindValue(bytes, at);
  }

  #data(at: number): number {
    const bytes = this.#bytes;
    if (byteAt(bytes, at) !== OPEN_BRACE) return NOT_PLAIN;
    let pos = behindBlanks(bytes, at + 1);
    let count = 0;
    while (byteAt(bytes, pos) !== CLOSE_BRACE || count > 0) {
      if (byteAt(bytes, pos) !== QUOTE || count === NAMES_MAX) return NOT_PLAIN;
      const nameStart = pos + 1;
      const nameEnd = this.#uniqueName(nameStart, count++);
      if (nameEnd === NOT_PLAIN) return NOT_PLAIN;
      const valueStart = this.#colon(nameEnd + 1);
      if (valueStart === NOT_PLAIN) return NOT_PLAIN;
      pos = this.#attribute(nameStart, nameEnd, valueStart);
      if (pos === NOT_PLAIN) return NOT_PLAIN;
      pos = behindBlanks(bytes, pos);
      const byte = byteAt(bytes, pos);
      if (byte === CLOSE_BRACE) break;
      if (byte !== COMMA) return NOT_PLAIN;
      pos = behindBlanks(bytes, pos + 1);
    }
    if (this.restStart < 0) this.restStart = pos;
    this.dataEnd = pos + 1;
    return pos + 1;
  }

  /** One attribute of the document. */
  #attribute(nameStart: number, nameEnd: number, at: number): number {
    const bytes = this.#bytes;
    if (byteAt(bytes, nameStart) === UNDERSCORE) {
      // The server's own must come first, so that the others are one piece.
      const isFirst = this.restStart < 0;
      if (isName(bytes, nameStart, nameEnd, OWN_KEY)) {
        this.ownKeyStart = at + 1;
        this.ownKeyEnd = isFirst ? this.#key(at) : NOT_PLAIN;
        return behindQuote(this.ownKeyEnd);
      }
      if (isName(bytes, nameStart, nameEnd, OWN_REV)) {
        this.ownRevStart = at + 1;
        this.ownRevEnd = isFirst ? this.#text(at) : NOT_PLAIN;
        return behindQuote(this.ownRevEnd);
      }
      if (isName(bytes, nameStart, nameEnd, OWN_FROM)) {
        this.fromStart = at + 1;
        this.fromEnd = isFirst ? this.#handle(at) : NOT_PLAIN;
        return behindQuote(this.fromEnd);
      }
      if (isName(bytes, nameStart, nameEnd, OWN_TO)) {
        this.toStart = at + 1;
        this.toEnd = isFirst ? this.#handle(at) : NOT_PLAIN;
        return behindQuote(this.toEnd);
      }
      if (isName(bytes, nameStart, nameEnd, OWN_ID)) {
        return isFirst && byteAt(bytes, at) === QUOTE ? behindString(bytes, at) : NOT_PLAIN;
      }
    }
    if (this.restStart < 0) this.restStart = nameStart - 1;
    return behindValue(bytes, at, MAX_JSON_DEPTH - 1);
  }

  /** Where the name ends that no attribute before it has. Equal hashes count as equal names. */
  #uniqueName(start: number, count: number): number {
    const bytes = this.#bytes;
    let hash = 0;
    let pos = start;
    for (let byte = byteAt(bytes, pos); byte !== QUOTE; byte = byteAt(bytes, ++pos)) {
      if (STRING_BYTES[byte] !== 1) return NOT_PLAIN;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    for (let i = 0; i < count; i++) if (this.#hashes[i] === hash) return NOT_PLAIN;
    this.#hashes[count] = hash;
    return pos;
  }

  /** Where the value begins, behind the colon that follows a name. */
  #colon(at: number): number {
    const pos = behindBlanks(this.#bytes, at);
    return byteAt(this.#bytes, pos) === COLON ? behindBlanks(this.#bytes, pos + 1) : NOT_PLAIN;
  }

  #type(at: number): number {
    const bytes = this.#bytes;
    let type = 0;
    for (let pos = at; pos < at + TYPE_DIGITS; pos++) {
      const byte = byteAt(bytes, pos);
      if (byte < ZERO || byte > NINE) return NOT_PLAIN;
      type = type * 10 + (byte - ZERO);
    }
    this.type = type;
    return at + TYPE_DIGITS;
  }

  /** The closing quote of the key whose opening quote is at `at`. */
  #key(at: number): number {
    return this.#run(at, KEY_BYTES, KEY_MAX_BYTES);
  }

  /** The closing quote of any text of ASCII characters that has some. */
  #text(at: number): number {
    return this.#run(at, TEXT_BYTES, Number.MAX_SAFE_INTEGER);
  }

  #run(at: number, table: Uint8Array, maxBytes: number): number {
    if (byteAt(this.#bytes, at) !== QUOTE) return NOT_PLAIN;
    const end = behindRun(this.#bytes, at + 1, table);
    const length = end - at - 1;
    return byteAt(this.#bytes, end) === QUOTE && length > 0 && length <= maxBytes ? end : NOT_PLAIN;
  }

  /** The closing quote of a document handle; those with an id for a name are left to the parser. */
  #handle(at: number): number {
    const bytes = this.#bytes;
    const first = byteAt(bytes, at + 1);
    if (byteAt(bytes, at) !== QUOTE || (first >= ZERO && first <= NINE) || first === MINUS) {
      return NOT_PLAIN;
    }
    const slash = behindRun(bytes, at + 1, NAME_BYTES);
    const length = slash - at - 1;
    const tooShort = length < (first === UNDERSCORE ? 2 : 1);
    if (tooShort || length > NAME_MAX_BYTES || byteAt(bytes, slash) !== SLASH) return NOT_PLAIN;
    const end = behindRun(bytes, slash + 1, KEY_BYTES);
    const keyLength = end - slash - 1;
    return byteAt(bytes, end) === QUOTE && keyLength > 0 && keyLength <= KEY_MAX_BYTES
      ? end
      : NOT_PLAIN;
  }

  #clear(): void {
    this.type = 0;
    this.keyStart = this.revStart = this.ownKeyStart = this.ownRevStart = -1;
    this.fromStart = this.toStart = this.restStart = this.dataEnd = -1;
  }
}

/** Positions behind the closing quote, where there is one. */
function behindQuote(quote: number): number {
  return quote === NOT_PLAIN ? NOT_PLAIN : quote + 1;
}

function isName(bytes: Buffer, start: number, end: number, name: Buffer): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}

function tableOf(accepted: RegExp): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 0x80; byte++) {
    if (accepted.test(String.fromCharCode(byte))) table[byte] = 1;
  }
  return table;
}
