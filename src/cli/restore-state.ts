import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DumpedCollection } from './dump-directory-reader.ts';
import { RESTORE_STATE_FILE, UNFINISHED } from './dump-layout.ts';
import { StateFile } from './state-file.ts';
import type { Transferred } from './transfer.ts';

/** How far a collection has come. */
export interface RestoredPart {
  readonly isDone: boolean;
  /** Bytes of lines, uncompressed, that are stored for certain. */
  readonly offset: number;
  readonly sum: Transferred;
  /** Names, sizes and times of the files: others are not gone on with. */
  readonly files: string;
}

interface StoredState {
  readonly version: 1;
  readonly endpoint: string;
  readonly database: string;
  readonly parts: Readonly<Record<string, RestoredPart>>;
}

/** Sending a piece again changes nothing, so it need not be known of each one that it was stored. */
const SAVE_EVERY_MS = 1000;

/**
 * How far a restore has come, noted in the directory of the dump. A directory that cannot be written to has none,
 * and an interrupted restore from it begins anew.
 */
export class RestoreState {
  readonly #file: StateFile<StoredState>;
  readonly #target: { readonly endpoint: string; readonly database: string };
  readonly #parts = new Map<string, RestoredPart>();
  readonly #earlier: ReadonlyMap<string, RestoredPart>;
  #savedMs = performance.now();
  #isWritable = true;

  private constructor(
    file: StateFile<StoredState>,
    target: { endpoint: string; database: string },
    earlier: StoredState | undefined,
  ) {
    this.#file = file;
    this.#target = target;
    this.#earlier = new Map(Object.entries(earlier?.parts ?? {}));
  }

  /** @param goOn take up what an interrupted restore to the same database has noted */
  static async open(
    directory: string,
    target: { readonly endpoint: string; readonly database: string },
    goOn: boolean,
  ): Promise<RestoreState> {
    const path = join(directory, `${RESTORE_STATE_FILE}${UNFINISHED}`);
    const file = new StateFile<StoredState>(path);
    const found = goOn ? await file.read() : undefined;
    const isSame =
      found?.version === 1 &&
      found.endpoint === target.endpoint &&
      found.database === target.database;
    return new RestoreState(file, target, isSame ? found : undefined);
  }

  /** Whether there is anything to go on with. */
  get hasEarlier(): boolean {
    return this.#earlier.size > 0;
  }

  /**
   * What is stored of a collection by the interrupted restore; undefined when it must begin anew: when it had not
   * begun, its files are others, or the server no longer has the collection.
   */
  async earlier(
    collection: DumpedCollection,
    present: ReadonlySet<string>,
  ): Promise<RestoredPart | undefined> {
    const part = this.#earlier.get(collection.name);
    if (!part || !present.has(collection.name)) return undefined;
    return part.files === (await filesOf(collection)) ? part : undefined;
  }

  /** Notes how far a collection has come; on the disk soon, or when it is done. */
  async advance(collection: string, part: RestoredPart): Promise<void> {
    this.#parts.set(collection, part);
    if (part.isDone || performance.now() - this.#savedMs >= SAVE_EVERY_MS) await this.save();
  }

  async save(): Promise<void> {
    if (!this.#isWritable) return;
    this.#savedMs = performance.now();
    // What nobody has come to yet is as it was.
    const parts = Object.fromEntries([...this.#earlier, ...this.#parts]);
    try {
      await this.#file.save({ version: 1, ...this.#target, parts });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw error;
      this.#isWritable = false;
    }
  }

  /** It is complete. */
  async remove(): Promise<void> {
    if (this.#isWritable) await this.#file.remove();
  }
}

/** By which it is seen that files are what they were. */
export async function filesOf({ dataFiles }: DumpedCollection): Promise<string> {
  const files = await Promise.all(
    dataFiles.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return [basename(path), size, mtimeMs];
    }),
  );
  return JSON.stringify(files);
}
