import { expect, test } from 'vitest';
import {
  COMPACTION,
  DISTURBANCES,
  type Disturbance,
  KILLS,
} from '../support/chain-disturbances.ts';
import { ChainRun, type ChainRunOptions } from '../support/chain-run.ts';
import { Random } from '../support/random.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** The long form: TICKLOG_LONG=1 npm test -- test/property/three-servers. TICKLOG_SEED=n repeats a run. */
const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000_000);
const ROUNDS = IS_LONG ? 120 : 12;
const KILLING_ROUNDS = 60;
const OPERATIONS = IS_LONG ? 120 : 50;
const TIMEOUT_MS = IS_LONG ? 3_600_000 : 120_000;

async function run(
  disturbances: Readonly<Record<string, Disturbance>>,
  rounds: number,
  options: Omit<ChainRunOptions, 'directory'>,
): Promise<ReadonlyMap<string, number>> {
  await using directory = await makeTempDir();
  const random = new Random(SEED);
  await using chain = await ChainRun.start(random, { directory: directory.path, ...options });
  const names = Object.keys(disturbances);
  for (let i = 0; i < rounds; i++) {
    const name = random.pick(names)!;
    await chain.round(name, disturbances[name]!);
  }
  await chain.end();
  return chain.traffic.counts;
}

test(
  `whatever is done to them, leader, follower and the follower's follower are equal (TICKLOG_SEED=${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    const options = { operations: OPERATIONS, asChildren: false };
    const counts = await run({ ...DISTURBANCES, ...COMPACTION }, ROUNDS, options);
    // Otherwise the test has not tried what it is there for.
    for (const name of ['insert', 'update', 'remove', 'import', 'restore data', 'create index']) {
      expect(counts.get(`${name} ok`) ?? 0, name).toBeGreaterThan(0);
    }
  },
);

if (!IS_LONG) console.warn('skipped: kills of the three servers; TICKLOG_LONG=1 runs them, too');

test.runIf(IS_LONG)(
  `P3, P5: killed again and again they keep what is acknowledged, and are equal (TICKLOG_SEED=${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    const options = { operations: OPERATIONS, asChildren: true };
    await run({ ...DISTURBANCES, ...KILLS }, KILLING_ROUNDS, options);
  },
);
