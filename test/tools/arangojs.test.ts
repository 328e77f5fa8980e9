import { Database } from 'arangojs';
import { describe, expect, test } from 'vitest';
import { openServer } from '../../src/open-server.ts';

/** ArangoDB's own driver for JavaScript, which asks for the shapes of 3.x. */
describe('the driver arangojs', () => {
  test('makes databases and collections, and finds what they are', async () => {
    await using server = await openServer();
    const system = new Database({ url: server.url });
    expect(await system.version()).toMatchObject({ server: 'arango' });
    const shop = await system.createDatabase('shop');
    expect(await shop.exists()).toBe(true);
    expect((await system.databases()).map(({ name }) => name)).toEqual(['_system', 'shop']);
    const orders = shop.collection('orders');
    await orders.create();
    await shop.createEdgeCollection('links');
    expect((await shop.collections()).map(({ name }) => name).sort()).toEqual(['links', 'orders']);
    expect(await orders.properties()).toMatchObject({ name: 'orders', waitForSync: false });
    const index = { type: 'persistent' as const, fields: ['qty'], unique: false };
    expect(await orders.ensureIndex(index)).toMatchObject({ type: 'persistent', fields: ['qty'] });
    expect((await orders.indexes()).map(({ type }) => type)).toEqual(['primary', 'persistent']);
    expect((await orders.rename('sales')).name).toBe('sales');
    await shop.collection('links').drop();
    expect(await system.dropDatabase('shop')).toBe(true);
  });

  test('writes and reads single documents, with their revisions as conditions', async () => {
    await using server = await openServer();
    const db = new Database({ url: server.url });
    const orders = await db.createCollection('orders');
    const { _rev: first } = await orders.save({ _key: 'a1', qty: 3 });
    const updated = await orders.update('a1', { more: 1 }, { returnOld: true, returnNew: true });
    expect(updated).toMatchObject({ old: { qty: 3 }, new: { qty: 3, more: 1 }, _oldRev: first });
    const stale = orders.replace('a1', { x: 1 }, { ifMatch: first });
    await expect(stale).rejects.toMatchObject({ code: 412, errorNum: 1200 });
    await orders.replace('a1', { x: 1 }, { ifMatch: updated._rev });
    expect(await orders.document('a1')).toMatchObject({ _key: 'a1', x: 1 });
    expect(await orders.document('nope', { graceful: true })).toBeNull();
    expect(await orders.documentExists('a1')).toBe(true);
    await orders.save({ _key: 'a1', y: 1 }, { overwriteMode: 'replace' });
    await orders.remove('a1');
    expect(await orders.documentExists('a1')).toBe(false);
  });

  test('writes and reads many documents at once', async () => {
    await using server = await openServer();
    const db = new Database({ url: server.url });
    const orders = await db.createCollection('orders');
    const saved = await orders.saveAll([{ _key: 'b1' }, { _key: 'b2' }, { _key: 'b1' }]);
    expect(saved).toMatchObject([{ _key: 'b1' }, { _key: 'b2' }, { error: true, errorNum: 1210 }]);
    await orders.updateAll([{ _key: 'b1', z: 1 }]);
    const found = await orders.documents(['b1', 'nope']);
    expect(found).toMatchObject([
      { _key: 'b1', z: 1 },
      { error: true, errorNum: 1202 },
    ]);
    await orders.removeAll(['b1', 'b2']);
    expect(await orders.import([{ _key: 'i1' }, { _key: 'i2' }])).toMatchObject({ created: 2 });
    expect(await orders.count()).toMatchObject({ count: 2 });
    await orders.truncate();
    expect(await orders.count()).toMatchObject({ count: 0 });
  });

  test('runs transactions', async () => {
    await using server = await openServer();
    const db = new Database({ url: server.url });
    const orders = await db.createCollection('orders');
    const kept = await db.beginTransaction({ write: ['orders'] });
    await kept.step(() => orders.save({ _key: 't1' }));
    expect(await orders.documentExists('t1')).toBe(false);
    expect(await kept.commit()).toMatchObject({ status: 'committed' });
    expect(await orders.documentExists('t1')).toBe(true);
    const dropped = await db.beginTransaction({ write: ['orders'] });
    await dropped.step(() => orders.save({ _key: 't2' }));
    await dropped.abort();
    expect(await orders.documentExists('t2')).toBe(false);
  });

  test('is told what is not offered, and what to use instead', async () => {
    await using server = await openServer();
    const query = new Database({ url: server.url }).query('RETURN 1');
    await expect(query).rejects.toMatchObject({ code: 501, errorNum: 9 });
  });

  test('logs in, and manages users and their rights', async () => {
    await using server = await openServer({ authentication: true, rootPassword: 'r00t' });
    const anybody = new Database({ url: server.url });
    await expect(anybody.version()).rejects.toMatchObject({ code: 401 });
    const root = new Database({ url: server.url, auth: { username: 'root', password: 'r00t' } });
    await root.createDatabase('shop', { users: [{ username: 'clerk', passwd: 'c' }] });
    await root.createUser('ada', { passwd: 'a', extra: { team: 1 } });
    expect((await root.listUsers()).map(({ user }) => user)).toEqual(['ada', 'clerk', 'root']);
    await root.setUserAccessLevel('ada', { database: 'shop' }, 'ro');
    expect(await root.getUserAccessLevel('ada', { database: 'shop' })).toBe('ro');
    expect(await root.getUserDatabases('ada')).toEqual({ shop: 'ro' });
    const clerk = new Database({ url: server.url, databaseName: 'shop' });
    await clerk.login('clerk', 'c');
    const orders = await clerk.createCollection('orders');
    await orders.save({ _key: 'o1' });
    const ada = new Database({
      ...{ url: server.url, databaseName: 'shop', auth: { username: 'ada', password: 'a' } },
    });
    expect(await ada.listUserDatabases()).toEqual(['shop']);
    expect(await ada.collection('orders').document('o1')).toMatchObject({ _key: 'o1' });
    const save = ada.collection('orders').save({});
    await expect(save).rejects.toMatchObject({ code: 403, errorNum: 11 });
    expect(await root.updateUser('ada', { active: false })).toMatchObject({ active: false });
    await expect(ada.version()).rejects.toMatchObject({ code: 401 });
    expect(await root.replaceUser('ada', { passwd: 'b' })).toMatchObject({
      active: true,
      extra: {},
    });
    await root.clearUserAccessLevel('ada', { database: 'shop' });
    expect(await root.getUserAccessLevel('ada', { database: 'shop' })).toBe('none');
    await root.removeUser('ada');
    await expect(root.getUser('ada')).rejects.toMatchObject({ code: 404, errorNum: 1703 });
  });
});
