import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { counted } from '../base/words.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { openIfThere } from './file-reading.ts';
import { batchEntries, logRecords } from './log-records.ts';
import { type LiveTable, type Manifest, readManifest } from './manifest.ts';
import { FileDamage, type TableEntry, compareVersions } from './table-block.ts';
import { TableFile } from './table-file.ts';

const LOG_NAME = /^([0-9]+)\.log$/;

/** The path of a table, by either of the names that LevelDB has for them. */
export function tablePaths(storeDirectory: string, number: number): readonly string[] {
  const digits = number.toString().padStart(6, '0');
  return ['ldb', 'sst'].map((suffix) => join(storeDirectory, `${digits}.${suffix}`));
}

/**
 * Opens a table of the store, checks that it is the one the manifest speaks of, and lets `use` have it.
 * @throws FileDamage
 */
export async function withTable<T>(
  storeDirectory: string,
  table: LiveTable,
  use: (file: TableFile) => Promise<T>,
): Promise<T> {
  for (const path of tablePaths(storeDirectory, table.number)) {
    const file = await openIfThere(path);
    if (!file) continue;
    try {
      const { size } = await file.stat();
      if (size !== table.size) {
        throw new FileDamage(`it has ${counted(size, 'byte')} instead of ${table.size}`);
      }
      return await use(await TableFile.open(file));
    } finally {
      await file.close();
    }
  }
  throw new FileDamage('it is missing');
}

/** So often a check begins anew because a server that runs has changed the files meanwhile. */
const ATTEMPTS_MAX = 5;

/**
 * Checks footers, indexes and filters of all tables. LevelDB reads by them without a look at their checksums, and
 * where they are damaged it finds less than there is. Cheap: a fraction of a percent of the store is read.
 * @throws ServiceError storageDamaged
 */
export async function checkTableIndexes(storeDirectory: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const place: Place = { what: 'the manifest', manifest: undefined };
    try {
      await checkIndexes(storeDirectory, place);
      return;
    } catch (error) {
      if (!(error instanceof FileDamage)) throw error;
      // Another server may have it open: whether it has shows when the store is opened.
      const now = await readManifest(storeDirectory).catch(() => undefined);
      if (now && !isSame(now, place.manifest) && attempt < ATTEMPTS_MAX) continue;
      throw new ServiceError(
        'storageDamaged',
        `the data directory cannot be read: ${place.what} in ${storeDirectory} is damaged: ${error.message}. ` +
          'Restore the directory from a backup, or copy the data anew from another server into an empty directory.',
        { cause: error },
      );
    }
  }
}

/** How far a check has come. */
interface Place {
  what: string;
  manifest: Manifest | undefined;
}

async function checkIndexes(storeDirectory: string, place: Place): Promise<void> {
  place.manifest = await readManifest(storeDirectory);
  for (const table of place.manifest?.tables ?? []) {
    place.what = `table ${table.number}`;
    try {
      await withTable(storeDirectory, table, () => Promise.resolve());
    } catch (error) {
      // Its checksum holds. LevelDB can read what another program has compressed.
      if (!isServiceError(error, 'unknownFormat')) throw error;
    }
  }
}

function isSame(a: Manifest, b: Manifest | undefined): boolean {
  const numbers = (each: Manifest): string => each.tables.map(({ number }) => number).join();
  return b !== undefined && a.name === b.name && numbers(a) === numbers(b);
}

/** The numbers of the logs whose entries are not in tables yet. */
export async function liveLogs(
  storeDirectory: string,
  { logNumber, previousLog }: Manifest,
): Promise<number[]> {
  const numbers = (await readdir(storeDirectory))
    .flatMap((name) => LOG_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .filter((number) => number >= logNumber || (previousLog > 0 && number === previousLog))
    .sort((a, b) => a - b);
  // A store that has never been written has none.
  if (logNumber > 0 && !numbers.includes(logNumber)) {
    throw new FileDamage(`the log ${logNumber} is missing`);
  }
  return numbers;
}

/** The entries of a log, by key, the newest version of each first. @throws FileDamage */
export async function logEntries(storeDirectory: string, number: number): Promise<TableEntry[]> {
  const name = `${number.toString().padStart(6, '0')}.log`;
  const file = await readFile(join(storeDirectory, name));
  return logRecords(file).flatMap(batchEntries).sort(compareVersions);
}
