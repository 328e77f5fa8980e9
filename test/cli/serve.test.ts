import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';
import { TicklogProcess } from '../support/ticklog-process.ts';

const ANY_PORT = '--server.endpoint=tcp://127.0.0.1:0';

function serve(dir: TempDir, ...more: readonly string[]): TicklogProcess {
  const data = join(dir.path, 'data');
  return TicklogProcess.start(['serve', '--database.directory', data, ANY_PORT, ...more]);
}

function httpUrl(endpoint: string, path: string): string {
  return endpoint.replace('tcp:', 'http:') + path;
}

async function fetchVersion(endpoint: string): Promise<unknown> {
  return (await fetch(httpUrl(endpoint, '/_api/version'))).json();
}

test('a server prints one line, with the port it really listens on', async () => {
  await using dir = await makeTempDir();
  await using server = serve(dir);
  const endpoint = await server.endpoint();
  expect(await fetchVersion(endpoint)).toMatchObject({ server: 'arango' });
  expect(server.stdout).toMatch(
    /^ticklog \d+\.\d+\.\d+ listens on tcp:\/\/127\.0\.0\.1:[1-9]\d*, data in \S+\n$/,
  );
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends a server in good order, with 0',
  async (name) => {
    await using dir = await makeTempDir();
    await using server = serve(dir);
    await server.endpoint();
    server.signal(name);
    expect(await server.ended()).toBe(0);
  },
);

test('a second signal does not wait for requests that do not end', async () => {
  await using dir = await makeTempDir();
  await using server = serve(dir);
  const { hostname, port } = new URL(httpUrl(await server.endpoint(), '/'));
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  // A request whose body never ends keeps the first stop waiting.
  socket.write(
    'POST /_api/collection HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n',
  );
  // The server has begun with the request when it asks for the body.
  await once(socket, 'data');
  server.signal('SIGTERM');
  await vi.waitFor(() => expect(server.stderr).toContain('stopping'), { timeout: 10_000 });
  server.signal('SIGTERM');
  expect(await server.ended()).toBe(1);
  socket.destroy();
});

test('what was acknowledged is there after a restart', async () => {
  await using dir = await makeTempDir();
  {
    await using server = serve(dir);
    const url = httpUrl(await server.endpoint(), '/_api/collection');
    const created = await fetch(url, { method: 'POST', body: '{"name":"kept"}' });
    expect(created.status).toBe(200);
    server.signal('SIGTERM');
    expect(await server.ended()).toBe(0);
  }
  await using again = serve(dir);
  const found = await fetch(httpUrl(await again.endpoint(), '/_api/collection/kept'));
  expect(found.status).toBe(200);
});

test('a signal ends a server although a follower waits in a long poll', async () => {
  await using dir = await makeTempDir();
  await using server = serve(dir);
  const endpoint = await server.endpoint();
  const path = '/_api/replication/logger-follow?wait=60&from=9000000000000000000';
  const poll = fetch(httpUrl(endpoint, path)).then(
    (answer) => answer.status,
    () => 'broken off',
  );
  await fetchVersion(endpoint);
  const startedMs = performance.now();
  server.signal('SIGTERM');
  expect(await server.ended()).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(5000);
  expect([204, 503, 'broken off']).toContain(await poll);
});

test('a second server on a data directory is refused, with 1 and what to do', async () => {
  await using dir = await makeTempDir();
  await using first = serve(dir);
  const endpoint = await first.endpoint();
  await using second = serve(dir);
  expect(await second.ended()).toBe(1);
  expect(second.stdout).toBe('');
  expect(second.stderr).toContain('--database.directory');
  expect(second.stderr).toContain(join(dir.path, 'data'));
  // The first one does not notice.
  expect(await fetchVersion(endpoint)).toMatchObject({ server: 'arango' });
});

test('a file in place of the data directory is refused, with 1 and what to do', async () => {
  await using dir = await makeTempDir();
  await writeFile(join(dir.path, 'data'), 'a file');
  await using server = serve(dir);
  expect(await server.ended()).toBe(1);
  expect(server.stderr).toMatch(/^ticklog: .*data.*\n {2}.*--database\.directory\.\n$/);
});

test('a directory of something else is refused, untouched, with 1 and what to do', async () => {
  await using dir = await makeTempDir();
  const data = join(dir.path, 'data');
  await mkdir(data);
  const files = ['a.structure.json', 'dump.json'];
  for (const name of files) await writeFile(join(data, name), '{}');
  await using server = serve(dir);
  expect(await server.ended()).toBe(1);
  expect(server.stderr).toContain(`'${data}' is no data directory of a server, and not empty`);
  expect(server.stderr).toMatch(
    /a\.structure\.json, dump\.json\. .*--database\.directory; .*restore/,
  );
  expect((await readdir(data)).sort()).toEqual(files);
  await using check = TicklogProcess.start(['check', data]);
  expect(await check.ended()).toBe(1);
});

test('files that options name may lie in a new data directory', async () => {
  await using dir = await makeTempDir();
  const data = join(dir.path, 'data');
  await mkdir(join(data, 'etc'), { recursive: true });
  const path = (name: string): string => join(data, 'etc', name);
  await writeFile(path('root.txt'), 'a password', { mode: 0o600 });
  await writeFile(path('ticklog.conf'), 'server.authentication = true\n');
  await using server = serve(
    dir,
    ...['--configuration', path('ticklog.conf'), '--server.root-password-file', path('root.txt')],
  );
  await server.endpoint();
});

test('a port that is taken is refused, with 1 and what to do', async () => {
  await using dir = await makeTempDir();
  await using first = serve(dir);
  const endpoint = await first.endpoint();
  await using second = TicklogProcess.start([
    ...['serve', '--database.directory', join(dir.path, 'other')],
    ...['--server.endpoint', endpoint],
  ]);
  expect(await second.ended()).toBe(1);
  expect(second.stderr).toMatch(/address already in use[^]*--server\.endpoint/);
});

test('everything that is wrong with the configuration is told at once, with 2', async () => {
  await using dir = await makeTempDir();
  const file = join(dir.path, 'ticklog.conf');
  await writeFile(file, '[server]\nendpiont = tcp://127.0.0.1:0\n');
  await using server = TicklogProcess.start(
    [
      ...['serve', '--configuration', file, '--bogus', '--log.level=loud', 'left-over'],
      ...['--server.authentication', 'maybe', '--sync'],
    ],
    { TICKLOG_REPLICATION_MAX_PAGE: '5 bananas' },
  );
  expect(await server.ended()).toBe(2);
  expect(server.stdout).toBe('');
  const lines = server.stderr.trimEnd().split('\n');
  for (const problem of [
    'bogus: no such flag',
    'server.endpiont: not a key of this file',
    'log.level: "loud"',
    'left-over: serve takes options only',
    'server.authentication: "maybe"',
    'storage.sync: a value is missing',
    'replication.max-page: "5 bananas"',
  ]) {
    expect(lines.filter((line) => line.startsWith(`ticklog: ${problem}`))).toHaveLength(1);
  }
  expect(lines).toHaveLength(7);
});

test('a flag that is not known is told once, whatever its value; a missing value as such', async () => {
  await using server = TicklogProcess.start([
    ...['serve', '--storage.sync', 'always', '--server.max-body'],
  ]);
  expect(await server.ended()).toBe(2);
  const lines = server.stderr.trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^ticklog: server\.max-body: a value is missing; allowed: /);
  expect(lines[1]).toBe('ticklog: storage.sync: no such flag; did you mean --sync?');
});

test('who asks for a port is told how it is given', async () => {
  await using server = TicklogProcess.start(['serve', '--port', '8529']);
  expect(await server.ended()).toBe(2);
  expect(server.stderr).toBe('ticklog: port: no such flag; did you mean --server.endpoint?\n');
});

test.each(['tcp://0.0.0.0:0', 'tcp://192.168.1.1:8529', 'http://[::]:0', 'tcp://example.org:1'])(
  'a server does not listen on %s, which is not loopback',
  async (endpoint) => {
    await using dir = await makeTempDir();
    await using server = serve(dir, '--server.endpoint', endpoint);
    expect(await server.ended()).toBe(2);
    expect(server.stderr).toMatch(/^ticklog: server\.endpoint: .*loopback/);
  },
);

test('a flag wins over the environment, that over the file', async () => {
  await using dir = await makeTempDir();
  await mkdir(join(dir.path, 'from-flag'));
  const file = join(dir.path, 'ticklog.conf');
  await writeFile(file, 'database.directory = from-file\n[log]\nlevel = silent\n');
  const flag = join(dir.path, 'from-flag');
  await using server = TicklogProcess.start(['serve', ANY_PORT, '--database.directory', flag], {
    TICKLOG_DATABASE_DIRECTORY: 'from-environment',
    TICKLOG_CONFIGURATION: file,
  });
  await server.endpoint();
  expect(server.stdout).toContain(`data in ${flag}`);
});

test('--logger.auto-start false leaves the logger of a new database stopped', async () => {
  await using dir = await makeTempDir();
  await using server = serve(dir, '--logger.auto-start', 'false');
  const url = httpUrl(await server.endpoint(), '/_api/replication/logger-state');
  expect(await (await fetch(url)).json()).toMatchObject({ state: { running: false } });
});

test('what a server logs is JSON lines on the error stream, when that is no terminal', async () => {
  await using dir = await makeTempDir();
  await using server = serve(dir, '--log.level', 'debug');
  const endpoint = await server.endpoint();
  server.signal('SIGTERM');
  await server.ended();
  const entries = server.stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(entries).toContainEqual(expect.objectContaining({ msg: 'listening', endpoint }));
  expect(entries).toContainEqual(expect.objectContaining({ msg: 'stopping' }));
});

test('the commands of the built program reach a server', async () => {
  await using dir = await makeTempDir();
  await using server = serve(dir);
  const endpoint = await server.endpoint();
  await using state = TicklogProcess.start(['logger', 'state', '--server.endpoint', endpoint]);
  expect(await state.ended()).toBe(0);
  expect(state.stdout).toMatch(/^Log {6}running; /);
});

test('following ends quietly with SIGINT, having printed what was logged', async () => {
  await using dir = await makeTempDir();
  await using server = serve(dir);
  const endpoint = await server.endpoint();
  await using follow = TicklogProcess.start(['follow', '--wait', '--server.endpoint', endpoint]);
  await fetch(httpUrl(endpoint, '/_api/collection'), { method: 'POST', body: '{"name":"c"}' });
  await vi.waitFor(() => expect(follow.stdout).toContain('"type":2000'), { timeout: 10_000 });
  follow.signal('SIGINT');
  expect(await follow.ended()).toBe(0);
  expect(follow.stderr).toBe('');
});

test('--version and --help work without a server', async () => {
  await using version = TicklogProcess.start(['--version']);
  expect(await version.ended()).toBe(0);
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  await using help = TicklogProcess.start(['help', 'serve']);
  expect(await help.ended()).toBe(0);
  expect(help.stdout).toContain('--logger.auto-start <BOOL>');
  expect(help.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
});
