import { Database } from 'arangojs';
import { BatchCursor } from 'arangojs/cursors';
import type { DocumentCollection } from 'arangojs/collections';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openServer } from '../../src/open-server.ts';

/** ArangoDB's own driver for JavaScript, with what it has for data. */

interface Order {
  qty?: number | null;
  at?: { x?: number | null; y?: number };
}

async function open(): Promise<Database> {
  const server = await openServer();
  onTestFinished(() => server.stop());
  const db = new Database({ url: server.url });
  onTestFinished(() => db.close());
  return db;
}

async function openOrders(): Promise<{ db: Database; orders: DocumentCollection<Order> }> {
  const db = await open();
  return { db, orders: await db.createCollection<Order>('orders') };
}

describe('single documents', () => {
  test('returnNew, returnOld and silent say what the answer has', async () => {
    const { orders } = await openOrders();
    const saved = await orders.save({ _key: 'a', qty: 1 }, { returnNew: true });
    expect(saved).toMatchObject({ _id: 'orders/a', _key: 'a', new: { _key: 'a', qty: 1 } });
    const over = { overwriteMode: 'replace', returnOld: true, returnNew: true } as const;
    expect(await orders.save({ _key: 'a', qty: 2 }, over)).toMatchObject({
      ...{ _oldRev: saved._rev, old: { qty: 1 }, new: { qty: 2 } },
    });
    const both = { returnOld: true, returnNew: true };
    const replaced = await orders.replace('a', { qty: 3 }, both);
    expect(replaced).toMatchObject({ old: { qty: 2 }, new: { qty: 3 } });
    const removed = await orders.remove('a', { returnOld: true });
    expect(removed).toMatchObject({ _key: 'a', old: { qty: 3 } });
    expect(await orders.save({ _key: 'b', qty: 1 }, { silent: true })).toBeUndefined();
    expect(await orders.update('b', { qty: 2 }, { silent: true })).toBeUndefined();
    expect(await orders.replace('b', { qty: 3 }, { silent: true })).toBeUndefined();
    expect(await orders.document('b')).toMatchObject({ qty: 3 });
    expect(await orders.remove('b', { silent: true })).toBeUndefined();
    expect(await orders.documentExists('b')).toBe(false);
  });

  test('keepNull and mergeObjects say what an update leaves', async () => {
    const { orders } = await openOrders();
    await orders.save({ _key: 'a', qty: 1, at: { x: 1, y: 2 } });
    await orders.update('a', { at: { x: null } });
    expect(await orders.document('a')).toMatchObject({ qty: 1, at: { x: null, y: 2 } });
    await orders.update('a', { qty: null, at: { x: null } }, { keepNull: false });
    const { _id, _key, _rev, ...rest } = await orders.document('a');
    expect([_id, _key, typeof _rev, rest]).toEqual(['orders/a', 'a', 'string', { at: { y: 2 } }]);
    await orders.update('a', { at: { x: 5 } }, { mergeObjects: false });
    expect((await orders.document('a')).at).toEqual({ x: 5 });
  });

  test('revisions are conditions, and errors have their numbers', async () => {
    const { orders } = await openOrders();
    const { _rev } = await orders.save({ _key: 'a' });
    await expect(orders.save({ _key: 'a' })).rejects.toMatchObject({ code: 409, errorNum: 1210 });
    await orders.update('a', { qty: 1 });
    for (const stale of [
      orders.update('a', {}, { ifMatch: _rev }),
      orders.remove('a', { ifMatch: _rev }),
      orders.document('a', { ifMatch: _rev }),
    ]) {
      await expect(stale).rejects.toMatchObject({ code: 412, errorNum: 1200 });
    }
    await expect(orders.document('b')).rejects.toMatchObject({ code: 404, errorNum: 1202 });
    const bad = orders.save({ _key: 'no good' });
    await expect(bad).rejects.toMatchObject({ code: 400, errorNum: 1221 });
  });
});

describe('many documents', () => {
  test('are saved, updated, replaced and removed with the options of one', async () => {
    const { orders } = await openOrders();
    const keys = ['a', 'b'];
    const saved = await orders.saveAll(
      keys.map((_key) => ({ _key, qty: 1, at: { x: 1 } })),
      { returnNew: true },
    );
    expect(saved).toMatchObject(keys.map((_key) => ({ _key, new: { _key, qty: 1 } })));
    const updated = await orders.updateAll(
      [...keys.map((_key) => ({ _key, qty: null, at: { y: 2 } })), { _key: 'none' }],
      { keepNull: false, mergeObjects: false, returnNew: true, returnOld: true },
    );
    expect(updated).toMatchObject([
      ...keys.map((_key) => ({ old: { qty: 1 }, new: { at: { y: 2 } } })),
      { error: true, errorNum: 1202 },
    ]);
    expect(updated[0]).not.toHaveProperty('new.qty');
    expect(updated[0]).not.toHaveProperty('new.at.x');
    const stale = keys.map((_key, i) => ({
      _key,
      _rev: (saved[i] as { _rev: string })._rev,
    }));
    const refused = await orders.replaceAll(stale, { ignoreRevs: false });
    expect(refused).toMatchObject(keys.map(() => ({ error: true, errorNum: 1200 })));
    const replaced = await orders.replaceAll(stale, { returnOld: true });
    expect(replaced).toMatchObject(keys.map((_key) => ({ _key, old: { at: { y: 2 } } })));
    expect(await orders.documents([...keys, 'none'])).toMatchObject([
      ...keys.map((_key) => ({ _key })),
      { error: true, errorNum: 1202 },
    ]);
    const removed = await orders.removeAll([...keys, 'none'], { returnOld: true });
    expect(removed).toMatchObject([
      ...keys.map((_key) => ({ _key, old: { _key } })),
      { error: true, errorNum: 1202 },
    ]);
    expect(await orders.count()).toMatchObject({ count: 0 });
  });

  test('are written silently, and over those that are there', async () => {
    const { orders } = await openOrders();
    const twice = [{ _key: 'a' }, { _key: 'a' }];
    expect(await orders.saveAll([{ _key: 'b' }, { _key: 'c' }], { silent: true })).toBeUndefined();
    expect(await orders.saveAll(twice, { silent: true })).toBeUndefined();
    const over = await orders.saveAll(twice, { overwriteMode: 'ignore' });
    expect(over).toMatchObject([{ _key: 'a' }, { _key: 'a' }]);
    expect(await orders.count()).toMatchObject({ count: 3 });
  });

  test('are imported from objects, rows and lines, with what to do with those that are there', async () => {
    const { orders } = await openOrders();
    const rows = [
      ['_key', 'qty'],
      ['r1', 1],
      ['r2', 2],
    ];
    expect(await orders.import(rows as never)).toMatchObject({ created: 2, errors: 0 });
    const lines = '{"_key":"l1"}\n{"_key":"l2"}\n';
    expect(await orders.import(lines, { type: 'documents' })).toMatchObject({ created: 2 });
    const again = [{ _key: 'r1', qty: 9 }, { _key: 'n1' }];
    expect(await orders.import(again, { details: true })).toMatchObject({
      ...{ created: 1, errors: 1, details: [expect.stringContaining('r1')] },
    });
    const update = await orders.import(again, { onDuplicate: 'update' });
    expect(update).toMatchObject({ updated: 2, created: 0 });
    expect(await orders.document('r1')).toMatchObject({ qty: 9 });
    expect(await orders.import(again, { onDuplicate: 'ignore' })).toMatchObject({ ignored: 2 });
    await expect(orders.import(again, { complete: true })).rejects.toMatchObject({
      errorNum: 1210,
    });
    expect(await orders.import([{ _key: 'only' }], { overwrite: true })).toMatchObject({
      created: 1,
    });
    expect(await orders.count()).toMatchObject({ count: 1 });
  });

  test('are read in batches over the simple queries', async () => {
    const { db, orders } = await openOrders();
    await orders.saveAll(
      Array.from({ length: 25 }, (_, i) => ({ _key: `k${i + 10}`, qty: i % 5 })),
    );
    const query = async (name: string, body: object): Promise<BatchCursor<Order>> => {
      const answer = await db.request<never>({
        ...{ method: 'PUT', pathname: `/_api/simple/${name}` },
        body: { collection: 'orders', ...body },
      });
      return new BatchCursor<Order>(db, answer);
    };
    const all = await query('all', { batchSize: 10 });
    expect(all.count).toBe(25);
    const sizes: number[] = [];
    for await (const batch of all) sizes.push(batch.length);
    expect(sizes).toEqual([10, 10, 5]);
    const like = await query('by-example', { example: { qty: 3 }, batchSize: 2 });
    expect((await like.items.all()).map(({ qty }) => qty)).toEqual([3, 3, 3, 3, 3]);
    const left = await query('all', { batchSize: 1 });
    await left.kill();
    expect(left.hasNext).toBe(false);
  });
});

describe('collections, indexes and transactions', () => {
  test('a collection has properties and figures, and is found or not', async () => {
    const { db, orders } = await openOrders();
    expect([await orders.exists(), await db.collection('nope').exists()]).toEqual([true, false]);
    await orders.save({ _key: 'a' });
    expect(await orders.properties({ waitForSync: true })).toMatchObject({ waitForSync: true });
    expect(await orders.get()).toMatchObject({ name: 'orders', isSystem: false, type: 2 });
    expect(await orders.figures()).toMatchObject({ count: 1 });
    const { revision } = await orders.revision();
    expect(await orders.checksum({ withData: true })).toMatchObject({ revision });
    await expect(db.createCollection('orders')).rejects.toMatchObject({ errorNum: 1207 });
    const links = await db.createEdgeCollection('links');
    const edge = { _from: 'orders/a', _to: 'orders/a' };
    await links.save({ _key: 'l', ...edge });
    expect(await links.document('l')).toMatchObject(edge);
    await expect(links.save({})).rejects.toMatchObject({ code: 400, errorNum: 1233 });
    expect(await db.renameCollection('orders', 'sales')).toMatchObject({ name: 'sales' });
    expect((await db.listCollections()).map(({ name }) => name).sort()).toEqual(['links', 'sales']);
  });

  test('an index is made, found, enforced and dropped', async () => {
    const { orders } = await openOrders();
    const definition = { type: 'persistent' as const, fields: ['qty'], unique: true, sparse: true };
    const index = await orders.ensureIndex(definition);
    expect(index).toMatchObject({ ...definition, isNewlyCreated: true });
    expect(await orders.ensureIndex(definition)).toMatchObject({ isNewlyCreated: false });
    expect(await orders.index(index.id)).toMatchObject({ id: index.id, fields: ['qty'] });
    await orders.saveAll([{ qty: 1 }, {}, {}]);
    await expect(orders.save({ qty: 1 })).rejects.toMatchObject({ code: 409, errorNum: 1210 });
    expect(await orders.dropIndex(index.id)).toMatchObject({ id: index.id });
    await orders.save({ qty: 1 });
    await expect(orders.index(index.id)).rejects.toMatchObject({ code: 404, errorNum: 1212 });
  });

  test('a transaction is listed, found, and ends with what its callback does', async () => {
    const { db, orders } = await openOrders();
    const begun = await db.beginTransaction({ write: [orders] });
    expect(await begun.get()).toMatchObject({ id: begun.id, status: 'running' });
    expect(await db.listTransactions()).toMatchObject([{ id: begun.id }]);
    await begun.step(() => orders.saveAll([{ _key: 'a' }, { _key: 'b' }]));
    expect(await begun.step(() => orders.count())).toMatchObject({ count: 2 });
    expect(await orders.count()).toMatchObject({ count: 0 });
    expect(await begun.commit()).toMatchObject({ status: 'committed' });
    const done = await db.withTransaction({ write: [orders] }, async (step) => {
      await step(() => orders.remove('a'));
      return step(() => orders.update('b', { qty: 5 }, { returnNew: true }));
    });
    expect(done).toMatchObject({ new: { qty: 5 } });
    const failed = db.withTransaction({ write: [orders] }, async (step) => {
      await step(() => orders.remove('b'));
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await orders.document('b')).toMatchObject({ qty: 5 });
    const missing = db.transaction('9999999').get();
    await expect(missing).rejects.toMatchObject({ code: 404, errorNum: 1655 });
  });
});

test('jobs are answered later', async () => {
  const { db, orders } = await openOrders();
  const job = await db.createJob(() => orders.save({ _key: 'a' }));
  await expect.poll(() => job.getCompleted()).toBe(true);
  await job.load();
  expect(job.result).toMatchObject({ _key: 'a' });
  expect(await db.listPendingJobs()).toEqual([]);
});

test('the replication routes are asked through it', async () => {
  const { db, orders } = await openOrders();
  const get = async (path: string, search = {}): Promise<Record<string, unknown>> => {
    const request = { method: 'GET', pathname: `/_api/replication/${path}`, search } as const;
    return db.request<Record<string, unknown>>(request);
  };
  const { state } = (await get('logger-state')) as { state: Record<string, unknown> };
  expect(state).toMatchObject({ running: true });
  await orders.save({ _key: 'a', qty: 1 });
  const { collections } = (await get('inventory')) as { collections: { parameters: object }[] };
  expect(collections.map(({ parameters }) => parameters)).toMatchObject([{ name: 'orders' }]);
  const text = await db.request<string>({
    ...{ method: 'GET', pathname: '/_api/replication/logger-follow' },
    search: { from: String(state['lastLogTick']) },
  });
  const lines = text.trim().split('\n');
  const [line] = lines.map((each) => JSON.parse(each) as Record<string, unknown>);
  expect(line).toMatchObject({ type: 2300, cname: 'orders', data: { _key: 'a', qty: 1 } });
  expect(await get('applier-state')).toMatchObject({ state: { running: false } });
});
