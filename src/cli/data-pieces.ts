import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { GZIP_END } from './dump-layout.ts';
import { countLines } from './transfer.ts';

/** A longer line is taken for damage, or for a file that holds something else. */
const LINE_MAX_BYTES = 128 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const NEWLINE = 0x0a;
const LINE_BREAK = Buffer.from('\n');

/**
 * The content of data files one behind the other, uncompressed, with a newline between. Not more than
 * a few hundred KiB are read ahead.
 *
 * @param onRead is told how many bytes of the files, as they are, have been read so far
 * @throws Error that names the file, when it can not be read or is cut off
 */
export async function* readDataFiles(
  paths: readonly string[],
  signal: AbortSignal,
  onRead: (bytes: number) => void = () => undefined,
): AsyncGenerator<Buffer, void, void> {
  let before = 0;
  for (const [i, path] of paths.entries()) {
    // A compressed file of nothing is not even a header.
    if ((await stat(path)).size === 0) continue;
    if (i > 0) yield LINE_BREAK;
    const { file, content, done } = openDataFile(path, signal);
    try {
      for await (const chunk of content) {
        onRead(before + file.bytesRead);
        yield chunk as Buffer;
      }
      await done;
      before += file.bytesRead;
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    } finally {
      content.destroy();
      await done.catch(() => undefined);
    }
  }
}

function openDataFile(
  path: string,
  signal: AbortSignal,
): { file: ReadStream; content: Readable; done: Promise<void> } {
  const file = createReadStream(path, { highWaterMark: READ_BYTES, signal });
  if (!path.endsWith(GZIP_END)) return { file, content: file, done: Promise.resolve() };
  const content = createGunzip({ chunkSize: READ_BYTES });
  const done = pipeline(file, content, { signal });
  // It is awaited when the content has been read; until then its failure is not unexpected.
  done.catch(() => undefined);
  return { file, content, done };
}

/** Leaves out the first bytes. */
export async function* behind(
  chunks: AsyncIterable<Buffer>,
  offset: number,
): AsyncGenerator<Buffer, void, void> {
  let left = offset;
  for await (const chunk of chunks) {
    if (left < chunk.length) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** Lines that are sent together. */
export interface Piece {
  readonly lines: Buffer;
  /** How many bytes of the content are in this piece and those before it. */
  readonly end: number;
}

/**
 * Cuts lines into pieces that can be sent: as many whole lines as fit into `sizeBytes`, or one that
 * is longer. The newline behind the last line of a piece is left out, empty pieces are, too.
 *
 * @throws Error for a line that is longer than any can be
 */
export async function* cutPieces(
  chunks: AsyncIterable<Buffer>,
  sizeBytes: number,
): AsyncGenerator<Piece, void, void> {
  const gathered = new GatheredLines(sizeBytes);
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      at += gathered.add(chunk.subarray(at));
      if (!gathered.isFull) continue;
      const lines = gathered.takeLines();
      if (lines !== undefined) yield { lines, end: gathered.taken };
    }
  }
  const lines = gathered.takeRest();
  if (lines !== undefined) yield { lines, end: gathered.taken };
}

/** A piece, and those behind it that are sent with it in one body. To be gone through once. */
export class PieceRun implements AsyncIterable<Buffer> {
  readonly first: Buffer;
  /** Whether the first piece is all there will be. */
  readonly isSingle: boolean;
  /** Of what has been gone through; of the first piece before that. */
  bytes: number;
  lines: number;
  /** As `Piece.end`. */
  end: number;
  /** What kept it from getting the next piece. */
  failure: { readonly error: unknown } | undefined;
  readonly #others: AsyncIterator<Piece, undefined>;
  readonly #maxBytes: number;

  /** @param options.maxBytes with so many bytes or more no further piece is taken from `others` */
  constructor(
    { lines, end }: Piece,
    others: AsyncIterator<Piece, undefined>,
    { maxBytes }: { maxBytes: number },
  ) {
    this.first = lines;
    this.isSingle = maxBytes === 0;
    this.bytes = lines.length;
    this.lines = countLines(lines);
    this.end = end;
    this.#others = others;
    this.#maxBytes = maxBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    yield this.first;
    for (let piece; (piece = await this.#next()) !== undefined;) {
      this.bytes += LINE_BREAK.length + piece.lines.length;
      this.lines += countLines(piece.lines);
      this.end = piece.end;
      yield LINE_BREAK;
      yield piece.lines;
    }
  }

  async #next(): Promise<Piece | undefined> {
    if (this.bytes >= this.#maxBytes) return undefined;
    try {
      return (await this.#others.next()).value;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

/** A buffer of lines that ends, once it is full, in the middle of one. */
class GatheredLines {
  readonly #sizeBytes: number;
  #buffer: Buffer;
  #length = 0;
  #taken = 0;
  /** Of the last newline, -1 without one. */
  #newlineAt = -1;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#buffer = Buffer.allocUnsafeSlow(sizeBytes);
  }

  /** Whether there is as much as a piece may hold, and a whole line among it. */
  get isFull(): boolean {
    return this.#length >= this.#sizeBytes && this.#newlineAt >= 0;
  }

  /** Bytes of what was given out, blank lines between included. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes as much of the chunk as there is room for. Returns how many bytes. */
  add(chunk: Buffer): number {
    if (this.#length === this.#buffer.length) this.#grow();
    // A line that is longer than a piece may be is sent alone.
    const lineEnd = this.#length < this.#sizeBytes ? 0 : chunk.indexOf(NEWLINE) + 1;
    const taken = chunk.copy(this.#buffer, this.#length, 0, lineEnd > 0 ? lineEnd : chunk.length);
    const newlineAt = this.#buffer
      .subarray(this.#length, this.#length + taken)
      .lastIndexOf(NEWLINE);
    if (newlineAt >= 0) this.#newlineAt = this.#length + newlineAt;
    this.#length += taken;
    return taken;
  }

  /** The whole lines; what is behind them stays. */
  takeLines(): Buffer | undefined {
    const full = this.#buffer;
    const piece = full.subarray(0, this.#newlineAt);
    this.#taken += this.#newlineAt + 1;
    const rest = full.subarray(this.#newlineAt + 1, this.#length);
    // A new one: the piece is still needed when the next lines come.
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(this.#sizeBytes, rest.length));
    this.#length = rest.copy(this.#buffer);
    this.#newlineAt = -1;
    return withoutBlankEnds(piece);
  }

  takeRest(): Buffer | undefined {
    this.#taken += this.#length;
    return withoutBlankEnds(this.#buffer.subarray(0, this.#length));
  }

  /** A line alone is longer than a piece. */
  #grow(): void {
    if (this.#buffer.length >= LINE_MAX_BYTES) {
      throw new Error(`a line is longer than ${LINE_MAX_BYTES} bytes`);
    }
    const larger = Buffer.allocUnsafeSlow(Math.min(LINE_MAX_BYTES, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

function withoutBlankEnds(lines: Buffer): Buffer | undefined {
  let start = 0;
  let end = lines.length;
  while (start < end && lines[start] === NEWLINE) start++;
  while (end > start && lines[end - 1] === NEWLINE) end--;
  return start === end ? undefined : lines.subarray(start, end);
}
