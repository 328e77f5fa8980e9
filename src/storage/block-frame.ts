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
/** What is known of an entry while its block is open; a row of it is within half a line of the processor's cache. */
export const ROW_CELLS = 8;
export const Cell = {
  /** Its tick, as distance from the first one. */
  offset: 0,
  /** Of its line, in the lines. */
  end: 1,
  type: 2,
  collection: 3,
  /** Where in the buffer key and revision stand, of an entry with a pointer of its own; of others only the end of the key counts, which is 0. */
  keyStart: 4,
  keyEnd: 5,
  revStart: 6,
  /** 0 where the revision is the tick. */
  revEnd: 7,
} as const;
const CELL_BYTES = Uint32Array.BYTES_PER_ELEMENT;
const PAGE_BYTES = 4096;

/** A standard one has room for lines of a page behind `STANDARD_BYTES`; a shared one is of a slab; one for a long line holds nothing else. */
export type FrameKind = 'standard' | 'shared' | 'small' | 'line';

/** The bytes of a block as they will be stored, and its directory as rows: one piece of memory. */
export class Frame {
  readonly kind: FrameKind;
  /** So many bytes of lines, and so many entries, are the most that it holds. */
  readonly linesBytes: number;
  readonly entries: number;
  readonly buffer: Buffer;
  readonly view: DataView;
  /** By entry, a row each; see `Cell`. */
  readonly rows: Uint32Array;

  /** @param memory with room for the shape at `offset`, which this frame alone uses */
  constructor(shape: Shape, memory = Buffer.allocUnsafeSlow(shape.bytes).buffer, offset = 0) {
    const { kind, linesBytes, entries, bufferBytes } = shape;
    this.kind = kind;
    this.linesBytes = linesBytes;
    this.entries = entries;
    this.buffer = Buffer.from(memory, offset, bufferBytes);
    this.view = new DataView(memory, offset, bufferBytes);
    this.rows = new Uint32Array(memory, offset + shape.rowsAt, ROW_CELLS * entries);
  }

  static standard(): Frame {
    return new Frame(STANDARD);
  }

  static small(): Frame {
    return new Frame(SMALL);
  }

  /** For a block of one line of this length. */
  static forLine(bytes: number): Frame {
    return new Frame(shapeOf('line', bytes, 1));
  }
}

/** What the frames of one kind have in common. */
interface Shape {
  readonly kind: FrameKind;
  readonly linesBytes: number;
  readonly entries: number;
  readonly bufferBytes: number;
  /** Where the rows begin, behind the buffer. */
  readonly rowsAt: number;
  readonly bytes: number;
}

const STANDARD = shapeOf('standard', BLOCK_LINES_FILL_BYTES, BLOCK_ENTRIES_MAX, SOURCE_BYTES);
const SMALL = shapeOf('small', SMALL_LINES_BYTES, SMALL_ENTRIES);
const SHARED = shapeOf('shared', BLOCK_LINES_FILL_BYTES, BLOCK_ENTRIES_MAX);
const SHARED_STEP = Math.ceil(SHARED.bytes / PAGE_BYTES) * PAGE_BYTES;

/**
 * Memory for frames that goes back to the system as a whole, at once, when none of them is
 * used any more. Pieces of the size of a frame stay with the process.
 */
export class FrameSlab {
  /** The C library asks the system for pieces above 32 MiB one by one, whatever it has done before. */
  static readonly FRAMES = Math.ceil((33 * 1024 * 1024) / SHARED_STEP);
  readonly #memory = Buffer.allocUnsafeSlow(FrameSlab.FRAMES * SHARED_STEP).buffer;
  #taken = 0;

  /** Undefined when all have been taken. */
  take(): Frame | undefined {
    if (this.#taken === FrameSlab.FRAMES) return undefined;
    return new Frame(SHARED, this.#memory, this.#taken++ * SHARED_STEP);
  }
}

function shapeOf(kind: FrameKind, linesBytes: number, entries: number, sourceBytes = 0): Shape {
  const bufferBytes = bytesOf(linesBytes, entries) + sourceBytes;
  const rowsAt = Math.ceil(bufferBytes / CELL_BYTES) * CELL_BYTES;
  const bytes = rowsAt + entries * ROW_CELLS * CELL_BYTES;
  return { kind, linesBytes, entries, bufferBytes, rowsAt, bytes };
}

function bytesOf(linesBytes: number, entries: number): number {
  return BLOCK_HEADER_BYTES + linesBytes + entries * ENTRY_MAX_BYTES;
}
