import { describe, expect, it } from 'vitest';
import {
  LeaderScript,
  type ScriptAnswer,
  json,
  loggerState,
  page,
  refusal,
} from '../support/leader-script.ts';
import { SyncFollower, documentsOf, keysOf } from '../support/sync-follower.ts';

const PARAMETERS = { type: 2, version: 4, deleted: false };

interface Listed {
  readonly parameters: object;
  readonly indexes: readonly object[];
  readonly ticklog?: object;
}

const ORDERS: Listed = { parameters: { ...PARAMETERS, cid: '501', name: 'orders' }, indexes: [] };

function inventory(...collections: Listed[]): ScriptAnswer {
  return json({ collections, state: { running: true, lastLogTick: '1000' }, tick: '1001' });
}

function line(tick: number, key: string, rest = ''): string {
  const head = `{"tick":"${tick}","type":2300,"key":"${key}","rev":"${tick}"`;
  return `${head},"data":{"_key":"${key}","_rev":"${tick}"${rest}}}`;
}

/** What our own leader says of itself. */
function ticklogState(ids: readonly string[], foundTick = '0'): ScriptAnswer {
  return json({
    state: { running: true, lastLogTick: '1000' },
    server: {
      version: '1.4.3',
      serverId: '4711',
      incarnations: ids.map((id) => ({ id, firstTick: '1', foundTick })),
    },
    clients: [],
  });
}

interface Scripted extends AsyncDisposable {
  readonly script: LeaderScript;
  readonly follower: SyncFollower;
}

/** A 1.4 leader with one collection, and a follower that has an old one of the same name. */
async function openScripted(...listed: Listed[]): Promise<Scripted> {
  const script = await LeaderScript.open();
  script
    .always('GET logger-state', loggerState())
    .always('POST batch', json({ id: '77' }))
    .always('PUT batch/77', { status: 204 })
    .always('DELETE batch/77', { status: 204 })
    .always('GET inventory', inventory(...(listed.length > 0 ? listed : [ORDERS])))
    .always(
      'GET logger-follow',
      page([], { headers: { 'x-arango-replication-lasttick': '1000' } }),
    );
  const follower = await SyncFollower.open(script);
  const { collections, documents } = follower.core;
  const old = await collections.create(follower.database, { name: 'orders' });
  await documents.insert(follower.database, old, '{"_key":"old"}');
  return {
    script,
    follower,
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await script[Symbol.asyncDispose]();
    },
  };
}

async function expectRefused({ script, follower }: Scripted, errorNum: number): Promise<void> {
  await expect(follower.sync()).rejects.toMatchObject({ errorNum });
  expect(await keysOf(follower.core, 'orders')).toEqual(['old']);
  if (script.seen('POST batch').length > 0) {
    expect(script.seen('DELETE batch')).toHaveLength(script.seen('POST batch').length);
  }
}

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

describe('a page that cannot be had', () => {
  it.each<[string, ScriptAnswer]>([
    ['because the leader has a fault', refusal(503, 4)],
    ['because the connection broke', { body: 'x', cut: true }],
    ['because it arrived damaged', page([line(1, 'a')], { headers: { 'x-ticklog-crc32': '5' } })],
  ])('%s is asked for again', async (_what, answer) => {
    await using scripted = await openScripted();
    const { script, follower } = scripted;
    script.next('GET dump', answer, page([line(1, 'a')]));
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a']);
    expect(script.surprises).toEqual([]);
  });

  it('again and again ends the sync with what was wrong last', async () => {
    await using scripted = await openScripted();
    scripted.script.always('GET dump', refusal(503, 4));
    await expectRefused(scripted, 1402);
    expect(scripted.script.seen('GET dump')).toHaveLength(4);
  }, 20_000);

  it('from a server that took the place of the leader ends the sync', async () => {
    await using scripted = await openScripted();
    const { script } = scripted;
    script.next('GET dump', (): ScriptAnswer => {
      script.always('GET logger-state', loggerState({ serverId: '4712' }));
      return refusal(503, 4);
    });
    await expectRefused(scripted, 1404);
  });

  it('from a leader that was put back to a backup ends the sync', async () => {
    await using scripted = await openScripted();
    const { script } = scripted;
    script.always('GET logger-state', ticklogState(['a']));
    script.next('GET dump', (): ScriptAnswer => {
      script.always('GET logger-state', ticklogState(['a', 'b'], '999'));
      return refusal(503, 4);
    });
    await expectRefused(scripted, 1404);
  });

  it('from a leader that was restarted goes on, with another batch', async () => {
    const listed = { ...ORDERS, ticklog: { deletionsSince: '0' } };
    await using scripted = await openScripted(listed);
    const { script, follower } = scripted;
    const headers = { 'x-ticklog-deletions-since': '1' };
    script.always('GET logger-state', ticklogState(['a']));
    script.next(
      'GET dump',
      page([line(1, 'a')], { checkMore: true, headers }),
      (): ScriptAnswer => {
        script.always('GET logger-state', ticklogState(['a', 'b'], '1000'));
        script.next('PUT batch', refusal(400, 1202)).next('POST batch', json({ id: '77' }));
        return { body: '', cut: true };
      },
    );
    script.next('GET dump', page([line(2, 'b')], { headers }));
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a', 'b']);
    expect(script.seen('POST batch')).toHaveLength(2);
  });

  it('from a leader that lost the batch and compacted is copied anew', async () => {
    const listed = { ...ORDERS, ticklog: { deletionsSince: '0' } };
    await using scripted = await openScripted(listed);
    const { script, follower } = scripted;
    const headers = { 'x-ticklog-deletions-since': '2' };
    script.always('GET logger-state', ticklogState(['a']));
    script.next('GET dump', page([line(1, 'gone')], { checkMore: true }), (): ScriptAnswer => {
      script.next('PUT batch', refusal(404, 1202));
      return refusal(503, 4);
    });
    script.next('GET dump', page([line(3, 'b')], { headers }), page([line(3, 'b')], { headers }));
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['b']);
    const froms = script.seen('GET dump').map(({ query }) => query.get('from'));
    expect(froms).toEqual(['0', '1', '1', '0']);
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
  });
});

const UNIQUE: Listed = {
  ...ORDERS,
  indexes: [{ id: '900', type: 'hash', unique: true, fields: ['n'] }],
};

describe('documents that do not satisfy an index', () => {
  it('end the sync with 1210, and the next one begins anew', async () => {
    await using scripted = await openScripted(UNIQUE);
    const { script, follower } = scripted;
    script.next('GET dump', page([line(1, 'a', ',"n":1'), line(2, 'b', ',"n":1')]));
    await expectRefused(scripted, 1210);
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
    expect(await follower.progressRecords()).toBe(0);
    script.next('GET dump', page([line(1, 'a', ',"n":1')]));
    await follower.sync();
    expect(follower.database.get('orders').indexDefinitions).toEqual(UNIQUE.indexes);
  });

  it('in the copies of an earlier sync are copied anew at once', async () => {
    const links = { parameters: { ...PARAMETERS, cid: '502', name: 'links' }, indexes: [] };
    await using scripted = await openScripted(links, UNIQUE);
    const { script, follower } = scripted;
    script.next('GET dump', page([line(1, 'a')]), refusal(403, 11));
    await expectRefused(scripted, 1402);
    script.next(
      'GET dump',
      page([line(1, 'a', ',"n":1'), line(2, 'b', ',"n":1')]),
      page([line(1, 'a')]),
      page([line(1, 'a', ',"n":1'), line(2, 'b', ',"n":2')]),
    );
    script.always('GET logger-state', loggerState({ lastLogTick: '2000' }));
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a', 'b']);
    const ends = script.seen('GET dump').map(({ query }) => query.get('to'));
    expect(ends).toEqual(['1000', '1000', '1000', '1000', '1000']);
    expect(script.surprises).toEqual([]);
  });
});

describe('an earlier sync', () => {
  it('of a leader that was put back to a backup since is not gone on with', async () => {
    const links = { parameters: { ...PARAMETERS, cid: '502', name: 'links' }, indexes: [] };
    await using scripted = await openScripted(links, ORDERS);
    const { script, follower } = scripted;
    script.always('GET logger-state', ticklogState(['a']));
    script.next('GET dump', page([line(1, 'a')]), refusal(403, 11));
    await expectRefused(scripted, 1402);
    script.always('GET logger-state', ticklogState(['a', 'b'], '900'));
    script.next('GET dump', page([line(1, 'c')]), page([line(1, 'd')]));
    const result = await follower.sync();
    expect(result.incarnation).toBe('b');
    expect(await keysOf(follower.core, 'links')).toEqual(['c']);
    expect(script.seen('GET logger-follow')).toEqual([]);
  });

  it('of a leader that was restarted since is gone on with', async () => {
    const links = { parameters: { ...PARAMETERS, cid: '502', name: 'links' }, indexes: [] };
    await using scripted = await openScripted(links, ORDERS);
    const { script, follower } = scripted;
    script.always('GET logger-state', ticklogState(['a']));
    script.next('GET dump', page([line(1, 'a')]), refusal(403, 11));
    await expectRefused(scripted, 1402);
    script.always('GET logger-state', ticklogState(['a', 'b'], '1000'));
    const present = { 'x-arango-replication-frompresent': 'true' };
    const headers = { ...present, 'x-arango-replication-lasttick': '1000' };
    script.next('GET logger-follow', page([], { headers })).next('GET dump', page([line(1, 'd')]));
    const result = await follower.sync();
    expect(result.incarnation).toBe('a');
    expect(await keysOf(follower.core, 'links')).toEqual(['a']);
    expect(await keysOf(follower.core, 'orders')).toEqual(['d']);
    expect(script.seen('GET logger-follow')[0]?.query.get('from')).toBe('1000');
  });
});

describe('the dump batch', () => {
  it('is extended while the sync runs', async () => {
    await using script = await LeaderScript.open();
    await using follower = await SyncFollower.open(script, { batchExtendMs: 50 });
    script
      .always('GET logger-state', loggerState())
      .always('POST batch', json({ id: '77' }))
      .always('PUT batch/77', { status: 204 })
      .always('DELETE batch/77', { status: 204 })
      .always('GET inventory', inventory(ORDERS))
      .always('GET dump', { ...page([line(1, 'a')]), delayMs: 300 });
    await follower.sync();
    const extended = script.seen('PUT batch/77');
    expect(extended.length).toBeGreaterThanOrEqual(2);
    expect(extended[0]?.body).toBe('{"ttl":180}');
    expect(script.requests.at(-1)).toMatchObject({ method: 'DELETE', command: 'batch/77' });
  });

  it('need not be deleted for a sync to succeed', async () => {
    await using scripted = await openScripted();
    const { script, follower } = scripted;
    script.next('DELETE batch/77', refusal(404, 1202)).always('GET dump', page([line(1, 'a')]));
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a']);
  });

  it('must be had: without one nothing is copied', async () => {
    await using scripted = await openScripted();
    scripted.script.next('POST batch', refusal(403, 11));
    await expect(scripted.follower.sync()).rejects.toMatchObject({ errorNum: 1402 });
    expect(scripted.script.seen('GET inventory')).toEqual([]);
  });
});
