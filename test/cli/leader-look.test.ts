import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type CliResult, runCli } from '../support/cli-run.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';

let servers: RunningServers;
let a: StartedServer;
let b: StartedServer;

beforeEach(async () => {
  servers = await RunningServers.open();
  [a, b] = await Promise.all([servers.start('a'), servers.start('b')]);
  await a.send('POST', '/_api/collection', { name: 'orders' });
  await a.send('POST', '/_api/document?collection=orders', { _key: 'x' });
});

afterEach(async () => {
  await servers[Symbol.asyncDispose]();
});

/** Makes one follow another. */
function follow(
  follower: StartedServer,
  leader: StartedServer,
  ...flags: string[]
): Promise<CliResult> {
  const at = ['--server.endpoint', follower.endpoint];
  return runCli(['make-follower', leader.endpoint, ...at, '--yes', ...flags]);
}

/** What an applier is set to, and whether it runs. */
async function applierOf(server: StartedServer): Promise<[config: object, running: unknown]> {
  const config = await server.send('GET', '/_api/replication/applier-config');
  const { state } = await server.send('GET', '/_api/replication/applier-state');
  return [config, (state as { running: boolean }).running];
}

async function insert(server: StartedServer, collection: string, key: string): Promise<void> {
  await server.send('POST', `/_api/document?collection=${collection}`, { _key: key });
}

/** Resolves when a document has come to a server. */
async function arrival(server: StartedServer, id: string): Promise<void> {
  await vi.waitFor(() => server.send('GET', `/_api/document/${id}`), { timeout: 10_000 });
}

describe('a collection that the leader does not have', () => {
  test('is named, with the nearest, and a follower goes on following as it did', async () => {
    expect(await follow(b, a)).toMatchObject({ code: 0 });
    const before = await applierOf(b);
    const at = ['--server.endpoint', b.endpoint, '--yes'];
    for (const verb of ['make-follower', 'sync']) {
      const wrong = await runCli([verb, a.endpoint, ...at, '--collection', 'ordres']);
      expect(wrong).toEqual({
        code: 1,
        stdout: '',
        stderr:
          `ticklog: ${a.endpoint}, database _system, has no collection to copy that is called ordres ` +
          '(did you mean orders?); nothing was changed\n' +
          '  Correct --collection; for one that is created later there is --allow-missing.\n',
      });
    }
    expect(await applierOf(b)).toEqual(before);
    expect(before[1]).toBe(true);
    await insert(a, 'orders', 'y');
    await arrival(b, 'orders/y');
  });

  test('is found before anybody is asked, also where all but it is copied', async () => {
    await b.send('POST', '/_api/collection', { name: 'mine' });
    await insert(b, 'mine', 'z');
    const flags = ['--restrict-type', 'exclude', '--collection', 'ordres', '--collection', 'zzz'];
    const questions: string[] = [];
    const { code, stderr } = await runCli(
      ['sync', a.endpoint, '--server.endpoint', b.endpoint, ...flags],
      { answer: (question) => void questions.push(question) },
    );
    expect({ code, questions }).toEqual({ code: 1, questions: [] });
    expect(stderr).toContain('called ordres (did you mean orders?), zzz; nothing was changed');
  });

  test('can be meant: it is followed once it is created', async () => {
    const flags = ['--collection', 'orders', '--collection', 'later', '--allow-missing'];
    const { code, stderr } = await follow(b, a, ...flags);
    expect(code).toBe(0);
    expect(stderr).toBe(`ticklog: not copied, as not found on ${a.endpoint}: later\n`);
    await a.send('POST', '/_api/collection', { name: 'later' });
    await insert(a, 'later', 'l');
    await arrival(b, 'later/l');
  });

  test('is also one that is left out with all that belong to the system', async () => {
    await a.send('POST', '/_api/collection', { name: '_own', isSystem: true });
    const named = ['--collection', '_own'];
    const { code, stderr } = await follow(b, a, ...named, '--include-system-collections', 'false');
    expect(code).toBe(1);
    expect(stderr).toContain('called _own; names that start with _ need --include-system-coll');
    expect(await follow(b, a, ...named)).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('two servers', () => {
  test('do not follow each other: the leader must be promoted first', async () => {
    expect(await follow(b, a)).toMatchObject({ code: 0 });
    const before = await applierOf(a);
    const refused = {
      code: 1,
      stdout: '',
      stderr:
        `ticklog: ${b.endpoint}, database _system, follows ${a.endpoint}, database _system: ` +
        'if each followed the other, both would refuse writes; nothing was changed\n' +
        `  If ${b.endpoint} is to lead: ticklog promote --server.endpoint ${b.endpoint}; then try again.\n`,
    };
    expect(await follow(a, b)).toEqual(refused);
    // It would follow again when it is started the next time.
    await b.send('PUT', '/_api/replication/applier-stop');
    expect(await follow(a, b)).toEqual(refused);
    expect(await applierOf(a)).toEqual(before);

    await runCli(['promote', '--server.endpoint', b.endpoint]);
    expect(await follow(a, b)).toMatchObject({ code: 0, stderr: '' });
    await insert(b, 'orders', 'y');
    await arrival(a, 'orders/y');
  });

  test('are known by their ids, whatever their addresses', async () => {
    const flags = ['--server.endpoint', b.endpoint, '--yes'];
    const other = a.endpoint.replace('127.0.0.1', 'localhost');
    expect(await runCli(['make-follower', other, ...flags])).toMatchObject({ code: 0 });
    expect(await follow(a, b)).toMatchObject({ code: 1, stdout: '' });
  });

  test('may be a link of a chain, and follow each other in other databases', async () => {
    const c = await servers.start('c');
    for (const server of [a, b]) await server.send('POST', '/_api/database', { name: 'shop' });
    expect(await follow(b, a)).toMatchObject({ code: 0 });
    expect(await follow(c, b)).toMatchObject({ code: 0, stderr: '' });
    const shop = ['--server.database', 'shop'];
    expect(await follow(a, b, ...shop)).toMatchObject({ code: 0, stderr: '' });
    const back = await follow(b, a, ...shop);
    expect(back.stderr).toContain(`promote --server.endpoint ${a.endpoint} --server.database shop`);
  });

  test('can be one: it is said that it would follow itself', async () => {
    const { code, stderr } = await follow(a, a);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ticklog: got same server id .* \(error 1405\)\n/);
    expect(stderr).toContain('LEADER and --server.endpoint are the same server');
  });
});

describe('verify', () => {
  test('of a server with itself is a wrong command line, and proves nothing', async () => {
    const other = a.endpoint.replace('127.0.0.1', 'localhost');
    for (const flags of [[], ['--all-databases'], ['--repair', '--yes']]) {
      const { code, stdout, stderr } = await runCli(['verify', a.endpoint, other, ...flags]);
      expect([code, stdout.includes('equal')], stderr).toEqual([2, false]);
      expect(stderr).toContain('they are one server, and nothing was compared');
    }
  });

  test('compares two of which one runs on a copied directory, and says so', async () => {
    await a.server.stop();
    await cp(join(servers.dir.path, 'a'), join(servers.dir.path, 'copy'), { recursive: true });
    const [one, two] = await Promise.all([servers.start('a'), servers.start('copy')]);
    const { code, stdout, stderr } = await runCli(['verify', one.endpoint, two.endpoint]);
    expect(code).toBe(0);
    expect(stdout).toContain('orders: equal, 1 document');
    expect(stderr).toMatch(/^ticklog: A and B have the same server id, \d+: .* a copied directory/);
  });
});
