import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { STORE_FOLDER } from './base/data-directory.ts';
import { isNothingThere } from './base/nothing-there.ts';
import { checkChangelog } from './changelog/changelog-check.ts';
import { type StoredCatalogue, checkCatalogue, checkOwners } from './documents/catalogue-check.ts';
import { checkCollection } from './documents/collection-check.ts';
import { checkPosition } from './follower/position-check.ts';
import { ServiceError } from './model/errors.ts';
import { type Finding, Findings } from './storage/findings.ts';
import { type CheckedFiles, checkCommits, checkStoreFiles } from './storage/store-check.ts';
import { StoreLock } from './storage/store-lock.ts';
import { StoreReader } from './storage/store-reader.ts';

const FINDINGS_KEPT = 100;

/** What came of checking a data directory. */
export interface DirectoryReport {
  /** The first ones, if there are very many. */
  readonly findings: readonly Finding[];
  readonly findingsCount: number;
  /** Whether the contents were looked at, which needs files that are whole. */
  readonly isComplete: boolean;
  readonly tables: number;
  /** Bytes of the tables. */
  readonly bytes: number;
  readonly databases: number;
  readonly collections: number;
  readonly documents: number;
  readonly events: number;
}

/**
 * Checks a data directory that no server has open: every byte of its files against their checksums; then that
 * journals, pointers, indexes, caps, figures, logs, positions and the commit chain say the same. Nothing is
 * changed.
 * @param say told at each step what is being read
 * @throws ServiceError storeLocked while a server has it open, notFound when there is no store
 */
export async function checkDirectory(
  directory: string,
  signal: AbortSignal,
  say: (step: string) => void = () => undefined,
): Promise<DirectoryReport> {
  const store = join(directory, STORE_FOLDER);
  await expectStore(directory, store);
  const lock = await StoreLock.take(store);
  try {
    const findings = new Findings({ maxKept: FINDINGS_KEPT });
    return await checkStore({ directory, store }, { findings, signal, say });
  } finally {
    await lock?.release();
  }
}

interface Directories {
  readonly directory: string;
  readonly store: string;
}

/** What all parts of a check are given. */
interface Checking {
  readonly findings: Findings;
  readonly signal: AbortSignal;
  readonly say: (step: string) => void;
}

async function checkStore(directories: Directories, checking: Checking): Promise<DirectoryReport> {
  const { findings, signal, say } = checking;
  const files = await checkStoreFiles(directories.store, findings, signal, (table, of) => {
    say(`reading table ${table} of ${of}`);
  });
  const contents =
    files && findings.count === 0 ? await checkContents(directories, files, checking) : undefined;
  const nothing = { databases: 0, collections: 0, documents: 0, events: 0 };
  return {
    findings: findings.kept,
    findingsCount: findings.count,
    isComplete: contents !== undefined,
    tables: files?.tables ?? 0,
    bytes: files?.bytes ?? 0,
    ...(contents ?? nothing),
  };
}

async function expectStore(directory: string, store: string): Promise<void> {
  if (await isDirectory(store)) return;
  const isThere = await isDirectory(directory);
  const why =
    isThere === undefined
      ? `there is no ${directory}`
      : isThere
        ? `${directory} is no data directory: it has no folder '${STORE_FOLDER}'`
        : `${directory} is a file, and no data directory`;
  const cure = 'name the directory that the server has in --database.directory';
  throw new ServiceError('notFound', `${why}; ${cure}`);
}

/** Undefined for what is not there. */
async function isDirectory(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isNothingThere(error)) return undefined;
    throw error;
  }
}

type Contents = Pick<DirectoryReport, 'databases' | 'collections' | 'documents' | 'events'>;

async function checkContents(
  { directory, store }: Directories,
  { manifest }: CheckedFiles,
  checking: Checking,
): Promise<Contents> {
  const { findings, say } = checking;
  say('comparing commits and the catalogue');
  await using reader = await StoreReader.open(store, manifest);
  await checkCommits(directory, reader, findings);
  const catalogue = await checkCatalogue(reader, findings);
  await checkOwners(reader, catalogue, findings);
  const { databases, collections } = catalogue;
  return {
    databases: databases.length,
    collections: collections.filter(({ record }) => !record.hidden).length,
    documents: await checkCollections(reader, catalogue, checking),
    events: await checkDatabases(reader, catalogue, checking),
  };
}

async function checkCollections(
  reader: StoreReader,
  { collections }: StoredCatalogue,
  { findings, signal, say }: Checking,
): Promise<number> {
  let documents = 0;
  for (const [i, collection] of collections.entries()) {
    say(`comparing collection ${i + 1} of ${collections.length}`);
    const count = await checkCollection(reader, collection, findings, signal);
    if (!collection.record.hidden) documents += count;
  }
  return documents;
}

async function checkDatabases(
  reader: StoreReader,
  { databases }: StoredCatalogue,
  { findings, signal, say }: Checking,
): Promise<number> {
  let events = 0;
  for (const [i, database] of databases.entries()) {
    say(`comparing the log of database ${i + 1} of ${databases.length}`);
    events += await checkChangelog(reader, database, findings, signal);
    await checkPosition(reader, database, findings);
  }
  return events;
}
