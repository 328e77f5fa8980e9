import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import {
  DATA_END,
  DUMP_FILE,
  ENCRYPTION_FILE,
  fileBaseOf,
  GZIP_END,
  isDumpFile,
  NOT_ENCRYPTED,
  STRUCTURE_END,
  UNFINISHED,
} from './dump-layout.ts';

export interface DumpDirectoryOptions {
  readonly directory: string;
  /** Whether a dump that is already there may be replaced. */
  readonly overwrite: boolean;
  /** Whether data files are compressed. */
  readonly compress: boolean;
}

/**
 * Writes a dump directory. Nothing that was there before is touched until `commit`; after a crash at
 * any moment either the dump before is whole, or the directory says that there is none.
 */
export class DumpDirectoryWriter {
  readonly #directory: string;
  readonly #compress: boolean;
  /** Finished files, by the names they are to get, in the order in which they get them. */
  readonly #data = new Set<string>();
  readonly #structures = new Set<string>();

  private constructor({ directory, compress }: DumpDirectoryOptions) {
    this.#directory = directory;
    this.#compress = compress;
  }

  /**
   * Makes the directory where there is none, and looks whether it can be used. What a dump that did
   * not come to its end has left there does not count.
   *
   * @throws Error when it holds something else and `overwrite` is false
   */
  static async open(options: DumpDirectoryOptions): Promise<DumpDirectoryWriter> {
    const { directory, overwrite } = options;
    await mkdir(directory, { recursive: true });
    const files = await readdir(directory);
    const isLeftOver = (file: string): boolean => isDumpFile(file) && file.endsWith(UNFINISHED);
    if (!overwrite && !files.every(isLeftOver)) {
      throw new Error(
        `the output directory '${directory}' is not empty; name another one, ` +
          'or replace the dump in it with --overwrite true',
      );
    }
    return new DumpDirectoryWriter(options);
  }

  /**
   * Marks the directory as one that a dump is being written to, and removes the remains of earlier
   * ones.
   *
   * @param description content of `dump.json`
   */
  async begin(description: object): Promise<void> {
    await this.#write(DUMP_FILE, JSON.stringify(description));
    await this.#syncDirectory();
    const own = `${DUMP_FILE}${UNFINISHED}`;
    for (const file of await readdir(this.#directory)) {
      if (file.endsWith(UNFINISHED) && isDumpFile(file) && file !== own) {
        await rm(join(this.#directory, file));
      }
    }
  }

  /**
   * Writes the data of a collection as it comes, and waits until the disk has it.
   *
   * @param lines at most two of the chunks are held at a time, one in work and the next
   */
  async writeData(
    collection: string,
    lines: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<void> {
    const file = `${fileBaseOf(collection)}${DATA_END}${this.#compress ? GZIP_END : ''}`;
    const source = Readable.from(lines, { highWaterMark: 1 });
    const sink = createWriteStream(this.#unfinished(file), { flush: true });
    const streams: [Readable, Writable] | [Readable, ReturnType<typeof createGzip>, Writable] = this
      .#compress
      ? [source, createGzip({ level: constants.Z_BEST_SPEED }), sink]
      : [source, sink];
    await pipeline(streams, { signal });
    this.#data.add(file);
  }

  /** Writes the entry of a collection in the inventory; comes after its data. */
  async writeStructure(collection: string, structure: object): Promise<void> {
    const file = `${fileBaseOf(collection)}${STRUCTURE_END}`;
    await this.#write(file, JSON.stringify(structure));
    this.#structures.add(file);
  }

  /** Puts the dump in the place of the one before. */
  async commit(): Promise<void> {
    await this.#write(ENCRYPTION_FILE, NOT_ENCRYPTED);
    const files = [...this.#data, ...this.#structures, ENCRYPTION_FILE];
    await this.#syncDirectory();
    // From here on, until it is back, there is no whole dump in the directory.
    await rm(join(this.#directory, DUMP_FILE), { force: true });
    await this.#syncDirectory();
    for (const file of files) await rename(this.#unfinished(file), join(this.#directory, file));
    const present = new Set([...files, `${DUMP_FILE}${UNFINISHED}`]);
    for (const file of await readdir(this.#directory)) {
      if (isDumpFile(file) && !present.has(file)) await rm(join(this.#directory, file));
    }
    await this.#syncDirectory();
    await rename(this.#unfinished(DUMP_FILE), join(this.#directory, DUMP_FILE));
    await this.#syncDirectory();
  }

  #unfinished(file: string): string {
    return join(this.#directory, `${file}${UNFINISHED}`);
  }

  async #write(file: string, text: string): Promise<void> {
    const handle = await open(this.#unfinished(file), 'w');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** A file is there for certain when its directory is on the disk, too. */
  async #syncDirectory(): Promise<void> {
    const handle = await open(this.#directory);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
