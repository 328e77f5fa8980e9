import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/client/client.ts';
import type { TlsTrust } from '../../src/follower/leader-tls.ts';
import { type OpenServer, openServer, type OpenServerOptions } from '../../src/open-server.ts';
import { runCli } from '../support/cli-run.ts';

const fileOf = (name: string): string =>
  fileURLToPath(new URL(`../support/certificates/${name}.pem`, import.meta.url));
const pemOf = (name: string): string => readFileSync(fileOf(name), 'utf8');

const LISTEN = { host: '127.0.0.1', port: 0, secure: true };
let server: OpenServer;
/** Wants certificates of its clients. */
let strict: OpenServer;
/** Shows a certificate for another host. */
let misnamed: OpenServer;

beforeAll(async () => {
  const open = (options: OpenServerOptions): Promise<OpenServer> =>
    openServer({ endpoint: LISTEN, ...options });
  server = await open({ sslKeyfile: fileOf('server'), sslCertfile: fileOf('server') });
  strict = await open({ sslKeyfile: fileOf('server'), sslCafile: fileOf('ca') });
  misnamed = await open({ sslKeyfile: fileOf('wrong-name') });
  await using client = connect(server.url, { tls: { ca: pemOf('ca') } });
  await client.use().createCollection('c');
});
afterAll(() => Promise.all([server, strict, misnamed].map((each) => each.stop())));

const endpointOf = (each: OpenServer): string => each.url.replace('https:', 'ssl:');

/** What became of a sync from the leader: a status, and a message. */
async function sync(
  leader: OpenServer,
  options: OpenServerOptions,
): Promise<{ status: number; text: string }> {
  await using follower = await openServer(options);
  const response = await fetch(`${follower.url}/_api/replication/sync`, {
    method: 'PUT',
    body: JSON.stringify({ endpoint: endpointOf(leader) }),
  });
  return { status: response.status, text: await response.text() };
}

describe('a server with TLS', () => {
  test('says so where it says where it listens', () => {
    expect([server.secure, server.url]).toEqual([
      ...[true, `https://127.0.0.1:${server.endpoint.port}`],
    ]);
  });

  test('does not answer who does not speak TLS', async () => {
    const url = server.url.replace('https:', 'http:');
    await expect(fetch(`${url}/_api/version`)).rejects.toThrow();
  });

  test('does not speak TLS 1.1', async () => {
    const { port } = server.endpoint;
    const attempt = new Promise((resolve, reject) => {
      const options = { port, host: '127.0.0.1', ca: pemOf('ca'), ciphers: 'ALL:@SECLEVEL=0' };
      const socket = connectTls({ ...options, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    await expect(attempt).rejects.toThrow(/version|protocol/i);
  });

  test.each<[string, OpenServerOptions]>([
    ['a file that is not there', { sslKeyfile: '/none.pem' }],
    ['a file without a key', { sslKeyfile: fileOf('ca') }],
    [
      'a key of another certificate',
      { sslKeyfile: fileOf('server'), sslCertfile: fileOf('client') },
    ],
  ])('does not start with %s', async (_, options) => {
    const opening = openServer({ endpoint: LISTEN, ...options });
    await expect(opening).rejects.toMatchObject({ kind: 'badParameter' });
  });
});

describe('a follower of a leader with TLS', () => {
  test('copies it when it trusts the authority', async () => {
    const { status, text } = await sync(server, { leaderCafile: fileOf('ca') });
    expect([status, text]).toEqual([200, expect.stringContaining('"name":"c"')]);
  });

  test.each<[string, () => OpenServer, OpenServerOptions, RegExp]>([
    ['an unknown authority', () => server, {}, /certificate/],
    ['another authority', () => server, { leaderCafile: fileOf('other-ca') }, /certificate/],
    ['another host', () => misnamed, { leaderCafile: fileOf('ca') }, /altnames|certificate/i],
    ['no certificate to show', () => strict, { leaderCafile: fileOf('ca') }, /./],
    [
      ...(['a certificate that the leader does not trust', () => strict] as const),
      ...([{ leaderCafile: fileOf('ca'), leaderKeyfile: fileOf('stranger') }, /./] as const),
    ],
  ])('does not with %s', async (_, leader, options, why) => {
    const { status, text } = await sync(leader(), options);
    expect(status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({
      errorNum: 1400,
      errorMessage: expect.stringMatching(why) as unknown,
    });
  });

  test('shows its certificate to a leader that wants one', async () => {
    const options = { leaderCafile: fileOf('ca'), leaderKeyfile: fileOf('client') };
    expect((await sync(strict, options)).status).toBe(200);
  });

  test('checks nothing when it is told to', async () => {
    expect((await sync(misnamed, { leaderVerify: false })).status).toBe(200);
  });

  test('does not start with a file that is not there', async () => {
    const opening = openServer({ leaderCafile: '/none.pem' });
    await expect(opening).rejects.toMatchObject({ kind: 'badParameter' });
  });
});

describe('clients of a server with TLS', () => {
  const version = async (each: OpenServer, tls?: TlsTrust): Promise<string> => {
    await using client = connect(each.url, { tls });
    return (await client.version()).server;
  };

  test('check its certificate, unless they are told not to', async () => {
    expect(await version(server, { ca: pemOf('ca') })).toBe('arango');
    await expect(version(server)).rejects.toMatchObject({ errorNum: 1400 });
    const misnamedByCa = version(misnamed, { ca: pemOf('ca') });
    await expect(misnamedByCa).rejects.toMatchObject({ errorNum: 1400 });
    expect(await version(misnamed, { verify: false })).toBe('arango');
    const pair = { cert: pemOf('client'), key: pemOf('client') };
    expect(await version(strict, { ca: pemOf('ca'), ...pair })).toBe('arango');
    await expect(version(strict, { ca: pemOf('ca') })).rejects.toMatchObject({ errorNum: 1400 });
  });

  test('are the verbs of the command line, too', async () => {
    const list = (each: OpenServer, ...flags: string[]): ReturnType<typeof runCli> =>
      runCli(['database', 'list', '--server.endpoint', endpointOf(each), ...flags]);
    expect(await list(server, '--ssl.cafile', fileOf('ca'))).toMatchObject({ code: 0, stderr: '' });
    expect(await list(server, '--ssl.verify', 'false')).toMatchObject({ code: 0 });
    expect(await list(server)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/certificate/) as unknown,
    });
    const missing = await list(server, '--ssl.cafile', '/none.pem');
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/can not be read/) as unknown,
    });
    const other = fileURLToPath(new URL('../support/certificates/README.md', import.meta.url));
    expect(await list(server, '--ssl.cafile', other)).toMatchObject({
      code: 1,
      stderr: `ticklog: ${other} holds no certificate in PEM (error 10)\n`,
    });
    const flags = ['--ssl.cafile', fileOf('ca'), '--ssl.keyfile', fileOf('client')];
    expect(await list(strict, ...flags)).toMatchObject({ code: 0 });
  });
});
