import { join } from 'node:path';
import { DUMP_STATE_FILE, UNFINISHED } from './dump-layout.ts';
import type { ListedCollection } from './dump-source.ts';
import { UsageError } from './io.ts';
import { StateFile } from './state-file.ts';
import type { Transferred } from './transfer.ts';

/** What a dump is of, and how it is written: an interrupted one goes on only with the same. */
export interface DumpSettings {
  readonly endpoint: string;
  readonly database: string;
  readonly collection: readonly string[];
  readonly includeSystemCollections: boolean;
  readonly dumpData: boolean;
  readonly compressOutput: boolean;
  readonly envelope: boolean;
  readonly tickStart: string;
  readonly tickEnd: string;
}

/** How far a collection has come. */
export interface DumpedPart {
  readonly isDone: boolean;
  /** Length of its data file that counts. */
  readonly bytes: number;
  /** Up to which tick the file has its lines. */
  readonly tick: string;
  readonly sum: Transferred;
}

interface StoredState {
  readonly version: 1;
  readonly settings: DumpSettings;
  /** The moment that the dump shows. */
  readonly tick: string;
  /** By which the server keeps that moment. */
  readonly batch: string;
  readonly collections: readonly ListedCollection[];
  /** Of the database, where the server tells. */
  readonly properties?: object;
  readonly parts: Readonly<Record<string, DumpedPart>>;
}

/** What an unfinished dump says of itself, in its directory. */
export class DumpState {
  readonly #file: StateFile<StoredState>;
  readonly #record: Omit<StoredState, 'parts'>;
  readonly #parts: Map<string, DumpedPart>;
  #isSaved: boolean;

  private constructor(
    file: StateFile<StoredState>,
    { parts, ...record }: StoredState,
    { isSaved }: { readonly isSaved: boolean },
  ) {
    this.#isSaved = isSaved;
    this.#file = file;
    this.#record = record;
    this.#parts = new Map(Object.entries(parts));
  }

  /** The state of an interrupted dump; undefined when there is none. */
  static async read(directory: string): Promise<DumpState | undefined> {
    const file = fileIn(directory);
    const record = await file.read();
    return record?.version === 1 ? new DumpState(file, record, { isSaved: true }) : undefined;
  }

  /** A new one, which is not saved before `save`. */
  static begin(directory: string, record: Omit<StoredState, 'version' | 'parts'>): DumpState {
    const stored: StoredState = { ...record, version: 1, parts: {} };
    return new DumpState(fileIn(directory), stored, { isSaved: false });
  }

  get tick(): string {
    return this.#record.tick;
  }

  get batch(): string {
    return this.#record.batch;
  }

  get collections(): readonly ListedCollection[] {
    return this.#record.collections;
  }

  get properties(): object | undefined {
    return this.#record.properties;
  }

  /** Of the collections that were begun, by name. */
  get parts(): ReadonlyMap<string, DumpedPart> {
    return this.#parts;
  }

  /** Notes how far a collection has come; on the disk when it resolves. */
  async advance(collection: string, part: DumpedPart): Promise<void> {
    this.#parts.set(collection, part);
    await this.save();
  }

  /** As `advance`, without saving. */
  adopt(collection: string, part: DumpedPart): void {
    this.#parts.set(collection, part);
  }

  /** What there is of a collection is not good. */
  forget(collection: string): void {
    this.#parts.delete(collection);
  }

  /** Whether there is anything on the disk to go on with. */
  get isSaved(): boolean {
    return this.#isSaved;
  }

  async save(): Promise<void> {
    await this.#file.save({ ...this.#record, parts: Object.fromEntries(this.#parts) });
    this.#isSaved = true;
  }

  /** Whether a dump of these settings goes on with this one. */
  isSame(now: DumpSettings): boolean {
    return this.#difference(now) === undefined;
  }

  /** @throws UsageError naming what is not as it was when the dump was begun */
  assertSame(directory: string, now: DumpSettings): void {
    const name = this.#difference(now);
    if (name === undefined) return;
    const was = JSON.stringify(this.#record.settings[name]);
    throw new UsageError(
      `the dump in '${directory}' was begun with another ${name}: ${was}; go on with that, or ` +
        'begin anew without --continue',
    );
  }

  #difference(now: DumpSettings): keyof DumpSettings | undefined {
    const { settings } = this.#record;
    const names = Object.keys(now) as (keyof DumpSettings)[];
    return names.find((name) => JSON.stringify(settings[name]) !== JSON.stringify(now[name]));
  }
}

function fileIn(directory: string): StateFile<StoredState> {
  return new StateFile(join(directory, `${DUMP_STATE_FILE}${UNFINISHED}`));
}
