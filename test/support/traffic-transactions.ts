import type {
  DocumentOperation,
  OpenTransaction,
  Scope,
  Traffic,
  TrafficOperation,
} from './traffic.ts';
import type { Notes, WorldCollection } from './world.ts';

const OPEN_MAX = 4;
const OPERATIONS_MAX = 8;
/** Waits for a whole collection only as long as the test can. */
const LOCK_TIMEOUT_S = 0.02;

/** Operations inside a transaction. */
export type Weighted = readonly (readonly [number, string, DocumentOperation])[];

/** Begins one over several collections. */
export const beginTransaction: TrafficOperation = async (traffic) => {
  const { random, transactions } = traffic;
  const collections = Array.from({ length: 1 + random.below(3) }, () => traffic.pick());
  const wanted = new Set(collections.filter((each) => each !== undefined));
  if (wanted.size === 0 || transactions.length >= OPEN_MAX) return;
  const kind = random.percent(8) ? 'exclusive' : 'write';
  const body = {
    collections: { [kind]: [...wanted].map((each) => traffic.ref(each)) },
    lockTimeout: LOCK_TIMEOUT_S,
    waitForSync: random.percent(5),
  };
  const answer = await traffic.send('POST', '/_api/transaction/begin', body);
  if (!answer) return;
  const { result } = answer.json as { result: { id: string } };
  transactions.push({ id: result.id, collections: [...wanted], notes: [] });
};

/** Goes on with one that is open: some operations, and then maybe its end. */
export function continueTransaction(operations: (traffic: Traffic) => DocumentOperation) {
  return async (traffic: Traffic): Promise<void> => {
    const { random, transactions } = traffic;
    const open = random.pick(transactions);
    if (!open) return;
    for (let i = random.below(OPERATIONS_MAX); i >= 0; i--) {
      const collection = random.pick(open.collections)!;
      // Another one may have its name by now.
      if (traffic.world.get(collection.cid) !== collection) continue;
      await operations(traffic)(traffic, scopeOf(open, collection));
    }
    const chance = random.below(100);
    if (chance < 50) await commit(traffic, open);
    else if (chance < 65) await abort(traffic, open);
    // One that nobody goes on with runs out; that it is gone is seen by whoever tries.
    else if (chance < 70) forgetOpen(traffic, open);
  };
}

/** Commits or aborts all. */
export async function endTransactions(traffic: Traffic): Promise<void> {
  for (const open of [...traffic.transactions]) {
    if (traffic.random.percent(60)) await commit(traffic, open);
    else await abort(traffic, open);
  }
}

async function commit(traffic: Traffic, open: OpenTransaction): Promise<void> {
  for (const { cid } of open.collections) traffic.world.touched.add(cid);
  const answer = await traffic.send('PUT', `/_api/transaction/${open.id}`);
  forgetOpen(traffic, open);
  if (answer) for (const note of open.notes) note();
}

async function abort(traffic: Traffic, open: OpenTransaction): Promise<void> {
  await traffic.send('DELETE', `/_api/transaction/${open.id}`);
  forgetOpen(traffic, open);
}

function forgetOpen(traffic: Traffic, open: OpenTransaction): void {
  traffic.transactions = traffic.transactions.filter((each) => each !== open);
}

function scopeOf(open: OpenTransaction, collection: WorldCollection): Scope {
  const later = (note: () => void): void => void open.notes.push(note);
  const notes: Notes = {
    written: (key, rev) => later(() => collection.written(key, rev)),
    removed: (key) => later(() => collection.removed(key)),
    doubt: (keys) => {
      const all = [...keys];
      later(() => collection.doubt(all));
    },
    open: () => later(() => collection.open()),
    forget: () => later(() => collection.forget()),
    // Others may have written since it saw what there is.
    truncated: () => later(() => collection.forget()),
  };
  return { collection, notes, headers: { 'x-arango-trx-id': open.id } };
}
