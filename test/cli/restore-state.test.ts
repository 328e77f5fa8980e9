import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../support/cli-run.ts';
import { writeDump } from '../support/dump-files.ts';
import { json, LeaderScript, refusal, type ScriptAnswer } from '../support/leader-script.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

const OK = json({ result: true });
const LIST = 'GET /_db/_system/_api/collection';
const INDEX = { id: '9', type: 'hash', unique: true, fields: ['a'] };
const line = (key: string): string => `{"type":2300,"key":"${key}","data":{"_key":"${key}"}}`;

let dir: TempDir;
let server: LeaderScript;
let statePath: string;

beforeEach(async () => {
  dir = await makeTempDir();
  statePath = join(dir.path, 'restore.state.json.tmp');
  server = await LeaderScript.open();
  server
    .always('GET /_db/_system/_api/version', json({ server: 'arango', version: '1.4.3' }))
    .always('GET server-id', json({ serverId: '1' }))
    .always('GET applier-state', json({ state: { running: false } }))
    .always('PUT restore-collection', OK)
    .always('PUT restore-data', OK)
    .always('PUT restore-indexes', OK);
  present('a', 'b');
  await writeDump(dir.path, [
    { name: 'a', lines: [line('a')], indexes: [INDEX] },
    { name: 'b', lines: [line('b')] },
  ]);
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

function present(...names: string[]): void {
  server.always(LIST, json({ collections: names.map((name) => ({ name })) }));
}

const restore = (flags: readonly string[], signal?: AbortSignal): Promise<CliResult> => {
  const at = ['--server.endpoint', server.endpoint, '--input-directory', dir.path];
  const options = signal ? { signal } : {};
  return runCli(['restore', '--yes', '--threads', '1', ...at, ...flags], options);
};

/** Runs it up to a request, and leaves of its state what a kill at that moment would. */
async function killAt(what: string, times: number, flags: readonly string[] = []): Promise<void> {
  const ending = new AbortController();
  let state = '';
  const last = async (): Promise<ScriptAnswer> => {
    state = await readFile(statePath, 'utf8');
    ending.abort();
    return OK;
  };
  server.next(what, ...Array.from({ length: times - 1 }, () => OK), last);
  expect(await restore(flags, ending.signal)).toMatchObject({ code: 1 });
  await writeFile(statePath, state);
  server.requests.length = 0;
}

const restored = (): (string | null)[] =>
  server.seen('PUT restore-data').map(({ query }) => query.get('collection'));

describe('--continue', () => {
  test('does not trust what a restore before the last one has noted', async () => {
    await killAt('PUT restore-data', 2);
    await killAt('PUT restore-collection', 1);
    expect(await restore(['--continue'])).toMatchObject({ code: 0 });
    expect(server.seen('PUT restore-collection')).toHaveLength(2);
    expect(restored()).toEqual(['a', 'b']);
  });

  test('does not trust what was noted of another server at the same address', async () => {
    await killAt('PUT restore-data', 2);
    server.always('GET server-id', json({ serverId: '2' }));
    const { code, stdout } = await restore(['--continue']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('there is no interrupted restore to go on with') as string,
    });
    expect(restored()).toEqual(['a', 'b']);
  });

  test('does not trust what was noted of a collection that was begun anew', async () => {
    await killAt('PUT restore-data', 2);
    present('b');
    await killAt('PUT restore-collection', 1, ['--continue']);
    present('a', 'b');
    expect(await restore(['--continue'])).toMatchObject({ code: 0 });
    expect(restored()).toContain('a');
  });

  test.each<[string[], string[], string]>([
    [['--import-data', 'false'], [], '--import-data: false'],
    [['--create-collection', 'false'], [], '--create-collection: false'],
    [['--overwrite', 'false'], [], '--overwrite: false'],
    [['--recycle-ids'], [], '--recycle-ids: true'],
    [[], ['--recycle-ids'], '--recycle-ids: false'],
    [['--force'], [], '--force: true'],
    [['--include-system-collections'], [], '--include-system-collections: true'],
    [['--collection', 'a'], ['--collection', 'b'], '--collection: ["a"]'],
    [['--collection', 'a'], [], '--collection: ["a"]'],
  ])('refuses to go on with %j as %j', async (flags, others, named) => {
    await killAt('PUT restore-indexes', 1, flags);
    const before = await readFile(statePath, 'utf8');
    const { code, stderr } = await restore(['--continue', ...others]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining(`was begun with another ${named}; go on with`) as string,
    });
    expect(stderr).toContain('or begin anew without --continue');
    expect(server.requests).toEqual([]);
    expect(await readFile(statePath, 'utf8')).toBe(before);
  });

  test('takes the same collections in another order, other sizes, and --force from here on', async () => {
    await killAt('PUT restore-data', 2, ['--collection', 'b', '--collection', 'a']);
    const others = ['--collection', 'a', '--collection', 'b', '--batch-size', '1024', '--force'];
    expect(await restore(['--continue', ...others])).toMatchObject({ code: 0 });
    expect(restored()).toEqual(['b']);
  });
});

test('with --force a collection is not restored that lacks an index; the others of it are made', async () => {
  const refused = refusal(400, 1210, 'unique constraint violated');
  server.always('PUT restore-indexes', ({ query }) => (query.has('force') ? OK : refused));
  const { code, stdout, stderr } = await restore(['--force']);
  expect(code).toBe(1);
  expect(stderr).toContain("restoring 'a' failed: unique constraint violated");
  expect(stdout).toContain('restored 1 collection, 1 FAILED');
  expect(server.seen('PUT restore-indexes').map(({ query }) => query.toString())).toEqual([
    '',
    'force=true',
  ]);
  server.requests.length = 0;
  server.always('PUT restore-indexes', OK);
  expect(await restore(['--force', '--continue'])).toMatchObject({ code: 0 });
  expect(server.seen('PUT restore-indexes')).toHaveLength(1);
  expect(restored()).toEqual([]);
});
