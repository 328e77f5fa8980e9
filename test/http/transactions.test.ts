import { describe, expect, test } from 'vitest';
import { logLines } from '../support/log-lines.ts';
import type { TestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';
import {
  TransactionClient,
  count,
  insert,
  openWithCollections,
  read,
} from './transaction-client.ts';

function begin(server: TestServer, body: unknown): ReturnType<TestServer['request']> {
  return server.request('POST', '/_api/transaction/begin', { body });
}

describe('POST /_api/transaction/begin', () => {
  test('201 with the id, a number, and the status', async () => {
    await using server = await openWithCollections();
    const answer = await begin(server, { collections: { write: ['c'], read: 'd' } });
    const { id } = answer.json['result'] as { id: string };
    expect(id).toMatch(/^\d+$/);
    expect(answer.json).toEqual({ result: { id, status: 'running' }, error: false, code: 201 });
  });

  test('takes names and ids, alone and in lists, and everything else that 3.5 has', async () => {
    await using server = await openWithCollections();
    const { cid } = server.catalogue.get('_system').get('c');
    for (const body of [
      { collections: {} },
      { collections: { read: 'c', write: cid, exclusive: ['d'], unknown: 1 } },
      {
        ...{ collections: { write: [] }, waitForSync: true, lockTimeout: 0.5 },
        ...{ allowImplicit: false, maxTransactionSize: 1000, skipFastLockRound: true },
      },
    ]) {
      const answer = await begin(server, body);
      expect(answer.status).toBe(201);
      const { id } = answer.json['result'] as { id: string };
      await server.request('DELETE', `/_api/transaction/${id}`);
    }
  });

  test('bad requests begin nothing', async () => {
    await using server = await openWithCollections();
    expectError(await begin(server, '{'), 400, 600);
    expectError(await begin(server, []), 400, 600);
    for (const body of [
      {},
      { collections: null },
      { collections: ['c'] },
      { collections: { write: 5 } },
      { collections: { read: ['c', null] } },
      { collections: { exclusive: { c: true } } },
      { collections: {}, waitForSync: 'yes' },
      { collections: {}, allowImplicit: 1 },
      { collections: { allowImplicit: 1 } },
      { collections: {}, lockTimeout: -1 },
      { collections: {}, lockTimeout: '5' },
      { collections: {}, maxTransactionSize: 0 },
    ]) {
      expectError(await begin(server, body), 400, 10);
    }
    expectError(await begin(server, { collections: { write: ['c', 'none'] } }), 404, 1203);
    expectError(await server.request('POST', '/_db/none/_api/transaction/begin'), 404, 1228);
    const { json } = await server.request('GET', '/_api/transaction');
    expect(json).toEqual({ transactions: [], error: false, code: 200 });
  });

  test('not inside of another', async () => {
    await using server = await openWithCollections();
    const outer = await TransactionClient.begin(server);
    const inner = await outer.request('POST', '/_api/transaction/begin', { collections: {} });
    expectError(inner, 400, 1651);
  });

  test('no more than the limit at a time', async () => {
    await using server = await openWithCollections({ streaming: { maxOpen: 2 } });
    const first = await TransactionClient.begin(server);
    await TransactionClient.begin(server);
    expectError(await begin(server, { collections: {} }), 400, 32);
    await first.abort();
    await TransactionClient.begin(server);
  });

  test('waits for a collection that another has exclusively, but not longer than lockTimeout', async () => {
    await using server = await openWithCollections();
    const body = { collections: { exclusive: 'c' }, lockTimeout: 0.05 };
    const first = await TransactionClient.begin(server, body);
    expectError(await begin(server, body), 500, 18);
    expectError(await begin(server, { collections: { write: 'c' }, lockTimeout: 0.05 }), 500, 18);
    await TransactionClient.begin(server, { collections: { read: 'c', write: 'd' } });
    const waiting = begin(server, { collections: { exclusive: 'c' }, lockTimeout: 0 });
    await first.commit();
    expect((await waiting).status).toBe(201);
  });

  test('an exclusive one waits for those that may write', async () => {
    await using server = await openWithCollections();
    const writer = await TransactionClient.begin(server, { collections: { write: 'c' } });
    const body = { collections: { exclusive: 'c' }, lockTimeout: 0.05 };
    expectError(await begin(server, body), 500, 18);
    await writer.abort();
    await TransactionClient.begin(server, body);
  });

  test('a server that stops lets nobody wait', async () => {
    await using server = await openWithCollections();
    await TransactionClient.begin(server, { collections: { exclusive: 'c' } });
    const waiting = begin(server, { collections: { exclusive: 'c' } });
    await new Promise((resolve) => setTimeout(resolve, 30));
    server.abort();
    expectError(await waiting, 503, 30);
  });
});

describe('the other endpoints', () => {
  test('GET lists the running ones of the database, oldest first', async () => {
    await using server = await openWithCollections();
    await server.request('POST', '/_api/database', { body: { name: 'other' } });
    const [a, b, done] = [
      await TransactionClient.begin(server),
      await TransactionClient.begin(server),
      await TransactionClient.begin(server),
    ];
    await done.commit();
    const { json } = await server.request('GET', '/_api/transaction');
    const transactions = [a, b].map(({ id }) => ({ id, state: 'running' }));
    expect(json).toEqual({ transactions, error: false, code: 200 });
    const other = await server.request('GET', '/_db/other/_api/transaction');
    expect(other.json['transactions']).toEqual([]);
    const path = `/_db/other/_api/transaction/${a.id}`;
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expectError(await server.request(method, path), 404, 1655);
    }
  });

  test('GET, PUT and DELETE of one say what became of it', async () => {
    await using server = await openWithCollections();
    const [a, b] = [await TransactionClient.begin(server), await TransactionClient.begin(server)];
    expect(await a.status()).toBe('running');
    const result = { id: a.id, status: 'committed' };
    for (let i = 0; i < 2; i++) {
      expect((await a.commit()).json).toEqual({ result, error: false, code: 200 });
    }
    expect(await a.status()).toBe('committed');
    for (let i = 0; i < 2; i++) {
      const { json } = await b.abort();
      expect(json).toEqual({ result: { id: b.id, status: 'aborted' }, error: false, code: 200 });
    }
    expect(await b.status()).toBe('aborted');
    expectError(await a.abort(), 400, 1653);
    expectError(await b.commit(), 400, 1653);
  });

  test('unknown ids, ids that are none, and wrong methods', async () => {
    await using server = await openWithCollections();
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expectError(await server.request(method, '/_api/transaction/1'), 404, 1655);
      expectError(await server.request(method, '/_api/transaction/x'), 400, 10);
      expectError(await server.request(method, '/_api/transaction/-1'), 400, 10);
      expectError(await server.request(method, '/_api/transaction/1/2'), 400, 400);
    }
    expectError(await server.request('PATCH', '/_api/transaction/1'), 405, 405);
    expectError(await server.request('PUT', '/_api/transaction'), 405, 405);
    expectError(await server.request('DELETE', '/_api/transaction'), 405, 405);
    expectError(await server.request('POST', '/_api/transaction/1'), 404, 404);
  });

  test('JavaScript transactions are 501/9, and the message says what to use', async () => {
    await using server = await openWithCollections();
    const body = { collections: { write: 'c' }, action: 'function () { return 1; }' };
    const answer = await server.request('POST', '/_api/transaction', { body });
    expectError(answer, 501, 9);
    expect(answer.json['errorMessage']).toContain('/_api/transaction/begin');
  });
});

describe('requests with x-arango-trx-id', () => {
  test('of an unknown, bad or ended transaction are refused and do nothing', async () => {
    await using server = await openWithCollections();
    const ended = await TransactionClient.begin(server);
    await ended.commit();
    const cases = [
      ['1', 404, 1655],
      ['x', 400, 10],
      [ended.id, 400, 1653],
    ] as const;
    const requests = [
      ['POST', '/_api/document?collection=c', '{"_key":"k"}'],
      ['POST', '/_api/document/c', '{"_key":"k"}'],
      ['GET', '/_api/document/c/k'],
      ['GET', '/_api/document?collection=c'],
      ['PUT', '/_api/document/c/k', '{}'],
      ['PATCH', '/_api/document/c/k', '{}'],
      ['DELETE', '/_api/document/c/k'],
      ['POST', '/_api/edge?collection=e&from=c/a&to=c/b', '{"_key":"k"}'],
      ['GET', '/_api/edge?collection=e'],
      ['GET', '/_api/edge/e/k'],
      ['GET', '/_api/collection/c/count'],
      ['PUT', '/_api/collection/c/truncate'],
      ['POST', '/_api/import?collection=c&type=documents', '{"_key":"k"}'],
    ] as const;
    for (const [id, status, errorNum] of cases) {
      for (const [method, path, body] of requests) {
        const headers = { 'x-arango-trx-id': id };
        expectError(await server.request(method, path, { headers, body }), status, errorNum);
      }
    }
    expect([await count(server, 'c'), await count(server, 'e')]).toEqual([0, 0]);
  });

  test('writes need a collection that was named for writing, reads one that was named if so asked', async () => {
    await using server = await openWithCollections();
    await insert(server, 'd', { _key: 'k' });
    const collections = { read: 'c', write: 'e' };
    const open = await TransactionClient.begin(server, { collections });
    expectError(await open.insert('c', {}), 400, 1652);
    expectError(await open.insert('d', {}), 400, 1652);
    expectError(await open.request('PUT', '/_api/collection/c/truncate'), 400, 1652);
    expect((await open.read('d/k')).status).toBe(200);
    const strict = await TransactionClient.begin(server, { collections, allowImplicit: false });
    for (const path of ['document/d/k', 'document?collection=d', 'collection/d/count']) {
      expectError(await strict.request('GET', `/_api/${path}`), 400, 1652);
    }
    expectError(await strict.read('c/k'), 404, 1202);
    expectError(await strict.read('e/k'), 404, 1202);
  });

  test('do not create, drop or change collections and indexes', async () => {
    await using server = await openWithCollections();
    const index = { type: 'hash', fields: ['v'], unique: false };
    const made = await server.request('POST', '/_api/index?collection=c', { body: index });
    const trx = await TransactionClient.begin(server);
    const requests = [
      ['POST', '/_api/collection', { name: 'new' }],
      ['DELETE', '/_api/collection/c'],
      ['PUT', '/_api/collection/c/rename', { name: 'new' }],
      ['PUT', '/_api/collection/c/properties', { waitForSync: true }],
      ['POST', '/_api/index?collection=c', { type: 'hash', fields: ['w'] }],
      ['DELETE', `/_api/index/${String(made.json['id'])}`],
      ['POST', '/_api/document?collection=new&createCollection=true', {}],
      ['POST', '/_api/edge?collection=new&createCollection=true&from=c/a&to=c/b', {}],
      ['POST', '/_api/import?collection=new&createCollection=true&type=documents', '{}'],
    ] as const;
    for (const [method, path, body] of requests) {
      expectError(await trx.request(method, path, body), 400, 1653);
    }
    expect(server.catalogue.get('_system').byName('new')).toBeUndefined();
    expect(await trx.status()).toBe('running');
  });
});

describe('the end of what a transaction writes to', () => {
  test('a dropped collection fails the commit with 404/1203, and nothing of the rest is stored', async () => {
    await using server = await openWithCollections();
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'k' });
    await trx.insert('d', { _key: 'k' });
    await server.request('DELETE', '/_api/collection/d');
    expectError(await trx.request('GET', '/_api/document/d/k'), 404, 1203);
    const answer = await trx.commit();
    expectError(answer, 404, 1203);
    expect(answer.json['errorMessage']).toContain("collection 'd'");
    expect(await trx.status()).toBe('aborted');
    expect(await count(server, 'c')).toBe(0);
    expect((await insert(server, 'c', { _key: 'k' })).status).toBe(202);
  });

  test('a renamed collection is written under its new name', async () => {
    await using server = await openWithCollections();
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'k' });
    await server.request('PUT', '/_api/collection/c/rename', { body: { name: 'renamed' } });
    expect((await trx.insert('renamed', { _key: 'l' })).status).toBe(202);
    expect((await trx.commit()).status).toBe(200);
    expect(await count(server, 'renamed')).toBe(2);
    const lines = await logLines(server.catalogue.get('_system').changelog);
    expect(lines.at(-1)).toMatchObject({ type: 2201, collections: [{ name: 'renamed' }] });
  });

  test('a dropped database aborts', async () => {
    const aborting: Promise<void>[] = [];
    await using server = await openWithCollections({
      onDropDatabase: async (database) => {
        aborting.push(server.transactions.abortAll(database));
        await Promise.all(aborting);
      },
    });
    await server.request('POST', '/_api/database', { body: { name: 'x' } });
    await server.request('POST', '/_db/x/_api/collection', { body: { name: 'c' } });
    const begun = await server.request('POST', '/_db/x/_api/transaction/begin', {
      body: { collections: { write: 'c' } },
    });
    const { id } = begun.json['result'] as { id: string };
    const headers = { 'x-arango-trx-id': id };
    await server.request('POST', '/_db/x/_api/document/c', { body: { s: 'xxxx' }, headers });
    expect(server.transactions.usedBytes).toBeGreaterThan(0);
    await server.request('DELETE', '/_api/database/x');
    expect(server.transactions.usedBytes).toBe(0);
    expectError(await server.request('PUT', `/_db/x/_api/transaction/${id}`), 404, 1228);
    expectError(await server.request('PUT', `/_api/transaction/${id}`), 404, 1655);
  });

  test('collections that a running applier replicates take no writes, at the operation and at the commit', async () => {
    await using server = await openWithCollections();
    const database = server.catalogue.get('_system');
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'k' });
    database.writeGuard = () => true;
    expectError(await trx.insert('c', { _key: 'l' }), 403, 1004);
    expectError(await trx.commit(), 403, 1004);
    database.writeGuard = undefined;
    expect((await read(server, 'c/k')).status).toBe(404);
  });

  test('a closed server has aborted all', async () => {
    await using server = await openWithCollections();
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'k' });
    await server.transactions.close();
    expect(await trx.status()).toBe('aborted');
    expectError(await begin(server, { collections: {} }), 503, 30);
    expect(await count(server, 'c')).toBe(0);
  });
});
