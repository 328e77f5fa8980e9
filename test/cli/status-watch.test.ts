import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { scriptOf } from '../support/status-scene.ts';

test('--watch shows it again and again until interrupted, and outlives a server', async () => {
  const server = await startScriptedServer(scriptOf({}));
  const ending = new AbortController();
  const chunks: string[] = [];
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, callback) => {
      chunks.push(chunk.toString());
      const screens = chunks.filter((each) => each.includes('Errors   none'));
      const isGone = chunks.some((each) => each.includes('no answer from'));
      if (isGone) ending.abort();
      if (screens.length < 2) callback();
      else void server[Symbol.asyncDispose]().then(() => callback(), callback);
    },
  });
  const argv = ['status', '--watch', '0.2', '--server.endpoint', server.endpoint];
  const { code } = await runCli(argv, { stdout, signal: ending.signal });
  expect(code).toBe(1);
  expect(chunks.filter((each) => each.includes('Errors   none'))).toHaveLength(2);
});

const LOST = 'HAS LOST ITS PLACE';

/** One screen of a terminal, without what moves the cursor. */
async function screenOf(
  columns: number,
  rows: number,
  more: { logger?: object; written?: number } = {},
): Promise<string[]> {
  const clients = Array.from({ length: 40 }, (_, i) => ({
    ...{ serverId: `8000${i}`, from: '1', lastServedTick: '2', time: '2026-01-02T03:04:05Z' },
    lost: i === 39,
  }));
  const errors = Array.from({ length: 5 }, (_, i) => ({
    ...{ errorNum: 1400 + i, time: '2026-01-02T03:04:05Z' },
    errorMessage: `could not connect to master at tcp://10.1.2.3:8529: reason number ${i}`,
  }));
  const entry = JSON.stringify({ tick: '12', type: 2300, key: 'a', data: 'x y '.repeat(200) });
  const why = {
    ...{ errorNum: 1210, time: '2026-01-02T03:04:05Z' },
    errorMessage: `unique constraint violated, offending marker: ${entry}`,
  };
  const state = {
    ...{ running: false, phase: 'failed', since: '2026-01-02T03:04:05Z', whyStopped: why },
    ...{ lastAppliedContinuousTick: '700', lastAvailableContinuousTick: '800' },
    lastErrors: [why, ...errors],
  };
  const applier = { endpoint: 'tcp://10.1.2.3:8529', state };
  await using server = await startScriptedServer(
    scriptOf({ ...more, clients, applier, counts: { a: 1 } }),
  );
  const ending = new AbortController();
  let drawn = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, callback) => {
      drawn += chunk.toString();
      if (drawn.includes('Errors')) ending.abort();
      callback();
    },
  });
  const argv = ['status', '--watch', '0.2', '--server.endpoint', server.endpoint];
  await runCli(argv, {
    stdout,
    signal: ending.signal,
    isTty: true,
    useColor: false,
    size: { columns, rows },
  });
  return drawn
    .replaceAll(/\x1b\[[?0-9]*[a-zA-Z]/g, '')
    .trimEnd()
    .split('\n');
}

test('--watch on a small terminal leaves out clients, and no error is cut off', async () => {
  const lines = await screenOf(80, 24);
  expect(lines.length).toBeLessThan(24);
  expect(Math.max(...lines.slice(-10).map(({ length }) => length))).toBeLessThanOrEqual(80);
  const text = lines.join('\n');
  expect(text).toMatch(/^Role {5}follower of .*; leader of 40 clients$/m);
  expect(text).toContain(LOST);
  expect(text).toMatch(/^ {9}… and 3\d more$/m);
  expect(text).toMatch(/^Applier {2}STOPPED by an error since /m);
  expect(text).toMatch(/^Errors {3}stopped: unique constraint violated \(error 1210\)$/m);
  expect(text).toMatch(/^ {11}what to do: /m);
});

test('--watch on a narrow terminal tells how far back the log reaches', async () => {
  const log = { heldEvents: 86_000, heldBytes: 14_400_000 };
  const lines = await screenOf(50, 80, { logger: log, written: 60 });
  const from = lines.findIndex((line) => line.startsWith('Log'));
  const to = lines.findIndex((line) => line.startsWith('Clients'));
  const told = lines.slice(from, to);
  expect(Math.max(...told.map(({ length }) => length))).toBeLessThanOrEqual(50);
  expect(told.join(' ')).toMatch(/at this rate it +reaches +back +\d/);
});

test('--watch on a tiny terminal shows state and error', async () => {
  const text = (await screenOf(60, 16)).join('\n');
  expect(text).toContain('STOPPED by an error');
  expect(text).toContain('Errors   stopped: unique constraint violated');
  expect(text).toContain('what to do: ');
  expect(text).toMatch(/… and 3 more$/);
});

test('--watch on a large one shows all there is', async () => {
  const lines = await screenOf(120, 60);
  expect(lines.join('\n')).toContain('… and 32 more');
  expect(lines.join('\n').match(/earlier: /g)).toHaveLength(3);
});
