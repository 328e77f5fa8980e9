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
export const STANDARD_BYTES = bytesOf(BLOCK_LINES_FILL_BYTES, BLOCK_ENTRIES_MAX);
/** Lines of a small block: what one log gets of a commit that is spread over very many. */
export const SMALL_LINES_BYTES = 6 * 1024;
const SMALL_ENTRIES = 48;
/** Room behind a standard block for lines of a page: moving bytes within one buffer makes no object. */
export const SOURCE_BYTES = BLOCK_LINES_FILL_BYTES;

/** A standard one has room for lines of a page behind `STANDARD_BYTES`; one for a long line holds nothing else. */
export type FrameKind = 'standard' | 'small' | 'line';

/** The bytes of a block as they will be stored, and its directory as columns. */
export class Frame {
  readonly kind: FrameKind;
  /** So many bytes of lines, and so many entries, are the most that it holds. */
  readonly linesBytes: number;
  readonly entries: number;
  readonly buffer: Buffer;
  readonly view: DataView;
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

  private constructor(kind: FrameKind, linesBytes: number, entries: number) {
    this.kind = kind;
    this.linesBytes = linesBytes;
    this.entries = entries;
    const sourceBytes = kind === 'standard' ? SOURCE_BYTES : 0;
    this.buffer = Buffer.allocUnsafeSlow(bytesOf(linesBytes, entries) + sourceBytes);
    this.view = new DataView(this.buffer.buffer);
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
    return new Frame('standard', BLOCK_LINES_FILL_BYTES, BLOCK_ENTRIES_MAX);
  }

  static small(): Frame {
    return new Frame('small', SMALL_LINES_BYTES, SMALL_ENTRIES);
  }

  /** For a block of one line of this length. */
  static forLine(bytes: number): Frame {
    return new Frame('line', bytes, 1);
  }
}

function bytesOf(linesBytes: number, entries: number): number {
  return BLOCK_HEADER_BYTES + linesBytes + entries * ENTRY_MAX_BYTES;
}
