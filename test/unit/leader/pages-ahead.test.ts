import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { PageMemory } from '../../../src/leader/page-memory.ts';
import { PagesAhead } from '../../../src/leader/pages-ahead.ts';
import type { Page } from '../../../src/storage/page.ts';
import { PageBody } from '../../../src/storage/page-body.ts';
import { type LeaderServer, openLeaderServer } from '../../support/leader-server.ts';

const never = new AbortController().signal;

describe('a dump that is read page by page', () => {
  let server: LeaderServer;
  let people: Collection;
  beforeEach(async () => {
    server = await openLeaderServer();
    people = await server.collections.create(server.database, { name: 'people' });
  });
  afterEach(() => server[Symbol.asyncDispose]());

  async function insert(first: number, end: number): Promise<void> {
    for (let i = first; i < end; i++) {
      await server.documents.insert(server.database, people, `{"_key":"k${i}"}`);
    }
  }

  interface Position {
    readonly from: string;
    readonly more: boolean;
    readonly keys: readonly unknown[];
  }

  async function page(from: string, to = ''): Promise<Position> {
    const { lines, headers } = await server.get(
      `dump?collection=people&chunkSize=500&from=${from}${to && `&to=${to}`}`,
    );
    return {
      from: headers['x-arango-replication-lastincluded'] as string,
      more: headers['x-arango-replication-checkmore'] === 'true',
      keys: lines.map(({ key }) => key),
    };
  }

  async function rest(position: Position): Promise<unknown[]> {
    const keys = [...position.keys];
    for (let { from, more } = position; more;) {
      const next = await page(from);
      keys.push(...next.keys);
      ({ from, more } = next);
    }
    return keys;
  }

  test('is whole and in order, and its pages are there before they are asked for', async () => {
    await insert(0, 100);
    const keys = await rest(await page('0'));
    expect(keys).toEqual(Array.from({ length: 100 }, (_, i) => `k${i}`));
    expect(server.leader.pagesAhead.served).toBeGreaterThan(10);
    expect(server.leader.pageMemory.usedBytes).toBe(0);
  });

  test('of which one page from the middle is wanted is read no further', async () => {
    await insert(0, 20);
    const first = await page('0');
    await rest(first);
    await page(String(BigInt(first.from) - 1n));
    expect(server.leader.pageMemory.usedBytes).toBe(0);
  });

  test('has what was written after its last page was read and before it was asked for', async () => {
    await insert(0, 12);
    const first = await page('0');
    const second = await page(first.from);
    expect(second.more).toBe(true);
    await vi.waitFor(() => expect(server.leader.pageMemory.usedBytes).toBeGreaterThan(0), 10_000);
    await insert(12, 14);
    const keys = await rest(second);
    expect(keys.slice(-3)).toEqual(['k11', 'k12', 'k13']);
  });

  test('ends when the collection is dropped, whatever was read of it', async () => {
    await insert(0, 30);
    const first = await page('0');
    const second = await page(first.from);
    await server.collections.drop(server.database, people);
    const answer = await server.get(`dump?collection=people&chunkSize=500&from=${second.from}`);
    expect(answer.status).toBe(404);
  });

  test('that is begun anew under the same name has none of the pages of before', async () => {
    await insert(0, 30);
    const first = await page('0');
    const second = await page(first.from);
    await server.collections.drop(server.database, people);
    people = await server.collections.create(server.database, { name: 'people' });
    expect((await page(second.from)).keys).toEqual([]);
  });
});

describe('pages that were read ahead', () => {
  const CHUNK = 1000;
  /** What a page of that size takes beyond its bytes is room for a line. */
  const CLAIM = CHUNK + 64 * 1024;

  function scene(options: { budgetBytes: number; keptMs?: number }) {
    const memory = new PageMemory({ budgetBytes: options.budgetBytes, maxPageBytes: 1 << 20 });
    const { keptMs = 60_000 } = options;
    const ahead = new PagesAhead({ memory }, { keptMs });
    const reads: bigint[] = [];
    const failing = new Set<bigint>();
    const read = (from: bigint): Promise<Page> => {
      reads.push(from);
      if (failing.has(from)) return Promise.reject(new Error(`damage after ${from}`));
      const body = PageBody.of(Buffer.from(`after ${from}`));
      const lastScanned = from + 1n;
      return Promise.resolve({
        ...{ body, count: 1, lastIncluded: lastScanned, lastScanned },
        ...{ more: true, timeMs: 0 },
      });
    };
    const get = async (from: bigint): Promise<string> => {
      const wanted = { row: 'r', from, chunkSize: CHUNK, factor: 1, end: () => 100n, read };
      const { page, release } = await ahead.hold(wanted, never);
      release();
      return page.body.toString();
    };
    return { memory, ahead, reads, failing, get };
  }

  test('are read once, also when they are fetched while they are read', async () => {
    const { reads, get, ahead } = scene({ budgetBytes: 10 * CLAIM });
    for (const from of [0n, 1n, 2n, 3n]) expect(await get(from)).toBe(`after ${from}`);
    expect(reads).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect(ahead.served).toBe(3);
  });

  test('take no more than half of the memory for pages', async () => {
    const { memory, get } = scene({ budgetBytes: 2 * CLAIM - 1 });
    await get(0n);
    await get(1n);
    expect(memory.usedBytes).toBe(0);
  });

  test('are given up when somebody waits for memory', async () => {
    const { memory, get } = scene({ budgetBytes: 4 * CLAIM });
    await get(0n);
    await get(1n);
    expect(memory.usedBytes).toBe(CLAIM);
    const empty = { ...{ count: 0, lastIncluded: 0n, lastScanned: 0n }, more: false, timeMs: 0 };
    const body = PageBody.of(Buffer.alloc(0));
    const { release } = await memory.hold(4 * CLAIM, never, () =>
      Promise.resolve({ ...empty, body }),
    );
    release();
    expect(memory.usedBytes).toBe(0);
  });

  test('are given up when nobody fetches them', async () => {
    const { memory, get } = scene({ budgetBytes: 4 * CLAIM, keptMs: 20 });
    await get(0n);
    await get(1n);
    expect(memory.usedBytes).toBe(CLAIM);
    await vi.waitFor(() => expect(memory.usedBytes).toBe(0), 10_000);
  });

  test('that cannot be read are read again for who asks, who is told why', async () => {
    const { memory, get, failing } = scene({ budgetBytes: 10 * CLAIM });
    failing.add(2n);
    await get(0n);
    await get(1n);
    await expect(get(2n)).rejects.toThrow('damage after 2');
    expect(memory.usedBytes).toBe(0);
  });

  test('are given up at the end, which waits for those that are being read', async () => {
    const { memory, get, ahead, reads } = scene({ budgetBytes: 10 * CLAIM });
    await get(0n);
    await get(1n);
    await ahead.close();
    expect(memory.usedBytes).toBe(0);
    await get(2n);
    expect(reads).toEqual([0n, 1n, 2n, 2n]);
    expect(memory.usedBytes).toBe(0);
  });
});
