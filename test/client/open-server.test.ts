import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  ConfigError,
  connect,
  type Logger,
  openServer,
  type OpenServerOptions,
} from '../../src/index.ts';
import '../support/check-client-answers.ts';
import { makeTempDir } from '../support/temp-dir.ts';

async function problemsOf(options: object): Promise<readonly string[]> {
  const error: unknown = await openServer(options as OpenServerOptions).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).problems;
}

test('without options a server listens on a free port of the loopback, and stop removes its data', async () => {
  const server = await openServer();
  expect(server.url).toBe(`http://127.0.0.1:${server.endpoint.port}`);
  expect(server.endpoint.port).toBeGreaterThan(0);
  expect(await readdir(server.databaseDirectory)).not.toEqual([]);
  await using client = connect(server.url);
  expect(await client.serverId()).toBe(server.serverId);
  const first = server.stop();
  const second = server.stop();
  await Promise.all([first, second]);
  expect(existsSync(server.databaseDirectory)).toBe(false);
  await expect(client.version()).rejects.toMatchObject({ errorNum: 1400 });
});

test('a directory that is given stays, and the next server finds what is in it', async () => {
  await using dir = await makeTempDir();
  const databaseDirectory = join(dir.path, 'data');
  let serverId;
  {
    await using server = await openServer({ databaseDirectory, sync: 'always' });
    await using client = connect(server.url);
    await client.use().createCollection('kept');
    serverId = server.serverId;
  }
  await using server = await openServer({ databaseDirectory });
  await using client = connect(server.url);
  expect(server.serverId).toBe(serverId);
  expect(await client.use().collection('kept').exists()).toBe(true);
});

test('several servers run in one program, and one can follow another', async () => {
  await using leader = await openServer();
  await using follower = await openServer();
  await using a = connect(leader.url);
  await using b = connect(follower.url);
  expect(leader.serverId).not.toBe(follower.serverId);
  const orders = await a.use().createCollection('orders');
  await orders.insert({ _key: 'first' });
  const { collections, lastLogTick } = await b.use().sync({ endpoint: leader.url });
  expect(collections.map(({ name }) => name)).toContain('orders');
  const { applier } = b.use();
  await applier.configure({ endpoint: leader.url, chunkSize: 65_536 });
  expect(await applier.config()).toMatchObject({ endpoint: leader.url, chunkSize: 65_536 });
  const { state } = await applier.start({ from: lastLogTick });
  expect(state.running).toBe(true);
  await orders.insert({ _key: 'second' });
  const copy = b.use().collection('orders');
  await expect
    .poll(() => copy.find('second'), { timeout: 10_000 })
    .toMatchObject({ _key: 'second' });
  await expect
    .poll(async () => (await applier.state()).state.lastAppliedContinuousTick, { timeout: 10_000 })
    .toBe((await a.use().logger.state()).state.lastLogTick);
  const { safeResumeTick, lastAppliedContinuousTick } = (await applier.state()).state;
  expect(safeResumeTick).toBe(lastAppliedContinuousTick);
  expect((await applier.stop()).state).toMatchObject({ running: false, phase: 'stopped' });
  expect((await applier.forget()).state.lastAppliedContinuousTick).toBeNull();
});

test('a server is made the follower of another in one call', async () => {
  await using leader = await openServer();
  await using follower = await openServer();
  await using a = connect(leader.url);
  await using b = connect(follower.url);
  const orders = await a.use().createCollection('orders');
  await orders.insert({ _key: 'first' });
  const settings = { endpoint: leader.url, connectTimeout: 3 };
  const { state, copied, endpoint } = await b.use().makeFollower(settings);
  expect(state.running).toBe(true);
  expect(endpoint).toBe(leader.url);
  expect(copied.collections.map(({ name }) => name)).toContain('orders');
  expect(copied.lastLogTick).toBeGreaterThan(0n);
  await orders.insert({ _key: 'second' });
  const copy = b.use().collection('orders');
  await expect
    .poll(() => copy.find('second'), { timeout: 10_000 })
    .toMatchObject({ _key: 'second' });
  await expect(copy.insert({})).rejects.toMatchObject({ status: 403, errorNum: 1004 });
});

test('options set what the flags of their names set', async () => {
  await using server = await openServer({ loggerAutoStart: false, maxBodyBytes: '8KiB' });
  await using client = connect(server.url);
  const db = client.use();
  expect((await db.logger.state()).state.running).toBe(false);
  const collection = await db.createCollection('c');
  const tooLarge = { text: 'x'.repeat(9000) };
  await expect(collection.insert(tooLarge)).rejects.toMatchObject({ status: 413 });
});

test('all that is wrong with the options is told together, by the names of the options', async () => {
  const problems = await problemsOf({
    endpoint: { host: '192.168.0.1', port: 70_000 },
    maxBodyBytes: 1,
    sync: 'sometimes',
    configuration: 'x.conf',
    colour: 'red',
  });
  expect(problems).toHaveLength(5);
  expect(problems.join('\n')).toMatch(/option endpoint\) is refused/);
  expect(problems.join('\n')).toMatch(/option maxBodyBytes\) is refused; allowed: 4KiB to/);
  expect(problems.join('\n')).toMatch(/option sync\) is refused; allowed: always, never/);
  expect(problems.join('\n')).toMatch(
    /^configuration: no such option; allowed: databaseDirectory/m,
  );
  expect(problems.join('\n')).toMatch(/^colour: no such option/m);
  expect(await problemsOf({ pageMaxBytes: 65_536, pageBudgetBytes: 4096 })).toEqual([
    expect.stringMatching(/page-budget: 4KiB is less than a single page/),
  ]);
  expect(await problemsOf({ endpoint: { host: '192.168.0.1', port: 1 } })).toEqual([
    expect.stringMatching(/^server\.endpoint: 192\.168\.0\.1 is reached by others/),
  ]);
});

test.each([
  ['a list', { logLevel: ['info'] }],
  ['null', { databaseDirectory: null, logLevel: null }],
  ['a function', { loggerAutoStart: () => true }],
  ['a port that is none', { endpoint: { port: 70_000 } }],
  ['an empty directory', { databaseDirectory: '' }],
])('%s is refused where it is no value of the option', async (_, options) => {
  expect((await problemsOf(options)).join('\n')).toMatch(/ is refused; allowed: /);
});

test('a directory that is in use is refused, and nothing is left running', async () => {
  await using server = await openServer();
  const { databaseDirectory } = server;
  await expect(openServer({ databaseDirectory })).rejects.toMatchObject({ kind: 'storeLocked' });
  await using client = connect(server.url);
  expect(await client.version()).toMatchObject({ server: 'arango' });
});

test('a port that is taken is refused with the code of the system', async () => {
  await using server = await openServer();
  const { port } = server.endpoint;
  await expect(openServer({ endpoint: { port } })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('no handlers of signals are installed, and the logger of the program is used', async () => {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'exit', 'beforeExit', 'uncaughtException'];
  const count = (): number[] => signals.map((name) => process.listenerCount(name));
  const before = count();
  const lines: string[] = [];
  const line = (_: object, text: string): void => void lines.push(text);
  const logger: Logger = {
    ...{ debug: line, info: line, warn: line, error: line },
    child: () => logger,
  };
  await using server = await openServer({ logger });
  expect(count()).toEqual(before);
  await using client = connect(server.url);
  // An applier says when it starts, and what is wrong.
  const { applier } = client.use();
  await applier.configure({ endpoint: 'tcp://127.0.0.1:1', maxConnectRetries: 1 });
  await applier.start();
  await expect.poll(() => lines.length, { timeout: 10_000 }).toBeGreaterThan(0);
});
