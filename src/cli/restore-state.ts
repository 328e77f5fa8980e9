import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DumpedCollection } from './dump-directory-reader.ts';
import { RESTORE_STATE_FILE, UNFINISHED } from './dump-layout.ts';
import { UsageError } from './io.ts';
import { StateFile } from './state-file.ts';
import type { Transferred } from './transfer.ts';

/** How far a collection has come, which is noted before the first request about it. */
export interface RestoredPart {
  readonly isDone: boolean;
  /** False while nothing of it is known to be stored: it may be there as it was before the restore. */
  readonly isMade: boolean;
  /** Whether it was not there before the restore; known where collections that are there stay. */
  readonly isOwn: boolean;
  /** Whether somebody has said that it may be replaced as it was before the restore. */
  readonly isAgreed: boolean;
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
  /** 1 had no settings, and 2 did not know what was begun: they are not gone on with. */
  readonly version: typeof VERSION;
  readonly settings: RestoreSettings;
  readonly parts: Readonly<Record<string, RestoredPart>>;
}

const VERSION = 3;

/** Sending a piece again changes nothing, so it need not be known of each one that it was stored. */
const SAVE_EVERY_MS = 1000;

/** Of a collection of which nothing is stored. */
const BEGUN = {
  ...{ isDone: false, isMade: false, isOwn: false, isAgreed: false, offset: 0 },
  sum: { lines: 0, bytes: 0, requests: 0 },
};

/**
 * How far a restore has come, noted in the directory of the dump. What is noted of a collection says also that nobody
 * need be asked before it is replaced: it was asked when the restore began, or what is there was stored by it. A
 * directory that cannot be written to has no such note, and an interrupted restore from it begins as a new one.
 */
export class RestoreState {
  readonly #directory: string;
  readonly #file: StateFile<StoredState>;
  readonly #target: RestoreWhere & { readonly settings: RestoreSettings };
  readonly #parts = new Map<string, RestoredPart>();
  readonly #earlier: Map<string, RestoredPart>;
  readonly #goesOn: boolean;
  /** Whether an interrupted restore like this one has begun with anything. */
  readonly hasEarlier: boolean;
  #savedMs = performance.now();
  #isWritable = true;

  private constructor(
    directory: string,
    target: RestoreWhere & { readonly settings: RestoreSettings },
    { earlier, goesOn }: { readonly earlier: StoredState | undefined; readonly goesOn: boolean },
  ) {
    this.#directory = directory;
    this.#file = fileIn(directory);
    this.#target = target;
    this.#goesOn = goesOn;
    const parts = Object.entries(earlier?.parts ?? {});
    this.#earlier = new Map(goesOn ? parts : parts.map(([name, part]) => [name, anew(part)]));
    this.hasEarlier = parts.length > 0;
  }

  /**
   * Changes nothing on the disk.
   * @param goOn take up what an interrupted restore to the same database has stored; otherwise all of it is done
   * again
   * @throws UsageError naming the setting that is not as it was when that restore was begun
   */
  static async open(
    directory: string,
    where: RestoreWhere,
    settings: RestoreSettings,
    goOn: boolean,
  ): Promise<RestoreState> {
    const found = await fileIn(directory).read();
    let earlier = isOf(where, found) ? found : undefined;
    const differs = earlier && differenceOf(earlier.settings, settings);
    if (goOn && differs !== undefined) throw otherSetting(directory, differs);
    // Another restore, which is not repeated by this one.
    if (differs !== undefined) earlier = undefined;
    const goesOn = goOn && earlier !== undefined;
    return new RestoreState(directory, { ...where, settings }, { earlier, goesOn });
  }

  /**
   * Replaces what another restore has noted, on the disk when it resolves; comes before anything is changed on the
   * server.
   * @param agreed collections of which somebody has said that they may be replaced
   * @throws Error when what another restore to the same database has noted can not be replaced
   */
  async begin(agreed: readonly DumpedCollection[]): Promise<void> {
    for (const collection of agreed) {
      const { name } = collection;
      const files = await filesOf(collection);
      if (this.#earlier.get(name)?.files === files) continue;
      this.#earlier.delete(name);
      this.#parts.set(name, { ...BEGUN, isAgreed: true, files });
    }
    await this.save();
    if (this.#isWritable || this.#goesOn) return;
    if (isOf(this.#target, await this.#file.read())) throw this.#staleError();
  }

  /**
   * Notes that a collection is begun anew, and forgets what was stored of it; on the disk when it resolves, and with
   * it all that was noted before.
   * @param isThere whether there is a collection of this name
   * @returns what is noted of it
   * @throws Error when it would still be noted as stored
   */
  async markBegun(collection: DumpedCollection, isThere: boolean): Promise<RestoredPart> {
    const { name } = collection;
    const before = this.#earlier.get(name);
    this.#earlier.delete(name);
    const files = await filesOf(collection);
    const { isAgreed = false } = this.#parts.get(name) ?? before ?? {};
    const part = { ...BEGUN, isOwn: before?.isOwn ?? !isThere, isAgreed, files };
    this.#parts.set(name, part);
    await this.save();
    if (before?.isMade === true && !this.#isWritable) throw this.#staleError();
    return part;
  }

  /** Whether the interrupted restore has begun with the collection, or was to replace it, from these files. */
  async isNoted(collection: DumpedCollection): Promise<boolean> {
    return this.#earlier.get(collection.name)?.files === (await filesOf(collection));
  }

  /**
   * How many documents there may be in a collection that is begun anew without a loss: those that the interrupted
   * restore has stored, which can not be more than the dump has.
   */
  async documentsWithoutLoss(collection: DumpedCollection): Promise<number> {
    const part = this.#earlier.get(collection.name);
    if (!part || !(await this.isNoted(collection))) return 0;
    // What was agreed to holds for the restore that goes on, and not for one at another time.
    if (part.isAgreed) return this.#goesOn ? Infinity : 0;
    return collection.documents ?? Infinity;
  }

  /**
   * What is stored of a collection by the interrupted restore; undefined when it must begin anew: when it had not
   * come so far, its files are others, or the server no longer has the collection.
   */
  async earlier(
    collection: DumpedCollection,
    present: ReadonlySet<string>,
  ): Promise<RestoredPart | undefined> {
    const part = this.#earlier.get(collection.name);
    if (part?.isMade !== true || !present.has(collection.name)) return undefined;
    return (await this.isNoted(collection)) ? part : undefined;
  }

  /** Notes how far a collection has come; on the disk soon, or when the next is begun. */
  async advance(collection: string, part: RestoredPart): Promise<void> {
    this.#parts.set(collection, part);
    if (performance.now() - this.#savedMs >= SAVE_EVERY_MS) await this.save();
  }

  async save(): Promise<void> {
    if (!this.#isWritable) return;
    this.#savedMs = performance.now();
    // What nobody has come to yet is as it was.
    const parts = Object.fromEntries([...this.#earlier, ...this.#parts]);
    try {
      await this.#file.save({ version: VERSION, ...this.#target, parts });
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
  return found?.version === VERSION && found.endpoint === endpoint && found.database === database;
}

/** The first that is not as it was, and what it was. */
function differenceOf(before: RestoreSettings, now: RestoreSettings): SettingBefore | undefined {
  for (const name of Object.keys(now) as (keyof RestoreSettings)[]) {
    const was = JSON.stringify(before[name]);
    if (was === JSON.stringify(now[name])) continue;
    // What was stored without it is whole.
    if (name === 'force' && !before.force) continue;
    return { name, was };
  }
  return undefined;
}

interface SettingBefore {
  readonly name: keyof RestoreSettings;
  readonly was: string;
}

function otherSetting(directory: string, { name, was }: SettingBefore): UsageError {
  const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return new UsageError(
    `the restore from '${directory}' was begun with another --${flag}: ${was}; go on with that, or begin anew ` +
      'without --continue',
  );
}

/** What stays of a part when the collection is restored once more. */
function anew({ isMade, isOwn, isAgreed, files }: RestoredPart): RestoredPart {
  return { ...BEGUN, isOwn: isMade || isOwn, isAgreed, files };
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
