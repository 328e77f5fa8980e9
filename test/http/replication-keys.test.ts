import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { compactJournal } from '../../src/documents/journal-compaction.ts';
import type { KeyChunk } from '../../src/leader/key-lists.ts';
import { ChunkHash } from '../../src/protocol/key-hash.ts';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { keptCount } from '../support/view-model.ts';

let clock: ManualClock;
let server: LeaderServer;
let people: Collection;
beforeEach(async () => {
  clock = new ManualClock();
  server = await openLeaderServer({ clock });
  people = await server.collections.create(server.database, { name: 'people' });
});
afterEach(() => server[Symbol.asyncDispose]());

const UNKNOWN = { error: true, errorMessage: 'cursor not found', code: 404, errorNum: 1600 };

/** Nobody else reads what is old. */
const WHOLE_PASS = {
  ...{ horizon: () => undefined, removalAgeMs: 0, nowMs: () => Infinity },
  lastPass: new WeakMap<Collection, { deadLeft: number; endedMs: number }>(),
};

function keys(method: string, path: string, body?: string): Promise<Answer> {
  return server.call(method, `/_api/replication/keys${path}`, body);
}

async function open(): Promise<string> {
  return (await keys('POST', '?collection=people')).json['id'] as string;
}

/** Inserts documents; resolves with pairs of key and revision in the byte order of keys. */
async function insert(...names: readonly string[]): Promise<[string, string][]> {
  const pairs: [string, string][] = [];
  for (const name of names) {
    const body = `{"_key":"${name}","name":"${name}","long":12345678901234567890}`;
    const { rev } = await server.documents.insert(server.database, people, body);
    pairs.push([name, rev]);
  }
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1));
}

function hashOf(pairs: readonly (readonly [string, string])[]): string {
  const hash = new ChunkHash();
  for (const [key, rev] of pairs) hash.add(key, rev);
  return hash.toString();
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `k${i}`);
}

describe('a list of keys', () => {
  test('counts them, and has one chunk when there are few', async () => {
    const pairs = await insert('b', 'a', 'B', 'a:1');
    const { status, json } = await keys('POST', '?collection=people&to=99');
    expect([status, json]).toEqual([
      200,
      { id: expect.stringMatching(/^\d+$/) as string, count: 4 },
    ]);
    const chunks = await keys('GET', `/${json['id'] as string}`);
    expect(chunks.json).toEqual([{ low: 'B', high: 'b', hash: hashOf(pairs) }]);
  });

  test('has chunks of the size that is asked for, in the byte order of keys', async () => {
    const pairs = await insert(...numbered(250));
    const id = await open();
    const { json } = await keys('GET', `/${id}?chunkSize=100`);
    const parts = [pairs.slice(0, 100), pairs.slice(100, 200), pairs.slice(200)];
    expect(json).toEqual(
      parts.map((part) => ({ low: part[0]?.[0], high: part.at(-1)?.[0], hash: hashOf(part) })),
    );
    for (const [i, part] of parts.entries()) {
      const chunk = await keys('PUT', `/${id}?type=keys&chunk=${i}&chunkSize=100`);
      expect(chunk.json).toEqual(part);
    }
  });

  test('finds a chunk also of another size, and of a list nobody has gone through', async () => {
    const pairs = await insert(...numbered(250));
    const id = await open();
    const second = await keys('PUT', `/${id}?type=keys&chunk=1&chunkSize=100`);
    expect(second.json).toEqual(pairs.slice(100, 200));
    await keys('GET', `/${id}?chunkSize=200`);
    const third = await keys('PUT', `/${id}?type=keys&chunk=2&chunkSize=100`);
    expect(third.json).toEqual(pairs.slice(200));
  });

  test('of an empty collection has no chunk', async () => {
    const { json } = await keys('POST', '?collection=people');
    expect(json['count']).toBe(0);
    expect((await keys('GET', `/${json['id'] as string}`)).text).toBe('[]');
  });

  test('takes the default for chunks that are too small, and the most for those too large', async () => {
    await insert(...numbered(120));
    const id = await open();
    expect((await keys('GET', `/${id}?chunkSize=99`)).json).toHaveLength(1);
    expect((await keys('GET', `/${id}?chunkSize=100`)).json).toHaveLength(2);
    expect((await keys('GET', `/${id}?chunkSize=abc`)).json).toHaveLength(1);
  });

  test('gives documents by their positions, in that order and with every digit', async () => {
    await insert('a', 'b', 'c');
    const id = await open();
    const { text } = await keys('PUT', `/${id}?type=docs&chunk=0&chunkSize=100`, '[2,0]');
    const documents = JSON.parse(text) as Record<string, unknown>[];
    expect(documents.map((each) => each['_id'])).toEqual(['people/c', 'people/a']);
    expect(text).toContain('"long":12345678901234567890');
    expect((await keys('PUT', `/${id}?type=docs`, '[]')).text).toBe('[]');
  });

  test('stays as it was when it was opened, whatever is written, dropped from or compacted', async () => {
    const before = await insert('a', 'b', 'c');
    const id = await open();
    const chunks = await keys('GET', `/${id}`);
    await server.documents.remove(server.database, people, 'b');
    await server.documents.replace(server.database, people, 'c', '{"changed":true}');
    await insert('d');
    await compactJournal(server.store, people, WHOLE_PASS, new AbortController().signal);
    expect((await keys('GET', `/${id}`)).json).toEqual(chunks.json);
    expect((await keys('PUT', `/${id}?type=keys`)).json).toEqual(before);
    const documents = (await keys('PUT', `/${id}?type=docs`, '[0,1,2]')).json;
    expect(documents).toMatchObject([{ _key: 'a' }, { _key: 'b' }, { _key: 'c', name: 'c' }]);
    const now = await keys('GET', `/${await open()}`);
    expect(now.json).not.toEqual(chunks.json);
  });

  test('ends when it is removed, or was not used for 300 seconds', async () => {
    await insert('a');
    const id = await open();
    clock.advance(299_999);
    expect((await keys('GET', `/${id}`)).status).toBe(200);
    clock.advance(299_999);
    const removed = await keys('DELETE', `/${id}`);
    expect([removed.status, removed.json]).toEqual([202, { id, error: false, code: 202 }]);
    expect((await keys('DELETE', `/${id}`)).json).toEqual(UNKNOWN);
    const other = await open();
    clock.advance(300_000);
    expect((await keys('GET', `/${other}`)).json).toEqual(UNKNOWN);
  });

  test('stays as it was while others write and journals are compacted, chunk by chunk', async () => {
    const names = numbered(2500);
    const lines = names.map((name) => `{"_key":"${name}","n":0}`).join('\n');
    const load = (body: string, more = '') =>
      server.call('POST', `/_api/import?collection=people&type=documents${more}`, body);
    await load(lines);
    const id = await open();
    const chunks = (await keys('GET', `/${id}?chunkSize=1000`)).json as unknown as KeyChunk[];
    expect(chunks).toHaveLength(3);
    await load('{"_key":"k1"}', '&overwrite=true');
    await load(lines.replaceAll('0}', '1}'), '&onDuplicate=replace');
    const done = new AbortController();
    const writing = (async () => {
      for (let n = 2; !done.signal.aborted; n++) {
        await load(lines.replaceAll('0}', `${n}}`), '&onDuplicate=replace');
        await server.collections.truncate(server.database, people);
        await compactJournal(server.store, people, WHOLE_PASS, new AbortController().signal);
      }
    })();
    const seen: string[] = [];
    for (const [chunk, { low, high, hash }] of chunks.entries()) {
      const query = `chunk=${chunk}&chunkSize=1000`;
      const listed = (await keys('PUT', `/${id}?type=keys&${query}`)).json;
      const pairs = listed as unknown as [string, string][];
      expect([pairs[0]?.[0], pairs.at(-1)?.[0], hashOf(pairs)]).toEqual([low, high, hash]);
      const positions = JSON.stringify(pairs.map((_, i) => i).reverse());
      const answer = (await keys('PUT', `/${id}?type=docs&${query}`, positions)).json;
      const documents = answer as unknown as Record<string, unknown>[];
      expect(documents.map((each) => [each['_key'], each['_rev']])).toEqual(pairs.reverse());
      expect(new Set(documents.map((each) => each['n']))).toEqual(new Set([0]));
      seen.push(...pairs.map(([key]) => key));
    }
    expect(seen.sort()).toEqual(names.sort());
    expect((await keys('GET', `/${id}?chunkSize=1000`)).json).toEqual(chunks);
    done.abort();
    await writing;
  });

  test('leaves nothing in the store when it ends', async () => {
    await insert(...numbered(20));
    const id = await open();
    await server.collections.truncate(server.database, people);
    expect(await keptCount(server.store)).toBe(20);
    await keys('DELETE', `/${id}`);
    await vi.waitFor(async () => expect(await keptCount(server.store)).toBe(0), 10_000);
    expect(people.views.isEmpty).toBe(true);
  });

  test('is known in its database only, and gone with its collection', async () => {
    await server.databases.create('other');
    const id = await open();
    const path = `/_db/other/_api/replication/keys/${id}`;
    expect((await server.call('GET', path)).json).toEqual(UNKNOWN);
    await server.collections.drop(server.database, people);
    expect((await keys('GET', `/${id}`)).json).toEqual(UNKNOWN);
  });

  test('is refused with 400/32 when there are too many', async () => {
    for (let i = 0; i < 64; i++) await open();
    const { json } = await keys('POST', '?collection=people');
    expect(json).toMatchObject({ code: 400, errorNum: 32 });
  });
});

describe('requests for keys that cannot be', () => {
  test.each([
    ['POST', '', 400, 400],
    ['POST', '?collection=', 400, 400],
    ['POST', '?collection=nosuch', 404, 1203],
    ['GET', '', 400, 400],
    ['PUT', '?type=keys', 400, 400],
    ['DELETE', '', 400, 400],
    ['GET', '/4711/more', 400, 400],
    ['GET', '/4711', 404, 1600],
    ['PUT', '/4711?type=keys', 404, 1600],
    ['DELETE', '/4711', 404, 1600],
    ['PATCH', '/4711', 405, 405],
  ])('%s keys%s are %i/%i', async (method, path, code, errorNum) => {
    expect((await keys(method, path)).json).toMatchObject({ code, errorNum });
  });

  test.each([
    ['type=foo', '', 400],
    ['', '', 400],
    ['type=docs', '{', 600],
    ['type=docs', '', 600],
    ['type=docs', '{}', 400],
    ['type=docs', '["0"]', 10],
    ['type=docs', '[0.5]', 10],
    ['type=docs', '[-1]', 10],
    ['type=docs', '[0,1]', 10],
    ['type=docs&chunk=1', '[0]', 10],
    ['type=keys&chunk=1', '', 10],
  ])('chunks by %j with the body %j are 400/%i', async (query, body, errorNum) => {
    await insert('a');
    const id = await open();
    for (let round = 0; round < 2; round++) {
      const { json } = await keys('PUT', `/${id}?${query}`, body);
      expect(json).toMatchObject({ code: 400, errorNum });
      // Also when the chunks are known.
      await keys('GET', `/${id}`);
    }
  });
});
