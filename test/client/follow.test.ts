import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { feedEvents } from '../../src/client/feed-events.ts';
import type { TicklogError } from '../../src/index.ts';
import {
  type Client,
  connect,
  type FeedEntry,
  type FollowOptions,
  type OpenServer,
  type OpenServerOptions,
  openServer,
  PlaceLostError,
} from '../../src/index.ts';
import { command, startScriptedServer } from '../support/scripted-server.ts';
import { makeTempDir } from '../support/temp-dir.ts';

async function start(options: OpenServerOptions = {}): Promise<OpenServer> {
  const server = await openServer(options);
  onTestFinished(() => server.stop());
  return server;
}

function clientOf(url: string, options: Parameters<typeof connect>[1] = {}): Client {
  const client = connect(url, options);
  onTestFinished(() => client.close());
  return client;
}

/** Reads a feed beside the test. */
class Reading {
  readonly entries: FeedEntry[] = [];
  readonly done: Promise<void>;
  readonly #stop = new AbortController();

  constructor(client: Client, options: FollowOptions & { database?: string } = {}) {
    this.done = this.#run(client, { ...options, signal: this.#stop.signal });
    this.done.catch(() => undefined);
    onTestFinished(() => this.stop().catch(() => undefined));
  }

  async #run(client: Client, options: FollowOptions): Promise<void> {
    for await (const entry of client.follow(options)) this.entries.push(entry);
  }

  keys(): string[] {
    return this.entries.flatMap((entry) => ('key' in entry ? [entry.key] : []));
  }

  until(keys: readonly string[]): Promise<void> {
    return expect.poll(() => this.keys(), { timeout: 15_000 }).toEqual(keys);
  }

  /** Resolves when the iteration has ended. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.done;
  }
}

async function lastTick(client: Client): Promise<bigint> {
  return (await client.use().logger.state()).state.lastLogTick;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('entries come typed, told apart by their operation, until the signal is aborted', async () => {
  const client = clientOf((await start()).url);
  const from = await lastTick(client);
  const reading = new Reading(client, { from });
  const boats = await client.use().createCollection('boats');
  const { _rev } = await boats.insert({ _key: 'argo', oars: 50 });
  await boats.update('argo', { oars: 49 });
  await boats.remove('argo');
  await reading.until(['argo', 'argo', 'argo']);
  await expect(reading.stop()).resolves.toBeUndefined();
  const { entries } = reading;
  expect(entries.map(({ operation }) => operation)).toEqual([
    ...['createCollection', 'insert', 'update', 'remove'],
  ]);
  const [, , update] = entries;
  if (update?.operation !== 'update') throw new Error('it is an update');
  expect([update.oldRev, update.data['oars']]).toEqual([_rev, 49]);
  expect(entries.every(({ tick }, i) => tick > (entries[i - 1]?.tick ?? from))).toBe(true);
});

test('the loop can be left, and begun again where it was', async () => {
  const client = clientOf((await start()).url);
  const boats = await client.use().createCollection('boats');
  const keys = ['a', 'b', 'c'];
  for (const _key of keys) await boats.insert({ _key });
  const seen: string[] = [];
  let from: bigint | undefined;
  for (let i = 0; i < keys.length; i++) {
    for await (const entry of client.follow({ from, collection: 'boats' })) {
      from = entry.tick;
      if (entry.operation !== 'insert') continue;
      seen.push(entry.key);
      break;
    }
  }
  expect(seen).toEqual(keys);
});

test('collection and system collections are chosen', async () => {
  const client = clientOf((await start()).url);
  const db = client.use();
  const from = await lastTick(client);
  const [boats, tasks] = [
    await db.createCollection('boats'),
    await db.createCollection('_tasks', { isSystem: true }),
  ];
  const own = new Reading(client, { from, includeSystem: false });
  const one = new Reading(client, { from, collection: '_tasks' });
  const now = new Reading(client, { from: 'now' });
  await tasks.insert({ _key: 't' });
  await boats.insert({ _key: 'b' });
  await own.until(['b']);
  await one.until(['t']);
  // It may have begun behind any of the writes.
  await expect
    .poll(async () => {
      await boats.insert({});
      return now.keys().length > 0;
    })
    .toBe(true);
  const nowhere = client.follow({ collection: 'nope' });
  await expect(nowhere.next()).rejects.toMatchObject({ status: 404, errorNum: 1203 });
});

test('it goes on where it was when the server was restarted, and tells of the interruption', async () => {
  const dir = await makeTempDir();
  onTestFinished(() => dir[Symbol.asyncDispose]());
  const options = { databaseDirectory: dir.path, endpoint: { port: await freePort() } };
  const first = await start(options);
  const client = clientOf(first.url);
  const boats = await client.use().createCollection('boats');
  await boats.insert({ _key: 'a' });
  const told: TicklogError[] = [];
  const reading = new Reading(client, {
    collection: 'boats',
    onInterruption: (error) => told.push(error),
  });
  await reading.until(['a']);
  const stoppedMs = performance.now();
  await first.stop();
  // A feed does not keep the server from stopping.
  expect(performance.now() - stoppedMs).toBeLessThan(2500);
  await expect.poll(() => told.length).toBeGreaterThan(1);
  await start(options);
  await boats.insert({ _key: 'b' });
  await reading.until(['a', 'b']);
  expect(new Set(told.map(({ errorNum }) => errorNum))).toEqual(new Set([1400]));
});

test('a place that is gone is told with the first available tick, at the start and later', async () => {
  const client = clientOf((await start()).url);
  const { logger } = client.use();
  const boats = await client.use().createCollection('boats');
  const from = await lastTick(client);
  const reading = new Reading(client, { from });
  await boats.insert({ _key: 'a' });
  await reading.until(['a']);
  await logger.stop();
  await boats.insert({ _key: 'unlogged' });
  const lost = await reading.done.catch((error: unknown) => error);
  expect(lost).toBeInstanceOf(PlaceLostError);
  await logger.start();
  await boats.insert({ _key: 'b' });
  const gone = await client
    .follow({ from })
    .next()
    .catch((error: unknown) => error);
  if (!(gone instanceof PlaceLostError)) throw new Error(String(gone));
  expect(gone).toMatchObject({ status: 410, errorNum: 1414 });
  expect(gone.firstTick).toBe(await logger.firstTick());
  await new Reading(client, { from: gone.resumeFrom }).until(['b']);
});

test('no answer to the first request is an error, and so is what the server refuses', async () => {
  const nobody = clientOf(`http://127.0.0.1:${await freePort()}`);
  await expect(nobody.follow().next()).rejects.toMatchObject({ errorNum: 1400 });
  const server = await start({ authentication: true, rootPassword: 'r' });
  const root = clientOf(server.url, { username: 'root', password: 'r' });
  await root.databases.create('harbour');
  const send = (method: string, path: string, body: object): Promise<Response> =>
    fetch(server.url + path, {
      ...{ method, body: JSON.stringify(body) },
      headers: { authorization: `Basic ${Buffer.from('root:r').toString('base64')}` },
    });
  await send('POST', '/_api/user', { user: 'reader', passwd: 'p' });
  await send('PUT', '/_api/user/reader/database/harbour', { grant: 'ro' });
  const reader = clientOf(server.url, { username: 'reader', password: 'p' });
  const reading = new Reading(reader, { database: 'harbour' });
  const boats = await root.use('harbour').createCollection('boats');
  await boats.insert({ _key: 'a' });
  await reading.until(['a']);
  await expect(reader.follow().next()).rejects.toMatchObject({ status: 403, errorNum: 11 });
  // Who may no longer read does not go on doing so.
  await send('PUT', '/_api/user/reader/database/harbour', { grant: 'none' });
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await boats.insert({ _key: 'b' });
  await boats.insert({ _key: 'c' });
  await expect(reading.done).rejects.toMatchObject({ status: 403, errorNum: 11 });
  const anybody = clientOf(server.url);
  await expect(anybody.follow().next()).rejects.toMatchObject({ status: 401 });
});

test('one who takes them so slowly that the server cuts him off gets each once', async () => {
  const server = await start({ stalledAfterMs: 1000 });
  const client = clientOf(server.url);
  const boxes = await client.use().createCollection('boxes');
  const rest = 'x'.repeat(200_000);
  const keys = Array.from({ length: 150 }, (_, i) => `k${i}`);
  for (const _key of keys) await boxes.insert({ _key, rest });
  const seen: string[] = [];
  let interruptions = 0;
  for await (const entry of client.follow({ onInterruption: () => interruptions++ })) {
    if (entry.operation !== 'insert') continue;
    seen.push(entry.key);
    if (seen.length === 1) await new Promise((resolve) => setTimeout(resolve, 4000));
    if (seen.length === keys.length) break;
  }
  expect(seen).toEqual(keys);
  expect(interruptions).toBeGreaterThan(0);
});

test.each([
  ['an event that is no JSON', 'id: 7\ndata: {\n\n'],
  ['a failure without a reason', 'event: failure\ndata: {}\n\n'],
  ['an id that is no tick', 'id: x\n\n'],
])('%s is 1401', async (_, body) => {
  const path = `GET ${command('logger-follow')}`;
  await using scripted = await startScriptedServer({ [path]: () => ({ body }) });
  const client = clientOf(scripted.endpoint);
  await expect(client.follow().next()).rejects.toMatchObject({ errorNum: 1401 });
});

test('events are found however their bytes are cut', async () => {
  const text =
    ': heartbeat\nid: 1\n\nid: 2\ndata: {"ä":"😀"}\n\nevent: failure\ndata: a\ndata: b\n\nid: 3\n';
  const bytes = Buffer.from(text);
  const wanted = [{ id: '1' }, { id: '2', data: '{"ä":"😀"}' }, { name: 'failure', data: 'a\nb' }];
  for (let size = 1; size <= bytes.length; size++) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    const found: unknown[] = [];
    for await (const event of feedEvents(asyncOf(chunks))) found.push(event);
    expect(found).toEqual(wanted);
  }
});

async function* asyncOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer, void, void> {
  await Promise.resolve();
  yield* chunks;
}
