import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DumpedCollection } from './dump-directory-reader.ts';
import { RESTORE_STATE_FILE, UNFINISHED } from './dump-layout.ts';
import { UsageError } from './io.ts';
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

/** Where a restore goes to. */
export interface RestoreWhere {
  readonly endpoint: string;
  readonly database: string;
}

/** By what the outcome of a restore is decided, named as the flags: an interrupted one goes on only with the same. */
export interface RestoreSettings {
  readonly collection: readonly string[];
  readonly includeSystemCollections: boolean;
  readonly overwrite: boolean;
  readonly createCollection: boolean;
  readonly importData: boolean;
  readonly recycleIds: boolean;
  readonly force: boolean;
}

interface StoredState extends RestoreWhere {
  /** 1 had no settings, and is not gone on with. */
  readonly version: 2;
  /** Id of the server, empty where it does not tell; what was noted without one is not gone on with. */
  readonly serverId?: string;
  readonly settings: RestoreSettings;
  readonly parts: Readonly<Record<string, RestoredPart>>;
}

/** Sending a piece again changes nothing, so it need not be known of each one that it was stored. */
const SAVE_EVERY_MS = 1000;

/**
 * How far a restore has come, noted in the directory of the dump. A directory that cannot be written to has none,
 * and an interrupted restore from it begins anew.
 */
export class RestoreState {
  readonly #directory: string;
  readonly #file: StateFile<StoredState>;
  readonly #target: RestoreWhere & { readonly settings: RestoreSettings };
  readonly #parts = new Map<string, RestoredPart>();
  readonly #earlier: Map<string, RestoredPart>;
  readonly #earlierServer: string | undefined;
  #server = '';
  #savedMs = performance.now();
  #isWritable = true;

  private constructor(
    directory: string,
    target: RestoreWhere & { readonly settings: RestoreSettings },
    earlier: StoredState | undefined,
  ) {
    this.#directory = directory;
    this.#file = fileIn(directory);
    this.#target = target;
    this.#earlierServer = earlier?.serverId;
    this.#earlier = new Map(Object.entries(earlier?.parts ?? {}));
  }

  /**
   * Changes nothing on the disk.
   * @param goOn take up what an interrupted restore to the same database has noted
   * @throws UsageError naming the setting that is not as it was when that restore was begun
   */
  static async open(
    directory: string,
    where: RestoreWhere,
    settings: RestoreSettings,
    goOn: boolean,
  ): Promise<RestoreState> {
    const found = goOn ? await fileIn(directory).read() : undefined;
    const earlier = isOf(where, found) ? found : undefined;
    if (earlier) assertSame(directory, earlier.settings, settings);
    return new RestoreState(directory, { ...where, settings }, earlier);
  }

  /**
   * Says which server it is that the endpoint leads to now; comes before what is below. What another one has stored is
   * not gone on with.
   * @param serverId empty where it does not tell
   */
  identify(serverId: string): void {
    this.#server = serverId;
    if (this.#earlierServer !== serverId) this.#earlier.clear();
  }

  /** Whether there is anything to go on with. */
  get hasEarlier(): boolean {
    return this.#earlier.size > 0;
  }

  /**
   * Replaces what another restore has noted, on the disk when it resolves; comes before anything is changed on the
   * server. @throws Error when what another restore to the same database has noted can not be replaced
   */
  async begin(): Promise<void> {
    await this.save();
    if (this.#isWritable || this.#earlierServer === this.#server) return;
    if (isOf(this.#target, await this.#file.read())) throw this.#staleError();
  }

  /**
   * Forgets what was stored of a collection that is begun anew; on the disk when it resolves.
   * @throws Error when it would still be noted as stored
   */
  async forget(collection: string): Promise<void> {
    if (!this.#earlier.delete(collection)) return;
    await this.save();
    if (!this.#isWritable) throw this.#staleError();
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
      const server = { serverId: this.#server };
      await this.#file.save({ version: 2, ...this.#target, ...server, parts });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw error;
      this.#isWritable = false;
    }
  }

  /**
   * It is complete, and nothing of that is kept: the database may be another, or changed, before somebody says
   * `--continue` again, and must not pass for restored then.
   */
  async remove(): Promise<void> {
    if (this.#isWritable) await this.#file.remove();
  }

  #staleError(): Error {
    return new Error(
      `'${this.#directory}' can not be written to, and has the state of an interrupted restore that would be taken ` +
        `for this one: remove '${basename(pathIn(this.#directory))}' from it`,
    );
  }
}

function pathIn(directory: string): string {
  return join(directory, `${RESTORE_STATE_FILE}${UNFINISHED}`);
}

function fileIn(directory: string): StateFile<StoredState> {
  return new StateFile(pathIn(directory));
}

function isOf({ endpoint, database }: RestoreWhere, found: StoredState | undefined): boolean {
  return found?.version === 2 && found.endpoint === endpoint && found.database === database;
}

/** @throws UsageError naming the first that differs */
function assertSame(directory: string, before: RestoreSettings, now: RestoreSettings): void {
  for (const name of Object.keys(now) as (keyof RestoreSettings)[]) {
    const was = JSON.stringify(before[name]);
    if (was === JSON.stringify(now[name])) continue;
    // What was stored without it is whole.
    if (name === 'force' && !before.force) continue;
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(
      `the restore from '${directory}' was begun with another --${flag}: ${was}; go on with that, or begin anew ` +
        'without --continue',
    );
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
