import { ServiceError } from '../model/errors.ts';
import { hasCrc32c } from './masked-crc.ts';

/*
 * A block of a LevelDB table: entries, each as varints (bytes shared with the key before, bytes that follow,
 * bytes of the value), then key and value; the offsets of those entries that share nothing, u32 each, and their
 * number. Behind it stand a byte for the kind of compression and the masked CRC-32C of all that. Keys end in
 * 8 bytes: sequence number and kind of the entry, in one u64.
 */

/** Behind each block: kind of compression and checksum. */
export const BLOCK_TRAILER_BYTES = 5;
/** Behind the user's part of each key. */
export const KEY_TRAILER_BYTES = 8;
const NOT_COMPRESSED = 0;
const RESTART_BYTES = 4;

/** Where a block lies in its file, without its trailer. */
export interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

/** One version of a key. */
export interface TableEntry {
  /** Without what LevelDB puts behind it. */
  readonly key: Buffer;
  readonly sequence: number;
  readonly isRemoval: boolean;
  readonly value: Buffer;
}

/** What is wrong with a file of LevelDB, in a few words; the caller says which file. */
export class FileDamage extends Error {
  override readonly name = 'FileDamage';
}

/** Reads varints out of a buffer one after another. @throws FileDamage where they do not end */
export class VarintReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  at: number;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.#end = end;
    this.at = start;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#end;
  }

  /** Numbers up to 2^53; none that LevelDB stores of us is larger. */
  next(): number {
    let value = 0;
    let factor = 1;
    for (let n = 0; n < 8 && this.at < this.#end; n++) {
      const byte = this.#buffer[this.at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw new FileDamage('a number in it does not end');
  }

  /** A length and so many bytes. */
  bytes(): Buffer {
    const length = this.next();
    if (length > this.#end - this.at) throw new FileDamage('it ends too early');
    this.at += length;
    return this.#buffer.subarray(this.at - length, this.at);
  }

  handle(): BlockHandle {
    const offset = this.next();
    return { offset, size: this.next() };
  }
}

/**
 * The contents of a block.
 * @param stretch holds the block and its trailer from `start` on
 * @throws FileDamage when the checksum does not hold
 */
export function checkedBlock(stretch: Buffer, start: number, size: number): Buffer {
  const typeAt = start + size;
  if (typeAt + BLOCK_TRAILER_BYTES > stretch.length) throw new FileDamage('a block is cut off');
  if (!hasCrc32c(stretch, start, typeAt + 1, typeAt + 1)) {
    throw new FileDamage('a block fails its checksum');
  }
  if (stretch[typeAt] !== NOT_COMPRESSED) {
    throw new ServiceError(
      'unknownFormat',
      'a table of the store is compressed, which this program never does',
    );
  }
  return stretch.subarray(start, typeAt);
}

/**
 * The entries of a block, checked for their order; keys and values may be slices of it.
 * @throws FileDamage
 */
export function blockEntries(block: Buffer): TableEntry[] {
  const entries: TableEntry[] = [];
  const end = entriesEnd(block);
  const reader = new VarintReader(block, 0, end);
  let keyBytes: Buffer = Buffer.alloc(0);
  let last: TableEntry | undefined;
  while (!reader.isAtEnd) {
    const shared = reader.next();
    const unshared = reader.next();
    const valueBytes = reader.next();
    const { at } = reader;
    const valueAt = at + unshared;
    if (shared > keyBytes.length || valueAt + valueBytes > end) {
      throw new FileDamage('an entry of a block does not fit into it');
    }
    keyBytes =
      shared === 0 ? block.subarray(at, valueAt) : joined(keyBytes, shared, block, at, valueAt);
    reader.at = valueAt + valueBytes;
    const entry = entryOf(keyBytes, block.subarray(valueAt, reader.at));
    if (last && compareVersions(last, entry) >= 0)
      throw new FileDamage('its keys are out of order');
    entries.push(entry);
    last = entry;
  }
  return entries;
}

/** Where the entries of a block end and the offsets begin. */
function entriesEnd(block: Buffer): number {
  if (block.length < RESTART_BYTES) throw new FileDamage('a block is too short');
  const restarts = block.readUInt32LE(block.length - RESTART_BYTES);
  const end = block.length - RESTART_BYTES * (1 + restarts);
  if (end < 0 || restarts === 0) throw new FileDamage('a block is too short');
  return end;
}

function joined(before: Buffer, shared: number, block: Buffer, start: number, end: number): Buffer {
  const key = Buffer.allocUnsafe(shared + end - start);
  before.copy(key, 0, 0, shared);
  block.copy(key, shared, start, end);
  return key;
}

/** @throws FileDamage when the key has not the parts that all have */
export function entryOf(keyBytes: Buffer, value: Buffer): TableEntry {
  const length = keyBytes.length - KEY_TRAILER_BYTES;
  if (length < 0) throw new FileDamage('a key is too short');
  const low = keyBytes.readUInt32LE(length);
  const kind = low & 0xff;
  if (kind > 1) throw new FileDamage('an entry is of an unknown kind');
  const sequence = keyBytes.readUInt32LE(length + 4) * 0x100_0000 + (low >>> 8);
  return { key: keyBytes.subarray(0, length), sequence, isRemoval: kind === 0, value };
}

/** The order in which LevelDB keeps them: by key, the newest version of each first. */
export function compareVersions(a: TableEntry, b: TableEntry): number {
  return Buffer.compare(a.key, b.key) || b.sequence - a.sequence;
}
