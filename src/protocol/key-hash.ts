/**
 * The hash of a chunk of keys (contract 3.5): what 3.0 servers compute, so that a follower and a
 * leader of either kind find the same chunks to be different. It is XXH64 over each string in the
 * encoding of VelocyPack, joined by exclusive or.
 */

/** Hash of a chunk without documents. */
const EMPTY_CHUNK = 0x12345678n;
const SEED = 0xdeadbeefn;
const MASK = (1n << 64n) - 1n;
const P1 = 11_400_714_785_074_694_791n;
const P2 = 14_029_467_366_897_019_727n;
const P3 = 1_609_587_929_392_839_161n;
const P4 = 9_650_029_242_287_828_579n;
const P5 = 2_870_177_450_012_600_261n;

const SHORT_STRING_MAX = 126;
const SHORT_STRING = 0x40;
const LONG_STRING = 0xbf;
const LONG_HEAD_BYTES = 9;
/** Strings of this size and above are taken in stripes. */
const STRIPE_BYTES = 32;

/** Gathers the hash of a chunk, document by document, in whatever order. */
export class ChunkHash {
  #value = EMPTY_CHUNK;

  add(key: string, rev: string): void {
    // Equal ones take each other out.
    if (key !== rev) this.#value ^= hashBytes(encoded(key)) ^ hashBytes(encoded(rev));
  }

  /** In decimal digits. */
  toString(): string {
    return this.#value.toString();
  }
}

function encoded(text: string): Buffer {
  const length = Buffer.byteLength(text);
  if (length <= SHORT_STRING_MAX) {
    const bytes = Buffer.allocUnsafe(1 + length);
    bytes[0] = SHORT_STRING + length;
    bytes.write(text, 1);
    return bytes;
  }
  const bytes = Buffer.allocUnsafe(LONG_HEAD_BYTES + length);
  bytes[0] = LONG_STRING;
  bytes.writeBigUInt64LE(BigInt(length), 1);
  bytes.write(text, LONG_HEAD_BYTES);
  return bytes;
}

function hashBytes(bytes: Buffer): bigint {
  const { length } = bytes;
  let at = 0;
  let hash = (SEED + P5) & MASK;
  if (length >= STRIPE_BYTES) {
    at = length - (length % STRIPE_BYTES);
    hash = stripesHash(bytes, at);
  }
  hash = (hash + BigInt(length)) & MASK;
  for (; at + 8 <= length; at += 8) {
    hash = (multiplied(rotated(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n), P1) + P4) & MASK;
  }
  if (at + 4 <= length) {
    const lane = multiplied(BigInt(bytes.readUInt32LE(at)), P1);
    hash = (multiplied(rotated(hash ^ lane, 23n), P2) + P3) & MASK;
    at += 4;
  }
  for (; at < length; at++) {
    hash = multiplied(rotated(hash ^ multiplied(BigInt(bytes[at] ?? 0), P5), 11n), P1);
  }
  hash = multiplied(hash ^ (hash >> 33n), P2);
  hash = multiplied(hash ^ (hash >> 29n), P3);
  return hash ^ (hash >> 32n);
}

/** Four lanes of eight bytes each, up to `end`. */
function stripesHash(bytes: Buffer, end: number): bigint {
  const lanes = [(SEED + P1 + P2) & MASK, (SEED + P2) & MASK, SEED, (SEED - P1) & MASK];
  for (let at = 0; at < end; at += STRIPE_BYTES) {
    for (const [i, lane] of lanes.entries()) {
      lanes[i] = round(lane, bytes.readBigUInt64LE(at + 8 * i));
    }
  }
  const turns = [1n, 7n, 12n, 18n];
  const sum = lanes.reduce((hash, lane, i) => hash + rotated(lane, turns[i] ?? 0n), 0n) & MASK;
  return lanes.reduce((hash, lane) => (multiplied(hash ^ round(0n, lane), P1) + P4) & MASK, sum);
}

function round(lane: bigint, value: bigint): bigint {
  return multiplied(rotated((lane + multiplied(value, P2)) & MASK, 31n), P1);
}

function rotated(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}

function multiplied(a: bigint, b: bigint): bigint {
  return (a * b) & MASK;
}
