import type { Command } from 'commander';
import { sleep } from '../base/sleep.ts';
import type { Endpoint } from '../follower/endpoint.ts';
import { ServiceError } from '../model/errors.ts';
import {
  allRevisionsDiffer,
  type CollectionPair,
  type CollectionResult,
  compareCollection,
  differingKeys,
  type Sides,
} from './comparison.ts';
import { addYesFlag, assertCanConfirm, confirmReplacing, type YesFlags } from './confirm.ts';
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
import { mendCollection } from './mend.ts';
import type { Connection } from './server-client.ts';
import type { ExpectedCollection } from './transfer.ts';
import { type ReadAmount, VerifyProgress } from './verify-progress.ts';
import { type SideIdentity, VerifySide } from './verify-side.ts';
import { exactCounted } from './units.ts';

/** Between two comparisons. */
const PAUSE_MS = 250;
/** So often is repaired what differs, and compared again: what others write at the same time comes with the next. */
const REPAIR_ROUNDS = 3;
const REPAIR_REPLACES =
  '--repair replaces documents of B by those of A, and removes those that A does not have';
/** Collections that a question names. */
const NAMED_MAX = 5;

export interface VerifyOptions extends YesFlags {
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

interface VerifyFlags extends Omit<ConnectionFlags, 'server.endpoint'>, YesFlags {
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
        'go on following. Asks before. Needs two ticklog servers.',
      parseBoolean,
      false,
    );
  addYesFlag(command)
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
      yes: flags.yes === true,
    };
    if (flags.repair) assertCanConfirm(io, flags, REPAIR_REPLACES);
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
    checkTwo(ofA, ofB, io);
    const sides = { a, b, checksums: ofA.isOfOurKind && ofB.isOfOurKind };
    if (options.repair && !sides.checksums) {
      throw new UsageError('--repair needs two ticklog servers, and one of these is none');
    }
    await printLines(io, [`A is ${a.name}, B is ${b.name}`]);
    const comparison = { sides, options, io };
    let results = await compareUntilEqual(comparison, signal);
    if (options.repair) await confirmRepair(comparison, results);
    for (let round = 1; options.repair && round <= REPAIR_ROUNDS; round++) {
      if (!(await repair(comparison, results, signal))) break;
      results = await compareUntilEqual(comparison, signal);
    }
    return await report(comparison, results, signal);
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

/**
 * That a server is equal to itself proves nothing. Two ticklog servers of one id that are in different runs are two:
 * one of them has a copied directory. @throws UsageError where they are one server, as far as anybody can tell
 */
function checkTwo(a: SideIdentity, b: SideIdentity, io: CliIo): void {
  if (a.serverId !== b.serverId) return;
  const same = `A and B have the same server id, ${a.serverId}`;
  if (a.run === b.run) {
    throw new UsageError(`${same}: they are one server, and nothing was compared. Name two`);
  }
  note(
    io,
    `${same}: one of them runs on a copied directory and was not started once with --new-server-id`,
  );
}

/** What the parts of a comparison work with. */
interface Comparison {
  readonly sides: Sides;
  readonly options: VerifyOptions;
  readonly io: CliIo;
}

/** The last of the comparisons; only that one looks at all collections although some differ. */
async function compareUntilEqual(
  { sides, options, io }: Comparison,
  signal: AbortSignal,
): Promise<CollectionResult[]> {
  using progress = new VerifyProgress(io, options.progress);
  const until = performance.now() + options.waitMs;
  for (let phase = 'comparing'; ; phase = 'rechecking') {
    const isLast = performance.now() >= until;
    const results: CollectionResult[] = [];
    let areEqual = true;
    const pairs = await pairsOf(sides, options, signal);
    const planned = pairs.map((pair) => plannedOf(pair, sides));
    progress.plan(phase, planned);
    for (const pair of pairs) {
      const result = await compareCollection(sides, pair, signal, (read) => progress.read(read));
      progress.done();
      results.push(result);
      if (result.differences.length > 0) areEqual = false;
      if (!areEqual && !isLast) break;
    }
    if (areEqual || isLast) return results;
    await sleep(PAUSE_MS, signal);
    signal.throwIfAborted();
  }
}

/** How much there is to compare of a collection: only ticklog servers say it of all at once. */
function plannedOf({ name, a, b }: CollectionPair, { checksums }: Sides): ExpectedCollection {
  const { count: documents, bytes } = a ?? b ?? {};
  // What dumps come to, which are sent where there are no checksums, is another matter.
  return { name, documents, bytes: checksums ? bytes : undefined };
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

/** The collections of which there are documents to mend. */
function mendable(results: readonly CollectionResult[]): readonly CollectionResult[] {
  return results.filter(({ keys, type }) => keys === 'unknown' && type !== undefined);
}

/** Asks before documents of B are replaced, where any differ. @throws as `confirmReplacing` */
async function confirmRepair(
  { sides, options, io }: Comparison,
  results: readonly CollectionResult[],
): Promise<void> {
  const names = mendable(results).map(({ name }) => name);
  if (names.length === 0) return;
  const more = names.length > NAMED_MAX ? ', ...' : '';
  const named = `${names.slice(0, NAMED_MAX).join(', ')}${more}`;
  await confirmReplacing(
    io,
    options,
    `B is ${sides.b.name}, database ${options.b.database}, and differs in ` +
      `${exactCounted(names.length, 'collection')} (${named}); documents of B that differ are replaced by those of A, ` +
      'and those that A does not have are removed',
  );
}

/** Mends what can be mended on B; false when there was nothing to do. */
async function repair(
  { sides, options, io }: Comparison,
  results: readonly CollectionResult[],
  signal: AbortSignal,
): Promise<boolean> {
  let mendedAny = false;
  const toMend = mendable(results);
  for (const [i, { name, type = 0 }] of toMend.entries()) {
    const { mended, skipped } = await shown(
      'repairing',
      { toGo: toMend, i },
      { options, io },
      (tell) => mendCollection(sides, { name, type }, signal, tell),
    );
    mendedAny ||= mended > 0;
    const left = skipped === 0 ? '' : `, ${skipped} had changed meanwhile or could not be written`;
    await printLines(io, [`${name}: mended ${exactCounted(mended, 'document')} on B${left}`]);
  }
  return mendedAny;
}

/** Does something to one of some collections, and shows meanwhile how far that is. */
async function shown<T>(
  phase: string,
  { toGo, i }: { readonly toGo: readonly CollectionResult[]; readonly i: number },
  { options, io }: Pick<Comparison, 'options' | 'io'>,
  run: (tell: (read: ReadAmount) => void) => Promise<T>,
): Promise<T> {
  using progress = new VerifyProgress(io, options.progress);
  const planned = toGo.map(({ name, count: documents }) => ({ name, documents }));
  progress.plan(phase, planned, i);
  return await run((read) => progress.read(read));
}

const RESTORED_HINT =
  'where all revisions differ: was B restored from a dump of A? restore keeps revisions with --recycle-ids';

async function report(
  comparison: Comparison,
  results: readonly CollectionResult[],
  signal: AbortSignal,
): Promise<number> {
  const { sides, options, io } = comparison;
  if (!sides.checksums) note(io, 'one of the servers is of another kind: comparing key by key');
  const different: CollectionResult[] = [];
  const collections: object[] = [];
  let documents = 0;
  let looksRestored = false;
  const toSearch = results.filter(({ keys }) => keys === 'unknown');
  for (const result of results) {
    const { name, count, differences, keys } = result;
    documents += count;
    if (differences.length === 0) {
      collections.push({ name, equal: true, documents: count });
      await printLines(io, [`${name}: equal, ${exactCounted(count, 'document')}`]);
      continue;
    }
    different.push(result);
    await printLines(io, [`${name}: DIFFERENT`, ...differences.map((each) => `  ${each}`)]);
    const at = { toGo: toSearch, i: toSearch.indexOf(result) };
    const found =
      keys === 'unknown'
        ? await shown('searching', at, comparison, (tell) =>
            searchKeys(sides, { name, count }, signal, tell),
          )
        : keys;
    await printLines(
      io,
      found.map((each) => `  ${each}`),
    );
    looksRestored ||= allRevisionsDiffer(result, found);
    collections.push({ name, equal: false, documents: count, differences, keys: found });
  }
  await printResult(io, {
    ...{ database: options.a.database, a: sides.a.name, b: sides.b.name },
    ...{ equal: different.length === 0, documents, collections },
  });
  const total = exactCounted(results.length, 'collection');
  if (different.length === 0) {
    await printLines(io, [`equal: ${total}, ${exactCounted(documents, 'document')}`]);
    return ExitCode.ok;
  }
  const names = different.map(({ name }) => name).join(', ');
  await printLines(io, [
    `different: ${names} (of ${total})`,
    ...(looksRestored ? [RESTORED_HINT] : []),
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
  onRead: (amount: ReadAmount) => void,
): Promise<readonly string[]> {
  const keys = await differingKeys(sides, collection, signal, onRead);
  if (keys.length > 0) return keys;
  return ['no document differs now: is it being written to? --wait SECONDS may help'];
}
