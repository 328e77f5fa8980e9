import { mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/client.ts';
import { type OpenServer, openServer } from '../../src/open-server.ts';
import { type CliResult, runCli } from '../support/cli-run.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';
import { TicklogProcess } from '../support/ticklog-process.ts';

const PASSWORD = 's3cret pass:word';
let dir: TempDir;
let file: string;
let server: OpenServer;

beforeAll(async () => {
  dir = await makeTempDir();
  file = join(dir.path, 'password');
  await writeFile(file, `${PASSWORD}\n`);
  server = await openServer({ authentication: true, rootPassword: PASSWORD });
});
afterAll(async () => {
  await server.stop();
  await dir[Symbol.asyncDispose]();
});

const run = (...argv: string[]): Promise<CliResult> =>
  runCli([...argv, '--server.endpoint', server.url]);

describe('every verb that talks to a server', () => {
  test('is told that it must log in', async () => {
    const { code, stderr } = await run('logger', 'state');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/does not know who asks[^]*--server\.username/),
    ]);
  });

  test('logs in with flags, a file or the environment', async () => {
    const root = ['--server.username', 'root'];
    const state = ['logger', 'state', ...root];
    expect(await run(...state, '--server.password', PASSWORD)).toMatchObject({ code: 0 });
    expect(await run(...state, '--server.password-file', file)).toMatchObject({ code: 0 });
    vi.stubEnv('TICKLOG_SERVER_PASSWORD', PASSWORD);
    expect(await run(...state)).toMatchObject({ code: 0 });
    vi.stubEnv('TICKLOG_SERVER_USERNAME', 'root');
    expect(await run('database', 'list')).toMatchObject({ code: 0, stdout: '_system\n' });
    // A flag wins.
    const wrong = await run('database', 'list', '--server.password', 'x');
    expect(wrong).toMatchObject({ code: 1 });
    vi.unstubAllEnvs();
  });

  test('says what helps where a name is taken or unknown, or a right is lacking', async () => {
    const as = (user: string) => ['--server.username', user, '--server.password', PASSWORD];
    const create = ['user', 'create', 'bob', '--password', PASSWORD, ...as('root')];
    expect(await run(...create)).toMatchObject({ code: 0 });
    const said: readonly (readonly [readonly string[], RegExp])[] = [
      [create, /'bob' already \(error 1702\)\n {2}.*ticklog user password/],
      [['user', 'remove', 'eve', ...as('root')], /\(error 1703\)\n {2}.*ticklog user list/],
      [
        ['logger', 'stop', ...as('bob')],
        /needs the right.*\(error 11\)\n {2}An administrator .*ticklog user grant/,
      ],
    ];
    for (const [argv, words] of said) {
      const { code, stderr } = await run(...argv);
      expect([code, stderr]).toEqual([1, expect.stringMatching(words)]);
    }
  });

  test('says of a password file that it cannot be read', async () => {
    const { code, stderr } = await run('logger', 'state', '--server.password-file', '/none');
    expect([code, stderr]).toEqual([2, expect.stringContaining('ENOENT')]);
  });

  test('hands on the password of a leader from a file or the environment, and never prints it', async () => {
    await using follower = await openServer();
    const verb = ['make-follower', server.url, '--server.endpoint', follower.url];
    const user = ['--leader.username', 'root'];
    const made = await runCli([...verb, ...user, '--leader.password-file', file]);
    expect(made.code).toBe(0);
    vi.stubEnv('TICKLOG_LEADER_PASSWORD', PASSWORD);
    const again = await runCli([...verb, ...user]);
    vi.unstubAllEnvs();
    expect(again.code).toBe(0);
    const config = await runCli(['applier', 'config', '--server.endpoint', follower.url]);
    const set = await runCli([
      ...['applier', 'config', '--server.endpoint', follower.url, '--set', `pasword=${PASSWORD}`],
    ]);
    expect([config.code, set.code]).toEqual([0, 2]);
    for (const { stdout, stderr } of [made, again, config, set]) {
      expect(stdout + stderr).not.toContain(PASSWORD);
    }
  });
});

describe('a leader that knows no such user or password', () => {
  const CURE =
    /^ {2}The leader has no active user .*--leader\.username and --leader\.password-file/m;
  let wrong: string;

  beforeAll(async () => {
    wrong = join(dir.path, 'wrong');
    await writeFile(wrong, 'wrong');
  });

  test.each(['make-follower', 'sync'])('%s says which flags are wrong', async (verb) => {
    await using follower = await openServer();
    const flags = ['--leader.username', 'root', '--leader.password-file', wrong];
    const { code, stderr } = await runCli([
      ...[verb, server.url, '--server.endpoint', follower.url, ...flags],
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/HTTP 401: Unauthorized \(error 1402\)\n/);
    expect(stderr).toMatch(CURE);
  });

  test('an applier stops when its password is changed, and make-follower takes the new one', async () => {
    const root = ['--server.username', 'root', '--server.password', PASSWORD];
    const create = ['--password', PASSWORD, '--grant', '_system=ro'];
    expect(await run('user', 'create', 'watcher', ...create, ...root)).toMatchObject({ code: 0 });
    await using follower = await openServer();
    const at = ['--server.endpoint', follower.url];
    const flags = ['--leader.username', 'watcher', '--leader.password-file'];
    const make = ['make-follower', server.url, ...flags];
    expect(await runCli([...make, file, ...at])).toMatchObject({ code: 0 });
    const changed = ['user', 'password', 'watcher', '--password', 'wrong', ...root];
    expect(await run(...changed)).toMatchObject({ code: 0 });
    // The request that the leader holds was sent with the old one.
    await using client = connect(server.url, { username: 'root', password: PASSWORD });
    await client.use().createCollection('news');
    const stopped = await vi.waitFor(
      async () => {
        const status = await runCli(['status', ...at]);
        expect(status.code).toBe(1);
        return status.stdout;
      },
      { timeout: 20_000, interval: 100 },
    );
    expect(stopped).toContain('Applier  STOPPED by an error since ');
    expect(stopped).toMatch(/because: got invalid response from leader at \S+: HTTP 401/);
    expect(stopped).toMatch(/what to do: The leader has no active user of this name and password/);
    expect(await runCli([...make, wrong, ...at, '--yes'])).toMatchObject({ code: 0 });
    expect(await runCli(['status', ...at])).toMatchObject({ code: 0 });
  });
});

describe('ticklog serve', () => {
  const OTHERS = 0o077;

  /** Everything below a directory that others may read, write or enter. */
  async function open(directory: string): Promise<string[]> {
    const entries = await readdir(directory, { recursive: true });
    const found = [];
    for (const entry of entries) {
      if (((await stat(join(directory, entry))).mode & OTHERS) !== 0) found.push(entry);
    }
    return found;
  }

  test('keeps all that it writes to its owner, the passwords of leaders too', async () => {
    const data = join(await mkdtemp(join(dir.path, 'x-')), 'data');
    const args = ['serve', '--database.directory', data, '--server.endpoint', 'tcp://127.0.0.1:0'];
    const env = { TICKLOG_ROOT_PASSWORD: PASSWORD, TICKLOG_SERVER_AUTHENTICATION: 'true' };
    await using child = TicklogProcess.start([...args, '--log.level', 'debug'], env);
    const url = (await child.endpoint()).replace('tcp:', 'http:');
    const pair = Buffer.from(`root:${PASSWORD}`).toString('base64');
    const response = await fetch(`${url}/_api/replication/applier-config`, {
      method: 'PUT',
      headers: { authorization: `Basic ${pair}` },
      body: JSON.stringify({ endpoint: 'tcp://127.0.0.1:1', username: 'u', password: 'l3ader' }),
    });
    expect(response.status).toBe(200);
    expect((await stat(data)).mode & 0o777).toBe(0o700);
    expect((await stat(join(data, 'store'))).mode & 0o777).toBe(0o700);
    expect(await open(data)).toEqual([]);
    child.signal('SIGTERM');
    await child.ended();
    expect(await open(data)).toEqual([]);
    for (const secret of [PASSWORD, 'l3ader']) {
      expect(child.stdout + child.stderr).not.toContain(secret);
    }
  });

  test('does not start with authentication and without a first password', async () => {
    const data = await mkdtemp(join(dir.path, 'x-'));
    const args = ['serve', '--database.directory', data, '--server.endpoint', 'tcp://127.0.0.1:0'];
    await using child = TicklogProcess.start([...args, '--server.authentication', 'true']);
    expect(await child.ended()).toBe(1);
    expect(child.stderr).toMatch(/TICKLOG_ROOT_PASSWORD/);
  });
});
