import { ServiceError } from '../model/errors.ts';
import { SPREAD_END, type SpreadRange, partsOf } from '../protocol/key-spread.ts';
import { parseJson } from '../protocol/json-text.ts';

/** Sums that one request can ask for. */
const PARTS_MAX = 65_536;
/** Documents that one request can ask for by their keys. */
const KEYS_MAX = 20_000;

/**
 * The parts of the keys that a body names: `{"ranges":[[start,end],...],"parts":n}`, ranges of the hash
 * of the key, in rising order and apart from one another, each cut into as many parts; 1 by default.
 *
 * @throws ServiceError invalidJson (600); httpBadParameter (400) for all else that is no such body
 */
export function readParts(text: string): readonly SpreadRange[] {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badParts();
  const { ranges, parts = 1 } = value as { readonly ranges?: unknown; readonly parts?: unknown };
  if (!Array.isArray(ranges) || !isCount(parts, 1, PARTS_MAX)) throw badParts();
  if (ranges.length * parts > PARTS_MAX) throw badParts();
  let before = 0;
  return ranges.flatMap((range: unknown) => {
    const [start, end, ...more] = Array.isArray(range) ? (range as unknown[]) : [];
    if (!isCount(start, before, SPREAD_END) || !isCount(end, start + 1, SPREAD_END)) {
      throw badParts();
    }
    if (more.length > 0) throw badParts();
    before = end;
    return partsOf({ start, end }, parts);
  });
}

/**
 * The keys that a body asks for.
 * @throws ServiceError invalidJson (600), httpBadParameter (400) for what is no array of texts, or too long a one
 */
export function readKeys(text: string): readonly string[] {
  const value = parseJson(text);
  if (!Array.isArray(value)) throw new ServiceError('httpBadParameter', 'expecting array');
  if (value.length > KEYS_MAX) {
    throw new ServiceError('httpBadParameter', `expecting ${KEYS_MAX} keys at most`);
  }
  return value.map((key: unknown) => {
    if (typeof key === 'string') return key;
    throw new ServiceError('httpBadParameter', 'expecting keys');
  });
}

function isCount(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function badParts(): ServiceError {
  return new ServiceError(
    'httpBadParameter',
    'expecting {"ranges":[[start,end],...],"parts":n}: ranges of hashes from 0 to 2^32, in rising order, and ' +
      `${PARTS_MAX} parts at most`,
  );
}
