import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import type { Work } from '../../src/documents/collection-works.ts';
import { DocumentSums } from '../../src/documents/document-sums.ts';
import { spreadHash } from '../../src/protocol/key-spread.ts';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

type Sum = [count: number, sum: number];
type State = [key: string, rev: string, digest: number];

const ALL = { ranges: [[0, 2 ** 32]] };
let server: LeaderServer;
let people: Collection;
beforeEach(async () => {
  server = await openLeaderServer();
  people = await server.collections.create(server.database, { name: 'people' });
});
afterEach(() => server[Symbol.asyncDispose]());

function keys(method: string, path: string, body?: unknown): Promise<Answer> {
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  return server.call(method, `/_api/replication/keys${path}`, text);
}

async function open(): Promise<string> {
  return (await keys('POST', '?collection=people')).json['id'] as string;
}

async function sums(id: string, body: unknown = ALL): Promise<Sum[]> {
  return (await keys('PUT', `/${id}?type=sums`, body)).json as unknown as Sum[];
}

async function states(id: string, body: unknown = ALL): Promise<State[]> {
  return (await keys('PUT', `/${id}?type=states`, body)).json as unknown as State[];
}

async function insert(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await server.documents.insert(server.database, people, `{"_key":"k${i}","n":${i}}`);
  }
}

describe('sums of parts of a collection', () => {
  test('say at the collection how many documents they have gone over', async () => {
    await insert(2000);
    // Old states are gone over, too.
    for (let i = 0; i < 500; i++) {
      await server.documents.replace(server.database, people, `k${i}`, `{"n":-1}`);
    }
    const id = await open();
    const seen: number[] = [];
    vi.spyOn(DocumentSums.prototype, 'add').mockImplementation(() => {
      const [work] = people.works.numbers;
      expect(work).toMatchObject({ kind: 'search', documentsExpected: 2000 });
      seen.push(work?.documentsDone ?? -1);
    });
    for (const end of [2 ** 32, 2 ** 28]) {
      seen.length = 0;
      await sums(id, { ranges: [[0, end]] });
      expect(seen.at(-1)).toBeGreaterThan(1500);
      expect(seen.at(-1)).toBeLessThan(2000);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(people.works.numbers).toEqual([]);
    }
    vi.restoreAllMocks();
    const begun = vi.spyOn(people.works, 'begin');
    await states(id);
    const work = begun.mock.results[0]?.value as Work;
    expect(work.numbers).toMatchObject({ kind: 'search', documentsDone: 2000, secondsLeft: 0 });
    expect(people.works.numbers).toEqual([]);
  });

  test('add up to all of it, and each is that of the documents of its part', async () => {
    await insert(300);
    const id = await open();
    const parts = await sums(id, { ...ALL, parts: 7 });
    const [whole] = await sums(id);
    expect(parts).toHaveLength(7);
    expect(parts.reduce((sum, [count]) => sum + count, 0)).toBe(300);
    const total = parts.reduce((sum, [, each]) => sum + BigInt(each), 0n) % 2n ** 52n;
    expect(whole).toEqual([300, Number(total)]);
    const end = Math.floor(2 ** 32 / 7);
    const listed = await states(id, { ranges: [[0, end]] });
    expect(listed.map(([key]) => key)).toEqual(listed.map(([key]) => key).sort());
    expect(listed.every(([key]) => spreadHash(key) < end)).toBe(true);
    const digests = listed.reduce((sum, [, , digest]) => sum + BigInt(digest), 0n) % 2n ** 52n;
    expect(parts[0]).toEqual([listed.length, Number(digests)]);
  });

  test('change with one value, although the revision stays', async () => {
    await insert(200);
    const before = await sums(await open(), { ...ALL, parts: 16 });
    const old = (await states(await open())).find(([key]) => key === 'k5')!;
    const line = { type: 2300, key: 'k5', rev: old[1], data: { _key: 'k5', _rev: old[1], n: 6 } };
    const restored = await server.put(
      'restore-data?collection=people&recycleIds=true',
      JSON.stringify(line),
    );
    expect(restored.status).toBe(200);
    const after = await sums(await open(), { ...ALL, parts: 16 });
    const changed = after.filter(([, sum], i) => sum !== before[i]?.[1]);
    expect(changed).toHaveLength(1);
    const now = (await states(await open())).find(([key]) => key === 'k5')!;
    expect(now[1]).toBe(old[1]);
    expect(now[2]).not.toBe(old[2]);
  });

  test('are those of the moment at which the list was opened', async () => {
    await insert(50);
    const id = await open();
    const before = [await sums(id), await states(id)];
    await server.documents.remove(server.database, people, 'k1');
    await server.documents.replace(server.database, people, 'k2', '{"changed":true}');
    await server.documents.insert(server.database, people, '{"_key":"new"}');
    expect([await sums(id), await states(id)]).toEqual(before);
    const texts = (await keys('PUT', `/${id}?type=documents`, ['k2', 'new', 'k1', 'a b'])).json;
    expect(texts).toMatchObject([{ _key: 'k2', n: 2 }, null, { _key: 'k1', n: 1 }, null]);
    expect(await sums(await open())).not.toEqual(before[0]);
  });

  test('of nothing are 0', async () => {
    expect(await sums(await open(), { ...ALL, parts: 2 })).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(await states(await open())).toEqual([]);
  });

  test.each([
    ['sums', '', 600],
    ['sums', '[]', 400],
    ['sums', '{}', 400],
    ['sums', '{"ranges":[[1,1]]}', 400],
    ['sums', '{"ranges":[[2,3],[1,2]]}', 400],
    ['sums', '{"ranges":[[0,4294967297]]}', 400],
    ['sums', '{"ranges":[[0,5,6]]}', 400],
    ['sums', '{"ranges":[[0,5]],"parts":0}', 400],
    ['sums', '{"ranges":[[0,5]],"parts":65537}', 400],
    ['sums', '{"ranges":[[0,5],[6,7]],"parts":40000}', 400],
    ['states', '{"ranges":"all"}', 400],
    ['documents', '{}', 400],
    ['documents', '[1]', 400],
  ])('%s with the body %s are refused with 400/%i', async (type, body, errorNum) => {
    const { json } = await keys('PUT', `/${await open()}?type=${type}`, body);
    expect(json).toMatchObject({ code: 400, errorNum });
  });

  test('of a list that is gone are 404/1600', async () => {
    const id = await open();
    await server.collections.drop(server.database, people);
    const { json } = await keys('PUT', `/${id}?type=sums`, ALL);
    expect(json).toMatchObject({ code: 404, errorNum: 1600 });
  });
});
