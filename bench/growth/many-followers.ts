import { fileURLToPath } from 'node:url';
import { Pair } from '../support/pair.ts';
import { formatTable } from '../support/table.ts';
import { runProgram } from '../support/write-client.ts';
import { collectionName } from './size-run.ts';

const PROGRAM = fileURLToPath(new URL('../clients/tail-client.js', import.meta.url));
const FOLLOWERS = [0, 1, 10, 50];
/** Few enough for a leader of one thread to answer fifty of them after every write. */
const WRITES_PER_SECOND = 100;
const SECONDS = 10;

/** What the client is to do. */
export interface TailOrder {
  readonly port: number;
  readonly serverPid: number;
  readonly tails: number;
  readonly writesPerSecond: number;
  readonly writes: number;
  readonly firstNumber: number;
  /** Tick behind which they read. */
  readonly from: string;
  readonly seed: number;
}

/** What it found; every reader was given every write. */
export interface TailReport {
  readonly pages: number;
  readonly leaderCpuSeconds: number;
}

/** What so many followers cost their leader. */
export interface FollowersCost extends TailReport {
  readonly followers: number;
  /** What one page more costs than the writes alone, in ms of CPU; undefined without followers. */
  readonly cpuMsOfPage: number | undefined;
}

/** Lets more and more readers tail one leader that is written to. Done once before for warming up. */
export async function measureManyFollowers(seed: number): Promise<readonly FollowersCost[]> {
  await using pair = await Pair.start();
  const { leader, leaderApi } = pair;
  await leaderApi.liftLoggerCaps();
  await leaderApi.createCollection(collectionName(0));
  const writes = WRITES_PER_SECOND * SECONDS;
  let firstNumber = 0;
  const run = async (tails: number): Promise<TailReport> => {
    await pair.settle();
    const from = String(await leaderApi.lastLogTick());
    const target = { port: leader.port, serverPid: leader.pid, from, seed };
    const order: TailOrder = {
      ...target,
      tails,
      writes,
      firstNumber,
      writesPerSecond: WRITES_PER_SECOND,
    };
    firstNumber += writes;
    return (await runProgram('tail-client', [PROGRAM, JSON.stringify(order)])) as TailReport;
  };
  await run(10);
  const costs: FollowersCost[] = [];
  for (const followers of FOLLOWERS) {
    const report = await run(followers);
    const alone = costs[0]?.leaderCpuSeconds;
    const more = alone === undefined ? undefined : report.leaderCpuSeconds - alone;
    const cpuMsOfPage = more === undefined ? undefined : (more * 1000) / report.pages;
    costs.push({ ...report, followers, cpuMsOfPage });
  }
  return costs;
}

export function followersTable(costs: readonly FollowersCost[]): string {
  const head = ['followers', 'pages', 'leader CPU s', 'CPU ms of a page'];
  const rows = costs.map(({ followers, pages, leaderCpuSeconds, cpuMsOfPage }) => [
    String(followers),
    String(pages),
    leaderCpuSeconds.toFixed(2),
    cpuMsOfPage?.toFixed(3) ?? '',
  ]);
  return formatTable(head, rows);
}
