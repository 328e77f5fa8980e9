import type { BenchOptions, GrowthOptions } from '../support/bench-options.ts';
import type { Measurement } from '../support/measure.ts';
import { writeJson } from '../support/report.ts';
import {
  formatCount,
  formatMebibytes,
  formatNumberOf,
  formatTable,
  median,
} from '../support/table.ts';
import { type StartUp, measureOnTop, measureRestoreOf, measureStartUp } from './at-large.ts';
import { type GrowthFindings, SPREAD_DOCUMENTS, growthBars } from './growth-bars.ts';
import { followersTable, measureManyFollowers } from './many-followers.ts';
import { type Size, type SizeFigures, SizeRun } from './size-run.ts';

/**
 * Measures how the product behaves when there is more: documents, collections, log, followers.
 * Prints as it goes on.
 * @returns whether all bars are met
 */
export async function runGrowth(
  { seed, jsonFile }: BenchOptions,
  growth: GrowthOptions,
  context: object,
): Promise<boolean> {
  const largest = Math.max(0, ...growth.documents);
  let large: { startUp: StartUp; memory: readonly Measurement[] } | undefined;
  const sizes: SizeFigures[] = [];
  for (const size of sizesOf(growth)) {
    console.log(`${formatNumberOf(size.documents, 'document')} in ${size.collections} ...`);
    await using run = await SizeRun.start(size, seed);
    const figures = await run.run();
    sizes.push(figures);
    if (large || size.documents !== largest) continue;
    const { initialSync, catchUp, dump } = figures;
    const others = await measureOnTop(run, seed);
    const startUp = await measureStartUp(run);
    const three = [initialSync, catchUp, dump].map(({ measured }) => measured);
    const memory = [...three, ...others, await measureRestoreOf(run, seed)];
    large = { startUp, memory };
  }
  const followers = growth.followers ? await measureManyFollowers(seed) : [];
  const findings: GrowthFindings = { sizes, followers, ...large };
  print(findings);
  const bars = growthBars(findings);
  console.log('');
  for (const { text, isMet } of bars) console.log(`${isMet ? 'met   ' : 'MISSED'} ${text}`);
  if (jsonFile !== undefined) {
    writeJson(jsonFile, { ...context, seed, ...findings, bars });
    console.log(`\nwritten to ${jsonFile}`);
  }
  return bars.every(({ isMet }) => isMet);
}

function sizesOf(growth: GrowthOptions): readonly Size[] {
  const ofDocuments = growth.documents.map((documents) => ({ documents, collections: 1 }));
  const ofCollections = growth.collections.map((collections) => ({
    documents: SPREAD_DOCUMENTS,
    collections,
  }));
  return [...ofDocuments, ...ofCollections];
}

function print({ sizes, followers, startUp, memory }: GrowthFindings): void {
  const head = ['documents', 'collections', 'limit-store', 'W1', 'of limit', 'W2', 'of limit'];
  const more = ['W4', 'of limit', 'page ms', 'p90', 'CPU ms'];
  const rows = sizes.map((figures) => {
    const { documents, collections, initialSync, catchUp, dump, followPage } = figures;
    const three = [initialSync, catchUp, dump];
    const limit = median(three.map(({ limitStore }) => limitStore));
    const rates = three.flatMap(({ rate, ratio }) => [formatCount(rate), ratio.toFixed(2)]);
    const { p50Ms, p90Ms, cpuMs } = followPage;
    const page = [p50Ms, p90Ms, cpuMs].map((ms) => ms.toFixed(2));
    return [formatCount(documents), String(collections), formatCount(limit), ...rates, ...page];
  });
  if (rows.length > 0) console.log(`\n${formatTable([...head, ...more], rows)}`);
  if (followers.length > 0) console.log(`\n${followersTable(followers)}`);
  if (startUp) {
    const { afterStopSeconds, afterKillSeconds } = startUp;
    console.log(
      `\nstart-up with the most documents: ${afterStopSeconds.toFixed(2)} s after a stop, ` +
        `${afterKillSeconds.toFixed(2)} s after a kill`,
    );
  }
  for (const { workload, leader, follower } of memory ?? []) {
    const there = formatMebibytes(leader.peakRssAnonBytes);
    const here = formatMebibytes(follower?.peakRssAnonBytes);
    console.log(`peak of ${workload}: leader ${there} MiB, follower ${here} MiB`);
  }
}
