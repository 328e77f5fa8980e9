import { describe, expect, onTestFinished, test } from 'vitest';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { ApplierFollower } from '../replication/applier-follower.ts';

type Json = Record<string, unknown>;

/** What is asked for, and what inventory and events say of it besides the id (contract 3.2.2). */
const FIRST: readonly (readonly [Json, Json])[] = [
  [
    { type: 'cap', size: 9991 },
    { type: 'cap', unique: false, size: 9991, byteSize: 0 },
  ],
  [
    { type: 'hash', unique: false, fields: ['a', 'b'] },
    { type: 'hash', unique: false, fields: ['a', 'b'] },
  ],
  [
    { type: 'skiplist', unique: false, fields: ['x'] },
    { type: 'skiplist', unique: false, fields: ['x'] },
  ],
];
const SECOND: readonly (readonly [Json, Json])[] = [
  [
    { type: 'geo', fields: ['lat', 'lon'] },
    { type: 'geo2', unique: false, constraint: false, fields: ['lat', 'lon'] },
  ],
  [
    { type: 'skiplist', unique: true, fields: ['y'] },
    { type: 'skiplist', unique: true, fields: ['y'] },
  ],
  [
    { type: 'fulltext', fields: ['text'], minLength: 8 },
    { type: 'fulltext', unique: false, minLength: 8, fields: ['text'] },
  ],
  [
    { type: 'cap', byteSize: 1_048_576 },
    { type: 'cap', unique: false, size: 0, byteSize: 1_048_576 },
  ],
  [
    { type: 'geo', fields: ['at'], geoJson: true, constraint: true, ignoreNull: true },
    {
      type: 'geo1',
      unique: true,
      geoJson: true,
      constraint: true,
      ignoreNull: true,
      fields: ['at'],
    },
  ],
  [
    { type: 'bitarray', fields: ['sex', ['f', 'm', []]] },
    { type: 'bitarray', unique: false, fields: [['sex', ['f', 'm', []]]], undefined: false },
  ],
];

async function open(): Promise<LeaderServer> {
  const server = await openLeaderServer();
  onTestFinished(() => server[Symbol.asyncDispose]());
  await server.put('logger-start');
  await server.call('POST', '/_api/collection', '{"name":"second","type":3}');
  await server.call('POST', '/_api/collection', '{"name":"First"}');
  for (const [name, wanted] of [
    ['First', FIRST],
    ['second', SECOND],
  ] as const) {
    for (const [body] of wanted) {
      const path = `/_api/index?collection=${name}`;
      expect((await server.call('POST', path, JSON.stringify(body))).status).toBe(201);
    }
  }
  return server;
}

function shapes(wanted: readonly (readonly [Json, Json])[]): Json[] {
  const id = expect.stringMatching(/^\d+$/) as string;
  return wanted.map(([, shape]) => ({ id, ...shape }));
}

describe('indexes of all types', () => {
  test('stand in the inventory as they were made, in that order (9.6 row 7)', async () => {
    const server = await open();
    const { json } = await server.get('inventory');
    const collections = json['collections'] as { parameters: Json; indexes: Json[] }[];
    // Documents before edges.
    expect(collections.map(({ parameters }) => parameters['name'])).toEqual(['First', 'second']);
    expect(collections.map(({ indexes }) => indexes)).toEqual([shapes(FIRST), shapes(SECOND)]);
  });

  test('are one 2100 each in the log, and one 2101 when they go', async () => {
    const server = await open();
    const { lines } = await server.get('logger-follow?chunkSize=1000000');
    const made = lines.filter(({ type }) => type === 2100);
    expect(made.map(({ index }) => index)).toEqual([...shapes(FIRST), ...shapes(SECOND)]);
    const { id } = made[0]!['index'] as { id: string };
    const from = lines.at(-1)!['tick'] as string;
    await server.call('DELETE', `/_api/index/First/${id}`);
    const after = await server.get(`logger-follow?from=${from}`);
    expect(after.lines).toMatchObject([{ type: 2101, cname: 'First', id }]);
  });

  test('are the same on a follower, which removes nothing by itself', async () => {
    const server = await open();
    await server.call('POST', '/_api/collection', '{"name":"ring"}');
    await server.call('POST', '/_api/index?collection=ring', '{"type":"cap","size":2}');
    await using follower = await ApplierFollower.open();
    await follower.follow(server.url.replace('http', 'tcp'), BigInt(server.database.id));
    for (const key of ['a', 'b', 'c']) {
      await server.call('POST', '/_api/document?collection=ring', `{"_key":"${key}"}`);
    }
    await follower.caughtUp(server.database.changelog.state.lastTick);
    for (const collection of server.database.collections) {
      const copy = follower.database.get(collection.name);
      expect(copy.indexDefinitions).toEqual(collection.indexDefinitions);
    }
    const ring = follower.database.get('ring');
    expect(ring.stats.count).toBe(2);
    // Three insertions and the leader's one removal.
    expect([ring.stats.entries, ring.stats.dead]).toEqual([4, 2]);
  });
});
