import type { Bar } from '../support/bars.ts';
import type { Measurement } from '../support/measure.ts';
import type { StartUp } from './at-large.ts';
import type { FollowersCost } from './many-followers.ts';
import type { SizeFigures } from './size-run.ts';

/** All that was found. What belongs to the most documents is not there when no documents were asked for. */
export interface GrowthFindings {
  readonly sizes: readonly SizeFigures[];
  readonly followers: readonly FollowersCost[];
  readonly startUp?: StartUp;
  readonly memory?: readonly Measurement[];
}

/** How many documents lie in the collections when their number grows. */
export const SPREAD_DOCUMENTS = 200_000;
/** How far the ratio to the limit may fall from the smallest size to any other. */
const LOSS = 0.2;
/** A page from a long log may cost that much of one from a short log: times of a millisecond vary. */
const PAGE_COST = 1.25;
const START_UP_SECONDS = 2;
const PEAK_BYTES = 512 * 1024 * 1024;
const MEBIBYTE = 1024 * 1024;

export function growthBars(findings: GrowthFindings): readonly Bar[] {
  const { sizes, followers, startUp, memory } = findings;
  const ofDocuments = sizes
    .filter(({ collections }) => collections === 1)
    .toSorted((left, right) => left.documents - right.documents);
  const spread = sizes
    .filter(({ documents }) => documents === SPREAD_DOCUMENTS)
    .toSorted((left, right) => left.collections - right.collections);
  return [
    ...ratioBars('documents', ofDocuments),
    ...ratioBars('collections', spread),
    ...pageBars(ofDocuments),
    ...followersBars(followers),
    ...(startUp ? [startUpBar(startUp)] : []),
    ...(memory ? [memoryBar(memory)] : []),
  ];
}

/** None of the sizes may be much worse than the best of those that are smaller. */
function ratioBars(of: 'documents' | 'collections', sizes: readonly SizeFigures[]): readonly Bar[] {
  if (sizes.length < 2) return [];
  return (['initialSync', 'catchUp', 'dump'] as const).map((name) => {
    const ratios = sizes.map((figures) => figures[name].ratio);
    const losses = ratios.map((ratio, i) => 1 - ratio / Math.max(...ratios.slice(0, i + 1)));
    const loss = Math.max(...losses);
    const worst = sizes[losses.indexOf(loss)]?.[of] ?? 0;
    const text =
      `${name}: loses ${(loss * 100).toFixed(0)} % of its ratio to the limit by ${worst} ` +
      `${of}, at most ${LOSS * 100} %`;
    return { text, isMet: loss <= LOSS };
  });
}

function pageBars(sizes: readonly SizeFigures[]): readonly Bar[] {
  const [shortest, longest] = [sizes[0], sizes.at(-1)];
  if (!shortest || !longest || shortest === longest) return [];
  const times = longest.followPage.p50Ms / shortest.followPage.p50Ms;
  const text = `a page of the longest log costs ${times.toFixed(2)} of one of the shortest, at most ${PAGE_COST}`;
  return [{ text, isMet: times <= PAGE_COST }];
}

/** Where pages are read once, a page for one of many is cheaper than one for a follower alone. */
function followersBars(costs: readonly FollowersCost[]): readonly Bar[] {
  const alone = costs.find(({ followers }) => followers === 1)?.cpuMsOfPage;
  const many = costs.at(-1);
  if (alone === undefined || many?.cpuMsOfPage === undefined) return [];
  const text =
    `a page for one of ${many.followers} followers costs ${many.cpuMsOfPage.toFixed(2)} ms of CPU, ` +
    `less than ${alone.toFixed(2)} ms for one alone`;
  return [{ text, isMet: many.cpuMsOfPage < alone }];
}

function startUpBar({ afterStopSeconds, afterKillSeconds }: StartUp): Bar {
  const seconds = Math.max(afterStopSeconds, afterKillSeconds);
  const text = `start-up: ${seconds.toFixed(2)} s, less than ${START_UP_SECONDS} s`;
  return { text, isMet: seconds < START_UP_SECONDS };
}

function memoryBar(memory: readonly Measurement[]): Bar {
  const peaks = memory.flatMap(({ leader, follower }) => [
    leader.peakRssAnonBytes ?? 0,
    follower?.peakRssAnonBytes ?? 0,
  ]);
  const peak = Math.max(...peaks);
  const text = `peak RssAnon of a side: ${Math.round(peak / MEBIBYTE)} MiB, below ${PEAK_BYTES / MEBIBYTE} MiB`;
  return { text, isMet: peak > 0 && peak < PEAK_BYTES };
}
