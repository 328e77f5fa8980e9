import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isServiceError } from '../model/errors.ts';
import { CommitChain } from './commit-chain.ts';
import type { Findings } from './findings.ts';
import { isNotFound } from './file-reading.ts';
import { Space, prefixRange } from './keys.ts';
import { LAST_COMMIT_FILE, type NotedCommit, readLastCommit } from './last-commit.ts';
import { checkLogs } from './log-check.ts';
import { type LiveTable, type Manifest, readManifest } from './manifest.ts';
import { decodeRecord } from './record.ts';
import { SERVER_KEY, type ServerRecord } from './server-record.ts';
import { liveLogs, logEntries, withTable } from './store-files.ts';
import type { StoreReader } from './store-reader.ts';
import { FileDamage, type TableEntry, compareVersions } from './table-block.ts';
import type { TableFile } from './table-file.ts';

/** What a check goes through. */
export interface CheckedFiles {
  readonly manifest: Manifest;
  readonly tables: number;
  readonly bytes: number;
}

/**
 * Reads every byte of the files that make up the store, and compares them with their checksums, and with one
 * another. Changes nothing; nobody may write meanwhile.
 * @param onTable told before each table which one it is, from 1 on, and of how many
 * @returns undefined when there is no store, or so little of it is whole that its contents cannot be read
 */
export async function checkStoreFiles(
  storeDirectory: string,
  findings: Findings,
  signal: AbortSignal,
  onTable: (table: number, of: number) => void = () => undefined,
): Promise<CheckedFiles | undefined> {
  const note = (place: string, error: unknown): void => {
    if (error instanceof FileDamage) findings.add(place, error.message);
    else if (isServiceError(error)) findings.add(place, error.message);
    else throw error;
  };
  let manifest: Manifest | undefined;
  try {
    await checkLogs(storeDirectory);
    manifest = await readManifest(storeDirectory);
    if (!manifest) return undefined;
    for (const number of await liveLogs(storeDirectory, manifest)) {
      await logEntries(storeDirectory, number);
    }
  } catch (error) {
    note('store', error);
  }
  let bytes = 0;
  const tables = manifest?.tables ?? [];
  for (const [i, table] of tables.entries()) {
    signal.throwIfAborted();
    onTable(i + 1, tables.length);
    try {
      await withTable(storeDirectory, table, (file) => checkTable(file, table));
    } catch (error) {
      note(`table ${table.number}`, error);
    }
    bytes += table.size;
  }
  return manifest && { manifest, tables: tables.length, bytes };
}

async function checkTable(file: TableFile, { smallest, largest }: LiveTable): Promise<void> {
  let first: TableEntry | undefined;
  let last: TableEntry | undefined;
  for await (const entries of file.blocks()) {
    first ??= entries[0];
    last = entries.at(-1);
  }
  if (!first || !last) throw new FileDamage('it is empty');
  if (compareVersions(first, smallest) !== 0 || compareVersions(last, largest) !== 0) {
    throw new FileDamage('it does not hold the keys that the manifest says');
  }
}

const MISSING =
  `the file ${LAST_COMMIT_FILE} is missing: whether the latest commits are there cannot be told; ` +
  'the next start of the server notes them anew';

/** Undefined without the file. @throws ServiceError storageDamaged */
async function notedCommit(dataDirectory: string): Promise<NotedCommit | undefined> {
  try {
    return readLastCommit(await readFile(join(dataDirectory, LAST_COMMIT_FILE), 'utf8'));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Earlier versions did not note every last commit, nor that they did. */
async function hadLastCommit(reader: StoreReader): Promise<boolean> {
  const stored = await reader.get(SERVER_KEY);
  return stored !== undefined && 'hasLastCommit' in decodeRecord<ServerRecord>(SERVER_KEY, stored);
}

/** Checks that no commit is missing, as far back as they are noted. Nothing of the store is changed. */
export async function checkCommits(
  dataDirectory: string,
  reader: StoreReader,
  findings: Findings,
): Promise<void> {
  const place = 'commit chain';
  try {
    const chain = new CommitChain({ writeBufferBytes: 0 });
    const links: { key: Buffer; value: Buffer }[] = [];
    for await (const link of reader.entries(prefixRange(Buffer.from([Space.commit])))) {
      links.push(link);
    }
    chain.load(links);
    const noted = await notedCommit(dataDirectory);
    if (!noted) {
      if (await hadLastCommit(reader)) findings.add(place, MISSING);
      return;
    }
    if ((chain.last?.sequence ?? 0) < noted.sequence) {
      findings.add(place, `the commits up to ${noted.sequence} are missing`);
    }
    const link = await reader.get(noted.key);
    if (link && link.readUInt32LE(0) !== noted.crc) {
      findings.add(place, `commit ${noted.sequence} is another one`);
    }
  } catch (error) {
    if (!isServiceError(error)) throw error;
    findings.add(place, error.message);
  }
}
