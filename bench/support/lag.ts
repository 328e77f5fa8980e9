import { fileURLToPath } from 'node:url';
import {
  type LagFigures,
  type SystemName,
  type Measurement,
  type Watched,
  measure,
} from './measure.ts';
import { runProgram } from './write-client.ts';

const PROGRAM = fileURLToPath(new URL('../clients/lag-client.js', import.meta.url));
const WRITES_PER_SECOND = 500;
/**
 * A lag is asked for of servers that have run for a while: for the first 6 to 8 s at this rate those in JavaScript are
 * slower, until their code is compiled.
 */
const WARM_UP_SECONDS = 10;
/** Of runs that are not measured for their figures. */
const SHORT_WARM_UP_SECONDS = 1;
const SHORT_SECONDS = 5;

/** What the client of the lag is to do. */
export interface LagOrder {
  readonly system?: SystemName;
  readonly leaderPort: number;
  readonly followerPort: number;
  readonly writesPerSecond: number;
  /** Writes before figures count. */
  readonly warmUp: number;
  readonly writes: number;
  /** Documents are written from this number on. */
  readonly firstNumber: number;
  readonly seed: number;
}

/** What it found. */
export interface LagReport {
  readonly seconds: number;
  readonly clientCpuSeconds: number;
  readonly lag: LagFigures;
}

export type LagInput = Pick<
  LagOrder,
  'system' | 'leaderPort' | 'followerPort' | 'firstNumber' | 'seed'
>;

/** How many documents `measureLag` writes. */
export function lagWrites(seconds: number): number {
  return (seconds + warmUpSeconds(seconds)) * WRITES_PER_SECOND;
}

function warmUpSeconds(seconds: number): number {
  return seconds < SHORT_SECONDS ? SHORT_WARM_UP_SECONDS : WARM_UP_SECONDS;
}

/**
 * Watches for some seconds how far a follower that is up to date is behind 500 single writes a second.
 * @throws Error when a write is refused, or never comes to the follower
 */
export async function measureLag(
  input: LagInput,
  watched: Watched,
  seconds: number,
): Promise<Measurement> {
  const warmUp = warmUpSeconds(seconds) * WRITES_PER_SECOND;
  const writes = seconds * WRITES_PER_SECOND;
  const order: LagOrder = { ...input, writesPerSecond: WRITES_PER_SECOND, warmUp, writes };
  let report: LagReport | undefined;
  // Both sides are watched over the warm-up, too: what they use in it is that of any two seconds.
  const measurement = await measure('lag', watched, async () => {
    report = (await runProgram('lag-client', [PROGRAM, JSON.stringify(order)])) as LagReport;
    return writes;
  });
  return { ...measurement, ...report };
}
