import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:https';
import { Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { openServer } from '../../src/open-server.ts';
import { closedPipe, runCli } from '../support/cli-run.ts';
import { command, refusal, startScriptedServer } from '../support/scripted-server.ts';

const STATE = command('logger-state');

interface TlsServer extends AsyncDisposable {
  readonly host: string;
}

/** Speaks TLS with a certificate of an authority that this machine does not know. */
async function startTlsServer(): Promise<TlsServer> {
  const pem = readFileSync(new URL('../support/certificates/server.pem', import.meta.url));
  const server = createServer({ key: pem, cert: pem }).on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

test('help names every command and ends with 0', async () => {
  const { code, stdout } = await runCli(['--help']);
  expect(code).toBe(0);
  const verbs = [
    ...['sync', 'make-follower', 'applier', 'logger', 'status', 'follow', 'verify'],
    ...['promote', 'dump', 'restore', 'database', 'inventory', 'user'],
  ];
  for (const verb of verbs) {
    expect(stdout).toContain(`\n  ${verb} `);
  }
  expect(await runCli(['help'])).toMatchObject({ code: 0, stdout });
});

test('help of a command shows its flags with their defaults', async () => {
  const { code, stdout } = await runCli(['help', 'sync']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/--server\.endpoint <ENDPOINT>[^]*default: tcp:\/\/127\.0\.0\.1:8529/);
  expect(stdout).toMatch(/--server\.database <NAME>[^]*default:\s+"_system"/);
});

const COMMANDS = [
  ...['sync', 'make-follower', 'status', 'follow', 'verify', 'logger', 'applier'],
  ...['promote', 'dump', 'restore', 'database', 'inventory', 'user'],
  ...['create', 'list', 'grant', 'password', 'remove'].map((action) => `user ${action}`),
  ...['create', 'list', 'drop'].map((action) => `database ${action}`),
  ...['start', 'stop', 'state', 'config', 'forget'].map((action) => `logger ${action}`),
  ...['start', 'stop', 'state', 'config', 'forget'].map((action) => `applier ${action}`),
];

test.each(COMMANDS)('help of %s fits 80 columns and shows no empty defaults', async (command) => {
  const { code, stdout, stderr } = await runCli([...command.split(' '), '--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(`Usage: ticklog ${command}`);
  expect(stdout).not.toMatch(/default: (?:""|\[\])/);
  const [, ...lines] = stdout.split('\n');
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test('the list of commands to try is complete', async () => {
  for (const parent of ['', 'logger', 'applier', 'database', 'user']) {
    const { stdout } = await runCli([...(parent === '' ? [] : [parent]), '--help']);
    const [, list = ''] = stdout.split('\nCommands:\n');
    const [ours = ''] = list.split('\n\n');
    const names = [...ours.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(3);
    const known = names.filter((name) => name !== 'help');
    expect(COMMANDS).toEqual(
      expect.arrayContaining(known.map((name) => `${parent} ${name}`.trim())),
    );
  }
});

test('help of follow says what the types of events are', async () => {
  const { stdout } = await runCli(['help', 'follow']);
  const types = [1000, 1001, 2000, 2001, 2002, 2003, 2100, 2101, 2200, 2201, 2300, 2301, 2302];
  for (const type of types) expect(stdout).toMatch(new RegExp(`^ {2}${type} {2}\\w+`, 'm'));
});

test.each([
  ['user create', 'user create ann --password-file ann.txt --grant shop=rw'],
  ['applier start', 'applier start --from 4711'],
  ['database drop', 'database drop shop --yes'],
])('help %s is that of the sub-command, with its examples', async (words, example) => {
  const { code, stdout } = await runCli(['help', ...words.split(' ')]);
  expect(code).toBe(0);
  expect(stdout).toContain(`Usage: ticklog ${words} `);
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain(example);
  expect(await runCli([...words.split(' '), '--help'])).toMatchObject({ stdout });
});

test.each([
  [['status', '--loud'], "unknown option '--loud'", undefined],
  [['status', '--prot', '1'], "unknown option '--prot'", '--server.endpoint'],
  [['status', '--port', '1'], "unknown option '--port'", '--server.endpoint'],
  [['user', 'create', '--endpoint=x'], "unknown option '--endpoint=x'", '--server.endpoint'],
  [['verify', '--repiar', 'a', 'b'], "unknown option '--repiar'", '--repair'],
  [['stauts'], "unknown command 'stauts'", 'status'],
  [['user', 'craete', 'ann'], "unknown command 'craete'", 'create'],
  [['help', 'user', 'craete'], "unknown command 'craete'", 'create'],
])('what was meant by %j is asked', async (argv, problem, meant) => {
  const { code, stderr } = await runCli(argv);
  const lines = [
    `ticklog: ${problem}`,
    ...(meant === undefined ? [] : [`(did you mean ${meant}?)`]),
  ];
  expect(stderr.split('\n').slice(0, lines.length)).toEqual(lines);
  expect(stderr.includes('did you mean')).toBe(meant !== undefined);
  expect(code).toBe(2);
});

test('--version prints the version and ends with 0', async () => {
  expect(await runCli(['--version'])).toEqual({ code: 0, stdout: '9.8.7\n', stderr: '' });
});

test.each([
  [[], 'Usage: ticklog'],
  [['dance'], "unknown command 'dance'"],
  [['status', '--loud'], "unknown option '--loud'"],
  [['status', 'left-over'], 'too many arguments'],
  [['status', '--server.endpoint', 'here'], "argument 'here' is invalid"],
  [['status', '--server.request-timeout', 'soon'], "argument 'soon' is invalid"],
  [['sync'], "missing required argument 'LEADER'"],
  [['sync', 'nowhere'], "'nowhere' is invalid"],
  [['sync', 'tcp://127.0.0.1:1', '--restrict-type', 'some'], "'some' is invalid"],
  [['sync', 'tcp://127.0.0.1:1', '--restrict-type', 'include'], 'at least one --collection'],
  [['follow', '--from', '-1'], "'-1' is invalid"],
  [['follow', '--from', '18446744073709551616'], 'is invalid'],
  [['applier'], 'Usage: ticklog applier'],
  [['applier', 'restart'], "unknown command 'restart'"],
  [['applier', 'start', '--from', 'x'], "'x' is invalid"],
  [['verify', 'tcp://127.0.0.1:1'], "missing required argument 'B'"],
])('a command line that can not be used ends with 2: %j', async (argv, message) => {
  const { code, stdout, stderr } = await runCli(argv);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
});

test.each([
  [['user', 'grant', 'ann', 'shop=rw'], 'ticklog user grant NAME DATABASE RIGHT'],
  [['user', 'grant', 'ann', 'shop', 'all'], 'ticklog user grant NAME DATABASE RIGHT'],
  [['status', 'left-over'], 'ticklog status'],
])('where arguments are not as they should be the form is told: %j', async (argv, form) => {
  const { code, stderr } = await runCli(argv);
  expect(code).toBe(2);
  expect(stderr).toContain(`\n(expected: ${form})\n`);
});

test('an error of the server is told with its number, and what to do about it', async () => {
  await using server = await startScriptedServer({
    [`GET ${STATE}`]: () => refusal(500, 1413, 'no start tick'),
  });
  const result = await runCli(['logger', 'state', '--server.endpoint', server.endpoint]);
  expect(result.code).toBe(1);
  expect(result.stdout).toBe('');
  expect(result.stderr).toMatch(/^ticklog: no start tick \(error 1413\)\n {2}Sync first/);
});

test('a database that does not exist is told with the server, and where to look', async () => {
  await using server = await startScriptedServer({
    [`GET ${STATE}`]: () => refusal(404, 1228, 'database not found'),
  });
  const result = await runCli(['logger', 'state', '--server.endpoint', server.endpoint]);
  const [message, cure] = result.stderr.split('\n');
  expect(message).toBe(`ticklog: ${server.endpoint}: database not found (error 1228)`);
  expect(cure).toContain('ticklog database list');
  expect(cure).not.toContain('restore');
});

test('a server that can not be reached is named', async () => {
  const { code, stderr } = await runCli([
    ...['logger', 'state', '--server.endpoint', 'tcp://127.0.0.1:1'],
  ]);
  expect(code).toBe(1);
  expect(stderr).toBe(
    'ticklog: no answer from tcp://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1\n' +
      '  Nothing listens there: start the server (ticklog serve), or correct the endpoint.\n',
  );
});

test('a server that nobody has named is told to be the default', async () => {
  const { code, stderr } = await runCli(['logger', 'state']);
  // Somebody may run a server there.
  if (code === 0) return;
  expect(stderr).toMatch(/^ticklog: no answer from tcp:\/\/127\.0\.0\.1:8529: /);
  expect(stderr).toContain('no other server was named: name yours with --server.endpoint');
});

test('TICKLOG_SERVER_ENDPOINT names the server, and a flag wins', async () => {
  await using server = await startScriptedServer({
    [`GET ${STATE}`]: () => ({ body: { state: { running: true } } }),
  });
  vi.stubEnv('TICKLOG_SERVER_ENDPOINT', server.endpoint);
  const named = await runCli(['logger', 'state']);
  const help = await runCli(['logger', 'state', '--help']);
  const other = await runCli(['logger', 'state', '--server.endpoint', 'tcp://127.0.0.1:1']);
  vi.stubEnv('TICKLOG_SERVER_ENDPOINT', 'tcp://127.0.0.1:1');
  const wrong = await runCli(['logger', 'state']);
  vi.stubEnv('TICKLOG_SERVER_ENDPOINT', 'tcp://u:secret@h:1');
  const refused = await runCli(['logger', 'state']);
  vi.unstubAllEnvs();
  expect(named).toMatchObject({ code: 0, stderr: '' });
  for (const each of [other, wrong]) {
    expect(each.stderr).toContain('no answer from tcp://127.0.0.1:1');
    expect(each.stderr).toContain('or correct the endpoint.');
  }
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("from env 'TICKLOG_SERVER_ENDPOINT' is invalid");
  expect(refused.stderr).not.toContain('secret');
  expect(help.stdout).toMatch(/env:\s+TICKLOG_SERVER_ENDPOINT/);
});

test.each([
  ['make-follower', 'tcp://127.0.0.1:1', 'tcp://127.0.0.1:2'],
  ['status', 'tcp://127.0.0.1:1'],
  ['dump', 'ssl://127.0.0.1:1'],
])('an endpoint too many belongs behind --server.endpoint: %s %s', async (...argv) => {
  const { code, stderr } = await runCli(argv);
  expect(code).toBe(2);
  expect(stderr).toContain('too many arguments');
  expect(stderr).toContain('(the server that is asked goes behind --server.endpoint)\n');
  const plain = await runCli(['status', 'left-over']);
  expect(plain.stderr).not.toContain('behind --server.endpoint');
});

test.each(['ssl', 'https'])('a server without TLS is told from one with it: %s', async (scheme) => {
  await using server = await startScriptedServer({});
  const endpoint = server.endpoint.replace('tcp', scheme);
  const { code, stderr } = await runCli(['logger', 'state', '--server.endpoint', endpoint]);
  expect(code).toBe(1);
  const [message, cure, ...more] = stderr.split('\n');
  expect(message).toBe(`ticklog: no answer from ${endpoint}: its answer is no TLS`);
  expect(cure).toContain('begins with tcp://');
  expect(more).toEqual(['']);
});

test('a leader without TLS is told from one with it, in the state of the applier, too', async () => {
  await using leader = await openServer();
  await using follower = await openServer();
  const at = ['--server.endpoint', follower.url];
  const endpoint = leader.url.replace('http', 'ssl');
  const reason = `Could not connect to '${endpoint}': its answer is no TLS`;
  const { code, stderr } = await runCli(['make-follower', endpoint, ...at]);
  expect(code).toBe(1);
  const [message, cure, ...more] = stderr.split('\n');
  expect(message).toBe(
    `ticklog: could not connect to leader at ${endpoint}: ${reason} (error 1400)`,
  );
  expect(cure).toContain('begins with tcp://');
  expect(more).toEqual(['']);
  const set = ['applier', 'config', '--set', `endpoint=${endpoint}`];
  expect(await runCli([...set, ...at])).toMatchObject({ code: 0 });
  const started = await runCli(['applier', 'start', '--from', '1', ...at]);
  expect([started.code, started.stderr]).toEqual([0, '']);
  await vi.waitFor(async () => {
    const { stdout } = await runCli(['applier', 'state', ...at]);
    expect(stdout).toContain(`${reason}\n`);
    expect(stdout).toMatch(/what to do: What answers there speaks no TLS.*tcp:\/\/\.\n/);
  });
});

test('a server with TLS that is spoken to without is told, and one that nobody vouches for', async () => {
  await using server = await startTlsServer();
  const plain = await runCli(['logger', 'state', '--server.endpoint', `tcp://${server.host}`]);
  expect(plain.code).toBe(1);
  expect(plain.stderr).toMatch(/^ticklog: no answer from tcp:.*\n.*begins with ssl:\/\//);
  const unknown = await runCli(['logger', 'state', '--server.endpoint', `ssl://${server.host}`]);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toMatch(/^ticklog: no answer from ssl:.*\n.*--ssl\.cafile/);
});

test('who is not known to the server is told how to say who he is', async () => {
  await using server = await startScriptedServer({ [`GET ${STATE}`]: () => ({ status: 401 }) });
  const { code, stderr } = await runCli(['logger', 'state', '--server.endpoint', server.endpoint]);
  expect(code).toBe(1);
  const [message, cure] = stderr.split('\n');
  expect(message).toBe(
    `ticklog: ${server.endpoint} does not know who asks: there is no active user of this name and password`,
  );
  expect(cure).toContain('--server.username');
});

test('something else that answers in place of a server is told', async () => {
  await using server = await startScriptedServer({
    [`GET ${STATE}`]: () => ({ status: 404, body: '<html>nothing here</html>' }),
  });
  const { code, stderr } = await runCli(['logger', 'state', '--server.endpoint', server.endpoint]);
  expect(code).toBe(1);
  expect(stderr).toBe(
    `ticklog: ${server.endpoint} answers HTTP 404 Not Found, and not as a server of this kind does\n`,
  );
});

test('a server that stays silent is given up after --server.request-timeout', async () => {
  await using server = await startScriptedServer({
    [`GET ${STATE}`]: () => new Promise<never>(() => undefined),
  });
  const { code, stderr } = await runCli([
    ...['logger', 'state', '--server.endpoint', server.endpoint],
    ...['--server.request-timeout', '0.2'],
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain(`no answer from ${server.endpoint}: `);
});

test('an answer that is no JSON is not taken for one', async () => {
  await using server = await startScriptedServer({
    [`GET ${STATE}`]: () => ({ body: '<html>It works!</html>' }),
  });
  const { code, stderr } = await runCli(['logger', 'state', '--server.endpoint', server.endpoint]);
  expect(code).toBe(1);
  expect(stderr).toContain('is no JSON (error 1401)');
});

test('database, user and password reach the server', async () => {
  const path = '/_db/my%20own/_api/replication/logger-state';
  await using server = await startScriptedServer({ [`GET ${path}`]: () => ({ body: {} }) });
  const { code } = await runCli([
    ...['logger', 'state', '--server.endpoint', server.endpoint, '--server.database', 'my own'],
    ...['--server.username', 'ann', '--server.password', 'sécret'],
  ]);
  expect(code).toBe(0);
  const login = Buffer.from('ann:sécret').toString('base64');
  expect(server.requests[0]?.headers.authorization).toBe(`Basic ${login}`);
});

test('a reader that has gone away is no failure', async () => {
  await using server = await startScriptedServer({ [`GET ${STATE}`]: () => ({ body: {} }) });
  const stdout = closedPipe();
  const result = await runCli(['logger', 'state', '--server.endpoint', server.endpoint], {
    stdout,
  });
  expect(result).toMatchObject({ code: 0, stderr: '' });
});

test('a full disk under the output is a failure', async () => {
  await using server = await startScriptedServer({ [`GET ${STATE}`]: () => ({ body: {} }) });
  const stdout = new Writable({
    write: (_chunk, _encoding, callback) => {
      callback(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
    },
  });
  stdout.on('error', () => undefined);
  const result = await runCli(['logger', 'state', '--server.endpoint', server.endpoint], {
    stdout,
  });
  expect(result).toMatchObject({ code: 1, stderr: 'ticklog: no space left\n' });
});

test('a command that is interrupted while it waits for the server says so and ends with 1', async () => {
  const ending = new AbortController();
  await using server = await startScriptedServer({
    [`GET ${STATE}`]: () => {
      ending.abort();
      return new Promise<never>(() => undefined);
    },
  });
  const result = await runCli(['logger', 'state', '--server.endpoint', server.endpoint], {
    signal: ending.signal,
  });
  expect(result).toMatchObject({ code: 1, stderr: 'ticklog: interrupted\n' });
});

const SECRET = "tcp://u:s3c'@ret@h:1";

test.each([
  [['make-follower', SECRET], "value 'tcp://...@h:1' is invalid for argument 'LEADER'"],
  [['sync', 'u:s3c@ret@h'], "value '...@h' is invalid for argument 'LEADER'"],
  [['verify', '--repair', SECRET, SECRET], "value 'tcp://...@h:1' is invalid for argument 'A'"],
  [['status', '--server.endpoint', SECRET], "argument 'tcp://...@h:1' is invalid"],
  [['status', `--server.endpont=${SECRET}`], "unknown option '--server.endpont=tcp://...@h:1'"],
  [[SECRET], "unknown command 'tcp://...@h:1'"],
])('a password in an endpoint of %j is not shown', async (argv, shown) => {
  const { code, stdout, stderr } = await runCli(argv);
  expect(code).toBe(2);
  expect(stderr).toContain(shown);
  expect(stderr + stdout).not.toMatch(/s3c|ret@/);
});
