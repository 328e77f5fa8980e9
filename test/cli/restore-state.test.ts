import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CliResult, type CliRunOptions, runCli } from '../support/cli-run.ts';
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

/** Of each collection; without one asks for a request that the server has no answer to. */
function documents(counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    server.always(`${LIST}/${name}/count`, json({ count }));
  }
}

/** As it is called where somebody or nobody can be asked. */
const call = (flags: readonly string[], options: CliRunOptions = {}): Promise<CliResult> => {
  const at = ['--server.endpoint', server.endpoint, '--input-directory', dir.path];
  return runCli(['restore', '--threads', '1', ...at, ...flags], options);
};

const restore = (flags: readonly string[], options: CliRunOptions = {}): Promise<CliResult> =>
  call(['--yes', ...flags], options);

/** Runs it up to a request, and leaves of its state what a kill at that moment would. */
async function killAt(
  what: string,
  times: number,
  flags: readonly string[] = [],
  run = restore,
): Promise<void> {
  const ending = new AbortController();
  let state = '';
  const last = async (): Promise<ScriptAnswer> => {
    state = await readFile(statePath, 'utf8');
    ending.abort();
    return OK;
  };
  server.next(what, ...Array.from({ length: times - 1 }, () => OK), last);
  expect(await run(flags, { signal: ending.signal })).toMatchObject({ code: 1 });
  await writeFile(statePath, state);
  server.requests.length = 0;
}

const created = (): unknown[] =>
  server
    .seen('PUT restore-collection')
    .map(({ body }) => (JSON.parse(body) as { parameters: { name: string } }).parameters.name);
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

describe('a restore that was killed before the answer to its first data', () => {
  const AS_CALLED: string[] = [];

  beforeEach(async () => {
    documents({ a: 0, b: 0 });
    await killAt('PUT restore-data', 1, [], call);
    // What has come of it.
    documents({ a: 1, b: 0 });
  });

  test('is repeated as it was called: nobody is asked about what it has stored itself', async () => {
    const { code, stdout, stderr } = await call(AS_CALLED);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('the restore that was interrupted is done once more\n');
    expect(created()).toEqual(['a', 'b']);
    expect(restored()).toEqual(['a', 'b']);
  });

  test('goes on with --continue, and nobody is asked either', async () => {
    const { code, stdout, stderr } = await call(['--continue']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(
      'goes on with the restore that was interrupted, of which 0 of 2 collections are complete; ',
    );
    expect(created()).toEqual(['a', 'b']);
    expect(restored()).toEqual(['a', 'b']);
  });

  test('is repeated again when the repetition was killed, too', async () => {
    await killAt('PUT restore-collection', 1, AS_CALLED, call);
    expect(await call(AS_CALLED)).toMatchObject({ code: 0 });
  });

  test.each([[AS_CALLED], [['--continue']]])(
    'asks before it replaces what others have written to a collection it had not come to: %j',
    async (flags) => {
      documents({ a: 1, b: 5 });
      const { code, stderr } = await call(flags);
      expect(code).toBe(2);
      expect(stderr).toContain('has 1 collection with 5 documents (b); those of the dump take');
      expect(server.seen('PUT restore-collection')).toEqual([]);
      expect(await call(['--continue', '--yes'])).toMatchObject({ code: 0 });
    },
  );

  test.each([
    [1, AS_CALLED, 0],
    [2, AS_CALLED, 2],
    [1, ['--continue'], 0],
    [2, ['--continue'], 2],
  ])('with %i documents where the dump has 1, %j ends with %i', async (count, flags, expected) => {
    const lines = { a: { documents: 1, lines: 1 }, b: { documents: 1, lines: 1 } };
    const description = { database: '_system', ticklog: { collections: lines } };
    await writeFile(join(dir.path, 'dump.json'), JSON.stringify(description));
    documents({ a: count });
    expect(await call(flags)).toMatchObject({ code: expected });
  });

  test('is another one with other flags or another dump, and asks', async () => {
    expect(await call(['--recycle-ids'])).toMatchObject({ code: 2 });
    await writeDump(dir.path, [{ name: 'a', lines: [line('a'), line('a2')] }]);
    for (const flags of [AS_CALLED, ['--continue']]) {
      expect(await call(flags)).toMatchObject({ code: 2 });
    }
    expect(server.seen('PUT restore-collection')).toEqual([]);
  });
});

describe('documents that were there before the restore', () => {
  const yes = { answer: () => 'y' };

  test('nobody is asked about again with --continue; a repetition asks again', async () => {
    documents({ a: 5, b: 5 });
    const run = (flags: readonly string[], options: CliRunOptions = {}): Promise<CliResult> =>
      call(flags, { ...options, ...yes });
    await killAt('PUT restore-collection', 1, [], run);
    const asked = await call([]);
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain('has 2 collections with 10 documents (a, b)');
    expect(server.seen('PUT restore-collection')).toEqual([]);
    expect(await call(['--continue'])).toMatchObject({ code: 0 });
    expect(created()).toEqual(['a', 'b']);
  });

  test('are not replaced by the repetition of a restore that was never begun', async () => {
    documents({ a: 5, b: 5 });
    expect(await call([])).toMatchObject({ code: 2 });
    for (const flags of [[], ['--continue']]) expect(await call(flags)).toMatchObject({ code: 2 });
    expect(server.seen('PUT restore-collection')).toEqual([]);
  });

  test.each([[[]], [['--continue']]])(
    'stay with --overwrite false, and what the restore has made itself is filled: %j',
    async (flags: string[]) => {
      const keeping = ['--overwrite', 'false'];
      present('b');
      await killAt('PUT restore-data', 1, keeping);
      present('a', 'b');
      const there = refusal(409, 1207, 'duplicate name');
      server.always('PUT restore-collection', there);
      const { code, stderr } = await call([...keeping, ...flags]);
      expect(code).toBe(1);
      expect(stderr).toContain("restoring 'b' failed");
      expect(created()).toEqual(['b']);
      expect(restored()).toEqual(['a']);
    },
  );
});

test('a collection whose creation was not answered is noted as begun', async () => {
  server.next('PUT restore-collection', { cut: true });
  documents({ a: 0, b: 0 });
  const { code, stderr } = await call([]);
  expect(code).toBe(1);
  expect(stderr).toContain('to go on where it ended: add --continue');
  documents({ a: 1 });
  expect(await call(['--continue'])).toMatchObject({ code: 0 });
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
