import { describe, expect, it } from 'vitest';
import {
  LeaderScript,
  type ScriptAnswer,
  json,
  loggerState,
  page,
  refusal,
} from '../support/leader-script.ts';
import { SyncFollower, keysOf } from '../support/sync-follower.ts';
import {
  type Listed,
  ORDERS,
  PARAMETERS,
  expectRefused,
  inRun,
  inventory,
  line,
  openScripted,
  ticklogState,
} from '../support/sync-script.ts';

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
    const since = { 'x-ticklog-deletions-since': '1' };
    script.always('GET logger-state', ticklogState(['a']));
    script.next(
      'GET dump',
      page([line(1, 'a')], { checkMore: true, ...inRun('a', since) }),
      (): ScriptAnswer => {
        script.always('GET logger-state', ticklogState(['a', 'b'], '1001'));
        script.next('PUT batch', refusal(400, 1202)).next('POST batch', json({ id: '77' }));
        return { body: '', cut: true };
      },
    );
    script.next('GET dump', page([line(2, 'b')], inRun('b', since)));
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a', 'b']);
    expect(script.seen('POST batch')).toHaveLength(2);
  });

  it('from a leader that lost the batch and compacted is copied anew', async () => {
    const listed = { ...ORDERS, ticklog: { deletionsSince: '0' } };
    await using scripted = await openScripted(listed);
    const { script, follower } = scripted;
    const after = page([line(3, 'b')], inRun('a', { 'x-ticklog-deletions-since': '2' }));
    script.always('GET logger-state', ticklogState(['a']));
    script.next(
      'GET dump',
      page([line(1, 'gone')], { checkMore: true, ...inRun('a') }),
      (): ScriptAnswer => {
        script.next('PUT batch', refusal(404, 1202));
        return refusal(503, 4);
      },
    );
    script.next('GET dump', after, after);
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['b']);
    const froms = script.seen('GET dump').map(({ query }) => query.get('from'));
    expect(froms).toEqual(['0', '1', '1', '0']);
    expect(follower.core.catalogue.hiddenOf(follower.database)).toEqual([]);
  });
});

describe('a collection that the leader says it does not have', () => {
  it('is asked for again while it is listed, and copied whole', async () => {
    await using scripted = await openScripted();
    const { script, follower } = scripted;
    script.next('GET dump', page([line(1, 'a')], { checkMore: true }), refusal(404, 1203));
    script.next('GET dump', page([line(2, 'b')]));
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a', 'b']);
  });

  it('again and again though it is listed ends the sync: half a copy is never put in place', async () => {
    await using scripted = await openScripted();
    const { script } = scripted;
    script.next('GET dump', page([line(1, 'a')], { checkMore: true }));
    script.always('GET dump', refusal(404, 1203));
    await expectRefused(scripted, 1402);
  }, 20_000);

  it('by the words of another server in its place ends the sync', async () => {
    await using scripted = await openScripted();
    const { script } = scripted;
    script.next('GET dump', page([line(1, 'a')], { checkMore: true }), (): ScriptAnswer => {
      script.always('GET logger-state', loggerState({ serverId: '4712' }));
      script.always('GET inventory', inventory());
      return refusal(404, 1203);
    });
    await expectRefused(scripted, 1404);
  });

  it('and no longer lists is left as it is, for the log to drop', async () => {
    await using scripted = await openScripted();
    const { script, follower } = scripted;
    script.next('GET dump', page([line(1, 'a')], { checkMore: true }), (): ScriptAnswer => {
      script.always('GET inventory', inventory());
      return refusal(404, 1203);
    });
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a']);
  });
});

describe('a ticklog leader that changes under the copy, without a request failing', () => {
  const LISTED: Listed = { ...ORDERS, ticklog: { deletionsSince: '0' } };
  const whole = { 'x-ticklog-deletions-since': '0' };

  it('by a restart: another batch is opened, and what it still has goes on being copied', async () => {
    await using scripted = await openScripted(LISTED);
    const { script, follower } = scripted;
    script.always('GET logger-state', ticklogState(['a']));
    script.next(
      'GET dump',
      page([line(1, 'a')], { checkMore: true, ...inRun('a', whole) }),
      (): ScriptAnswer => {
        script.always('GET logger-state', ticklogState(['a', 'b'], '1001'));
        script.next('PUT batch', refusal(404, 1202)).next('POST batch', json({ id: '78' }));
        script.always('DELETE batch/78', { status: 204 });
        return page([line(2, 'b')], inRun('b', whole));
      },
    );
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['a', 'b']);
    expect(script.seen('POST batch')).toHaveLength(2);
    expect(script.surprises).toEqual([]);
  });

  it('by being put back to a backup: the sync ends', async () => {
    await using scripted = await openScripted(LISTED);
    const { script } = scripted;
    script.always('GET logger-state', ticklogState(['a']));
    script.next(
      'GET dump',
      page([line(1, 'a')], { checkMore: true, ...inRun('a', whole) }),
      (): ScriptAnswer => {
        script.always('GET logger-state', ticklogState(['a', 'b'], '900'));
        return page([line(2, 'b')], inRun('b', whole));
      },
    );
    await expectRefused(scripted, 1404);
  });

  it('by compacting removals behind the position: the collection is copied anew', async () => {
    await using scripted = await openScripted(LISTED);
    const { script, follower } = scripted;
    const later = inRun('a', { 'x-ticklog-deletions-since': '2' });
    script.always('GET logger-state', ticklogState(['a']));
    script.next(
      'GET dump',
      page([line(1, 'gone')], { checkMore: true, ...inRun('a', whole) }),
      page([line(3, 'b')], later),
      page([line(3, 'b')], { checkMore: true, ...later }),
      page([line(4, 'c')], later),
    );
    await follower.sync();
    expect(await keysOf(follower.core, 'orders')).toEqual(['b', 'c']);
    expect(script.seen('POST batch')).toHaveLength(1);
    expect(script.surprises).toEqual([]);
  });

  it('by putting another collection in place: everything is copied anew, to a new tick', async () => {
    const links = { parameters: { ...PARAMETERS, cid: '502', name: 'links' }, indexes: [] };
    await using scripted = await openScripted(links, LISTED);
    const { script, follower } = scripted;
    const replaced = inRun('a', { 'x-ticklog-deletions-since': '5000' });
    script.always('GET logger-state', ticklogState(['a']));
    script.next('GET dump', page([line(1, 'old')], inRun('a', whole)), (): ScriptAnswer => {
      const state = { running: true, lastLogTick: '1000' };
      script.always('GET inventory', json({ collections: [links, LISTED], state, tick: '6000' }));
      return page([line(1, 'part')], replaced);
    });
    script.next('GET dump', page([line(5001, 'x')], replaced), page([line(5002, 'y')], replaced));
    const result = await follower.sync();
    expect(result.lastLogTick).toBe(6000n);
    expect(await keysOf(follower.core, 'links')).toEqual(['x']);
    expect(await keysOf(follower.core, 'orders')).toEqual(['y']);
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
    expect(ends).toEqual(['1000', '1000', '1000', '2000', '2000']);
    expect(script.surprises).toEqual([]);
  });
});

describe('an earlier sync', () => {
  it('of a leader that was put back to a backup since is not gone on with', async () => {
    const links = { parameters: { ...PARAMETERS, cid: '502', name: 'links' }, indexes: [] };
    await using scripted = await openScripted(links, ORDERS);
    const { script, follower } = scripted;
    script.always('GET logger-state', ticklogState(['a']));
    script.next('GET dump', page([line(1, 'a')], inRun('a')), refusal(403, 11));
    await expectRefused(scripted, 1402);
    script.always('GET logger-state', ticklogState(['a', 'b'], '900'));
    script.next('GET dump', page([line(1, 'c')], inRun('b')), page([line(1, 'd')], inRun('b')));
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
    script.next('GET dump', page([line(1, 'a')], inRun('a')), refusal(403, 11));
    await expectRefused(scripted, 1402);
    script.always('GET logger-state', ticklogState(['a', 'b'], '1001'));
    const present = { 'x-arango-replication-frompresent': 'true' };
    const headers = { ...present, 'x-arango-replication-lasttick': '1000' };
    script.next('GET logger-follow', page([], { headers }));
    script.next('GET dump', page([line(1, 'd')], inRun('b')));
    const result = await follower.sync();
    expect(result.incarnation).toBe('a');
    expect(await keysOf(follower.core, 'links')).toEqual(['a']);
    expect(await keysOf(follower.core, 'orders')).toEqual(['d']);
    expect(script.seen('GET logger-follow')[0]?.query.get('from')).toBe('1001');
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
