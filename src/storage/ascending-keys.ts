import { LinePointer } from './line-pointer.ts';
import type { OpenBlock } from './open-block.ts';

/** Neighbouring entries of a block, `to` exclusive. */
export interface BlockSegment {
  readonly block: OpenBlock;
  readonly from: number;
  to: number;
}

/**
 * The keys that one run of new documents leaves in a batch, each above the one before it. They are found in the blocks
 * that the documents stand in, so that nothing is kept for each of them; valid until those are given back.
 */
export class AscendingKeys {
  readonly #prefix: string;
  readonly #segments: readonly BlockSegment[];
  readonly #first: string;
  readonly #last: string;

  /** @param options.prefix of the primary keys, as latin1 text */
  constructor(deps: { segments: readonly BlockSegment[] }, options: { prefix: string }) {
    const { segments } = deps;
    this.#prefix = options.prefix;
    this.#segments = segments;
    this.#first = options.prefix + keyAt(segments[0], 0);
    const last = segments[segments.length - 1];
    this.#last = options.prefix + keyAt(last, last ? last.to - last.from - 1 : 0);
  }

  /** The pointer of a primary key, given as latin1 text; undefined when it is not one of them. */
  find(keyText: string): LinePointer | undefined {
    if (keyText < this.#first || keyText > this.#last) return undefined;
    const key = keyText.slice(this.#prefix.length);
    const segment = this.#segments[lastUpTo(this.#segments.length, key, (s) => this.#key(s, 0))];
    if (!segment) return undefined;
    const i = lastUpTo(segment.to - segment.from, key, (n) => keyAt(segment, n));
    return keyAt(segment, i) === key ? new LinePointer(segment.block, segment.from + i) : undefined;
  }

  #key(segment: number, n: number): string {
    return keyAt(this.#segments[segment], n);
  }
}

function keyAt(segment: BlockSegment | undefined, n: number): string {
  return segment ? segment.block.key(segment.from + n) : '';
}

/** The largest index below `count` whose key is not above `key`; 0 when there is none. */
function lastUpTo(count: number, key: string, keyOf: (i: number) => string): number {
  let low = 0;
  let high = count;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (keyOf(middle) <= key) low = middle;
    else high = middle;
  }
  return low;
}
