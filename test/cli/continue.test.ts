import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileBaseOf } from '../../src/cli/dump-layout.ts';
import { type CliResult, runCli } from '../support/cli-run.ts';
import { dumpedContents, dumpedLines, writeDump } from '../support/dump-files.ts';
import { json, LeaderScript, page, refusal, type ScriptAnswer } from '../support/leader-script.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';
import { TicklogProcess } from '../support/ticklog-process.ts';

const DONE: ScriptAnswer = { status: 204 };
const line = (key: string): string =>
  `{"type":2300,"key":"${key}","rev":"1","data":{"_key":"${key}","_rev":"1"}}`;

describe('against a server that says what is written down', () => {
  let dir: TempDir;
  let server: LeaderScript;
  let batches = 0;

  beforeEach(async () => {
    dir = await makeTempDir();
    server = await LeaderScript.open();
    batches = 900;
  });

  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  function serve(tick: string, names: readonly string[]): void {
    server
      .always('GET /_db/_system/_api/version', json({ server: 'arango', version: '1.4.3' }))
      .always('POST batch', () => json({ id: String(batches++) }))
      .always('PUT batch', DONE)
      .always('DELETE batch', DONE)
      .always(
        'GET inventory',
        json({
          collections: names.map((name, i) => ({
            parameters: { name, cid: String(11 + i), type: 2, deleted: false },
            indexes: [],
          })),
          ...{ tick, state: { running: true, lastLogTick: '1', totalEvents: 1, time: '' } },
        }),
      );
  }

  const dump = (flags: readonly string[] = [], signal?: AbortSignal): Promise<CliResult> => {
    const at = ['--server.endpoint', server.endpoint, '--output-directory', dir.path];
    const options = signal ? { signal } : {};
    return runCli(['dump', '--threads', '1', '--batch-size', '1024', ...at, ...flags], options);
  };

  const asked = (): string[] =>
    server
      .seen('GET dump')
      .map(({ query }) => `${query.get('collection')} ${query.get('from')} ${query.get('to')}`);

  /** `a` is complete, of `b` there are two pages, `c` was not begun. */
  async function interrupt(flags: readonly string[] = []): Promise<void> {
    serve('1000', ['a', 'b', 'c']);
    const ending = new AbortController();
    server.next(
      'GET dump',
      page([line('a1')]),
      page([line('b1')], { checkMore: true, lastIncluded: '300' }),
      page([line('b2')], { checkMore: true, lastIncluded: '500' }),
      async () => {
        ending.abort();
        await new Promise((resolve) => setTimeout(resolve, 2000));
        return page([]);
      },
    );
    expect(await dump(flags, ending.signal)).toMatchObject({ code: 1 });
    server.requests.length = 0;
  }

  test('where a dump is to be replaced and was interrupted the way on is told, where it is one', async () => {
    serve('900', ['a']);
    server.next('GET dump', page([line('a0')]));
    expect(await dump()).toMatchObject({ code: 0 });
    const whole = await dump();
    expect(whole.stderr).toContain('--overwrite true');
    expect(whole.stderr).not.toContain('--continue');
    await interrupt(['--overwrite']);
    const again = await dump();
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/is not empty; .*with --continue, .*--overwrite true/);
    const other = await dump(['--collection', 'a']);
    expect(other.stderr).not.toContain('--continue');
    expect(asked()).toEqual([]);
  });

  test('while its batch is there a dump goes on in the middle of a collection, of the same moment', async () => {
    await interrupt();
    serve('2000', ['a', 'b', 'c', 'new']);
    server.next('GET dump', page([line('b3')]), page([line('c1')]));
    const { code, stdout, stderr } = await dump(['--continue']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const bytes = 2 * 3 * (line('a1').length + 1);
    expect(stdout).toContain(
      'goes on with the dump of tick 1000, of which 1 of 3 collections is complete; ' +
        `there are 3 lines, ${bytes / 2} bytes\n`,
    );
    expect(stdout).toContain(`'a' was complete before: 1 line, ${bytes / 6} bytes\n`);
    expect(stdout).not.toMatch(/dump(?:ed|ing) 'a'/);
    expect(stdout).toMatch(
      new RegExp(
        `dumped 3 collections: 5 lines, .* s; of that from before: 1 complete collection, 3 lines, ${bytes / 2} bytes\n$`,
      ),
    );
    expect(asked()).toEqual(['12 500 1000', '13 0 1000']);
    expect(server.seen('GET inventory')).toEqual([]);
    expect(server.seen('POST batch')).toEqual([]);
    expect(server.seen('PUT batch')[0]?.command).toBe('batch/900');
    expect(await dumpedLines(dir.path, 'b')).toEqual(['b1', 'b2', 'b3'].map(line));
    expect(await dumpedLines(dir.path, 'a')).toEqual([line('a1')]);
    expect(JSON.parse(await readFile(join(dir.path, 'dump.json'), 'utf8'))).toMatchObject({
      lastTickAtDumpStart: '1000',
    });
    const files = await readdir(dir.path);
    expect(files.filter((file) => file.includes('.tmp') || file.includes('state'))).toEqual([]);
  });

  test.each([
    ['1000', 'kept'],
    ['1001', 'begun anew'],
  ])(
    'when the batch is gone, a complete collection last changed at tick %s is %s',
    async (revision, fate) => {
      await interrupt();
      serve('2000', ['a', 'b', 'c']);
      server
        .next('PUT batch', refusal(404, 1202, 'cursor not found'))
        .always('GET /_db/_system/_api/collection/a/revision', json({ revision }));
      const fresh = [page([line('b9')]), page([line('c9')])];
      server.next('GET dump', ...(fate === 'kept' ? fresh : [page([line('a9')]), ...fresh]));
      const { code, stdout } = await dump(['--continue']);
      expect(code).toBe(0);
      expect(stdout).toContain('no longer keeps the moment of the interrupted dump');
      const anew = ['12 0 2000', '13 0 2000'];
      expect(asked()).toEqual(fate === 'kept' ? anew : ['11 0 2000', ...anew]);
      expect(await dumpedLines(dir.path, 'a')).toEqual([line(fate === 'kept' ? 'a1' : 'a9')]);
      expect(await dumpedLines(dir.path, 'b')).toEqual([line('b9')]);
      expect(JSON.parse(await readFile(join(dir.path, 'dump.json'), 'utf8'))).toMatchObject({
        lastTickAtDumpStart: '2000',
      });
    },
  );

  test('the half-written rest of a file does not count, nor a file that is gone', async () => {
    await interrupt();
    const file = join(dir.path, `${fileBaseOf('b')}.data.json.gz.tmp`);
    await writeFile(file, Buffer.concat([await readFile(file), Buffer.from('half a gzip member')]));
    await writeFile(join(dir.path, `${fileBaseOf('a')}.data.json.gz.tmp`), '');
    serve('1000', []);
    server.next('GET dump', page([line('a1')]), page([line('b3')]), page([line('c1')]));
    expect(await dump(['--continue'])).toMatchObject({ code: 0 });
    expect(asked()).toEqual(['11 0 1000', '12 500 1000', '13 0 1000']);
    expect(await dumpedLines(dir.path, 'b')).toEqual(['b1', 'b2', 'b3'].map(line));
  });

  test('other flags are refused before anything is asked; without --continue it begins anew', async () => {
    await interrupt();
    const other = await dump(['--continue', '--envelope', 'false']);
    expect(other).toMatchObject({ code: 2 });
    expect(other.stderr).toContain('another envelope: true');
    expect(server.requests).toEqual([]);
    serve('3000', ['a']);
    server.next('GET dump', page([line('a3')]));
    expect(await dump()).toMatchObject({ code: 0 });
    expect(asked()).toEqual(['11 0 3000']);
  });

  test('where nothing was interrupted it begins, and a dump that is complete is left as it is', async () => {
    serve('1000', ['a']);
    server.next('GET dump', page([line('a1')]));
    const first = await dump(['--continue']);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toMatch(/' has no interrupted dump to go on with: this one begins\n/);
    expect(first.stdout).not.toContain('from before');
    const requests = server.requests.length;
    const again = await dump(['--continue']);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain('the dump is complete');
    expect(server.requests).toHaveLength(requests);
  });

  test('a restore goes on behind the last piece that was stored', async () => {
    const all = Array.from({ length: 60 }, (_, n) => line(`k${n}`));
    await writeDump(dir.path, [
      { name: 'a', lines: all.slice(0, 5) },
      { name: 'b', lines: all },
    ]);
    const ok = json({ result: true });
    const ending = new AbortController();
    let pieces = 0;
    server
      .always('GET /_db/_system/_api/version', json({ server: 'arango', version: '1.4.3' }))
      .always('GET applier-state', json({ state: { running: false } }))
      .always('PUT restore-collection', ok)
      .always('PUT restore-indexes', ok)
      .always('PUT restore-data', async () => {
        if (++pieces !== 4) return ok;
        ending.abort();
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return ok;
      });
    const at = ['--server.endpoint', server.endpoint, '--input-directory', dir.path];
    const restore = ['restore', '--threads', '1', '--batch-size', '1024', ...at];
    const cut = await runCli([...restore, '--yes'], { signal: ending.signal });
    expect(cut).toMatchObject({ code: 1 });
    const sent = server.seen('PUT restore-data').map(({ body }) => body);
    server.requests.length = 0;
    server.always(
      'GET /_db/_system/_api/collection',
      json({ collections: [{ name: 'a' }, { name: 'b' }] }),
    );
    // What is to be replaced was asked when it was begun.
    const { code, stdout } = await runCli([...restore, '--continue']);
    expect(code).toBe(0);
    const width = line('k1').length + 1;
    expect(stdout).toContain(
      'goes on with the restore that was interrupted, of which 1 of 2 collections is complete; ',
    );
    expect(stdout).toContain(`'a' was complete before: 5 lines, ${5 * width - 1} bytes\n`);
    expect(stdout).not.toMatch(/restor(?:ed|ing) 'a'/);
    expect(stdout).toMatch(
      /; of that from before: 1 complete collection, [0-9]+ lines, [0-9,]+ bytes\n/,
    );
    expect(server.seen('PUT restore-collection')).toEqual([]);
    const rest = server.seen('PUT restore-data').map(({ body }) => body);
    // The last piece was on its way: nobody knows whether it was stored.
    expect(rest[0]).toBe(sent.at(-1));
    const stored = [...sent.slice(1, -1), ...rest].flatMap((body) => body.split('\n'));
    expect(stored.filter((each) => each !== '')).toEqual(all);
    expect(stdout).toContain('restored 2 collections: 65 lines,');
    expect((await readdir(dir.path)).filter((file) => file.includes('state'))).toEqual([]);
    const again = await runCli([...restore, '--continue', '--yes']);
    expect(again.stdout).toContain(
      'there is no interrupted restore to go on with: this one begins\n',
    );
    expect(again.stdout).toContain("restored 'a': 5 lines");
  });

  test.each(['restore-collection', 'restore-data'])(
    'of a restore that was refused before anything was stored nothing stays: %s',
    async (refused) => {
      await writeDump(dir.path, [{ name: 'a', lines: [line('a')] }]);
      server
        .always('GET /_db/_system/_api/version', json({ server: 'arango', version: '1.4.3' }))
        .always('PUT restore-collection', json({ result: true }))
        .always(`PUT ${refused}`, refusal(403, 1004, 'read only'));
      const at = ['--server.endpoint', server.endpoint, '--input-directory', dir.path];
      const create = ['--create-collection', String(refused === 'restore-collection')];
      const { code, stderr } = await runCli(['restore', '--yes', ...create, ...at]);
      expect(code).toBe(1);
      expect(stderr).toContain('read only');
      expect(stderr).not.toContain('what was restored stays');
      expect((await readdir(dir.path)).filter((file) => file.includes('state'))).toEqual([]);
      // With the collection there is something.
      server.always('PUT restore-collection', json({ result: true }));
      server.always('PUT restore-data', refusal(403, 1004, 'read only'));
      const some = await runCli(['restore', '--yes', ...at]);
      expect(some.stderr).toContain('what was restored stays; to go on where it ended: add');
    },
  );

  test('a restore to a follower is told what it means', async () => {
    await writeDump(dir.path, [{ name: 'a', lines: [line('a')] }]);
    const ok = json({ result: true });
    server
      .always('GET /_db/_system/_api/version', json({ server: 'arango', version: '1.4.3' }))
      .always('GET applier-state', json({ state: { running: false }, endpoint: 'tcp://1.2.3.4:5' }))
      .always('PUT restore-collection', ok)
      .always('PUT restore-data', ok);
    const at = ['--server.endpoint', server.endpoint, '--input-directory', dir.path];
    const { code, stderr } = await runCli(['restore', '--yes', ...at]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/follows tcp:\/\/1\.2\.3\.4:5, or did:.*ticklog make-follower/);
  });
});

describe('of real servers, by processes that are killed', { timeout: 60_000 }, () => {
  const NAMES = ['a', 'b', 'c', 'd'];
  let servers: RunningServers;

  beforeEach(async () => {
    servers = await RunningServers.open();
  });

  afterEach(async () => {
    await servers[Symbol.asyncDispose]();
  });

  async function fill(server: StartedServer): Promise<void> {
    const documents = Array.from({ length: 3000 }, (_, n) => `{"_key":"k${n}","n":${n}}`);
    for (const name of NAMES) {
      await server.send('POST', '/_api/collection', { name });
      const path = `/_api/import?collection=${name}&type=documents`;
      await server.send('POST', path, documents.join('\n'));
    }
  }

  /** Runs the program until it has said something, and kills it. */
  async function killAfter(words: string, args: readonly string[]): Promise<void> {
    await using tool = TicklogProcess.start(args);
    while (!tool.stdout.includes(words)) await new Promise((resolve) => setTimeout(resolve, 2));
    tool.signal('SIGKILL');
    expect(await tool.ended()).toBe('SIGKILL');
  }

  async function good(args: readonly string[]): Promise<string> {
    await using tool = TicklogProcess.start(args);
    expect(await tool.ended(), tool.stderr).toBe(0);
    return tool.stdout;
  }

  async function contents(directory: string): Promise<unknown[]> {
    return Promise.all(NAMES.map(async (name) => [...(await dumpedContents(directory, name))]));
  }

  test('a dump that goes on shows its first moment', async () => {
    const server = await servers.start('one');
    await fill(server);
    const path = (name: string): string => join(servers.dir.path, name);
    const dump = (directory: string): string[] => [
      ...['dump', '--server.endpoint', server.endpoint, '--output-directory', path(directory)],
    ];
    await good(dump('before'));
    const slow = ['--threads', '1', '--batch-size', '1k'];
    await killAfter("dumping 'b'", [...dump('killed'), ...slow]);
    await server.send('POST', '/_api/document?collection=a', { _key: 'late' });
    await server.send('POST', '/_api/document?collection=d', { _key: 'late' });
    await server.send('DELETE', '/_api/document/c/k1');
    expect(await good([...dump('killed'), ...slow, '--continue'])).toContain(
      'goes on with the dump of tick',
    );
    expect(await contents(path('killed'))).toEqual(await contents(path('before')));
    const at = ['restore', '--server.endpoint', server.endpoint, '--input-directory'];
    expect(await good([...at, path('killed'), '--yes'])).toContain(
      'restored 4 collections: 12,000',
    );
  });

  test('a restore that goes on stores the same', async () => {
    const [from, to] = [await servers.start('from'), await servers.start('to')];
    await fill(from);
    const directory = join(servers.dir.path, 'dump');
    await mkdir(directory);
    await good(['dump', '--server.endpoint', from.endpoint, '--output-directory', directory]);
    const at = ['--server.endpoint', to.endpoint, '--input-directory', directory];
    const restore = ['restore', ...at, '--threads', '1', '--batch-size', '1k'];
    await killAfter("restoring 'c'", restore);
    expect(await good([...restore, '--continue'])).toContain('restored 4 collections: 12,000');
    const again = join(servers.dir.path, 'again');
    await good(['dump', '--server.endpoint', to.endpoint, '--output-directory', again]);
    const keysOf = async (where: string) =>
      Promise.all(
        NAMES.map(async (name) => [...(await dumpedContents(where, name)).keys()].sort()),
      );
    expect(await keysOf(again)).toEqual(await keysOf(directory));
  });
});
