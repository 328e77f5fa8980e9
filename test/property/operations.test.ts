import { expect, test, vi } from 'vitest';
import { Maintenance } from '../../src/documents/maintenance.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type Acknowledged, OpStream } from '../support/op-stream.ts';
import { Random } from '../support/random.ts';
import { TestCore } from '../support/store.ts';
import {
  erasurePending,
  expectNoLeftovers,
  verifyAcknowledged,
  verifyCore,
} from '../support/verify-core.ts';

/** The long form: TICKLOG_OPERATION_SEEDS=100 npm test -- test/property/operations */
const SEEDS = Number(process.env['TICKLOG_OPERATION_SEEDS'] ?? 2);
const FIRST_SEED = Number(process.env['TICKLOG_OPERATION_FIRST_SEED'] ?? 1);

test.for(Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i))(
  'P1: whatever is done in whatever order, log, journals, pointers, indexes and figures agree (seed %i)',
  { timeout: 120_000 },
  async (seed) => {
    const clock = new ManualClock();
    await using core = await TestCore.open({ clock, loggerConfig: { autoStart: true } });
    await core.databases.create('other');
    const random = new Random(seed);
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < 6; round++) {
      const maintenance = new Maintenance(
        { store: core.store, catalogue: core.catalogue, clock, logger: silentLogger },
        { intervalMs: 1, removalAgeMs: 50, horizon: () => undefined },
      );
      maintenance.start();
      const stream = new OpStream(
        { core, random, acknowledge: (op) => void acknowledged.push(op) },
        { databases: ['_system', 'other'] },
      );
      await stream.run(1200, 1 + random.below(40));
      clock.advance(random.below(100));
      await maintenance.stop();
      await verifyCore(core);
      if (random.percent(70)) await core.reopen();
      await verifyCore(core);
    }
    await verifyAcknowledged(core, acknowledged);
    expect(acknowledged.length).toBeGreaterThan(1000);
    await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 10_000);
    await expectNoLeftovers(core);
  },
);
