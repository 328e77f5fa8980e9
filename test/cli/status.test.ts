import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { command, refusal, type Script, startScriptedServer } from '../support/scripted-server.ts';

interface Scene {
  readonly logger?: object;
  readonly clients?: readonly object[];
  readonly applier?: object;
  readonly applierConfig?: object;
  readonly version?: object;
  readonly counts?: Readonly<Record<string, number>>;
  /** Events that are logged between two looks. */
  readonly written?: number;
}

function scriptOf(scene: Scene): Script {
  const { logger, clients = [], applier = {}, applierConfig = {}, counts = {} } = scene;
  const { version = { server: 'arango', version: '1.4.3' } } = scene;
  const names = Object.keys(counts);
  let totalEvents = 44;
  return {
    [`GET ${command('logger-state')}`]: () => ({
      body: {
        state: {
          running: true,
          lastLogTick: '9223372036854775800',
          totalEvents: (totalEvents += scene.written ?? 0),
          firstTick: '1000',
          holeAt: '0',
          ...logger,
        },
        server: { version: '1.4.3', serverId: '41200000000017' },
        clients,
      },
    }),
    [`GET ${command('applier-state')}`]: () => ({
      body: { state: { running: false, lastError: { errorNum: 0 } }, ...applier },
    }),
    [`GET ${command('applier-config')}`]: () => ({ body: applierConfig }),
    'GET /_db/_system/_api/version': ({ query }) => {
      expect(query.get('details')).toBe('true');
      return { body: version };
    },
    'GET /_db/_system/_admin/statistics': () => ({ body: { server: { uptime: 7800 } } }),
    'GET /_db/_system/_api/collection': ({ query }) => {
      expect(query.get('excludeSystem')).toBe('true');
      const collections = names.map((name, i) => ({ name, type: i % 2 === 0 ? 2 : 3 }));
      return { body: { collections, result: collections } };
    },
    ...Object.fromEntries(
      names.map((name) => [
        `GET /_db/_system/_api/collection/${name}/count`,
        () => ({ body: { count: counts[name] } }),
      ]),
    ),
  };
}

async function status(scene: Scene): Promise<string> {
  await using server = await startScriptedServer(scriptOf(scene));
  const { code, stdout, stderr } = await runCli(['status', '--server.endpoint', server.endpoint]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.replace(server.endpoint, 'ENDPOINT');
}

test('a server on its own is one screen', async () => {
  const counts = { a: 1, b: 20, c: 300, d: 4000, e: 50_000, f: 600_000 };
  expect(await status({ counts })).toBe(`\
Server   ENDPOINT, database _system
         version 1.4.3, server id 41200000000017, up 2 h 10 m
Role     on its own: follows nobody, followed by nobody
Data     6 collections (3 of edges), 654,321 documents
Log      running; ticks 1000 to 9223372036854775800
         nothing is being written at the moment
Clients  none
Applier  not set up: follows nobody
Errors   none
`);
});

test('a leader shows where its clients are', async () => {
  const text = await status({
    clients: [
      { serverId: '23', lastServedTick: '9223372036854775793', from: '5', time: 'T1' },
      {
        serverId: '24',
        lastServedTick: '0',
        from: '9223372036854775800',
        time: 'T2',
        retainedBytes: 1536,
        lost: true,
      },
    ],
  });
  expect(text).toContain('Role     leader of 2 clients\n');
  expect(text).toContain(
    'Clients  SERVER ID                 TICK      BEHIND  LOG KEPT  LAST SEEN\n' +
      '         23         9223372036854775793     7 ticks         -  T1\n' +
      '         24         9223372036854775800  up to date  1.50 KiB  T2  HAS LOST ITS PLACE, must copy anew\n',
  );
});

test('many clients do not fill more than the screen', async () => {
  const clients = Array.from({ length: 40 }, (_, i) => ({ serverId: `${i}`, from: '1' }));
  const text = await status({ clients });
  expect(text).toContain('and 32 more\n');
  expect(text.split('\n').length).toBeLessThan(25);
});

test('a follower shows leader, position and lag in ticks and seconds', async () => {
  const text = await status({
    applier: {
      state: {
        running: true,
        phase: 'tailing',
        since: 'T0',
        lastAppliedContinuousTick: '9223372036854775700',
        lastAvailableContinuousTick: '9223372036854775800',
        secondsBehind: 1.25,
        progress: { message: 'fetching leader log from offset 7' },
        lastError: { errorNum: 0 },
      },
      endpoint: 'tcp://10.1.2.3:8529',
      database: 'shop',
    },
  });
  expect(text).toContain('Role     follower of tcp://10.1.2.3:8529, database shop\n');
  expect(text).toMatch(/^Applier {2}follows the leader since T0 /m);
  expect(text).toMatch(/of 9223372036854775800: 100 ticks, 1\.3 s behind\n/);
  expect(text).toContain('Errors   none\n');
});

test('the program has a version of its own, where the server tells', async () => {
  const version = { server: 'arango', version: '1.4.3', details: { ticklog: '0.1.0' } };
  expect(await status({ version })).toContain(
    ' ticklog 0.1.0 (speaks 1.4.3), server id 41200000000017, up ',
  );
});

const CAUGHT_UP = {
  lastAppliedContinuousTick: '800',
  lastAvailableContinuousTick: '800',
  lastError: { errorNum: 0 },
};

test('only an applier that hears its leader is up to date', async () => {
  const endpoint = 'tcp://10.1.2.3:8529';
  const screen = (state: object) =>
    status({ applier: { endpoint, state: { ...CAUGHT_UP, ...state } } });
  const position = 'applied up to tick 800';
  expect(await screen({ running: true, phase: 'tailing', since: 'T0', ticksBehind: 0 })).toContain(
    `${position} of 800: up to date\n`,
  );
  // As other servers answer.
  expect(await screen({ running: true })).toContain(`${position} of 800: up to date\n`);
  expect(await screen({ running: true, progress: { failedConnects: 2 } })).toContain(
    `${position}; the leader's log was at 800 before 2 attempts to reach it failed\n`,
  );
  const stopped = await screen({ running: false, phase: 'stopped', since: 'T0' });
  expect(stopped).toContain(`${position}; the leader's log was at 800 when the applier stopped\n`);
  const lost = await screen({ running: true, phase: 'backoff', since: 'T0', ticksBehind: null });
  expect(lost).toMatch(/^Applier {2}WAITS, the leader can not be reached since T0 /m);
  expect(lost).toContain(`${position}; the leader's log was at 800 when it answered last\n`);
  const silent = await screen({ running: true, phase: 'tailing', since: 'T0', ticksBehind: null });
  expect(silent).toContain(`${position}; the leader's log was at 800 when it answered last\n`);
});

test.each([
  [{ restrictType: 'include', restrictCollections: ['a', 'b'] }, 'only collections a, b'],
  [{ restrictType: 'exclude', restrictCollections: ['a', 'b'] }, 'without a, b'],
  [{ restrictType: '', restrictCollections: [], includeSystem: false }, 'no system collections'],
  [{ restrictType: '', restrictCollections: [], includeSystem: true }, ''],
])('a follower shows what it is restricted to: %j', async (applierConfig, words) => {
  const applier = { endpoint: 'tcp://10.1.2.3:8529', state: { ...CAUGHT_UP, running: true } };
  const shown = await status({ applier, applierConfig });
  if (words === '') expect(shown).not.toMatch(/only|without|system coll/);
  else expect(shown).toContain(`         ${words}\n`);
});

test('a follower that has stopped says why, in words, and what to do', async () => {
  const text = await status({
    applier: {
      state: {
        running: false,
        lastAppliedContinuousTick: null,
        lastError: { errorNum: 1414, errorMessage: 'start tick not present', time: 'T3' },
      },
      endpoint: 'tcp://10.1.2.3:8529',
    },
  });
  expect(text).toContain('Applier  STOPPED\n');
  expect(text).toContain('nothing applied yet\n');
  expect(text).toContain('Errors   last error: start tick not present (error 1414, T3)\n');
  expect(text).toContain('what to do: Sync anew.');
});

test('a sync that somebody asked for is shown, with or without a leader to follow', async () => {
  const state = {
    running: false,
    phase: 'syncing',
    since: 'T0',
    progress: { message: 'sync: fetching (1 of 3 collections done, 7 documents copied)' },
    lastError: { errorNum: 0 },
  };
  const lines =
    'a sync is under way since T0: sync: fetching (1 of 3 collections done, 7 documents copied)\n';
  expect(await status({ applier: { state } })).toContain(
    `Applier  not set up: follows nobody\n         ${lines}`,
  );
  const text = await status({ applier: { state, endpoint: 'tcp://10.1.2.3:8529' } });
  expect(text).toContain('Applier  not running during a sync since T0');
  expect(text).toContain(`         ${lines}`);
  expect(text).not.toContain('STOPPED');
});

test.each([
  ['whyStopped', false, 'stopped: no response (error 1400, T3)\n'],
  ['whyWaiting', true, 'waiting: no response (error 1400, T3)\n'],
])('%s comes before the last error', async (member, running, words) => {
  const text = await status({
    applier: {
      state: {
        running,
        [member]: { errorNum: 1400, errorMessage: 'no response' },
        lastError: { errorNum: 1400, errorMessage: 'no response', time: 'T3' },
      },
      endpoint: 'tcp://10.1.2.3:8529',
    },
  });
  expect(text).toContain(`Errors   ${words}`);
  expect(text).toContain('         because: no response\n');
  expect(text).not.toContain('last error');
});

test('the three errors before the one that is shown are told, too, and no stop', async () => {
  const stop = { errorNum: 1412, errorMessage: 'replication stopped', time: 'T9' };
  const tooLarge = { errorNum: 1201, errorMessage: 'too large', time: 'T9' };
  const lastErrors = ['T8', 'T6', 'T5', 'T4'].map((time, i) => ({
    ...{ time, errorNum: 1400, errorMessage: 'no response', count: 12 - i },
  }));
  const state = {
    running: false,
    whyStopped: tooLarge,
    lastErrors: [tooLarge, stop, ...lastErrors],
  };
  const text = await status({ applier: { state, endpoint: 'tcp://10.1.2.3:8529' } });
  expect(text).toContain('Errors   stopped: too large (error 1201)\n');
  expect(text).toContain('         earlier: no response, 12 times (error 1400, T8)\n');
  expect(text.match(/earlier: .* 1400, /g)).toHaveLength(3);
});

test('a logger that is stopped, and a log that lost its beginning, stand out', async () => {
  const text = await status({ logger: { running: false, firstTick: '0', holeAt: '77' } });
  expect(text).toContain('Log      STOPPED, changes are not logged; last tick 92233720368547');
  expect(text).toContain('followers whose position is below tick 77 must copy anew\n');
});

test('the list of collections may be of 3.x', async () => {
  const script = scriptOf({ counts: { a: 7 } });
  await using server = await startScriptedServer({
    ...script,
    'GET /_db/_system/_api/collection': () => ({ body: { result: [{ name: 'a', type: 2 }] } }),
  });
  const { stdout } = await runCli(['status', '--server.endpoint', server.endpoint]);
  expect(stdout).toContain('Data     1 collection (0 of edges), 7 documents\n');
});

test('labels are bold on a terminal only, and not with NO_COLOR', async () => {
  await using server = await startScriptedServer(scriptOf({}));
  const argv = ['status', '--server.endpoint', server.endpoint];
  expect((await runCli(argv, { isTty: true })).stdout).toContain('\x1b[1mRole');
  expect((await runCli(argv)).stdout).not.toContain('\x1b');
  expect((await runCli(argv, { isTty: true, useColor: false })).stdout).not.toContain('\x1b');
});

test('an unknown database is an error, not an empty screen', async () => {
  const refuse = () => refusal(404, 1228, 'database not found');
  await using server = await startScriptedServer({
    [`GET ${command('logger-state')}`]: refuse,
    [`GET ${command('applier-state')}`]: refuse,
    'GET /_db/_system/_api/collection': refuse,
  });
  expect(await runCli(['status', '--server.endpoint', server.endpoint])).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      new RegExp(`^ticklog: ${server.endpoint}: database not found \\(error 1228\\)\n`),
    ) as string,
  });
});

test('says that writes are refused, and what is damaged', async () => {
  const storage = {
    writesRefused: { errorNum: 1104, message: 'the disk is full' },
    damage: { count: 2, since: '2026-01-02T03:04:05Z', message: 'block 6a fails its checksum' },
  };
  const text = await status({ logger: { storage } });
  expect(text).toContain('Errors   WRITES ARE REFUSED: the disk is full (error 1104)\n');
  expect(text).toContain(
    'DAMAGED: met 2 times, last: block 6a fails its checksum (2026-01-02T03:04:05Z)',
  );
});

test('how long the log reaches back is measured', async () => {
  const text = await status({ logger: { heldEvents: 12_000, heldBytes: 3_500_000 }, written: 60 });
  expect(text).toContain(', 12,000 events, 3.34 MiB\n');
  const [, rate = '', reach = ''] =
    /^ {9}(\d+)\/s written: at this rate it reaches back (\d+) m/m.exec(text) ?? [];
  // 60 events in at least half a second.
  expect(Number(rate)).toBeGreaterThan(20);
  expect(Number(rate)).toBeLessThanOrEqual(120);
  expect(Number(reach)).toBeGreaterThanOrEqual(1);
});

const FOLLOWER = { endpoint: 'tcp://10.1.2.3:8529' };
const BEHIND = {
  ...{ running: true, phase: 'tailing', lastError: { errorNum: 0 } },
  ...{ lastAppliedContinuousTick: '700', lastAvailableContinuousTick: '800', ticksBehind: 100 },
};

test.each<[string, object, number, string]>([
  ['not further behind', { ...BEHIND, secondsBehind: 9.5 }, 0, ''],
  [
    'further behind',
    { ...BEHIND, secondsBehind: 130 },
    4,
    '2 m 10 s behind, --max-lag allows 10 s',
  ],
  ['up to date', { ...CAUGHT_UP, running: true, phase: 'tailing', ticksBehind: 0 }, 0, ''],
  ['stopped', { ...CAUGHT_UP, running: false, phase: 'stopped' }, 4, 'can not be known'],
  [
    'without its leader for long',
    { ...BEHIND, phase: 'backoff', since: '2026-01-01T00:00:00Z', ticksBehind: null },
    ...([4, ' behind, --max-lag'] as const),
  ],
])('--max-lag: a follower that is %s', async (_what, state, expected, words) => {
  await using server = await startScriptedServer(
    scriptOf({ applier: { ...FOLLOWER, state: { ...CAUGHT_UP, ...state } } }),
  );
  const argv = ['status', '--max-lag', '10', '--server.endpoint', server.endpoint];
  const { code, stderr } = await runCli(argv);
  expect(code).toBe(expected);
  if (words === '') expect(stderr).toBe('');
  else expect(stderr).toContain(words);
});

test('--max-lag: a server that follows nobody is never behind', async () => {
  await using server = await startScriptedServer(scriptOf({}));
  const argv = ['status', '--max-lag', '0', '--server.endpoint', server.endpoint];
  expect(await runCli(argv)).toMatchObject({ code: 0, stderr: '' });
});

test('-o json: all of it as one value, numbers as numbers', async () => {
  await using server = await startScriptedServer(
    scriptOf({ counts: { a: 7 }, applier: { ...FOLLOWER, state: BEHIND } }),
  );
  const { stdout } = await runCli(['status', '-o', 'json', '--server.endpoint', server.endpoint]);
  expect(JSON.parse(stdout)).toMatchObject({
    role: 'follower',
    data: { collections: 1, documents: 7 },
    log: { running: true, lastTick: '9223372036854775800', eventsPerSecond: 0 },
    applier: { leader: FOLLOWER.endpoint, appliedTick: '700', ticksBehind: 100 },
    problems: [],
  });
});

test('a sync shows how far it has come', async () => {
  const sync = {
    ...{ phase: 'copying', collectionsDone: 1, collectionsExpected: 4 },
    ...{ documentsDone: 1000, documentsExpected: 5000, bytesDone: 1 << 20, bytesExpected: 4 << 20 },
    ...{ documentsPerSecond: 1234.5, bytesPerSecond: 123_456, secondsLeft: 130 },
    collections: [{ name: 'c', status: 'copying', documentsDone: 500, bytesDone: 5 }],
  };
  const state = { ...CAUGHT_UP, running: false, phase: 'syncing', sync };
  expect(await status({ applier: { state } })).toContain(
    '         a sync is under way: copying (25 %): 2 m 10 s left, 121 KiB/s, 1.23 k/s, 1 of 4 ' +
      'collections, 1.00 k of 5.00 k documents, 1.00 MiB of 4.00 MiB; in work: c\n',
  );
});

test('--watch shows it again and again until interrupted, and outlives a server', async () => {
  const server = await startScriptedServer(scriptOf({}));
  const ending = new AbortController();
  const chunks: string[] = [];
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, callback) => {
      chunks.push(chunk.toString());
      const screens = chunks.filter((each) => each.includes('Errors   none'));
      const isGone = chunks.some((each) => each.includes('no answer from'));
      if (isGone) ending.abort();
      if (screens.length < 2) callback();
      else void server[Symbol.asyncDispose]().then(() => callback(), callback);
    },
  });
  const argv = ['status', '--watch', '0.2', '--server.endpoint', server.endpoint];
  const { code } = await runCli(argv, { stdout, signal: ending.signal });
  expect(code).toBe(1);
  expect(chunks.filter((each) => each.includes('Errors   none'))).toHaveLength(2);
});
