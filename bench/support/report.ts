import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type BenchOptions, WORKLOADS } from './bench-options.ts';
import { type Measurement, type SideUsage, middle } from './measure.ts';
import type { Surroundings } from './project.ts';
import { formatCount, formatMebibytes, formatTable } from './table.ts';
import { limitOf } from './workloads.ts';

/** A workload over all runs. */
export interface Result {
  /** The run in the middle. */
  readonly median: Measurement;
  readonly perSecond: number;
  /** Rate divided by that of the limit; undefined for a limit. */
  readonly ofLimit: number | undefined;
  /** Time of every run, in the order of the runs. */
  readonly secondsOfRuns: readonly number[];
}

/** Puts the runs together, in the order of WORKLOADS. Limits stand as a rate in the same runs. */
export function summarize(measured: readonly Measurement[]): readonly Result[] {
  const medians = WORKLOADS.flatMap((workload) => {
    const ofWorkload = measured.filter((each) => each.workload === workload);
    return ofWorkload.length === 0 ? [] : [{ ofWorkload, median: middle(ofWorkload) }];
  });
  return medians.map(({ ofWorkload, median }) => {
    const limit = medians.find((other) => other.median.workload === limitOf(median.workload));
    return {
      median,
      perSecond: rate(median),
      ofLimit: limit && rate(median) / rate(limit.median),
      secondsOfRuns: ofWorkload.map(({ seconds }) => seconds),
    };
  });
}

/** The table for people. */
export function resultTable(results: readonly Result[]): string {
  const head = ['', 'documents', 'seconds', 'documents/s', 'of limit'];
  const sides = ['leader CPU s', 'peak MiB', 'follower CPU s', 'peak MiB'];
  const rows = results.map(({ median, perSecond, ofLimit }) => [
    median.workload,
    formatCount(median.documents),
    median.seconds.toFixed(3),
    formatCount(perSecond),
    ofLimit === undefined ? '' : `${ofLimit.toFixed(2)} ${limitOf(median.workload) ?? ''}`,
    ...usageCells(median.leader),
    ...usageCells(median.follower),
  ]);
  return formatTable([...head, ...sides], rows);
}

/** Writes the figures as JSON, for programs that compare them. */
export function writeResults(
  file: string,
  context: { options: BenchOptions; surroundings: Surroundings; startedAt: Date },
  results: readonly Result[],
): void {
  const { documents, changes, runs, seed } = context.options;
  const content = {
    startedAt: context.startedAt.toISOString(),
    ...context.surroundings,
    ...{ documents, changes, runs, seed },
    results: results.map(({ median, ...figures }) => ({ ...median, ...figures })),
  };
  const path = resolve(file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
}

function rate({ documents, seconds }: Measurement): number {
  return documents / seconds;
}

function usageCells(usage: SideUsage | undefined): readonly [string, string] {
  if (!usage) return ['', ''];
  return [usage.cpuSeconds?.toFixed(2) ?? '-', formatMebibytes(usage.peakRssAnonBytes)];
}
