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
