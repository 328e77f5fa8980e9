import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';

let servers: RunningServers;
let from: StartedServer;
let to: StartedServer;
let directory: string;

beforeEach(async () => {
  servers = await RunningServers.open();
  from = await servers.start('from');
  to = await servers.start('to');
  directory = join(servers.dir.path, 'backup');
  for (const name of ['shop', 'crew']) await from.send('POST', '/_api/database', { name });
  for (const name of ['_system', 'shop', 'crew']) {
    await from.send('POST', `/_db/${name}/_api/collection`, { name: `of${name}` });
    await from.send('POST', `/_db/${name}/_api/document?collection=of${name}`, { _key: name });
  }
});
afterEach(() => servers[Symbol.asyncDispose]());

function dump(...flags: readonly string[]): ReturnType<typeof runCli> {
  const own = ['--server.endpoint', from.endpoint, '--output-directory', directory];
  return runCli(['dump', ...own, '--all-databases', 'true', ...flags]);
}

function restore(...flags: readonly string[]): ReturnType<typeof runCli> {
  const own = ['--server.endpoint', to.endpoint, '--input-directory', directory];
  return runCli(['restore', '--yes', ...own, ...flags]);
}

test('all databases are dumped, each to a directory of its name, and restored to those of their names', async () => {
  expect(await dump()).toMatchObject({ code: 0 });
  expect((await readdir(directory)).sort()).toEqual(['_system', 'crew', 'shop']);
  const restored = await restore('--all-databases', 'true', '--create-database', 'true');
  expect(restored, restored.stderr).toMatchObject({ code: 0 });
  // The users of the others are in _system, so it is the last.
  const order = [...restored.stdout.matchAll(/database (\w+)/g)].map(([, name]) => name);
  expect(order).toEqual(['crew', 'shop', '_system']);
  for (const name of ['_system', 'shop', 'crew']) {
    const found = await to.send('GET', `/_db/${name}/_api/document/of${name}/${name}`);
    expect(found).toMatchObject({ _key: name });
  }
});

test('a database that is missing is a failure, unless it is to be created', async () => {
  await dump();
  const failed = await restore('--all-databases', 'true');
  expect(failed).toMatchObject({ code: 1 });
  expect(failed.stderr).toMatch(/database 'crew': .*database 'crew' not found/);
  const forced = await restore('--all-databases', 'true', '--force', 'true');
  expect(forced.code).toBe(1);
  expect(forced.stderr).toMatch(/database 'shop'/);
  expect(await to.send('GET', '/_api/document/of_system/_system')).toMatchObject({
    _key: '_system',
  });
});

test('a dump of all databases does not go into the data directory of a server', async () => {
  await mkdir(join(directory, 'store'), { recursive: true });
  await writeFile(join(directory, 'store', 'CURRENT'), 'MANIFEST-000001\n');
  const { code, stderr } = await dump('--overwrite', 'true');
  expect(code).toBe(1);
  expect(stderr).toContain('is the data directory of a server');
  expect(await readdir(directory)).toEqual(['store']);
});

test('a directory that cannot be made is named with the reason; nothing is said to be kept', async () => {
  const at = ['--server.endpoint', from.endpoint, '--output-directory', '/proc/b2'];
  const { code, stderr } = await runCli(['dump', ...at]);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^ticklog: the output directory '\/proc\/b2' can not be made or written to: ENOENT[^\n]*\n$/,
  );
});

test('a dump is made again in its place; what is there of other databases is left, and told', async () => {
  await dump();
  expect(await dump()).toMatchObject({ code: 1 });
  await from.send('DELETE', '/_api/database/crew');
  await from.send('POST', '/_db/shop/_api/document?collection=ofshop', { _key: 'new' });
  const again = await dump('--overwrite', 'true');
  expect(again, again.stderr).toMatchObject({ code: 0 });
  expect(again.stderr).toContain('no such databases: crew');
  expect((await readdir(directory)).sort()).toEqual(['_system', 'crew', 'shop']);
  await rm(join(directory, 'crew'), { recursive: true });
  await restore('--all-databases', 'true', '--create-database', 'true');
  expect(await to.send('GET', '/_db/shop/_api/document/ofshop/new')).toMatchObject({ _key: 'new' });
});

test('one database can not be named besides; where there are no dumps is a failure', async () => {
  for (const result of [
    await dump('--server.database', 'shop'),
    await restore('--all-databases', 'true', '--server.database', 'shop'),
  ]) {
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('--all-databases and --server.database');
  }
  await mkdir(directory);
  const empty = await restore('--all-databases', 'true');
  expect(empty.code).toBe(1);
  expect(empty.stderr).toContain('has no directories of databases');
  await dump();
  const plain = await restore();
  expect(plain.code).toBe(1);
  expect(plain.stderr).toContain('--all-databases true');
});
