import { expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { scriptOf, status } from '../support/status-scene.ts';

test('a server on its own is one screen', async () => {
  const counts = { a: 1, b: 20, c: 300, d: 4000, e: 50_000, f: 600_000 };
  expect(await status({ counts })).toBe(`\
Server   ENDPOINT, database _system
         version 1.4.3, server id 41200000000017, up 2 h 10 m
Role     on its own: follows nobody, followed by nobody
Data     6 collections (3 of edges), 654,321 documents
Log      running; ticks 1000 to 9223372036854775800
         nothing written just now
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
      '         24         9223372036854775800  up to date  1.50 KiB  T2  HAS LOST ITS PLACE, must copy anew\n' +
      '         23         9223372036854775793     7 ticks         -  T1\n',
  );
});

test('many clients do not fill more than the screen', async () => {
  const clients = Array.from({ length: 40 }, (_, i) => ({ serverId: `${i}`, from: '1' }));
  const text = await status({ clients });
  expect(text).toContain('… and 32 more\n');
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

test('an applier that waits tells when the leader is asked again, and not what it did last', async () => {
  const state = {
    ...{ ...CAUGHT_UP, running: true, phase: 'backoff', since: 'T0', ticksBehind: null },
    progress: { message: 'fetching leader log from offset 7' },
  };
  const screen = (more: object): Promise<string> =>
    status({ applier: { endpoint: 'tcp://10.1.2.3:8529', state: { ...state, ...more } } });
  const nextAttempt = new Date(Date.now() + 8_000).toISOString();
  const waiting = await screen({ nextAttempt });
  expect(waiting).toMatch(
    new RegExp(`^ {9}asks the leader again at ${nextAttempt} \\(in \\d s\\)$`, 'm'),
  );
  expect(waiting).not.toContain('fetching');
  expect(await screen({ nextAttempt: '2026-01-01T00:00:00Z' })).toContain(
    '         asks the leader again at 2026-01-01T00:00:00Z\n',
  );
  expect(await screen({})).toContain('         fetching leader log from offset 7\n');
});

test('a copy beyond the last entry of the log is at its end', async () => {
  const ticks = { lastAppliedContinuousTick: '535', lastAvailableContinuousTick: '520' };
  const screen = (state: object): Promise<string> =>
    status({ applier: { endpoint: 'tcp://10.1.2.3:8529', state: { ...ticks, ...state } } });
  expect(await screen({ running: true, phase: 'tailing', ticksBehind: 0 })).toContain(
    'applied up to tick 535 of 535: up to date\n',
  );
  expect(await screen({ running: false, phase: 'stopped' })).toContain(
    "applied up to tick 535; the leader's log was at 535 when the applier stopped\n",
  );
  // What the leader said may be why it failed.
  const state = { ...ticks, running: false, phase: 'failed' };
  const applier = { endpoint: 'tcp://10.1.2.3:8529', state };
  await using server = await startScriptedServer(scriptOf({ applier }));
  const failed = await runCli(['status', '--server.endpoint', server.endpoint]);
  expect(failed.stdout).toContain("the leader's log was at 520 when");
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
  expect(await status({ applier: { state } })).toContain(`Applier  ${lines}`);
  const text = await status({ applier: { state, endpoint: 'tcp://10.1.2.3:8529' } });
  expect(text).toContain('Applier  not running during a sync since T0');
  expect(text).toContain(`         ${lines}`);
  expect(text).not.toContain('STOPPED');
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

test('how long the log reaches back is measured', async () => {
  const text = await status({ logger: { heldEvents: 12_000, heldBytes: 3_500_000 }, written: 60 });
  expect(text).toContain(', 12,000 events, 3.34 MiB\n');
  const [, rate = '', reach = ''] =
    /^ {9}(\d+)\/s written just now: at this rate it reaches back (\d+) m/m.exec(text) ?? [];
  // 60 events in at least half a second.
  expect(Number(rate)).toBeGreaterThan(20);
  expect(Number(rate)).toBeLessThanOrEqual(120);
  expect(Number(reach)).toBeGreaterThanOrEqual(1);
});

test.each([
  [
    1,
    300,
    'Log      running; ticks 1000 to 9223372036854775800, 12,000 events, 3.34 MiB\n         1.0/s written over the last 5 minutes: at this rate it reaches back 3 h 20 m\n',
  ],
  [
    0.02,
    300,
    '         1.2/min written over the last 5 minutes: at this rate it reaches back 6 d 22 h\n',
  ],
  [1, 20, '         1.0/s written over the last minute: at this rate'],
  [0, 300, '         nothing written over the last 5 minutes\n'],
])('a history of %d/s over %d samples tells it better', async (rate, samples, words) => {
  const logger = { heldEvents: 12_000, heldBytes: 3_500_000 };
  const times = Array.from({ length: samples }, (_, i) => 1_700_000_000 + i * 3);
  // What was before the last five minutes does not count.
  const loggedEvents = times.map((_, i) => (i < samples - 100 ? 500 : rate));
  const script = {
    ...scriptOf({ logger, written: 60 }),
    'GET /_db/_system/_admin/history': () => ({
      body: { interval: 3, times, series: { loggedEvents } },
    }),
  };
  await using server = await startScriptedServer(script);
  const argv = ['status', '--server.endpoint', server.endpoint];
  expect((await runCli(argv)).stdout).toContain(words);
  const { stdout } = await runCli([...argv, '-o', 'json']);
  const { log } = JSON.parse(stdout) as { log: object };
  const measuredSeconds = Math.min(300, samples * 3);
  expect(log).toMatchObject({
    eventsPerSecond: expect.closeTo(rate, 6) as number,
    measuredSeconds,
  });
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
    works: [],
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
  const figures =
    'copying (25 %): 2 m 10 s left, 121 KiB/s, 1.23 k/s, 1 of 4 ' +
    'collections, 1.00 k of 5.00 k documents, 1.00 MiB of 4.00 MiB; in work: c\n';
  // As older servers answer.
  const older = await status({ applier: { state } });
  expect(older).toContain('Role     is being copied to\n');
  expect(older).toContain(`Applier  a sync is under way: ${figures}`);
  const from = { endpoint: 'tcp://10.9.9.9:8529', since: new Date().toISOString(), ...sync };
  const alone = await status({ applier: { state: { ...state, sync: from } } });
  expect(alone).toContain('Role     copies tcp://10.9.9.9:8529\n');
  await using server = await startScriptedServer(
    scriptOf({ applier: { state: { ...state, sync: from } } }),
  );
  const { stdout } = await runCli(['status', '-o', 'json', '--server.endpoint', server.endpoint]);
  expect(JSON.parse(stdout)).toMatchObject({ role: 'copying' });
  expect(alone).not.toContain('follows nobody');
  const copying =
    /^(?:Applier {2}| {9})copying from tcp:\/\/10\.9\.9\.9:8529 since \S+ \(\d s\): /m;
  expect(alone).toMatch(copying);
  expect(alone).toContain(figures);
  const endpoint = 'tcp://10.1.2.3:8529';
  const follower = await status({ applier: { endpoint, state: { ...state, sync: from } } });
  expect(follower).toContain(`Role     follower of ${endpoint}, database _system\n`);
  expect(follower).toMatch(copying);
});

test('what goes over whole collections is told while it does', async () => {
  const amount = { documentsDone: 200_000, documentsExpected: 800_000 };
  const index = { id: '7', type: 'hash', unique: false, fields: ['a', 'b'] };
  const works = [
    {
      ...{ collection: { id: '5', name: 'orders' }, kind: 'index', index },
      ...{ ...amount, documentsPerSecond: 61_000, secondsLeft: 9.8 },
    },
    {
      ...{ collection: { id: '6', name: 'parts' }, kind: 'search' },
      ...{ ...amount, documentsPerSecond: 0, secondsLeft: null },
    },
  ];
  expect(await status({ works })).toContain(
    'Work     index of orders (hash on a, b): 200,000 of 800,000 documents (25 %), 61.0 k/s, 9.8 s left\n' +
      '         search of parts for what differs: 200,000 of 800,000 documents (25 %)\n',
  );
  expect(await status({})).not.toContain('Work');
});
