import { median } from './table.ts';
import { type Usage, UsageMeter } from './usage.ts';
import type { WorkloadName } from './workload-names.ts';

/** Other systems that are measured with the same data. */
export type SystemName = 'PostgreSQL' | 'Redis';

/** What one side used meanwhile; undefined where the system does not tell. */
export type SideUsage = Pick<Usage, 'cpuSeconds' | 'peakRssAnonBytes'>;

/** One workload, measured. */
export interface Measurement {
  readonly workload: WorkloadName;
  /** What was measured, if it is another one than the product. */
  readonly system?: SystemName;
  /** What was done, and is divided by the time: documents, lines or changes. */
  readonly documents: number;
  readonly seconds: number;
  /** The one that gives; for a limit the program that stands in for it. */
  readonly leader: SideUsage;
  readonly follower?: SideUsage;
  /** Seconds of the processor that the client took, where it is a process of its own. */
  readonly clientCpuSeconds?: number | undefined;
  /** Of the workload that is about it. */
  readonly lag?: LagFigures;
}

/** From the moment a write is sent to the leader until the follower answers a read with the document. */
export interface LagFigures {
  /** Writes that were watched. */
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The same from the moment the writer had its answer. */
  readonly p50FromAnswerMs: number;
  readonly p99FromAnswerMs: number;
}

/** Process ids of those who are watched. */
export interface Watched {
  readonly leader: number;
  readonly follower?: number;
  /** Whether they are watched together with the processes they have started. */
  readonly withChildren?: boolean;
}

/** What is over in a moment is done this often, after once for warming up. */
const REPEATS = 15;

/**
 * Times `run` and watches the processes meanwhile.
 * @param run returns how many documents it was about
 */
export async function measure(
  workload: WorkloadName,
  watched: Watched,
  run: () => Promise<number>,
): Promise<Measurement> {
  const { withChildren = false } = watched;
  const leaderMeter = new UsageMeter(watched.leader, { withChildren });
  const followerMeter =
    watched.follower === undefined ? undefined : new UsageMeter(watched.follower, { withChildren });
  const startedAt = performance.now();
  let documents: number;
  let seconds: number;
  try {
    documents = await run();
    seconds = (performance.now() - startedAt) / 1000;
  } finally {
    leaderMeter.end();
    followerMeter?.end();
  }
  const follower = followerMeter && { follower: sideUsage(followerMeter) };
  return { workload, documents, seconds, leader: sideUsage(leaderMeter), ...follower };
}

/** As `measure`, for what is short: done once unmeasured, then several times, of which the middle counts. */
export async function measureMedian(
  workload: WorkloadName,
  watched: Watched,
  run: () => Promise<number>,
): Promise<Measurement> {
  await run();
  const measured: Measurement[] = [];
  for (let i = 0; i < REPEATS; i++) measured.push(await measure(workload, watched, run));
  return middle(measured);
}

/** The measurement with the middle time, the quicker of two; of lags the one with the middle lag. */
export function middle(measured: readonly Measurement[]): Measurement {
  const time = (each: Measurement): number => each.lag?.p50Ms ?? each.seconds;
  const middleTime = median(measured.map(time));
  const found = measured.find((each) => time(each) === middleTime);
  if (!found) throw new Error('nothing was measured');
  return found;
}

function sideUsage({ usage }: UsageMeter): SideUsage {
  return { cpuSeconds: usage.cpuSeconds, peakRssAnonBytes: usage.peakRssAnonBytes };
}
