import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { feedFormatOf } from '../../src/http/log-feed.ts';
import { FeedReader } from '../support/feed-reader.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

let server: LeaderServer;
let boats: Collection;
beforeEach(async () => {
  server = await openLeaderServer();
  await server.put('logger-start');
  boats = await server.collections.create(server.database, { name: 'boats' });
});
afterEach(() => server[Symbol.asyncDispose]());

const lastTick = (): string => server.database.changelog.state.lastTick.toString();
const open = (
  format: 'events' | 'ndjson',
  query?: string,
  headers?: Record<string, string>,
): Promise<FeedReader> => FeedReader.open(server.url, format, query, headers);

async function insert(key: string, collection = boats): Promise<void> {
  await server.documents.insert(server.database, collection, `{"_key":"${key}","v":1}`);
}

async function send(method: string, path: string, body?: object): Promise<void> {
  const { status, text } = await server.request(method, path, { body });
  expect(status, text).toBeLessThan(300);
}

const document = (key: string): string => `/_api/document/boats/${key}`;

describe.each(['events', 'ndjson'] as const)('the feed as %s', (format) => {
  test('has what the log holds, then what comes, and tells inserts from updates', async () => {
    await insert('argo');
    await using feed = await open(format);
    await feed.take(3);
    await send('PATCH', document('argo'), { oars: 50 });
    await send('PUT', document('argo'), { oars: 49 });
    await send('DELETE', document('argo'));
    await send('POST', '/_api/document?collection=boats', { _key: 'argo' });
    const lines = await feed.take(7);
    expect(feed.status).toBe(200);
    expect(lines.map(({ type, operation }) => [type, operation])).toEqual([
      ...[[1001, 'startLogger'] as const, [2000, 'createCollection'] as const],
      ...[[2300, 'insert'] as const, [2300, 'update'] as const, [2300, 'update'] as const],
      ...[[2302, 'remove'] as const, [2300, 'insert'] as const],
    ]);
    expect(lines[4]).toMatchObject({ key: 'argo', oldRev: lines[3]?.['rev'], data: { oars: 49 } });
    const { lines: pages } = await server.get('logger-follow?chunkSize=1000000');
    const bare = lines.map((line) => Object.entries(line).filter(([name]) => name !== 'operation'));
    expect(bare).toEqual(pages.map((line) => Object.entries(line)));
  });

  test.each(['PUT', 'PATCH', 'POST'])(
    'tells writes of arrays apart, also in transactions (%s)',
    async (method) => {
      await insert('a');
      await insert('b');
      await using feed = await open(format, `from=${lastTick()}`);
      const query = method === 'POST' ? '?overwriteMode=replace' : '';
      const { json } = await server.request('POST', '/_api/transaction/begin', {
        body: { collections: { write: ['boats'] } },
      });
      const headers = { 'x-arango-trx-id': (json['result'] as { id: string }).id };
      const body = method === 'POST' ? [{ _key: 'a' }, { _key: 'c' }] : [{ _key: 'a' }];
      const path = `/_api/document/boats${query}`;
      await server.request(method, path, { body, headers });
      await server.request('DELETE', document('b'), { headers });
      await server.request('PUT', `/_api/transaction/${headers['x-arango-trx-id']}`);
      const wanted = method === 'POST' ? ['update', 'insert'] : ['update'];
      const lines = await feed.take(wanted.length + 3);
      expect(lines.map(({ operation }) => operation)).toEqual([
        ...['beginTransaction', ...wanted, 'remove', 'commitTransaction'],
      ]);
      expect(new Set(lines.map(({ tid }) => tid)).size).toBe(1);
    },
  );

  test('of one collection has its events only, until it is dropped', async () => {
    const others = await server.collections.create(server.database, { name: 'others' });
    await using feed = await open(format, `from=${lastTick()}&collection=boats&heartbeat=0.1`);
    await insert('x', others);
    await insert('argo');
    await server.collections.rename(server.database, boats, 'ships');
    await insert('fram');
    await server.collections.drop(server.database, boats);
    await insert('y', others);
    const lines = await feed.take(4);
    expect(lines.map(({ cname, operation }) => [cname, operation])).toEqual([
      ...[['boats', 'insert'] as const, ['boats', 'renameCollection'] as const],
      ...[['ships', 'insert'] as const, ['ships', 'dropCollection'] as const],
    ]);
  });

  test('of one collection has the transactions that it is in, and no others', async () => {
    const others = await server.collections.create(server.database, { name: 'others' });
    await using feed = await open(format, `from=${lastTick()}&collection=boats`);
    for (const written of [['others'], ['others', 'boats']]) {
      const { json } = await server.request('POST', '/_api/transaction/begin', {
        body: { collections: { write: written } },
      });
      const { id } = json['result'] as { id: string };
      const headers = { 'x-arango-trx-id': id };
      for (const name of written) {
        const body = { _key: id };
        await server.request('POST', `/_api/document/${name}`, { body, headers });
      }
      await server.request('PUT', `/_api/transaction/${id}`);
    }
    await insert('x', others);
    await insert('argo');
    const lines = await feed.take(4);
    expect(lines.map(({ cname, operation }) => [cname, operation])).toEqual([
      ...[[undefined, 'beginTransaction'] as const, ['boats', 'insert'] as const],
      ...[[undefined, 'commitTransaction'] as const, ['boats', 'insert'] as const],
    ]);
  });

  test('without system collections leaves theirs out, also of those that come later', async () => {
    const from = lastTick();
    await using feed = await open(format, `from=${from}&includeSystem=false`);
    const tasks = await server.collections.create(server.database, { name: '_tasks' });
    await insert('j', tasks);
    await server.collections.drop(server.database, tasks);
    await insert('argo');
    expect((await feed.take(1)).map(({ key }) => key)).toEqual(['argo']);
    await using whole = await open(format, `from=${from}`);
    expect(await whole.take(4)).toHaveLength(4);
  });

  test('goes on behind Last-Event-ID, whatever `from` says, and ends behind `to`', async () => {
    await insert('a');
    const place = lastTick();
    await insert('b');
    await insert('c');
    const headers = { 'last-event-id': place };
    await using feed = await open(format, `from=0&to=${lastTick()}`, headers);
    expect(await feed.end()).toBe(true);
    expect(feed.lines.map(({ key }) => key)).toEqual(['b', 'c']);
  });

  test('from now on has only what comes', async () => {
    await insert('a');
    await using feed = await open(format, 'from=now');
    await insert('b');
    expect((await feed.take(1)).map(({ key }) => key)).toEqual(['b']);
  });

  test('shows that the server lives while there is no news', async () => {
    await using feed = await open(format, `from=${lastTick()}&heartbeat=0.1`);
    const shown = format === 'events' ? /(?:: heartbeat\nid: \d+\n\n){3}/ : /^\n\n\n/;
    await feed.until(({ text }) => shown.test(text));
    expect(feed.lines).toEqual([]);
  });

  test('ends properly when the server stops', async () => {
    await using feed = await open(format, `from=${lastTick()}`);
    const waiting = vi.spyOn(server.database.changelog, 'waitAbove');
    await insert('argo');
    await feed.take(1);
    await vi.waitFor(() => expect(waiting).toHaveBeenCalled(), 10_000);
    server.abort();
    expect(await feed.end()).toBe(true);
    expect(server.leader.pageMemory.usedBytes).toBe(0);
  });

  test('ends when the client goes', async () => {
    const feed = await open(format, `from=${lastTick()}`);
    const waiting = vi.spyOn(server.database.changelog, 'waitAbove');
    await insert('argo');
    await feed.take(1);
    await vi.waitFor(() => expect(waiting).toHaveBeenCalled(), 10_000);
    await feed[Symbol.asyncDispose]();
    await Promise.all(waiting.mock.results.map(({ value }) => value as Promise<void>));
    const calls = waiting.mock.calls.length;
    await insert('fram');
    expect(waiting.mock.calls.length).toBe(calls);
    expect(server.leader.pageMemory.usedBytes).toBe(0);
  });

  test('is 410 with the first available tick where the place is gone', async () => {
    const gone = lastTick();
    await server.put('logger-stop');
    await insert('unlogged');
    await server.put('logger-start');
    const answer = await open(format, `from=${gone}`);
    expect(answer.status).toBe(410);
    await answer.end();
    const { resumeFrom, firstTick, ...error } = JSON.parse(answer.text) as Record<string, string>;
    expect(error).toMatchObject({ error: true, code: 410, errorNum: 1414 });
    expect(error['errorMessage']).toContain(`tick ${gone}`);
    expect(firstTick).toBe(((await server.get('logger-first-tick')).json as never)['firstTick']);
    await insert('argo');
    await using feed = await open(format, `from=${resumeFrom!}`);
    expect((await feed.take(2)).map(({ operation }) => operation)).toEqual([
      ...['startLogger', 'insert'],
    ]);
    await using whole = await open(format);
    expect((await whole.take(2))[0]).toMatchObject({ operation: 'startLogger' });
    await answer[Symbol.asyncDispose]();
  });

  test('is told in the feed when the place is lost meanwhile, and then ends', async () => {
    await using feed = await open(format, `from=${lastTick()}`);
    await insert('argo');
    await feed.take(1);
    await server.put('logger-stop');
    await insert('unlogged');
    expect(await feed.end()).toBe(true);
    expect(feed.lines.at(-1)).toMatchObject({ error: true, code: 410, errorNum: 1414 });
    if (format === 'events') expect(feed.text).toMatch(/\nevent: failure\ndata: .*\n\n$/);
  });

  test('is told in the feed when the database is dropped', async () => {
    const other = await server.databases.create('other');
    const headers = { 'x-path': '/_db/other/_api/replication/logger-follow' };
    await using feed = await open(format, 'heartbeat=0.1', headers);
    const waiting = vi.spyOn(other.changelog, 'waitAbove');
    await vi.waitFor(() => expect(waiting).toHaveBeenCalled(), 10_000);
    await server.databases.drop('other');
    expect(await feed.end()).toBe(true);
    expect(feed.lines.at(-1)).toMatchObject({ code: 404, errorNum: 1228 });
  });

  test.each([
    ['to=0', {}, 400],
    ['from=9&to=8', {}, 400],
    ['', { 'last-event-id': 'x' }, 400],
    ['collection=nope', {}, 404],
  ])('is refused for what cannot be (%s %j)', async (query, headers, status) => {
    const answer = await open(format, query, headers);
    expect(answer.status).toBe(status);
    await answer.end();
    await answer[Symbol.asyncDispose]();
  });

  test('can be no job, for it has no end', async () => {
    const accept = format === 'events' ? 'text/event-stream' : 'application/x-ndjson';
    const path = '/_api/replication/logger-follow';
    const headers = { accept, 'x-arango-async': 'store' };
    const { status, json } = await server.request('GET', path, { headers });
    expect([status, json]).toMatchObject([400, { errorNum: 400 }]);
  });

  test('registers who says a server id, with the place it has', async () => {
    await using feed = await open(format, `from=${lastTick()}&serverId=77&heartbeat=0.1`);
    await insert('argo');
    const [line] = await feed.take(1);
    await vi.waitFor(async () => {
      const { clients } = (await server.get('logger-state')).json as { clients: unknown[] };
      expect(clients).toMatchObject([{ serverId: '77', from: line?.['tick'] }]);
    });
  });

  test('keeps every line whole, also of names and documents with odd characters', async () => {
    const odd = '\u2028"\\\r\n\u0000é😀';
    const body = `{"_key":"odd",\r\n\t"v":\r${JSON.stringify(odd)}}`;
    await using feed = await open(format, `from=${lastTick()}`);
    await server.request('POST', '/_api/document?collection=boats', { body });
    expect((await feed.take(1))[0]).toMatchObject({ operation: 'insert', data: { v: odd } });
    expect(feed.text).not.toContain('\r');
  });
});

test('a reader that takes nothing has the server hold one piece, and is cut off', async () => {
  await using slow = await openLeaderServer({ stalledAfterMs: 700 });
  await slow.put('logger-start');
  const boxes = await slow.collections.create(slow.database, { name: 'boxes' });
  const rest = 'x'.repeat(100_000);
  for (let i = 0; i < 300; i++) {
    await slow.documents.insert(slow.database, boxes, `{"_key":"k${i}","rest":"${rest}"}`);
  }
  const reads = vi.spyOn(slow.database.changelog, 'readPage');
  const feed = await FeedReader.openSlow(slow.url, 'events', 'from=0');
  await vi.waitFor(() => expect(reads.mock.calls.length).toBeGreaterThan(3), 10_000);
  await vi.waitFor(() => expect(slow.leader.pageMemory.usedBytes).toBe(0), 10_000);
  // What the system holds for the connection is no more than a part of the log.
  expect(reads.mock.calls.length).toBeLessThan(150);
  feed.go();
  expect(await feed.end()).toBe(false);
  expect(feed.lines.length).toBeLessThan(250);
});

test('a reader that is slow gets all of it, one piece after the other', async () => {
  await using slow = await openLeaderServer({ stalledAfterMs: 5000 });
  await slow.put('logger-start');
  const boxes = await slow.collections.create(slow.database, { name: 'boxes' });
  const rest = 'x'.repeat(100_000);
  for (let i = 0; i < 150; i++) {
    await slow.documents.insert(slow.database, boxes, `{"_key":"k${i}","rest":"${rest}"}`);
  }
  const query = `from=0&to=${slow.database.changelog.state.lastTick}`;
  await using feed = await FeedReader.openSlow(slow.url, 'ndjson', query);
  const waiting = vi.spyOn(slow.database.changelog, 'readPage');
  await vi.waitFor(() => expect(waiting.mock.calls.length).toBeGreaterThan(2), 10_000);
  expect(slow.leader.pageMemory.usedBytes).toBeLessThan(2_000_000);
  feed.go();
  expect(await feed.end()).toBe(true);
  expect(feed.lines).toHaveLength(152);
});

test.each([
  ['from=abc', 400, 10, "from is neither a tick nor now: 'abc'"],
  ['from=', 400, 10, "from is neither a tick nor now: ''"],
  ['from=-1', 400, 10, "from is neither a tick nor now: '-1'"],
  ['to=12x', 400, 10, "to is no tick: '12x'"],
  ['heartbeat=-1', 400, 10, "heartbeat is no number of seconds above 0: '-1'"],
  ['heartbeat=soon', 400, 10, "heartbeat is no number of seconds above 0: 'soon'"],
  ['collection=nowhere', 404, 1203, "collection not found: 'nowhere'"],
])('a feed with %s is refused', async (query, status, errorNum, errorMessage) => {
  for (const accept of ['text/event-stream', 'application/x-ndjson']) {
    const url = `${server.url}/_api/replication/logger-follow?${query}`;
    const answer = await request(url, { headers: { accept } });
    expect(answer.statusCode).toBe(status);
    expect(await answer.body.json()).toEqual({ error: true, code: status, errorNum, errorMessage });
  }
});

test('what a client accepts decides, and pages stay what they were', async () => {
  expect(feedFormatOf(undefined)).toBeUndefined();
  for (const accept of ['*/*', 'application/json', 'text/*', 'text/event-stream;q=0']) {
    expect(feedFormatOf(accept)).toBeUndefined();
    const answer = await request(`${server.url}/_api/replication/logger-follow`, {
      headers: { accept },
    });
    expect(answer.headers['content-type']).toBe('application/x-arango-dump; charset=utf-8');
    expect(await answer.body.text()).not.toContain('operation');
  }
  expect(feedFormatOf('text/html, Text/Event-Stream; charset=utf-8')).toBe('events');
  expect(feedFormatOf('application/x-ndjson;q=0.5')).toBe('ndjson');
});
