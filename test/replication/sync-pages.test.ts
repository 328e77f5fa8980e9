import { describe, expect, it } from 'vitest';
import { type ScriptAnswer, json, loggerState, page, refusal } from '../support/leader-script.ts';
import { documentsOf, keysOf } from '../support/sync-follower.ts';
import {
  ORDERS,
  PARAMETERS,
  expectRefused,
  inventory,
  line,
  openScripted,
} from '../support/sync-script.ts';

describe('before anything is copied', () => {
  it.each<[string, number, ScriptAnswer]>([
    ['a leader of an unknown version', 1403, loggerState({ version: '5.0.0' })],
    ['a leader without an id', 1401, loggerState({ serverId: '0' })],
    ['something that is no leader', 1401, { body: '<html>' }],
    ['an unknown database', 1402, refusal(404, 1228, 'database not found')],
  ])('%s is refused', async (_what, errorNum, answer) => {
    await using scripted = await openScripted();
    scripted.script.next('GET logger-state', answer);
    await expectRefused(scripted, errorNum);
    expect(scripted.script.seen('GET inventory')).toEqual([]);
  });

  it('this server itself is refused', async () => {
    await using scripted = await openScripted();
    const { serverId } = scripted.follower.core.store.server;
    scripted.script.next('GET logger-state', loggerState({ serverId }));
    await expectRefused(scripted, 1405);
  });

  it.each<[string, number, ScriptAnswer]>([
    ['a list with a name twice', 1401, inventory(ORDERS, ORDERS)],
    [
      'an illegal name',
      1208,
      inventory({ parameters: { ...PARAMETERS, cid: '5', name: 'a/b' }, indexes: [] }),
    ],
    [
      'a tick above 2^63',
      10,
      json({
        collections: [],
        state: { running: false, lastLogTick: '0' },
        tick: '9223372036854775808',
      }),
    ],
  ])('%s is refused', async (_what, errorNum, answer) => {
    await using scripted = await openScripted();
    scripted.script.next('GET inventory', answer);
    await expectRefused(scripted, errorNum);
  });
});

describe('pages', () => {
  it.each<[string, number, string]>([
    ['a line that is no JSON', 600, '{"tick":"1","type":2300,'],
    ['a line of an unknown type', 1406, '{"tick":"1","type":2399}'],
    ['a change of a collection', 1406, '{"tick":"1","type":2001,"cid":"501"}'],
    ['a document without a key', 1401, '{"tick":"1","type":2300,"rev":"1","data":{"a":1}}'],
    ['a document without data', 1401, '{"tick":"1","type":2300,"key":"a","rev":"1"}'],
    ['an illegal key', 1221, line(1, 'a b')],
    [
      'an edge among documents',
      1218,
      '{"tick":"1","type":2301,"key":"a","rev":"1","data":{"_key":"a","_rev":"1","_from":"a/b","_to":"a/c"}}',
    ],
    [
      'a revision above 2^63',
      10,
      line(1, 'a').replaceAll('"rev":"1"', '"rev":"9223372036854775808"'),
    ],
  ])('%s ends the sync and changes nothing', async (_what, errorNum, bad) => {
    await using scripted = await openScripted();
    scripted.script.always('GET dump', page([bad], { lastIncluded: '1' }));
    await expectRefused(scripted, errorNum);
  });

  it('a document among edges ends the sync', async () => {
    const edges = {
      parameters: { ...PARAMETERS, type: 3, cid: '501', name: 'orders' },
      indexes: [],
    };
    await using scripted = await openScripted(edges);
    scripted.script.always('GET dump', page([line(1, 'a')]));
    await expectRefused(scripted, 1218);
  });

  it('edges may come as documents with ends, numbers keep their spelling, _id is left out', async () => {
    const edges = {
      parameters: { ...PARAMETERS, type: 3, cid: '501', name: 'orders' },
      indexes: [],
    };
    await using scripted = await openScripted(edges);
    const { script, follower } = scripted;
    const data =
      '{"w":1.50,"_id":"orders/e","_rev":"7","_key":"e","_to":"b/2","big":12345678901234567890,"_from":"a/1"}';
    script.always('GET dump', page([`{"tick":"9","type":2300,"data":${data}}`]));
    await follower.sync();
    const orders = follower.database.get('orders');
    const stored = follower.core.store.readLine(orders.number, 'e')?.line;
    expect(stored).toMatch(
      /"type":2301,"key":"e","rev":"7","data":\{"_key":"e","_rev":"7","_from":"a\/1","_to":"b\/2","w":1.50,"big":12345678901234567890\}\}$/,
    );
  });

  it('lines without ticks are copied too', async () => {
    await using scripted = await openScripted();
    const { script, follower } = scripted;
    const lines = [line(1, 'a'), line(2, 'b')].map((each) => each.replace(/"tick":"\d+",/, ''));
    script.always('GET dump', page(lines, { lastIncluded: '2' }));
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a', 'b']);
  });

  it('of several lines for one key the last one counts', async () => {
    await using scripted = await openScripted();
    const { script, follower } = scripted;
    const removal = '{"tick":"4","type":2302,"key":"b","rev":"4"}';
    script.next(
      'GET dump',
      page([line(1, 'a', ',"n":1'), line(2, 'b'), line(3, 'a', ',"n":2')], { checkMore: true }),
      page([removal, '{"tick":"5","type":2302,"key":"zz","rev":"5"}']),
    );
    await follower.sync();
    const orders = follower.database.get('orders');
    expect(await documentsOf(follower.core.store, orders)).toEqual({
      a: { _key: 'a', _rev: '3', n: 2 },
    });
    expect(orders.stats).toMatchObject({ count: 1, entries: 5, dead: 4 });
  });

  it('a leader that says there is more and does not go on is refused', async () => {
    await using scripted = await openScripted();
    scripted.script.always('GET dump', page([line(1, 'a')], { checkMore: true }));
    await expectRefused(scripted, 1401);
    expect(scripted.script.seen('GET dump')).toHaveLength(2);
  });

  it('are asked for up to the tick of the log, of leaders with a log of their own kind after a flush', async () => {
    await using scripted = await openScripted();
    const { script, follower } = scripted;
    script.next('GET dump', page([line(1, 'a')], { checkMore: true }), page([line(2, 'b')]));
    await follower.sync({ chunkSizeBytes: 4096 });
    const [first, second] = script.seen('GET dump').map(({ query }) => Object.fromEntries(query));
    const common = { collection: '501', chunkSize: '4096', to: '1000' };
    expect(first).toMatchObject({ ...common, from: '0', flush: 'true', flushWait: '5' });
    expect(second).toMatchObject({ ...common, from: '1', flush: 'false' });
  });
});
