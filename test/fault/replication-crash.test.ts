import { expect, test, vi } from 'vitest';
import { Child } from '../../bench/support/child.ts';
import { PRODUCT_PROGRAM } from '../../bench/support/project.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Space } from '../../src/storage/keys.ts';
import { CrashPair } from '../support/crash-pair.ts';
import { CrashRun } from '../support/crash-run.ts';
import { LogReplay } from '../support/log-replay.ts';
import { Random } from '../support/random.ts';
import { openCore } from '../support/store.ts';
import { makeTempDir } from '../support/temp-dir.ts';
import { erasurePending, expectNoLeftovers, verifyCollection } from '../support/verify-core.ts';

/** The long form: npm run test:fault. A run is repeated, as far as the clock allows, with TICKLOG_SEED. */
const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);
const SIZES = IS_LONG
  ? { writers: 8, kills: 150, documents: 1_000_000, compareEvery: 5 }
  : { writers: 6, kills: 5, documents: 30_000, compareEvery: 5 };
const IMPORTS = { documents: 1500, keys: 5000 };
const CHUNK_SIZES = [0, 16_384, 262_144];
const TIMEOUT_MS = IS_LONG ? 60 * 60_000 : 180_000;
const ERASED_MS = 20_000;

test(
  `P1-P7: a follower equals its leader after ${SIZES.kills} SIGKILLs of either, and nothing is lost (seed ${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    await using dir = await makeTempDir();
    const chunkSize = new Random(SEED).pick(CHUNK_SIZES) ?? 0;
    const options = { directory: dir.path, connections: 2, chunkSize };
    await using pair = await CrashPair.start(options);
    const run = new CrashRun({ pair }, { seed: SEED, ...SIZES, imports: IMPORTS });
    try {
      const found = await run.run();
      expect(run.kills.leader + run.kills.follower).toBeGreaterThanOrEqual(SIZES.kills);
      expect(run.model.documentsWritten).toBeGreaterThanOrEqual(SIZES.documents);
      await expectVerified(pair);
      const replay = new LogReplay();
      await replay.run(pair.leader.http);
      expect(replay.differences(found)).toEqual([]);
      await pair.end('leader', true);
      await pair.end('follower', true);
      // What a single server leaves behind is the subject of other tests, too.
      if (IS_LONG) await expectWhole(pair.directory('leader'), replay);
      await expectWhole(pair.directory('follower'), replay);
      const { leader, follower } = run.kills;
      console.info(
        `seed ${SEED}: killed the leader ${leader} and the follower ${follower} times; ` +
          `${run.model.documentsWritten} documents written, ${replay.writes} writes in the log; ` +
          `at points: ${[...run.points].map(([point, count]) => `${point} ${count}`).join(', ')}`,
      );
    } catch (error) {
      console.error(`seed ${SEED}\n${pair.output}`);
      throw error;
    }
  },
);

/** The product's own command must find the two equal. */
async function expectVerified(pair: CrashPair): Promise<void> {
  const argv = [PRODUCT_PROGRAM, 'verify', pair.endpoint('leader'), pair.endpoint('follower')];
  const child = new Child({ name: 'ticklog verify', argv });
  expect(await child.ended, child.output).toMatchObject({ code: 0 });
}

/**
 * What lies in a directory: journals, pointers, indexes and figures must all say what the leader's log
 * says, and nothing may be left over of what is gone.
 */
async function expectWhole(directory: string, { collections }: LogReplay): Promise<void> {
  const core = await openCore(directory, { clock: systemClock });
  try {
    const database = core.catalogue.get('_system');
    const cids = database.collections.map(({ cid }) => cid);
    expect(cids.sort()).toEqual([...collections.keys()].sort());
    for (const collection of database.collections) {
      await verifyCollection(core, collection, collections.get(collection.cid)!);
    }
    await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), ERASED_MS);
    await expectNoLeftovers(core);
    const staged = { gte: Buffer.from([Space.staging]), lt: Buffer.from([Space.staging + 1]) };
    expect(await core.store.level.keys({ ...staged, limit: 1 }).all()).toEqual([]);
  } finally {
    await core.store.close();
  }
}
