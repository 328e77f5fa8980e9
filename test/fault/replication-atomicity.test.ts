import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ServerApi } from '../../bench/support/server-api.ts';
import { CrashPair } from '../support/crash-pair.ts';
import { makeTempDir } from '../support/temp-dir.ts';

/** The smallest pages: a transaction of a few thousand documents takes hundreds of them. */
const CHUNK_BYTES = 16_384;
const TIMEOUT_MS = 90_000;
const WAIT_MS = 30_000;
const COLLECTION = 'c';

interface OpenTransaction {
  readonly tid: string;
  readonly stagedLines: number;
}

interface State {
  readonly running: boolean;
  readonly openTransactions: readonly OpenTransaction[];
}

async function applierState({ http }: ServerApi): Promise<State> {
  const answer = await http.json('GET', '/_api/replication/applier-state');
  return (answer as { state: State }).state;
}

/** Waits for a transaction of which a part has come, and not all. @throws when there is none in time */
async function openTransaction(follower: ServerApi): Promise<OpenTransaction> {
  const deadlineMs = performance.now() + WAIT_MS;
  for (;;) {
    const state = await applierState(follower);
    const [open] = state.openTransactions;
    if (open && open.stagedLines > 0) return open;
    if (!state.running || performance.now() > deadlineMs) {
      throw new Error(`no transaction is open: ${JSON.stringify(state)}`);
    }
  }
}

/** Imports `count` documents as one transaction; their keys are `<batch>.0`, `<batch>.1` and so on. */
async function importBatch(leader: ServerApi, batch: number, count: number): Promise<void> {
  const line = (n: number): string =>
    JSON.stringify({ _key: `${batch}.${n}`, batch, text: 'x'.repeat(150 + (n % 50)) });
  const lines = Array.from({ length: count }, (_, n) => line(n)).join('\n');
  await leader.import(COLLECTION, lines, count, { complete: true });
}

/** A leader with an empty collection, followed in small pages. */
async function openPair(directory: string): Promise<CrashPair> {
  const pair = await CrashPair.start({ directory, connections: 1, chunkSize: CHUNK_BYTES });
  await pair.leader.createCollection(COLLECTION);
  await pair.makeFollower();
  return pair;
}

test(
  'P4: a transaction over many pages, with both servers killed in between, appears whole or not at all',
  { timeout: TIMEOUT_MS },
  async () => {
    const count = 12_000;
    await using dir = await makeTempDir();
    await using pair = await openPair(dir.path);
    const { leader, follower } = pair;
    for (let batch = 0; batch < 2; batch++) {
      const before = batch * count;
      await importBatch(leader, batch, count);
      await openTransaction(follower);
      await pair.end('leader');
      // Without its leader it stays where it is: in the middle.
      const middle = await openTransaction(follower);
      expect(middle.stagedLines).toBeLessThan(count);
      expect(await follower.count(COLLECTION)).toBe(before);
      await pair.end('follower');
      await pair.restart('follower');
      expect(await applierState(follower)).toMatchObject({
        running: true,
        openTransactions: [{ tid: middle.tid }],
      });
      expect(await follower.count(COLLECTION)).toBe(before);
      await pair.restart('leader');
      // And once more while the rest comes in.
      await sleep(batch * 20);
      await pair.end('follower');
      await pair.restart('follower');
      expect([before, before + count]).toContain(await follower.count(COLLECTION));
      await pair.caughtUp();
      expect(await follower.count(COLLECTION)).toBe(before + count);
      expect(await applierState(follower)).toMatchObject({ openTransactions: [] });
    }
  },
);

test(
  'P4: who reads from a follower that catches up never sees a part of an import',
  { timeout: TIMEOUT_MS },
  async () => {
    const [batches, count] = [24, 500];
    await using dir = await makeTempDir();
    await using pair = await openPair(dir.path);
    const { leader, follower } = pair;
    await pair.end('follower');
    for (let batch = 0; batch < batches / 2; batch++) await importBatch(leader, batch, count);
    await pair.restart('follower');
    const reading = new AbortController();
    const readers = Promise.all([
      readCounts(follower, count, reading.signal),
      readKeys(follower, { batches, count }, reading.signal),
      readDumps(follower, count, reading.signal),
    ]);
    readers.catch(() => reading.abort());
    for (let batch = batches / 2; batch < batches; batch++) await importBatch(leader, batch, count);
    await pair.caughtUp();
    reading.abort();
    const [counts] = await readers;
    expect(await follower.count(COLLECTION)).toBe(batches * count);
    // Otherwise nobody was looking while something happened.
    expect(counts.size).toBeGreaterThan(3);
  },
);

/** @returns the different counts seen */
async function readCounts(
  follower: ServerApi,
  size: number,
  signal: AbortSignal,
): Promise<ReadonlySet<number>> {
  const seen = new Set<number>();
  while (!signal.aborted) {
    const count = await follower.count(COLLECTION);
    seen.add(count);
    expect(count % size).toBe(0);
  }
  return seen;
}

/** Once the first document of an import is there the last one is, and the other way round. */
async function readKeys(
  follower: ServerApi,
  { batches, count }: { batches: number; count: number },
  signal: AbortSignal,
): Promise<void> {
  const isThere = async (key: string): Promise<boolean> =>
    (await follower.http.request('GET', `/_api/document/${COLLECTION}/${key}`)).status === 200;
  for (let batch = 0; batch < batches && !signal.aborted;) {
    const ends = [`${batch}.0`, `${batch}.${count - 1}`];
    if (batch % 2 === 0) ends.reverse();
    const [first, last] = [await isThere(ends[0]!), await isThere(ends[1]!)];
    if (!first) continue;
    expect(last).toBe(true);
    batch++;
  }
}

/** One page of a dump is one view of the collection. */
async function readDumps(follower: ServerApi, size: number, signal: AbortSignal): Promise<void> {
  const path = `/_api/replication/dump?collection=${COLLECTION}&chunkSize=8388608`;
  while (!signal.aborted) {
    const { status, body } = await follower.http.request('GET', path);
    expect([200, 204]).toContain(status);
    const lines = body.toString('latin1').split('\n').length - 1;
    expect(lines % size).toBe(0);
    await sleep(5);
  }
}
