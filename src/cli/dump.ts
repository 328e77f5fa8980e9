import type { Command } from 'commander';
import { classify } from '../follower/classify.ts';
import { parseTick, type Tick } from '../model/tick.ts';
import { dumpsToWrite, forEachDump } from './all-databases.ts';
import { describeError, PartFailure } from './describe-error.ts';
import type { DumpBatch } from './dump-batch.ts';
import { dumpData, type DumpParts, type DumpRange } from './dump-collection.ts';
import { DumpDirectoryWriter, isWholeDump } from './dump-directory-writer.ts';
import type { DumpCounts } from './dump-layout.ts';
import { DumpSource, type ListedCollection, type Listing } from './dump-source.ts';
import { type DumpedPart, type DumpSettings, DumpState } from './dump-state.ts';
import {
  addConnectionFlags,
  addDirectoryFlag,
  addTransferFlags,
  type CliContext,
  type ConnectionFlags,
  connectionOf,
  parseBoolean,
  parseByteCount,
  parseTickFlag,
  type TransferFlags,
} from './flags.ts';
import { inParallel } from '../base/in-parallel.ts';
import { type CliIo, ExitCode, note, printLines, printResult, UsageError } from './io.ts';
import type { Connection } from './server-client.ts';
import { isAtLeast, type Version } from './server-version.ts';
import { amountText, sumOf, Transfer } from './transfer.ts';
import { exactCounted } from './units.ts';

export interface DumpOptions extends TransferFlags {
  readonly server: Connection;
  readonly outputDirectory: string;
  /** Whether a dump that is in the directory is replaced. */
  readonly overwrite: boolean;
  /** Go on with a dump to the directory that was interrupted. */
  readonly continue: boolean;
  /** Whether documents are dumped, and not only collections and indexes. */
  readonly dumpData: boolean;
  /** Exclusive. */
  readonly tickStart?: Tick;
  /** Inclusive; the moment of the dump when absent. */
  readonly tickEnd?: Tick;
  readonly batchSize: number;
  readonly initialBatchSize?: number;
  readonly compressOutput: boolean;
  /** Whether lines say what they are, so that removals can be among them. */
  readonly envelope: boolean;
}

type DumpFlags = Omit<DumpOptions, 'server'> & ConnectionFlags & { readonly allDatabases: boolean };

/** From 3.4 on the pages of a dump belong to a snapshot, which the server's own tool knows better. */
const DUMPED_VERSIONS: readonly string[] = ['1.4', '2', '3.0', '3.1', '3.2', '3.3'];

const BATCH_SIZE_BYTES = 8 * 1024 * 1024;

export function addDumpCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('dump')
    .description(
      'Write a backup of a database, as of one moment, to a directory in the layout of arangodump.',
    );
  addDirectoryFlag(addConnectionFlags(command), 'output', 'Where to write; made if need be.')
    .option('--overwrite [BOOL]', 'Replace the dump in the directory.', parseBoolean, false)
    .option(
      '--continue [BOOL]',
      'Go on with the dump in the directory that was interrupted; begin where there is none. Of ' +
        'one moment all the same: for five minutes the server keeps that of the first part, then ' +
        'only complete collections that did not change since are kept.',
      parseBoolean,
      false,
    )
    .option(
      '--all-databases [BOOL]',
      'Dump all databases, each to a directory of its name.',
      parseBoolean,
      false,
    )
    .option('--dump-data [BOOL]', 'Dump documents, not only structures.', parseBoolean, true)
    .option('--tick-start <TICK>', 'Leave out what is not above this tick.', parseTickFlag)
    .option('--tick-end <TICK>', 'Leave out what is above this tick.', parseTickFlag)
    .option(
      '--batch-size <BYTES>',
      'Most that is asked for at a time.',
      parseByteCount,
      BATCH_SIZE_BYTES,
    )
    .option(
      '--initial-batch-size <BYTES>',
      'What is asked for first, half as much again each time; default: --batch-size.',
      parseByteCount,
    )
    .option('--compress-output [BOOL]', 'Compress data files with gzip.', parseBoolean, true)
    .option(
      '--envelope [BOOL]',
      'Write lines that say what they are; false: only documents, one a line.',
      parseBoolean,
      true,
    );
  addTransferFlags(command, 'dumped').action(async (flags: DumpFlags) => {
    const { threads: connections, allDatabases, outputDirectory } = flags;
    // One more for the batch, which must not wait for pages.
    const server = { ...connectionOf(flags), connections: connections + 1 };
    const dump = (database: string, directory: string, ownIo: CliIo): Promise<number> => {
      const own = { server: { ...server, database }, outputDirectory: directory };
      return dumpVerb({ ...flags, ...own }, ownIo, signal);
    };
    if (!allDatabases) done(await dump(server.database, outputDirectory, io));
    else {
      const dumps = await dumpsToWrite(server, outputDirectory, io, signal);
      done(await forEachDump(dumps, flags, { io, signal }, dump));
    }
  });
}

/**
 * Writes a dump (contract 8.2). All of it shows the moment at which the list of collections was
 * taken: a batch is opened before and kept open until the end. When something fails the directory
 * still holds what it held before, and what has come is there for `--continue`.
 */
export async function dumpVerb(
  options: DumpOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  checkTicks(options);
  const { outputDirectory: directory, overwrite } = options;
  const interrupted = await DumpState.read(directory);
  const earlier = options.continue ? interrupted : undefined;
  earlier?.assertSame(directory, settingsOf(options));
  if (options.continue && !earlier && !overwrite && (await isWholeDump(directory))) {
    await printResult(io, { directory, isComplete: true });
    await printLines(io, [`${directory}: the dump is complete; there is nothing to go on with`]);
    return ExitCode.ok;
  }
  const compress = options.compressOutput;
  const writer = await DumpDirectoryWriter.open({
    ...{ directory, compress },
    // What was begun may replace what is there: that was decided then.
    overwrite: overwrite || earlier !== undefined,
    isInterrupted: interrupted?.isSame(settingsOf(options)) === true,
  });
  const source = new DumpSource(options.server);
  using transfer = new Transfer(io, { verb: 'dumping', progress: options.progress });
  try {
    const version = await source.version(signal);
    checkVersion(version, options.server);
    const { endpoint, database } = options.server;
    await transfer.say(`connected to ${endpoint.text}, ${version.title}, database ${database}`);
    if (options.continue && !earlier) {
      await transfer.say(`'${directory}' has no interrupted dump to go on with: this one begins`);
    }
    if (isAtLeast(version, 2, 2)) await source.flush(signal);
    const begun = await beginDump({ options, source, writer, transfer, earlier }, signal);
    await runDump(begun, io, signal);
    const { tick } = begun.state;
    await printResult(io, { directory, database, tick, ...transfer.result() });
  } finally {
    await source.close();
  }
  transfer[Symbol.dispose]();
  await printLines(io, [transfer.summary(`${directory}: dumped`)]);
  return transfer.exitCode;
}

/** A dump on its way. */
interface Dump extends DumpParts {
  readonly options: DumpOptions;
  readonly batch: DumpBatch;
  readonly transfer: Transfer;
}

interface DumpStart extends Omit<Dump, 'state' | 'batch'> {
  readonly earlier: DumpState | undefined;
}

/** Takes up an interrupted dump where its batch is still there, and begins one where not. */
async function beginDump(start: DumpStart, signal: AbortSignal): Promise<Dump> {
  const { source, transfer, earlier, ...parts } = start;
  const resumed = earlier && (await source.resumeBatch(earlier.batch, signal));
  if (!earlier || !resumed) return beginAnew(start, signal);
  for (const [name, { bytes }] of earlier.parts) {
    if (bytes > 0 && !(await parts.writer.hasData(name, bytes))) earlier.forget(name);
  }
  const kept = [...earlier.parts.values()];
  const done = kept.filter(({ isDone }) => isDone).length;
  await transfer.say(
    `goes on with the dump of tick ${earlier.tick}, of which ${done} of ` +
      `${exactCounted(earlier.collections.length, 'collection')} ${done === 1 ? 'is' : 'are'} complete; ` +
      `there are ${amountText(sumOf(kept))}`,
  );
  return { ...parts, source, transfer, state: earlier, batch: resumed };
}

async function beginAnew(start: DumpStart, signal: AbortSignal): Promise<Dump> {
  const { earlier, ...parts } = start;
  const { options, source, transfer } = parts;
  const batch = await source.openBatch(signal);
  try {
    const listing = await source.list(options.includeSystemCollections, signal);
    const state = DumpState.begin(options.outputDirectory, {
      settings: settingsOf(options),
      tick: listing.tick.toString(),
      batch: batch.id,
      collections: chooseCollections(listing, options),
      ...(listing.properties === undefined ? {} : { properties: listing.properties }),
    });
    if (earlier) await keepUnchanged({ ...start, earlier }, state, signal);
    await transfer.say(`the dump shows tick ${listing.tick}`);
    return { ...parts, state, batch };
  } catch (error) {
    await batch.abandon();
    throw error;
  }
}

/**
 * Keeps of a dump whose moment is gone the collections that nobody has changed since: they are now what they were.
 * Asked after the new moment was chosen, so that what is unchanged is unchanged at that.
 */
async function keepUnchanged(
  { earlier, source, writer, transfer }: DumpStart & { readonly earlier: DumpState },
  state: DumpState,
  signal: AbortSignal,
): Promise<void> {
  const tick = parseTick(earlier.tick) ?? 0n;
  const before = new Map(earlier.collections.map((each) => [each.name, each]));
  const kept: DumpedPart[] = [];
  for (const { name, cid } of state.collections) {
    const part = earlier.parts.get(name);
    if (part?.isDone !== true || before.get(name)?.cid !== cid) continue;
    if (part.bytes > 0 && !(await writer.hasData(name, part.bytes))) continue;
    if (!(await source.isUnchangedSince(name, tick, signal))) continue;
    state.adopt(name, part);
    kept.push(part);
  }
  await transfer.say(
    'the server no longer keeps the moment of the interrupted dump: this is another one, and ' +
      `${exactCounted(kept.length, 'complete collection')} that nobody has changed since ` +
      `${kept.length === 1 ? 'is' : 'are'} kept (${amountText(sumOf(kept))}); the others are begun anew`,
  );
}

async function runDump(dump: Dump, io: CliIo, signal: AbortSignal): Promise<void> {
  const { batch, writer, state } = dump;
  try {
    const either = AbortSignal.any([signal, batch.lost]);
    await dumpAll(dump, either);
    await batch.close(signal);
  } catch (error) {
    // What can be gone on with is: then its moment is needed.
    const cause: unknown = error instanceof PartFailure ? error.cause : error;
    const isPassing = signal.aborted || classify(cause, signal) === 'retry';
    await (isPassing && state.isSaved ? batch.leave() : batch.abandon());
    dump.transfer[Symbol.dispose]();
    const { outputDirectory } = dump.options;
    if (state.isSaved) {
      note(io, `what has come of the dump is kept in '${outputDirectory}': add --continue`);
    }
    signal.throwIfAborted();
    batch.lost.throwIfAborted();
    throw error;
  }
  await writer.commit(countsOf(dump));
}

/** What is said of the data files, so that a restore knows how much is to come. */
function countsOf({ options, state }: Dump): DumpCounts {
  const { dumpData: hasData, tickStart = 0n, tickEnd } = options;
  if (!hasData) return {};
  const hasAll = tickStart === 0n && tickEnd === undefined;
  return Object.fromEntries(
    state.collections.flatMap(({ name, documents }) => {
      const part = state.parts.get(name);
      if (part?.isDone !== true) return [];
      const { lines } = part.sum;
      return [[name, hasAll && documents !== undefined ? { documents, lines } : { lines }]];
    }),
  );
}

async function dumpAll(dump: Dump, signal: AbortSignal): Promise<void> {
  const { options, batch, writer, transfer, state } = dump;
  const chosen = state.collections;
  transfer.expect(options.dumpData ? chosen : chosen.map(({ name }) => ({ name })));
  const { properties } = state;
  const description = {
    database: options.server.database,
    lastTickAtDumpStart: state.tick,
    ...(properties === undefined ? {} : { properties }),
    useEnvelope: options.envelope,
  };
  await writer.begin(description, [...state.parts.keys()]);
  await state.save();
  const range: DumpRange = {
    from: options.tickStart ?? 0n,
    to: options.tickEnd ?? parseTick(state.tick) ?? 0n,
    batchSize: options.batchSize,
    initialBatchSize: options.initialBatchSize,
    envelope: options.envelope,
  };
  await inParallel(chosen, options.threads, signal, async (collection, either) => {
    try {
      await batch.extend(either);
      await dumpCollection(dump, collection, range, either);
    } catch (error) {
      if (either.aborted) throw error;
      if (batch.lost.aborted) throw error;
      const { name } = collection;
      if (!options.force) throw new PartFailure(`dumping '${name}' failed`, { cause: error });
      transfer.fail(name, describeError(error).join(' '));
    }
  });
  if (transfer.collections === 0 && chosen.length > 0) {
    throw new Error('no collection could be dumped');
  }
}

async function dumpCollection(
  { options, writer, state, transfer, source }: Dump,
  collection: ListedCollection,
  range: DumpRange,
  signal: AbortSignal,
): Promise<void> {
  const { name, structure } = collection;
  const before = state.parts.get(name);
  if (before?.isDone === true) {
    if (options.dumpData) writer.finishData(name);
    await writer.writeStructure(name, structure);
    await transfer.keep(name, before.sum);
    return;
  }
  const counts = await transfer.begin(name);
  if (options.dumpData) {
    await dumpData({ source, writer, state }, collection, range, counts, signal);
  }
  await writer.writeStructure(name, structure);
  const { bytes = 0 } = state.parts.get(name) ?? {};
  const tick = range.to.toString();
  await state.advance(name, { isDone: true, bytes, tick, sum: counts.sum });
  await transfer.end('dumped', name, counts);
}

/** What must be the same for an interrupted dump to go on. */
function settingsOf(options: DumpOptions): DumpSettings {
  const { server, collection, includeSystemCollections, dumpData: hasData } = options;
  const { compressOutput, envelope, tickStart, tickEnd } = options;
  return {
    endpoint: server.endpoint.text,
    database: server.database,
    collection: [...collection].sort(),
    ...{ includeSystemCollections, dumpData: hasData, compressOutput, envelope },
    tickStart: (tickStart ?? 0n).toString(),
    tickEnd: (tickEnd ?? 0n).toString(),
  };
}

/** @throws Error when one that is asked for by name is not there */
function chooseCollections(
  { collections }: Listing,
  { collection: names, includeSystemCollections, server }: DumpOptions,
): readonly ListedCollection[] {
  if (names.length === 0) return collections;
  const missing = names.filter((name) => !collections.some((each) => each.name === name));
  if (missing.length === 0) return collections.filter(({ name }) => names.includes(name));
  const hint =
    !includeSystemCollections && missing.some((name) => name.startsWith('_'))
      ? '; names that start with _ need --include-system-collections true'
      : '';
  throw new Error(`database '${server.database}' has no collection ${missing.join(', ')}${hint}`);
}

/** @throws UsageError for ticks between which there is nothing */
function checkTicks({ tickStart, tickEnd }: DumpOptions): void {
  if (tickEnd === undefined || tickEnd > (tickStart ?? 0n)) return;
  throw new UsageError(`--tick-end ${tickEnd} must be above --tick-start ${tickStart ?? 0n}`);
}

/** @throws Error for a server that wants another kind of dump */
function checkVersion(version: Version, { endpoint }: Connection): void {
  const { text } = version;
  if (DUMPED_VERSIONS.some((each) => text === each || text.startsWith(`${each}.`))) return;
  throw new Error(
    `${endpoint.text} is of version ${text}; what can be dumped is ticklog and ` +
      `ArangoDB ${DUMPED_VERSIONS.join(', ')}; for others use their own arangodump`,
  );
}
