import { ServiceError } from '../model/errors.ts';
import { MAX_WIRE_TICK, type Tick, parseTickPrefix } from '../model/tick.ts';

/**
 * Reading query parameters (contract 1.1). Nothing is ever refused for being malformed: numbers
 * are read as far as they go, everything that does not mean true is false, and of a parameter
 * given several times the last one counts.
 */

/** A query string taken apart, as Koa and node:querystring give it. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A range of ticks: `from` is exclusive, `to` inclusive. */
export interface TickRange {
  readonly from: Tick;
  readonly to: Tick;
}

/** Largest page a client can ask for, in bytes: 128 MiB (contract 2.6). */
export const MAX_CHUNK_SIZE = 134_217_728;

const TRUE_WORDS: ReadonlySet<string> = new Set(['true', 'yes', 'on', 'y', '1']);

/** The parameter as it came, undefined when absent. */
export function textParam(query: Query, name: string): string | undefined {
  const value = query[name];
  return value === undefined || typeof value === 'string' ? value : value[value.length - 1];
}

/** `true`, `yes`, `on`, `y` and `1` in any case, trimmed, are true; everything else is false. */
export function booleanParam(query: Query, name: string, fallback: boolean): boolean {
  const text = textParam(query, name);
  return text === undefined ? fallback : TRUE_WORDS.has(text.trim().toLowerCase());
}

/** An unsigned 64-bit number; see `parseTickPrefix`. */
export function tickParam(query: Query, name: string, fallback: Tick): Tick {
  return parseTickPrefix(textParam(query, name), fallback);
}

/**
 * An unsigned number that is used as a JavaScript number.
 *
 * @param max what larger ones are lowered to; at most 2^53 - 1
 */
export function countParam(query: Query, name: string, fallback: number, max: number): number {
  const text = textParam(query, name);
  if (text === undefined) return fallback;
  const value = parseTickPrefix(text, 0n);
  return value > BigInt(max) ? max : Number(value);
}

/**
 * A time in seconds, which may have a fraction.
 *
 * @param max in seconds; longer times are lowered to it
 * @returns milliseconds; 0 when the text is no number, negative, or absent
 */
export function secondsParam(query: Query, name: string, max: number): number {
  const seconds = Number.parseFloat(textParam(query, name) ?? '');
  if (!(seconds > 0)) return 0;
  return Math.round(Math.min(seconds, max) * 1000);
}

/** `chunkSize` of 1.4 and of 2.2 to 3.x where a request has none, in bytes (contract 2.6, 3.4). */
const CHUNK_SIZE_OF_1 = 16_384;
const CHUNK_SIZE_OF_3 = 131_072;

/**
 * `chunkSize`: a page is closed once it holds more bytes of lines than this; at most 128 MiB. 0,
 * and what is no number, give pages of one line on 1.4, and the default on 3.x.
 *
 * @param isOf3 whether the request is one of 3.x
 */
export function chunkSizeParam(query: Query, isOf3: boolean): number {
  const fallback = isOf3 ? CHUNK_SIZE_OF_3 : CHUNK_SIZE_OF_1;
  const wanted = countParam(query, 'chunkSize', fallback, MAX_CHUNK_SIZE);
  return wanted === 0 && isOf3 ? fallback : wanted;
}

/**
 * `from` and `to` of logger-follow and dump (contract 2.6, 3.4).
 *
 * @throws ServiceError httpBadParameter (400/400) when `to` is given as 0 or below `from`
 */
export function tickRangeParams(query: Query): TickRange {
  const from = tickParam(query, 'from', 0n);
  const to = tickParam(query, 'to', MAX_WIRE_TICK);
  if (to === 0n || from > to) {
    throw new ServiceError('httpBadParameter', 'invalid from/to values');
  }
  return { from, to };
}

/** Ways to name a collection. */
export type CollectionRef = { readonly cid: string } | { readonly name: string };

/** A value that starts with a digit is an id, anything else a name (contract 1.2). */
export function collectionRef(value: string): CollectionRef {
  const first = value.charCodeAt(0);
  return first >= 0x30 && first <= 0x39 ? { cid: value } : { name: value };
}
