import { type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { checkAnswer } from '../support/api-check.ts';
import { type RawAnswer, RawClient } from '../support/raw-client.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';

const ANSWER_MS = 10_000;
const DOCUMENTS = '/_api/document?collection=c';

async function start(flags: Readonly<Record<string, string>>): Promise<StartedServer> {
  const servers = await RunningServers.open();
  onTestFinished(() => servers[Symbol.asyncDispose]());
  const server = await servers.start('server', flags);
  await server.send('POST', '/_api/collection', { name: 'c' });
  return server;
}

/** Sends bytes over a connection of their own; the answer must be as documented. */
async function ask(
  { server }: StartedServer,
  pieces: readonly string[],
  pauseMs = 0,
): Promise<RawAnswer> {
  using client = new RawClient({ port: server.endpoint.port, timeoutMs: ANSWER_MS });
  const bytes = pieces.map((piece) => Buffer.from(piece, 'latin1'));
  const answer = await client.send({ pieces: bytes, pauseMs, isProper: false });
  if (!answer) throw new Error('the connection was closed without an answer');
  const [method = '', target = ''] = (pieces[0] ?? '').split(' ');
  checkAnswer(method, target, answer);
  return answer;
}

async function countOf(server: StartedServer): Promise<number> {
  return Number((await server.send('GET', '/_api/collection/c/count'))['count']);
}

function open({ server }: StartedServer): Socket {
  const socket = connect(server.endpoint.port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

function post(target: string, body: string, length = body.length): string {
  return `POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n${body}`;
}

test.each([
  ['nothing', []],
  ['half a head', ['GET /_api/version HTTP/1.1\r\nhost']],
])(
  'a connection on which %s comes is answered 408 after --server.header-timeout',
  async (_, sent) => {
    const server = await start({ 'server.header-timeout': '0.2' });
    const answer = await ask(server, sent);
    expect([answer.status, answer.headers['connection']]).toEqual([408, 'close']);
  },
);

test.each([
  ['a document', DOCUMENTS],
  ['an array', '/_api/document/c'],
  ['an import', '/_api/import?collection=c&type=documents'],
])('%s of which the rest does not come is answered 408 and changes nothing', async (_, target) => {
  const server = await start({ 'server.body-timeout': '0.2' });
  const answer = await ask(server, [post(target, '{"_key":"a"}\n', 1000)]);
  expect([answer.status, answer.headers['connection']]).toEqual([408, 'close']);
  expect(answer.text).toContain('send it faster');
  expect(await countOf(server)).toBe(0);
});

test('bytes that come one by one do not keep a request alive', async () => {
  const server = await start({ 'server.body-timeout': '0.3' });
  const trickle = Array.from({ length: 200 }, () => ' ');
  const answer = await ask(server, [post(DOCUMENTS, '{', 1000), ...trickle], 20);
  expect(answer.status).toBe(408);
});

test('a body that goes on coming may take longer than --server.body-timeout', async () => {
  const server = await start({ 'server.body-timeout': '0.4' });
  const line = `{"pad":"${'x'.repeat(4096)}"}\n`;
  const lines = Array.from({ length: 10 }, () => line);
  const head = post('/_api/import?collection=c&type=documents', '', line.length * lines.length);
  expect((await ask(server, [head, ...lines], 100)).status).toBe(201);
  expect(await countOf(server)).toBe(lines.length);
});

test('a body that is not waited for because the server is busy is not given up', async () => {
  // There is memory for one such body only; the second waits longer than its own body may.
  const limits = { 'server.max-body': '2MiB', 'server.body-budget': '2MiB' };
  const server = await start({ ...limits, 'server.body-timeout': '0.3' });
  const text = `{"pad":"${'x'.repeat(1_900_000)}"}`;
  const parts = Array.from({ length: 10 }, (_, i) => text.slice(i * 200_000, (i + 1) * 200_000));
  const slow = ask(server, [post(DOCUMENTS, '', text.length), ...parts], 100);
  await sleep(50);
  const waiting = ask(server, [post(DOCUMENTS, text)]);
  expect((await slow).status).toBe(202);
  expect((await waiting).status).toBe(202);
});

test.each([
  [
    'a long head',
    431,
    `GET /_api/version HTTP/1.1\r\nhost: x\r\nx-odd: ${'y'.repeat(9000)}\r\n\r\n`,
  ],
  ['a long URL', 414, `GET /_api/version?${'y'.repeat(3000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['an expectation', 417, 'GET /_api/version HTTP/1.1\r\nhost: x\r\nexpect: wonders\r\n\r\n'],
  ['no HTTP', 400, 'GET /_api/version\u0000HTTP/1.1\r\n\r\n'],
  ['a large body', 413, post(DOCUMENTS, `{"a":"${'x'.repeat(5000)}"}`)],
])('%s is answered %i', async (_, status, bytes) => {
  const sizes = {
    'server.max-url': '2KiB',
    'server.max-header': '8KiB',
    'server.max-body': '4KiB',
  };
  const server = await start(sizes);
  expect((await ask(server, [bytes])).status).toBe(status);
  expect(await countOf(server)).toBe(0);
});

test('chunks that break off in something else are a refusal, and the write is not done', async () => {
  const server = await start({});
  const head = `POST ${DOCUMENTS} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`;
  const answer = await ask(server, [head, '3\r\n{}\n\r\n', 'nonsense\r\n'], 20);
  expect([answer.status, answer.headers['connection']]).toEqual([400, 'close']);
  expect(await countOf(server)).toBe(0);
});

test('a write before something that is no HTTP is done, and its own answer comes first', async () => {
  const server = await start({});
  const answer = await ask(server, [`${post(DOCUMENTS, '{"_key":"a"}')}nonsense\r\n\r\n`]);
  expect(answer.status).toBe(202);
  expect(await countOf(server)).toBe(1);
});

test('who comes above --server.max-connections is answered 503 with Retry-After, until others go', async () => {
  const server = await start({ 'server.max-connections': '4' });
  // The test's own client holds connections, too.
  const held = Array.from({ length: 6 }, () => open(server));
  const version = 'GET /_api/version HTTP/1.1\r\nhost: x\r\n\r\n';
  await vi.waitFor(async () => {
    const { status, headers } = await ask(server, [version]);
    expect([status, headers['retry-after'], headers['connection']]).toEqual([503, '5', 'close']);
  }, 10_000);
  for (const socket of held) socket.destroy();
  await vi.waitFor(async () => expect((await ask(server, [version])).status).toBe(200), 10_000);
});

test('a flood of connections leaves those that are served alone', async () => {
  const server = await start({ 'server.max-connections': '8' });
  const flood = Array.from({ length: 600 }, () => open(server));
  await vi.waitFor(() => {
    const cut = flood.filter((socket) => socket.destroyed || socket.readyState === 'closed');
    expect(cut.length).toBeGreaterThan(200);
  }, 10_000);
  // On the connection that it has had from the beginning.
  expect(await countOf(server)).toBe(0);
});

test.each([
  ['dump', '/_api/replication/dump?collection=c&chunkSize=134217728'],
  ['log', '/_api/replication/logger-follow?from=1&chunkSize=134217728'],
  ['list of documents', '/_api/document?collection=c'],
])('a reader that takes nothing of a %s is cut off, and harms nobody', async (_, target) => {
  const server = await start({ 'server.stalled-timeout': '0.3' });
  const documents = Array.from({ length: 60_000 }, (_, i) => `{"_key":"${'k'.repeat(200)}${i}"}`);
  const lines = `${documents.join('\n')}\n`;
  await server.send('POST', '/_api/import?collection=c&type=documents', lines);
  const beganMs = performance.now();
  const whole = await fetch(server.url + target).then((answer) => answer.arrayBuffer());
  const takesMs = performance.now() - beganMs;
  const slow = open(server);
  slow.pause();
  slow.write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  await sleep(100);
  for (let i = 0; i < 10; i++) expect(await countOf(server)).toBe(60_000);
  // Where others take long to be answered it takes as long to begin with this one.
  await sleep(600 + 3 * takesMs);
  const received = await new Promise<number>((resolve) => {
    let bytes = 0;
    slow.on('data', (chunk: Buffer) => (bytes += chunk.length));
    slow.once('close', () => resolve(bytes));
    slow.resume();
  });
  expect(received).toBeLessThan(0.9 * whole.byteLength);
});

test('readers that take nothing of pages are cut off soon when others wait for the memory', async () => {
  const limits = { 'replication.max-page': '16MiB', 'replication.page-budget': '16MiB' };
  const server = await start({ ...limits, 'server.stalled-timeout': '600' });
  const documents = Array.from({ length: 60_000 }, (_, i) => `{"_key":"${'k'.repeat(200)}${i}"}`);
  const lines = `${documents.join('\n')}\n`;
  await server.send('POST', '/_api/import?collection=c&type=documents', lines);
  const slow = ['dump?collection=c', 'logger-follow?from=1'].map((target) => {
    const socket = open(server);
    socket.pause();
    const path = `/_api/replication/${target}&chunkSize=16777216`;
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    return socket;
  });
  await sleep(500);
  const small = `${server.url}/_api/replication/dump?collection=c&chunkSize=100000`;
  const answer = await fetch(small, { signal: AbortSignal.timeout(20_000) });
  expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100_000);
  const closed = slow.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  for (const socket of slow) socket.resume();
  await Promise.race(closed);
});

test('a request that takes long, and an idle connection, are no slow readers', async () => {
  const server = await start({ 'server.stalled-timeout': '0.2' });
  const { state } = (await server.send('GET', '/_api/replication/logger-state')) as {
    state: { lastLogTick: string };
  };
  const target = `/_api/replication/logger-follow?from=${state.lastLogTick}&wait=1`;
  const beganMs = performance.now();
  const answer = await ask(server, [`GET ${target} HTTP/1.1\r\nhost: x\r\n\r\n`]);
  expect(answer.status).toBe(204);
  expect(performance.now() - beganMs).toBeGreaterThan(900);
});

test('of dump batches and barriers there may be --replication.max-batches', async () => {
  const server = await start({ 'replication.max-batches': '2' });
  for (const [what, body] of [
    ['batch', { ttl: 60 }],
    ['barrier', { ttl: 60, tick: '1' }],
  ] as const) {
    const target = `/_api/replication/${what}`;
    for (let i = 0; i < 2; i++) await server.send('POST', target, body);
    const { status, text } = await ask(server, [post(target, JSON.stringify(body))]);
    expect([status, text]).toEqual([400, expect.stringContaining('there are 2 open')]);
  }
});

test('of lists of keys there may be --replication.max-key-lists', async () => {
  const server = await start({ 'replication.max-key-lists': '2' });
  const target = '/_api/replication/keys?collection=c';
  const { id } = await server.send('POST', target);
  await server.send('POST', target);
  const refused = await ask(server, [post(target, '')]);
  expect([refused.status, refused.text]).toEqual([
    400,
    expect.stringContaining('are 2 open lists'),
  ]);
  await server.send('DELETE', `/_api/replication/keys/${String(id)}`);
  await server.send('POST', target);
});

test('of requests that nobody waits for --server.max-jobs run at a time', async () => {
  const server = await start({ 'server.max-jobs': '1' });
  const { state } = await server.send('GET', '/_api/replication/logger-state');
  const { lastLogTick } = state as { lastLogTick: string };
  const detached = (request: string): string =>
    request.replace('\r\n', '\r\nx-arango-async: store\r\n');
  const waiting = `/_api/replication/logger-follow?from=${lastLogTick}&wait=20`;
  const first = await ask(server, [detached(`GET ${waiting} HTTP/1.1\r\nhost: x\r\n\r\n`)]);
  expect(first.status).toBe(202);
  const another = detached(post('/_api/document/c', '[]'));
  const { status, text } = await ask(server, [another]);
  expect([status, text]).toEqual([400, expect.stringContaining('only 1 request may run')]);
  // Ends the first.
  expect((await ask(server, [post(DOCUMENTS, '{"_key":"a"}')])).status).toBe(202);
  await vi.waitFor(async () => {
    expect((await ask(server, [another])).status).toBe(202);
  }, ANSWER_MS);
});

describe('a document above --document.max-size', () => {
  const MAX_BYTES = 4096;
  const flags = { 'document.max-size': '4KiB' };
  /** So long that `_key`, `_rev` and the rest of the stored text make no difference. */
  const long = JSON.stringify({ _key: 'long', pad: 'x'.repeat(MAX_BYTES) });
  const TOO_LONG = 'more than the 4096 of --document.max-size';
  const ofLine = (text: string): string => `{"type":2300,"key":"long","data":${text}}\n`;

  test.each([
    ['POST', DOCUMENTS, long],
    ['PUT', '/_api/document/c/a', long],
    ['PATCH', '/_api/document/c/a', `{"more":"${'y'.repeat(MAX_BYTES - 100)}"}`],
    ['PUT', '/_api/replication/restore-data?collection=c', ofLine(long)],
    ['PUT', '/_api/replication/restore-data?collection=c&force=true', ofLine(long)],
  ])('is refused, %s %s, and nothing changes', async (method, target, body) => {
    const server = await start(flags);
    await server.send('POST', DOCUMENTS, { _key: 'a', pad: 'x'.repeat(200) });
    const request = post(target, body).replace('POST', method);
    const { status, text } = await ask(server, [request]);
    expect([status, text]).toEqual([400, expect.stringContaining(TOO_LONG)]);
    expect(text).toContain('"errorNum":1216');
    expect(await countOf(server)).toBe(1);
    const kept = await server.send('GET', '/_api/document/c/a');
    expect(kept['pad']).toBe('x'.repeat(200));
  });

  test('is refused in an array, an import and a transaction, and the others are written', async () => {
    const server = await start(flags);
    const array = await ask(server, [post('/_api/document/c', `[${long},{"_key":"b"}]`)]);
    expect(array.text).toContain('"errorNum":1216');
    const lines = `${long}\n{"_key":"c"}\n`;
    const imported = await ask(server, [
      post('/_api/import?collection=c&type=documents&details=true', lines),
    ]);
    expect(imported.text).toContain('"created":1,"errors":1');
    expect(imported.text).toContain(TOO_LONG);
    const begun = await server.send('POST', '/_api/transaction/begin', {
      collections: { write: ['c'] },
    });
    const { id } = begun['result'] as { id: string };
    const inside = (body: string): string =>
      post(DOCUMENTS, body).replace('\r\n', `\r\nx-arango-trx-id: ${id}\r\n`);
    expect((await ask(server, [inside(long)])).text).toContain(TOO_LONG);
    expect((await ask(server, [inside('{"_key":"d"}')])).status).toBe(202);
    await server.send('PUT', `/_api/transaction/${id}`);
    expect(await countOf(server)).toBe(3);
  });

  test('is counted in bytes, and with the length that it is stored with passes', async () => {
    const server = await start(flags);
    const put = async (pad: string): Promise<number> =>
      (
        await ask(server, [
          post(DOCUMENTS, Buffer.from(JSON.stringify({ pad })).toString('latin1')),
        ])
      ).status;
    expect(await put('é'.repeat(MAX_BYTES / 2))).toBe(400);
    expect(await put('é'.repeat(MAX_BYTES / 2 - 100))).toBe(202);
    expect(await put('x'.repeat(MAX_BYTES - 100))).toBe(202);
  });

  test('comes all the same with the log of a leader that takes longer ones', async () => {
    const servers = await RunningServers.open();
    onTestFinished(() => servers[Symbol.asyncDispose]());
    const leader = await servers.start('leader');
    const follower = await servers.start('follower', flags);
    await leader.send('POST', '/_api/collection', { name: 'c' });
    await follower.send('PUT', '/_api/replication/make-follower', {
      endpoint: leader.endpoint,
      idleMaxWaitTime: 0.1,
    });
    await leader.send('POST', DOCUMENTS, JSON.parse(long) as object);
    await vi.waitFor(async () => expect(await countOf(follower)).toBe(1), ANSWER_MS);
  });
});

test('a server that is told to stop is no longer available, and serves on for --server.stop-delay', async () => {
  const server = await start({ 'server.stop-delay': '0.6' });
  const stopped = server.server.stop();
  const availability = 'GET /_admin/server/availability HTTP/1.1\r\nhost: x\r\n\r\n';
  const answer = await ask(server, [availability]);
  expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('"errorNum":30')]);
  expect((await ask(server, [post(DOCUMENTS, '{"_key":"a"}')])).status).toBe(202);
  await stopped;
});
