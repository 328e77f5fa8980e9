/*
 * npm run bench: what the replication of documents costs, beside what the machine can do at all.
 * bench/README.md says what each figure means. Knobs: TICKLOG_BENCH_DOCUMENTS, and the flags of --help.
 */
import { runGrowth } from './growth/growth.ts';
import { barsOf } from './support/bars.ts';
import {
  type BenchOptions,
  SMOKE_VERDICT,
  USAGE,
  UsageError,
  readBenchOptions,
} from './support/bench-options.ts';
import { comparisonTable, readEarlier } from './support/compare.ts';
import { runLarge } from './support/large.ts';
import type { Measurement } from './support/measure.ts';
import { surroundings } from './support/project.ts';
import { lagLines, resultTable, summarize, writeResults } from './support/report.ts';
import { formatNumberOf } from './support/table.ts';
import { runWorkloads } from './support/workloads.ts';
import { isCompared, otherSystems, runOther } from './systems/measure-other.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  let options: BenchOptions;
  try {
    options = readBenchOptions(args, process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  const startedAt = new Date();
  const around = surroundings();
  const { seed, documents, runs } = options;
  console.log(`seed ${seed}, commit ${around.commit}, Node ${around.node}`);
  console.log(`${around.cpu}, ${formatNumberOf(around.cores, 'core')}`);
  if (options.growth) {
    const context = { startedAt: startedAt.toISOString(), ...around };
    return (await runGrowth(options, options.growth, context)) ? 0 : EXIT_FAILED;
  }
  if (options.large) return (await runLarge(options)) ? 0 : EXIT_FAILED;

  console.log(`${formatNumberOf(documents, 'document')}, ${formatNumberOf(runs, 'run')}\n`);
  // Read first: a run takes minutes.
  const earlier = options.compareFile === undefined ? undefined : readEarlier(options.compareFile);
  const measured: Measurement[] = [];
  const others = options.others && isCompared(options.only) ? otherSystems() : [];
  for (let run = 1; run <= runs; run++) {
    const begin = (workload: string): void => console.log(`run ${run}: ${workload} ...`);
    measured.push(...(await runWorkloads(options, begin)));
    for (const { name, start } of others) {
      const beginOther = (workload: string): void => begin(`${name}, ${workload}`);
      if (start) measured.push(...(await runOther(start, options, beginOther)));
      else if (run === 1) console.log(`skipped: ${name} is not installed`);
    }
  }
  const results = summarize(measured);
  console.log(`\n${resultTable(results)}`);
  const notes = lagLines(results);
  if (notes.length > 0) console.log(`\n${notes.join('\n')}`);
  const bars = options.smoke ? [] : barsOf(results);
  if (bars.length > 0) console.log('');
  for (const { text, isMet } of bars) console.log(`${isMet ? 'met   ' : 'MISSED'} ${text}`);
  if (earlier) {
    console.log(`\ncompared with ${options.compareFile ?? ''} of commit ${earlier.commit}\n`);
    console.log(comparisonTable(earlier, results));
  }
  if (options.jsonFile !== undefined) {
    writeResults(options.jsonFile, { options, surroundings: around, startedAt }, results);
    console.log(`\nwritten to ${options.jsonFile}`);
  }
  if (options.smoke) console.log(`\n${SMOKE_VERDICT}`);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error);
  process.exitCode = EXIT_FAILED;
}
