import { readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fileBaseOf } from '../../src/cli/dump-layout.ts';
import { deferred } from '../../src/base/deferred.ts';
import { type CliRunOptions, CollectingStream, runCli } from '../support/cli-run.ts';
import { writeDump } from '../support/dump-files.ts';
import { json, LeaderScript, refusal, type ScriptRequest } from '../support/leader-script.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

let dir: TempDir;
let server: LeaderScript;

beforeEach(async () => {
  dir = await makeTempDir();
  server = await LeaderScript.open();
  const done = json({ result: true });
  serve('1.4.3')
    .always('PUT restore-collection', done)
    .always('GET server-id', json({ serverId: '1' }))
    .always('GET applier-state', json({ state: { running: false } }))
    .always('PUT restore-data', done)
    .always('PUT restore-indexes', done);
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

function serve(version: string): LeaderScript {
  return server.always('GET /_db/_system/_api/version', json({ server: 'arango', version }));
}

const restore = (flags: readonly string[] = [], options: CliRunOptions = {}) =>
  runCli(
    [
      'restore',
      '--yes',
      '--server.endpoint',
      server.endpoint,
      '--input-directory',
      dir.path,
    ].concat(flags),
    options,
  );

/** Which collection a request is about. */
function subject({ query, body, command }: ScriptRequest): string {
  if (command === 'restore-data') return query.get('collection') ?? '';
  return (JSON.parse(body) as { parameters: { name: string } }).parameters.name;
}

/** Files of the dump that this process has open. */
async function openFiles(): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const paths = descriptors.map((each) => readlink(`/proc/self/fd/${each}`).catch(() => ''));
  return (await Promise.all(paths)).filter((path) => path.startsWith(dir.path));
}

/** What was asked, but for the version, who it is, and, at the end, whether it is a follower. */
const sent = (): ScriptRequest[] =>
  server.requests
    .slice(1)
    .filter(({ command }) => command !== 'server-id' && command !== 'applier-state');

const asked = (): string[] => sent().map((each) => `${each.command} ${subject(each)}`);

const created = (): string[] => server.seen('PUT restore-collection').map(subject);

const line = (key: string): string =>
  `{"type":2300,"key":"${key}","rev":"1","data":{"_key":"${key}","_rev":"1"}}`;
const INDEX = { id: '9', type: 'hash', unique: true, fields: ['a'] };

describe('what is sent', () => {
  test('structure, data, indexes of each; documents before edges, then by name', async () => {
    await writeDump(dir.path, [
      { name: 'Zebra', lines: [line('z')], indexes: [INDEX] },
      { name: 'apes', lines: [line('a')] },
      { name: '_graphs', lines: [line('g')] },
      { name: 'Links', type: 3, lines: [line('l')], indexes: [INDEX] },
      { name: '_users', lines: [line('u')] },
    ]);
    const { code, stderr } = await restore([
      ...['--threads', '1', '--include-system-collections', 'true'],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(asked()).toEqual([
      ...['restore-collection _graphs', 'restore-data _graphs'],
      ...['restore-collection apes', 'restore-data apes'],
      ...['restore-collection Zebra', 'restore-data Zebra', 'restore-indexes Zebra'],
      ...['restore-collection _users', 'restore-data _users'],
      ...['restore-collection Links', 'restore-data Links', 'restore-indexes Links'],
    ]);
    expect(server.surprises).toEqual([]);
  });

  test('edges wait for all documents, however many are sent at a time', async () => {
    await writeDump(dir.path, [
      { name: 'a', lines: [line('a')] },
      { name: 'b', lines: [line('b')] },
      { name: 'e', type: 3, lines: [line('e')] },
    ]);
    let open = 0;
    let most = 0;
    server.always('PUT restore-data', async (request) => {
      if (subject(request) === 'e') expect(open).toBe(0);
      most = Math.max(most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 50));
      open--;
      return json({ result: true });
    });
    expect(await restore(['--threads', '8'])).toMatchObject({ code: 0 });
    expect(most).toBe(2);
  });

  test('system collections only when they are asked for', async () => {
    await writeDump(dir.path, [{ name: '_graphs' }, { name: 'a' }]);
    await restore();
    expect(created()).toEqual(['a']);
    const named = await restore(['--collection', '_graphs']);
    expect(named).toMatchObject({ code: 1 });
    expect(named.stderr).toContain('--include-system-collections true');
  });

  test('--collection: these only, and one that is not there is a failure before anything is sent', async () => {
    await writeDump(dir.path, [{ name: 'a' }, { name: 'b' }]);
    expect(await restore(['--collection', 'b', '--collection', 'c'])).toMatchObject({
      code: 1,
      stderr: `ticklog: the dump in '${dir.path}' has no collection c\n`,
    });
    expect(server.requests).toEqual([]);
    await restore(['--collection', 'b']);
    expect(created()).toEqual(['b']);
  });

  test('data in pieces of whole lines, in order, one at a time', async () => {
    const lines = Array.from({ length: 400 }, (_, i) => line(`k${i}`));
    await writeDump(dir.path, [{ name: 'a', lines }]);
    let open = 0;
    server.always('PUT restore-data', async () => {
      expect(++open).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      open--;
      return json({ result: true });
    });
    const { stdout } = await restore(['--batch-size', '4096', '--threads', '4']);
    const pieces = server.seen('PUT restore-data').map(({ body }) => body);
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.every((piece) => piece.length <= 4096)).toBe(true);
    expect(pieces.join('\n').split('\n')).toEqual(lines);
    expect(stdout).toContain(`restored 'a': 400 lines,`);
    expect(server.seen('PUT restore-data')[0]!.headers['content-type']).toBe(
      'application/x-arango-dump; charset=utf-8',
    );
  });

  test.each<[string[], string, string, string]>([
    [[], 'overwrite=true&recycleIds=false', 'collection=a&recycleIds=false', ''],
    [
      ['--overwrite', 'false', '--recycle-ids', '--force'],
      'overwrite=false&recycleIds=true&force=true',
      'collection=a&recycleIds=true&force=true',
      // Only when one can not be made: an answer that is forced does not say so.
      '',
    ],
  ])('flags %j', async (flags, collection, data, indexes) => {
    await writeDump(dir.path, [{ name: 'a', lines: [line('a')], indexes: [INDEX] }]);
    await restore(flags);
    const queries = sent().map(({ query }) => query.toString());
    expect(queries).toEqual([collection, data, indexes]);
  });

  test('--import-data false: no data; --create-collection false: no collections', async () => {
    await writeDump(dir.path, [{ name: 'a', lines: [line('a')], indexes: [INDEX] }]);
    await restore(['--import-data', 'false']);
    expect(asked()).toEqual(['restore-collection a', 'restore-indexes a']);
    server.requests.length = 0;
    await restore(['--create-collection', 'false']);
    expect(asked()).toEqual(['restore-data a', 'restore-indexes a']);
  });

  test('split and compressed files', async () => {
    await writeDump(dir.path, [{ name: 'a' }]);
    const base = join(dir.path, fileBaseOf('a'));
    await writeFile(`${base}.0.data.json.gz`, gzipSync(`${line('a')}\n${line('b')}`));
    await writeFile(`${base}.1.data.json.gz`, gzipSync(`${line('c')}\n`));
    expect(await restore()).toMatchObject({ code: 0 });
    const [sent] = server.seen('PUT restore-data');
    expect(sent!.body.split('\n')).toEqual(['a', 'b', 'c'].map(line));
  });
});

describe('documents with nothing around them', () => {
  const DOCUMENTS = ['{"_id":"a/1","_key":"1","type":2302}', '{"_id":"a/2","_key":"2","data":{}}'];
  const EDGES = ['{"_key":"3","_from":"a/1","_to":"a/2"}'];
  const bare = [
    { name: 'a', lines: DOCUMENTS },
    { name: 'e', type: 3 as const, lines: EDGES },
  ];

  test.each([
    ['as dump.json says', { database: 'shop', useEnvelope: false }],
    ['as the first line shows', undefined],
  ])('%s: servers before 3.8 are sent lines that say what they are', async (_, description) => {
    await writeDump(dir.path, bare, description);
    await restore();
    const [documents, edges] = server.seen('PUT restore-data');
    expect(documents!.body).toBe(
      DOCUMENTS.map((each) => `{"type":2300,"data":${each}}\n`).join(''),
    );
    expect(edges!.body).toBe(EDGES.map((each) => `{"type":2301,"data":${each}}\n`).join(''));
    expect(documents!.query.has('useEnvelope')).toBe(false);
  });

  test('later ones are told, and sent the lines as they are', async () => {
    serve('3.11.4');
    await writeDump(dir.path, bare, { useEnvelope: false });
    await restore();
    const [documents] = server.seen('PUT restore-data');
    expect(documents!.query.get('useEnvelope')).toBe('false');
    expect(documents!.body).toBe(DOCUMENTS.join('\n'));
  });

  test('what dump.json says counts', async () => {
    await writeDump(dir.path, bare, { useEnvelope: true });
    await restore();
    expect(server.seen('PUT restore-data')[0]!.body).toBe(DOCUMENTS.join('\n'));
  });
});

describe('the database', () => {
  test('is created when it is missing and --create-database is given, with its user', async () => {
    await writeDump(dir.path, [{ name: 'a' }]);
    const version = json({ server: 'arango', version: '1.4.3' });
    const missing = refusal(404, 1228, 'database not found');
    server.next('GET /_db/shop/_api/version', missing, missing, version);
    server.always('POST /_db/_system/_api/database', json({ result: true }));
    const flags = ['--server.database', 'shop', '--server.username', 'ann'];
    const without = await restore(flags);
    expect(without).toMatchObject({ code: 1 });
    expect(without.stderr).toMatch(
      /database not found .*\n.*restore does it with --create-database/,
    );
    const { code, stdout } = await restore([
      ...flags,
      ...['--create-database', '--server.password', 'pw'],
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain('database shop, which is new\n');
    const [creation] = server.seen('POST /_db/_system/_api/database');
    expect(JSON.parse(creation!.body)).toEqual({
      name: 'shop',
      users: [{ username: 'ann', passwd: 'pw', active: true }],
    });
    expect(server.seen('PUT restore-collection')[0]!.database).toBe('shop');
  });

  test.each([
    [{ database: 'shop' }, "is of 'shop'"],
    [undefined, 'does not say of which database it is'],
  ])('must be that of the dump %j with --force-same-database', async (description, message) => {
    await writeDump(dir.path, [{ name: 'a' }], description);
    const { code, stderr } = await restore(['--force-same-database']);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(server.requests).toEqual([]);
    await writeDump(dir.path, [], { database: '_system' });
    expect(await restore(['--force-same-database'])).toMatchObject({ code: 0 });
  });
});

describe('what goes wrong', () => {
  beforeEach(async () => {
    await writeDump(dir.path, [
      { name: 'a', lines: [line('a')], indexes: [INDEX] },
      { name: 'b', lines: [line('b')] },
      { name: 'e', type: 3, lines: [line('e')] },
    ]);
    server.always('PUT restore-data', (request) =>
      subject(request) === 'a' ? refusal(400, 600, 'line 1: no JSON') : json({ result: true }),
    );
  });

  test('the first failure is the end, and is told once, with its collection', async () => {
    const { code, stderr } = await restore(['--threads', '1']);
    expect(code).toBe(1);
    expect(stderr).toContain("restoring 'a' failed: line 1: no JSON (error 600)");
    expect(stderr.match(/no JSON/g)).toHaveLength(1);
    expect(asked()).toEqual(['restore-collection a', 'restore-data a']);
  });

  test('no file stays open of what was not sent', async () => {
    const long = line('a').replace('}}', `,"s":"${'x'.repeat(1000)}"}}`);
    await writeDump(dir.path, [{ name: 'a', lines: Array<string>(20_000).fill(long) }]);
    await restore(['--threads', '1', '--force', 'true']);
    await vi.waitFor(async () => expect(await openFiles()).toEqual([]), 10_000);
  });

  test('with --force the others are restored; the end is a failure all the same', async () => {
    const { code, stdout, stderr } = await restore(['--threads', '1', '--force', 'true']);
    expect(code).toBe(1);
    expect(stderr).toContain("restoring 'a' failed: line 1: no JSON (error 600)");
    expect(stdout).toContain('restored 2 collections, 1 FAILED');
    expect(created()).toEqual(['a', 'b', 'e']);
  });

  test('a data file that is damaged', async () => {
    await writeFile(
      join(dir.path, `${fileBaseOf('c')}.structure.json`),
      '{"parameters":{"name":"c"},"indexes":[]}',
    );
    const file = `${fileBaseOf('c')}.data.json.gz`;
    await writeFile(join(dir.path, file), gzipSync(`${line('c')}\n`.repeat(900)).subarray(0, 70));
    const { code, stderr } = await restore(['--collection', 'c']);
    expect(code).toBe(1);
    expect(stderr).toContain(file);
  });

  test('a server that answers something else', async () => {
    server.always('PUT restore-collection', json({ result: false }));
    const { code, stderr } = await restore(['--collection', 'b']);
    expect(code).toBe(1);
    expect(stderr).toContain('the answer to restore-collection is not that it was done');
  });

  test('interrupted, it says so and sends nothing more', async () => {
    const ending = new AbortController();
    server.always('PUT restore-data', async () => {
      ending.abort();
      await new Promise((resolve) => setTimeout(resolve, 200));
      return json({ result: true });
    });
    const { code, stderr } = await restore(['--threads', '1'], { signal: ending.signal });
    expect(code).toBe(1);
    expect(stderr).toMatch(/--continue\nticklog: interrupted\n$/);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked()).toEqual(['restore-collection a', 'restore-data a']);
  });
});

test('views are passed over, with a line', async () => {
  await writeDump(dir.path, [{ name: 'a' }]);
  await writeFile(join(dir.path, 'things.view.json'), '{"name":"things","type":"arangosearch"}');
  const { code, stderr } = await restore();
  expect(code).toBe(0);
  expect(stderr).toBe('ticklog: things.view.json is passed over: there are no views here\n');
});

test('an encrypted dump is refused before anyone is asked', async () => {
  await writeDump(dir.path, [{ name: 'a' }]);
  await writeFile(join(dir.path, 'ENCRYPTION'), 'aes-256-ctr');
  const { code, stderr } = await restore();
  expect(code).toBe(1);
  expect(stderr).toMatch(/is encrypted \(aes-256-ctr\)/);
  expect(server.requests).toEqual([]);
});

test.each([
  ['documents, where the dump counts them', { documents: 4, lines: 9 }, '1 of 4 documents, '],
  ['nothing, where it does not', undefined, '1 document, '],
])('on a terminal is shown how much there is to restore: %s', async (_, count, words) => {
  const line = (key: string): string =>
    `{"type":2300,"key":"${key}","rev":"1","data":{"_key":"${key}"}}`;
  const lines = ['a', 'b', 'c', 'd'].map((key) => line(key.repeat(600)));
  const ticklog = count ? { ticklog: { collections: { c: count } } } : {};
  await writeDump(dir.path, [{ name: 'c', lines }], { database: 'shop', ...ticklog });
  const gate = deferred<undefined>();
  const done = json({ result: true });
  server.next('PUT restore-data', done, async () => {
    await gate.promise;
    return done;
  });
  const stderr = new CollectingStream();
  const running = restore(['--batch-size', '1k'], { isErrTty: true, stderr });
  await vi.waitFor(() => expect(stderr.text).toContain(words), 10_000);
  gate.resolve(undefined);
  expect(await running).toMatchObject({ code: 0 });
});
