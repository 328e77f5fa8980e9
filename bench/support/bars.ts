import type { Result } from './report.ts';
import { type WorkloadName, limitOf } from './workload-names.ts';

/** Something that must hold in one run, and whether it did. */
export interface Bar {
  readonly text: string;
  readonly isMet: boolean;
}

/** Parts of the rate of the limit that must be reached, and those that are aimed at. */
const OF_LIMIT: readonly (readonly [WorkloadName, { bar: number; goal?: number }])[] = [
  ['initial-sync', { bar: 0.5, goal: 0.65 }],
  ['catch-up', { bar: 0.45 }],
  ['dump', { bar: 0.5 }],
  ['single-writes', { bar: 0.65 }],
  ['restore', { bar: 0.35 }],
];
/** What writes lose at most by being logged. */
const LOGGING_COST = 0.2;
const LAG_P50_MS = 1.5;
const LAG_P99_MS = 4;
const AHEAD_OF_POSTGRES: readonly WorkloadName[] = ['initial-sync', 'catch-up', 'dump'];
const PEAK_BYTES = 512 * 1024 * 1024;

/** All bars for which there are figures. */
export function barsOf(results: readonly Result[]): readonly Bar[] {
  const find = (workload: WorkloadName, system?: string): Result | undefined =>
    results.find(({ median }) => median.workload === workload && median.system === system);
  const limits = OF_LIMIT.flatMap(([workload, { bar, goal }]) => {
    const result = find(workload);
    if (result?.ofLimit === undefined) return [];
    const { ofLimit } = result;
    const aim = goal === undefined ? '' : ` (goal ${goal})`;
    const tuned = limitOf(workload) === 'limit-store' ? find('limit-store-tuned') : undefined;
    const part = tuned && (result.perSecond / tuned.perSecond).toFixed(2);
    const besides = part === undefined ? '' : `; ${part} of the store's own settings`;
    const text = `${workload}: ${ofLimit.toFixed(2)} of the limit, at least ${bar}${aim}${besides}`;
    return [{ text, isMet: ofLimit >= bar }];
  });
  const ahead = AHEAD_OF_POSTGRES.flatMap((workload) => {
    const [ours, theirs] = [find(workload), find(workload, 'PostgreSQL')];
    if (!ours || !theirs) return [];
    const times = ours.perSecond / theirs.perSecond;
    return [{ text: `${workload}: ${times.toFixed(2)} of PostgreSQL, above 1`, isMet: times > 1 }];
  });
  return [
    ...limits,
    ...loggingBar(find('single-writes'), find('single-writes-unlogged')),
    ...lagBars(find('lag'), find('lag', 'PostgreSQL')),
    ...ahead,
    ...memoryBar(results),
  ];
}

function loggingBar(logged: Result | undefined, unlogged: Result | undefined): readonly Bar[] {
  if (!logged || !unlogged) return [];
  const cost = 1 - logged.perSecond / unlogged.perSecond;
  const text = `single-writes: logging costs ${percent(cost)}, less than ${percent(LOGGING_COST)}`;
  return [{ text, isMet: cost < LOGGING_COST }];
}

function lagBars(ours: Result | undefined, postgres: Result | undefined): readonly Bar[] {
  const lag = ours?.median.lag;
  if (!lag) return [];
  const { p50Ms, p99Ms } = lag;
  const bars = [
    { text: `lag: p50 ${ms(p50Ms)}, at most ${ms(LAG_P50_MS)}`, isMet: p50Ms <= LAG_P50_MS },
    { text: `lag: p99 ${ms(p99Ms)}, at most ${ms(LAG_P99_MS)}`, isMet: p99Ms <= LAG_P99_MS },
  ];
  const theirs = postgres?.median.lag?.p50Ms;
  if (theirs === undefined) return bars;
  const text = `lag: p50 ${ms(p50Ms)}, less than ${ms(theirs)} of PostgreSQL`;
  return [...bars, { text, isMet: p50Ms < theirs }];
}

function memoryBar(results: readonly Result[]): readonly Bar[] {
  const peaks = results.flatMap(({ median: { system, leader, follower } }) =>
    system === undefined ? [leader.peakRssAnonBytes ?? 0, follower?.peakRssAnonBytes ?? 0] : [],
  );
  const peak = Math.max(0, ...peaks);
  if (peak === 0) return [];
  const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
  const text = `peak RssAnon of a side: ${mebibytes(peak)}, below ${mebibytes(PEAK_BYTES)}`;
  return [{ text, isMet: peak < PEAK_BYTES }];
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(1)} ms`;
}
