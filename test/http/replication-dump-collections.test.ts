import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Collection } from '../../src/documents/collection.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';

let server: LeaderServer;
beforeEach(async () => {
  server = await openLeaderServer();
});
afterEach(() => server[Symbol.asyncDispose]());

async function create(name: string, type: 2 | 3 = 2): Promise<Collection> {
  return server.collections.create(server.database, { name, type });
}

async function insertMany(collection: Collection, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await server.documents.insert(server.database, collection, `{"_key":"k${i}","value":${i}}`);
  }
}

const LIST = /^\[.*\]\n/;
const CHECK_MORE = 'x-arango-replication-checkmore';

describe('dump-collections', () => {
  test('has the whole of each collection, removals included, as its dump has it', async () => {
    const [a, empty, b] = [await create('a'), await create('empty'), await create('b', 3)];
    await insertMany(a, 3);
    await server.documents.remove(server.database, a, 'k1');
    const ends = { from: 'a/k0', to: 'a/k2' };
    await server.documents.insert(server.database, b, '{"_key":"e"}', { ends });
    const { cid } = a;
    const answer = await server.get(`dump-collections?collections=${cid},empty,b&chunkSize=100000`);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/x-arango-dump/);
    expect(answer.headers['x-ticklog-crc32']).toBe(String(crc32(answer.text)));
    expect(answer.headers[CHECK_MORE]).toBe('false');
    const dumps = await Promise.all(
      ['a', 'empty', 'b'].map((name) => server.get(`dump?collection=${name}&chunkSize=100000`)),
    );
    expect(answer.text.replace(LIST, '')).toBe(dumps.map(({ text }) => text).join(''));
    const list = JSON.parse(LIST.exec(answer.text)?.[0] ?? '') as unknown[];
    expect(list).toEqual(
      [a, empty, b].map((collection, i) => ({
        collection: collection.cid,
        length: dumps[i]!.text.length,
        lastIncluded: dumps[i]!.headers['x-arango-replication-lastincluded'],
        deletionsSince: dumps[i]!.headers['x-ticklog-deletions-since'],
      })),
    );
  });

  test('leaves out what is unknown and what has no room, and says so', async () => {
    const [a, b] = [await create('a'), await create('b')];
    await insertMany(a, 20);
    await insertMany(b, 20);
    const read = async (query: string): Promise<[string[], unknown]> => {
      const answer = await server.get(`dump-collections?${query}`);
      const list = JSON.parse(LIST.exec(answer.text)?.[0] ?? '') as { collection: string }[];
      return [list.map(({ collection }) => collection), answer.headers[CHECK_MORE]];
    };
    expect(await read('collections=a,b')).toEqual([[a.cid, b.cid], 'false']);
    expect(await read('collections=a,none,77,b')).toEqual([[a.cid, b.cid], 'true']);
    expect(await read(`collections=a,b&chunkSize=${a.stats.bytes}`)).toEqual([[a.cid], 'true']);
    expect(await read('collections=a,b&chunkSize=10')).toEqual([[], 'true']);
  });

  test('ends with the tick that was asked for', async () => {
    const a = await create('a');
    await insertMany(a, 2);
    const to = server.store.lastCommitted;
    const before = await server.get(`dump?collection=a`);
    await server.documents.insert(server.database, a, '{"_key":"later"}');
    const { text } = await server.get(`dump-collections?collections=a&to=${to}`);
    expect(text.replace(LIST, '')).toBe(before.text);
  });

  test('wants 1 to 256 collections', async () => {
    await create('a');
    for (const collections of ['', ',', Array(257).fill('a').join(',')]) {
      const { status, json } = await server.get(`dump-collections?collections=${collections}`);
      expect([status, json['errorNum']]).toEqual([400, 400]);
    }
    const many = Array(256).fill('a').join(',');
    expect((await server.get(`dump-collections?collections=${many}`)).status).toBe(200);
    expect((await server.call('PUT', '/_api/replication/dump-collections')).status).toBe(405);
  });
});
