import {
  BLOCK_ENTRIES_MAX,
  BLOCK_HEADER_BYTES,
  BLOCK_LINES_FILL_BYTES,
  FLAG_COLLECTIONS,
  FLAG_TRANSACTIONS,
  directoryBytes,
} from './block.ts';

const ENTRY_MAX_BYTES = directoryBytes(1, FLAG_COLLECTIONS | FLAG_TRANSACTIONS);
/** The most that a block takes whose lines are not longer than it is filled to. */
export const STANDARD_BYTES =
  BLOCK_HEADER_BYTES + BLOCK_LINES_FILL_BYTES + BLOCK_ENTRIES_MAX * ENTRY_MAX_BYTES;
/** Room behind a standard block for lines of a page: moving bytes within one buffer makes no object. */
export const SOURCE_BYTES = BLOCK_LINES_FILL_BYTES;

/** The bytes of a block as they will be stored, and its directory as columns. */
export class Frame {
  /** Whether it is for blocks that are not one long line; then lines of a page have room behind `STANDARD_BYTES`. */
  readonly isStandard: boolean;
  readonly buffer: Buffer;
  readonly offsets: Uint32Array;
  readonly ends: Uint32Array;
  readonly types: Uint16Array;
  readonly collections: Uint32Array;
  /** Of entries with a pointer of their own: where in the buffer key and revision stand; else 0. */
  readonly keyStarts: Uint32Array;
  readonly keyEnds: Uint32Array;
  readonly revStarts: Uint32Array;
  /** 0 where the revision is the tick. */
  readonly revEnds: Uint32Array;

  private constructor(bytes: number, entries: number) {
    this.isStandard = entries > 1;
    this.buffer = Buffer.allocUnsafeSlow(bytes);
    this.offsets = new Uint32Array(entries);
    this.ends = new Uint32Array(entries);
    this.types = new Uint16Array(entries);
    this.collections = new Uint32Array(entries);
    this.keyStarts = new Uint32Array(entries);
    this.keyEnds = new Uint32Array(entries);
    this.revStarts = new Uint32Array(entries);
    this.revEnds = new Uint32Array(entries);
  }

  static standard(): Frame {
    return new Frame(STANDARD_BYTES + SOURCE_BYTES, BLOCK_ENTRIES_MAX);
  }

  /** For a block of one line of this length. */
  static forLine(bytes: number): Frame {
    return new Frame(BLOCK_HEADER_BYTES + bytes + ENTRY_MAX_BYTES, 1);
  }
}
