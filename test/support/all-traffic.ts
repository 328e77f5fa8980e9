import type { Random } from './random.ts';
import { type DocumentOperation, LostAnswer, type Traffic, doubtful } from './traffic.ts';
import { CATALOGUE_OPERATIONS } from './traffic-catalogue.ts';
import { DOCUMENT_OPERATIONS } from './traffic-documents.ts';
import { IMPORT_OPERATIONS, RESTORE_DATA_OPERATIONS } from './traffic-imports.ts';
import { beginTransaction, continueTransaction } from './traffic-transactions.ts';

type Weighted<T> = readonly (readonly [number, string, T])[];

const BURST_MAX = 8;
const INSIDE: Weighted<DocumentOperation> = [...DOCUMENT_OPERATIONS, ...IMPORT_OPERATIONS];
const OUTSIDE: Weighted<DocumentOperation> = [...INSIDE, ...RESTORE_DATA_OPERATIONS];

const goOn = continueTransaction(({ random }) => weighted(random, INSIDE)[2]);

/**
 * Runs so many operations.
 * @returns false when an answer was lost: of what it had to do with, nothing is known then
 */
export async function runTraffic(traffic: Traffic, operations: number): Promise<boolean> {
  try {
    for (let i = 0; i < operations; i++) await step(traffic);
    return true;
  } catch (error) {
    if (!(error instanceof LostAnswer)) throw error;
    traffic.world.doubtTouched();
    // They end with the server.
    traffic.transactions = [];
    return false;
  }
}

async function step(traffic: Traffic): Promise<void> {
  const { random } = traffic;
  const chance = random.below(100);
  if (traffic.world.collections.length < 2 || chance < 16) {
    const [, name, operation] = weighted(random, CATALOGUE_OPERATIONS);
    return traffic.run(name, operation);
  }
  if (chance < 20) return traffic.run('begin', beginTransaction);
  if (chance < 28) return traffic.run('inside', goOn);
  if (chance < 34) return traffic.run('burst', burst);
  const [, name, operation] = weighted(random, OUTSIDE);
  return traffic.run(name, async () => {
    const collection = traffic.pick();
    if (collection) await operation(traffic, { collection, notes: collection, headers: {} });
  });
}

/** Several clients at the same time. */
async function burst(traffic: Traffic): Promise<void> {
  const count = 2 + traffic.random.below(BURST_MAX);
  const running = Array.from({ length: count }, async () => {
    const collection = traffic.pick();
    if (!collection) return;
    const [, , operation] = weighted(traffic.random, OUTSIDE);
    await operation(traffic, { collection, notes: doubtful(collection), headers: {} });
  });
  const ends = await Promise.allSettled(running);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function weighted<T>(random: Random, all: Weighted<T>): Weighted<T>[number] {
  let left = random.below(all.reduce((sum, [weight]) => sum + weight, 0));
  for (const each of all) {
    left -= each[0];
    if (left < 0) return each;
  }
  return all[0]!;
}
