import type { Pair } from '../support/pair.ts';
import { Random } from '../support/random.ts';
import { median, percentile } from '../support/table.ts';
import { cpuSeconds } from '../support/usage.ts';

/** What one page of the log costs, from a place in it that nobody has asked for before. */
export interface PageCost {
  readonly p50Ms: number;
  readonly p90Ms: number;
  /** Of the leader. */
  readonly cpuMs: number;
}

const PAGES = 300;
const WARM_UP_PAGES = 100;
const CHUNK_BYTES = 64 * 1024;
/** Ticks are drawn as a part of the way in so many steps. */
const STEPS = 1_000_000;

/** Asks a leader for pages from places all over its log. */
export async function measureFollowPages({ leader, leaderApi }: Pair): Promise<PageCost> {
  const first = await leaderApi.firstLogTick();
  const last = await leaderApi.lastLogTick();
  const random = new Random(1);
  const readOne = async (): Promise<number> => {
    const from = first + ((last - first) * BigInt(random.below(STEPS))) / BigInt(STEPS);
    const startedAt = performance.now();
    await leaderApi.followPage(from, CHUNK_BYTES);
    return performance.now() - startedAt;
  };
  for (let page = 0; page < WARM_UP_PAGES; page++) await readOne();
  const cpuBefore = cpuSeconds(leader.pid) ?? 0;
  const timesMs: number[] = [];
  while (timesMs.length < PAGES) timesMs.push(await readOne());
  const cpuMs = (((cpuSeconds(leader.pid) ?? 0) - cpuBefore) * 1000) / PAGES;
  return { p50Ms: median(timesMs), p90Ms: percentile(timesMs, 90), cpuMs };
}
