import { describe, expect, test } from 'vitest';
import { CAPTURES_FOUND, readText, readTraffic } from '../support/captures.ts';
import { openRestoreServer } from './restore-client.ts';

// The recordings are no part of the project; say so instead of passing without them.
if (!CAPTURES_FOUND) console.warn('skipped: the captures of real tools are not at hand');

describe('a real arangorestore 1.4.3', () => {
  test.skipIf(!CAPTURES_FOUND)('gets the answers it got, and leaves what it left', async () => {
    await using server = await openRestoreServer();
    const exchanges = readTraffic('1.4.3', 'tools/arangorestore.raw');
    expect(exchanges.map(({ target }) => target.split('/').at(-1)?.split('?')[0])).toEqual([
      ...['version', 'restore-collection', 'restore-data', 'restore-indexes'],
      ...['restore-collection', 'restore-data'],
    ]);
    for (const { method, target, requestBody, status, body } of exchanges) {
      const headers = { 'x-arango-version': '1.4' };
      const answer = await server.request(method, target, { body: requestBody, headers });
      expect([answer.status, answer.json]).toEqual([status, JSON.parse(body)]);
    }
    const left = readText('1.4.3', 'tools/dump-people-after-restore.ndjson');
    const dump = await server.get('dump?collection=people');
    expect(dump.lines.map(withoutTicks)).toEqual(
      left
        .trimEnd()
        .split('\n')
        .map((line) => withoutTicks(JSON.parse(line) as object)),
    );
    const inventory = JSON.parse(readText('1.4.3', 'tools/inventory-after-restore.json')) as {
      collections: { parameters: { name: string; cid: string }; indexes: unknown }[];
    };
    for (const { parameters, indexes } of inventory.collections) {
      const collection = server.database.get(parameters.name);
      expect(collection.parameters).toEqual({ ...parameters, cid: collection.cid });
      expect(collection.indexDefinitions).toEqual(indexes);
    }
    await server.verify();
  });
});

/** A line of a dump without ticks and revisions. */
function withoutTicks(line: object): object {
  const { tick, rev, data, ...rest } = line as Record<string, unknown>;
  expect([typeof tick, typeof rev]).toEqual(['string', 'string']);
  if (data === undefined) return rest;
  const { _rev, ...document } = data as Record<string, unknown>;
  expect(_rev).toBe(rev);
  return { ...rest, data: document };
}
