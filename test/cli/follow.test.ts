import { Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { CollectingStream, runCli } from '../support/cli-run.ts';
import {
  command,
  refusal,
  type ScriptedAnswer,
  type ScriptedRequest,
  startScriptedServer,
} from '../support/scripted-server.ts';

const FOLLOW = `GET ${command('logger-follow')}`;
const line = (tick: number): string => `{"tick":"${tick}","type":1001,"note":"é"}\n`;

interface PageOptions {
  readonly last: number;
  readonly scanned?: number;
  readonly lastTick?: number;
  readonly fromPresent?: boolean;
}

function page(body: string, options: PageOptions): ScriptedAnswer {
  const { last, scanned = last, lastTick = 30, fromPresent = true } = options;
  return {
    status: body === '' ? 204 : 200,
    headers: {
      'x-arango-replication-checkmore': String(last > 0 && last < lastTick),
      'x-arango-replication-lastincluded': String(last),
      'x-arango-replication-lastscanned': String(scanned),
      'x-arango-replication-lasttick': String(lastTick),
      'x-arango-replication-frompresent': String(fromPresent),
    },
    ...(body === '' ? {} : { body }),
  };
}

/** A log of the ticks 10, 20 and 30, one line a page. */
function threeLines({ query }: ScriptedRequest): ScriptedAnswer {
  const next = Math.floor(Number(query.get('from')) / 10) * 10 + 10;
  return next > 30 ? page('', { last: 0 }) : page(line(next), { last: next });
}

test('without --wait the whole log is printed as it is served, and then it ends', async () => {
  await using server = await startScriptedServer({ [FOLLOW]: threeLines });
  const result = await runCli(['follow', '--server.endpoint', server.endpoint]);
  expect(result).toEqual({ code: 0, stderr: '', stdout: line(10) + line(20) + line(30) });
  expect(server.requests.map(({ query }) => query.get('from'))).toEqual(['0', '10', '20']);
  expect(server.requests[0]?.query.has('wait')).toBe(false);
  expect(server.requests[0]?.query.has('serverId')).toBe(false);
});

test('--from begins behind a tick', async () => {
  await using server = await startScriptedServer({ [FOLLOW]: threeLines });
  const { stdout } = await runCli(['follow', '--server.endpoint', server.endpoint, '--from', '20']);
  expect(stdout).toBe(line(30));
});

test('--from now begins at the end of the log', async () => {
  const ending = new AbortController();
  await using server = await startScriptedServer({
    [`GET ${command('logger-state')}`]: () => ({ body: { state: { lastLogTick: '30' } } }),
    [FOLLOW]: ({ query }) => {
      if (query.get('from') === '30') return page(line(40), { last: 40, lastTick: 40 });
      ending.abort();
      return page('', { last: 0, lastTick: 40 });
    },
  });
  const argv = ['follow', '--from', 'now', '--server.endpoint', server.endpoint];
  const waiting = await runCli([...argv, '--wait'], { signal: ending.signal });
  expect(waiting).toEqual({ code: 0, stderr: '', stdout: line(40) });
  const refused = await runCli(['follow', '--from', 'later', '--server.endpoint', server.endpoint]);
  expect(refused.code).toBe(2);
});

test('--from now begins behind what went unlogged', async () => {
  await using server = await startScriptedServer({
    [`GET ${command('logger-state')}`]: () => ({
      body: { state: { lastLogTick: '30', holeAt: '35' } },
    }),
    [FOLLOW]: () => page('', { last: 0, lastTick: 30 }),
  });
  const argv = ['follow', '--from', 'now', '--server.endpoint', server.endpoint];
  expect(await runCli(argv)).toEqual({ code: 0, stderr: '', stdout: '' });
  expect(server.requests.at(-1)?.query.get('from')).toBe('35');
});

test('a filter that leaves out everything does not end the reading early', async () => {
  await using server = await startScriptedServer({
    [FOLLOW]: ({ query }) => {
      const from = Number(query.get('from'));
      expect(query.get('collection')).toBe('orders');
      return from < 25 ? page('', { last: 0, scanned: from + 25 }) : page(line(30), { last: 30 });
    },
  });
  const { code, stdout } = await runCli([
    ...['follow', '--server.endpoint', server.endpoint, '--collection', 'orders'],
  ]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: line(30) });
});

test('a log that is written to meanwhile does not keep the command from ending', async () => {
  let newest = 30;
  await using server = await startScriptedServer({
    [FOLLOW]: ({ query }) => {
      const next = Number(query.get('from')) + 10;
      newest += 10;
      return page(line(next), { last: next, lastTick: newest });
    },
  });
  const { stdout } = await runCli(['follow', '--server.endpoint', server.endpoint]);
  expect(stdout).toBe([10, 20, 30, 40].map(line).join(''));
});

test('a gap in the log is told on the error stream', async () => {
  await using server = await startScriptedServer({
    [FOLLOW]: () => page(line(30), { last: 30, fromPresent: false }),
  });
  const { code, stdout, stderr } = await runCli(['follow', '--server.endpoint', server.endpoint]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: line(30) });
  expect(stderr).toBe('ticklog: the log does not reach back to tick 0: events are missing here\n');
});

test('--from a tick before the log is a failure that says where the log begins', async () => {
  await using server = await startScriptedServer({
    [FOLLOW]: () => page(line(30), { last: 30, fromPresent: false }),
    [`GET ${command('logger-first-tick')}`]: () => ({ body: { firstTick: '27' } }),
  });
  const args = ['follow', '--server.endpoint', server.endpoint, '--from'];
  const missing = 'events are missing here; it begins at tick 27';
  for (const wait of [[], ['--wait']]) {
    expect(await runCli([...args, '5', ...wait])).toEqual({
      code: 1,
      stdout: '',
      stderr: `ticklog: the log does not reach back to tick 5: ${missing}\n`,
    });
  }
  expect(await runCli([...args, '31'])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'ticklog: there is no tick 31 in the log, which ends at tick 30\n',
  });
});

test('--wait holds requests open and prints what comes, until interrupted', async () => {
  const ending = new AbortController();
  await using server = await startScriptedServer({
    [FOLLOW]: (request) => {
      if (Number(request.query.get('from')) < 30) return threeLines(request);
      ending.abort();
      return new Promise<never>(() => undefined);
    },
  });
  const result = await runCli(['follow', '--wait', '--server.endpoint', server.endpoint], {
    signal: ending.signal,
  });
  expect(result).toEqual({ code: 0, stderr: '', stdout: line(10) + line(20) + line(30) });
  expect(server.requests.every(({ query }) => query.get('wait') === '30')).toBe(true);
});

test('a server that does not hold requests is not asked without pause', async () => {
  const ending = new AbortController();
  await using server = await startScriptedServer({
    [FOLLOW]: () => page('', { last: 0, lastTick: 0 }),
  });
  const running = runCli(['follow', '--wait', '--server.endpoint', server.endpoint], {
    signal: ending.signal,
  });
  await new Promise((resolve) => setTimeout(resolve, 700));
  ending.abort();
  expect(await running).toMatchObject({ code: 0, stderr: '' });
  expect(server.requests.length).toBeLessThanOrEqual(3);
});

test('the next page is asked for only when the reader has taken the last', async () => {
  await using server = await startScriptedServer({ [FOLLOW]: threeLines });
  const taken: (() => void)[] = [];
  const stdout = new Writable({
    write: (_chunk, _encoding, callback) => {
      taken.push(callback);
    },
  });
  const running = runCli(['follow', '--server.endpoint', server.endpoint], { stdout });
  for (const expected of [1, 2, 3]) {
    await vi.waitFor(() => expect(taken).toHaveLength(expected), 10_000);
    expect(server.requests).toHaveLength(expected);
    taken[expected - 1]?.();
  }
  expect(await running).toMatchObject({ code: 0 });
});

test('a pipe that is closed ends it quietly with 0', async () => {
  await using server = await startScriptedServer({ [FOLLOW]: threeLines });
  let writes = 0;
  const stdout = new Writable({
    write: (_chunk, _encoding, callback) => {
      const closed = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
      callback(++writes > 1 ? closed : null);
    },
  });
  stdout.on('error', () => undefined);
  const result = await runCli(['follow', '--wait', '--server.endpoint', server.endpoint], {
    stdout,
  });
  expect(result).toMatchObject({ code: 0, stderr: '' });
});

test('a reader that took only some of the lines is noticed before the wait for more', async () => {
  await using server = await startScriptedServer({
    [FOLLOW]: () => page(line(10) + line(20) + line(30), { last: 30 }),
  });
  const written: string[] = [];
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, callback) => {
      const closed = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
      callback(written.length > 0 ? closed : null);
      written.push(chunk.toString());
    },
  });
  stdout.on('error', () => undefined);
  const argv = ['follow', '--wait', '--server.endpoint', server.endpoint];
  expect(await runCli(argv, { stdout })).toMatchObject({ code: 0, stderr: '' });
  expect(written).toEqual([line(10) + line(20), line(30)]);
  expect(server.requests).toHaveLength(1);
});

test('a failure on the way says where to go on', async () => {
  await using server = await startScriptedServer({
    [FOLLOW]: (request) =>
      request.query.get('from') === '20' ? refusal(500, 4, 'damaged') : threeLines(request),
  });
  const { code, stdout, stderr } = await runCli(['follow', '--server.endpoint', server.endpoint]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: line(10) + line(20) });
  expect(stderr).toContain('--from 20\n');
  expect(stderr).toContain('ticklog: damaged (error 4)');
});

test('an interruption while the reader is stuck ends it, too', async () => {
  const ending = new AbortController();
  await using server = await startScriptedServer({ [FOLLOW]: threeLines });
  const stuck = new Writable({ write: () => ending.abort() });
  const result = await runCli(['follow', '--server.endpoint', server.endpoint], {
    signal: ending.signal,
    stdout: stuck,
  });
  expect(result).toMatchObject({ code: 0 });
});

test('an answer without the headers of a page is no page', async () => {
  await using server = await startScriptedServer({ [FOLLOW]: () => ({ body: line(1) }) });
  const stdout = new CollectingStream();
  const result = await runCli(['follow', '--server.endpoint', server.endpoint], { stdout });
  expect(result).toMatchObject({ code: 1 });
  expect(result.stderr).toContain('(error 1401)');
  expect(stdout.text).toBe('');
});

test('a collection that the server does not have is named', async () => {
  await using server = await startScriptedServer({
    [FOLLOW]: () => refusal(404, 1203, 'collection not found'),
  });
  const argv = ['follow', '--collection', 'nope', '--server.endpoint', server.endpoint];
  expect(await runCli(argv)).toEqual({
    code: 1,
    stdout: '',
    stderr: `ticklog: ${server.endpoint}, database _system, has no collection 'nope' (error 1203)\n`,
  });
});
