import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { PageMemory } from '../../../src/leader/page-memory.ts';
import type { Page } from '../../../src/storage/page.ts';
import { PageBody } from '../../../src/storage/page-body.ts';
import { type LeaderServer, openLeaderServer } from '../../support/leader-server.ts';

const MAX_PAGE = 100_000;
const never = new AbortController().signal;

function pageOf(bytes: number): Page {
  return {
    body: PageBody.of(Buffer.alloc(bytes)),
    count: 1,
    lastIncluded: 1n,
    lastScanned: 1n,
    more: false,
    timeMs: 0,
  };
}

describe('the memory of a page', () => {
  test('is claimed before it is read, and held until it is released', async () => {
    const memory = new PageMemory({ budgetBytes: 1_000_000, maxPageBytes: MAX_PAGE });
    const held = await memory.hold(1000, never, (limits) => {
      expect(limits.limitBytes).toBe(1000);
      expect(memory.usedBytes).toBe(limits.maxBytes);
      return Promise.resolve(pageOf(500));
    });
    expect(memory.usedBytes).toBeGreaterThan(0);
    held.release();
    held.release();
    expect(memory.usedBytes).toBe(0);
  });

  test('is at most that of the largest page, however much is asked for', async () => {
    const memory = new PageMemory({ budgetBytes: 1_000_000, maxPageBytes: MAX_PAGE });
    await memory.hold(128 * 1024 * 1024, never, (limits) => {
      expect(limits).toEqual({ limitBytes: MAX_PAGE, maxBytes: MAX_PAGE });
      return Promise.resolve(pageOf(1));
    });
  });

  test('is claimed anew, and the page read again, when a single line is larger', async () => {
    const memory = new PageMemory({ budgetBytes: 1_000_000, maxPageBytes: MAX_PAGE });
    const claims: number[] = [];
    const { page } = await memory.hold(1000, never, ({ maxBytes }) => {
      claims.push(maxBytes, memory.usedBytes);
      return Promise.resolve(pageOf(700_000));
    });
    expect(page.body).toHaveLength(700_000);
    expect(claims.slice(2)).toEqual([700_000, 700_000]);
  });

  test('is given back when reading fails, and when the one who waits for it gives up', async () => {
    const memory = new PageMemory({ budgetBytes: 1000, maxPageBytes: 1000 });
    const damage = new Error('damaged');
    await expect(memory.hold(1000, never, () => Promise.reject(damage))).rejects.toBe(damage);
    expect(memory.usedBytes).toBe(0);
    const held = await memory.hold(1000, never, () => Promise.resolve(pageOf(1)));
    const gone = new AbortController();
    const waiting = memory.hold(1000, gone.signal, () => Promise.resolve(pageOf(1)));
    gone.abort();
    await expect(waiting).rejects.toBe(gone.signal.reason);
    held.release();
    expect(memory.usedBytes).toBe(0);
  });
});

describe('pages of a server', () => {
  let server: LeaderServer;
  let people: Collection;
  beforeEach(async () => {
    server = await openLeaderServer({ maxPageBytes: MAX_PAGE, pageBudgetBytes: 4 * MAX_PAGE });
    people = await server.collections.create(server.database, { name: 'people' });
  });
  afterEach(() => server[Symbol.asyncDispose]());

  async function insert(key: string, bytes: number): Promise<void> {
    const body = `{"_key":"${key}","v":"${'x'.repeat(bytes)}"}`;
    await server.documents.insert(server.database, people, body);
  }

  test.each(['dump?collection=people', 'logger-follow?x=1'])(
    'of %s end at the largest size even if chunkSize asks for more, or hold one line',
    async (command) => {
      await server.put('logger-start');
      for (const [key, bytes] of [
        ...Array.from({ length: 30 }, (_, i): [string, number] => [`small${i}`, 9_000]),
        ['large', 3 * MAX_PAGE] as const,
        ['huge', 10 * MAX_PAGE] as const,
        ['last', 10] as const,
      ]) {
        await insert(key, bytes);
      }
      const keys: unknown[] = [];
      let from = '0';
      for (let more = true; more;) {
        const page = await server.get(`${command}&chunkSize=100000000&from=${from}`);
        const lines = page.lines;
        expect(page.text.length <= MAX_PAGE || lines.length === 1).toBe(true);
        keys.push(...lines.flatMap(({ key }) => key ?? []));
        from = page.headers['x-arango-replication-lastincluded'] as string;
        more = page.headers['x-arango-replication-checkmore'] === 'true';
      }
      expect(keys).toEqual([
        ...Array.from({ length: 30 }, (_, i) => `small${i}`),
        ...['large', 'huge', 'last'],
      ]);
      expect(server.leader.pageMemory.usedBytes).toBe(0);
    },
  );

  test('share one budget: readers that take nothing hold their pages, others wait, in order', async () => {
    // Larger than what the sockets between take in.
    for (let i = 0; i < 4; i++) await insert(`k${i}`, 60 * MAX_PAGE);
    const path = '/_api/replication/dump?collection=people&chunkSize=1';
    const stalled = [1, 2, 3].map(() => {
      const socket = connect(server.port, '127.0.0.1');
      socket.pause();
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      return socket;
    });
    await vi.waitFor(
      () => expect(server.leader.pageMemory.usedBytes).toBeGreaterThan(60 * MAX_PAGE),
      10_000,
    );
    let answered = false;
    const waiting = server.call('GET', path).then((answer) => {
      answered = true;
      return answer;
    });
    // Everything else goes on meanwhile.
    for (let i = 0; i < 20; i++) expect((await server.get('logger-state')).status).toBe(200);
    expect(answered).toBe(false);
    expect(server.leader.pageMemory.usedBytes).toBeLessThan(61 * MAX_PAGE);
    for (const socket of stalled) {
      socket.destroy();
      await once(socket, 'close');
    }
    expect((await waiting).lines).toHaveLength(1);
    await vi.waitFor(() => expect(server.leader.pageMemory.usedBytes).toBe(0), 10_000);
  });

  test('a request that waits for memory when the server stops is told so', async () => {
    await insert('k', 60 * MAX_PAGE);
    const path = '/_api/replication/dump?collection=people';
    const socket = connect(server.port, '127.0.0.1');
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await vi.waitFor(
      () => expect(server.leader.pageMemory.usedBytes).toBeGreaterThan(60 * MAX_PAGE),
      10_000,
    );
    const waiting = server.call('GET', path);
    for (let i = 0; i < 5; i++) await server.get('logger-state');
    server.abort();
    expect((await waiting).status).toBe(503);
    socket.destroy();
  });
});

test('a reader that takes nothing for too long is cut off, and its memory given back', async () => {
  await using server = await openLeaderServer({ stalledAfterMs: 200 });
  const { database, collections, documents, leader } = server;
  const people = await collections.create(database, { name: 'people' });
  await documents.insert(database, people, `{"v":"${'x'.repeat(20_000_000)}"}`);
  const path = '/_api/replication/dump?collection=people';
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await vi.waitFor(() => expect(leader.pageMemory.usedBytes).toBeGreaterThan(0), 10_000);
  await vi.waitFor(() => expect(leader.pageMemory.usedBytes).toBe(0), 10_000);
  socket.destroy();
  const whole = await server.call('GET', path);
  expect(whole.lines).toHaveLength(1);
});
