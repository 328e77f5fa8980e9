import { expect, test } from 'vitest';
import { ChainRun, DISTURBANCES } from '../support/chain-run.ts';
import { Random } from '../support/random.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** The long form: TICKLOG_LONG=1; TICKLOG_SEED repeats a run. */
const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 2 ** 31);
const ROUNDS = IS_LONG ? 100 : 12;
const OPERATIONS = IS_LONG ? 120 : 60;

test(
  `all operations keep leader, follower and the follower's follower equal (TICKLOG_SEED=${SEED})`,
  { timeout: IS_LONG ? 3_600_000 : 120_000 },
  async () => {
    await using directory = await makeTempDir();
    const random = new Random(SEED);
    const options = { directory: directory.path, operations: OPERATIONS, kills: false };
    await using run = await ChainRun.start(random, options);
    const names = Object.keys(DISTURBANCES).filter((each) => !/part|back/.test(each));
    for (let i = 0; i < ROUNDS; i++) {
      const name = random.pick(names)!;
      const began = performance.now();
      await run.round(name);
      console.log(
        `${i} ${name} ${Math.round(performance.now() - began)} ms, ${run.world.collections.length}`,
      );
    }
    await run.end();
    console.log(JSON.stringify([...run.traffic.counts].sort()), run.rejoins);
    expect(run.traffic.counts.size).toBeGreaterThan(20);
  },
);
