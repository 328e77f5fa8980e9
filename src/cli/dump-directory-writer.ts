import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDataDirectory } from '../base/data-directory.ts';
import { makeDirectory } from '../base/make-directory.ts';
import { DumpDataFile } from './dump-data-file.ts';
import {
  DATA_END,
  type DumpCounts,
  DUMP_FILE,
  DUMP_STATE_FILE,
  ENCRYPTION_FILE,
  fileBaseOf,
  GZIP_END,
  isDumpFile,
  isSignOfDump,
  NOT_ENCRYPTED,
  STRUCTURE_END,
  UNFINISHED,
} from './dump-layout.ts';

export interface DumpDirectoryOptions {
  readonly directory: string;
  /** Whether a dump that is already there may be replaced. */
  readonly overwrite: boolean;
  /** Whether `--continue` would go on with a dump in it. */
  readonly isInterrupted?: boolean;
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
  #description: object = {};

  private constructor({ directory, compress }: DumpDirectoryOptions) {
    this.#directory = directory;
    this.#compress = compress;
  }

  /**
   * Looks whether a directory can be used. What a dump that did not come to its end has left there does not count.
   *
   * @throws Error when it holds something else and `overwrite` is false; in any case when it is the data directory of
   * a server, or holds files and no dump
   */
  static async open(options: DumpDirectoryOptions): Promise<DumpDirectoryWriter> {
    const { directory, overwrite, isInterrupted = false } = options;
    await assertNoDataDirectory(directory);
    const files = await filesIn(directory);
    const isLeftOver = (file: string): boolean =>
      isDumpFile(file) && /\.tmp(?:\.next)?$/.test(file);
    // Hidden files and what a file system has, lost+found, are nobody's.
    const isForeign = files.some((file) => !/^\.|^lost\+found$/.test(file));
    if (isForeign && !files.some((file) => isSignOfDump(file) || isLeftOver(file))) {
      throw new Error(
        `the output directory '${directory}' is not empty, and there is no dump in it that could be replaced; ` +
          'name another one with --output-directory',
      );
    }
    if (!overwrite && !files.every(isLeftOver)) {
      throw new Error(
        `the output directory '${directory}' is not empty; ` +
          (isInterrupted ? 'go on with the interrupted dump in it with --continue, ' : '') +
          'name another one, or replace the dump in it with --overwrite true',
      );
    }
    return new DumpDirectoryWriter(options);
  }

  /**
   * Marks the directory as one that a dump is being written to, and removes the remains of earlier
   * ones. Makes the directory where there is none.
   *
   * @param description content of `dump.json`
   * @param kept collections whose data files, of an interrupted dump, are still needed
   */
  async begin(description: object, kept: readonly string[] = []): Promise<void> {
    this.#description = description;
    try {
      await makeDirectory(this.#directory);
      await this.#write(DUMP_FILE, JSON.stringify(description));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const what = `the output directory '${this.#directory}' can not be made or written to`;
      throw new Error(`${what}: ${reason}`, { cause: error });
    }
    await this.#syncDirectory();
    const own = [DUMP_FILE, DUMP_STATE_FILE, ...kept.map((each) => this.#dataFile(each))];
    const needed = new Set(own.map((file) => `${file}${UNFINISHED}`));
    for (const file of await readdir(this.#directory)) {
      if (file.endsWith(UNFINISHED) && isDumpFile(file) && !needed.has(file)) {
        await rm(join(this.#directory, file));
      }
    }
  }

  /**
   * Writes all the data of a collection as it comes, and waits until the disk has it.
   * @param lines see `DumpDataFile.append`
   */
  async writeData(collection: string, lines: AsyncIterable<Buffer>): Promise<void> {
    const file = await this.openData(collection, 0);
    await file.append(lines);
    this.finishData(collection);
  }

  /** The data file of a collection, which counts when it is finished; see `DumpDataFile.open`. */
  openData(collection: string, atBytes: number): Promise<DumpDataFile> {
    const path = this.#unfinished(this.#dataFile(collection));
    return DumpDataFile.open(path, { compress: this.#compress, atBytes });
  }

  /** Takes up the data file that was written last, by this run or an interrupted one. */
  finishData(collection: string): void {
    this.#data.add(this.#dataFile(collection));
  }

  /** Whether an interrupted run has left at least as much of a data file. */
  async hasData(collection: string, bytes: number): Promise<boolean> {
    try {
      return (await stat(this.#unfinished(this.#dataFile(collection)))).size >= bytes;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  /** Writes the entry of a collection in the inventory; comes after its data. */
  async writeStructure(collection: string, structure: object): Promise<void> {
    const file = `${fileBaseOf(collection)}${STRUCTURE_END}`;
    await this.#write(file, JSON.stringify(structure));
    this.#structures.add(file);
  }

  /**
   * Puts the dump in the place of the one before.
   * @param counts what is in the data files, for `dump.json`; by collections
   */
  async commit(counts: DumpCounts = {}): Promise<void> {
    await this.#write(ENCRYPTION_FILE, NOT_ENCRYPTED);
    if (Object.keys(counts).length > 0) {
      // Other readers pass over members that they do not know.
      const description = { ...this.#description, ticklog: { collections: counts } };
      await this.#write(DUMP_FILE, JSON.stringify(description));
    }
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

  #dataFile(collection: string): string {
    return `${fileBaseOf(collection)}${DATA_END}${this.#compress ? GZIP_END : ''}`;
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

/** @throws Error when a server has its data in the directory, or is to find it there */
export async function assertNoDataDirectory(directory: string): Promise<void> {
  if (!(await isDataDirectory(directory))) return;
  throw new Error(
    `'${directory}' is the data directory of a server, in which a dump has no place; name another one with ` +
      '--output-directory',
  );
}

/** Whether a directory holds a dump that is complete. */
export async function isWholeDump(directory: string): Promise<boolean> {
  const files = await filesIn(directory);
  return files.includes(DUMP_FILE) && !files.includes(`${DUMP_FILE}${UNFINISHED}`);
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return [];
    if (code !== 'ENOTDIR') throw error;
    const message = `'${directory}' is a file, or in one: name a directory with --output-directory`;
    throw new Error(message, { cause: error });
  }
}
