import {
  BLOCK_ENTRIES_MAX,
  BLOCK_HEADER_BYTES,
  BLOCK_LINES_FILL_BYTES,
  FLAG_COLLECTIONS,
  FLAG_TRANSACTIONS,
  directoryBytes,
} from './block.ts';

export const ENTRY_MAX_BYTES = directoryBytes(1, FLAG_COLLECTIONS | FLAG_TRANSACTIONS);
/** Of the frame of a block that is not made for one long line. */
export const STANDARD_BYTES =
  BLOCK_HEADER_BYTES + BLOCK_LINES_FILL_BYTES + BLOCK_ENTRIES_MAX * ENTRY_MAX_BYTES;

/** The bytes of a block as they will be stored, and its directory as columns. */
export class Frame {
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

  constructor(bytes: number, entries: number) {
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
}
