import type { Command } from 'commander';
import type { DumpPage } from '../follower/leader-client.ts';
import type { Tick } from '../model/tick.ts';
import { dumpsToWrite, forEachDump } from './all-databases.ts';
import { BareLines } from './bare-lines.ts';
import { describeError } from './describe-error.ts';
import type { DumpBatch } from './dump-batch.ts';
import { DumpDirectoryWriter } from './dump-directory-writer.ts';
import { DumpSource, type ListedCollection, type Listing } from './dump-source.ts';
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
import { inParallel } from './in-parallel.ts';
import { type CliIo, UsageError, printLines } from './io.ts';
import type { Connection } from './server-client.ts';
import { isAtLeast, type Version } from './server-version.ts';
import { type CollectionTransfer, Transfer } from './transfer.ts';

export interface DumpOptions extends TransferFlags {
  readonly server: Connection;
  readonly outputDirectory: string;
  /** Whether a dump that is in the directory is replaced. */
  readonly overwrite: boolean;
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
    const dump = (database: string, directory: string): Promise<number> => {
      const own = { server: { ...server, database }, outputDirectory: directory };
      return dumpVerb({ ...flags, ...own }, io, signal);
    };
    if (!allDatabases) done(await dump(server.database, outputDirectory));
    else {
      const dumps = await dumpsToWrite(server, outputDirectory, io, signal);
      done(await forEachDump(dumps, flags, { io, signal }, dump));
    }
  });
}

/**
 * Writes a dump (contract 8.2). All of it shows the moment at which the list of collections was
 * taken: a batch is opened before and kept open until the end. When something fails the directory
 * still holds what it held before.
 */
export async function dumpVerb(
  options: DumpOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  checkTicks(options);
  const writer = await DumpDirectoryWriter.open({
    directory: options.outputDirectory,
    overwrite: options.overwrite,
    compress: options.compressOutput,
  });
  const source = new DumpSource(options.server);
  try {
    const version = await source.version(signal);
    checkVersion(version, options.server);
    const { endpoint, database } = options.server;
    const transfer = new Transfer(io, options);
    await transfer.say(
      `connected to ${endpoint.text}, version ${version.text}, database ${database}`,
    );
    if (isAtLeast(version, 2, 2)) await source.flush(signal);
    const batch = await source.openBatch(signal);
    try {
      const either = AbortSignal.any([signal, batch.lost]);
      await dumpAll({ options, source, batch, writer, transfer }, either);
      await batch.close(signal);
    } catch (error) {
      await batch.abandon();
      signal.throwIfAborted();
      batch.lost.throwIfAborted();
      throw error;
    }
    await writer.commit();
    await printLines(io, [transfer.summary(`${options.outputDirectory}: dumped`)]);
    return transfer.exitCode;
  } finally {
    await source.close();
  }
}

/** What the parts of a dump work with. */
interface DumpParts {
  readonly options: DumpOptions;
  readonly source: DumpSource;
  readonly batch: DumpBatch;
  readonly writer: DumpDirectoryWriter;
  readonly transfer: Transfer;
}

async function dumpAll(parts: DumpParts, signal: AbortSignal): Promise<void> {
  const { options, source, batch, writer, transfer } = parts;
  const listing = await source.list(options.includeSystemCollections, signal);
  const chosen = chooseCollections(listing, options);
  await writer.begin({
    database: options.server.database,
    lastTickAtDumpStart: listing.tick.toString(),
    ...(listing.properties === undefined ? {} : { properties: listing.properties }),
    useEnvelope: options.envelope,
  });
  await transfer.say(`the dump shows tick ${listing.tick}`);
  const to = options.tickEnd ?? listing.tick;
  await inParallel(chosen, options.threads, signal, async (collection, either) => {
    try {
      await batch.extend(either);
      const counted = await transfer.begin('dumping', collection.name);
      if (options.dumpData) await dumpData(parts, collection, to, counted, either);
      await writer.writeStructure(collection.name, collection.structure);
      await transfer.end('dumped', collection.name, counted);
    } catch (error) {
      if (either.aborted) throw error;
      transfer.fail('dumping', collection.name, describeError(error).join(' '));
      if (!options.force || batch.lost.aborted) throw error;
    }
  });
  if (transfer.collections === 0 && chosen.length > 0) {
    throw new Error('no collection could be dumped');
  }
}

async function dumpData(
  { options, source, writer }: DumpParts,
  collection: ListedCollection,
  to: Tick,
  counted: CollectionTransfer,
  signal: AbortSignal,
): Promise<void> {
  const { batchSize: maxChunkBytes, initialBatchSize, envelope } = options;
  const range = {
    from: options.tickStart ?? 0n,
    to,
    firstChunkBytes: Math.min(initialBatchSize ?? maxChunkBytes, maxChunkBytes),
    maxChunkBytes,
    ticks: !envelope,
  };
  const pages = (): AsyncIterable<DumpPage> => source.pages(collection, range, signal);
  const write = (lines: AsyncIterable<Buffer>): Promise<void> =>
    writer.writeData(collection.name, counting(lines, counted), signal);
  if (envelope) {
    await write(bodies(pages()));
    return;
  }
  const bare = new BareLines(collection.name);
  await write(bare.lines(pages(), false));
  if (!bare.hasRemovals) return;
  counted.restart();
  await write(bare.lines(pages(), true));
}

async function* bodies(pages: AsyncIterable<DumpPage>): AsyncGenerator<Buffer, void, void> {
  for await (const { body } of pages) yield body;
}

async function* counting(
  chunks: AsyncIterable<Buffer>,
  counted: CollectionTransfer,
): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of chunks) {
    await counted.add(chunk);
    yield chunk;
  }
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
