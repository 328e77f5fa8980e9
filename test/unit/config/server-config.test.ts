import { Command } from 'commander';
import { expect, test } from 'vitest';
import type { ConfigSources } from '../../../src/config/option-reader.ts';
import { environmentName, OPTIONS, type Option } from '../../../src/config/options.ts';
import { ConfigError, readConfig, type ServerConfig } from '../../../src/config/server-config.ts';

const MIB = 1024 ** 2;

interface Given {
  flags?: ConfigSources['flags'];
  env?: ConfigSources['env'];
  /** Contents by path. */
  files?: Record<string, string>;
}

/** Reads a configuration in which everything is absent that is not given. */
function read({ flags = {}, env = {}, files = {} }: Given): ServerConfig {
  return readConfig({
    flags,
    env,
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
      return text;
    },
  });
}

/** What is wrong with a configuration that must be refused. */
function problemsOf(given: Given): readonly string[] {
  try {
    read(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

test('without anything given the defaults hold', () => {
  expect(read({})).toEqual({
    configuration: '',
    databaseDirectory: './ticklog-data',
    endpoint: { host: '127.0.0.1', port: 8529, secure: false },
    authentication: false,
    allowUnauthenticated: false,
    rootPassword: '',
    rootPasswordFile: '',
    jwtSecretFile: '',
    sessionTimeoutMs: 3_600_000,
    sslKeyfile: '',
    sslCertfile: '',
    sslCafile: '',
    compatibleVersion: '1.4.3',
    maxBodyBytes: 64 * MIB,
    bodyBudgetBytes: 256 * MIB,
    bodyTimeoutMs: 60_000,
    maxConnections: 4096,
    maxHeaderBytes: 32 * 1024,
    maxUrlBytes: 16 * 1024,
    maxJobs: 64,
    headerTimeoutMs: 30_000,
    stalledAfterMs: 120_000,
    stopDelayMs: 0,
    loggerAutoStart: true,
    logLevel: 'info',
    sync: 'never',
    documentMaxBytes: 64 * MIB,
    transactionMaxBytes: 64 * MIB,
    streamingIdleTimeoutMs: 60_000,
    streamingMaxOpen: 100,
    streamingBudgetBytes: 128 * MIB,
    pageMaxBytes: 8 * MIB,
    pageBudgetBytes: 256 * MIB,
    leaderEndpoints: [],
    leaderCafile: '',
    leaderKeyfile: '',
    leaderVerify: true,
    maxBatches: 1000,
    maxKeyLists: 64,
    newServerId: false,
  });
});

test('the configuration is frozen, the endpoint too', () => {
  const config = read({});
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.endpoint)).toBe(true);
});

test('every option can be given as a flag', () => {
  const flags = {
    'database.directory': '/data',
    'server.endpoint': 'https://[::]:0',
    'server.authentication': 'true',
    'server.allow-unauthenticated': 'true',
    'server.root-password-file': '/root',
    'server.jwt-secret-file': '/jwt',
    'server.session-timeout': '7',
    'ssl.keyfile': '/key',
    'ssl.certfile': '/cert',
    'ssl.cafile': '/ca',
    'server.compatible-version': '3.0.3',
    'server.max-body': '1MiB',
    'server.body-budget': '6MiB',
    'server.body-timeout': '2.5',
    'server.max-connections': '8',
    'server.max-header': '9KiB',
    'server.max-url': '8KiB',
    'server.max-jobs': '5',
    'server.header-timeout': '3',
    'server.stalled-timeout': '4',
    'server.stop-delay': '0.5',
    'replication.max-batches': '9',
    'replication.max-key-lists': '11',
    'logger.auto-start': 'false',
    'log.level': 'silent',
    sync: 'always',
    'document.max-size': '7KiB',
    'transaction.max-size': '2MiB',
    'replication.max-page': '3MiB',
    'replication.page-budget': '4MiB',
    'transaction.streaming-idle-timeout': '1.5',
    'transaction.streaming-max-open': '7',
    'transaction.streaming-budget': '5MiB',
    'replication.allow-endpoints': 'leader:8529',
    'replication.ssl-cafile': '/leader-ca',
    'replication.ssl-keyfile': '/leader-key',
    'replication.ssl-verify': 'false',
    'new-server-id': true,
  };
  expect(read({ flags })).toEqual({
    configuration: '',
    databaseDirectory: '/data',
    endpoint: { host: '::', port: 0, secure: true },
    authentication: true,
    allowUnauthenticated: true,
    rootPassword: '',
    rootPasswordFile: '/root',
    jwtSecretFile: '/jwt',
    sessionTimeoutMs: 7000,
    sslKeyfile: '/key',
    sslCertfile: '/cert',
    sslCafile: '/ca',
    compatibleVersion: '3.0.3',
    maxBodyBytes: MIB,
    bodyBudgetBytes: 6 * MIB,
    bodyTimeoutMs: 2500,
    maxConnections: 8,
    maxHeaderBytes: 9 * 1024,
    maxUrlBytes: 8 * 1024,
    maxJobs: 5,
    headerTimeoutMs: 3000,
    stalledAfterMs: 4000,
    stopDelayMs: 500,
    maxBatches: 9,
    maxKeyLists: 11,
    loggerAutoStart: false,
    logLevel: 'silent',
    sync: 'always',
    documentMaxBytes: 7 * 1024,
    transactionMaxBytes: 2 * MIB,
    streamingIdleTimeoutMs: 1500,
    streamingMaxOpen: 7,
    streamingBudgetBytes: 5 * MIB,
    pageMaxBytes: 3 * MIB,
    pageBudgetBytes: 4 * MIB,
    leaderEndpoints: [{ host: 'leader', port: 8529 }],
    leaderCafile: '/leader-ca',
    leaderKeyfile: '/leader-key',
    leaderVerify: false,
    newServerId: true,
  });
});

test('the options of commander are taken as they come', () => {
  const command = new Command();
  for (const { flag, argument, help } of Object.values<Option<unknown>>(OPTIONS)) {
    command.option(argument === undefined ? `--${flag}` : `--${flag} <${argument}>`, help);
  }
  const argv = ['--logger.auto-start', 'false', '--server.max-body=1MiB', '--new-server-id'];
  command.parse([...argv, '--sync', 'always'], { from: 'user' });
  expect(read({ flags: command.opts() })).toMatchObject({
    loggerAutoStart: false,
    maxBodyBytes: MIB,
    newServerId: true,
    sync: 'always',
  });
});

test('a flag wins over the environment, that over the file, that over the default', () => {
  const files = {
    'a.conf': '[log]\nlevel = error\n[server]\nmax-body = 1MiB\n[storage]\nsync=always',
  };
  const flags = { configuration: 'a.conf', 'log.level': 'debug' };
  const env = { TICKLOG_LOG_LEVEL: 'warn', TICKLOG_SERVER_MAX_BODY: '2MiB' };
  expect(read({ files, flags, env })).toMatchObject({
    logLevel: 'debug',
    maxBodyBytes: 2 * MIB,
    sync: 'always',
    pageMaxBytes: 8 * MIB,
  });
});

test('the environment can name the file, and the flag for it wins', () => {
  const files = { 'a.conf': 'log.level = error', 'b.conf': 'log.level = warn' };
  const env = { TICKLOG_CONFIGURATION: 'a.conf' };
  expect(read({ files, env }).logLevel).toBe('error');
  expect(read({ files, env, flags: { configuration: 'b.conf' } }).logLevel).toBe('warn');
});

test('an undefined flag and an empty variable count as not given', () => {
  const flags = { 'log.level': undefined, unknown: undefined };
  const env = { TICKLOG_LOG_LEVEL: '', TICKLOG_NEW_SERVER_ID: '' };
  expect(read({ flags, env }).logLevel).toBe('info');
});

test('variables of others are left alone', () => {
  const env = {
    TICKLOG_SERVICE_HOST: '10.0.0.1',
    TICKLOG_PORT: 'tcp://10.0.0.1:8529',
    PATH: '/bin',
  };
  expect(read({ env })).toEqual(read({}));
});

test('a value that is overridden is not looked at', () => {
  expect(
    read({ flags: { 'log.level': 'warn' }, env: { TICKLOG_LOG_LEVEL: 'loud' } }).logLevel,
  ).toBe('warn');
});

test('all problems are told together, each with key, value, origin and what is allowed', () => {
  const files = { 'a.conf': 'log.level = loud\nlog.colour = red\nnonsense' };
  const flags = {
    configuration: 'a.conf',
    'server.endpoint': 'udp://0.0.0.0:8529',
    'no-such-flag': 'x',
  };
  const env = { TICKLOG_SERVER_AUTHENTICATION: 'maybe', TICKLOG_SERVER_MAX_BODY: '1KiB' };
  const problems = problemsOf({ files, flags, env });
  expect(problems).toHaveLength(7);
  expect(problems).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^no-such-flag: no such flag; ticklog help serve lists/),
      'configuration: a.conf line 3: neither key = value, [section] nor a comment',
      expect.stringMatching(
        /^log\.colour: not a key of this file \(a\.conf line 2\); ticklog help serve lists/,
      ),
      'log.level: "loud" (a.conf line 1) is refused; allowed: debug, info, warn, error, silent',
      expect.stringMatching(
        /^server\.endpoint: "udp:\/\/0\.0\.0\.0:8529" \(flag --server\.endpoint\)/,
      ),
      'server.authentication: "maybe" (environment TICKLOG_SERVER_AUTHENTICATION) is refused; ' +
        'allowed: true or false (also yes, on, 1 and no, off, 0)',
      'server.max-body: "1KiB" (environment TICKLOG_SERVER_MAX_BODY) is refused; ' +
        'allowed: 4KiB to 256MiB; units B, kB, MB, GB, KiB, MiB, GiB',
    ]),
  );
});

test('a password in an endpoint that is refused is not shown, wherever it was given', () => {
  const endpoint = 'tcp://u:s3c@ret@127.0.0.1:8529';
  for (const given of [
    { flags: { 'server.endpoint': endpoint } },
    { env: { TICKLOG_SERVER_ENDPOINT: endpoint } },
    { flags: { configuration: 'a' }, files: { a: `server.endpoint = ${endpoint}` } },
  ]) {
    const [problem = ''] = problemsOf(given);
    expect(problem).toContain('server.endpoint: "tcp://...@127.0.0.1:8529" (');
    expect(problem).not.toMatch(/s3c|ret@/);
  }
});

test('the message of the error has every problem on a line of its own', () => {
  const error = new ConfigError(['first', 'second']);
  expect([error.name, error.message]).toEqual(['ConfigError', 'first\nsecond']);
});

test('a file that can not be read is told of with the reason', () => {
  expect(problemsOf({ flags: { configuration: 'none.conf' } })).toEqual([
    "configuration: none.conf can not be read: ENOENT: no such file, open 'none.conf'",
  ]);
});

test('an empty path is refused, for the file and for the directory', () => {
  expect(problemsOf({ flags: { configuration: '', 'database.directory': '' } })).toEqual([
    'configuration: "" (flag --configuration) is refused; allowed: the path of a file',
    'database.directory: "" (flag --database.directory) is refused; allowed: the path of a directory',
  ]);
});

test('a new server id is drawn once, so it is neither in a file nor in the environment', () => {
  const files = { 'a.conf': 'new-server-id = true' };
  const env = { TICKLOG_CONFIGURATION: 'a.conf', TICKLOG_NEW_SERVER_ID: 'true' };
  expect(problemsOf({ files, env })).toEqual([
    'new-server-id: not taken from environment TICKLOG_NEW_SERVER_ID; allowed: flag --new-server-id',
    expect.stringMatching(/^new-server-id: not a key of this file \(a\.conf line 1\)/),
  ]);
});

test('a file does not name another file', () => {
  const files = { 'a.conf': 'configuration = b.conf' };
  const problems = problemsOf({ files, flags: { configuration: 'a.conf' } });
  expect(problems).toEqual([expect.stringMatching(/^configuration: not a key of this file/)]);
});

test('a budget below a single page contradicts the page', () => {
  const flags = { 'replication.max-page': '8MiB', 'replication.page-budget': '4MiB' };
  expect(problemsOf({ flags })).toEqual([
    'replication.page-budget: 4MiB is less than a single page; ' +
      'allowed: at least replication.max-page, which is 8MiB',
  ]);
  expect(read({ flags: { ...flags, 'replication.page-budget': '8MiB' } }).pageBudgetBytes).toBe(
    8 * MIB,
  );
});

test.each([
  ['server.body-budget', 'server.max-body', 'a single body'],
  ['server.max-header', 'server.max-url', 'a URL in it'],
])('%s below %s is a contradiction', (larger, smaller, what) => {
  expect(problemsOf({ flags: { [larger]: '4KiB', [smaller]: '8KiB' } })).toEqual([
    `${larger}: 4KiB is less than ${what}; allowed: at least ${smaller}, which is 8KiB`,
  ]);
});

test('keys, flags and variables are unique, and a key becomes a variable by its letters', () => {
  const options = Object.values<Option<unknown>>(OPTIONS);
  for (const names of [
    options.map(({ key }) => key),
    options.map(({ flag }) => flag),
    options.map(({ key }) => environmentName(key)),
  ]) {
    expect(new Set(names).size).toBe(names.length);
  }
  expect(environmentName('logger.auto-start')).toBe('TICKLOG_LOGGER_AUTO_START');
});

test.each(['tcp://0.0.0.0:1', 'tcp://[::]:1', 'tcp://192.168.1.7:1', 'tcp://leader.example.org:1'])(
  'without authentication %s is not listened on, unless that is said to be wanted',
  (endpoint) => {
    const flags = { 'server.endpoint': endpoint };
    expect(problemsOf({ flags })).toEqual([
      expect.stringMatching(/^server\.endpoint: .*loopback.*--server\.allow-unauthenticated true/),
    ]);
    expect(read({ flags: { ...flags, 'server.authentication': 'true' } }).authentication).toBe(
      true,
    );
    const open = read({ flags: { ...flags, 'server.allow-unauthenticated': 'true' } });
    expect(open.authentication).toBe(false);
  },
);

test('the first password comes from the environment, and from no flag or file', () => {
  const env = { TICKLOG_ROOT_PASSWORD: 's3cret' };
  expect(read({ env }).rootPassword).toBe('s3cret');
  expect(problemsOf({ flags: { 'server.root-password': 's3cret' } })).toHaveLength(1);
  const files = { 'a.conf': 'server.root-password = s3cret' };
  expect(problemsOf({ flags: { configuration: 'a.conf' }, files })).toHaveLength(1);
});

test('TLS is not half configured', () => {
  const secure = { 'server.endpoint': 'ssl://127.0.0.1:0' };
  expect(problemsOf({ flags: secure })).toEqual([expect.stringMatching(/^ssl\.keyfile: needed/)]);
  expect(problemsOf({ flags: { 'ssl.cafile': 'ca.pem' } })).toEqual([
    expect.stringMatching(/^server\.endpoint: .*ssl:\/\//),
  ]);
});
