import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileBaseOf } from '../../src/cli/dump-layout.ts';
import { type CliRunOptions, runCli } from '../support/cli-run.ts';
import { dumpedLines, dumpedStructure } from '../support/dump-files.ts';
import { json, LeaderScript, page, refusal, type ScriptAnswer } from '../support/leader-script.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

let dir: TempDir;
let server: LeaderScript;

beforeEach(async () => {
  dir = await makeTempDir();
  server = await LeaderScript.open();
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

const VERSION = 'GET /_db/_system/_api/version';
const DONE: ScriptAnswer = { status: 204 };

interface Listed {
  readonly name: string;
  readonly cid: string;
  readonly type?: number;
}

/** A server with these collections; `GET dump` is what a test adds. */
function serve(collections: readonly Listed[], version = '1.4.3'): void {
  server
    .always(VERSION, json({ server: 'arango', version }))
    .always('POST batch', json({ id: '900' }))
    .always('PUT batch', DONE)
    .always('DELETE batch', DONE)
    .always('PUT /_db/_system/_admin/wal/flush', json({ error: false, code: 200 }))
    .always(
      'GET inventory',
      json({
        collections: collections.map(({ name, cid, type = 2 }) => ({
          parameters: { name, cid, type, deleted: false },
          indexes: [{ id: '5', type: 'hash', unique: false, fields: ['a'] }],
        })),
        tick: '1000',
        state: { running: true, lastLogTick: '999', totalEvents: 1, time: '' },
      }),
    );
}

const PEOPLE = { name: 'people', cid: '11' };
const KNOWS = { name: 'knows', cid: '12', type: 3 };

function line(key: string, more = ''): string {
  return `{"type":2300,"key":"${key}","rev":"1","data":{"_key":"${key}","_rev":"1"${more}}}`;
}

const dump = (flags: readonly string[] = [], options: CliRunOptions = {}) =>
  runCli(
    ['dump', '--server.endpoint', server.endpoint, '--output-directory', dir.path, ...flags],
    options,
  );

const files = async (): Promise<string[]> => (await readdir(dir.path)).sort();
const finished = async (): Promise<string[]> =>
  (await files()).filter((file) => !file.endsWith('.tmp'));
const chunks = (): string[] =>
  server.seen('GET dump').map(({ query }) => `${query.get('from')} ${query.get('chunkSize')}`);

describe('what is asked for', () => {
  test('page after page, larger each time, up to the tick of the inventory', async () => {
    serve([PEOPLE]);
    server.next(
      'GET dump',
      page([line('a')], { checkMore: true, lastIncluded: '300' }),
      page([line('b'), line('c')], { checkMore: true, lastIncluded: '500' }),
      page([line('d')], { lastIncluded: '700' }),
    );
    const { code, stdout, stderr } = await dump([
      ...['--initial-batch-size', '1024', '--batch-size', '2k'],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(chunks()).toEqual(['0 1024', '300 1536', '500 2048']);
    for (const { query } of server.seen('GET dump')) {
      expect(Object.fromEntries(query)).toMatchObject({
        collection: '11',
        ticks: 'false',
        translateIds: 'true',
        to: '1000',
      });
    }
    expect(await dumpedLines(dir.path, 'people')).toEqual(['a', 'b', 'c', 'd'].map((k) => line(k)));
    expect(stdout).toContain("dumped 'people': 4 lines,");
    expect(await readFile(join(dir.path, 'dump.json'), 'utf8')).toBe(
      '{"database":"_system","lastTickAtDumpStart":"1000","useEnvelope":true,"ticklog":{"collections":{"people":{"lines":4}}}}',
    );
    expect(await readFile(join(dir.path, 'ENCRYPTION'), 'utf8')).toBe('none');
    expect(server.surprises).toEqual([]);
  });

  test('the batch is opened before the inventory is taken, extended for each collection, and ended', async () => {
    serve([PEOPLE, KNOWS]);
    server.always('GET dump', page([line('a')]));
    await dump(['--threads', '1']);
    expect(server.requests.map(({ method, command }) => `${method} ${command}`)).toEqual([
      ...[VERSION, 'POST batch', 'GET inventory'],
      ...['PUT batch/900', 'GET dump', 'PUT batch/900', 'GET dump', 'DELETE batch/900'],
    ]);
  });

  test.each(['2.8.11', '3.0.3'])('%s has its log flushed first', async (version) => {
    serve([PEOPLE], version);
    server.always('GET dump', page([]));
    expect(await dump()).toMatchObject({ code: 0 });
    expect(server.requests.map(({ command }) => command).slice(0, 3)).toEqual([
      ...['/_db/_system/_api/version', '/_db/_system/_admin/wal/flush', 'batch'],
    ]);
  });

  test('a server without a log to flush is none the worse for it', async () => {
    serve([PEOPLE], '3.0.3');
    server.next('PUT /_db/_system/_admin/wal/flush', refusal(404, 404, 'unknown path'));
    server.always('GET dump', page([]));
    expect(await dump()).toMatchObject({ code: 0 });
    server.next('PUT /_db/_system/_admin/wal/flush', refusal(403, 11, 'forbidden'));
    expect(await dump(['--overwrite', 'true'])).toMatchObject({ code: 1 });
  });

  test('only what is between --tick-start and --tick-end', async () => {
    serve([PEOPLE]);
    server.always('GET dump', page([]));
    await dump(['--tick-start', '20', '--tick-end', '30']);
    const { query } = server.seen('GET dump')[0]!;
    expect([query.get('from'), query.get('to')]).toEqual(['20', '30']);
    expect(await dump(['--tick-start', '30', '--tick-end', '30'])).toMatchObject({ code: 2 });
  });

  test('--dump-data false: only structures', async () => {
    serve([PEOPLE]);
    expect(await dump(['--dump-data', 'false'])).toMatchObject({ code: 0 });
    expect(server.seen('GET dump')).toEqual([]);
    expect(await dumpedLines(dir.path, 'people')).toBeUndefined();
    expect(await dumpedStructure(dir.path, 'people')).toEqual({
      parameters: { name: 'people', cid: '11', type: 2, deleted: false },
      indexes: [{ id: '5', type: 'hash', unique: false, fields: ['a'] }],
    });
  });

  test('--collection: these only, and one that is not there is a failure that writes nothing', async () => {
    serve([PEOPLE, KNOWS]);
    server.always('GET dump', page([]));
    const missing = await dump(['--collection', 'knows', '--collection', 'nobody']);
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.stderr).toContain("database '_system' has no collection nobody");
    expect(await files()).toEqual([]);
    const below = join(dir.path, 'below');
    await dump(['--collection', 'nobody', '--output-directory', below]);
    expect(await files()).toEqual([]);
    await dump(['--collection', 'knows']);
    expect(await files()).toContain(`${fileBaseOf('knows')}.structure.json`);
    expect(await files()).not.toContain(`${fileBaseOf('people')}.structure.json`);
  });

  test('an empty collection has a data file all the same', async () => {
    serve([PEOPLE]);
    server.always('GET dump', page([]));
    await dump();
    expect(await dumpedLines(dir.path, 'people')).toEqual([]);
  });

  test('several collections at a time, but not more than --threads', async () => {
    serve(Array.from({ length: 6 }, (_, i) => ({ name: `c${i}`, cid: String(i + 1) })));
    let [open, most] = [0, 0];
    server.always('GET dump', async () => {
      most = Math.max(most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 30));
      open--;
      return page([line('a')]);
    });
    expect(await dump(['--threads', '3'])).toMatchObject({ code: 0 });
    expect(most).toBe(3);
  });
});

describe('documents with nothing around them (--envelope false)', () => {
  const ticked = (tick: number, key: string, data: string): string =>
    `{"tick":"${tick}","type":2300,"key":"${key}","rev":"${tick}","data":{"_key":"${key}","_rev":"${tick}"${data}}}`;
  const removal = (tick: number, key: string): string =>
    `{"tick":"${tick}","type":2302,"key":"${key}","rev":"${tick}"}`;

  test.each([true, false])('without those that were removed; ticklog: %s', async (ticklog) => {
    serve([PEOPLE]);
    const first = [
      ticked(1, 'a', ',"n":1.50'),
      ticked(2, 'b', ''),
      removal(3, 'b'),
      removal(4, 'x'),
    ];
    const second = [ticked(5, 'x', ',"s":"é\\n"'), ticked(6, 'a', ',"n":2')];
    server.always('GET dump', ({ query }) =>
      query.get('from') === '0'
        ? page(first, { checkMore: true, ticklog })
        : page(second, { ticklog }),
    );
    const { code, stdout } = await dump(['--envelope', 'false', '--compress-output', 'false']);
    expect(code).toBe(0);
    expect(await dumpedLines(dir.path, 'people')).toEqual([
      '{"_id":"people/a","_key":"a","_rev":"1","n":1.50}',
      '{"_id":"people/x","_key":"x","_rev":"5","s":"é\\n"}',
      '{"_id":"people/a","_key":"a","_rev":"6","n":2}',
    ]);
    expect(stdout).toContain("dumped 'people': 3 lines,");
    expect(server.seen('GET dump').map(({ query }) => query.get('ticks'))).toEqual(
      Array.from({ length: 4 }, () => 'true'),
    );
    expect(JSON.parse(await readFile(join(dir.path, 'dump.json'), 'utf8'))).toMatchObject({
      useEnvelope: false,
    });
  });

  test('a dump without removals is read once; edges keep their ends', async () => {
    serve([KNOWS]);
    const edge =
      '{"tick":"8","type":2300,"data":{"_id":"knows/e","_from":"p/1","_key":"e","_rev":"7","_to":"p/2","w":1}}';
    server.always('GET dump', page([edge]));
    expect(await dump(['--envelope', 'false'])).toMatchObject({ code: 0 });
    expect(server.seen('GET dump')).toHaveLength(1);
    expect(await dumpedLines(dir.path, 'knows')).toEqual([
      '{"_id":"knows/e","_key":"e","_rev":"7","_from":"p/1","_to":"p/2","w":1}',
    ]);
  });
});

describe('what goes wrong', () => {
  test('a damaged page is asked for again', async () => {
    serve([PEOPLE]);
    const damaged = page([line('a')], { headers: { 'x-ticklog-crc32': '1' } });
    server.next('GET dump', damaged, page([line('a')], { ticklog: true }));
    expect(await dump()).toMatchObject({ code: 0 });
    expect(await dumpedLines(dir.path, 'people')).toEqual([line('a')]);
  });

  /** What passes can be gone on with: the batch is left for that. */
  test.each<[string, ScriptAnswer, RegExp, 'passes'?]>([
    [
      'a checksum that never fits',
      page([line('a')], { headers: { 'x-ticklog-crc32': '1' } }),
      /checksum/,
      'passes',
    ],
    [
      'a page of another type',
      page([line('a')], { headers: { 'content-type': 'text/html' } }),
      /text\/html/,
      'passes',
    ],
    [
      'a page without the header that says whether there is more',
      { headers: { 'content-type': 'application/x-arango-dump' }, body: `${line('a')}\n` },
      /x-arango-replication-checkmore is missing/,
      'passes',
    ],
    [
      'a page that ends within a line',
      { ...page([line('a')]), body: `${line('a')}\n{"type":23` },
      /a page of 'people' is cut off/,
    ],
    ['a body that is cut off', { ...page([line('a')]), cut: true }, /no answer from/, 'passes'],
    [
      'a server that does not get on',
      page([line('a')], { checkMore: true, lastIncluded: '0' }),
      /does not get on/,
    ],
    ['a collection that was dropped', refusal(404, 1203, 'collection not found'), /error 1203/],
  ])('%s: the dump fails and leaves no dump', async (_, answer, message, passes) => {
    serve([PEOPLE]);
    server.always('GET dump', answer);
    const { code, stderr } = await dump();
    expect(code).toBe(1);
    expect(stderr.match(/dumping 'people' failed: /g)).toHaveLength(1);
    expect(stderr).toMatch(message);
    expect(await finished()).toEqual([]);
    expect(server.seen('DELETE batch')).toHaveLength(passes ? 0 : 1);
    expect(await runCli(['restore', '--input-directory', dir.path])).toMatchObject({ code: 1 });
  });

  test('a batch that the server lost: what was read can not be trusted', async () => {
    serve([PEOPLE]);
    server
      .always('GET dump', page([line('a')]))
      .always('DELETE batch', refusal(400, 1202, 'document not found'));
    const { code, stderr } = await dump();
    expect(code).toBe(1);
    expect(stderr).toMatch(/has lost dump batch 900/);
    expect(await finished()).toEqual([]);
  });

  test('--force goes on with the next collection; the end is a failure all the same', async () => {
    serve([PEOPLE, KNOWS]);
    server.always('GET dump', ({ query }) =>
      query.get('collection') === '11' ? refusal(500, 4, 'internal error') : page([line('a')]),
    );
    const { code, stdout, stderr } = await dump(['--force', 'true']);
    expect(code).toBe(1);
    expect(stderr).toContain("dumping 'people' failed: internal error (error 4)");
    expect(stdout).toContain('dumped 1 collection, 1 FAILED');
    expect(await finished()).toContain(`${fileBaseOf('knows')}.data.json.gz`);
    expect(await finished()).not.toContain(`${fileBaseOf('people')}.structure.json`);
    expect((await files()).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  });

  test('a directory that holds something is not touched without --overwrite', async () => {
    serve([PEOPLE]);
    server.always('GET dump', page([line('a')]));
    expect(await dump()).toMatchObject({ code: 0 });
    const asked = server.requests.length;
    const again = await dump();
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toContain('--overwrite true');
    expect(server.requests).toHaveLength(asked);
    expect(await dump(['--overwrite'])).toMatchObject({ code: 0 });
  });

  test('a dump that fails leaves the one before as it was', async () => {
    serve([PEOPLE]);
    server.next('GET dump', page([line('before')]));
    await dump();
    const before = await finished();
    server.always('GET dump', refusal(404, 1203, 'collection not found'));
    expect(await dump(['--overwrite', 'true'])).toMatchObject({ code: 1 });
    expect(await finished()).toEqual(before);
    expect(await dumpedLines(dir.path, 'people')).toEqual([line('before')]);
  });

  test('interrupted, it says so, leaves the batch for --continue, and no dump', async () => {
    serve([PEOPLE]);
    const ending = new AbortController();
    server.always('GET dump', async () => {
      ending.abort();
      await new Promise((resolve) => setTimeout(resolve, 5000));
      return page([line('a')]);
    });
    const startedMs = performance.now();
    const { code, stderr } = await dump([], { signal: ending.signal });
    expect(performance.now() - startedMs).toBeLessThan(4000);
    expect(code).toBe(1);
    expect(stderr).toMatch(/add --continue\nticklog: interrupted\n$/);
    expect(server.seen('DELETE batch')).toEqual([]);
    expect(await finished()).toEqual([]);
  });

  test.each([
    ['3.11.4', /version 3\.11\.4.*own arangodump/],
    ['0.9.0', /version 0\.9\.0/],
  ])('a server of version %s, which wants another kind of dump', async (version, message) => {
    serve([PEOPLE], version);
    const { code, stderr } = await dump();
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(await files()).toEqual([]);
  });

  test('something that is no such server', async () => {
    server.always(VERSION, json({ hello: 'world' }));
    const { code, stderr } = await dump();
    expect(code).toBe(1);
    expect(stderr).toContain('is no server of this kind');
  });

  test('a name that would lead out of the directory', async () => {
    serve([{ name: '../people', cid: '1' }]);
    const { code, stderr } = await dump();
    expect(code).toBe(1);
    expect(stderr).toContain('"../people"');
    expect(await files()).toEqual([]);
  });

  test.each([
    ...[
      ['--threads', '0'],
      ['--batch-size', '1'],
      ['--batch-size', '1g'],
    ],
    ...[
      ['--overwrite', 'perhaps'],
      ['--tick-end', 'x'],
    ],
  ])('%s %s can not be used', async (...flags) => {
    expect(await dump(flags)).toMatchObject({ code: 2, stdout: '' });
  });
});

test('--progress false prints the result and nothing else', async () => {
  serve([PEOPLE]);
  server.always('GET dump', page([line('a')]));
  const { stdout } = await dump(['--progress', 'false']);
  expect(stdout).toMatch(/^\S+: dumped 1 collection: 1 line, \d+ bytes, 1 request in [\d.]+ s\n$/);
});
