import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { checkDirectory } from '../../src/check-directory.ts';
import { addCheckCommand } from '../../src/cli/check.ts';
import { CollectingStream } from '../support/cli-run.ts';
import { compactAll } from '../support/filled-store.ts';
import { openCore } from '../support/store.ts';
import { makeTempDir } from '../support/temp-dir.ts';
import { TicklogProcess } from '../support/ticklog-process.ts';

async function check(
  directory: string,
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  await using run = TicklogProcess.start(['check', directory]);
  const code = await run.ended();
  return { code, stdout: run.stdout, stderr: run.stderr };
}

async function makeStore(directory: string): Promise<void> {
  const core = await openCore(directory);
  const database = core.catalogue.get('_system');
  const collection = await core.collections.create(database, { name: 'orders' });
  for (let n = 0; n < 10; n++) await core.documents.insert(database, collection, `{"n":${n}}`);
  await compactAll(core);
  await core.store.close();
}

test('check ends with 0 for a directory that is whole, and says what is in it', async () => {
  await using dir = await makeTempDir();
  await makeStore(dir.path);
  const { code, stdout } = await check(dir.path);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^whole: .*1 database, 1 collection, 10 documents, /) as string,
  });
});

test.each([
  ['a file', 'docs.jsonl', /docs\.jsonl is a file, and no data directory; name the directory/],
  ['a path in a file', 'docs.jsonl/x', /there is no .*docs\.jsonl\/x; name the directory/],
  ['what is not there', 'nothing', /there is no .*nothing; name the directory/],
  ['another directory', '.', /is no data directory: it has no folder 'store'; name the directory/],
])('check of %s says so, and what is wanted', async (_, name, words) => {
  await using dir = await makeTempDir();
  await writeFile(join(dir.path, 'docs.jsonl'), '{}\n');
  const { code, stdout, stderr } = await check(join(dir.path, name));
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(words);
  expect(stderr).toContain('--database.directory');
  expect(stderr).not.toContain('ENOTDIR');
});

test('a check says what it is reading, from the first table to the last log', async () => {
  await using dir = await makeTempDir();
  await makeStore(dir.path);
  const steps: string[] = [];
  const { signal } = new AbortController();
  const { tables } = await checkDirectory(dir.path, signal, (step) => void steps.push(step));
  expect(steps.filter((step) => step.startsWith('reading table'))).toEqual(
    Array.from({ length: tables }, (_, i) => `reading table ${i + 1} of ${tables}`),
  );
  expect(steps.slice(tables)).toEqual([
    'comparing commits and the catalogue',
    'comparing collection 1 of 1',
    'comparing the log of database 1 of 1',
  ]);
});

test('what a check is reading is seen on a terminal while it does', async () => {
  const stderr = Object.assign(new CollectingStream(), { isTTY: true, columns: 200 });
  const streams = { stdout: new CollectingStream(), stderr };
  const io = { ...streams, isTty: false, isErrTty: true, useColor: false, isJson: false };
  const { signal } = new AbortController();
  const program = new Command();
  const found = { findings: [], findingsCount: 0, isComplete: true, tables: 9, bytes: 0 };
  const nothing = { databases: 1, collections: 0, documents: 0, events: 0 };
  addCheckCommand(program, { io, signal, done: () => undefined }, async (_dir, _signal, say) => {
    say('reading table 2 of 9');
    const seen = (): void => expect(stderr.text).toContain('reading table 2 of 9');
    await vi.waitFor(seen, { timeout: 20_000 });
    return { ...found, ...nothing };
  });
  await program.parseAsync(['check', 'somewhere'], { from: 'user' });
  expect(streams.stdout.text).toMatch(/^whole: somewhere: /);
});

test('check ends with 3 for one that is damaged, and names what and where', async () => {
  await using dir = await makeTempDir();
  await makeStore(dir.path);
  const store = join(dir.path, 'store');
  const table = (await readdir(store)).find((name) => name.endsWith('.ldb'))!;
  const content = await readFile(join(store, table));
  content[100] = content[100]! ^ 1;
  await writeFile(join(store, table), content);
  const { code, stdout } = await check(dir.path);
  expect(code).toBe(3);
  expect(stdout).toMatch(/^table \d+: a block fails its checksum\n[^]*DAMAGED: .*backup/);
});

test('check ends with 1 where there is no data directory, or a server has it open', async () => {
  await using dir = await makeTempDir();
  const missing = await check(join(dir.path, 'nothing'));
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain('there is no ');
  const directory = join(dir.path, 'data');
  const args = ['--database.directory', directory, '--server.endpoint', 'tcp://127.0.0.1:0'];
  await using server = TicklogProcess.start(['serve', ...args]);
  await server.endpoint();
  const locked = await check(directory);
  expect(locked).toMatchObject({ code: 1, stdout: '' });
  expect(locked.stderr).toMatch(/a server has .* open; stop it/);
});
