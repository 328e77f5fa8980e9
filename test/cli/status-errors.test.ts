import { expect, test } from 'vitest';
import { runCli } from '../support/cli-run.ts';
import { command, refusal, startScriptedServer } from '../support/scripted-server.ts';
import { scriptOf, status } from '../support/status-scene.ts';

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

test('a copy that was not finished is told, and is a failure where no applier runs', async () => {
  const unfinishedSync = {
    ...{ leaderId: '4711', database: '_system', tick: '99' },
    ...{ collectionsDone: 1, collectionsExpected: 2 },
  };
  const words =
    'A COPY OF SERVER 4711 WAS NOT FINISHED (1 of 2 collections): make-follower or sync';
  for (const [running, code] of [
    [false, 1],
    [true, 0],
  ] as const) {
    const endpoint = running ? { endpoint: 'tcp://10.1.2.3:8529' } : {};
    const applier = { state: { running, lastError: { errorNum: 0 }, unfinishedSync }, ...endpoint };
    await using server = await startScriptedServer(scriptOf({ applier }));
    const run = await runCli(['status', '--server.endpoint', server.endpoint]);
    expect(run.stdout).toContain(`Applier  ${words}`);
    expect(run.code).toBe(code);
  }
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

test('an error is told in words of today, and the entry it is about once', async () => {
  const entry = '{"tick":"12","type":2300,"key":"a"}';
  const why = {
    errorNum: 1210,
    errorMessage: `unique constraint violated, offending marker: ${entry}`,
  };
  const before = {
    ...{ errorNum: 1414, time: 'T2', count: 3 },
    errorMessage: `required tick 7 is not present on master at tcp://h:1`,
  };
  const state = { running: false, since: 'T3', whyStopped: why };
  const lastErrors = [{ ...why, time: 'T3' }, before];
  const text = await status({
    applier: { state: { ...state, lastErrors }, endpoint: 'tcp://10.1.2.3:8529' },
  });
  expect(text).toContain('         because: unique constraint violated\n');
  expect(text).toContain(
    `Errors   stopped: unique constraint violated (error 1210)\n           the entry: ${entry}\n`,
  );
  expect(text).toContain(
    'earlier: required tick 7 is not present on leader at tcp://h:1, 3 times (error 1414, T2)\n',
  );
  expect(text).not.toMatch(/master|offending/);
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

test.each([1202, 1203, 1207, 1210, 1218])(
  'what an applier can not apply (%i) is not told as to one who sent a request',
  async (errorNum) => {
    const whyStopped = { errorNum, errorMessage: 'it does not fit' };
    const state = { running: false, whyStopped };
    const text = await status({ applier: { state, endpoint: 'tcp://10.1.2.3:8529' } });
    expect(text).toContain('what to do: Run ticklog verify (');
  },
);

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

test('a follower that has passed entries over is not called up to date', async () => {
  const state = {
    ...{ running: true, phase: 'tailing', totalIgnoredErrors: 1234, ticksBehind: 0 },
    ...{ lastAppliedContinuousTick: '800', lastAvailableContinuousTick: '800' },
  };
  const text = await status({ applier: { state, endpoint: 'tcp://10.1.2.3:8529' } });
  expect(text).not.toContain('up to date');
  expect(text).toContain(
    '         applied up to tick 800 of 800: at the end of the log\n' +
      '         1,234 entries were passed over; verify shows what differs\n',
  );
});

test('what was passed over is told as that, the last of it with how many there are', async () => {
  const ignored = (tick: string, count?: number): object => ({
    ...{ errorNum: 1203, errorMessage: `no collection ${tick}`, tick, time: 'T5', ignored: true },
    ...(count === undefined ? {} : { count, firstTime: 'T4' }),
  });
  const lost = { errorNum: 1400, errorMessage: 'no response', time: 'T2' };
  const text = await status({
    applier: {
      state: {
        ...{ running: true, phase: 'backoff', whyWaiting: lost, totalIgnoredErrors: 9 },
        lastIgnoredError: { errorNum: 1203, errorMessage: 'no collection 9', tick: '9' },
        lastErrors: [ignored('9'), lost, ignored('8', 8), { ...lost, time: 'T1' }],
      },
      endpoint: 'tcp://10.1.2.3:8529',
    },
  });
  const [, errors = ''] = text.split('Errors   ');
  expect(errors.split('\n').filter((line) => !line.includes('what to do'))).toEqual([
    'waiting: no response (error 1400)',
    '         passed over: no collection 8, 8 times (error 1203, T5)',
    '         earlier: no response (error 1400, T1)',
    '         passed over: 9 in all, the last at tick 9: no collection 9 (error 1203)',
    '',
  ]);
});

test('a sync that failed is told with what to do, as long as nothing came after it', async () => {
  const failed = { errorNum: 1400, errorMessage: 'the sync failed: no response', time: 'T2' };
  const lastErrors = [{ ...failed, count: 3, firstTime: 'T0' }, failed];
  const at = (phase: string, running: boolean): Promise<string> =>
    status({ applier: { state: { running, phase, lastErrors, lastError: { errorNum: 0 } } } });
  const text = await at('stopped', false);
  expect(text).toContain(
    'Errors   last error: the sync failed: no response, 3 times (error 1400, T2)\n' +
      '           what to do: Check the endpoint',
  );
  expect(text).toContain('         earlier: the sync failed: no response (error 1400, T2)\n');
  for (const later of [at('syncing', false), at('tailing', true)]) {
    expect(await later).not.toContain('what to do');
  }
});
