/**
 * A position in the log (contract 1.2). Always a `bigint`: ticks, revisions and ids share one
 * unsigned 64-bit counter, and half of its range does not fit a JavaScript number.
 */
export type Tick = bigint;

/** The largest tick this server issues or stores: 2^63 - 1. */
export const MAX_TICK: Tick = (1n << 63n) - 1n;

/** The largest value the wire can carry: 2^64 - 1, and the default of every `to` parameter. */
export const MAX_WIRE_TICK: Tick = (1n << 64n) - 1n;

const MAX_WIRE_DIGITS = 20;
const SAFE_DIGITS = 15;
const ZERO = 0x30;
const NINE = 0x39;
const PLUS = 0x2b;
const MINUS = 0x2d;

let lastPrinted: Tick = 0n;
let lastText = '0';

/** The tick in decimal. Who writes an entry prints its tick several times in a row: the last text is kept. */
export function tickText(tick: Tick): string {
  if (tick !== lastPrinted) {
    lastText = tick.toString();
    lastPrinted = tick;
  }
  return lastText;
}

/**
 * Reads a whole decimal number: digits only, no sign, no blanks, nothing behind.
 *
 * @returns the tick, or undefined when the text is anything else or exceeds 2^64 - 1
 */
export function parseTick(text: string): Tick | undefined {
  if (text.length === 0 || text.length > MAX_WIRE_DIGITS) return undefined;
  if (digitsEnd(text, 0) !== text.length) return undefined;
  const tick = decimal(text);
  return tick <= MAX_WIRE_TICK ? tick : undefined;
}

/**
 * Reads the decimal number at the start of a query parameter the way real servers do
 * (contract 1.1): `12abc` is 12, `abc` and the empty text are 0, an overflow is 2^64 - 1.
 * Leading blanks and a sign are allowed; a negative number wraps around 2^64, so `-1` is
 * 2^64 - 1. There is no error case.
 *
 * @param fallback the value when the parameter is absent
 */
export function parseTickPrefix(text: string | undefined, fallback: Tick): Tick {
  if (text === undefined) return fallback;
  let start = 0;
  while (isBlank(text.charCodeAt(start))) start++;
  const sign = text.charCodeAt(start);
  if (sign === PLUS || sign === MINUS) start++;
  const end = digitsEnd(text, start);
  // Leading zeros must not count as an overflow, a million digits must not become a big number.
  while (start < end - 1 && text.charCodeAt(start) === ZERO) start++;
  if (start === end) return 0n;
  if (end - start > MAX_WIRE_DIGITS) return MAX_WIRE_TICK;
  const value = decimal(text.slice(start, end));
  if (value > MAX_WIRE_TICK) return MAX_WIRE_TICK;
  return sign === MINUS ? BigInt.asUintN(64, -value) : value;
}

/**
 * Reads a tick out of a JSON value or a header of another server: a string of digits, or a
 * non-negative number that is exact (at most 2^53 - 1).
 *
 * @returns the tick, or undefined when the value is anything else
 */
export function tickFromWire(value: unknown): Tick | undefined {
  if (typeof value === 'string') return parseTick(value);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  return undefined;
}

/** Whether a tick that came from elsewhere may be stored: larger ones are refused (400/10). */
export function isAcceptableTick(tick: Tick): boolean {
  return tick >= 0n && tick <= MAX_TICK;
}

function digitsEnd(text: string, start: number): number {
  let end = start;
  for (;;) {
    const code = text.charCodeAt(end);
    if (!(code >= ZERO && code <= NINE)) return end;
    end++;
  }
}

function decimal(digits: string): bigint {
  // Short numbers are exact as doubles, and that way is faster than parsing a big number.
  return digits.length <= SAFE_DIGITS ? BigInt(Number(digits)) : BigInt(digits);
}

function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
