import { describe, expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { command, type Script, startScriptedServer } from '../support/scripted-server.ts';

/** Answers every replication command with its own name. */
const ECHO: Script = Object.fromEntries(
  [
    ...['PUT logger-start', 'PUT logger-stop', 'GET logger-state', 'GET logger-config'],
    ...['PUT logger-config', 'PUT applier-start', 'PUT applier-stop', 'GET applier-state'],
    ...['DELETE applier-state', 'PUT applier-config'],
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
  ['logger stop', 'PUT logger-stop'],
  ['logger state', 'GET logger-state'],
  ['logger config', 'GET logger-config'],
  ['applier start', 'PUT applier-start'],
  ['applier stop', 'PUT applier-stop'],
  ['applier state', 'GET applier-state'],
  ['applier forget', 'DELETE applier-state'],
])('%s is one %s, whose answer is printed as JSON', async (verb, what) => {
  const { code, stdout, stderr, requests } = await run(verb.split(' '));
  expect(code).toBe(0);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ did: what });
  expect(requests).toEqual([{ what, query: '', body: '' }]);
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
