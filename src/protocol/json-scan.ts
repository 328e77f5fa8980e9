import { ServiceError } from '../model/errors.ts';

/**
 * Walking over JSON *source text* that is known to be valid. Nothing here checks the grammar: give
 * it text that JSON.parse has accepted, or that this server printed.
 */

/** Deepest nesting a document may have, itself included; deeper ones are invalid JSON (600). */
export const MAX_JSON_DEPTH = 200;

/** What a scan noticed on its way. */
export interface ScanNotes {
  /** A number such as `1e10`, which has an exponent but no fraction, was passed. */
  bareExponent: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The first position at or after `at` that holds no JSON white space. */
export function skipBlanks(text: string, at: number): number {
  let code = text.charCodeAt(at);
  while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
    code = text.charCodeAt(++at);
  }
  return at;
}

/**
 * The position behind the string whose opening quote is at `at`.
 *
 * @throws ServiceError invalidJson when the string has no end
 */
export function skipString(text: string, at: number): number {
  let end = at;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) throw new ServiceError('invalidJson', 'unterminated string');
    if (text.charCodeAt(end - 1) !== BACKSLASH) return end + 1;
    // A quote ends the string unless an odd number of backslashes stands before it.
    let first = end - 1;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    if (((end - first) & 1) === 0) return end + 1;
  }
}

/**
 * The position behind the value that starts at `at`.
 *
 * @param maxDepth how many levels of objects and arrays the value may have
 * @throws ServiceError invalidJson when it has more, or has no end
 */
export function skipValue(text: string, at: number, maxDepth: number, notes: ScanNotes): number {
  const code = text.charCodeAt(at);
  if (code === QUOTE) return skipString(text, at);
  if (code === OPEN_BRACE || code === OPEN_BRACKET) return skipNested(text, at, maxDepth, notes);
  return skipScalar(text, at, notes);
}

/** Numbers, true, false and null end where white space, `,`, `]` or `}` begins. */
function skipScalar(text: string, at: number, notes: ScanNotes): number {
  let fraction = false;
  for (let end = at; ; end++) {
    const code = text.charCodeAt(end);
    if (code <= 0x20 || code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET)
      return end;
    if (code === POINT) fraction = true;
    else if ((code | 0x20) === LOWER_E && !fraction && isDigit(text.charCodeAt(end - 1))) {
      notes.bareExponent = true;
    } else if (code !== code) return end;
  }
}

function skipNested(text: string, at: number, maxDepth: number, notes: ScanNotes): number {
  let depth = 0;
  let pos = at;
  for (;;) {
    const code = text.charCodeAt(pos);
    if (code === QUOTE) {
      pos = skipString(text, pos);
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (++depth > maxDepth) throw tooDeep();
      pos++;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      pos++;
      if (--depth === 0) return pos;
    } else if (code <= 0x20 || code === COMMA || code === 0x3a) {
      pos++;
    } else if (code === code) {
      pos = skipScalar(text, pos, notes);
    } else {
      throw new ServiceError('invalidJson', 'unexpected end of JSON');
    }
  }
}

/** The refusal of a document nested more deeply than `MAX_JSON_DEPTH`. */
export function tooDeep(): ServiceError {
  return new ServiceError('invalidJson', `JSON is nested deeper than ${MAX_JSON_DEPTH} levels`);
}

/**
 * Removes all white space outside strings. A stored line must not hold a raw newline, and the only
 * place for one in valid JSON is between tokens.
 */
export function compact(text: string): string {
  let out = '';
  let pos = 0;
  for (;;) {
    const quote = text.indexOf('"', pos);
    if (quote < 0) return out + text.slice(pos).replace(/[ \n\r\t]+/g, '');
    const end = skipString(text, quote);
    out += text.slice(pos, quote).replace(/[ \n\r\t]+/g, '') + text.slice(quote, end);
    pos = end;
  }
}

/**
 * Gives each number with a bare exponent a fraction: `1e10` becomes `1.0e10`, the same value. The
 * JSON parser of 1.4 takes only that spelling, and lines are served as they are stored.
 */
export function addFractions(text: string): string {
  let out = '';
  let pos = 0;
  for (;;) {
    const quote = text.indexOf('"', pos);
    const outside = quote < 0 ? text.slice(pos) : text.slice(pos, quote);
    out += outside.replace(/(?<![0-9.])([0-9]+)(?=[eE])/g, '$1.0');
    if (quote < 0) return out;
    const end = skipString(text, quote);
    out += text.slice(quote, end);
    pos = end;
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}
