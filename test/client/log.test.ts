import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type Client,
  connect,
  type DatabaseClient,
  type LogEntry,
  MarkerType,
  type OpenServer,
  openServer,
} from '../../src/index.ts';
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

test('without wait the log is read to its end, in rising order of ticks', async () => {
  const from = await lastTick();
  const boats = await db.createCollection('boats');
  const { _rev } = await boats.insert({ _key: 'argo', oars: 50 });
  await boats.remove('argo');
  const entries = await collect(db.log({ from, wait: false }));
  expect(entries.map(({ type }) => type)).toEqual([
    MarkerType.collectionCreate,
    MarkerType.document,
    MarkerType.remove,
  ]);
  const [, insert, removal] = entries;
  expect(insert).toMatchObject({ cname: 'boats', key: 'argo', rev: _rev, data: { oars: 50 } });
  expect(removal).toMatchObject({ key: 'argo', oldRev: _rev });
  const ticks = entries.map(({ tick }) => tick);
  expect(ticks.every((tick, i) => typeof tick === 'bigint' && tick > (ticks[i - 1] ?? from))).toBe(
    true,
  );
});

test('small pages show every entry once', async () => {
  const from = await lastTick();
  const boats = await db.createCollection('boats');
  await boats.insertMany(Array.from({ length: 200 }, (_, i) => ({ _key: `k${i}` })));
  const entries = await collect(
    db.log({ from, wait: false, chunkSizeBytes: 1, collection: 'boats' }),
  );
  const keys = entries.flatMap((entry) => (entry.type === MarkerType.document ? [entry.key] : []));
  expect(keys).toEqual(Array.from({ length: 200 }, (_, i) => `k${i}`));
});

test('the log goes on with what comes, until the loop is left', async () => {
  const boats = await db.createCollection('boats');
  const from = await lastTick();
  const seen: LogEntry[] = [];
  const reading = (async () => {
    for await (const entry of db.log({ from })) {
      seen.push(entry);
      if (seen.length === 2) break;
    }
  })();
  await boats.insert({ _key: 'one' });
  await expect.poll(() => seen.length).toBe(1);
  await boats.insert({ _key: 'two' });
  await reading;
  expect(seen).toMatchObject([{ key: 'one' }, { key: 'two' }]);
});

test('an abort ends the wait for news with the reason of the signal', async () => {
  const abort = new AbortController();
  const reason = new Error('enough');
  const reading = collect(db.log({ from: await lastTick(), signal: abort.signal }));
  setTimeout(() => abort.abort(reason), 100);
  await expect(reading).rejects.toBe(reason);
});

test('a stop of the server ends the wait for news', async () => {
  const reading = collect(db.log({ from: await lastTick() }));
  const ended = expect(reading).rejects.toMatchObject({ name: 'TicklogError' });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await server.stop();
  await ended;
});

test('to ends the iteration, whether or not there is an event of that tick', async () => {
  const boats = await db.createCollection('boats');
  const from = await lastTick();
  await boats.insert({ _key: 'one' });
  const to = await lastTick();
  await boats.insert({ _key: 'two' });
  expect(await collect(db.log({ from, to }))).toMatchObject([{ key: 'one' }]);
  const other = await db.createCollection('other');
  await other.insert({ _key: 'three' });
  const end = (await lastTick()) - 1n;
  expect(await collect(db.log({ from: to, to: end, collection: 'boats' }))).toMatchObject([
    { key: 'two' },
  ]);
});

test('where events are missing the reader is told, not led over the gap', async () => {
  const boats = await db.createCollection('boats');
  const from = await lastTick();
  await db.logger.stop();
  await boats.insert({ _key: 'unlogged' });
  await db.logger.start();
  await boats.insert({ _key: 'logged' });
  await expect(collect(db.log({ from: from - 1n, wait: false }))).rejects.toMatchObject({
    ...{ name: 'TicklogError', errorNum: 1414 },
  });
  // Who does not say where it begins takes what there is.
  const entries = await collect(db.log({ wait: false }));
  expect(entries.at(-1)).toMatchObject({ key: 'logged' });
});

test('a position beyond the end of the log is told, too', async () => {
  const from = (await lastTick()) + 1000n;
  await expect(collect(db.log({ from }))).rejects.toMatchObject({ errorNum: 1414 });
});

test('a page that is damaged on its way is not shown', async () => {
  await using scripted = await startScriptedServer({
    [`GET ${command('logger-follow')}`]: () => ({
      headers: {
        'x-arango-replication-lastincluded': '7',
        'x-arango-replication-lasttick': '7',
        'x-arango-replication-checkmore': 'false',
        'x-ticklog-crc32': '1',
      },
      body: '{"tick":"7","type":1001,"lastTick":"0"}\n',
    }),
  });
  await using other = connect(scripted.endpoint);
  await expect(collect(other.use().log({ wait: false }))).rejects.toMatchObject({ errorNum: 1401 });
});

test('an inventory and a dump give what is there, as of one tick, and leave no batch behind', async () => {
  const boats = await db.createCollection('boats');
  await boats.insertMany(Array.from({ length: 100 }, (_, i) => ({ _key: `k${i}`, i })));
  await boats.createIndex({ type: 'skiplist', fields: ['i'] });
  const { collections, tick, state } = await db.inventory();
  const [listed] = collections;
  expect(listed?.parameters.name).toBe('boats');
  expect(listed?.indexes).toMatchObject([{ type: 'skiplist' }]);
  expect(state.lastLogTick).toBeLessThanOrEqual(tick);
  await boats.insert({ _key: 'later' });
  const lines = await collect(db.dump('boats', { to: tick, chunkSizeBytes: 512 }));
  expect(lines.map(({ key }) => key)).toEqual(Array.from({ length: 100 }, (_, i) => `k${i}`));
  expect(lines[3]).toMatchObject({ type: MarkerType.document, data: { _key: 'k3', i: 3 } });
  await expect(collect(db.dump('nowhere'))).rejects.toMatchObject({ errorNum: 1203 });
});

test('a dump deletes its batch also when the loop is left', async () => {
  await using scripted = await startScriptedServer({
    [`POST ${command('batch')}`]: () => ({ body: { id: '12' } }),
    [`GET ${command('dump')}`]: () => ({
      headers: {
        'x-arango-replication-lastincluded': '7',
        'x-arango-replication-checkmore': 'true',
      },
      body: '{"tick":"6","type":2302,"key":"a","rev":"6"}\n{"tick":"7","type":2302,"key":"b","rev":"7"}\n',
    }),
    [`DELETE ${command('batch/12')}`]: () => ({ status: 204 }),
  });
  await using other = connect(scripted.endpoint);
  for await (const { tick } of other.use().dump('c')) {
    expect(tick).toBe(6n);
    break;
  }
  expect(scripted.requests.map(({ method }) => method)).toEqual(['POST', 'GET', 'DELETE']);
});

test('the logger is set up, stopped and started', async () => {
  const { logger } = db;
  expect(await logger.configure({ maxEvents: 5000 })).toMatchObject({ maxEvents: 5000 });
  expect(await logger.config()).toMatchObject({ maxEvents: 5000 });
  await expect(logger.configure({ maxEvents: 1 })).rejects.toMatchObject({ errorNum: 1409 });
  await logger.stop();
  expect((await logger.state()).state.running).toBe(false);
  await logger.start();
  const status = await logger.state();
  expect(status.state.running).toBe(true);
  expect(status.server.serverId).toBe(server.serverId);
  expect(await logger.firstTick()).toBe(status.state.firstTick);
});
