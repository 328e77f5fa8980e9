import { createHash } from 'node:crypto';

/**
 * The files of a dump directory (contract 8.1), as this program writes them: `dump.json`,
 * `ENCRYPTION`, and of each collection `<name>_<md5>.structure.json` and
 * `<name>_<md5>.data.json[.gz]`.
 *
 * While a dump is being written all of them bear `UNFINISHED` behind their names. The first that is
 * there is `dump.json.tmp` and the last that gets its name is `dump.json`: a directory with the
 * former and without the latter holds no whole dump.
 */

/** What belongs to the dump as a whole. */
export const DUMP_FILE = 'dump.json';

/** How much there is of collections, by their names: a member of `dump.json` that only dumps of this program have. */
export type DumpCounts = Readonly<Record<string, DumpCount>>;

export interface DumpCount {
  /** Where the server tells, and all of them were dumped. */
  readonly documents?: number;
  /** In the data file: old states and removals may be among them. */
  readonly lines: number;
}

/** How far a dump has come that is being written; only ever with `UNFINISHED` behind it. */
export const DUMP_STATE_FILE = 'dump.state.json';

/** How far a restore from the directory has come; likewise. */
export const RESTORE_STATE_FILE = 'restore.state.json';

/** One word: how the data is encrypted. */
export const ENCRYPTION_FILE = 'ENCRYPTION';

/** Content of `ENCRYPTION_FILE` where it is not. */
export const NOT_ENCRYPTED = 'none';

/** End of the names of files that are not complete, or not complete together. */
export const UNFINISHED = '.tmp';

/** End of the names of structure files. */
export const STRUCTURE_END = '.structure.json';

/** End of the names of data files that are not compressed. */
export const DATA_END = '.data.json';

/** Behind the name of a compressed file. */
export const GZIP_END = '.gz';

/** End of the names of files that describe a view. */
export const VIEW_END = '.view.json';

const OWN_FILES: ReadonlySet<string> = new Set([
  ...[DUMP_FILE, ENCRYPTION_FILE, DUMP_STATE_FILE, RESTORE_STATE_FILE],
  // What a crash leaves of a state that was being written.
  ...[`${DUMP_STATE_FILE}${UNFINISHED}.next`, `${RESTORE_STATE_FILE}${UNFINISHED}.next`],
]);

const DUMP_FILE_NAME = /\.(?:structure|view)\.json$|\.data\.json(?:\.gz)?$/;

/** Whether a file of this name shows that its directory is that of a dump, finished or not. */
export function isSignOfDump(file: string): boolean {
  const name = file.endsWith(UNFINISHED) ? file.slice(0, -UNFINISHED.length) : file;
  return name === DUMP_FILE || name === DUMP_STATE_FILE || name.endsWith(STRUCTURE_END);
}

/** What the files of a collection begin with: names that differ only by case are kept apart. */
export function fileBaseOf(collection: string): string {
  return `${collection}_${nameHash(collection)}`;
}

/** Lower-case hexadecimal MD5 of a name. */
export function nameHash(name: string): string {
  return createHash('md5').update(name).digest('hex');
}

/** Whether a file of this name can be part of a dump, finished or not. */
export function isDumpFile(file: string): boolean {
  const name = file.endsWith(UNFINISHED) ? file.slice(0, -UNFINISHED.length) : file;
  return OWN_FILES.has(name) || DUMP_FILE_NAME.test(name);
}

/** Whether a file can be named after the collection, on any system. */
export function isSafeInFileName(collection: string): boolean {
  return collection !== '' && !/[\x00-\x1f/\\:*?"<>|]/.test(collection) && collection[0] !== '.';
}
