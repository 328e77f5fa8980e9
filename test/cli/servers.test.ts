import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { runCli } from '../support/cli-run.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

/** The command line against real servers. */
let dir: TempDir;
let servers: RunningServer[];

beforeEach(async () => {
  dir = await makeTempDir();
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await dir[Symbol.asyncDispose]();
});

async function start(name: string, flags: Record<string, string | boolean> = {}) {
  const config = readConfig({
    flags: {
      'server.endpoint': 'tcp://127.0.0.1:0',
      'database.directory': join(dir.path, name),
      ...flags,
    },
    env: {},
    readFile: () => '',
  });
  const server = await startServer({ logger: silentLogger }, config);
  servers.push(server);
  return { server, url: server.url, endpoint: server.url.replace('http:', 'tcp:') };
}

async function send(url: string, method: string, body?: object): Promise<void> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const answer = await fetch(url, init);
  expect(answer.status, await answer.text()).toBeLessThan(300);
}

/** A leader with 40 documents and 3 edges, one document removed and one changed. */
async function fill(url: string): Promise<void> {
  await send(`${url}/_api/collection`, 'POST', { name: 'orders' });
  await send(`${url}/_api/collection`, 'POST', { name: 'links', type: 3 });
  await send(`${url}/_api/index?collection=orders`, 'POST', { type: 'hash', fields: ['n'] });
  for (let n = 0; n < 41; n++) {
    await send(`${url}/_api/document?collection=orders`, 'POST', { _key: `k${n}`, n, text: 'é' });
  }
  await send(`${url}/_api/document/orders/k40`, 'DELETE');
  await send(`${url}/_api/document/orders/k7`, 'PATCH', { n: 700 });
  for (let n = 0; n < 3; n++) {
    await send(
      `${url}/_api/edge?collection=links&from=orders/k${n}&to=orders/k${n + 1}`,
      'POST',
      {},
    );
  }
}

describe('verify', () => {
  /** Two servers with the same content, one a copy of the other's directory. */
  async function startTwins() {
    const first = await start('a');
    await fill(first.url);
    await first.server.stop();
    await cp(join(dir.path, 'a'), join(dir.path, 'b'), { recursive: true });
    const a = await start('a');
    const b = await start('b', { 'new-server-id': true });
    return { a, b };
  }

  test('finds two equal servers equal, with 0', async () => {
    const { a, b } = await startTwins();
    expect(await runCli(['verify', a.endpoint, b.endpoint])).toEqual({
      code: 0,
      stderr: '',
      stdout:
        `A is ${a.endpoint}, B is ${b.endpoint}\n` +
        'links: equal, 3 documents\norders: equal, 40 documents\n' +
        'equal: 2 collections, 43 documents\n',
    });
  });

  test('names the collection and the keys that differ, with 3', async () => {
    const { a, b } = await startTwins();
    await send(`${b.url}/_api/document/orders/k5`, 'PATCH', { n: 55 });
    await send(`${b.url}/_api/document/orders/k6`, 'DELETE');
    await send(`${a.url}/_api/document/orders/k8`, 'DELETE');
    const { code, stdout } = await runCli(['verify', a.endpoint, b.endpoint]);
    expect(code).toBe(3);
    expect(stdout).toContain('links: equal, 3 documents\norders: DIFFERENT\n');
    expect(stdout).toMatch(/the checksum is \d+ on A, \d+ on B\n/);
    const keys = stdout.split('\n').filter((line) => line.startsWith('  key '));
    expect(keys.sort()).toEqual([
      expect.stringMatching(/^ {2}key k5: revisions differ: \d+ on A, \d+ on B$/),
      '  key k6: only on A',
      '  key k8: only on B',
    ]);
    expect(stdout).toMatch(/\ndifferent: orders \(of 2 collections\)\n$/);
    expect(stdout).not.toContain('--recycle-ids');
  });

  test('--collection leaves out what is not named', async () => {
    const { a, b } = await startTwins();
    await send(`${b.url}/_api/document/orders/k6`, 'DELETE');
    const args = ['verify', a.endpoint, b.endpoint, '--collection'];
    expect(await runCli([...args, 'links'])).toMatchObject({ code: 0 });
    expect(await runCli([...args, 'orders'])).toMatchObject({ code: 3 });
    const missing = await runCli([...args, 'nothing']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("neither A nor B has a collection 'nothing'");
  });

  test('indexes, properties and missing collections count as differences', async () => {
    const { a, b } = await startTwins();
    await send(`${b.url}/_api/index?collection=links`, 'POST', { type: 'hash', fields: ['x'] });
    await send(`${b.url}/_api/collection/orders/properties`, 'PUT', { waitForSync: true });
    await send(`${a.url}/_api/collection`, 'POST', { name: 'more' });
    const { code, stdout } = await runCli(['verify', a.endpoint, b.endpoint]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/links: DIFFERENT\n {2}index only on B: {.*"fields":\["x"\]/);
    expect(stdout).toContain('more: DIFFERENT\n  the collection is only on A\n');
    expect(stdout).toContain('orders: DIFFERENT\n  waitForSync is false on A, true on B\n');
    expect(stdout).toContain('different: links, more, orders (of 3 collections)\n');
  });

  test('--wait compares again until the two are equal', async () => {
    const { a, b } = await startTwins();
    await send(`${b.url}/_api/document/orders/k6`, 'DELETE');
    const running = runCli(['verify', a.endpoint, b.endpoint, '--wait', '20']);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await send(`${a.url}/_api/document/orders/k6`, 'DELETE');
    expect(await running).toMatchObject({ code: 0 });
  });

  test('a server that can not be reached is no difference but a failure', async () => {
    const { a } = await startTwins();
    const { code, stderr } = await runCli(['verify', a.endpoint, 'tcp://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toContain('no answer from tcp://127.0.0.1:1: ');
  });
});

describe('a follower', () => {
  test('make-follower, verify, status and applier stop work together', async () => {
    const leader = await start('leader');
    await fill(leader.url);
    const follower = await start('follower');
    const at = ['--server.endpoint', follower.endpoint];
    const made = await runCli(['make-follower', leader.endpoint, ...at]);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(made.stdout).toContain('copied 2 collections, up to tick ');

    await send(`${leader.url}/_api/document?collection=orders`, 'POST', { _key: 'late' });
    const verified = await runCli(['verify', leader.endpoint, follower.endpoint, '--wait', '20']);
    expect(verified.code, verified.stdout).toBe(0);
    expect(verified.stdout).toContain('orders: equal, 41 documents\n');

    const status = await runCli(['status', ...at]);
    expect(status.stdout).toContain(`Role     follower of ${leader.endpoint}, database _system\n`);
    expect(status.stdout).toMatch(/Applier {2}follows the leader since \S+ \(/);
    expect(status.stdout).toContain('2 collections (1 of edges), 44 documents\n');
    const leading = await runCli(['status', '--server.endpoint', leader.endpoint]);
    expect(leading.stdout).toContain('leader of 1 client\n');

    const stopped = await runCli(['applier', 'stop', '-o', 'json', ...at]);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ state: { running: false } });
    expect((await runCli(['applier', 'state', ...at])).stdout).toContain('Applier  STOPPED since ');
    expect((await runCli(['status', ...at])).stdout).toContain('Applier  STOPPED since ');
  });

  test('sync copies what is named, and a failure has the server’s number', async () => {
    const leader = await start('leader');
    await fill(leader.url);
    const follower = await start('follower');
    const args = ['sync', leader.endpoint, '--server.endpoint', follower.endpoint];
    const copied = await runCli([...args, '--collection', 'orders']);
    expect(copied.code).toBe(0);
    expect(copied.stdout).toMatch(/^\d+ {2}orders\ncopied 1 collection from /);
    const endpoints = [leader.endpoint, follower.endpoint];
    const verified = await runCli(['verify', ...endpoints, '--collection', 'orders']);
    expect(verified.code, verified.stdout).toBe(0);

    const self = await runCli([
      ...['sync', follower.endpoint, '--yes', '--server.endpoint', follower.endpoint],
    ]);
    expect(self.code).toBe(1);
    expect(self.stderr).toContain('(error 1405)');
  });

  test('of a leader whose logger is stopped it is told that it can not be followed', async () => {
    const leader = await start('leader', { 'logger.auto-start': 'false' });
    await fill(leader.url);
    const follower = await start('follower');
    const { code, stderr } = await runCli([
      ...['sync', leader.endpoint, '--server.endpoint', follower.endpoint],
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain('the logger of the leader does not run');
  });

  test('follow prints what the server serves, byte by byte', async () => {
    const { url, endpoint } = await start('leader');
    await fill(url);
    const served = await fetch(`${url}/_api/replication/logger-follow?chunkSize=10000000`);
    const { stdout } = await runCli(['follow', '--server.endpoint', endpoint]);
    expect(stdout).toBe(await served.text());
    const orders = await runCli([
      ...['follow', '--server.endpoint', endpoint, '--collection', 'links'],
    ]);
    expect(orders.stdout.split('\n').filter((line) => line.includes('"cname"'))).toHaveLength(4);
  });
});
