import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Client,
  CollectionType,
  connect,
  type DatabaseClient,
  isRejected,
  type OpenServer,
  openServer,
  TicklogError,
} from '../../src/index.ts';
import '../support/check-client-answers.ts';

interface Order {
  readonly qty: number;
  readonly tags?: { readonly [name: string]: string | null };
}

let server: OpenServer;
let client: Client;
let db: DatabaseClient;
let counter = 0;

beforeAll(async () => {
  server = await openServer();
  client = connect(server.url);
});
afterAll(async () => {
  await client.close();
  await server.stop();
});
beforeEach(async () => {
  const name = `db${++counter}`;
  await client.databases.create(name);
  db = client.use(name);
});

test('databases are created, listed and dropped', async () => {
  expect(await client.databases.list()).toContain(db.name);
  await expect(client.databases.create(db.name)).rejects.toMatchObject({ errorNum: 1207 });
  await client.databases.drop(db.name);
  expect(await client.databases.list()).not.toContain(db.name);
  await expect(db.collections()).rejects.toMatchObject({ status: 404, errorNum: 1228 });
});

test('the server says what it is', async () => {
  expect(await client.version({ details: true })).toMatchObject({
    server: 'arango',
    details: { ticklog: expect.stringMatching(/^\d+\./) as string },
  });
  expect(Math.abs((await client.time()) - Date.now() / 1000)).toBeLessThan(60);
  await client.flush();
});

describe('collections', () => {
  test('are created, shown, changed, renamed and dropped', async () => {
    const boats = db.collection('boats');
    expect(await boats.exists()).toBe(false);
    await expect(boats.info()).rejects.toMatchObject({ status: 404, errorNum: 1203 });
    const info = await boats.create({ type: CollectionType.edge, waitForSync: true });
    expect(info).toMatchObject({ name: 'boats', type: 3, status: 3, isSystem: false });
    expect(info).not.toHaveProperty('error');
    expect(await boats.properties()).toMatchObject({ waitForSync: true, doCompact: true });
    expect(await boats.setProperties({ waitForSync: false })).toMatchObject({ waitForSync: false });
    await boats.rename('ships');
    expect(await boats.exists()).toBe(false);
    const ships = db.collection('ships');
    expect((await ships.info()).id).toBe(info.id);
    const names = (await db.collections({ excludeSystem: true })).map(({ name }) => name);
    expect(names).toEqual(['ships']);
    await ships.drop();
    expect(await ships.exists()).toBe(false);
  });

  test('count, and tell their figures, revision and checksum', async () => {
    const a = await db.createCollection<Order>('a');
    const b = await db.createCollection<Order>('b');
    expect(await a.revision()).toBe(0n);
    for (const each of [a, b]) await each.insert({ _key: 'k', qty: 1 });
    expect(await a.count()).toBe(1);
    const { alive, lastTick } = await a.figures();
    expect(alive.count).toBe(1);
    expect(await a.revision()).toBe(lastTick);
    expect(lastTick).toBeGreaterThan(0n);
    const sum = await a.checksum({ withData: true });
    expect(sum.revision).toBe(lastTick);
    expect((await b.checksum({ withData: true })).checksum).toBe(sum.checksum);
    await b.update('k', { qty: 2 });
    expect((await b.checksum({ withData: true })).checksum).not.toBe(sum.checksum);
    await a.truncate();
    expect(await a.count()).toBe(0);
  });

  test('have indexes', async () => {
    const orders = await db.createCollection<Order>('orders');
    const wanted = { type: 'hash', fields: ['qty'], unique: true };
    const index = await orders.createIndex(wanted);
    expect(index).toMatchObject({ ...wanted, isNewlyCreated: true });
    expect(await orders.createIndex(wanted)).toMatchObject({ id: index.id, isNewlyCreated: false });
    expect((await orders.indexes()).map(({ type }) => type)).toEqual(['primary', 'hash']);
    await orders.insert({ qty: 1 });
    await expect(orders.insert({ qty: 1 })).rejects.toMatchObject({ errorNum: 1210 });
    await orders.dropIndex(index.id);
    await orders.insert({ qty: 1 });
    expect(await orders.count()).toBe(2);
  });
});

describe('documents', () => {
  test('are inserted, read, replaced, updated and removed', async () => {
    const orders = await db.createCollection<Order>('orders');
    const made = await orders.insert({ qty: 1 }, { returnNew: true, waitForSync: true });
    expect(made.new).toMatchObject({ qty: 1, _id: made._id });
    const key = made._key;
    expect(await orders.get(key)).toEqual({
      qty: 1,
      _id: `orders/${key}`,
      _key: key,
      _rev: made._rev,
    });
    const replaced = await orders.replace(key, { qty: 2, tags: { a: 'x' } }, { returnOld: true });
    expect(replaced._oldRev).toBe(made._rev);
    expect(replaced.old).toMatchObject({ qty: 1 });
    await orders.update(key, { tags: { b: 'y' } });
    expect((await orders.get(key)).tags).toEqual({ a: 'x', b: 'y' });
    await orders.update(key, { tags: { a: null } }, { keepNull: false });
    expect((await orders.get(key)).tags).toEqual({ b: 'y' });
    await orders.update(key, { tags: { c: 'z' } }, { mergeObjects: false });
    expect((await orders.get(key)).tags).toEqual({ c: 'z' });
    const { old } = await orders.remove(key, { returnOld: true });
    expect(old).toMatchObject({ qty: 2 });
    expect(await orders.find(key)).toBeUndefined();
    await expect(orders.get(key)).rejects.toMatchObject({ status: 404, errorNum: 1202 });
  });

  test('are written only if the revision is the one that is given', async () => {
    const orders = await db.createCollection<Order>('orders');
    const { _rev: first } = await orders.insert({ _key: 'k', qty: 1 });
    const { _rev: second } = await orders.update('k', { qty: 2 }, { ifMatch: first });
    const conflict = { status: 412, errorNum: 1200 };
    await expect(orders.get('k', { ifMatch: first })).rejects.toMatchObject(conflict);
    await expect(orders.replace('k', { qty: 3 }, { ifMatch: first })).rejects.toMatchObject(
      conflict,
    );
    await expect(orders.update('k', { qty: 3 }, { ifMatch: first })).rejects.toMatchObject(
      conflict,
    );
    const error: unknown = await orders.remove('k', { ifMatch: first }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TicklogError);
    expect((error as TicklogError).fields).toMatchObject({ _rev: second, _key: 'k' });
    expect((await orders.get('k', { ifMatch: second })).qty).toBe(2);
    await orders.remove('k', { ifMatch: second });
  });

  test('with every character that a key can have are found', async () => {
    const orders = await db.createCollection<Order>('orders');
    const key = "a_:.@()+,=;$!*'%-z";
    await orders.insert({ _key: key, qty: 1 });
    expect((await orders.get(key))._key).toBe(key);
    await orders.remove(key);
  });

  test('can be inserted over others', async () => {
    const orders = await db.createCollection<Order>('orders');
    await orders.insert({ _key: 'k', qty: 1 });
    await expect(orders.insert({ _key: 'k', qty: 2 })).rejects.toMatchObject({ errorNum: 1210 });
    await orders.insert({ _key: 'k', qty: 2 }, { overwriteMode: 'replace' });
    expect((await orders.get('k')).qty).toBe(2);
  });

  test('are edges where the collection is one of edges', async () => {
    const edges = await db.createCollection('edges', { type: CollectionType.edge });
    await edges.insert({ _key: 'e', _from: 'edges/x', _to: 'edges/y', weight: 2 });
    expect(await edges.get('e')).toMatchObject({ _from: 'edges/x', _to: 'edges/y', weight: 2 });
  });

  test('are written in numbers, each for itself', async () => {
    const orders = await db.createCollection<Order>('orders');
    const keys = ['a', 'b', 'a'];
    const made = await orders.insertMany(keys.map((_key, qty) => ({ _key, qty })));
    expect(made.map(isRejected)).toEqual([false, false, true]);
    expect(made[2]).toMatchObject({ errorNum: 1210 });
    await orders.updateMany([{ _key: 'a', qty: 10 }]);
    await orders.replaceMany([{ _key: 'b', qty: 20 }]);
    expect([(await orders.get('a')).qty, (await orders.get('b')).qty]).toEqual([10, 20]);
    const stale = { _key: 'a', _rev: '1' };
    const [refused] = await orders.removeMany([stale], { ignoreRevs: false });
    expect(refused).toMatchObject({ error: true, errorNum: 1200 });
    const removed = await orders.removeMany(['a', { _key: 'b' }]);
    expect(removed.map(isRejected)).toEqual([false, false]);
    expect(await orders.count()).toBe(0);
  });

  test('are imported while they are made', async () => {
    const orders = await db.createCollection<Order>('orders');
    const count = 20_000;
    async function* make() {
      for (let i = 0; i < count; i++) {
        if (i % 1000 === 0) await new Promise(setImmediate);
        yield { _key: `k${i}`, qty: i };
      }
    }
    expect(await orders.import(make())).toEqual({
      ...{ created: count, errors: 0, empty: 0, updated: 0, ignored: 0 },
    });
    expect(await orders.count()).toBe(count);
    const again = await orders.import(
      [
        { _key: 'k0', qty: -1 },
        { _key: 'new', qty: 0 },
      ],
      {
        details: true,
      },
    );
    expect(again).toMatchObject({ created: 1, errors: 1 });
    expect(again.details).toHaveLength(1);
    await orders.import([{ _key: 'k0', qty: -1 }], { onDuplicate: 'replace' });
    expect((await orders.get('k0')).qty).toBe(-1);
  });

  test('of a source that throws are no success: its error is told', async () => {
    const orders = await db.createCollection<Order>('orders');
    function* make() {
      for (let i = 0; i < 10_000; i++) yield { qty: i };
      throw new RangeError('out of documents');
    }
    await expect(orders.import(make(), { complete: true })).rejects.toThrow('out of documents');
    await expect.poll(() => orders.count(), { timeout: 5000 }).toBe(0);
  });
});

describe('failures', () => {
  test('an aborted request rejects with the reason of its signal', async () => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(db.collections({ signal })).rejects.toBe(reason);
    const later = new AbortController();
    const orders = await db.createCollection<Order>('orders');
    async function* make() {
      yield { qty: 1 };
      later.abort(reason);
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield { qty: 2 };
    }
    await expect(orders.import(make(), { signal: later.signal })).rejects.toBe(reason);
  });

  test('a closed client answers nothing more', async () => {
    const own = connect(server.url);
    await own.version();
    const { state } = await db.logger.state();
    const waiting = own.use(db.name).log({ from: state.lastLogTick }).next();
    const ended = expect(waiting).rejects.toMatchObject({ errorNum: 1400, status: undefined });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await own.close();
    await ended;
    await expect(own.version()).rejects.toMatchObject({ name: 'TicklogError', errorNum: 1400 });
  });

  test('what is no URL of a server is refused at once', () => {
    expect(() => connect('ftp://somewhere')).toThrow(TypeError);
  });

  test('where nothing listens the error names the server', async () => {
    await using nowhere = connect('http://127.0.0.1:1');
    await expect(nowhere.version()).rejects.toThrow(/no answer from http:\/\/127\.0\.0\.1:1: \S/);
  });
});
