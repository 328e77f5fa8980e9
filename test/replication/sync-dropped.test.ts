import { describe, expect, test } from 'vitest';
import { LiveServer } from '../support/live-server.ts';

/** Collections that a leader has dropped, and those that are none of its business. */
describe('a repeated sync', () => {
  test('drops what once came from the leader and is gone there, and keeps what is only here', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    for (const name of ['kept', 'dropped']) {
      await leader.create(name);
      await leader.put(name, 'a');
    }
    await follower.create('own');
    await follower.put('own', 'x');
    await follower.sync(leader);
    await follower.restart();
    await leader.drop('dropped');
    expect(await follower.sync(leader)).toEqual(['kept']);
    expect(await follower.names()).toEqual(['kept', 'own']);
    expect(await follower.api.count('own')).toBe(1);
  });

  test('drops nothing outside of what it copies', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    const second = { database: 'second' };
    const make = async (): Promise<void> => {
      await leader.api.http.json('POST', '/_api/database', '{"name":"second"}');
    };
    await make();
    for (const name of ['aa', 'bb', 'cc', '_dd']) {
      const body = JSON.stringify({ name, isSystem: name.startsWith('_') });
      await leader.api.http.json('POST', '/_db/second/_api/collection', body);
    }
    await follower.sync(leader, second);
    await leader.api.http.json('DELETE', '/_api/database/second');
    await make();
    await follower.sync(leader, {
      ...second,
      restrictType: 'include',
      restrictCollections: ['aa'],
    });
    expect(await follower.names()).toEqual(['_dd', 'bb', 'cc']);
    await follower.sync(leader, {
      ...second,
      restrictType: 'exclude',
      restrictCollections: ['cc', '_dd'],
    });
    expect(await follower.names()).toEqual(['_dd', 'cc']);
    await follower.sync(leader, { ...second, includeSystem: false });
    expect(await follower.names()).toEqual(['_dd']);
    await follower.sync(leader, second);
    expect(await follower.names()).toEqual([]);
  });

  test('drops nothing that came from another leader, or another database of the same one', async () => {
    await using leader = await LiveServer.start();
    await using other = await LiveServer.start();
    await using follower = await LiveServer.start();
    await leader.create('mine');
    await leader.api.http.json('POST', '/_api/database', '{"name":"second"}');
    await leader.api.http.json('POST', '/_db/second/_api/collection', '{"name":"seconds"}');
    await other.create('others');
    await follower.sync(leader);
    await follower.sync(leader, { database: 'second' });
    await follower.sync(other);
    expect(await follower.names()).toEqual(['mine', 'others', 'seconds']);
    await leader.drop('mine');
    await follower.sync(leader);
    expect(await follower.names()).toEqual(['others', 'seconds']);
  });

  test('keeps what a client has given a name of its own, unless the leader still has it', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    for (const name of ['gone', 'there']) await leader.create(name);
    await follower.sync(leader);
    await follower.rename('gone', 'backup1');
    await follower.rename('there', 'backup2');
    await leader.drop('gone');
    await follower.sync(leader);
    expect(await follower.names()).toEqual(['backup1', 'there']);
  });

  test('drops what the applier has made and what it has renamed, when the leader loses them unseen', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    await follower.configure(leader);
    await follower.sync(leader);
    await leader.create('made');
    await leader.create('old');
    await leader.rename('old', 'new');
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
    await leader.drop('made');
    await leader.drop('new');
    await follower.sync(leader);
    expect(await follower.names()).toEqual([]);
  });

  test('of a part leaves to an applier behind it what that has still to read', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    await leader.create('aa');
    await leader.create('bb');
    await follower.configure(leader);
    await follower.sync(leader);
    await leader.put('bb', 'late');
    await leader.drop('bb');
    await follower.sync(leader, { restrictType: 'include', restrictCollections: ['aa', 'bb'] });
    // The applier writes to it before it comes to the drop.
    expect(await follower.names()).toEqual(['aa', 'bb']);
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('of a part, of a collection made anew meanwhile, does not disturb an applier behind it', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    await leader.create('aa');
    await follower.configure(leader);
    await follower.sync(leader);
    await leader.put('aa', 'first');
    await leader.drop('aa');
    await leader.create('aa', 3);
    await leader.putEdge('aa', 'second');
    await follower.sync(leader, { restrictType: 'include', restrictCollections: ['aa'] });
    await leader.putEdge('aa', 'later');
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('of a part never makes an applier pass over a collection that it has put out of its place', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    await leader.create('aa');
    await leader.put('aa', 'before');
    await follower.configure(leader);
    await follower.sync(leader);
    await leader.put('aa', 'k');
    await leader.rename('aa', 'bb');
    await leader.create('aa');
    await follower.sync(leader, { restrictType: 'include', restrictCollections: ['aa'] });
    // What the leader calls bb was here as aa; its documents are there.
    expect(await follower.names()).toHaveLength(2);
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
  });

  test('of a part does not hide from the applier that its leader was put back to a backup', async () => {
    await using leader = await LiveServer.start();
    await using follower = await LiveServer.start();
    await leader.create('aa');
    await leader.create('bb');
    await leader.backUp();
    await follower.configure(leader);
    await follower.sync(leader);
    await leader.put('bb', ...Array.from({ length: 50 }, (_, i) => `lost${i}`));
    await follower.follow(leader);
    await leader.putBack();
    await follower.configure(leader);
    await follower.sync(leader, { restrictType: 'include', restrictCollections: ['aa'] });
    await follower.api.startApplier();
    expect(await follower.stopped()).toMatchObject({ errorNum: 1404 });
    await follower.sync(leader);
    await follower.follow(leader);
    expect(await follower.differences(leader)).toEqual([]);
  });
});
