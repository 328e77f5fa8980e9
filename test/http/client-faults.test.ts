import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LeaderScript, refusal } from '../support/leader-script.ts';
import { type LoggedLine, recordingLogger } from '../support/recording-logger.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';
import { lineOf1 } from './restore-client.ts';

interface WatchedServer extends StartedServer {
  readonly lines: readonly LoggedLine[];
}

async function start(): Promise<WatchedServer> {
  const { logger, lines } = recordingLogger();
  const servers = await RunningServers.open(logger);
  onTestFinished(() => servers[Symbol.asyncDispose]());
  const server = await servers.start('server');
  await server.send('POST', '/_api/collection', { name: 'c' });
  return { ...server, lines };
}

/** How many requests to a route were counted, by status. */
async function counted({ url }: StartedServer, route: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/_admin/metrics`)).text();
  const samples = text
    .split('\n')
    .filter((line) => line.startsWith('ticklog_http_requests_total{') && line.includes(route));
  return Object.fromEntries(
    samples.map((line) => [/status="(\d+)"/.exec(line)?.[1], Number(line.split(' ').at(-1))]),
  ) as Record<string, number>;
}

function alarms({ lines }: WatchedServer): LoggedLine[] {
  return lines.filter(({ level }) => level === 'error' || level === 'warn');
}

const ROUTES = [
  ['PUT', '/_api/replication/restore-data?collection=c', '/_api/replication/restore-data'],
  ['PUT', '/_api/replication/restore-collection', '/_api/replication/restore-collection'],
  ['POST', '/_api/import?collection=c&type=documents', '/_api/import'],
  ['POST', '/_api/document?collection=c', '/_api/document"'],
  ['POST', '/_api/document/c', '/_api/document/:collection"'],
] as const;

/** Good for all of them. */
const LINE = `${lineOf1('a', '1')}\n`;

describe.each(ROUTES)('%s %s', (method, target, route) => {
  test.each([
    ['with a length', 'content-length: 1000', LINE],
    ['in chunks', 'transfer-encoding: chunked', `${LINE.length.toString(16)}\r\n${LINE}\r\n`],
  ])('cut off in a body %s is a client that is gone', async (_, framing, body) => {
    const server = await start();
    const socket = connect(server.server.endpoint.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.end(`${method} ${target} HTTP/1.1\r\nhost: x\r\n${framing}\r\n\r\n${body}`);
    await once(socket.resume(), 'close');
    await vi.waitFor(async () => expect(await counted(server, route)).toEqual({ 499: 1 }), 10_000);
    expect(alarms(server)).toEqual([]);
  });
});

test.each([
  ['a line that is no JSON', 'c', 'foo\n', 600, 400],
  ['a line of no known type', 'c', '{"type":7,"key":"a","data":{}}\n', 1406, 400],
  [
    'an edge among documents',
    'c',
    lineOf1('a', '1', { _from: 'c/a', _to: 'c/b' }, 2301),
    1218,
    400,
  ],
])(
  '%s in restore-data: the contract has 500, but nobody is woken',
  async (_, collection, body, errorNum, status) => {
    const server = await start();
    const path = `/_api/replication/restore-data?collection=${collection}`;
    const answer = await fetch(server.url + path, { method: 'PUT', body });
    expect([answer.status, await answer.json()]).toEqual([
      500,
      expect.objectContaining({ errorNum, code: 500 }),
    ]);
    expect(await counted(server, '/_api/replication/restore-data')).toEqual({ [status]: 1 });
    const told = server.lines.filter(({ message }) => message.startsWith('a request was refused'));
    expect(told).toMatchObject([{ level: 'info', context: { errorNum } }]);
    expect(told[0]?.context).not.toHaveProperty('err');
    expect(alarms(server)).toEqual([]);
  },
);

describe.each(['sync', 'make-follower'])('PUT %s that fails at its leader', (command) => {
  const route = `/_api/replication/${command}`;

  async function fail(endpoint: string): Promise<{ server: WatchedServer; errorNum: unknown }> {
    const server = await start();
    const body = JSON.stringify({ endpoint, includeSystem: false });
    const answer = await fetch(server.url + route, { method: 'PUT', body });
    const { code, errorNum } = (await answer.json()) as Record<string, unknown>;
    expect([answer.status, code]).toEqual([500, 500]);
    expect(await counted(server, route)).toEqual({ 424: 1 });
    expect(server.lines.filter(({ level }) => level === 'error')).toEqual([]);
    return { server, errorNum };
  }

  function reasons(server: WatchedServer): unknown[] {
    const told = alarms(server).filter(({ message }) => message.includes('failed at the leader'));
    return told.map(({ context }) => [context['errorNum'], context['reason']]);
  }

  test('is a warning with what the leader said, and no failure of this server', async () => {
    await using leader = await LeaderScript.open();
    leader.always('GET logger-state', refusal(403, 11, 'not for you'));
    const { server, errorNum } = await fail(leader.endpoint);
    expect(errorNum).toBe(1402);
    expect(reasons(server)).toEqual([[1402, expect.stringContaining('not for you')]]);
  });

  test('is the same without a leader at the endpoint', async () => {
    const { server, errorNum } = await fail('tcp://127.0.0.1:1');
    expect(errorNum).toBe(1400);
    expect(reasons(server)).toEqual([[1400, expect.stringContaining('tcp://127.0.0.1:1')]]);
  });
});
