import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileBaseOf } from '../../src/cli/dump-layout.ts';
import { runCli } from '../support/cli-run.ts';
import { type Exchange, readExchanges, readWireCapture } from '../support/leader-script.ts';
import { command, type Script, startScriptedServer } from '../support/scripted-server.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

/*
 * The requests of arangodump and arangorestore 1.4.3 and what a real server said to them: ours make
 * the same requests, in the same order, byte for byte.
 */

const TOOLS = 'arangodb-1.4.3/tools';
const DUMP_DIRECTORY = fileURLToPath(
  new URL(`../../../shared/captures/${TOOLS}/dumpdir`, import.meta.url),
);
const DUMP = readWireCapture(`${TOOLS}/arangodump.raw`);
const RESTORE = readWireCapture(`${TOOLS}/arangorestore.raw`);
// The captures are no part of the project; say so instead of passing without them.
if (!DUMP || !RESTORE) console.warn('skipped: the captures of real tools are not at hand');

let dir: TempDir;

beforeEach(async () => {
  dir = await makeTempDir();
});

afterEach(async () => {
  await dir[Symbol.asyncDispose]();
});

/** Gives the answers of a capture in their order, whatever is asked. */
function answersOf(exchanges: readonly Exchange[]): Script {
  let next = 0;
  const give = () => {
    const { status, headers, body } = exchanges[next++]!.answer;
    return {
      ...(status === undefined ? {} : { status }),
      ...(headers ? { headers } : {}),
      body: body?.toString() ?? '',
    };
  };
  return Object.fromEntries(
    exchanges.map(({ method, url }) => [`${method} ${url.pathname}`, give]),
  );
}

function asked(exchange: {
  method: string;
  path: string;
  query: URLSearchParams;
  body: string;
}): string {
  return `${exchange.method} ${exchange.path}?${exchange.query.toString()} ${exchange.body}`;
}

/** What the recorded tool asked, but for the version: it is asked for with details, which tell ticklog from others. */
function expected(exchanges: readonly Exchange[]): string[] {
  return exchanges.map(({ method, url, body }) => {
    const query = new URLSearchParams(url.searchParams);
    if (url.pathname.endsWith('/_api/version')) query.set('details', 'true');
    return asked({ method, path: url.pathname, query, body });
  });
}

describe.skipIf(!DUMP)('arangodump 1.4.3', () => {
  test('dump makes its requests, and writes what it wrote', async () => {
    const exchanges = readExchanges(DUMP!);
    await using server = await startScriptedServer(answersOf(exchanges));
    const { code, stderr } = await runCli([
      ...['dump', '--server.endpoint', server.endpoint, '--output-directory', dir.path],
      ...['--include-system-collections', 'true', '--threads', '1'],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(server.requests.map(asked)).toEqual(expected(exchanges));

    const names = readdirSync(DUMP_DIRECTORY)
      .filter((file) => file.endsWith('.structure.json'))
      .map((file) => file.slice(0, -'.structure.json'.length));
    expect(names).toHaveLength(4);
    for (const name of names) {
      const written = join(dir.path, fileBaseOf(name));
      const theirs = join(DUMP_DIRECTORY, name);
      const structure = readFileSync(`${written}.structure.json`, 'utf8');
      expect(structure).toBe(readFileSync(`${theirs}.structure.json`, 'utf8'));
      const data = gunzipSync(readFileSync(`${written}.data.json.gz`));
      expect(data.equals(readFileSync(`${theirs}.data.json`)), name).toBe(true);
    }
  });
});

describe.skipIf(!RESTORE)('arangorestore 1.4.3', () => {
  test('restore makes its requests of the directory that arangodump wrote', async () => {
    const exchanges = readExchanges(RESTORE!);
    await using server = await startScriptedServer(answersOf(exchanges));
    const { code, stdout, stderr } = await runCli([
      ...[
        'restore',
        '--yes',
        '--server.endpoint',
        server.endpoint,
        '--input-directory',
        DUMP_DIRECTORY,
      ],
      ...['--threads', '1'],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    // Before them it asks who the server is, and behind them whether it is a follower.
    const own = ['server-id', 'applier-state'].map(command);
    const requests = server.requests.filter(({ path }) => !own.includes(path));
    expect(requests.map(asked)).toEqual(expected(exchanges));
    expect(server.requests[1]?.path).toBe(command('server-id'));
    expect(server.requests.at(-1)?.path).toBe(command('applier-state'));
    expect(stdout).toMatch(/: restored 2 collections: 7 lines, 606 bytes, 2 requests in /);
  });
});
