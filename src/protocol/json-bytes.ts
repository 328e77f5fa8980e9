import { MAX_JSON_DEPTH } from './json-scan.ts';

/**
 * Checking JSON where it stands in a buffer, without making anything of it: about three times as fast as
 * JSON.parse. Only plain spellings are known here. Whatever else there may be - white space but
 * blanks, numbers such as `1e10` that lines must not hold, nesting that is too deep, and what is no JSON at all -
 * is `NOT_PLAIN`, and the caller has the text parsed, which finds out which of them it is.
 *
 * The bytes must be UTF-8 and must end with a newline, at which every function here stops.
 */

/** Returned instead of a position. */
export const NOT_PLAIN = -1;

const NEWLINE = 0x0a;
const BLANK = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const LOWER_E = 0x65;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const LOWER_U = 0x75;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** 1 for each byte that stands for itself inside a string. */
export const STRING_BYTES = new Uint8Array(256).fill(1);
STRING_BYTES.fill(0, 0, 0x20);
STRING_BYTES[QUOTE] = 0;
STRING_BYTES[BACKSLASH] = 0;

/** 1 for each byte that may follow a backslash, `u` apart. */
const ESCAPES = new Uint8Array(256);
for (const byte of Buffer.from('"\\/bfnrt')) ESCAPES[byte] = 1;

/** The byte at a position. Behind the end, where nothing here ever looks, it is the newline. */
export function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] ?? NEWLINE;
}

/** The first position at or after `at` that holds no blank. */
export function behindBlanks(bytes: Buffer, at: number): number {
  let pos = at;
  while (byteAt(bytes, pos) === BLANK) pos++;
  return pos;
}

/** The position behind the first byte at or after `at` that is not 1 in `table`. */
export function behindRun(bytes: Buffer, at: number, table: Uint8Array): number {
  let pos = at;
  while (table[byteAt(bytes, pos)] === 1) pos++;
  return pos;
}

/** The position behind the string whose opening quote is at `at`. */
export function behindString(bytes: Buffer, at: number): number {
  let pos = at + 1;
  for (;;) {
    while (STRING_BYTES[byteAt(bytes, pos)] === 1) pos++;
    const byte = byteAt(bytes, pos);
    if (byte === QUOTE) return pos + 1;
    if (byte !== BACKSLASH) return NOT_PLAIN;
    pos = behindEscape(bytes, pos + 1);
    if (pos === NOT_PLAIN) return NOT_PLAIN;
  }
}

/**
 * The position behind the value that starts at `at`.
 *
 * @param levels how many levels of objects and arrays the value may have
 */
export function behindValue(bytes: Buffer, at: number, levels = MAX_JSON_DEPTH): number {
  const byte = byteAt(bytes, at);
  switch (byte) {
    case QUOTE:
      return behindString(bytes, at);
    case OPEN_BRACE:
      return levels > 0 ? behindObject(bytes, at, levels - 1) : NOT_PLAIN;
    case OPEN_BRACKET:
      return levels > 0 ? behindArray(bytes, at, levels - 1) : NOT_PLAIN;
    case LOWER_T:
      return behindWord(bytes, at, TRUE);
    case LOWER_F:
      return behindWord(bytes, at, FALSE);
    case LOWER_N:
      return behindWord(bytes, at, NULL);
    default:
      return behindNumber(bytes, at);
  }
}

function behindObject(bytes: Buffer, at: number, levels: number): number {
  let pos = behindBlanks(bytes, at + 1);
  if (byteAt(bytes, pos) === CLOSE_BRACE) return pos + 1;
  for (;;) {
    if (byteAt(bytes, pos) !== QUOTE) return NOT_PLAIN;
    pos = behindString(bytes, pos);
    if (pos === NOT_PLAIN) return NOT_PLAIN;
    pos = behindBlanks(bytes, pos);
    if (byteAt(bytes, pos) !== COLON) return NOT_PLAIN;
    pos = behindValue(bytes, behindBlanks(bytes, pos + 1), levels);
    if (pos === NOT_PLAIN) return NOT_PLAIN;
    pos = behindBlanks(bytes, pos);
    const byte = byteAt(bytes, pos);
    if (byte === CLOSE_BRACE) return pos + 1;
    if (byte !== COMMA) return NOT_PLAIN;
    pos = behindBlanks(bytes, pos + 1);
  }
}

function behindArray(bytes: Buffer, at: number, levels: number): number {
  let pos = behindBlanks(bytes, at + 1);
  if (byteAt(bytes, pos) === CLOSE_BRACKET) return pos + 1;
  for (;;) {
    pos = behindValue(bytes, pos, levels);
    if (pos === NOT_PLAIN) return NOT_PLAIN;
    pos = behindBlanks(bytes, pos);
    const byte = byteAt(bytes, pos);
    if (byte === CLOSE_BRACKET) return pos + 1;
    if (byte !== COMMA) return NOT_PLAIN;
    pos = behindBlanks(bytes, pos + 1);
  }
}

function behindWord(bytes: Buffer, at: number, word: Buffer): number {
  for (let i = 0; i < word.length; i++) {
    if (byteAt(bytes, at + i) !== word[i]) return NOT_PLAIN;
  }
  return at + word.length;
}

/** An exponent without a fraction is valid JSON, but not how a line is to be served. */
function behindNumber(bytes: Buffer, at: number): number {
  let pos = byteAt(bytes, at) === MINUS ? at + 1 : at;
  const whole = pos;
  pos = behindDigits(bytes, pos);
  if (pos === whole || (byteAt(bytes, whole) === ZERO && pos > whole + 1)) return NOT_PLAIN;
  if (byteAt(bytes, pos) !== POINT) {
    return (byteAt(bytes, pos) | 0x20) === LOWER_E ? NOT_PLAIN : pos;
  }
  const fraction = pos + 1;
  pos = behindDigits(bytes, fraction);
  if (pos === fraction) return NOT_PLAIN;
  if ((byteAt(bytes, pos) | 0x20) !== LOWER_E) return pos;
  const sign = byteAt(bytes, pos + 1);
  const exponent = sign === PLUS || sign === MINUS ? pos + 2 : pos + 1;
  pos = behindDigits(bytes, exponent);
  return pos === exponent ? NOT_PLAIN : pos;
}

function behindDigits(bytes: Buffer, at: number): number {
  let pos = at;
  for (let byte = byteAt(bytes, pos); byte >= ZERO && byte <= NINE;) byte = byteAt(bytes, ++pos);
  return pos;
}

/** @param at behind the backslash */
function behindEscape(bytes: Buffer, at: number): number {
  const byte = byteAt(bytes, at);
  if (ESCAPES[byte] === 1) return at + 1;
  if (byte !== LOWER_U) return NOT_PLAIN;
  for (let i = 1; i <= 4; i++) if (!isHexDigit(byteAt(bytes, at + i))) return NOT_PLAIN;
  return at + 5;
}

function isHexDigit(byte: number): boolean {
  if (byte >= ZERO && byte <= NINE) return true;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= LOWER_F;
}
