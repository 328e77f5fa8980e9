import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { CollectionType } from '../model/collection.ts';
import { isSystemName } from '../model/names.ts';
import { dumpsToRead, forEachDump } from './all-databases.ts';
import { cutPieces, readDataFiles } from './data-pieces.ts';
import { describeError } from './describe-error.ts';
import {
  type DumpDirectory,
  type DumpedCollection,
  readDumpDirectory,
} from './dump-directory-reader.ts';
import {
  addConnectionFlags,
  addDirectoryFlag,
  addTransferFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
  parseBoolean,
  parseByteCount,
  type TransferFlags,
} from './flags.ts';
import { inParallel } from './in-parallel.ts';
import { type CliIo, note, printLines } from './io.ts';
import { at } from './json.ts';
import { RestoreTarget } from './restore-target.ts';
import type { Connection } from './server-client.ts';
import { type CollectionTransfer, Transfer, countLines } from './transfer.ts';

export interface RestoreOptions extends TransferFlags {
  readonly server: Connection;
  readonly inputDirectory: string;
  /** Whether collections that are there are replaced. */
  readonly overwrite: boolean;
  readonly createCollection: boolean;
  /** Whether the database is created where it is missing. */
  readonly createDatabase: boolean;
  /** Whether documents are restored, and not only collections and indexes. */
  readonly importData: boolean;
  /** Whether collections keep their ids and documents their revisions. */
  readonly recycleIds: boolean;
  /** Refuse a dump that was not made of a database of this name. */
  readonly forceSameDatabase: boolean;
  /** Bytes of lines in one request. */
  readonly batchSize: number;
}

type RestoreFlags = Omit<RestoreOptions, 'server'> &
  ConnectionFlags & { readonly allDatabases: boolean };

/** A piece is one transaction: servers take larger ones more slowly, and need more memory for them. */
const BATCH_SIZE_BYTES = 2 * 1024 * 1024;

export function addRestoreCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('restore')
    .description(
      'Read a backup that ticklog dump or arangodump wrote into a database. Can be repeated when ' +
        'it did not come to its end.',
    );
  addDirectoryFlag(addConnectionFlags(command), 'input', 'Where the dump is.')
    .option('--overwrite [BOOL]', 'Replace collections that are there.', parseBoolean, true)
    .option('--create-collection [BOOL]', 'Create the collections.', parseBoolean, true)
    .option('--create-database [BOOL]', 'Create the database if need be.', parseBoolean, false)
    .option(
      '--all-databases [BOOL]',
      'Restore a dump of all databases, each to the database of its name.',
      parseBoolean,
      false,
    )
    .option('--import-data [BOOL]', 'Restore documents, not only structures.', parseBoolean, true)
    .option(
      '--recycle-ids [BOOL]',
      'Keep the ids of collections and the revisions of documents.',
      parseBoolean,
      false,
    )
    .option(
      '--force-same-database [BOOL]',
      'Refuse a dump that was made of a database of another name.',
      parseBoolean,
      false,
    )
    .option(
      '--batch-size <BYTES>',
      'Bytes of lines sent at a time.',
      parseByteCount,
      BATCH_SIZE_BYTES,
    );
  addTransferFlags(command, 'restored').action(async (flags: RestoreFlags) => {
    const server = { ...connectionOf(flags), connections: flags.threads };
    const restore = (database: string, directory: string): Promise<number> => {
      const own = { server: { ...server, database }, inputDirectory: directory };
      return restoreVerb({ ...flags, ...own }, io, signal);
    };
    const { allDatabases, inputDirectory } = flags;
    if (!allDatabases) done(await restore(server.database, inputDirectory));
    else {
      const dumps = await dumpsToRead(server, inputDirectory);
      done(await forEachDump(dumps, flags, { io, signal }, restore));
    }
  });
}

/**
 * Restores a dump (contract 8.3): of each collection first the structure, then its lines in their
 * order, then its indexes, which are made faster of documents that are there, and not refused for
 * states that lasted only for a while. Collections of documents come before those of edges.
 */
export async function restoreVerb(
  options: RestoreOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  const { inputDirectory, createCollection, force } = options;
  const dump = await readDumpDirectory(inputDirectory, {
    allowUnfinished: force,
    allowOtherNames: !createCollection,
  });
  checkDatabase(dump, options);
  const chosen = chooseCollections(dump, options, io);
  const target = new RestoreTarget(options.server, options);
  try {
    const { version, isNew } = await target.connect(options.createDatabase, signal);
    const { endpoint, database } = options.server;
    const transfer = new Transfer(io, options);
    await transfer.say(
      `connected to ${endpoint.text}, version ${version.text}, database ${database}` +
        (isNew ? ', which is new' : ''),
    );
    const parts = { options, target, transfer, useEnvelope: dump.useEnvelope };
    for (const wave of wavesOf(chosen)) {
      await inParallel(wave, options.threads, signal, (collection, either) =>
        restoreCollection(parts, collection, either),
      );
    }
    await printLines(io, [transfer.summary(`${inputDirectory}: restored`)]);
    return transfer.exitCode;
  } finally {
    await target.close();
  }
}

/** What the parts of a restore work with. */
interface RestoreParts {
  readonly options: RestoreOptions;
  readonly target: RestoreTarget;
  readonly transfer: Transfer;
  readonly useEnvelope: boolean | undefined;
}

async function restoreCollection(
  parts: RestoreParts,
  collection: DumpedCollection,
  signal: AbortSignal,
): Promise<void> {
  const { options, target, transfer } = parts;
  const { name } = collection;
  try {
    const sent = await transfer.begin('restoring', name);
    if (options.createCollection) await target.restoreCollection(collection, signal);
    if (options.importData) await sendData(parts, collection, sent, signal);
    await target.restoreIndexes(collection, signal);
    await transfer.end('restored', name, sent);
  } catch (error) {
    if (signal.aborted) throw error;
    transfer.fail('restoring', name, describeError(error).join(' '));
    if (!options.force) throw error;
  }
}

async function sendData(
  { options, target, useEnvelope }: RestoreParts,
  collection: DumpedCollection,
  sent: CollectionTransfer,
  signal: AbortSignal,
): Promise<void> {
  const content = readDataFiles(collection.dataFiles, signal);
  // The next piece is read while one is sent, and no more.
  const pieces = Readable.from(cutPieces(content, options.batchSize), { highWaterMark: 1 });
  let hasEnvelope = useEnvelope;
  for await (const piece of pieces) {
    const lines = piece as Buffer;
    hasEnvelope ??= !isDocument(firstLine(lines));
    const stored = target.restoreData(collection, lines, hasEnvelope, signal);
    // Counted while the server works on them.
    const count = countLines(lines);
    await stored;
    await sent.add(lines, count);
  }
}

function firstLine(lines: Buffer): string {
  const newline = lines.indexOf('\n');
  return lines.toString('utf8', 0, newline < 0 ? lines.length : newline);
}

/** Whether the line is a document with nothing around it: of an envelope the key is never on top. */
function isDocument(line: string): boolean {
  try {
    return at(JSON.parse(line), '_key') !== undefined;
  } catch {
    // Not JSON: the server is to say so, and what is wrong with it.
    return false;
  }
}

/** @throws Error when the dump is of another database, or does not say of which */
function checkDatabase({ database }: DumpDirectory, options: RestoreOptions): void {
  if (!options.forceSameDatabase || database === options.server.database) return;
  const which =
    database === undefined ? 'does not say of which database it is' : `is of '${database}'`;
  throw new Error(
    `the dump in '${options.inputDirectory}' ${which}; with --force-same-database it must be ` +
      `of '${options.server.database}'`,
  );
}

/** @throws Error when one that is asked for by name is not there */
function chooseCollections(
  { collections, views, isBeforeUnfinished }: DumpDirectory,
  { collection: names, includeSystemCollections, inputDirectory }: RestoreOptions,
  io: CliIo,
): readonly DumpedCollection[] {
  const missing = names.filter((name) => !collections.some((each) => each.name === name));
  if (missing.length > 0) {
    throw new Error(`the dump in '${inputDirectory}' has no collection ${missing.join(', ')}`);
  }
  const chosen = collections.filter(({ name }) =>
    isSystemName(name) && !includeSystemCollections
      ? false
      : names.length === 0 || names.includes(name),
  );
  const hidden = names.filter((name) => !chosen.some((each) => each.name === name));
  if (hidden.length > 0) {
    throw new Error(
      `${hidden.join(', ')}: names that start with _ need --include-system-collections true`,
    );
  }
  if (isBeforeUnfinished) {
    note(io, `a later dump to '${inputDirectory}' did not come to its end; this is the one before`);
  }
  for (const view of views) note(io, `${view} is passed over: there are no views here`);
  return chosen;
}

/**
 * In the order of contract 8.3: documents before edges, then by name without regard to case; what
 * others are read with comes first, users last.
 */
function wavesOf(collections: readonly DumpedCollection[]): readonly DumpedCollection[][] {
  const sorted = [...collections].sort(
    (a, b) =>
      rankOf(a.name) - rankOf(b.name) ||
      compareText(a.name.toLowerCase(), b.name.toLowerCase()) ||
      compareText(a.name, b.name),
  );
  const isEdge = ({ type }: DumpedCollection): boolean => type === CollectionType.edge;
  return [sorted.filter((each) => !isEdge(each)), sorted.filter(isEdge)];
}

function rankOf(name: string): number {
  if (name === '_analyzers') return 0;
  return name === '_users' ? 2 : 1;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
