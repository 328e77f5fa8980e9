import type { FileHandle } from 'node:fs/promises';
import { openIfThere } from './file-reading.ts';
import type { KeyRange } from './keys.ts';
import type { LiveTable, Manifest } from './manifest.ts';
import { liveLogs, logEntries, tablePaths } from './store-files.ts';
import { FileDamage, type TableEntry, compareVersions } from './table-block.ts';
import { TableFile } from './table-file.ts';

/** A key and what is stored under it. */
export interface StoredEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

type Entries = AsyncIterator<readonly TableEntry[]>;

/**
 * Reads what a store at rest holds, out of its files and without changing any: as LevelDB would on opening it.
 * For checks; the server reads through LevelDB.
 */
export class StoreReader implements AsyncDisposable {
  readonly #directory: string;
  readonly #tables: readonly LiveTable[];
  readonly #logs: readonly (readonly TableEntry[])[];
  readonly #open = new Map<number, { readonly file: FileHandle; readonly table: TableFile }>();

  private constructor(
    directory: string,
    tables: readonly LiveTable[],
    logs: readonly (readonly TableEntry[])[],
  ) {
    this.#directory = directory;
    this.#tables = tables;
    this.#logs = logs;
  }

  /** The files must have been checked, and nobody may write. @throws FileDamage */
  static async open(storeDirectory: string, manifest: Manifest): Promise<StoreReader> {
    const logs: TableEntry[][] = [];
    for (const number of await liveLogs(storeDirectory, manifest)) {
      logs.push(await logEntries(storeDirectory, number));
    }
    return new StoreReader(storeDirectory, manifest.tables, logs);
  }

  /** Those with keys in the range, in order; values are good until the next one is asked for. */
  async *entries({ start, end }: KeyRange): AsyncGenerator<StoredEntry, void, void> {
    const sources: Source[] = this.#logs.map((log) => new Source(once(fromKey(log, start)), end));
    const levels = new Map<number, LiveTable[]>();
    for (const table of this.#tables) {
      if (Buffer.compare(table.largest.key, start) < 0) continue;
      if (Buffer.compare(table.smallest.key, end) >= 0) continue;
      // Tables of the first level overlap.
      if (table.level === 0) sources.push(new Source(this.#read([table], start), end));
      else levels.set(table.level, [...(levels.get(table.level) ?? []), table]);
    }
    for (const tables of levels.values()) {
      tables.sort((a, b) => compareVersions(a.smallest, b.smallest));
      sources.push(new Source(this.#read(tables, start), end));
    }
    yield* merge(sources);
  }

  /** What is stored under a key. */
  async get(key: Buffer): Promise<Buffer | undefined> {
    const end = Buffer.concat([key, Buffer.alloc(1)]);
    for await (const { value } of this.entries({ start: key, end })) return value;
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { file } of this.#open.values()) await file.close();
    this.#open.clear();
  }

  async *#read(
    tables: readonly LiveTable[],
    start: Buffer,
  ): AsyncGenerator<readonly TableEntry[], void, void> {
    for (const table of tables) {
      const file = await this.#table(table.number);
      for await (const entries of file.blocks(start, { checked: true })) {
        const first = entries[0];
        yield first && Buffer.compare(first.key, start) < 0 ? fromKey(entries, start) : entries;
      }
    }
  }

  async #table(number: number): Promise<TableFile> {
    const open = this.#open.get(number);
    if (open) return open.table;
    for (const path of tablePaths(this.#directory, number)) {
      const file = await openIfThere(path);
      if (!file) continue;
      const table = await TableFile.open(file);
      this.#open.set(number, { file, table });
      return table;
    }
    throw new FileDamage(`table ${number} is missing`);
  }
}

function fromKey(entries: readonly TableEntry[], start: Buffer): readonly TableEntry[] {
  const at = entries.findIndex(({ key }) => Buffer.compare(key, start) >= 0);
  return at < 0 ? [] : entries.slice(at);
}

async function* once(entries: readonly TableEntry[]): AsyncGenerator<readonly TableEntry[]> {
  yield await Promise.resolve(entries);
}

/** One of those that are merged: its entries up to the end of the range, one after another. */
class Source {
  /** The entry it is at; undefined at its end. */
  head: TableEntry | undefined;
  readonly #blocks: Entries;
  readonly #end: Buffer;
  #entries: readonly TableEntry[] = [];
  #next = 0;

  constructor(blocks: Entries, end: Buffer) {
    this.#blocks = blocks;
    this.#end = end;
  }

  /** Moves on within what is in memory; false when `load` must be waited for. */
  advance(): boolean {
    const entry = this.#entries[this.#next];
    if (!entry) return false;
    this.#next++;
    this.head = Buffer.compare(entry.key, this.#end) < 0 ? entry : undefined;
    return true;
  }

  /** Moves on to the first entry of what comes next. */
  async load(): Promise<void> {
    for (;;) {
      const read = await this.#blocks.next();
      if (read.done) {
        this.head = undefined;
        return;
      }
      this.#entries = read.value;
      this.#next = 0;
      if (this.advance()) return;
    }
  }

  async close(): Promise<void> {
    await this.#blocks.return?.();
  }
}

/** The newest version of each key, unless it is a removal. */
async function* merge(all: readonly Source[]): AsyncGenerator<StoredEntry, void, void> {
  try {
    for (const source of all) await source.load();
    const sources = all.filter(({ head }) => head);
    sources.sort(compareHeads);
    let last: Buffer | undefined;
    for (;;) {
      const [source] = sources;
      const entry = source?.head;
      if (!source || !entry) return;
      const isOld = last !== undefined && last.equals(entry.key);
      last = entry.key;
      if (!isOld && !entry.isRemoval) yield { key: entry.key, value: entry.value };
      if (!source.advance()) await source.load();
      if (source.head) settle(sources);
      else sources.shift();
    }
  } finally {
    for (const source of all) await source.close();
  }
}

function compareHeads(a: Source, b: Source): number {
  if (!a.head || !b.head) return 0;
  return compareVersions(a.head, b.head);
}

/** Puts the first, which has moved on, where it belongs now. */
function settle(sources: Source[]): void {
  const [first] = sources;
  if (!first) return;
  let at = 1;
  for (let next = sources[at]; next && compareHeads(first, next) > 0; next = sources[++at]) {
    sources[at - 1] = next;
  }
  sources[at - 1] = first;
}
