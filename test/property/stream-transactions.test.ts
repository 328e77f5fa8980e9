import { expect, test } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { Block } from '../../src/storage/block.ts';
import { Space, numberRange } from '../../src/storage/keys.ts';
import type { Store } from '../../src/storage/store.ts';
import { expectEqual, openPair } from '../replication/applier-follower.ts';
import { Random } from '../support/random.ts';
import { type Documents, TransactionModel } from '../support/transaction-model.ts';

/** The long form: TICKLOG_TRANSACTION_SEEDS=50 npm test -- test/property/stream-transactions */
const SEEDS = Number(process.env['TICKLOG_TRANSACTION_SEEDS'] ?? 2);
const FIRST_SEED = Number(process.env['TICKLOG_TRANSACTION_FIRST_SEED'] ?? 1);
const STEPS = 1500;
const COMPARE_EVERY = 300;

/** Documents in one order, so that equal ones have equal texts. */
function textOf(documents: Documents): string {
  const sorted = [...documents].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(sorted.map(([handle, { n, u }]) => [handle, n, u ?? null]));
}

/** All documents of all collections at one moment. */
async function readAtOnce(store: Store, collections: readonly Collection[]): Promise<string> {
  const found = new Map<string, { n: number; u?: number }>();
  const snapshot = store.level.snapshot();
  try {
    for (const { name, number } of collections) {
      const { start, end } = numberRange(Space.journal, number);
      for await (const [key, value] of store.level.iterator({ gte: start, lt: end, snapshot })) {
        const block = new Block(key, value);
        for (let i = 0; i < block.count; i++) {
          const line = JSON.parse(block.lineText(i)) as {
            key: string;
            data?: { n: number; u?: number };
          };
          if (line.data) found.set(`${name}/${line.key}`, line.data);
          else found.delete(`${name}/${line.key}`);
        }
      }
    }
  } finally {
    await snapshot.close();
  }
  return textOf(found);
}

test.for(Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i))(
  'P4: transactions and plain writes mixed: each is answered as it must be, and leader and follower are at ' +
    'every moment what some of the commits have made of them (seed %i)',
  { timeout: 120_000 },
  async (seed) => {
    await using pair = await openPair();
    const { leader, follower, endpoint, beginning } = pair;
    const model = new TransactionModel({ server: leader, random: new Random(seed) });
    await model.createCollections();
    await follower.follow(endpoint, beginning);
    await pair.caughtUp();
    const states = new Set<string>([textOf(model.committed)]);
    const onLeader = leader.database.collections;
    const onFollower = follower.database.collections;
    expect(onFollower.map(({ name }) => name)).toEqual(['c', 'd']);
    const seen = new Set<string>();
    for (let step = 1; step <= STEPS; step++) {
      await model.step();
      const now = textOf(model.committed);
      states.add(now);
      if (step % 10 === 0) expect(await readAtOnce(leader.store, onLeader)).toBe(now);
      const followed = await readAtOnce(follower.core.store, onFollower);
      expect(states, `step ${step}`).toContain(followed);
      seen.add(followed);
      if (step % COMPARE_EVERY === 0) {
        await pair.caughtUp();
        await expectEqual(pair);
      }
    }
    await model.finish();
    await pair.caughtUp();
    await expectEqual(pair);
    expect(await readAtOnce(follower.core.store, onFollower)).toBe(textOf(model.committed));
    expect(leader.transactions.usedBytes).toBe(0);
    expect(leader.database.locks.isEmpty).toBe(true);
    // Otherwise the test has not tried what it is there for.
    expect(seen.size).toBeGreaterThan(50);
    for (const name of ['commit', 'abort', 'insert 202', 'insert 409', 'replace 409']) {
      expect(model.counts.get(name) ?? 0, name).toBeGreaterThan(10);
    }
    for (const name of ['truncate 200', 'truncate 409', 'import 201', 'import 409']) {
      expect(model.counts.get(name) ?? 0, name).toBeGreaterThan(0);
    }
  },
);

test('many clients at a time move amounts within transactions: the sum stays, wherever it is read', async () => {
  const [accounts, clients, transfers, amount] = [20, 8, 25, 100];
  await using pair = await openPair();
  const { leader, follower, endpoint, beginning } = pair;
  const bank = await pair.create('bank');
  for (let n = 0; n < accounts; n++) {
    const body = JSON.stringify({ _key: `a${n}`, n: amount });
    await leader.documents.insert(leader.database, bank, body);
  }
  await follower.follow(endpoint, beginning);
  await pair.caughtUp();
  const copy = follower.database.get('bank');
  const request = (method: string, path: string, id: string, body?: unknown) =>
    leader.request(method, path, { body, headers: { 'x-arango-trx-id': id } });
  const outcomes = { committed: 0, refused: 0 };

  /** @returns false when somebody else was there first */
  const transfer = async (random: Random): Promise<boolean> => {
    const begun = await leader.request('POST', '/_api/transaction/begin', {
      body: { collections: { write: 'bank' } },
    });
    const { id } = begun.json['result'] as { id: string };
    const moved = random.below(10);
    const from = random.below(accounts);
    const to = (from + 1 + random.below(accounts - 1)) % accounts;
    for (const [account, change] of [
      [from, -moved],
      [to, moved],
    ] as const) {
      const path = `/_api/document/bank/a${account}`;
      const locked = await request('PATCH', path, id, { by: id });
      if (locked.status === 409) {
        expect(locked.json['errorNum']).toBe(1200);
        await leader.request('DELETE', `/_api/transaction/${id}`);
        return false;
      }
      const { n } = (await request('GET', path, id)).json;
      expect((await request('PATCH', path, id, { n: Number(n) + change })).status).toBe(202);
    }
    expect((await leader.request('PUT', `/_api/transaction/${id}`)).status).toBe(200);
    return true;
  };

  const sum = (text: string): number =>
    (JSON.parse(text) as [string, number][]).reduce((total, [, n]) => total + n, 0);
  const done = new AbortController();
  const watch = async (): Promise<void> => {
    while (!done.signal.aborted) {
      expect(sum(await readAtOnce(leader.store, [bank]))).toBe(accounts * amount);
      expect(sum(await readAtOnce(follower.core.store, [copy]))).toBe(accounts * amount);
    }
  };
  const client = async (seed: number): Promise<void> => {
    const random = new Random(seed);
    for (let left = transfers; left > 0;) {
      if (await transfer(random)) {
        outcomes.committed++;
        left--;
      } else outcomes.refused++;
    }
  };
  const watching = watch();
  await Promise.all(Array.from({ length: clients }, (_, n) => client(n + 1)));
  done.abort();
  await watching;
  await pair.caughtUp();
  await expectEqual(pair);
  expect(sum(await readAtOnce(follower.core.store, [copy]))).toBe(accounts * amount);
  expect(outcomes.committed).toBe(clients * transfers);
  expect(outcomes.refused).toBeGreaterThan(0);
}, 60_000);
