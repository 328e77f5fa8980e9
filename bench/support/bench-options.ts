import { parseArgs } from 'node:util';
import { CODES, WORKLOADS, type WorkloadName, workloadsNamed } from './workload-names.ts';

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  readonly documents: number;
  /** Changes a follower has to catch up with, and writes of single-writes. */
  readonly changes: number;
  readonly runs: number;
  /** How long the lag is watched. */
  readonly lagSeconds: number;
  readonly seed: number;
  readonly only: readonly WorkloadName[];
  /** The acceptance run with a million documents instead of the table. */
  readonly large: boolean;
  /** What `--growth` measures, undefined without that. */
  readonly growth: GrowthOptions | undefined;
  /** Few documents: figures say nothing. */
  readonly smoke: boolean;
  /** Whether PostgreSQL and Redis are measured, too. */
  readonly others: boolean;
  readonly jsonFile: string | undefined;
  /** Written by an earlier run with `jsonFile`. */
  readonly compareFile: string | undefined;
}

/** How far things grow. */
export interface GrowthOptions {
  /** Documents in one collection. */
  readonly documents: readonly number[];
  /** Collections that the same documents are spread over. */
  readonly collections: readonly number[];
  /** Whether many followers are measured. */
  readonly followers: boolean;
}

/** Said when `--smoke` has come to its end: what gives a wrong result ends it before. */
export const SMOKE_VERDICT =
  'good: all results were right. The rates of so few documents mean nothing; PostgreSQL and Redis were left out, as ' +
  'they always are with --smoke.';

/** A command line that cannot be used; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const NAMES = [...Object.keys(CODES), ...WORKLOADS].join(', ');

export const USAGE = `Usage: npm run bench -- [flags]

  --documents N   documents of 300 bytes (default: environment TICKLOG_BENCH_DOCUMENTS, or 200000)
  --changes N     changes of catch-up, single writes (default 100000)
  --runs K        measure K times and show the median (default 3)
  --only NAME     only this workload and its limit; may be given several times: ${NAMES}
  --no-others     without PostgreSQL and Redis, which are measured where they are installed
  --seed N        of the generated documents (default 1)
  --json FILE     also write the figures to FILE, such as bench/results/today.json
  --compare FILE  also say what changed since a run wrote that with --json
  --smoke         few documents, one run: checks that everything works, in under 20 s on a quiet machine
  --growth        what happens when there is more: documents, collections, log, followers; may take an hour
  --sizes N,...   of --growth: documents (default 10000,100000,1000000,5000000); none: -
  --spread N,...  of --growth: collections (default 1,10,100,1000); none: -
  --no-followers  of --growth: without many followers
  --large         the acceptance run: a million documents within 512 MiB on each side`;

const LAG_SECONDS = { table: 15, smoke: 1 };
const DEFAULT = { documents: 200_000, changes: 100_000, runs: 3 };
const SMOKE = { documents: 5000, changes: 1000, runs: 1 };
const GROWTH = {
  documents: [10_000, 100_000, 1_000_000, 5_000_000],
  collections: [1, 10, 100, 1000],
};
const LARGE = { documents: 1_000_000, changes: 100_000, runs: 1 };
/** An update and a removal need something to be done to. */
const DOCUMENTS_MIN = 1000;

/**
 * Reads the command line and the environment.
 * @throws UsageError
 */
export function readBenchOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): BenchOptions {
  const values = parse(args);
  const { smoke, large } = values;
  if ([smoke, large, values.growth].filter(Boolean).length > 1) {
    throw new UsageError('--smoke, --large and --growth exclude each other');
  }
  const base = smoke === true ? SMOKE : large === true ? LARGE : DEFAULT;
  // An environment that is meant for the table does not make the other two something else.
  const fromEnv = base === DEFAULT ? env['TICKLOG_BENCH_DOCUMENTS'] : undefined;
  const documents = wholeNumber('documents', values.documents ?? fromEnv, base.documents);
  const changes = wholeNumber('changes', values.changes, Math.min(base.changes, documents));
  if (documents < DOCUMENTS_MIN) {
    throw new UsageError(`--documents must be at least ${DOCUMENTS_MIN}`);
  }
  if (changes > documents) throw new UsageError('--changes must not be more than --documents');
  return {
    documents,
    changes,
    runs: wholeNumber('runs', values.runs, base.runs),
    seed: wholeNumber('seed', values.seed, 1),
    only: (values.only ?? WORKLOADS).flatMap(workloadNames),
    lagSeconds: smoke === true ? LAG_SECONDS.smoke : LAG_SECONDS.table,
    large: large ?? false,
    smoke: smoke ?? false,
    growth: values.growth === true ? growthOptions(values) : undefined,
    others: smoke !== true && values['no-others'] !== true,
    jsonFile: values.json,
    compareFile: values.compare,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        documents: { type: 'string' },
        changes: { type: 'string' },
        runs: { type: 'string' },
        only: { type: 'string', multiple: true },
        seed: { type: 'string' },
        json: { type: 'string' },
        compare: { type: 'string' },
        smoke: { type: 'boolean' },
        large: { type: 'boolean' },
        growth: { type: 'boolean' },
        sizes: { type: 'string' },
        spread: { type: 'string' },
        'no-followers': { type: 'boolean' },
        'no-others': { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function growthOptions(values: ReturnType<typeof parse>): GrowthOptions {
  return {
    documents: wholeNumbers('sizes', values.sizes, GROWTH.documents),
    collections: wholeNumbers('spread', values.spread, GROWTH.collections),
    followers: values['no-followers'] !== true,
  };
}

function wholeNumbers(
  name: string,
  text: string | undefined,
  fallback: readonly number[],
): readonly number[] {
  if (text === undefined) return fallback;
  return text === '-' ? [] : text.split(',').map((one) => wholeNumber(name, one, 0));
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined || text === '') return fallback;
  const value = Number(text.replaceAll('_', ''));
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(`--${name} takes a whole number above 0, not '${text}'`);
}

function workloadNames(name: string): readonly WorkloadName[] {
  const found = workloadsNamed(name);
  if (found !== undefined) return found;
  throw new UsageError(`--only takes one of ${NAMES}, not '${name}'`);
}
