import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import type { Logger } from '../../src/base/logger.ts';
import { apiRouter } from '../../src/http/context.ts';
import { readBody } from '../../src/http/body.ts';
import { sendEmpty, sendResult } from '../../src/http/respond.ts';
import { ServiceError } from '../../src/model/errors.ts';
import { type TestServer, openTestServer } from '../support/http-server.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { expectError } from './expect-error.ts';

/** A server with routes that misbehave. */
async function openOddServer(logger?: Logger): Promise<TestServer> {
  const router = apiRouter('/_api/odd');
  router.get('/boom', () => {
    throw new Error('the secret reason');
  });
  router.get('/damaged', () => {
    throw new ServiceError('storageDamaged', 'block 1 fails its checksum');
  });
  router.get('/stream', (ctx) => {
    ctx.body = Readable.from(
      (async function* () {
        yield Buffer.alloc(1000, 0x20);
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new Error('in the middle');
      })(),
    );
  });
  router.get('/empty', (ctx) => sendEmpty(ctx, 204, 'application/x-odd'));
  router.post('/body', async (ctx) => {
    const body = await readBody(ctx);
    sendResult(ctx, 200, { length: body.length });
  });
  return openTestServer({
    routers: () => [router],
    undocumented: ['/_api/odd/'],
    maxBodyBytes: 2 * 1024 * 1024,
    ...(logger ? { logger } : {}),
  });
}

describe('every path', () => {
  test('version: server, version, and details on request', async () => {
    await using server = await openTestServer({ versionDetails: { build: 'x' } });
    const plain = await server.request('GET', '/_api/version');
    expect(plain.status).toBe(200);
    expect(plain.text).toBe('{"server":"arango","version":"1.4.3"}');
    expect(plain.headers).toMatchObject({
      server: 'ArangoDB',
      'content-type': 'application/json; charset=utf-8',
      'content-length': '37',
    });
    const details = await server.request('GET', '/_api/version?details=true');
    expect(details.json).toEqual({ server: 'arango', version: '1.4.3', details: { build: 'x' } });
  });

  test('time is the clock in seconds', async () => {
    await using server = await openTestServer({ clock: { nowMs: () => 1_500_000_000_250 } });
    const { json } = await server.request('GET', '/_admin/time');
    expect(json).toEqual({ time: 1_500_000_000.25, error: false, code: 200 });
  });

  test('a HEAD has the headers of the GET and no body', async () => {
    await using server = await openTestServer();
    const { status, headers, text } = await server.request('HEAD', '/_api/version');
    expect({ status, text, length: headers['content-length'] }).toEqual({
      ...{ status: 200, text: '', length: '37' },
    });
  });

  test('OPTIONS names the methods, anywhere', async () => {
    await using server = await openTestServer();
    const answer = await server.request('OPTIONS', '/_api/replication/logger-state');
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('');
    expect(answer.headers['allow']).toBe('DELETE, GET, HEAD, PATCH, POST, PUT');
  });

  test('unknown paths are 404/404', async () => {
    await using server = await openTestServer();
    for (const path of ['/', '/foo', '/_api', '/_api/foo', '/_api/version/foo', '/_API/version']) {
      expectError(await server.request('GET', path), 404, 404);
    }
  });

  test('known paths with another method are 405/405', async () => {
    await using server = await openTestServer();
    for (const path of ['/_api/version', '/_admin/time', '/_db/_system/_api/version']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
        expectError(await server.request(method, path, { body: '{}' }), 405, 405);
      }
    }
  });

  test('an unknown database is 404/1228 for whatever stands below it', async () => {
    await using server = await openTestServer();
    for (const path of [
      '/_db/none/_api/version',
      '/_db/none',
      '/_db/none/foo',
      '/_db//x',
      '/_db/%ff/',
    ]) {
      expectError(await server.request('GET', path), 404, 1228);
    }
  });

  test('the prefix picks the database, with and without escapes; _system is the default', async () => {
    await using server = await openTestServer();
    await server.request('POST', '/_api/database', { body: { name: 'other-1' } });
    for (const [path, name] of [
      ['/_api/database/current', '_system'],
      ['/_db/_system/_api/database/current', '_system'],
      ['/_db/other-1/_api/database/current', 'other-1'],
      ['/_db/other%2D1/_api/database/current?x=1', 'other-1'],
    ] as const) {
      const { json } = await server.request('GET', path);
      expect(json['result']).toMatchObject({ name });
    }
  });

  test('an empty answer keeps its content type', async () => {
    await using server = await openOddServer();
    const answer = await server.request('GET', '/_api/odd/empty');
    expect(answer.status).toBe(204);
    expect(answer.headers['content-type']).toBe('application/x-odd');
    expect(answer.text).toBe('');
  });
});

describe('failures', () => {
  test('an unknown error is 500/4, says nothing of its reason, and is logged once', async () => {
    const { logger, lines } = recordingLogger();
    await using server = await openOddServer(logger);
    const answer = await server.request('GET', '/_api/odd/boom');
    expectError(answer, 500, 4);
    expect(answer.text).not.toContain('secret');
    const errors = lines.filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]!.context).toMatchObject({ method: 'GET', path: '/_api/odd/boom' });
    expect((errors[0]!.context['err'] as Error).message).toBe('the secret reason');
  });

  test('the answer has the id under which it is logged: that of the request, or one that is made', async () => {
    const { logger, lines } = recordingLogger();
    await using server = await openOddServer(logger);
    const own = await server.request('GET', '/_api/odd/boom', {
      headers: { 'x-request-id': 'a1' },
    });
    const made = await server.request('GET', '/_api/odd/damaged');
    const ids = lines.map(({ context }) => context['requestId']);
    expect(ids).toEqual(['a1', expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    expect([own, made].map(({ headers }) => headers['x-request-id'])).toEqual(ids);
    expect(lines.map(({ context }) => context['database'])).toEqual(['_system', '_system']);
  });

  test('a failure of the storage is logged, a mistake of the client is not', async () => {
    const { logger, lines } = recordingLogger();
    await using server = await openOddServer(logger);
    expectError(await server.request('GET', '/_api/odd/damaged'), 500, 4);
    expectError(await server.request('GET', '/_api/odd/none'), 404, 404);
    expectError(await server.request('POST', '/_api/collection', { body: 'x' }), 400, 600);
    expect(lines.map(({ level }) => level)).toEqual(['error']);
  });

  test('an answer that fails in the middle is broken off and logged once', async () => {
    const { logger, lines } = recordingLogger();
    await using server = await openOddServer(logger);
    await expect(server.request('GET', '/_api/odd/stream')).rejects.toThrow();
    await vi.waitFor(() => expect(lines).toHaveLength(1), 10_000);
    expect((lines[0]!.context['err'] as Error).message).toBe('in the middle');
  });

  test('a client that goes away in the middle of its request is not an error', async () => {
    const { logger, lines } = recordingLogger();
    await using server = await openOddServer(logger);
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('POST /_api/odd/body HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc');
    await server.request('GET', '/_api/version');
    socket.destroy();
    await once(socket, 'close');
    // The server still answers, and nobody was told of a problem.
    expect((await server.request('GET', '/_api/version')).status).toBe(200);
    expect(lines).toEqual([]);
  });
});

describe('bodies', () => {
  test('up to the limit they are read, above it refused with 413, whether announced or not', async () => {
    await using server = await openOddServer();
    const limit = 2 * 1024 * 1024;
    const chunked = (bytes: number): Readable =>
      Readable.from(
        (function* () {
          for (let sent = 0; sent < bytes; sent += 65_536) {
            yield Buffer.alloc(Math.min(65_536, bytes - sent));
          }
        })(),
      );
    for (const make of [(bytes: number) => Buffer.alloc(bytes), chunked]) {
      const good = await server.request('POST', '/_api/odd/body', { body: make(limit) });
      expect(good.json).toEqual({ length: limit, error: false, code: 200 });
      const bad = await server.request('POST', '/_api/odd/body', { body: make(limit + 1) });
      expectError(bad, 413, 1216);
    }
  });

  test('large ones wait for their share of the memory, and all are served', async () => {
    const router = apiRouter('/_api/odd');
    router.post('/body', async (ctx) => {
      sendResult(ctx, 200, { length: (await readBody(ctx)).length });
    });
    await using server = await openTestServer({
      routers: () => [router],
      undocumented: ['/_api/odd/'],
      bodyBudgetBytes: 3 * 1024 * 1024,
    });
    const body = Buffer.alloc(2 * 1024 * 1024);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => server.request('POST', '/_api/odd/body', { body })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
  });

  test('what is not UTF-8, no JSON, or no object is 400/600', async () => {
    await using server = await openTestServer();
    const bad = [
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
      '',
      '{',
      '[]',
      'null',
      '1',
      '{"a":1}x',
    ];
    for (const body of bad) {
      expectError(await server.request('POST', '/_api/collection', { body }), 400, 600);
    }
  });
});
