import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { BenchOptions } from './bench-options.ts';
import { type Measurement, type SideUsage, type SystemName, middle } from './measure.ts';
import type { Surroundings } from './project.ts';
import { formatCount, formatMebibytes, formatMs, formatTable } from './table.ts';
import { WORKLOADS, limitOf, titleOf } from './workload-names.ts';

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

/** The product first. */
const SYSTEMS: readonly (SystemName | undefined)[] = [undefined, 'PostgreSQL', 'Redis'];

/** Puts the runs together, in the order of WORKLOADS. Limits stand as a rate in the same runs. */
export function summarize(measured: readonly Measurement[]): readonly Result[] {
  const kinds = SYSTEMS.flatMap((system) => WORKLOADS.map((workload) => ({ system, workload })));
  const medians = kinds.flatMap(({ system, workload }) => {
    const ofKind = measured.filter((each) => each.system === system && each.workload === workload);
    return ofKind.length === 0 ? [] : [{ ofKind, median: middle(ofKind) }];
  });
  return medians.map(({ ofKind, median }) => {
    const limit = medians.find((other) => other.median.workload === limitOf(median.workload));
    return {
      median,
      perSecond: rate(median),
      ofLimit: limit && rate(median) / rate(limit.median),
      secondsOfRuns: ofKind.map(({ seconds }) => seconds),
    };
  });
}

/** The table for people. */
export function resultTable(results: readonly Result[]): string {
  const head = ['', 'documents', 'seconds', 'documents/s', 'of limit'];
  const sides = ['leader CPU s', 'peak MiB', 'follower CPU s', 'peak MiB', 'client CPU s'];
  const rows = results.map(({ median, perSecond, ofLimit }) => [
    `${titleOf(median.workload)}${median.system === undefined ? '' : ` ${median.system}`}`,
    formatCount(median.documents),
    median.seconds.toFixed(3),
    formatCount(perSecond),
    ofLimit === undefined ? '' : `${ofLimit.toFixed(2)} ${limitOf(median.workload) ?? ''}`,
    ...usageCells(median.leader),
    ...usageCells(median.follower),
    median.clientCpuSeconds?.toFixed(2) ?? '',
  ]);
  return formatTable([...head, ...sides], rows);
}

/** What the table has no columns for. */
export function lagLines(results: readonly Result[]): readonly string[] {
  return results.flatMap(({ median: { system, lag } }) => {
    if (!lag) return [];
    const sent = `p50 ${formatMs(lag.p50Ms)}, p99 ${formatMs(lag.p99Ms)}, max ${formatMs(lag.maxMs)}`;
    const answered = `p50 ${formatMs(lag.p50FromAnswerMs)}, p99 ${formatMs(lag.p99FromAnswerMs)}`;
    const who = system === undefined ? '' : ` with ${system}`;
    return [`lag of ${lag.samples} writes${who}: ${sent}; from being answered ${answered}`];
  });
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
  writeJson(file, content);
}

/** Writes a file, and the directory it is to be in. */
export function writeJson(file: string, content: object): void {
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
