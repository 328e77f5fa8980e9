import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { buildForChild } from '../support/child-build.ts';
import { runAndKill } from '../support/killed-child.ts';
import type { Acknowledged } from '../support/op-stream.ts';
import { Random } from '../support/random.ts';
import { openCore } from '../support/store.ts';
import { makeTempDir } from '../support/temp-dir.ts';
import {
  erasurePending,
  expectNoLeftovers,
  verifyAcknowledged,
  verifyCore,
} from '../support/verify-core.ts';

/** The long form: npm run test:fault, or as many as TICKLOG_CRASH_ROUNDS says. */
const DEFAULT_ROUNDS = process.env['TICKLOG_LONG'] === '1' ? 200 : 5;
const ROUNDS = Number(process.env['TICKLOG_CRASH_ROUNDS'] ?? DEFAULT_ROUNDS);
const SEED = Number(process.env['TICKLOG_SEED'] ?? Date.now() % 1_000_000);

test(
  `P1, P5: kill -9 at any moment loses nothing that was answered and tears nothing apart (seed ${SEED})`,
  { timeout: 60_000 + ROUNDS * 10_000 },
  async () => {
    await using dir = await makeTempDir();
    const program = await buildForChild(join(dir.path, 'code'), 'test/support/crash-child.ts');
    const random = new Random(SEED);
    let directory = '';
    let acknowledged: Acknowledged[] = [];
    let largestTick = 0n;
    for (let round = 0; round < ROUNDS; round++) {
      // A directory lives through several deaths, but logs without caps must not grow for ever.
      if (round % 8 === 0) {
        directory = join(dir.path, `data${round}`);
        acknowledged = [];
        largestTick = 0n;
      }
      const args = [directory, 'all', String(random.below(1 << 30))];
      const { reports } = await runAndKill(program, args, { afterMs: 20 + random.below(900) });
      const ticks = reports.flatMap((each) => (each.kind === 'tick' ? BigInt(each.tick) : []));
      for (const tick of ticks) {
        expect(tick).toBeGreaterThan(largestTick);
        largestTick = tick;
      }
      acknowledged.push(
        ...reports.flatMap((each) => (each.kind === 'acknowledged' ? each.op : [])),
      );
      const core = await openCore(directory, { loggerConfig: { autoStart: true } });
      try {
        expect(core.store.incarnation.firstTick).toBeGreaterThan(largestTick);
        await verifyCore(core);
        await verifyAcknowledged(core, acknowledged);
        await vi.waitFor(async () => expect(await erasurePending(core)).toBe(false), 10_000);
        await expectNoLeftovers(core);
      } finally {
        await core.store.close();
      }
    }
    expect(acknowledged.length).toBeGreaterThan(0);
  },
);
