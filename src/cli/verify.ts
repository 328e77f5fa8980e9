import type { Command } from 'commander';
import { sleep } from '../base/sleep.ts';
import type { Endpoint } from '../follower/endpoint.ts';
import { ServiceError } from '../model/errors.ts';
import {
  type CollectionPair,
  type CollectionResult,
  compareCollection,
  differingKeys,
  type ReadAmount,
  type Sides,
} from './comparison.ts';
import {
  addAccessFlags,
  type CliContext,
  collect,
  type ConnectionFlags,
  connectionTo,
  parseBoolean,
  parseEndpointFlag,
  parseSeconds,
} from './flags.ts';
import { databaseNames, inTurn } from './databases-in-turn.ts';
import { type CliIo, ExitCode, UsageError, note, printLines, printResult } from './io.ts';
import { ProgressDisplay, type ProgressFigures } from './progress.ts';
import { mendCollection } from './mend.ts';
import type { Connection } from './server-client.ts';
import { VerifySide } from './verify-side.ts';
import { counted } from './words.ts';

/** Between two comparisons. */
const PAUSE_MS = 250;
/** So often is repaired what differs, and compared again: what others write at the same time comes with the next. */
const REPAIR_ROUNDS = 3;

export interface VerifyOptions {
  readonly a: Connection;
  readonly b: Connection;
  /** Only these; all that are replicated when empty. */
  readonly collections: readonly string[];
  readonly includeSystem: boolean;
  /** How long to compare again and again until they are equal. */
  readonly waitMs: number;
  /** Make the documents of B that differ what they are on A. */
  readonly repair: boolean;
  /** Show how far it has come. */
  readonly progress: boolean;
}

interface VerifyFlags extends Omit<ConnectionFlags, 'server.endpoint'> {
  readonly database?: string;
  readonly collection: readonly string[];
  readonly includeSystemCollections: boolean;
  readonly wait: number;
  readonly repair: boolean;
  readonly progress: boolean;
  readonly allDatabases?: boolean;
}

export function addVerifyCommand(program: Command, { io, signal, done }: CliContext): void {
  const command = program
    .command('verify')
    .description(
      'Compare two servers: collections, their properties and indexes, and every document with ' +
        'its revision. Ends with 3 when they differ.',
    )
    .argument('<A>', 'The endpoint of a server.', parseEndpointFlag)
    .argument('<B>', 'The endpoint of the other.', parseEndpointFlag)
    .option('--database <NAME>', 'The database on both; the same as --server.database.')
    .option('--server.database <NAME>', 'The database on both.', '_system')
    .option('--collection <NAME>', 'Only this one; may be given several times.', collect, [])
    .option(
      '--include-system-collections [BOOL]',
      'Whether collections whose names start with _ are compared, too.',
      parseBoolean,
      true,
    )
    .option(
      '--wait <SECONDS>',
      'Compare again until they are equal, for as long: for a leader that is being written to.',
      parseSeconds,
      0,
    )
    .option(
      '--repair [BOOL]',
      'Make documents of B that differ what they are on A, the leader; all others are left alone. B may ' +
        'go on following. Needs two ticklog servers.',
      parseBoolean,
      false,
    );
  command
    .option('--all-databases', 'One database after another; not with --server.database.')
    .option('--no-progress', 'Do not show how far it has come.');
  addAccessFlags(command).action(async (a: Endpoint, b: Endpoint, flags: VerifyFlags) => {
    const database = flags.database ?? flags['server.database'];
    const options = {
      collections: flags.collection,
      includeSystem: flags.includeSystemCollections,
      waitMs: flags.wait * 1000,
      repair: flags.repair,
      progress: flags.progress,
    };
    const verify = (name: string, own: CliIo): Promise<number> => {
      const sides = { a: connectionTo(a, name, flags), b: connectionTo(b, name, flags) };
      return verifyVerb({ ...options, ...sides }, own, signal);
    };
    if (flags.allDatabases !== true) done(await verify(database, io));
    else {
      const [onA, onB] = await Promise.all([
        databaseNames(connectionTo(a, database, flags), signal),
        databaseNames(connectionTo(b, database, flags), signal),
      ]);
      done(await inTurn([...new Set([...onA, ...onB])].sort(), io, verify));
    }
  });
}

/** Compares, prints a line for each collection and what differs below it. */
export async function verifyVerb(
  options: VerifyOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  const a = new VerifySide(options.a);
  const b = new VerifySide(options.b);
  try {
    const [ofA, ofB] = await Promise.all([a.identity(signal), b.identity(signal)]);
    if (ofA.serverId === ofB.serverId) {
      note(
        io,
        `A and B have the same server id, ${ofA.serverId}: they are one server, or one of them ` +
          'runs on a copied directory and was not started once with --new-server-id',
      );
    }
    const sides = { a, b, checksums: ofA.isOfOurKind && ofB.isOfOurKind };
    if (options.repair && !sides.checksums) {
      throw new UsageError('--repair needs two ticklog servers, and one of these is none');
    }
    await printLines(io, [`A is ${a.name}, B is ${b.name}`]);
    let results = await compareShown(sides, options, io, signal);
    for (let round = 1; options.repair && round <= REPAIR_ROUNDS; round++) {
      if (!(await repair(sides, results, io, signal))) break;
      results = await compareShown(sides, options, io, signal);
    }
    return await report({ sides, database: options.a.database }, results, io, signal);
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

/** Compares, and shows meanwhile how far that has come. */
async function compareShown(
  sides: Sides,
  options: VerifyOptions,
  io: CliIo,
  signal: AbortSignal,
): Promise<CollectionResult[]> {
  let figures: ProgressFigures | undefined;
  const display = ProgressDisplay.start(io, options.progress, () => figures);
  try {
    return await compareUntilEqual(sides, options, signal, (now) => (figures = now));
  } finally {
    display?.[Symbol.dispose]();
  }
}

/** How much of a comparison is done, which goes from collection to collection. */
function figuresOf(
  pairs: readonly CollectionPair[],
  results: readonly CollectionResult[],
  read: ReadAmount = { documentsDone: 0, bytesDone: 0 },
): ProgressFigures {
  // Only ticklog servers say it of all at once.
  const countOf = ({ a, b }: CollectionPair): number | undefined => (a ?? b)?.count;
  const sum = (some: readonly CollectionPair[]): number =>
    some.reduce((total, each) => total + (countOf(each) ?? 0), 0);
  const now = pairs[results.length];
  return {
    phase: 'comparing',
    collectionsDone: results.length,
    collectionsExpected: pairs.length,
    documentsDone: sum(pairs.slice(0, results.length)) + read.documentsDone,
    documentsExpected: pairs.every((each) => countOf(each) !== undefined) ? sum(pairs) : undefined,
    bytesDone: read.bytesDone,
    inWork: now ? [{ name: now.name, ...read, documentsExpected: countOf(now) }] : [],
  };
}

/** The last of the comparisons; only that one looks at all collections although some differ. */
async function compareUntilEqual(
  sides: Sides,
  options: VerifyOptions,
  signal: AbortSignal,
  show: (figures: ProgressFigures) => void,
): Promise<CollectionResult[]> {
  const until = performance.now() + options.waitMs;
  for (;;) {
    const isLast = performance.now() >= until;
    const results: CollectionResult[] = [];
    let areEqual = true;
    const pairs = await pairsOf(sides, options, signal);
    for (const pair of pairs) {
      show(figuresOf(pairs, results));
      const result = await compareCollection(sides, pair, signal, (read) =>
        show(figuresOf(pairs, results, read)),
      );
      results.push(result);
      if (result.differences.length > 0) areEqual = false;
      if (!areEqual && !isLast) break;
    }
    if (areEqual || isLast) return results;
    await sleep(PAUSE_MS, signal);
    signal.throwIfAborted();
  }
}

/** By name, those that only one of them has as well. */
async function pairsOf(
  { a, b }: Sides,
  { collections, includeSystem }: VerifyOptions,
  signal: AbortSignal,
): Promise<CollectionPair[]> {
  const [onA, onB] = await Promise.all([
    a.collections(includeSystem, signal),
    b.collections(includeSystem, signal),
  ]);
  const all = [...new Set([...onA.keys(), ...onB.keys(), ...collections])].sort();
  const wanted = collections.length === 0 ? all : all.filter((name) => collections.includes(name));
  return wanted.map((name) => {
    const pair = { name, a: onA.get(name), b: onB.get(name) };
    if (pair.a || pair.b) return pair;
    throw new ServiceError('collectionNotFound', `neither A nor B has a collection '${name}'`);
  });
}

/** Mends what can be mended on B; false when there was nothing to do. */
async function repair(
  sides: Sides,
  results: readonly CollectionResult[],
  io: CliIo,
  signal: AbortSignal,
): Promise<boolean> {
  let mendedAny = false;
  for (const { name, keys, type } of results) {
    if (keys !== 'unknown' || type === undefined) continue;
    const { mended, skipped } = await mendCollection(sides, { name, type }, signal);
    mendedAny ||= mended > 0;
    const left = skipped === 0 ? '' : `, ${skipped} had changed meanwhile or could not be written`;
    await printLines(io, [`${name}: mended ${counted(mended, 'document')} on B${left}`]);
  }
  return mendedAny;
}

async function report(
  { sides, database }: { readonly sides: Sides; readonly database: string },
  results: readonly CollectionResult[],
  io: CliIo,
  signal: AbortSignal,
): Promise<number> {
  if (!sides.checksums) note(io, 'one of the servers is of another kind: comparing key by key');
  const different: CollectionResult[] = [];
  const collections: object[] = [];
  let documents = 0;
  for (const result of results) {
    const { name, count, differences, keys } = result;
    documents += count;
    if (differences.length === 0) {
      collections.push({ name, equal: true, documents: count });
      await printLines(io, [`${name}: equal, ${counted(count, 'document')}`]);
      continue;
    }
    different.push(result);
    await printLines(io, [`${name}: DIFFERENT`, ...differences.map((each) => `  ${each}`)]);
    const found = keys === 'unknown' ? await searchKeys(sides, { name, count }, signal) : keys;
    await printLines(
      io,
      found.map((each) => `  ${each}`),
    );
    collections.push({ name, equal: false, documents: count, differences, keys: found });
  }
  await printResult(io, {
    ...{ database, a: sides.a.name, b: sides.b.name },
    ...{ equal: different.length === 0, documents, collections },
  });
  const total = counted(results.length, 'collection');
  if (different.length === 0) {
    await printLines(io, [`equal: ${total}, ${counted(documents, 'document')}`]);
    return ExitCode.ok;
  }
  const names = different.map(({ name }) => name).join(', ');
  await printLines(io, [
    `different: ${names} (of ${total})`,
    ...(different.every(({ onlyOn }) => onlyOn === 'B')
      ? [
          `only B has ${names}, and all that A has is equal; a sync of B from A keeps what only B has`,
        ]
      : []),
  ]);
  return ExitCode.different;
}

async function searchKeys(
  sides: Sides,
  collection: Pick<CollectionResult, 'name' | 'count'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const keys = await differingKeys(sides, collection, signal);
  if (keys.length > 0) return keys;
  return ['no document differs now: is it being written to? --wait SECONDS may help'];
}
