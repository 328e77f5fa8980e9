import { crc32 } from 'node:zlib';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { firstPartCrc32, secondPartCrc32 } from './crc32-parts.ts';
import { blockKeyTick } from './keys.ts';

/*
 * A block is a run of lines as they are served, between a header and a directory:
 *
 *   0  u32 CRC32 of the rest     8  u64 first tick        28 u32 bytes of lines
 *   4  u8  format version        16 f64 commit time, ms   32 u32 collection number (one for all)
 *   5  u8  flags, u16 zero       24 u32 entries           36 lines, then the directory
 *
 * The directory is a set of columns: tick as distance from the first (u32), end of the line (u32), type (u16),
 * and, where the flags say so, collection number (u32) and transaction id (u64). The CRC covers the
 * key too, so a block found under another key is damage. Little-endian throughout.
 */
export const BLOCK_VERSION = 1;
export const BLOCK_HEADER_BYTES = 36;
/** More lines than this are never put into one block, unless it is one line. */
export const BLOCK_LINES_MAX_BYTES = 64 * 1024;
/** A new block is begun when a line would pass this size. */
export const BLOCK_LINES_FILL_BYTES = 32 * 1024;
/** So that the room kept for the directory stays small beside the lines. */
export const BLOCK_ENTRIES_MAX = 256;
export const FLAG_COLLECTIONS = 1;
export const FLAG_TRANSACTIONS = 2;

/** Bytes of the directory of a block with these flags. */
export function directoryBytes(count: number, flags: number): number {
  const perEntry = 10 + (flags & FLAG_COLLECTIONS ? 4 : 0) + (flags & FLAG_TRANSACTIONS ? 8 : 0);
  return count * perEntry;
}

/** CRC32 of a block's key and of everything behind its CRC field. */
export function blockCrc(key: Buffer, value: Buffer): number {
  return crc32(value.subarray(4), crc32(key));
}

/** A stored block, checked when it is opened; all positions are within `lines`. */
export class Block {
  readonly count: number;
  readonly firstTick: Tick;
  readonly lastTick: Tick;
  /** Wall-clock time of the commit, in ms since 1970. */
  readonly timeMs: number;
  /** The lines, one after another, each ended by a newline. */
  readonly lines: Buffer;
  readonly #key: Buffer;
  readonly #value: Buffer;
  readonly #flags: number;
  readonly #directory: number;
  readonly #ends: number;
  readonly #types: number;
  readonly #collections: number;
  readonly #transactions: number;

  /**
   * @throws ServiceError storageDamaged when the checksum, the version or the shape is wrong; such a
   * block is never served.
   */
  constructor(key: Buffer, value: Buffer) {
    if (value.length < BLOCK_HEADER_BYTES || value.readUInt32LE(0) !== blockCrc(key, value)) {
      throw new ServiceError('storageDamaged', `block ${key.toString('hex')} fails its checksum`);
    }
    if (value[4] !== BLOCK_VERSION) {
      throw new ServiceError(
        'storageDamaged',
        `block ${key.toString('hex')} has unknown version ${value[4] ?? 0}`,
      );
    }
    this.#key = key;
    this.#value = value;
    this.#flags = value[5] ?? 0;
    this.firstTick = value.readBigUInt64LE(8);
    this.timeMs = value.readDoubleLE(16);
    this.count = value.readUInt32LE(24);
    const bytes = value.readUInt32LE(28);
    this.lines = value.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + bytes);
    this.#directory = BLOCK_HEADER_BYTES + bytes;
    this.#ends = this.#directory + 4 * this.count;
    this.#types = this.#ends + 4 * this.count;
    this.#collections = this.#types + 2 * this.count;
    this.#transactions = this.#collections + (this.#flags & FLAG_COLLECTIONS ? 4 * this.count : 0);
    this.lastTick = blockKeyTick(key);
  }

  tick(i: number): Tick {
    return this.firstTick + BigInt(this.#value.readUInt32LE(this.#directory + 4 * i));
  }

  lineStart(i: number): number {
    return i === 0 ? 0 : this.lineEnd(i - 1);
  }

  lineEnd(i: number): number {
    return this.#value.readUInt32LE(this.#ends + 4 * i);
  }

  type(i: number): number {
    return this.#value.readUInt16LE(this.#types + 2 * i);
  }

  /** Number of the collection the entry is about, 0 for none. */
  collection(i: number): number {
    return this.#flags & FLAG_COLLECTIONS
      ? this.#value.readUInt32LE(this.#collections + 4 * i)
      : this.#value.readUInt32LE(32);
  }

  /** The one collection all entries are about; undefined when they differ. */
  get onlyCollection(): number | undefined {
    return this.#flags & FLAG_COLLECTIONS ? undefined : this.#value.readUInt32LE(32);
  }

  get hasTransactions(): boolean {
    return (this.#flags & FLAG_TRANSACTIONS) !== 0;
  }

  /** CRC32 of `lines`: follows from that of the block, which has been checked, without reading them again. */
  get linesCrc32(): number {
    const { length } = this.lines;
    const directory = this.#value.subarray(this.#directory);
    const whole = this.#value.readUInt32LE(0);
    const head = crc32(this.#value.subarray(4, BLOCK_HEADER_BYTES), crc32(this.#key));
    const headAndLines = firstPartCrc32(whole, crc32(directory), directory.length);
    return secondPartCrc32(headAndLines, head, length);
  }

  /** Transaction id of the entry, 0 for none. */
  transaction(i: number): bigint {
    return this.#flags & FLAG_TRANSACTIONS
      ? this.#value.readBigUInt64LE(this.#transactions + 8 * i)
      : 0n;
  }

  /** Index of the first entry with a tick above `tick`; `count` when there is none. */
  firstAbove(tick: Tick): number {
    if (tick < this.firstTick) return 0;
    const distance = tick - this.firstTick;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = BigInt(this.#value.readUInt32LE(this.#directory + 4 * middle));
      if (at > distance) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Index of the entry with exactly this tick, -1 when there is none. */
  find(tick: Tick): number {
    if (tick < this.firstTick) return -1;
    const i = this.firstAbove(tick) - 1;
    return i >= 0 && this.tick(i) === tick ? i : -1;
  }

  /** The line of an entry as text, without its newline. */
  lineText(i: number): string {
    return this.lines.toString('utf8', this.lineStart(i), this.lineEnd(i) - 1);
  }
}
