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
}

function scriptOf(scene: Scene): Script {
  const { logger, clients = [], applier = {}, applierConfig = {}, counts = {} } = scene;
  const { version = { server: 'arango', version: '1.4.3' } } = scene;
  const names = Object.keys(counts);
  return {
    [`GET ${command('logger-state')}`]: () => ({
      body: {
        state: {
          running: true,
          lastLogTick: '9223372036854775800',
          totalEvents: 44,
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
Server      ENDPOINT, database _system
Role        on its own: follows nobody, followed by nobody
Version     1.4.3, server id 41200000000017
Collections 6 collections (3 of edges), 654321 documents
Logger      running; ticks 1000 to 9223372036854775800; 44 events since the start of the server
Clients     none
Applier     not set up
`);
});

test('a leader shows where its clients are', async () => {
  const text = await status({
    clients: [
      { serverId: '23', lastServedTick: '9223372036854775793', from: '5', time: 'T1' },
      { serverId: '24', lastServedTick: '0', from: '9223372036854775800', time: 'T2' },
    ],
  });
  expect(text).toContain('Role        leader of 2 clients\n');
  expect(text).toContain(
    'Clients     23 at tick 9223372036854775793, 7 ticks behind; last seen T1\n' +
      '            24 at tick 9223372036854775800, up to date; last seen T2\n',
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
        progress: { message: 'fetching master log from offset 7' },
        lastError: { errorNum: 0 },
      },
      endpoint: 'tcp://10.1.2.3:8529',
      database: 'shop',
    },
  });
  expect(text).toContain('Role        follower of tcp://10.1.2.3:8529\n');
  expect(text).toContain('Applier     running, tailing since T0\n');
  expect(text).toContain('fetching master log from offset 7\n');
  expect(text).toContain('leader tcp://10.1.2.3:8529, database shop\n');
  expect(text).toMatch(/of 9223372036854775800: 100 ticks, 1\.[23] s behind\n/);
  expect(text).not.toContain('last error');
});

test('the program has a version of its own, where the server tells', async () => {
  const version = { server: 'arango', version: '1.4.3', details: { ticklog: '0.1.0' } };
  expect(await status({ version })).toContain(
    'Version     0.1.0 (speaks 1.4.3), server id 41200000000017\n',
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
    `${position}; the leader's log was at 800, and can not be reached: 2 attempts failed\n`,
  );
  const stopped = await screen({ running: false, phase: 'stopped', since: 'T0' });
  expect(stopped).toContain(`${position}; the leader's log was at 800 when the applier stopped\n`);
  const lost = await screen({ running: true, phase: 'backoff', since: 'T0', ticksBehind: null });
  expect(lost).toContain('Applier     running, but the leader can not be reached since T0\n');
  expect(lost).toContain(`${position}; the leader's log was at 800 when it answered last\n`);
  const silent = await screen({ running: true, phase: 'tailing', since: 'T0', ticksBehind: null });
  expect(silent).toContain(
    `${position}; the leader's log was at 800, and has not answered since\n`,
  );
});

test.each([
  [{ restrictType: 'include', restrictCollections: ['a', 'b'] }, ', only collections a, b'],
  [{ restrictType: 'exclude', restrictCollections: ['a', 'b'] }, ', without a, b'],
  [{ restrictType: '', restrictCollections: [], includeSystem: false }, ', no system collections'],
  [{ restrictType: '', restrictCollections: [], includeSystem: true }, ''],
])('a follower shows what it is restricted to: %j', async (applierConfig, words) => {
  const applier = { endpoint: 'tcp://10.1.2.3:8529', state: { ...CAUGHT_UP, running: true } };
  expect(await status({ applier, applierConfig })).toContain(
    `leader tcp://10.1.2.3:8529, database _system${words}\n`,
  );
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
  expect(text).toContain('Applier     STOPPED\n');
  expect(text).toContain('nothing applied yet\n');
  expect(text).toContain('last error: start tick not present (error 1414, T3)\n');
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
    'a sync runs since T0\n' +
    '            sync: fetching (1 of 3 collections done, 7 documents copied)\n';
  expect(await status({ applier: { state } })).toContain(
    `Applier     not set up\n            ${lines}`,
  );
  const text = await status({ applier: { state, endpoint: 'tcp://10.1.2.3:8529' } });
  expect(text).toContain(`Applier     not running during a sync\n            ${lines}`);
  expect(text).not.toContain('STOPPED');
});

test.each([
  ['whyStopped', false, 'stopped because: no response (error 1400, T3)\n'],
  ['whyWaiting', true, 'waiting because: no response (error 1400, T3)\n'],
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
  expect(text).toContain(words);
  expect(text).not.toContain('last error');
});

test('a logger that is stopped, and a log that lost its beginning, stand out', async () => {
  const text = await status({ logger: { running: false, firstTick: '0', holeAt: '77' } });
  expect(text).toContain('Logger      STOPPED, changes are not logged; last tick 92233720368547');
  expect(text).toContain('followers whose position is below tick 77 must copy anew\n');
});

test('the list of collections may be of 3.x', async () => {
  const script = scriptOf({ counts: { a: 7 } });
  await using server = await startScriptedServer({
    ...script,
    'GET /_db/_system/_api/collection': () => ({ body: { result: [{ name: 'a', type: 2 }] } }),
  });
  const { stdout } = await runCli(['status', '--server.endpoint', server.endpoint]);
  expect(stdout).toContain('Collections 1 collection (0 of edges), 7 documents\n');
});

test('labels are bold on a terminal only', async () => {
  await using server = await startScriptedServer(scriptOf({}));
  const argv = ['status', '--server.endpoint', server.endpoint];
  expect((await runCli(argv, { isTty: true })).stdout).toContain('\x1b[1mRole');
  expect((await runCli(argv)).stdout).not.toContain('\x1b');
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
    stderr: `ticklog: ${server.endpoint}: database not found (error 1228)\n`,
  });
});

test('says that writes are refused, and what is damaged', async () => {
  const storage = {
    writesRefused: { errorNum: 1104, message: 'the disk is full' },
    damage: { count: 2, since: '2026-01-02T03:04:05Z', message: 'block 6a fails its checksum' },
  };
  const text = await status({ logger: { storage } });
  expect(text).toMatch(/Storage +WRITES ARE REFUSED: the disk is full\n/);
  expect(text).toContain('DAMAGED: met 2 times since 2026-01-02T03:04:05Z, last: block 6a fails');
  expect(await status({})).not.toContain('Storage');
});
