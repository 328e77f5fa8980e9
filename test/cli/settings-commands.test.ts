import { describe, expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { openLeaderServer } from '../support/leader-server.ts';
import { command, type Script, startScriptedServer } from '../support/scripted-server.ts';

/** Answers every replication command with its own name. */
const ECHO: Script = Object.fromEntries(
  [
    ...['PUT logger-start', 'PUT logger-stop', 'GET logger-state', 'GET logger-config'],
    ...['PUT logger-config', 'PUT applier-start', 'PUT applier-stop', 'GET applier-state'],
    ...['DELETE applier-state', 'PUT applier-config', 'DELETE logger-state'],
  ].map((each) => {
    const [method = '', name = ''] = each.split(' ');
    return [`${method} ${command(name)}`, () => ({ body: { did: each } })];
  }),
);

async function run(argv: readonly string[], script: Script = ECHO) {
  await using server = await startScriptedServer(script);
  const result = await runCli([...argv, '--server.endpoint', server.endpoint]);
  const requests = server.requests.map(({ method, path, query, body }) => {
    return { what: `${method} ${path.replace(command(''), '')}`, query: query.toString(), body };
  });
  return { ...result, requests };
}

test.each([
  ['logger start', 'PUT logger-start'],
  ['logger state', 'GET logger-state'],
  ['logger config', 'GET logger-config'],
  ['applier start', 'PUT applier-start'],
  ['applier stop', 'PUT applier-stop'],
  ['applier state', 'GET applier-state'],
  ['applier forget', 'DELETE applier-state'],
])('%s is one %s, whose answer -o json prints as it is', async (verb, what) => {
  const { code, stdout, stderr, requests } = await run([...verb.split(' '), '-o', 'json']);
  expect(code).toBe(0);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ did: what });
  expect(requests).toEqual([{ what, query: '', body: '' }]);
});

test('logger forget names the client', async () => {
  const { code, stdout, requests } = await run(['logger', 'forget', '23', '-o', 'json']);
  expect([code, JSON.parse(stdout)]).toEqual([0, { did: 'DELETE logger-state' }]);
  expect(requests).toEqual([{ what: 'DELETE logger-state', query: 'client=23', body: '' }]);
  expect(await run(['logger', 'forget'])).toMatchObject({ code: 2, requests: [] });
});

test('logger forget of a client that is not known says which are', async () => {
  await using server = await openLeaderServer();
  const endpoint = `tcp://127.0.0.1:${server.port}`;
  expect(await runCli(['logger', 'forget', '99', '--server.endpoint', endpoint])).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^ticklog: no client '99' has asked for this log.* \(error 404\)\n.*ticklog logger state lists/,
    ) as string,
  });
});

/** What a verb prints for people when it is answered so. */
async function printed(argv: readonly string[], what: string, body: object): Promise<string> {
  const [method = '', name = ''] = what.split(' ');
  const { code, stdout, stderr, requests } = await run(argv, {
    [`${method} ${command(name)}`]: () => ({ body }),
  });
  expect({ code, stderr, requests: requests.length }).toEqual({ code: 0, stderr: '', requests: 1 });
  return stdout;
}

test.each([
  [true, 'the logger runs: changes are logged\n'],
  [false, 'the logger is STOPPED: changes are not logged\n'],
])('logger start and stop say in words whether it runs: %s', async (running, words) => {
  expect(await printed(['logger', 'start'], 'PUT logger-start', { running })).toBe(words);
  const { stdout } = await run(['logger', 'stop'], stopping({ running }, []));
  expect(stdout).toBe(words);
});

/** A leader with these clients, and what it answers to `logger-stop`. */
function stopping(stopped: object, clients: readonly object[], running = true): Script {
  return {
    [`GET ${command('logger-state')}`]: () => ({ body: { state: { running }, clients } }),
    [`PUT ${command('logger-stop')}`]: () => ({ body: stopped }),
  };
}

describe('logger stop', () => {
  const followers = [{ serverId: '23' }, { serverId: '24' }];
  const script = stopping({ running: false }, [...followers, { serverId: '25', lost: true }]);
  const asked = ['GET logger-state'];
  const done = ['GET logger-state', 'PUT logger-stop'];

  test('tells how many follow, and does nothing where nobody can be asked', async () => {
    const { code, stderr, requests } = await run(['logger', 'stop'], script);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^ticklog: 2 clients follow the log of database _system of tcp:.* --yes/,
    );
    expect(requests.map(({ what }) => what)).toEqual(asked);
  });

  test.each([
    ['y', 0, done],
    ['n', 1, asked],
  ])('asks, and is answered %s', async (answer, code, whats) => {
    await using server = await startScriptedServer(script);
    const questions: string[] = [];
    const argv = ['logger', 'stop', '--server.endpoint', server.endpoint];
    const result = await runCli(argv, {
      answer: (question) => {
        questions.push(question);
        return answer;
      },
    });
    expect(result.code).toBe(code);
    expect(questions).toEqual([expect.stringMatching(/^2 clients follow .* Go on\? \[y\/N\] $/)]);
    const paths = server.requests.map(({ method, path }) => `${method} ${path}`);
    expect(paths).toEqual(whats.map((each) => each.replace(' ', ` ${command('')}`)));
  });

  test.each([
    ['--yes', script, ['--yes']],
    ['nobody who follows', stopping({}, [{ serverId: '25', lost: true }]), []],
    ['a logger that is stopped', stopping({}, followers, false), []],
  ])('asks nothing with %s', async (_what, own, flags) => {
    const { code, requests } = await run(['logger', 'stop', ...flags], own);
    expect(code).toBe(0);
    expect(requests.map(({ what }) => what)).toEqual(done);
  });
});

test('logger state is the part of the status screen about the log, without rates', async () => {
  const state = {
    ...{ running: true, lastLogTick: '1700', firstTick: '1000', holeAt: '900', totalEvents: 44 },
    ...{ heldEvents: 30, heldBytes: 2048 },
  };
  const clients = [{ serverId: '23', lastServedTick: '1690', from: '5', time: 'T1' }];
  expect(await printed(['logger', 'state'], 'GET logger-state', { state, clients })).toBe(`\
Log      running; ticks 1000 to 1700, 30 events, 2.00 KiB
         followers whose position is below tick 900 must copy anew
Clients  SERVER ID  TICK    BEHIND  LOG KEPT  LAST SEEN
         23         1690  10 ticks         -  T1
Errors   none
`);
});

describe.each([
  [['applier', 'start'], 'PUT applier-start'],
  [['applier', 'stop'], 'PUT applier-stop'],
  [['applier', 'state'], 'GET applier-state'],
  [['applier', 'forget'], 'DELETE applier-state'],
])('%j prints the part of the status screen about following', (argv, what) => {
  test('with the leader, the position and what is wrong', async () => {
    const state = {
      ...{ running: false, phase: 'failed', since: 'T0', ticksBehind: null },
      ...{ lastAppliedContinuousTick: '700', lastAvailableContinuousTick: '800' },
      whyStopped: { errorNum: 1414, errorMessage: 'the place is gone' },
      lastError: { errorNum: 1414, errorMessage: 'the place is gone', time: 'T0' },
    };
    const answer = { state, endpoint: 'tcp://10.1.2.3:8529', database: 'shop' };
    const screen = await printed(argv, what, answer);
    expect(screen).toMatch(/^Leader {3}tcp:\/\/10\.1\.2\.3:8529, database shop\n/);
    expect(screen).toContain('\nApplier  STOPPED by an error since T0');
    expect(screen).toContain("applied up to tick 700; the leader's log was at 800 when");
    expect(screen).toContain('\nErrors   stopped: the place is gone (error 1414, T0)\n');
    expect(screen).toContain('\n           what to do: ');
  });

  test('without a leader', async () => {
    const state = { running: false, phase: 'stopped', lastError: { errorNum: 0 } };
    expect(await printed(argv, what, { state })).toBe(
      'Applier  not set up: follows nobody\nErrors   none\n',
    );
  });
});

test('config prints each setting as --set takes it', async () => {
  const config = { endpoint: 'tcp://a:1', chunkSize: 0, autoStart: true, username: '' };
  const lists = { restrictCollections: ['a', 'b'] };
  expect(await printed(['applier', 'config'], 'GET applier-config', { ...config, ...lists }))
    .toBe(`\
SETTING              VALUE
endpoint             tcp://a:1
chunkSize            0
autoStart            true
username
restrictCollections  a,b
`);
  expect(await printed(['logger', 'config'], 'GET logger-config', { maxEvents: 5000 })).toBe(
    'SETTING    VALUE\nmaxEvents  5000\n',
  );
});

test('applier start --from hands over a tick beyond 2^53 unchanged', async () => {
  const { requests } = await run(['applier', 'start', '--from', '9223372036854775807']);
  expect(requests).toEqual([
    { what: 'PUT applier-start', query: 'from=9223372036854775807', body: '' },
  ]);
});

test('logger config --set sends each setting in its type', async () => {
  const { code, requests } = await run([
    ...['logger', 'config', '--set', 'maxEvents=5000', '--set', 'logRemoteChanges=true'],
  ]);
  expect(code).toBe(0);
  expect(requests).toEqual([
    { what: 'PUT logger-config', query: '', body: '{"maxEvents":5000,"logRemoteChanges":true}' },
  ]);
});

describe('applier config --set', () => {
  const withDatabase: Script = {
    ...ECHO,
    [`GET ${command('applier-config')}`]: () => ({ body: { database: 'shop' } }),
  };

  test('keeps the leader’s database, which a change without it would reset', async () => {
    const { requests } = await run(['applier', 'config', '--set', 'autoStart=true'], withDatabase);
    expect(requests.at(-1)).toMatchObject({
      what: 'PUT applier-config',
      body: '{"database":"shop","autoStart":true}',
    });
  });

  test('takes texts as they are and parts lists by commas', async () => {
    const { requests } = await run(
      [
        ...['applier', 'config', '--set', 'password=1=2,3', '--set', 'database=other'],
        ...['--set', 'restrictType=include', '--set', 'restrictCollections=a,b'],
        ...['--set', 'idleMaxWaitTime=2.5', '--set', 'username='],
      ],
      withDatabase,
    );
    expect(JSON.parse(requests.at(-1)?.body ?? '')).toEqual({
      database: 'other',
      password: '1=2,3',
      restrictType: 'include',
      restrictCollections: ['a', 'b'],
      idleMaxWaitTime: 2.5,
      username: '',
    });
  });

  test('tells of every setting it can not use, and changes nothing', async () => {
    const { code, stderr, requests } = await run([
      ...['applier', 'config', '--set', 'autostart=true', '--set', 'chunkSize=big'],
      ...['--set', 'verbose=1', '--set', 'endpoint', '--set', 'constructor=x'],
    ]);
    expect(code).toBe(2);
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/--set autostart: there is no setting autostart; .* autoStart,/);
    expect(lines[1]).toContain('expected chunkSize=NUMBER');
    expect(lines[2]).toContain('expected verbose=true or verbose=false');
    expect(lines[3]).toContain('expected endpoint=TEXT');
    expect(lines[4]).toContain('there is no setting constructor');
    expect(requests).toEqual([]);
  });
});
