import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { CollectionType } from '../model/collection.ts';
import { isSystemName } from '../model/names.ts';
import { dumpsToRead, forEachDump } from './all-databases.ts';
import { addYesFlag, confirmReplacing, type YesFlags } from './confirm.ts';
import { behind, cutPieces, type Piece, PieceRun, readDataFiles } from './data-pieces.ts';
import { describeError, PartFailure } from './describe-error.ts';
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
import { inParallel } from '../base/in-parallel.ts';
import { type CliIo, ExitCode, note, printLines, printResult } from './io.ts';
import { at } from './json.ts';
import { filesOf, type RestoredPart, type RestoreSettings, RestoreState } from './restore-state.ts';
import { RestoreTarget } from './restore-target.ts';
import type { Connection } from './server-client.ts';
import { type CollectionTransfer, Transfer } from './transfer.ts';

export interface RestoreOptions extends TransferFlags, YesFlags {
  readonly server: Connection;
  readonly inputDirectory: string;
  /** Go on with a restore from the directory that was interrupted. */
  readonly continue: boolean;
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
  /** Bytes of lines in one request; what suits the server if it is not said. */
  readonly batchSize?: number | undefined;
}

type RestoreFlags = Omit<RestoreOptions, 'server'> &
  ConnectionFlags & { readonly allDatabases: boolean };

/** To servers that store what comes in one request as one transaction: larger ones are taken more slowly. */
const PIECE_BYTES = 2 * 1024 * 1024;

export function addRestoreCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('restore')
    .description(
      'Read a backup that ticklog dump or arangodump wrote into a database. Can be repeated when ' +
        'it did not come to its end.',
    );
  addDirectoryFlag(addConnectionFlags(command), 'input', 'Where the dump is.')
    .option(
      '--continue [BOOL]',
      'Go on where a restore of the same dump to the same database was interrupted; begin where ' +
        'none was.',
      parseBoolean,
      false,
    )
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
      'Bytes of lines sent at a time, as one transaction. Not said: 2m; servers of this kind are sent 24m, and store them in parts.',
      parseByteCount,
    );
  addYesFlag(addTransferFlags(command, 'restored')).action(async (flags: RestoreFlags) => {
    const server = { ...connectionOf(flags), connections: flags.threads };
    const restore = (database: string, directory: string, ownIo: CliIo): Promise<number> => {
      const own = { server: { ...server, database }, inputDirectory: directory };
      return restoreVerb({ ...flags, ...own }, ownIo, signal);
    };
    const { allDatabases, inputDirectory } = flags;
    if (!allDatabases) done(await restore(server.database, inputDirectory, io));
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
  const { inputDirectory: directory, createCollection, force } = options;
  const dump = await readDumpDirectory(directory, {
    allowUnfinished: force,
    allowOtherNames: !createCollection,
  });
  checkDatabase(dump, options);
  const chosen = chooseCollections(dump, options, io);
  const { server } = options;
  const where = { endpoint: server.endpoint.text, database: server.database };
  const state = await RestoreState.open(directory, where, settingsOf(options), options.continue);
  const target = new RestoreTarget(server, options);
  using transfer = new Transfer(io, { verb: 'restoring', progress: options.progress });
  try {
    const { version, isNew } = await target.connect(options.createDatabase, signal);
    await transfer.say(
      `connected to ${where.endpoint}, ${version.title}, database ${where.database}` +
        (isNew ? ', which is new' : ''),
    );
    if (!isNew && !state.hasEarlier) await confirmRestore(target, chosen, options, io, signal);
    const present = state.hasEarlier ? await target.collections(signal) : new Set<string>();
    await state.begin();
    const parts = { options, target, transfer, state, present, useEnvelope: dump.useEnvelope };
    await restoreAll(parts, chosen, io, signal);
    const leader = await target.leader(signal);
    await printResult(io, { directory, database: where.database, ...transfer.result() });
    transfer[Symbol.dispose]();
    await printLines(io, [transfer.summary(`${directory}: restored`)]);
    if (leader !== undefined) note(io, followerText(where.database, leader));
    return transfer.exitCode;
  } finally {
    await target.close();
  }
}

/** What an interrupted restore must have in common with one that goes on with it. */
function settingsOf(options: RestoreOptions): RestoreSettings {
  const { collection, includeSystemCollections, overwrite, createCollection } = options;
  const { importData, recycleIds, force } = options;
  return {
    collection: [...new Set(collection)].sort(),
    ...{ includeSystemCollections, overwrite, createCollection, importData, recycleIds, force },
  };
}

/** What somebody has to know who restores to a follower. */
function followerText(database: string, leader: string): string {
  return (
    `database ${database} follows ${leader}, or did: what was restored is not what the leader has, though ` +
    'the applier will not notice. To follow again: ticklog make-follower; to follow nobody: ' +
    'ticklog applier forget'
  );
}

/** Asks before collections with documents are replaced. @throws as `confirmReplacing` */
async function confirmRestore(
  target: RestoreTarget,
  chosen: readonly DumpedCollection[],
  options: RestoreOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  const { overwrite, createCollection, yes = false, server } = options;
  if (yes || !overwrite || !createCollection) return;
  const present = await target.present(new Set(chosen.map(({ name }) => name)), signal);
  if (present === undefined) return;
  const where = `${server.endpoint.text}, database ${server.database}, has ${present}`;
  await confirmReplacing(io, options, `${where}; those of the dump take their place`);
}

/** What the parts of a restore work with. */
interface RestoreParts {
  readonly options: RestoreOptions;
  readonly target: RestoreTarget;
  readonly transfer: Transfer;
  readonly state: RestoreState;
  /** Names of collections that are there, as far as an interrupted restore can go on. */
  readonly present: ReadonlySet<string>;
  readonly useEnvelope: boolean | undefined;
}

async function restoreAll(
  parts: RestoreParts,
  chosen: readonly DumpedCollection[],
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  const { options, transfer, state } = parts;
  transfer.expect(
    await Promise.all(
      chosen.map(async ({ name, dataFiles }) => ({ name, bytes: await sizeOf(dataFiles) })),
    ),
  );
  try {
    for (const wave of wavesOf(chosen)) {
      await inParallel(wave, options.threads, signal, (collection, either) =>
        restoreCollection(parts, collection, either),
      );
    }
  } catch (error) {
    await state.save();
    transfer[Symbol.dispose]();
    note(io, 'what was restored stays; to go on where it ended: add --continue');
    throw error;
  }
  if (transfer.exitCode === ExitCode.ok) await state.remove();
  else await state.save();
}

async function restoreCollection(
  parts: RestoreParts,
  collection: DumpedCollection,
  signal: AbortSignal,
): Promise<void> {
  const { options, target, transfer, state, present } = parts;
  const { name } = collection;
  try {
    const sent = await transfer.begin(name);
    const before = await state.earlier(collection, present);
    if (before) sent.resume(before.sum);
    else await state.forget(name);
    const files = before?.files ?? (await filesOf(collection));
    if (before?.isDone !== true) {
      if (!before && options.createCollection) await target.restoreCollection(collection, signal);
      if (options.importData) await sendData(parts, collection, { sent, before, files }, signal);
      await target.restoreIndexes(collection, signal);
    }
    const offset = before?.offset ?? 0;
    await state.advance(name, { isDone: true, offset, sum: sent.sum, files });
    await transfer.end('restored', name, sent);
  } catch (error) {
    if (signal.aborted) throw error;
    if (!options.force) throw new PartFailure(`restoring '${name}' failed`, { cause: error });
    transfer.fail(name, describeError(error).join(' '));
  }
}

interface Sending {
  readonly sent: CollectionTransfer;
  /** What an interrupted restore has sent. */
  readonly before: RestoredPart | undefined;
  readonly files: string;
}

async function sendData(
  { options, target, state, useEnvelope }: RestoreParts,
  collection: DumpedCollection,
  { sent, before, files }: Sending,
  signal: AbortSignal,
): Promise<void> {
  const { name } = collection;
  const start = before?.offset ?? 0;
  const advance = (offset: number): Promise<void> =>
    state.advance(name, { isDone: false, offset, sum: sent.sum, files });
  await advance(start);
  const content = readDataFiles(collection.dataFiles, signal, (bytes) => sent.read(bytes));
  const { batchSize = PIECE_BYTES } = options;
  // A size that is asked for is that of a request.
  const maxBytes = options.batchSize === undefined ? target.requestBytes : 0;
  // The next piece is read while one is sent, and no more.
  const cut = Readable.from(cutPieces(behind(content, start), batchSize), { highWaterMark: 1 });
  const pieces = cut[Symbol.asyncIterator]() as AsyncIterator<Piece, undefined>;
  let hasEnvelope = useEnvelope;
  try {
    for (let piece; (piece = (await pieces.next()).value) !== undefined;) {
      hasEnvelope ??= !isDocument(firstLine(piece.lines));
      const run = new PieceRun(piece, pieces, { maxBytes });
      await target.restoreData(collection, run, hasEnvelope, signal);
      sent.addRequest(run);
      await advance(start + run.end);
    }
  } finally {
    // Of what was not sent the files are open still.
    cut.destroy();
  }
}

async function sizeOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
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
