import type { BenchOptions } from './bench-options.ts';
import { measureHttpLimit, measureStoreLimit, measureTunedStoreLimit } from './limits.ts';
import type { Measurement } from './measure.ts';
import { REPLICATION_WORKLOADS, runReplication } from './replication.ts';
import { measureRestore, measureRestorePieces } from './restore.ts';
import { measureSingleWrites, measureWriteLimit } from './single-writes.ts';
import { type WorkloadName, withLimits } from './workload-names.ts';

type Alone = readonly [WorkloadName, (options: BenchOptions) => Promise<Measurement>];

const LIMITS: readonly Alone[] = [
  ['limit-store', measureStoreLimit],
  ['limit-store-tuned', measureTunedStoreLimit],
  ['limit-http', measureHttpLimit],
  ['limit-write', (options) => measureWriteLimit(options, true)],
  ['limit-answer', (options) => measureWriteLimit(options, false)],
];

const WITH_SERVERS_OF_THEIR_OWN: readonly Alone[] = [
  ['single-writes', (options) => measureSingleWrites(options, true)],
  ['single-writes-unlogged', (options) => measureSingleWrites(options, false)],
  ['restore', measureRestore],
  ['restore-pieces', measureRestorePieces],
];

/** One run of everything that was asked for, on empty servers, in the order of WORKLOADS. */
export async function runWorkloads(
  options: BenchOptions,
  onBegin: (workload: WorkloadName) => void,
): Promise<readonly Measurement[]> {
  const wanted = withLimits(options.only);
  const each = async (workloads: readonly Alone[]): Promise<readonly Measurement[]> => {
    const measured: Measurement[] = [];
    for (const [name, measureOne] of workloads) {
      if (!wanted.has(name)) continue;
      onBegin(name);
      measured.push(await measureOne(options));
    }
    return measured;
  };
  const limits = await each(LIMITS);
  const replication = REPLICATION_WORKLOADS.some((name) => wanted.has(name))
    ? await runReplication(options, wanted, onBegin)
    : [];
  return [...limits, ...replication, ...(await each(WITH_SERVERS_OF_THEIR_OWN))];
}
