import { describe, expect, test, vi } from 'vitest';
import {
  LeaderScript,
  type ScriptAnswer,
  json,
  loggerState,
  page,
  refusal,
} from '../support/leader-script.ts';
import { SyncFollower, documentsOf, keysOf } from '../support/sync-follower.ts';
import { type Scene, STATE, applied, log, openScene } from './applier-scene.ts';

const TAIL = 'PUT wal/tail';
const CUID = 'h1A2B/900';

/** A line of `wal/tail`. */
function event(tick: number, type: number, more: Record<string, unknown> = {}): string {
  return JSON.stringify({ tick: String(tick), type, db: '_system', ...more });
}

function put(tick: number, key: string, tid = 0, cuid = CUID): string {
  const data = { _id: `orders/${key}`, _key: key, _rev: `_aBc${tick}---`, tick };
  return event(tick, 2300, { tid: String(tid), cuid, data });
}

function remove(tick: number, key: string, tid = 0): string {
  const data = { _key: key, _rev: `_aBc${tick}---` };
  return event(tick, 2302, { tid: String(tid), cuid: CUID, data });
}

function create(tick: number, cid: string, name: string, cuid: string): string {
  const parameters = { cid, name, type: 2, globallyUniqueId: cuid, isSystem: name.startsWith('_') };
  return event(tick, 2000, { cuid, data: { ...parameters, indexes: [] } });
}

const CREATED = create(101, '900', 'orders', CUID);

/** A page; `scanned` is the last tick that was looked at. */
function tail(lines: readonly string[], lastTick: number, scanned = lastTick): ScriptAnswer {
  const headers = { 'x-arango-replication-lastscanned': String(scanned) };
  return log(lines, { lastTick, headers });
}

function idle(lastTick: number): ScriptAnswer {
  return { ...tail([], lastTick), delayMs: 20 };
}

async function open(version = '3.8.4'): Promise<Scene> {
  const scene = await openScene();
  scene.script.always(STATE, loggerState({ version }));
  return scene;
}

async function orders({ follower }: Scene): Promise<Record<string, unknown>> {
  return documentsOf(follower.core.store, follower.database.get('orders'));
}

describe('a leader from 3.4 on', () => {
  test('is followed by wal/tail, and its collections known by their global ids', async () => {
    const scene = await open();
    const { script, follower } = scene;
    const renamed = event(104, 2002, { cuid: CUID, data: { name: 'sales', oldName: 'orders' } });
    const index = { id: '77001', type: 'persistent', fields: ['tick'], unique: false };
    script
      .next(TAIL, tail([CREATED, put(102, 'a'), put(103, 'b')], 110, 103))
      .next(
        TAIL,
        tail(
          [
            ...[renamed, put(105, 'c'), remove(106, 'a')],
            ...[event(107, 2100, { cuid: CUID, data: index }), event(108, 2110, { data: {} })],
          ],
          110,
        ),
      )
      .always(TAIL, idle(110));
    await scene.start(100n);
    // Before the first answer nothing is known to be behind.
    const state = await follower.until(
      (seen) => seen.secondsBehind === 0 && BigInt(seen.lastAppliedContinuousTick ?? 0) >= 108n,
    );
    expect(state).toMatchObject({ lastError: { errorNum: 0 }, totalOperationsExcluded: 1 });
    const sales = follower.database.get('sales');
    expect([sales.cid, sales.indexDefinitions.map(({ id }) => id)]).toEqual(['900', ['77001']]);
    const documents = await documentsOf(follower.core.store, sales);
    expect(documents).toEqual({
      b: { _key: 'b', _rev: '_aBc103---', tick: 103 },
      c: { _key: 'c', _rev: '_aBc105---', tick: 105 },
    });
    const queries = script.seen(TAIL).map(({ query }) => query);
    expect(queries[0]?.get('from')).toBe('100');
    expect(queries[0]?.get('lastScanned')).toBe('0');
    expect(queries[1]?.get('lastScanned')).toBe('103');
    expect(script.seen(TAIL)[0]?.body).toBe('[]');
    expect(script.surprises).toEqual([]);
  });

  test('gives the lines of a transaction one tick with its begin and its end; none is left out', async () => {
    const scene = await open();
    const { script, follower } = scene;
    const begin = event(110, 2200, { tid: '5' });
    const commit = event(111, 2201, { tid: '5' });
    const lines = [CREATED, begin, put(110, 'a', 5), put(111, 'b', 5), commit, put(112, 'c')];
    script.next(TAIL, tail(lines, 112)).always(TAIL, idle(112));
    await scene.start(100n);
    await follower.until(applied(112));
    expect(Object.keys(await orders(scene))).toEqual(['a', 'b', 'c']);
  });

  test.each([1, 2, 3, 4, 5])(
    'whose transaction is cut off after %i lines, by a page and a restart, is asked for its last tick again',
    async (count) => {
      const scene = await open();
      const { script, follower } = scene;
      const begin = event(110, 2200, { tid: '5' });
      const commit = event(111, 2201, { tid: '5' });
      const lines = [CREATED, begin, put(110, 'a', 5), put(111, 'b', 5), commit, put(112, 'c')];
      const tickOf = (line: string): number => Number((JSON.parse(line) as { tick: string }).tick);
      script
        .next(TAIL, { ...tail(lines.slice(0, count), 112, 1), delayMs: 0 })
        .next(TAIL, { ...idle(112), delayMs: 60_000 });
      await scene.start(100n);
      const position = tickOf(lines[count - 1] ?? '');
      await follower.until(({ lastProcessedContinuousTick: tick }) => tick === String(position));
      // The answer that is held must have been taken; else the next run gets it.
      await vi.waitFor(() => expect(script.seen(TAIL)).toHaveLength(2), 20_000);
      await follower.restart();
      // As the leader does: what is behind the tick that it is asked from.
      script.next(TAIL, ({ query }) => {
        const from = Number(query.get('from'));
        return tail(
          lines.filter((line) => tickOf(line) > from),
          112,
        );
      });
      script.always(TAIL, idle(112));
      await follower.applier.start();
      await follower.until(applied(112));
      expect(Object.keys(await orders(scene))).toEqual(['a', 'b', 'c']);
      expect(follower.state.openTransactions).toEqual([]);
    },
  );

  test('has collections that are not followed, of which no line says the name', async () => {
    const scene = await open();
    const { script, follower } = scene;
    const lines = [
      ...[CREATED, create(102, '901', 'secret', 'h1A2B/901'), put(103, 'x', 0, 'h1A2B/901')],
      ...[put(104, 'y', 0, '_statistics'), put(105, 'a')],
      event(106, 2100, { cuid: 'h1A2B/901', data: { id: '5', type: 'hash', fields: ['a'] } }),
    ];
    script.next(TAIL, tail(lines, 106)).always(TAIL, idle(106));
    await scene.start(100n, { restrictType: 'exclude', restrictCollections: ['secret'] });
    const state = await follower.until(applied(106));
    expect(state.totalOperationsExcluded).toBe(4);
    expect(follower.database.byName('secret')).toBeUndefined();
    expect(Object.keys(await orders(scene))).toEqual(['a']);
  });

  test('whose collection is neither here nor left out stops it with 1203', async () => {
    const scene = await open();
    scene.script.always(TAIL, tail([put(102, 'a')], 102));
    await scene.start(100n);
    expect((await scene.follower.stopped()).lastError.errorNum).toBe(1203);
  });

  test('with MMFiles is followed in the same way', async () => {
    const scene = await open();
    scene.script.always(
      STATE,
      json({
        state: { running: true, lastLogTick: '1000', totalEvents: 1, time: '2020-01-01T00:00:00Z' },
        server: { version: '3.5.0', serverId: '4711', engine: 'mmfiles' },
        clients: [],
      }),
    );
    scene.script.next(TAIL, tail([CREATED, put(102, 'a')], 102)).always(TAIL, idle(102));
    await scene.start(100n);
    await scene.follower.until(applied(102));
  });
});

const ORDERS = {
  parameters: {
    ...{ id: '900', cid: '900', name: 'orders', type: 2, globallyUniqueId: CUID },
    ...{ version: 7, deleted: false, status: 3, usesRevisionsAsDocumentIds: true },
  },
  indexes: [
    { id: '0', type: 'primary', fields: ['_key'], unique: true },
    { id: '901', type: 'persistent', fields: ['n'], unique: false, sparse: false, name: 'byN' },
  ],
};

function dumped(...keys: readonly string[]): string[] {
  return keys.map((key) =>
    JSON.stringify({
      type: 2300,
      data: { _id: `orders/${key}`, _key: key, _rev: '_aBcDeFg---', n: 1 },
    }),
  );
}

async function openSnapshot(): Promise<LeaderScript> {
  const script = await LeaderScript.open();
  return script
    .always(STATE, loggerState({ version: '3.8.4' }))
    .always('PUT batch', { status: 204 })
    .always('DELETE batch', { status: 204 })
    .always(
      'GET inventory',
      json({
        collections: [ORDERS],
        views: [],
        state: { running: true, lastLogTick: '1500' },
        tick: '1600',
      }),
    );
}

describe('the snapshot of a leader from 3.4 on', () => {
  test('is copied under the name of its batch, and ends at its tick', async () => {
    await using script = await openSnapshot();
    script
      .next('POST batch', json({ id: '77', lastTick: '1500' }))
      .next('GET dump', page(dumped('a', 'b'), { checkMore: true, lastIncluded: '1' }))
      .next('GET dump', page(dumped('c'), { lastIncluded: '2' }));
    await using follower = await SyncFollower.open(script);
    const result = await follower.sync();
    expect(result).toMatchObject({ lastLogTick: 1500n, collections: [{ id: '900' }] });
    const collection = follower.database.get('orders');
    expect(await documentsOf(follower.core.store, collection)).toMatchObject({
      a: { _key: 'a', _rev: '_aBcDeFg---', n: 1 },
      b: {},
      c: {},
    });
    expect(collection.indexDefinitions.map(({ id }) => id)).toEqual(['901']);
    expect(collection.parameters.extra).toMatchObject({ globallyUniqueId: CUID });
    const asked = [...script.seen('GET inventory'), ...script.seen('GET dump')];
    expect(asked.map(({ query }) => query.get('batchId'))).toEqual(['77', '77', '77']);
    expect(script.seen('POST barrier')).toEqual([]);
    expect(script.surprises).toEqual([]);
  });

  test.each<[string, ScriptAnswer]>([
    ['that breaks off', { ...page(dumped('x')), cut: true }],
    ['that is refused as the batch is gone', refusal(404, 1600, 'cursor not found')],
    ['that is a fault of the leader', { status: 500 }],
  ])('is begun anew after a page %s, since it is not sent again', async (_what, bad) => {
    await using script = await openSnapshot();
    script
      .next('POST batch', json({ id: '77', lastTick: '1500' }))
      .next('POST batch', json({ id: '78', lastTick: '1700' }))
      .next('GET dump', page(dumped('a', 'b'), { checkMore: true, lastIncluded: '1' }), bad)
      .next('GET dump', page(dumped('a', 'c')));
    await using follower = await SyncFollower.open(script);
    expect((await follower.sync()).lastLogTick).toBe(1700n);
    expect(await keysOf(follower.core, 'orders')).toEqual(['a', 'c']);
    expect(script.seen('DELETE batch').map(({ command }) => command)).toEqual([
      'batch/77',
      'batch/78',
    ]);
  });

  test('that is lost again and again is given up; what was there stays', async () => {
    await using script = await openSnapshot();
    script
      .always('POST batch', json({ id: '77', lastTick: '1500' }))
      .always('GET dump', { status: 503 });
    await using follower = await SyncFollower.open(script, { fetchRetries: 2 });
    const { collections, documents } = follower.core;
    const old = await collections.create(follower.database, { name: 'orders' });
    await documents.insert(follower.database, old, '{"_key":"old"}');
    await expect(follower.sync()).rejects.toMatchObject({ errorNum: 1402 });
    expect(script.seen('POST batch')).toHaveLength(3);
    expect(await keysOf(follower.core, 'orders')).toEqual(['old']);
    expect(await follower.progressRecords()).toBe(0);
  });
});
