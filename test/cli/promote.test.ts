import { expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { command, refusal, type Script, startScriptedServer } from '../support/scripted-server.ts';

interface Follower {
  applier: 'running' | 'stopped' | 'none';
  loggerRuns: boolean;
  autoStart: boolean;
}

/** A follower that does as it is told. */
function scriptOf(follower: Follower): Script {
  const loggerState = () => ({
    body: { state: { running: follower.loggerRuns, lastLogTick: '77' } },
  });
  const applierState = () => ({
    body: {
      state: {
        running: follower.applier === 'running',
        lastAppliedContinuousTick: '40',
        lastAvailableContinuousTick: '50',
      },
      ...(follower.applier === 'none' ? {} : { endpoint: 'tcp://10.1.2.3:8529' }),
    },
  });
  return {
    [`GET ${command('logger-state')}`]: loggerState,
    [`PUT ${command('logger-start')}`]: () => {
      follower.loggerRuns = true;
      return loggerState();
    },
    [`GET ${command('logger-config')}`]: () => ({ body: { autoStart: follower.autoStart } }),
    [`PUT ${command('logger-config')}`]: () => {
      follower.autoStart = true;
      return { body: {} };
    },
    [`GET ${command('applier-state')}`]: applierState,
    [`PUT ${command('applier-stop')}`]: () => {
      follower.applier = 'stopped';
      return applierState();
    },
    [`DELETE ${command('applier-state')}`]: () => {
      follower.applier = 'none';
      return applierState();
    },
  };
}

async function promote(script: Script) {
  await using server = await startScriptedServer(script);
  const result = await runCli(['promote', '--server.endpoint', server.endpoint]);
  const changes = server.requests.filter(({ method }) => method !== 'GET');
  return {
    ...result,
    lines: result.stdout.replaceAll(`${server.endpoint}, database _system: `, '').split('\n'),
    changes: changes.map(({ method, path }) => `${method} ${path.replace(command(''), '')}`),
  };
}

test('the logger runs before the applier is gone, so the first write is logged', async () => {
  const follower: Follower = { applier: 'running', loggerRuns: false, autoStart: false };
  const { code, stderr, lines, changes } = await promote(scriptOf(follower));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(changes).toEqual([
    ...['PUT logger-config', 'PUT logger-start', 'PUT applier-stop', 'DELETE applier-state'],
  ]);
  expect(follower).toEqual({ applier: 'none', loggerRuns: true, autoStart: true });
  expect(lines).toEqual([
    'the logger is set to start with the server',
    'the logger is started',
    'the applier is stopped',
    'had replayed the log of tcp://10.1.2.3:8529 up to tick 40, ' +
      'of what was known of it up to tick 50',
    'follows nobody any more',
    'is a leader, its log ends at tick 77',
    '',
  ]);
});

test('what is done already is not done again', async () => {
  const { code, lines, changes } = await promote(
    scriptOf({ applier: 'none', loggerRuns: true, autoStart: true }),
  );
  expect({ code, changes }).toEqual({ code: 0, changes: [] });
  expect(lines).toEqual(['follows nobody', 'is a leader, its log ends at tick 77', '']);
});

test.each(['PUT logger-start', 'PUT applier-stop', 'DELETE applier-state'])(
  'interrupted at %s, it is completed by another',
  async (request) => {
    const follower: Follower = { applier: 'running', loggerRuns: false, autoStart: true };
    const script = scriptOf(follower);
    const [method = '', name = ''] = request.split(' ');
    const failing = { [`${method} ${command(name)}`]: () => refusal(500, 4, 'internal error') };
    expect(await promote({ ...script, ...failing })).toMatchObject({ code: 1 });
    expect(follower.applier).not.toBe('none');
    expect(await promote(script)).toMatchObject({ code: 0 });
    expect(follower).toEqual({ applier: 'none', loggerRuns: true, autoStart: true });
  },
);

test('a server whose logger always runs has no settings for it', async () => {
  const script = scriptOf({ applier: 'running', loggerRuns: true, autoStart: false });
  const { code, changes } = await promote({
    ...script,
    [`GET ${command('logger-config')}`]: () => refusal(400, 400, 'invalid command'),
  });
  expect({ code, changes }).toEqual({
    code: 0,
    changes: ['PUT applier-stop', 'DELETE applier-state'],
  });
});

test('a logger that does not keep running is a failure', async () => {
  const { code, stderr } = await promote({
    ...scriptOf({ applier: 'none', loggerRuns: false, autoStart: true }),
    [`PUT ${command('logger-start')}`]: () => ({ body: {} }),
  });
  expect(code).toBe(1);
  expect(stderr).toContain('nothing that is written is logged');
});
