import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CliResult, closedPipe, runCli } from '../support/cli-run.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';

/** Verbs that do something, with an output that nobody reads. */
let servers: RunningServers;
let first: StartedServer;
let second: StartedServer;

beforeEach(async () => {
  servers = await RunningServers.open();
  first = await servers.start('first');
  second = await servers.start('second');
  await first.send('POST', '/_api/collection', { name: 'c' });
  await first.send('POST', '/_api/document?collection=c', { _key: 'a' });
});

afterEach(async () => {
  await servers[Symbol.asyncDispose]();
});

function unread(...argv: readonly string[]): Promise<CliResult> {
  return runCli(argv, { stdout: closedPipe() });
}

test('a dump and a restore come to their end', async () => {
  const directory = join(servers.dir.path, 'dump');
  const from = ['--server.endpoint', first.endpoint, '--output-directory', directory];
  expect(await unread('dump', ...from)).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(join(directory, 'dump.json'))).toBe(true);
  const to = ['--server.endpoint', second.endpoint, '--input-directory', directory];
  const kept = ['--recycle-ids', 'true'];
  expect(await unread('restore', ...to, ...kept)).toMatchObject({ code: 0, stderr: '' });
  expect(await runCli(['verify', first.endpoint, second.endpoint])).toMatchObject({ code: 0 });
});

test('a comparison ends with what it has found', async () => {
  for (const more of [[], ['-o', 'json']]) {
    const { code } = await unread('verify', first.endpoint, second.endpoint, ...more);
    expect(code).toBe(3);
  }
});
