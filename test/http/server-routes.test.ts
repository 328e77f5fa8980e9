import { describe, expect, test, vi } from 'vitest';
import { openTestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';

describe('/_admin', () => {
  test('statistics: the clock, the process, and the requests by their methods', async () => {
    await using server = await openTestServer({ clock: { nowMs: () => 1_500_000_000_250 } });
    await server.request('GET', '/_api/version');
    await server.request('POST', '/_api/collection', { body: { name: 'c' } });
    await server.request('POST', '/_api/document/c', { body: { _key: 'k' } });
    await server.request('GET', '/_api/document/c/k');
    await server.request('GET', '/_api/version', { headers: { 'x-arango-async': 'true' } });
    await vi.waitFor(async () => {
      const { json } = await server.request('GET', '/_admin/statistics');
      expect(json).toMatchObject({
        ...{ time: 1_500_000_000.25, enabled: true, error: false, code: 200 },
        http: { requestsAsync: 1, requestsPost: 2, requestsPut: 0, requestsOther: 0 },
      });
    });
    const { json } = await server.request('GET', '/_admin/statistics');
    const { http, client, system } = json as {
      http: Record<string, number>;
      client: { totalTime: { count: number; counts: number[]; sum: number } };
      system: { residentSize: number };
    };
    expect(http['requestsTotal']).toBe((http['requestsGet'] ?? 0) + 2);
    expect(http['requestsGet']).toBeGreaterThanOrEqual(4);
    expect(client.totalTime.count).toBe(http['requestsTotal']);
    expect(client.totalTime.counts.reduce((sum, each) => sum + each)).toBe(client.totalTime.count);
    expect(client.totalTime.sum).toBeGreaterThan(0);
    expect(system.residentSize).toBeGreaterThan(1_000_000);
  });

  test('statistics-description has every figure of the statistics', async () => {
    await using server = await openTestServer();
    const { json } = await server.request('GET', '/_admin/statistics-description');
    const { figures } = json as { figures: { group: string; identifier: string }[] };
    const described = figures.map(({ group, identifier }) => `${group}.${identifier}`).sort();
    const answer = await server.request('GET', '/_admin/statistics');
    const shown = Object.entries(answer.json).flatMap(([group, values]) =>
      typeof values === 'object' && values !== null
        ? Object.keys(values).map((identifier) => `${group}.${identifier}`)
        : [],
    );
    expect(described).toEqual(shown.sort());
  });

  test('role and availability are those of a server on its own', async () => {
    await using server = await openTestServer();
    const role = await server.request('GET', '/_admin/server/role');
    expect(role.json).toEqual({ role: 'SINGLE', error: false, code: 200 });
    const availability = await server.request('GET', '/_db/_system/_admin/server/availability');
    expect(availability.json).toEqual({ mode: 'default', error: false, code: 200 });
    expectError(await server.request('GET', '/_admin/server/mode'), 404, 404);
  });

  test('wal/flush does an fsync where one is wanted, in the query or the body', async () => {
    await using server = await openTestServer();
    const fsync = vi.spyOn(server.store, 'flush');
    const flush = async (query: string, body?: unknown): Promise<number> => {
      fsync.mockClear();
      const answer = await server.request('PUT', `/_admin/wal/flush${query}`, { body });
      expect([answer.status, answer.json]).toEqual([200, { error: false, code: 200 }]);
      return fsync.mock.calls.length;
    };
    expect(await flush('')).toBe(0);
    expect(await flush('?waitForSync=true&waitForCollector=true')).toBe(1);
    expect(await flush('', { waitForSync: true, waitForCollector: true })).toBe(1);
    expect(await flush('?waitForSync=no', { waitForSync: true })).toBe(0);
    expectError(await server.request('PUT', '/_admin/wal/flush', { body: '{' }), 400, 600);
    expectError(await server.request('PUT', '/_admin/wal/flush', { body: '[]' }), 400, 600);
    expectError(await server.request('GET', '/_admin/wal/properties'), 404, 404);
  });

  test('other methods are 405/405', async () => {
    await using server = await openTestServer();
    for (const path of ['statistics', 'server/role', 'server/availability']) {
      expectError(await server.request('PUT', `/_admin/${path}`, { body: '{}' }), 405, 405);
    }
    expectError(await server.request('GET', '/_admin/wal/flush'), 405, 405);
    expectError(await server.request('POST', '/_admin/wal/flush', { body: '{}' }), 405, 405);
  });
});

describe('what other servers have and this one has not', () => {
  test.each([
    ['POST', '/_api/cursor', '/_api/document'],
    ['POST', '/_api/query', '/_api/document'],
    ['POST', '/_api/explain', '/_api/document'],
    ['POST', '/_api/aqlfunction', '/_api/document'],
    ['PUT', '/_api/simple/remove-by-example', '/_api/document'],
    ['POST', '/_api/batch', '/_api/import'],
    ['POST', '/_api/graph', '/_api/edge'],
    ['POST', '/_api/gharial', '/_api/edge'],
    ['POST', '/_api/traversal', '/_api/edge'],
    ['GET', '/_api/edges/e', '/_api/edge'],
    ['POST', '/_api/transaction', '/_api/transaction/begin'],
    ['POST', '/_db/_system/_api/transaction/', '/_api/transaction/begin'],
  ])('%s %s is 501/9 and says what to use', async (method, path, instead) => {
    await using server = await openTestServer();
    const body = method === 'GET' ? undefined : '{"query":"FOR d IN c RETURN d"}';
    const answer = await server.request(method, path, { body });
    expectError(answer, 501, 9);
    expect(answer.json['errorMessage']).toContain(instead);
  });

  test('of a database that is not there it is 404/1228', async () => {
    await using server = await openTestServer();
    expectError(await server.request('POST', '/_db/none/_api/cursor', { body: '{}' }), 404, 1228);
  });
});
