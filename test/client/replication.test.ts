import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import {
  type ApplierState,
  type Client,
  CollectionType,
  connect,
  type DatabaseClient,
  type DumpEntry,
  type LoggerStatus,
  type LogState,
  MarkerType,
  type OpenServer,
  openServer,
} from '../../src/index.ts';
import type * as leader from '../../src/leader/logger.ts';
import '../support/check-client-answers.ts';
import { command, startScriptedServer } from '../support/scripted-server.ts';

let server: OpenServer;
let client: Client;
let db: DatabaseClient;

beforeEach(async () => {
  server = await openServer();
  client = connect(server.url);
  db = client.use();
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

async function lastTick(): Promise<bigint> {
  return (await db.logger.state()).state.lastLogTick;
}

describe('restore', () => {
  const parameters = { name: 'boats', type: CollectionType.document, waitForSync: true };
  const indexes = [{ id: '4711', type: 'hash', unique: true, fields: ['nr'] }];

  test('takes in what another database has, with revisions and ids, and logs it', async () => {
    const boats = await db.createCollection('boats');
    await boats.createIndex({ type: 'hash', fields: ['nr'], unique: true });
    for (const nr of [1, 2, 3]) await boats.insert({ _key: `k${nr}`, nr });
    await boats.remove('k2');
    const [described] = (await db.inventory()).collections;
    await client.databases.create('copy');
    const copy = client.use('copy');
    await copy.restore.collection(described!, { recycleIds: true });
    await copy.restore.data('boats', db.dump('boats'), { recycleIds: true });
    await copy.restore.indexes(described!);
    const options = { withData: true, withRevisions: true };
    const copied = copy.collection('boats');
    expect((await copied.checksum(options)).checksum).toBe(
      (await boats.checksum(options)).checksum,
    );
    expect((await copied.info()).id).toBe((await boats.info()).id);
    expect(await copied.indexes()).toHaveLength(2);
    const types = (await collect(copy.log({ wait: false }))).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining([2000, 2100, 2300]));
  });

  test('refuses a collection that is there, or replaces it', async () => {
    await db.restore.collection({ parameters, indexes });
    await db.restore.indexes({ parameters, indexes });
    const boats = db.collection('boats');
    expect(await boats.properties()).toMatchObject({ waitForSync: true });
    await boats.insert({ nr: 1 });
    await expect(db.restore.collection({ parameters })).rejects.toMatchObject({ errorNum: 1207 });
    expect(await boats.count()).toBe(1);
    await db.restore.collection({ parameters }, { overwrite: true });
    expect(await boats.count()).toBe(0);
    expect(await boats.indexes()).toHaveLength(1);
  });

  test('says which index cannot be made, or passes over it', async () => {
    await db.restore.collection({ parameters });
    await db.collection('boats').insertMany([{ nr: 1 }, { nr: 1 }]);
    const both = [...indexes, { id: '4712', type: 'skiplist', unique: false, fields: ['a'] }];
    await expect(db.restore.indexes({ parameters, indexes: both })).rejects.toMatchObject({
      errorNum: 1210,
    });
    await db.restore.indexes({ parameters, indexes: both }, { force: true });
    const types = (await db.collection('boats').indexes()).map(({ type }) => type);
    expect(types).toEqual(['primary', 'skiplist']);
    await expect(
      db.restore.indexes({ parameters: { name: 'none' }, indexes }),
    ).rejects.toMatchObject({ errorNum: 1203 });
  });

  test('stores all lines or none, and fails with what its source fails with', async () => {
    await db.createCollection('boats');
    const line = (key: string): DumpEntry => ({
      ...{ tick: 1n, type: MarkerType.document, key, rev: '5' },
      data: { _key: key, _rev: '5' },
    });
    const unknown = { ...line('c'), type: 17 } as unknown as DumpEntry;
    await expect(db.restore.data('boats', [line('a'), unknown])).rejects.toMatchObject({
      errorNum: 1406,
    });
    const failing = function* (): Generator<DumpEntry, void, void> {
      yield line('a');
      throw new RangeError('no more');
    };
    await expect(db.restore.data('boats', failing())).rejects.toThrow(new RangeError('no more'));
    expect(await db.collection('boats').count()).toBe(0);
    await db.restore.data('boats', [line('a'), line('b')]);
    expect(await db.collection('boats').count()).toBe(2);
    // Without recycleIds they are new ones.
    expect((await db.collection('boats').get('a'))._rev).not.toBe('5');
  });
});

test('barriers are opened, listed, moved and ended', async () => {
  const tick = await lastTick();
  const id = await db.barriers.create({ tick, ttl: 60 });
  expect(await db.barriers.list()).toEqual([id]);
  await db.barriers.extend(id, { tick: tick + 1n, ttl: 60 });
  await db.barriers.remove(id);
  expect(await db.barriers.list()).toEqual([]);
  const gone = { status: 404, errorNum: 1202 };
  await expect(db.barriers.remove(id)).rejects.toMatchObject(gone);
  await expect(db.barriers.extend(id, { tick, ttl: 60 })).rejects.toMatchObject(gone);
  await expect(db.barriers.create({ tick: 0n, ttl: 60 })).rejects.toMatchObject({ errorNum: 400 });
  await expect(db.barriers.create({ tick, ttl: 0 })).rejects.toMatchObject({ errorNum: 10 });
});

test('a list of keys is of one moment, chunk by chunk, and ends when it is closed', async () => {
  const boats = await db.createCollection<{ nr: number }>('boats');
  const pad = (nr: number): string => `k${String(nr).padStart(3, '0')}`;
  const documents = Array.from({ length: 250 }, (_, nr) => ({ _key: pad(nr), nr }));
  await boats.insertMany(documents);
  const list = await boats.keyList();
  await boats.remove(pad(7));
  expect(list.count).toBe(250);
  const chunkSize = 100;
  const chunks = await list.chunks({ chunkSize });
  expect(chunks.map(({ low, high }) => [low, high])).toEqual([
    [pad(0), pad(99)],
    [pad(100), pad(199)],
    [pad(200), pad(249)],
  ]);
  const keys = await list.keys(2, { chunkSize });
  expect(keys).toHaveLength(50);
  expect(keys[1]).toEqual([pad(201), (await boats.get(pad(201)))._rev]);
  const found = await list.documents(0, [7, 0], { chunkSize });
  expect(found).toMatchObject([
    { _id: `boats/${pad(7)}`, nr: 7 },
    { _id: `boats/${pad(0)}`, nr: 0 },
  ]);
  await list.close();
  await expect(list.chunks()).rejects.toMatchObject({ status: 404, errorNum: 1600 });
  await expect(db.collection('none').keyList()).rejects.toMatchObject({ errorNum: 1203 });
});

describe('jobs', () => {
  test('copy, and follow, while nobody waits', async () => {
    await using other = await openServer();
    await using follower = connect(other.url);
    const boats = await db.createCollection('boats');
    await boats.insert({ _key: 'argo' });
    const endpoint = `tcp://127.0.0.1:${server.endpoint.port}`;
    const copying = await follower.use().startSync({ endpoint });
    const synced = await copying.result();
    expect(synced.collections).toMatchObject([{ name: 'boats' }]);
    expect(synced.lastLogTick).toBe(await lastTick());
    // It was given out.
    await expect(copying.fetch()).rejects.toMatchObject({ status: 404 });
    const making = await follower.use().startMakeFollower({ endpoint });
    const made = await making.result();
    expect(made.state.running).toBe(true);
    expect(made.copied.lastLogTick).toBe(await lastTick());
    await follower.use().applier.stop();
  });

  test('are listed, asked for, and forgotten', async () => {
    await using other = await openServer();
    await using follower = connect(other.url);
    const endpoint = `tcp://127.0.0.1:${server.endpoint.port}`;
    const first = await follower.use().startSync({ endpoint });
    await expect.poll(() => first.isDone()).toBe(true);
    expect(await first.progress()).toMatchObject({
      ...{ id: first.id, done: true, method: 'PUT', sync: null },
      path: '/_db/_system/_api/replication/sync',
    });
    expect(await follower.jobs.list('done')).toEqual([first.id]);
    expect(await follower.jobs.list('pending')).toEqual([]);
    await first.forget();
    await expect(first.isDone()).rejects.toMatchObject({ status: 404 });
    const second = await follower.use().startSync({ endpoint });
    await expect.poll(() => second.isDone()).toBe(true);
    await follower.jobs.forgetAll();
    expect(await follower.jobs.list('done', { count: 5 })).toEqual([]);
  });

  test('fail with what their requests fail with, and a wait ends with its signal', async () => {
    const refused = await db.startSync({ endpoint: 'tcp://127.0.0.1:1' });
    await expect(refused.result()).rejects.toMatchObject({ status: 500, errorNum: 1400 });
    const job = await db.startSync({ endpoint: 'tcp://127.0.0.1:1' });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(job.result({ signal })).rejects.toThrow('enough');
  });
});

test('the logger tells the stretches of its log, and what a part of it cuts off', async () => {
  const from = await lastTick();
  await db.createCollection('boats');
  await db.transaction(['boats'], (trx) => trx.collection('boats').insert({ _key: 'argo' }));
  const [range, ...more] = await db.logger.tickRanges();
  expect([more, range?.tickMin, range?.tickMax]).toEqual([
    ...[[], await db.logger.firstTick(), await lastTick()],
  ]);
  const whole = await db.logger.openTransactions({ from });
  expect(whole).toEqual({ ids: [], resumeAfter: await lastTick(), isFromPresent: true });
  const entries = await collect(db.log({ from, wait: false }));
  const begun = entries.flatMap((entry) =>
    entry.type === MarkerType.transactionStart ? [entry] : [],
  )[0]!;
  const cut = await db.logger.openTransactions({ from, to: begun.tick });
  expect(cut).toMatchObject({ ids: [begun.tid], resumeAfter: BigInt(begun.tid) - 1n });
});

describe('a state has a type for all that the server answers:', () => {
  test('of the logger', async () => {
    expectTypeOf<keyof LogState>().toEqualTypeOf<keyof leader.LoggerState>();
    expectTypeOf<keyof LoggerStatus>().toEqualTypeOf<keyof leader.LoggerStatus>();
    expectTypeOf<keyof LoggerStatus['server']>().toEqualTypeOf<
      keyof leader.LoggerStatus['server']
    >();
    expectTypeOf<keyof LoggerStatus['clients'][0]>().toEqualTypeOf<
      keyof leader.LoggerStatus['clients'][0]
    >();
    const boats = await db.createCollection('boats');
    await boats.insert({ _key: 'argo' });
    const { state, server: answering } = await db.logger.state();
    expect(state.heldEvents).toBe(3);
    expect(state.heldBytes).toBeGreaterThan(100);
    expect(state.lastUncommittedLogTick).toBe(state.lastLogTick);
    const [run, ...later] = answering.incarnations;
    expect([run?.foundTick, later]).toEqual([0n, []]);
    expect(run?.firstTick).toBeLessThanOrEqual(state.firstTick);
    const unknown = db.logger.forget('99');
    await expect(unknown).rejects.toMatchObject({ errorNum: 404 });
  });

  /** The members that there always are, and those that come and go. */
  const MEMBERS = Object.keys({
    ...{ running: 1, phase: 1, since: 1, time: 1, progress: 1, lastError: 1, openTransactions: 1 },
    ...{ lastAppliedContinuousTick: 1, lastProcessedContinuousTick: 1, safeResumeTick: 1 },
    ...{ lastAvailableContinuousTick: 1, totalRequests: 1, totalFailedConnects: 1, totalEvents: 1 },
    ...{ totalOperationsExcluded: 1, totalResyncs: 1, totalIgnoredErrors: 1, lastIgnoredError: 1 },
    ...{ totalFetchTime: 1, averageFetchTime: 1, totalApplyTime: 1, averageApplyTime: 1 },
    ...{
      lastErrors: 1,
      whyStopped: 1,
      whyWaiting: 1,
      nextAttempt: 1,
      ticksBehind: 1,
      secondsBehind: 1,
      sync: 1,
      unfinishedSync: 1,
      following: 1,
      leaderId: 1,
    },
  } satisfies Record<keyof ApplierState, 1>);

  test('of an applier', async () => {
    const boats = await db.createCollection('boats');
    await boats.insert({ _key: 'argo' });
    await using other = await openServer();
    await using follower = connect(other.url);
    const { applier } = follower.use();
    expect(Object.keys((await applier.state()).state)).not.toContain('following');
    await follower.use().makeFollower({ endpoint: server.url });
    const { state } = await applier.state();
    expect(Object.keys(state)).toContain('following');
    expect(Object.keys(state).filter((name) => !MEMBERS.includes(name))).toEqual([]);
    expect(state).toMatchObject({ totalIgnoredErrors: 0, openTransactions: [] });
    await applier.stop();
  });

  test('with ticks that no number can hold', async () => {
    const { state } = await db.applier.state();
    const [tick, startTick] = ['9007199254740993', '9007199254740995'];
    const open = { tid: '7', startTick, stagedLines: 2, stagedBytes: 90, appliedLines: 0 };
    const lastIgnoredError = { tick, errorNum: 1203, errorMessage: 'no such collection' };
    const lastErrors = [lastIgnoredError, { errorNum: 1400, errorMessage: 'no response' }];
    const told = { lastIgnoredError, lastErrors, openTransactions: [open] };
    const body = { state: { ...state, ...told }, server: {} };
    await using scripted = await startScriptedServer({
      [`GET ${command('applier-state')}`]: () => ({ body }),
    });
    await using other = connect(scripted.endpoint);
    expect((await other.use().applier.state()).state).toMatchObject({
      lastIgnoredError: { ...lastIgnoredError, tick: 9007199254740993n },
      lastErrors: [{ tick: 9007199254740993n }, { errorNum: 1400 }],
      openTransactions: [{ ...open, startTick: 9007199254740995n }],
    });
  });
});

test('collections are loaded, unloaded and rotated', async () => {
  const boats = await db.createCollection('boats');
  await expect(boats.rotate()).rejects.toMatchObject({ errorNum: 1105 });
  await boats.insert({ _key: 'argo' });
  await boats.rotate();
  expect([2, 4]).toContain((await boats.unload()).status);
  expect(await boats.load()).toMatchObject({ status: 3, count: 1 });
});
