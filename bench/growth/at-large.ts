import { type LagInput, measureLag } from '../support/lag.ts';
import type { Measurement } from '../support/measure.ts';
import { measureRestorePieces } from '../support/restore.ts';
import { WRITE_CONNECTIONS, writeSingly } from '../support/write-client.ts';
import type { SizeRun } from './size-run.ts';

/** Seconds from the start of the process until it answers. */
export interface StartUp {
  readonly afterStopSeconds: number;
  readonly afterKillSeconds: number;
}

const SINGLE = 'single';
const SINGLE_WRITES = 50_000;
const LAG_SECONDS = 10;
/** Far behind the numbers of all that was written before. */
const LAG_FIRST = 900_000_000;

/** The workloads beside W1, W2 and W4, on top of all that is there: for the memory they take. */
export async function measureOnTop(run: SizeRun, seed: number): Promise<readonly Measurement[]> {
  const { leader, follower, leaderApi } = run.pair;
  const ports = { leaderPort: leader.port, followerPort: follower.port };
  const input: LagInput = { ...ports, firstNumber: LAG_FIRST, seed };
  await run.pair.settle();
  const lag = await measureLag(input, { leader: leader.pid, follower: follower.pid }, LAG_SECONDS);
  await leaderApi.createCollection(SINGLE);
  const report = await writeSingly({
    ...{ port: leader.port, serverPid: leader.pid, connections: WRITE_CONNECTIONS },
    ...{ path: `/_api/document?collection=${SINGLE}`, warmUp: 0, writes: SINGLE_WRITES, seed },
  });
  const singleWrites: Measurement = {
    workload: 'single-writes',
    documents: SINGLE_WRITES,
    seconds: report.seconds,
    leader: report.server,
  };
  return [lag, singleWrites];
}

/** A restore of as much, to a server of its own. */
export function measureRestoreOf(run: SizeRun, seed: number): Promise<Measurement> {
  return measureRestorePieces({ documents: run.size.documents, seed });
}

/** Ends the leader in order and starts it again, and then once more after a SIGKILL. */
export async function measureStartUp(run: SizeRun): Promise<StartUp> {
  const { leader, leaderApi } = run.pair;
  const restart = async (end: () => Promise<void>): Promise<number> => {
    await end();
    const startedAt = performance.now();
    await leader.restart();
    await leaderApi.lastLogTick();
    return (performance.now() - startedAt) / 1000;
  };
  const afterStopSeconds = await restart(() => leader.stop());
  const afterKillSeconds = await restart(() => leader.kill());
  return { afterStopSeconds, afterKillSeconds };
}
