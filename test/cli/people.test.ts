import type { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addCheckCommand } from '../../src/cli/check.ts';
import { EXAMPLES } from '../../src/cli/examples.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { bytesText, durationText, exactCount, percentText, rateText } from '../../src/cli/units.ts';
import { openServer } from '../../src/open-server.ts';
import { CollectingStream, runCli } from '../support/cli-run.ts';
import { RunningServers, type StartedServer } from '../support/running-servers.ts';

describe('examples', () => {
  const stream = new CollectingStream();
  const io = {
    ...{ stdout: stream, stderr: stream, isTty: false, isErrTty: false },
    ...{ useColor: false, isJson: false },
  };
  const context = { io, signal: new AbortController().signal, done: () => undefined };

  /** The program with commands that do nothing but note their names. */
  function idleProgram(called: string[]): Command {
    const program = buildProgram(context, {
      addServe: (parent) =>
        void parent.command('serve').allowUnknownOption().allowExcessArguments(),
      addCheck: (parent, given) =>
        addCheckCommand(parent, given, () => Promise.reject(new Error('not to be called'))),
      version: '1',
    });
    const visit = (parent: Command, words: string): void => {
      for (const command of parent.commands) {
        const name = `${words} ${command.name()}`.trim();
        if (command.commands.length > 0) visit(command, name);
        else command.action(() => void called.push(name));
      }
    };
    visit(program, '');
    return program;
  }

  function names(parent: Command, words = ''): string[] {
    return parent.commands.flatMap((command) => {
      const name = `${words} ${command.name()}`.trim();
      return [name, ...names(command, name)];
    });
  }

  test('there are some for each command, and no others', () => {
    const all = names(idleProgram([])).filter((name) => !name.startsWith('help'));
    expect(Object.keys(EXAMPLES).sort()).toEqual(all.sort());
  });

  test.each(Object.entries(EXAMPLES).flatMap(([name, list]) => list.map(([line]) => [line, name])))(
    'ticklog %s',
    async (line, name) => {
      const called: string[] = [];
      const argv = line
        .replace('ann.txt', '/dev/null')
        .split(' ')
        .map((word) => word.replaceAll("'", ''));
      await idleProgram(called).parseAsync(argv, { from: 'user' });
      expect(called).toHaveLength(1);
      expect(called[0]!.startsWith(name)).toBe(true);
    },
  );

  test.each(Object.keys(EXAMPLES).filter((name) => !['serve', 'check'].includes(name)))(
    'help of %s shows them',
    async (name) => {
      const { stdout } = await runCli([...name.split(' '), '--help']);
      expect(stdout).toContain('\nExamples:\n  # ');
      expect(stdout).toContain(`\n  ticklog ${name}`);
    },
  );
});

test('help tells the exit codes', async () => {
  const { stdout } = await runCli(['help']);
  for (const code of [0, 1, 2, 3, 4]) expect(stdout).toMatch(new RegExp(`^  ${code}  \\w`, 'm'));
});

test.each([
  [bytesText(0), '0 B'],
  [bytesText(1023), '1023 B'],
  [bytesText(1024), '1.00 KiB'],
  [bytesText(1024 * 1024 - 1), '1.00 MiB'],
  [bytesText(340 * 1024 * 1024), '340 MiB'],
  [rateText(0.5), '0.5/s'],
  [rateText(1250), '1.25 k/s'],
  [durationText(0.44), '0.4 s'],
  [durationText(59.6), '1 m'],
  [durationText(130), '2 m 10 s'],
  [durationText(3 * 3600 + 300), '3 h 5 m'],
  [durationText(2 * 86400 + 4 * 3600), '2 d 4 h'],
  [exactCount(1234567), '1,234,567'],
  [exactCount(12), '12'],
  [percentText(999, 1000), '99 %'],
  [percentText(1, 1), '100 %'],
])('%s is printed as %s', (printed, expected) => {
  expect(printed).toBe(expected);
});

describe('with servers', () => {
  let servers: RunningServers;
  let leader: StartedServer;
  let follower: StartedServer;

  beforeEach(async () => {
    servers = await RunningServers.open();
    leader = await servers.start('leader');
    follower = await servers.start('follower');
    await fill(leader, 'orders', 3);
  });

  afterEach(async () => {
    await servers[Symbol.asyncDispose]();
  });

  async function fill(server: StartedServer, name: string, count: number): Promise<void> {
    await server.send('POST', '/_api/collection', { name });
    for (let n = 0; n < count; n++) {
      await server.send('POST', `/_api/document?collection=${name}`, { _key: `k${n}`, n });
    }
  }

  const documentsOf = async (server: StartedServer, name: string): Promise<unknown> =>
    (await server.send('GET', `/_api/collection/${name}/count`))['count'];

  describe.each(['sync', 'make-follower'])('%s', (verb) => {
    const copy = (...flags: string[]) => [
      ...[verb, leader.endpoint, '--server.endpoint', follower.endpoint],
      ...flags,
    ];

    test('needs nobody’s leave where there is nothing to replace', async () => {
      expect(await runCli(copy())).toMatchObject({ code: 0, stderr: '' });
    });

    test('refuses to replace documents when there is nobody to ask', async () => {
      await fill(follower, 'orders', 7);
      const { code, stderr } = await runCli(copy());
      expect(code).toBe(2);
      expect(stderr).toContain('has 1 collection with 7 documents (orders)');
      expect(stderr).toContain('--yes');
      expect(await documentsOf(follower, 'orders')).toBe(7);
    });

    test.each([
      [
        'that cannot be reached',
        'tcp://127.0.0.1:1',
        /^ticklog: could not connect to leader .*1400\)/,
      ],
      ['that is this server', undefined, /^ticklog: got same server id .*1405\)/],
    ])('does not ask about a leader %s', async (_, endpoint, words) => {
      await fill(follower, 'orders', 7);
      const args = [verb, endpoint ?? follower.endpoint, '--server.endpoint', follower.endpoint];
      const questions: string[] = [];
      const answer = (question: string): undefined => void questions.push(question);
      for (const options of [{ answer }, {}]) {
        const { code, stderr } = await runCli(args, options);
        expect(code).toBe(1);
        expect(stderr).toMatch(words);
      }
      expect(questions).toEqual([]);
      expect(await documentsOf(follower, 'orders')).toBe(7);
    });

    test('asks at a terminal, and does nothing unless the answer is yes', async () => {
      await fill(follower, 'orders', 7);
      const questions: string[] = [];
      const say = (text: string | undefined) => ({
        answer: (question: string) => {
          questions.push(question);
          return text;
        },
      });
      for (const no of ['', 'n', 'maybe', undefined]) {
        expect(await runCli(copy(), say(no))).toMatchObject({ code: 1 });
      }
      expect(await documentsOf(follower, 'orders')).toBe(7);
      expect(await runCli(copy(), say('y'))).toMatchObject({ code: 0 });
      expect(await documentsOf(follower, 'orders')).toBe(3);
      expect(questions).toHaveLength(5);
      expect(questions[0]).toMatch(/Go on\? \[y\/N\] $/);
    });

    test('with --yes asks nobody; -o json is one value', async () => {
      await fill(follower, 'orders', 7);
      const { code, stdout } = await runCli(copy('--yes', '-o', 'json'));
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        leader: { endpoint: leader.endpoint, database: '_system' },
        collections: [{ name: 'orders' }],
      });
      expect(await documentsOf(follower, 'orders')).toBe(3);
    });

    test('what is not meant is not asked about', async () => {
      await fill(follower, 'own', 7);
      expect(await runCli(copy('--collection', 'orders'))).toMatchObject({ code: 0 });
    });
  });

  test('inventory: collections with documents, sizes and indexes', async () => {
    await leader.send('POST', '/_api/index?collection=orders', {
      ...{ type: 'hash', unique: true, fields: ['n'] },
    });
    const at = ['--server.endpoint', leader.endpoint];
    const { code, stdout } = await runCli(['inventory', ...at]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^COLLECTION +TYPE +DOCUMENTS +SIZE +INDEXES\n/);
    expect(stdout).toMatch(/^orders +document +3 +\d+ B +hash\(n\) unique$/m);
    expect(stdout).toMatch(/^1 collection +3 +\d+ B$/m);
    const json = await runCli(['inventory', '-o', 'json', ...at]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      database: '_system',
      collections: [{ name: 'orders', type: 'document', documents: 3 }],
    });
    const missing = await runCli(['inventory', '--collection', 'nope', ...at]);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain('no collection nope');
  });

  test('follow --pretty: inserts, updates and removals told apart', async () => {
    await leader.send('PATCH', '/_api/document/orders/k1', { n: 12 });
    await leader.send('DELETE', '/_api/document/orders/k2');
    const at = ['--server.endpoint', leader.endpoint];
    const { stdout } = await runCli(['follow', '--pretty', ...at]);
    expect(stdout).toMatch(/^ *\d+ {2}create +orders$/m);
    expect(stdout).toMatch(/^ *\d+ {2}insert +orders\/k1 {2}\{"n":1\}$/m);
    expect(stdout).toMatch(/^ *\d+ {2}update +orders\/k1 {2}\{"n":12\}$/m);
    expect(stdout).toMatch(/^ *\d+ {2}remove +orders\/k2$/m);
    const lines = (await runCli(['follow', ...at])).stdout.split('\n');
    expect(stdout.split('\n')).toHaveLength(lines.length);
    expect(await runCli(['follow', '--pretty', '-o', 'json', ...at])).toMatchObject({ code: 2 });
  });

  test('a database is dropped when somebody says so; a name that is taken is named', async () => {
    const at = ['--server.endpoint', leader.endpoint];
    await runCli(['database', 'create', 'shop', ...at]);
    const twice = await runCli(['database', 'create', 'shop', ...at]);
    expect(twice).toMatchObject({ code: 1, stdout: '' });
    expect(twice.stderr).toContain("there is a database 'shop' already (error 1207)");
    expect(await runCli(['database', 'drop', 'shop', ...at])).toMatchObject({ code: 2 });
    const listed = await runCli(['database', 'list', '-o', 'json', ...at]);
    expect(JSON.parse(listed.stdout)).toEqual({ databases: ['_system', 'shop'] });
    const dropped = await runCli(['database', 'drop', 'shop', ...at], { answer: () => 'yes' });
    expect(dropped).toMatchObject({ code: 0 });
    expect((await runCli(['database', 'list', ...at])).stdout).toBe('_system\n');
  });
});

test('users: created, granted, listed, removed; passwords are asked for, unseen, when they are needed', async () => {
  await using server = await openServer({ authentication: true, rootPassword: 'of root' });
  const at = ['--server.endpoint', server.url, '--server.username', 'root'];
  const asked: string[] = [];
  const answer = (question: string, isHidden: boolean): string => {
    expect(isHidden).toBe(true);
    asked.push(question);
    return question.includes('root') ? 'of root' : 'of ann';
  };
  const run = async (...argv: string[]) => runCli([...argv, ...at], { answer });
  await run('database', 'create', 'shop');
  asked.length = 0;
  const created = await run('user', 'create', 'ann', '--grant', 'shop=rw');
  expect(created).toMatchObject({ code: 0, stderr: '' });
  expect(asked).toEqual([
    ...['Password of root on the server: ', 'New password of ann: ', 'Once more: '],
  ]);
  expect(await run('user', 'grant', 'ann', '*', 'ro')).toMatchObject({ code: 0 });
  expect(await run('user', 'grant', 'ann', '*', 'all')).toMatchObject({ code: 2 });
  const listed = await run('user', 'list');
  expect(listed.stdout).toMatch(/^ann +yes +shop=rw \*=ro$/m);
  const own = ['--server.endpoint', server.url, '--server.username', 'ann'];
  const inShop = ['inventory', '--server.database', 'shop', ...own];
  expect(await runCli(inShop, { answer })).toMatchObject({ code: 0 });
  // Nobody to ask: no password.
  expect(await runCli(inShop)).toMatchObject({ code: 1 });
  expect(await run('user', 'password', 'ann', '--password', 'other')).toMatchObject({ code: 0 });
  expect(await runCli(inShop, { answer })).toMatchObject({ code: 1 });
  expect(await run('user', 'remove', 'ann')).toMatchObject({ code: 0 });
  const json = await run('user', 'list', '-o', 'json');
  expect(JSON.parse(json.stdout)).toMatchObject({ users: [{ name: 'root' }] });
  const nobody = await runCli(['user', 'create', 'bob', ...at]);
  expect(nobody).toMatchObject({ code: 2 });
});

test('promote and verify --all-databases: one after another, one result', async () => {
  await using servers = await RunningServers.open();
  const a = await servers.start('a');
  const b = await servers.start('b');
  for (const { endpoint } of [a, b]) {
    await runCli(['database', 'create', 'shop', '--server.endpoint', endpoint]);
  }
  await a.send('POST', '/_db/shop/_api/collection', { name: 'goods' });
  const verify = ['verify', a.endpoint, b.endpoint, '--all-databases'];
  const { code, stdout } = await runCli([...verify, '-o', 'json']);
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({
    databases: [
      { database: '_system', equal: true, collections: [] },
      { database: 'shop', equal: false, collections: [{ name: 'goods', equal: false }] },
    ],
  });
  const text = await runCli(verify);
  expect(text.stdout).toMatch(/^database _system:\n[^]*^database shop:\n[^]*goods: DIFFERENT/m);
  const made = ['make-follower', a.endpoint, '--server.endpoint', b.endpoint];
  for (const name of ['_system', 'shop']) {
    expect(await runCli([...made, '--server.database', name])).toMatchObject({ code: 0 });
  }
  const promoted = await runCli([
    ...['promote', '--all-databases', '-o', 'json', '--server.endpoint', b.endpoint],
  ]);
  expect(JSON.parse(promoted.stdout)).toMatchObject({
    databases: [
      { database: '_system', running: true },
      { database: 'shop', running: true },
    ],
  });
  expect(await b.send('GET', '/_db/shop/_api/replication/applier-state')).not.toHaveProperty(
    'endpoint',
  );
});
