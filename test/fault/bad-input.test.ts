import { expect, test } from 'vitest';
import { ChildServer } from '../support/child-server.ts';
import { allOperations } from '../support/api-document.ts';
import { runFuzz } from '../support/fuzz-run.ts';

const IS_LONG = process.env['TICKLOG_LONG'] === '1';
const CASES = Number(process.env['TICKLOG_FUZZ_CASES'] ?? (IS_LONG ? 100_000 : 1000));
const SEED = Number(process.env['TICKLOG_FUZZ_SEED'] ?? Date.now() % 1_000_000);
const MS_PER_CASE = 60;

const MIB = 1024 * 1024;
/** What the heap may have grown by between a third of the cases and all of them: caches differ that much. */
const GROWTH_BYTES = 24 * MIB;
const DESCRIPTORS_GROWTH = 20;

/** What is never carried out: there is no leader, no follower, no cluster, and neither views nor rights of collections. */
const UNDONE: ReadonlySet<string> = new Set([
  ...['PUT /_api/replication/make-slave', 'PUT /_api/replication/make-follower'],
  ...['PUT /_api/replication/check-leader', 'DELETE /_api/replication/logger-state'],
  ...['PUT /_api/replication/sync', 'GET /_api/replication/clusterInventory'],
  'PUT /_api/replication/restore-view',
  ...['PUT', 'DELETE'].map(
    (method) => `${method} /_api/user/{user}/database/{database}/{collection}`,
  ),
]);

test(
  `P10: ${CASES} requests that nobody should send are answered as documented and change nothing (seed ${SEED})`,
  { timeout: 60_000 + CASES * MS_PER_CASE },
  async () => {
    await using server = await ChildServer.start({
      'transaction.streaming-idle-timeout': '3600',
      'server.body-timeout': '1',
      'server.header-timeout': '1',
    });
    const { faults, statuses, carriedOut, warm, last } = await runFuzz(server, {
      seed: SEED,
      cases: CASES,
    });
    const counts = [...statuses].map(([status, count]) => `${status}: ${count}`).sort();
    const never = allOperations().flatMap(({ name }) => (carriedOut.has(name) ? [] : [name]));
    console.info(
      `${counts.join(', ')}\nafter a third ${JSON.stringify(warm)}\nlast ${JSON.stringify(last)}`,
    );
    expect(faults.join('\n\n'), `seed ${SEED}`).toBe('');
    if (IS_LONG) expect(never.filter((name) => !UNDONE.has(name))).toEqual([]);
    expect(statuses.get(200)).toBeGreaterThan(CASES / 50);
    expect(statuses.get(400)).toBeGreaterThan(CASES / 50);
    expect(last.heapBytes - warm.heapBytes).toBeLessThan(GROWTH_BYTES);
    expect(last.bufferBytes - warm.bufferBytes).toBeLessThan(GROWTH_BYTES);
    expect(last.descriptors - warm.descriptors).toBeLessThan(DESCRIPTORS_GROWTH);
  },
);
