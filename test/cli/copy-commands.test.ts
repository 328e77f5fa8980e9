import { describe, expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import {
  command,
  refusal,
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

const LEADER = 'tcp://10.1.2.3:8529';
const COPIED = {
  collections: [
    { id: '88', name: 'orders' },
    { id: '1234', name: 'links' },
  ],
  lastLogTick: '9223372036854775807',
};
const SYNC: Script = { [`PUT ${command('sync')}`]: () => ({ body: COPIED }) };

function bodyOf(server: ScriptedServer, name: string): unknown {
  const request = server.requests.find(({ path }) => path === command(name));
  return request && JSON.parse(request.body);
}

describe('sync', () => {
  test('has the server copy everything and prints what was copied', async () => {
    await using server = await startScriptedServer(SYNC);
    const result = await runCli(['sync', LEADER, '--yes', '--server.endpoint', server.endpoint]);
    expect(result).toEqual({
      code: 0,
      stderr: '',
      stdout:
        '  88  orders\n1234  links\n' +
        `copied 2 collections from ${LEADER}, database _system\n` +
        'lastLogTick 9223372036854775807\n',
    });
    expect(bodyOf(server, 'sync')).toEqual({
      endpoint: LEADER,
      database: '_system',
      username: '',
      password: '',
    });
  });

  test('hands over database, user and restriction', async () => {
    await using server = await startScriptedServer(SYNC);
    await runCli([
      ...[
        'sync',
        LEADER,
        '--yes',
        '--server.endpoint',
        server.endpoint,
        '--leader.database',
        'shop',
      ],
      ...['--leader.username', 'ann', '--leader.password', 'secret', '--restrict-type', 'exclude'],
      ...['--collection', 'a', '--collection', 'b', '--include-system-collections', 'false'],
    ]);
    expect(bodyOf(server, 'sync')).toEqual({
      endpoint: LEADER,
      database: 'shop',
      username: 'ann',
      password: 'secret',
      restrictType: 'exclude',
      restrictCollections: ['a', 'b'],
      includeSystem: false,
    });
  });

  test('naming collections without more means only these, and which are missing is said', async () => {
    await using server = await startScriptedServer(SYNC);
    const { code, stderr } = await runCli([
      ...['sync', LEADER, '--yes', '--server.endpoint', server.endpoint],
      ...['--collection', 'a', '--collection', 'orders', '--collection', 'b'],
    ]);
    expect(code).toBe(0);
    expect(stderr).toBe(`ticklog: not copied, as not found on ${LEADER}: a, b\n`);
    expect(bodyOf(server, 'sync')).toMatchObject({
      restrictType: 'include',
      restrictCollections: ['a', 'orders', 'b'],
    });
  });

  test('the leader’s database is by default the one that is copied to', async () => {
    await using server = await startScriptedServer({
      'PUT /_db/shop/_api/replication/sync': () => ({ body: COPIED }),
    });
    const { stdout } = await runCli([
      ...[
        'sync',
        LEADER,
        '--yes',
        '--server.endpoint',
        server.endpoint,
        '--server.database',
        'shop',
      ],
    ]);
    expect(stdout).toContain('database shop');
  });

  test('a copy may take longer than the request timeout', async () => {
    await using server = await startScriptedServer({
      [`PUT ${command('sync')}`]: async () => {
        await new Promise((resolve) => setTimeout(resolve, 600));
        return { body: COPIED };
      },
    });
    const { code } = await runCli([
      ...[
        'sync',
        LEADER,
        '--yes',
        '--server.endpoint',
        server.endpoint,
        '--server.request-timeout',
        '0.1',
      ],
    ]);
    expect(code).toBe(0);
  });

  test('a copy that fails ends with 1 and the server’s words', async () => {
    await using server = await startScriptedServer({
      [`PUT ${command('sync')}`]: () => refusal(500, 1400, 'could not connect to master'),
    });
    const result = await runCli(['sync', LEADER, '--yes', '--server.endpoint', server.endpoint]);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain('could not connect to master (error 1400)');
  });
});

describe('make-follower', () => {
  const running = (available: string | null) => ({
    state: { running: true, lastAvailableContinuousTick: available, lastError: { errorNum: 0 } },
  });
  const stopped = {
    state: { running: false, lastError: { errorNum: 1404, errorMessage: 'master change' } },
  };
  /** An applier that runs after `applier-start` only, or, with `follows`, from the beginning. */
  const applier = (follows = false): Script => {
    let runs = follows;
    return {
      ...SYNC,
      [`PUT ${command('applier-config')}`]: () =>
        runs ? refusal(400, 1411, 'applier is running') : { body: {} },
      [`PUT ${command('applier-start')}`]: () => {
        runs = true;
        return { body: running(null) };
      },
      [`PUT ${command('applier-stop')}`]: () => {
        runs = false;
        return { body: stopped };
      },
      [`GET ${command('applier-state')}`]: () => ({
        body: runs ? running('9223372036854775807') : stopped,
      }),
    };
  };
  const configs = (server: ScriptedServer): unknown[] =>
    server.requests
      .filter(({ path }) => path === command('applier-config'))
      .map(({ body }) => JSON.parse(body) as unknown);
  const make = (server: ScriptedServer, ...more: readonly string[]) =>
    runCli(['make-follower', LEADER, '--yes', '--server.endpoint', server.endpoint, ...more]);

  test('is one request to a server that can do it, and says what was copied', async () => {
    await using server = await startScriptedServer({
      ...applier(true),
      [`PUT ${command('make-follower')}`]: () => ({
        body: { ...running('5'), copied: { ...COPIED, leaderWasStopped: true } },
      }),
    });
    const { code, stdout, stderr } = await make(
      server,
      '--collection',
      'orders',
      '--collection',
      'b',
    );
    expect(code).toBe(0);
    expect(stderr).toContain('the logger of the leader does not run');
    expect(stderr).toContain(`not copied, as not found on ${LEADER}: b`);
    expect(stdout.split('\n')).toEqual([
      `${server.endpoint}: copied 2 collections, up to tick 9223372036854775807`,
      `${server.endpoint}: follows ${LEADER}, database _system, from tick 9223372036854775807 on`,
      '',
    ]);
    expect(server.requests.map(({ path }) => path)).toEqual([
      command('check-leader'),
      command('make-follower'),
    ]);
    expect(bodyOf(server, 'make-follower')).toEqual({
      endpoint: LEADER,
      database: '_system',
      username: '',
      password: '',
      restrictType: 'include',
      restrictCollections: ['orders', 'b'],
    });
  });

  test('is one request, under its older name, to a server of 2.7 to 3.7', async () => {
    await using server = await startScriptedServer({
      ...applier(true),
      [`PUT ${command('make-follower')}`]: () =>
        refusal(400, 400, "invalid command 'make-follower'"),
      [`PUT ${command('make-slave')}`]: () => ({ body: running('5') }),
    });
    const { code, stdout, stderr } = await make(server);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`${server.endpoint}: follows ${LEADER}, database _system\n`);
  });

  test('a refusal of it is the end, and not taken for a server that cannot do it', async () => {
    await using server = await startScriptedServer({
      ...applier(),
      [`PUT ${command('make-follower')}`]: () => refusal(500, 1400, 'could not connect to master'),
    });
    const { code, stderr } = await make(server);
    expect(code).toBe(1);
    expect(stderr).toContain('could not connect to master (error 1400)');
    expect(server.requests).toHaveLength(2);
  });

  test('otherwise sets up, copies, follows from where the copy ends, in this order, and says so', async () => {
    await using server = await startScriptedServer(applier());
    const { code, stdout, stderr } = await make(server, '--leader.database', 'shop');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      `${server.endpoint}: the applier is set up for ${LEADER}, database shop`,
      `${server.endpoint}: copied 2 collections, up to tick 9223372036854775807`,
      `${server.endpoint}: follows ${LEADER}, database shop, from tick 9223372036854775807 on`,
      '',
    ]);
    expect(server.requests.map(({ path }) => path.replace(command(''), ''))).toEqual([
      ...['check-leader', 'make-follower', 'make-slave', 'applier-state', 'applier-config'],
      ...['sync', 'applier-config', 'applier-start', 'applier-state'],
    ]);
    expect(server.requests[7]?.query.get('from')).toBe('9223372036854775807');
  });

  test('leaves nothing of earlier settings: user and restriction are reset', async () => {
    await using server = await startScriptedServer(applier());
    await make(server);
    expect(configs(server).at(-1)).toEqual({
      endpoint: LEADER,
      database: '_system',
      username: '',
      password: '',
      restrictType: '',
      restrictCollections: [],
      autoStart: true,
    });
  });

  test('copies and follows the same collections', async () => {
    await using server = await startScriptedServer(applier());
    await make(server, '--collection', 'a', '--include-system-collections', 'false');
    const restriction = {
      restrictType: 'include',
      restrictCollections: ['a'],
      includeSystem: false,
    };
    expect(bodyOf(server, 'applier-config')).toMatchObject(restriction);
    expect(bodyOf(server, 'sync')).toMatchObject(restriction);
  });

  test('an applier that stops at once is a failure, with its reason', async () => {
    await using server = await startScriptedServer({
      ...applier(),
      [`GET ${command('applier-state')}`]: () => ({ body: stopped }),
    });
    const { code, stderr } = await make(server);
    expect(code).toBe(1);
    expect(stderr).toMatch(/stopped again: master change\n$/);
  });

  test('an applier that follows is stopped first', async () => {
    await using server = await startScriptedServer(applier(true));
    const { code, stdout } = await make(server);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^tcp:[^ ]+: the applier is stopped\n/);
    expect(server.requests.map(({ path }) => path.replace(command(''), ''))).toEqual([
      ...['check-leader', 'make-follower', 'make-slave', 'applier-state', 'applier-stop'],
      ...['applier-config', 'sync', 'applier-config', 'applier-start', 'applier-state'],
    ]);
  });

  test('without a copy nothing is followed, not even after a restart of the server', async () => {
    await using server = await startScriptedServer({
      ...applier(),
      [`PUT ${command('sync')}`]: () => refusal(500, 1402, 'master error'),
    });
    const { code } = await make(server);
    expect(code).toBe(1);
    expect(server.requests.map(({ path }) => path)).not.toContain(command('applier-start'));
    expect(configs(server)).toEqual([expect.objectContaining({ autoStart: false })]);
  });
});
