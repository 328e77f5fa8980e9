import { afterEach, beforeEach, expect, test } from 'vitest';
import { CollectingStream, runCli } from '../support/cli-run.ts';
import { writeDump } from '../support/dump-files.ts';
import { json, LeaderScript } from '../support/leader-script.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

let dir: TempDir;
let server: LeaderScript;

beforeEach(async () => {
  [dir, server] = await Promise.all([makeTempDir(), LeaderScript.open()]);
});

afterEach(async () => {
  await Promise.all([server[Symbol.asyncDispose](), dir[Symbol.asyncDispose]()]);
});

const WORKS = {
  works: [
    {
      ...{ kind: 'index', index: { id: '8', type: 'hash', fields: ['n'], unique: false } },
      ...{ documentsDone: 141_000, documentsExpected: 300_000 },
      ...{ documentsPerSecond: 50_000, secondsLeft: 3.2 },
    },
  ],
};

/** A stream that tells when it was written to. */
class TellingStream extends CollectingStream {
  onText: (text: string) => void = () => undefined;

  override _write(chunk: Buffer, encoding: string, callback: () => void): void {
    super._write(chunk, encoding, callback);
    this.onText(this.text);
  }
}

test.each([true, false])(
  'while the server makes indexes it is asked how far they are; ticklog: %s',
  async (isTicklog) => {
    const line = '{"type":2300,"key":"k","rev":"1","data":{"_key":"k","_rev":"1"}}';
    const indexes = ['n', 'm'].map((field) => ({ id: field, type: 'hash', fields: [field] }));
    await writeDump(dir.path, [{ name: 'big', lines: [line], indexes }]);
    const stderr = new TellingStream();
    const version = {
      server: 'arango',
      version: '1.4.3',
      ...(isTicklog ? { details: { ticklog: '1.0.0' } } : {}),
    };
    const shown = new Promise<void>((resolve) => {
      stderr.onText = (text) => {
        const isShown = isTicklog
          ? text.includes('index 1 of 2, 141 k of 300 k documents')
          : text.includes('restoring');
        if (isShown) resolve();
      };
    });
    server
      .always('GET /_db/_system/_api/version', json(version))
      .always('GET /_db/_system/_api/collection/big/works', json(WORKS))
      .always('GET server-id', json({ serverId: '1' }))
      .always('GET applier-state', json({}))
      .always('PUT restore-collection', json({ result: true }))
      .always('PUT restore-data', json({ result: true }))
      .always('PUT restore-indexes', async () => {
        await shown;
        return json({ result: true });
      });
    const at = ['--server.endpoint', server.endpoint, '--input-directory', dir.path];
    const result = await runCli(['restore', '--yes', ...at], { isErrTty: true, stderr });
    expect(result).toMatchObject({ code: 0 });
    expect(server.seen('GET /_db/_system/_api/collection/big/works').length > 0).toBe(isTicklog);
    // An index is left, and this one is: 159,000 and 300,000 documents.
    expect(result.stderr.includes('9.2 s left')).toBe(isTicklog);
    expect(server.surprises).toEqual([]);
  },
);
