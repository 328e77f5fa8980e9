/** How many values `spreadHash` has. */
export const SPREAD_END = 2 ** 32;

/**
 * FNV-1a with a last mixing, so that keys that count upwards spread as well: by it the keys of a collection
 * are shared out into parts that all servers and tools agree upon.
 * @returns a whole number below `SPREAD_END`
 */
export function spreadHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The part of all keys whose hash is at least `start` and less than `end`. */
export interface SpreadRange {
  readonly start: number;
  readonly end: number;
}

/** Finds which of some ranges, in rising order and apart from one another, a hash lies in. */
export class SpreadRanges {
  readonly #ranges: readonly SpreadRange[];

  constructor(ranges: readonly SpreadRange[]) {
    this.#ranges = ranges;
  }

  /** The index of the range; -1 for none. */
  indexOf(hash: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.end ?? Infinity) <= hash) low = middle + 1;
      else high = middle;
    }
    return hash >= (this.#ranges[low]?.start ?? Infinity) ? low : -1;
  }
}

/** Cuts a range into parts of nearly one size; into fewer when there are not so many hashes in it. */
export function partsOf({ start, end }: SpreadRange, parts: number): SpreadRange[] {
  const count = Math.min(parts, end - start);
  const bounds = Array.from(
    { length: count + 1 },
    (_, i) => start + Math.floor(((end - start) * i) / count),
  );
  return bounds.slice(1).map((bound, i) => ({ start: bounds[i] ?? start, end: bound }));
}
