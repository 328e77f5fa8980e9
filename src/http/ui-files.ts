import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { extname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** A file of the status page, as it is sent. */
export interface UiFile {
  readonly contentType: string;
  readonly plain: Buffer;
  readonly zipped: Buffer;
  /** Of the contents, in quotes. */
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
};

const zip = promisify(gzip);

/** The files of the status page: few and small, so they are kept once somebody has asked for one. */
export class UiFiles {
  readonly #directory: URL;
  #files: Promise<ReadonlyMap<string, UiFile>> | undefined;

  /** @param options.directory as it was built, with a slash at its end; it may be missing */
  constructor(options: { directory: URL }) {
    this.#directory = options.directory;
  }

  /** The file of this name; undefined when there is none, and always where the page was not built. */
  async find(name: string): Promise<UiFile | undefined> {
    this.#files ??= readFiles(this.#directory).catch((error: unknown) => {
      this.#files = undefined;
      throw error;
    });
    return (await this.#files).get(name);
  }
}

async function readFiles(directory: URL): Promise<ReadonlyMap<string, UiFile>> {
  const files = new Map<string, UiFile>();
  for (const name of await namesIn(directory)) {
    const contentType = TYPES[extname(name)];
    if (contentType === undefined) continue;
    const plain = await readFile(new URL(name, directory));
    const zipped = await zip(plain, { level: 9 });
    const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
    files.set(name, { contentType, plain, zipped, etag });
  }
  return files;
}

async function namesIn(directory: URL): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
