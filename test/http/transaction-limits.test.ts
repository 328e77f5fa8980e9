import { describe, expect, test, vi } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { expectError } from './expect-error.ts';
import { TransactionClient, count, insert, openWithCollections } from './transaction-client.ts';

describe('limits', () => {
  test('an operation above the size of the transaction is 400/32 and leaves it as it was', async () => {
    await using server = await openWithCollections({ transactionMaxBytes: 10_000 });
    const s = 'x'.repeat(4000);
    const trx = await TransactionClient.begin(server);
    expect((await trx.insert('c', { _key: 'a', s })).status).toBe(202);
    expect((await trx.insert('c', { _key: 'b', s })).status).toBe(202);
    expectError(await trx.insert('c', { _key: 'f', s }), 400, 32);
    const lines = [1, 2, 3, 4].map((n) => `{"_key":"i${n}","s":"${'y'.repeat(100)}"}`).join('\n');
    const imported = await trx.request('POST', '/_api/import?collection=c&type=documents', lines);
    expectError(imported, 400, 32);
    expect((await trx.read('c/i1')).status).toBe(404);
    expect((await insert(server, 'c', { _key: 'f' })).status).toBe(202);
    expect((await trx.commit()).status).toBe(200);
    expect(await count(server, 'c')).toBe(3);
  });

  test('maxTransactionSize lowers the limit, and can not raise it', async () => {
    await using server = await openWithCollections({ transactionMaxBytes: 10_000 });
    const collections = { write: 'c' };
    const small = await TransactionClient.begin(server, { collections, maxTransactionSize: 700 });
    expect((await small.insert('c', {})).status).toBe(202);
    expect((await small.insert('c', {})).status).toBe(202);
    expectError(await small.insert('c', {}), 400, 32);
    const large = await TransactionClient.begin(server, { collections, maxTransactionSize: 1e9 });
    expectError(await large.insert('c', { s: 'x'.repeat(10_000) }), 400, 32);
  });

  test('all open ones share a budget, and give it back when they end', async () => {
    await using server = await openWithCollections({ streaming: { budgetBytes: 10_000 } });
    const s = 'x'.repeat(4000);
    const [a, b] = [await TransactionClient.begin(server), await TransactionClient.begin(server)];
    await a.insert('c', { s });
    expect((await b.insert('c', { s })).status).toBe(202);
    expectError(await b.insert('c', { s }), 400, 32);
    await a.commit();
    expect((await b.insert('c', { s })).status).toBe(202);
    await b.abort();
    expect(server.transactions.usedBytes).toBe(0);
  });

  test('a truncate that does not fit is refused before anything is removed', async () => {
    await using server = await openWithCollections({ transactionMaxBytes: 5120 });
    const lines = Array.from({ length: 11 }, (_, n) => `{"_key":"k${n}"}`).join('\n');
    await server.request('POST', '/_api/import?collection=c&type=documents', { body: lines });
    const trx = await TransactionClient.begin(server);
    expectError(await trx.request('PUT', '/_api/collection/c/truncate'), 400, 32);
    expect((await trx.read('c/k0')).status).toBe(200);
    await server.request('DELETE', '/_api/document/c/k0');
    expect((await trx.request('PUT', '/_api/collection/c/truncate')).status).toBe(200);
    await trx.commit();
    expect(await count(server, 'c')).toBe(0);
  });

  test('one that nobody uses for the idle time is aborted, and holds nothing any more', async () => {
    const clock = new ManualClock();
    await using server = await openWithCollections({ clock, streaming: { idleTimeoutMs: 60_000 } });
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'k' });
    clock.advance(50_000);
    expect((await trx.read('c/k')).status).toBe(200);
    clock.advance(59_999);
    expect(await trx.status()).toBe('running');
    expectError(await insert(server, 'c', { _key: 'k' }), 409, 1200);
    clock.advance(1);
    expect(await trx.status()).toBe('aborted');
    expect((await insert(server, 'c', { _key: 'k' })).status).toBe(202);
    const answer = await trx.read('c/k');
    expectError(answer, 400, 1653);
    expect(answer.json['errorMessage']).toContain('nobody used it for 60 s');
    expectError(await trx.commit(), 400, 1653);
  });

  test('idle ones end without anybody asking', async () => {
    await using server = await openWithCollections({ streaming: { idleTimeoutMs: 50 } });
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'k' });
    await vi.waitFor(async () => {
      expect((await insert(server, 'c', { _key: 'k' })).status).toBe(202);
    }, 10_000);
  });
});
