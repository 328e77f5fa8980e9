import { createWriteStream } from 'node:fs';
import { open, stat, truncate } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';

/**
 * A data file that is written in parts. Each part is on the disk, and can be read by itself, when `append` has
 * resolved: compressed it is a gzip member of its own, and such a file may have several.
 */
export class DumpDataFile {
  readonly #path: string;
  readonly #compress: boolean;
  #bytes: number;

  private constructor(path: string, compress: boolean, bytes: number) {
    this.#path = path;
    this.#compress = compress;
    this.#bytes = bytes;
  }

  /**
   * Opens a file behind the parts that count; what is behind them, the half-written rest of an interrupted dump, is
   * cut off.
   *
   * @param atBytes length of these parts; 0 for a new file
   */
  static async open(
    path: string,
    { compress, atBytes }: { readonly compress: boolean; readonly atBytes: number },
  ): Promise<DumpDataFile> {
    if (atBytes === 0) await (await open(path, 'w')).close();
    else await truncate(path, atBytes);
    return new DumpDataFile(path, compress, atBytes);
  }

  /** Length of the parts that are on the disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a part as it comes.
   * @param lines at most two of the chunks are held at a time, one in work and the next
   */
  async append(lines: AsyncIterable<Buffer>): Promise<void> {
    const source = Readable.from(lines, { highWaterMark: 1 });
    const sink = createWriteStream(this.#path, { flags: 'a', flush: true });
    await (this.#compress
      ? pipeline(source, createGzip({ level: constants.Z_BEST_SPEED }), sink)
      : pipeline(source, sink));
    this.#bytes = (await stat(this.#path)).size;
  }
}
