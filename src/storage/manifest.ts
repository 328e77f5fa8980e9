import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isNotFound } from './file-reading.ts';
import { logRecords } from './log-records.ts';
import {
  FileDamage,
  type TableEntry,
  VarintReader,
  compareVersions,
  entryOf,
} from './table-block.ts';

/* What a record of a manifest changes: tags, each with its values. */
const COMPARATOR = 1;
const LOG_NUMBER = 2;
const NEXT_FILE = 3;
const LAST_SEQUENCE = 4;
const COMPACT_POINTER = 5;
const DELETED_FILE = 6;
const NEW_FILE = 7;
const PREVIOUS_LOG = 9;
const COMPARATOR_NAME = 'leveldb.BytewiseComparator';
const LEVELS = 7;
const NOTHING = Buffer.alloc(0);

/** A table that is part of the store. */
export interface LiveTable {
  readonly number: number;
  readonly level: number;
  readonly size: number;
  /** Its first and its last entry, without values. */
  readonly smallest: TableEntry;
  readonly largest: TableEntry;
}

/** Which files make up the store. */
export interface Manifest {
  /** Its file. */
  readonly name: string;
  readonly tables: readonly LiveTable[];
  /** Logs from this number on have not been made tables of yet. */
  readonly logNumber: number;
  readonly previousLog: number;
  readonly lastSequence: number;
}

/**
 * Reads what LevelDB goes by when it opens the store; `checkLogs` must have let its files pass.
 * @returns undefined where there is no store
 * @throws FileDamage naming the file
 */
export async function readManifest(storeDirectory: string): Promise<Manifest | undefined> {
  let current: string;
  try {
    current = await readFile(join(storeDirectory, 'CURRENT'), 'latin1');
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  if (!/^MANIFEST-[0-9]{6,}\n$/.test(current)) {
    throw new FileDamage('CURRENT does not name a manifest');
  }
  const name = current.trimEnd();
  let file: Buffer;
  try {
    file = await readFile(join(storeDirectory, name));
  } catch (error) {
    if (isNotFound(error)) throw new FileDamage(`CURRENT names ${name}, which is not there`);
    throw error;
  }
  try {
    const draft = new ManifestDraft(name);
    for (const record of logRecords(file)) draft.apply(record);
    return draft.finish();
  } catch (error) {
    if (error instanceof FileDamage) throw new FileDamage(`${name}: ${error.message}`);
    throw error;
  }
}

class ManifestDraft {
  readonly #name: string;
  readonly #tables = new Map<number, LiveTable>();
  #comparator = '';
  #logNumber: number | undefined;
  #previousLog = 0;
  #lastSequence: number | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  apply(record: Buffer): void {
    const reader = new VarintReader(record);
    const added: LiveTable[] = [];
    while (!reader.isAtEnd) this.#applyTag(reader, added);
    // What a record adds is there also if it says that a table of that number goes.
    for (const table of added) this.#tables.set(table.number, table);
  }

  #applyTag(reader: VarintReader, added: LiveTable[]): void {
    const tag = reader.next();
    switch (tag) {
      case COMPARATOR:
        this.#comparator = reader.bytes().toString('latin1');
        return;
      case LOG_NUMBER:
        this.#logNumber = reader.next();
        return;
      case PREVIOUS_LOG:
        this.#previousLog = reader.next();
        return;
      case NEXT_FILE:
        reader.next();
        return;
      case LAST_SEQUENCE:
        this.#lastSequence = reader.next();
        return;
      case COMPACT_POINTER:
        readLevel(reader);
        reader.bytes();
        return;
      case DELETED_FILE: {
        readLevel(reader);
        this.#tables.delete(reader.next());
        return;
      }
      case NEW_FILE: {
        const level = readLevel(reader);
        const number = reader.next();
        const size = reader.next();
        const smallest = entryOf(reader.bytes(), NOTHING);
        added.push({ number, level, size, smallest, largest: entryOf(reader.bytes(), NOTHING) });
        return;
      }
      default:
        throw new FileDamage(`it has an entry of unknown kind ${tag}`);
    }
  }

  finish(): Manifest {
    if (this.#logNumber === undefined || this.#lastSequence === undefined) {
      throw new FileDamage('it is incomplete');
    }
    if (this.#comparator !== COMPARATOR_NAME) {
      throw new FileDamage('it says that keys are in another order');
    }
    const tables = [...this.#tables.values()];
    for (let level = 1; level < LEVELS; level++) expectApart(tables, level);
    const logs = { logNumber: this.#logNumber, previousLog: this.#previousLog };
    return { name: this.#name, tables, ...logs, lastSequence: this.#lastSequence };
  }
}

function readLevel(reader: VarintReader): number {
  const level = reader.next();
  if (level >= LEVELS) throw new FileDamage('it names a level that there is not');
  return level;
}

/** Tables of a level above the first must not overlap. */
function expectApart(tables: readonly LiveTable[], level: number): void {
  const ordered = tables
    .filter((table) => table.level === level)
    .sort((a, b) => compareVersions(a.smallest, b.smallest));
  ordered.forEach((table, i) => {
    const next = ordered[i + 1];
    if (next && compareVersions(table.largest, next.smallest) >= 0) {
      throw new FileDamage(`tables ${table.number} and ${next.number} overlap`);
    }
  });
}
