import { type Server, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { type TempDir, makeTempDir } from '../support/temp-dir.ts';

/**
 * A server that claims to be 3.0.3 and is not told which shapes are wanted, as by a real follower of 3.0: a
 * proxy takes that out of the requests.
 */
let dir: TempDir;
let leader: RunningServer;
let follower: RunningServer;
let proxy: Server;
let shapes: Set<string>;

beforeEach(async () => {
  dir = await makeTempDir();
  leader = await start('leader', '3.0.3');
  follower = await start('follower', '1.4.3');
  shapes = new Set();
  proxy = createServer((asked, answered) => {
    const { method = '', url = '', headers } = asked;
    Reflect.deleteProperty(headers, 'x-arango-version');
    const passed = request(leader.url + url, { method, headers }, (answer) => {
      answered.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.on('data', (chunk: Buffer) => {
        if (url.includes('logger-follow') || url.includes('/dump')) {
          shapes.add(chunk.includes('"data":{"_id":') ? '3.x' : 'other');
        }
      });
      answer.pipe(answered);
    });
    passed.on('error', () => answered.destroy());
    answered.on('close', () => passed.destroy());
    asked.pipe(passed);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await follower.stop();
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  await leader.stop();
  await dir[Symbol.asyncDispose]();
});

function start(name: string, version: string): Promise<RunningServer> {
  const flags = {
    'server.endpoint': 'tcp://127.0.0.1:0',
    'server.compatible-version': version,
    'database.directory': join(dir.path, name),
  };
  const config = readConfig({ flags, env: {}, readFile: () => '' });
  return startServer({ logger: silentLogger }, config);
}

async function send(
  server: RunningServer,
  target: string,
  body?: object | string,
): Promise<Record<string, unknown>> {
  const [method = '', path = ''] = target.split(' ');
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const init = body === undefined ? { method } : { method, body: text };
  const answer = await fetch(server.url + path, init);
  const json = (await answer.json()) as Record<string, unknown>;
  expect(answer.status, JSON.stringify(json)).toBeLessThan(300);
  return json;
}

async function checksum(server: RunningServer, name: string): Promise<string> {
  const query = 'withRevisions=true&withData=true';
  const answer = await send(server, `GET /_api/collection/${name}/checksum?${query}`);
  return String(answer['checksum']);
}

async function indexes(server: RunningServer, name: string): Promise<unknown[]> {
  const { indexes: found } = await send(server, `GET /_api/index?collection=${name}`);
  // The primary index looks different in the two generations.
  return (found as Record<string, unknown>[])
    .filter(({ type }) => type !== 'primary')
    .map(({ id, type, fields }) => [id, type, fields]);
}

async function change(round: number): Promise<void> {
  const lines = Array.from({ length: 50 }, (_, i) => `{"_key":"r${round}k${i}","n":${i}}`);
  await send(leader, 'POST /_api/import?collection=people&type=documents', lines.join('\n'));
  await send(leader, 'POST /_api/document?collection=people', { _key: `one${round}`, x: 1e21 });
  await send(leader, `PATCH /_api/document/people/one${round}`, { more: 'é' });
  await send(leader, `DELETE /_api/document/people/r${round}k7`);
  const edge = { _key: `e${round}`, _from: `people/r${round}k1`, _to: `people/r${round}k2` };
  await send(leader, 'POST /_api/document/knows', edge);
}

test('copied once and followed through changes of all kinds it is the same', async () => {
  await send(leader, 'POST /_api/collection', { name: 'people' });
  await send(leader, 'POST /_api/collection', { name: 'knows', type: 3 });
  await change(0);
  const endpoint = `tcp://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { lastLogTick } = await send(follower, 'PUT /_api/replication/sync', { endpoint });
  await send(follower, 'PUT /_api/replication/applier-config', { endpoint });
  await send(follower, `PUT /_api/replication/applier-start?from=${String(lastLogTick)}`);
  await change(1);
  await send(leader, 'POST /_api/index?collection=people', { type: 'hash', fields: ['n'] });
  await send(leader, 'POST /_api/collection', { name: 'gone' });
  await send(leader, 'DELETE /_api/collection/gone');
  await send(leader, 'POST /_api/collection', { name: 'old' });
  await send(leader, 'PUT /_api/collection/old/rename', { name: 'new' });
  await send(leader, 'PUT /_api/collection/new/properties', { waitForSync: true });
  await send(leader, 'PUT /_api/replication/logger-stop');
  await send(leader, 'PUT /_api/replication/logger-start');
  await change(2);
  await expect
    .poll(() => checksum(follower, 'people'), { timeout: 15_000 })
    .toBe(await checksum(leader, 'people'));
  await expect.poll(() => checksum(follower, 'knows')).toBe(await checksum(leader, 'knows'));
  expect(await indexes(follower, 'people')).toEqual(await indexes(leader, 'people'));
  const { result } = await send(follower, 'GET /_api/collection?excludeSystem=true');
  expect((result as { name: string }[]).map(({ name }) => name).sort()).toEqual([
    'knows',
    'new',
    'people',
  ]);
  const properties = await send(follower, 'GET /_api/collection/new/properties');
  expect(properties).toMatchObject({ waitForSync: true });
  const { state } = await send(follower, 'GET /_api/replication/applier-state');
  expect(state).toMatchObject({ running: true, lastError: { errorNum: 0 } });
  expect(shapes).toContain('3.x');
});
