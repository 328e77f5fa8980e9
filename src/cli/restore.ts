import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { CollectionType } from '../model/collection.ts';
import { isSystemName } from '../model/names.ts';
import { dumpsToRead, forEachDump } from './all-databases.ts';
import { addYesFlag, confirmReplacing, type YesFlags } from './confirm.ts';
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
import {
  type CollectionRestoreOptions,
  restoreCollection,
  type RestoreParts,
} from './restore-collection.ts';
import { type RestoreSettings, RestoreState } from './restore-state.ts';
import { RestoreTarget } from './restore-target.ts';
import type { Connection } from './server-client.ts';
import { amountText, type ExpectedCollection, sumOf, Transfer } from './transfer.ts';
import { exactCounted } from './units.ts';

export interface RestoreOptions extends TransferFlags, YesFlags, CollectionRestoreOptions {
  readonly server: Connection;
  readonly inputDirectory: string;
  /** Go on with a restore from the directory that was interrupted. */
  readonly continue: boolean;
  /** Whether collections that are there are replaced. */
  readonly overwrite: boolean;
  /** Whether the database is created where it is missing. */
  readonly createDatabase: boolean;
  /** Whether collections keep their ids and documents their revisions. */
  readonly recycleIds: boolean;
  /** Refuse a dump that was not made of a database of this name. */
  readonly forceSameDatabase: boolean;
}

type RestoreFlags = Omit<RestoreOptions, 'server'> &
  ConnectionFlags & { readonly allDatabases: boolean };

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
    // One more, to look how far indexes are.
    const server = { ...connectionOf(flags), connections: flags.threads + 1 };
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
    state.identify(await target.serverId(signal));
    const present = state.hasEarlier ? await target.collections(signal) : new Set<string>();
    if (options.continue) await transfer.say(await goesOnText(state, chosen, present));
    if (!isNew && !state.hasEarlier) await confirmRestore(target, chosen, options, io, signal);
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

/** What there is to go on with. */
async function goesOnText(
  state: RestoreState,
  chosen: readonly DumpedCollection[],
  present: ReadonlySet<string>,
): Promise<string> {
  const earlier = await Promise.all(chosen.map((each) => state.earlier(each, present)));
  const parts = earlier.flatMap((part) => part ?? []);
  if (parts.length === 0) return 'there is no interrupted restore to go on with: this one begins';
  const done = parts.filter(({ isDone }) => isDone).length;
  return (
    `goes on with the restore that was interrupted, of which ${done} of ` +
    `${exactCounted(chosen.length, 'collection')} ${done === 1 ? 'is' : 'are'} complete; ` +
    `${amountText(sumOf(parts))} are stored`
  );
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

async function restoreAll(
  parts: RestoreParts & { readonly options: RestoreOptions },
  chosen: readonly DumpedCollection[],
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  const { options, target, transfer, state } = parts;
  transfer.expect(await Promise.all(chosen.map((each) => expectedOf(each, options))));
  try {
    for (const wave of wavesOf(chosen)) {
      await inParallel(wave, options.threads, signal, (collection, either) =>
        restoreCollection(parts, collection, either),
      );
    }
  } catch (error) {
    transfer[Symbol.dispose]();
    if (target.hasChanged || state.hasEarlier) {
      await state.save();
      note(io, 'what was restored stays; to go on where it ended: add --continue');
    } else await state.remove();
    throw error;
  }
  if (transfer.exitCode === ExitCode.ok) await state.remove();
  else await state.save();
}

/** How much there is to send. */
async function expectedOf(
  { name, dataFiles, documents }: DumpedCollection,
  { importData }: RestoreOptions,
): Promise<ExpectedCollection> {
  return importData ? { name, documents, bytes: await sizeOf(dataFiles) } : { name };
}

async function sizeOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
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
