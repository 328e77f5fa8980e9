import { createHash } from 'node:crypto';
import { canonicalObject } from '../protocol/canonical-json.ts';

/** The server's own attributes, which a digest has from elsewhere or not at all. */
const LEFT_OUT: ReadonlySet<string> = new Set(['_key', '_rev', '_id']);
const TWO_32 = 2 ** 32;
const TWO_20 = 2 ** 20;

/** A document's digest in two halves, of 32 and of 20 bits. */
interface Halves {
  readonly low: number;
  readonly high: number;
}

/**
 * 52 bits of the SHA-1 of a document: equal where key, revision and contents are, however these are
 * spelled. They stay exact in a JSON number.
 *
 * @param rev empty where revisions do not count
 * @param data the document's text, empty where contents do not count
 */
export function documentDigest(key: string, rev: string, data: string): number {
  const { low, high } = halvesOf(key, rev, data);
  return high * TWO_32 + low;
}

/**
 * Sums of digests, modulo 2^52. A sum does not depend on the order, and unlike an exclusive-or does not
 * lose what occurs twice; two sets of documents that differ in any way have the same one with a chance of
 * 1 in 2^52.
 */
export class DocumentSums {
  readonly #counts: Float64Array;
  readonly #lows: Float64Array;
  readonly #highs: Float64Array;

  /** @param size how many sums there are; each begins at 0 */
  constructor(size = 1) {
    this.#counts = new Float64Array(size);
    this.#lows = new Float64Array(size);
    this.#highs = new Float64Array(size);
  }

  /** Adds a document, as `documentDigest` takes it, to one of the sums. */
  add(index: number, key: string, rev: string, data: string): void {
    const digest = halvesOf(key, rev, data);
    const low = (this.#lows[index] ?? 0) + digest.low;
    const carry = low >= TWO_32 ? 1 : 0;
    this.#lows[index] = low % TWO_32;
    this.#highs[index] = ((this.#highs[index] ?? 0) + digest.high + carry) % TWO_20;
    this.#counts[index] = this.count(index) + 1;
  }

  /** Documents that were added to a sum. */
  count(index: number): number {
    return this.#counts[index] ?? 0;
  }

  /** Below 2^52; 0 when nothing was added. */
  value(index: number): number {
    return (this.#highs[index] ?? 0) * TWO_32 + (this.#lows[index] ?? 0);
  }
}

function halvesOf(key: string, rev: string, data: string): Halves {
  const contents = data === '' ? '' : canonicalObject(data, LEFT_OUT);
  const digest = createHash('sha1').update(`${key}\n${rev}\n${contents}`).digest();
  return { low: digest.readUInt32LE(0), high: digest.readUInt32LE(4) % TWO_20 };
}
