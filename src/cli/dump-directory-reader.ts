import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CollectionType, isCollectionType } from '../model/collection.ts';
import {
  DATA_END,
  DUMP_FILE,
  ENCRYPTION_FILE,
  GZIP_END,
  nameHash,
  NOT_ENCRYPTED,
  STRUCTURE_END,
  UNFINISHED,
  VIEW_END,
} from './dump-layout.ts';
import { at, numberAt, textAt } from './json.ts';

/** A collection in a dump directory. */
export interface DumpedCollection {
  readonly name: string;
  readonly type: CollectionType;
  /** JSON text of `{"parameters":..,"indexes":..}`, as it is sent. */
  readonly structure: string;
  readonly indexCount: number;
  /** Paths of files with its lines, in their order; empty when only the structure was dumped. */
  readonly dataFiles: readonly string[];
  /** How many documents are in them, where the dump says so, or at least of how many lines. */
  readonly documents?: number | undefined;
}

/** What is in a dump directory. */
export interface DumpDirectory {
  /** The database it was made of; undefined where there is no `dump.json`. */
  readonly database?: string;
  /** Whether lines have an envelope; undefined where the dump does not say. */
  readonly useEnvelope?: boolean;
  /** Sorted by name. */
  readonly collections: readonly DumpedCollection[];
  /** Files that describe views. */
  readonly views: readonly string[];
  /** A later dump to the same directory did not come to its end; this one is whole. */
  readonly isBeforeUnfinished: boolean;
}

export interface ReadDumpOptions {
  /** Take what is there of a dump that did not come to its end. */
  readonly allowUnfinished: boolean;
  /** Take structure files that do not bear the name of their collection. */
  readonly allowOtherNames: boolean;
}

/**
 * Reads what is in a directory written by ticklog or by any arangodump from 1.4 on (contract 8.1);
 * data is not looked into.
 *
 * @throws Error, which names the file, for what is no dump, is encrypted, is not complete, or holds
 *   one collection twice
 */
export async function readDumpDirectory(
  directory: string,
  options: ReadDumpOptions,
): Promise<DumpDirectory> {
  const files = new Set(await filesOf(directory));
  if (files.has(ENCRYPTION_FILE)) await assertPlain(directory);
  const isUnfinished = files.has(`${DUMP_FILE}${UNFINISHED}`);
  if (isUnfinished && !files.has(DUMP_FILE) && !options.allowUnfinished) {
    throw new Error(
      `the dump in '${directory}' did not come to its end (${DUMP_FILE}${UNFINISHED} is there, ` +
        `${DUMP_FILE} is not): dump again, or restore what is there with --force true`,
    );
  }
  const collections = new Map<string, DumpedCollection>();
  for (const file of [...files].filter((each) => each.endsWith(STRUCTURE_END)).sort()) {
    const collection = await readCollection(directory, file, files, options);
    if (collection === undefined) continue;
    if (collections.has(collection.name)) {
      throw new Error(`${join(directory, file)}: there is another file of '${collection.name}'`);
    }
    collections.set(collection.name, collection);
  }
  if (collections.size === 0) await assertNoStructures(directory, files);
  const { documentsOf, ...described } = files.has(DUMP_FILE)
    ? await readDescription(join(directory, DUMP_FILE))
    : { documentsOf: () => undefined };
  return {
    ...described,
    collections: [...collections.values()].map((each) => {
      return { ...each, documents: documentsOf(each.name) };
    }),
    views: [...files].filter((file) => file.endsWith(VIEW_END)).sort(),
    isBeforeUnfinished: isUnfinished && files.has(DUMP_FILE),
  };
}

/** The database that the dump in a directory is of; undefined where it does not say. */
export async function databaseOfDump(directory: string): Promise<string | undefined> {
  const files = await filesOf(directory);
  if (!files.includes(DUMP_FILE)) return undefined;
  return (await readDescription(join(directory, DUMP_FILE))).database;
}

async function filesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    const why = code === 'ENOENT' ? 'is not there' : 'is a file, or in one';
    throw new Error(`the input directory '${directory}' ${why}`, { cause: error });
  }
}

async function assertPlain(directory: string): Promise<void> {
  const how = (await readFile(join(directory, ENCRYPTION_FILE), 'utf8')).trim();
  if (how === NOT_ENCRYPTED) return;
  throw new Error(
    `the dump in '${directory}' is encrypted (${how.slice(0, 32)}), which can not be read: ` +
      'restore it with the arangorestore it was made for, and dump that without encryption',
  );
}

/** A dump of a database without collections is one; a directory without a dump is not. */
async function assertNoStructures(directory: string, files: ReadonlySet<string>): Promise<void> {
  if (files.has(DUMP_FILE)) return;
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries.filter((each) => each.isDirectory())) {
    const inner = await readdir(join(directory, entry.name));
    if (!inner.some((file) => file.endsWith(STRUCTURE_END))) continue;
    throw new Error(
      `'${directory}' holds dumps of several databases: restore them with --all-databases true, or ` +
        `name one of its directories, such as '${join(directory, entry.name)}'`,
    );
  }
  throw new Error(`there is no dump in '${directory}': it has no *${STRUCTURE_END}`);
}

async function readDescription(path: string): Promise<{
  database?: string;
  useEnvelope?: boolean;
  /** By the name of a collection. */
  documentsOf: (name: string) => number | undefined;
}> {
  const description = await readJson(path);
  const database = textAt(description, 'database');
  const useEnvelope = at(description, 'useEnvelope');
  return {
    ...(database === undefined ? {} : { database }),
    ...(typeof useEnvelope === 'boolean' ? { useEnvelope } : {}),
    documentsOf: (name) => {
      const count = at(description, 'ticklog', 'collections', name);
      return numberAt(count, 'documents') ?? numberAt(count, 'lines');
    },
  };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Undefined for a collection that had been dropped when it was dumped. */
async function readCollection(
  directory: string,
  file: string,
  files: ReadonlySet<string>,
  { allowOtherNames }: ReadDumpOptions,
): Promise<DumpedCollection | undefined> {
  const path = join(directory, file);
  const structure = await readJson(path);
  const parameters = at(structure, 'parameters');
  const name = textAt(parameters, 'name') ?? '';
  if (name === '') throw new Error(`${path}: there is no parameters.name`);
  if (at(parameters, 'deleted') === true) return undefined;
  const base = file.slice(0, -STRUCTURE_END.length);
  if (!allowOtherNames && !basesOf(name, parameters).includes(base)) {
    throw new Error(`${path} is the structure of '${name}', whose file has another name`);
  }
  const type = at(parameters, 'type') ?? 2;
  if (!isCollectionType(type)) throw new Error(`${path}: parameters.type is neither 2 nor 3`);
  // Some generations put the indexes in with the parameters.
  const indexes = at(structure, 'indexes') ?? at(parameters, 'indexes') ?? [];
  if (!Array.isArray(indexes)) throw new Error(`${path}: indexes is no list`);
  const isWhole = at(structure, 'indexes') !== undefined;
  return {
    name,
    type,
    structure: isWhole
      ? (await readFile(path, 'utf8')).trim()
      : JSON.stringify({ parameters, indexes }),
    indexCount: indexes.length,
    dataFiles: dataFilesOf(name, base, files).map((each) => join(directory, each)),
  };
}

/** What the files of a collection can begin with: the last two in dumps of names beyond ASCII. */
function basesOf(name: string, parameters: unknown): readonly string[] {
  const md5 = nameHash(name);
  const cid = textAt(parameters, 'cid') ?? textAt(parameters, 'id') ?? name;
  return [name, `${name}_${md5}`, cid, `${cid}_${md5}`];
}

/**
 * The file with the data, or the files, where it was split. Of a plain and a compressed one that go
 * by the same name the contract has the plain one count.
 */
function dataFilesOf(name: string, base: string, files: ReadonlySet<string>): readonly string[] {
  const hashed = `${name}_${nameHash(name)}`;
  const plain = [hashed, name, base];
  const candidates = [
    `${hashed}${DATA_END}`,
    `${hashed}${DATA_END}${GZIP_END}`,
    `${name}${DATA_END}${GZIP_END}`,
    `${name}${DATA_END}`,
    `${base}${DATA_END}`,
    `${base}${DATA_END}${GZIP_END}`,
  ];
  const whole = candidates.find((each) => files.has(each));
  if (whole !== undefined) return [whole];
  for (const each of plain) {
    const parts = partsOf(each, files);
    if (parts.length > 0) return parts;
  }
  return [];
}

/** `<base>.<n>.data.json[.gz]` by n. */
function partsOf(base: string, files: ReadonlySet<string>): readonly string[] {
  const parts = new Map<number, string>();
  for (const file of files) {
    if (!file.startsWith(`${base}.`)) continue;
    const [, digits, end, gzip] =
      /^\.(\d{1,9})(\.data\.json)(\.gz)?$/.exec(file.slice(base.length)) ?? [];
    if (digits === undefined || end === undefined) continue;
    const n = Number(digits);
    if (gzip === undefined || !parts.has(n)) parts.set(n, file);
  }
  return [...parts].sort(([a], [b]) => a - b).map(([, file]) => file);
}
