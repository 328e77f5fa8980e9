import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Collection } from '../../src/documents/collection.ts';
import { matches } from '../../src/leader/example.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { expectError } from './expect-error.ts';

interface Batch {
  readonly result: readonly { readonly _key: string; readonly n?: number }[];
  readonly hasMore: boolean;
  readonly id?: string;
  readonly count?: number;
}

let nowMs: number;
let server: LeaderServer;
let boats: Collection;
beforeEach(async () => {
  nowMs = systemClock.nowMs();
  server = await openLeaderServer({ clock: { nowMs: () => nowMs } });
  boats = await server.collections.create(server.database, { name: 'boats' });
  for (let n = 0; n < 25; n++) await insert(`k${String(n).padStart(2, '0')}`, n);
});
afterEach(() => server[Symbol.asyncDispose]());

async function insert(key: string, n: number): Promise<void> {
  const text = JSON.stringify({ _key: key, n, even: n % 2 === 0, at: { x: n % 3 } });
  await server.documents.insert(server.database, boats, text);
}

async function ask(query: string, body: object): Promise<Batch> {
  const { status, text, json } = await server.request('PUT', `/_api/simple/${query}`, { body });
  expect(status, text).toBe(201);
  return json as unknown as Batch;
}

async function rest(first: Batch, method = 'PUT'): Promise<Batch[]> {
  const batches = [first];
  for (let last = first; last.hasMore;) {
    const { status, json } = await server.request(method, `/_api/cursor/${last.id!}`);
    expect(status).toBe(200);
    last = json as unknown as Batch;
    batches.push(last);
  }
  return batches;
}

const keysOf = (batches: readonly Batch[]): string[] =>
  batches.flatMap(({ result }) => result.map(({ _key }) => _key));

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `k${String(from + i).padStart(2, '0')}`);

describe.each(['PUT', 'POST'])('all documents, with %s for the next batch', (method) => {
  test.each([
    [{}, [25], range(0, 25)],
    [{ batchSize: 10 }, [10, 10, 5], range(0, 25)],
    [{ batchSize: 5 }, [5, 5, 5, 5, 5], range(0, 25)],
    [{ batchSize: 4, skip: 3, limit: 9 }, [4, 4, 1], range(3, 12)],
    [{ batchSize: 4, limit: 8 }, [4, 4], range(0, 8)],
    [{ skip: 24 }, [1], range(24, 25)],
    [{ skip: 30 }, [0], []],
    [{ limit: 0 }, [0], []],
  ])('come in order, each once, and with their number (%j)', async (options, sizes, keys) => {
    const batches = await rest(await ask('all', { collection: 'boats', ...options }), method);
    expect(batches.map(({ result }) => result.length)).toEqual(sizes);
    expect(keysOf(batches)).toEqual(keys);
    expect(new Set(batches.map(({ count }) => count))).toEqual(new Set([keys.length]));
    expectError(await server.request(method, `/_api/cursor/${batches[0]?.id ?? '1'}`), 404, 1600);
  });
});

test('what is written meanwhile is not seen', async () => {
  const first = await ask('all', { collection: 'boats', batchSize: 5 });
  await insert('k03x', 1);
  await insert('k99', 1);
  await server.request('DELETE', '/_api/document/boats/k20');
  await server.request('PATCH', '/_api/document/boats/k21', { body: { n: -1 } });
  const batches = await rest(first);
  expect(keysOf(batches)).toEqual(range(0, 25));
  expect(batches.flatMap(({ result }) => result)[21]).toMatchObject({ n: 21 });
});

test.each([
  [{ even: true }, (n: number) => n % 2 === 0],
  [{ 'at.x': 1 }, (n: number) => n % 3 === 1],
  [{ at: { x: 2 }, even: false }, (n: number) => n % 3 === 2 && n % 2 === 1],
  [{ none: null, _id: 'boats/k07' }, (n: number) => n === 7],
  [{ none: 1 }, () => false],
  [{}, () => true],
])('by example come those that are like it (%j)', async (example, isWanted) => {
  const wanted = range(0, 25).filter((_, n) => isWanted(n));
  const body = { collection: 'boats', example, batchSize: 3 };
  const batches = await rest(await ask('by-example', body));
  expect(keysOf(batches)).toEqual(wanted);
  expect(batches.every(({ result }, i) => result.length === 3 || i === batches.length - 1)).toBe(
    true,
  );
  expect(batches.at(-1)?.count).toBe(wanted.length);
  const some = await rest(await ask('by-example', { ...body, skip: 2, limit: 4 }));
  expect(keysOf(some)).toEqual(wanted.slice(2, 6));
});

test('large documents make small batches', async () => {
  const rest2 = 'x'.repeat(400_000);
  for (let i = 0; i < 6; i++) {
    await server.documents.insert(server.database, boats, `{"_key":"z${i}","rest":"${rest2}"}`);
  }
  const batches = await rest(await ask('all', { collection: 'boats' }));
  expect(batches.length).toBeGreaterThan(1);
  expect(keysOf(batches)).toHaveLength(31);
});

test('batches that are asked for at the same time are different ones', async () => {
  const { id } = await ask('all', { collection: 'boats', batchSize: 5 });
  const answers = await Promise.all(
    [1, 2, 3, 4].map(() => server.request('PUT', `/_api/cursor/${id!}`)),
  );
  const keys = keysOf(answers.map(({ json }) => json as unknown as Batch));
  expect(keys.sort()).toEqual(range(5, 25));
});

test('a cursor ends when it is removed, unused for its time, or its collection is dropped', async () => {
  const body = { collection: 'boats', batchSize: 5, ttl: 10 };
  const removed = await ask('all', body);
  const { status, json } = await server.request('DELETE', `/_api/cursor/${removed.id!}`);
  expect([status, json]).toEqual([202, { id: removed.id, error: false, code: 202 }]);
  expectError(await server.request('DELETE', `/_api/cursor/${removed.id!}`), 404, 1600);
  const kept = await ask('all', body);
  const late = await ask('all', body);
  nowMs += 8000;
  expect((await server.request('PUT', `/_api/cursor/${kept.id!}`)).status).toBe(200);
  nowMs += 8000;
  expect((await server.request('PUT', `/_api/cursor/${kept.id!}`)).status).toBe(200);
  expectError(await server.request('PUT', `/_api/cursor/${late.id!}`), 404, 1600);
  await server.databases.create('other');
  expectError(await server.request('PUT', `/_db/other/_api/cursor/${kept.id!}`), 404, 1600);
  await server.collections.drop(server.database, boats);
  expectError(await server.request('PUT', `/_api/cursor/${kept.id!}`), 404, 1203);
  await vi.waitFor(() => expect(boats.views.isEmpty || boats.dropped).toBe(true), 10_000);
});

test('nothing is held for what was read to its end, or was refused', async () => {
  await rest(await ask('all', { collection: 'boats', batchSize: 7 }));
  await rest(await ask('by-example', { collection: 'boats', example: {} }));
  expect(boats.views.isEmpty).toBe(true);
});

test.each([
  ['all', {}, 400, 400],
  ['all', { collection: 7 }, 400, 400],
  ['all', { collection: 'nope' }, 404, 1203],
  ['all', { collection: 'boats', skip: -1 }, 400, 10],
  ['all', { collection: 'boats', limit: 'x' }, 400, 10],
  ['all', { collection: 'boats', batchSize: 0 }, 400, 10],
  ['all', { collection: 'boats', batchSize: 1.5 }, 400, 10],
  ['all', { collection: 'boats', ttl: 0 }, 400, 10],
  ['all', [], 400, 600],
  ['by-example', { collection: 'boats' }, 400, 400],
  ['by-example', { collection: 'boats', example: [] }, 400, 400],
  ['near', { collection: 'boats' }, 501, 9],
])('%s with %j is refused', async (query, body, status, errorNum) => {
  const answer = await server.request('PUT', `/_api/simple/${query}`, { body });
  expectError(answer, status, errorNum);
  expect(boats.views.isEmpty).toBe(true);
});

test('an example is met by equal values, whatever the order of their attributes', () => {
  const document = { a: { b: [1, { c: null }], d: 'x' }, 'a.b': 0, n: 0 };
  expect(matches(document, { 'a.b': 0 })).toBe(true);
  expect(matches(document, { a: { d: 'x', b: [1, { c: null }] } })).toBe(true);
  expect(matches(document, { a: { d: 'x', b: [1, {}] } })).toBe(false);
  expect(matches(document, { a: { d: 'x' } })).toBe(false);
  expect(matches(document, { 'a.d': 'x', n: -0 })).toBe(true);
  expect(matches(document, { 'a.d.length': 1 })).toBe(false);
  expect(matches(document, { n: '0' })).toBe(false);
  expect(matches({ a: [1] }, { a: { 0: 1 } })).toBe(false);
  expect(matches(document, { constructor: null })).toBe(true);
});
