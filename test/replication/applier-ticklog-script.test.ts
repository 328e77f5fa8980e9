import { describe, expect, test } from 'vitest';
import { json } from '../support/leader-script.ts';
import {
  FOLLOW,
  STATE,
  applied,
  idle,
  keys,
  log,
  openScene,
  put,
  run,
  ticklogState,
} from './applier-scene.ts';

describe('a ticklog leader', () => {
  const run1 = { 'x-ticklog-incarnation': 'run1' };
  const run2 = { 'x-ticklog-incarnation': 'run2' };

  test('is asked to hold the request, and for larger pages while it has more', async () => {
    const scene = await openScene();
    const { script } = scene;
    script.always(STATE, ticklogState([run('run1', 0)]));
    for (let i = 11; i < 16; i++) {
      script.next(
        FOLLOW,
        log([put(i, `k${i}`)], { lastTick: 16, checkMore: true, ticklog: true, headers: run1 }),
      );
    }
    script.next(FOLLOW, log([put(16, 'last')], { lastTick: 16, ticklog: true, headers: run1 }));
    script.always(FOLLOW, { ...idle(16, run1), delayMs: 1500 });
    await scene.start(10n);
    await scene.follower.until(({ totalRequests }) => totalRequests >= 8);
    const follows = script.seen(FOLLOW);
    expect(follows.map(({ query }) => query.get('wait'))).toEqual(Array(7).fill('20'));
    const mib = follows.map(({ query }) => Number(query.get('chunkSize')) / 1024 / 1024);
    expect(mib).toEqual([1, 2, 4, 8, 8, 8, 1]);
  });

  test('whose page fails its checksum is asked again, and nothing of that page is applied', async () => {
    const scene = await openScene();
    const bad = log([put(11, 'bad')], {
      lastTick: 11,
      headers: { ...run1, 'x-ticklog-crc32': '12345' },
    });
    scene.script
      .always(STATE, ticklogState([run('run1', 0)]))
      .next(FOLLOW, bad)
      .next(FOLLOW, log([put(11, 'good')], { lastTick: 11, ticklog: true, headers: run1 }))
      .always(FOLLOW, idle(11, run1));
    await scene.start(10n);
    await scene.follower.until(applied(11));
    expect(await keys(scene)).toEqual(['good']);
  });

  test('moves the place on over what it does not show', async () => {
    const scene = await openScene();
    const headers = { ...run1, 'x-arango-replication-lastscanned': '90' };
    scene.script
      .always(STATE, ticklogState([run('run1', 0)]))
      .next(FOLLOW, log([], { lastTick: 90, lastIncluded: 0, headers }))
      .always(FOLLOW, idle(90, run1));
    await scene.start(10n, { includeSystem: false });
    await scene.follower.until(applied(90));
    await scene.follower.restart();
    expect(scene.follower.state.lastProcessedContinuousTick).toBe('90');
    expect(scene.script.seen(FOLLOW)[0]?.query.get('includeSystem')).toBe('false');
  });

  test('that was restarted is followed on, and its new run is remembered', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    script
      .next(STATE, ticklogState([run('run1', 0)]))
      .next(FOLLOW, log([put(11, 'a')], { lastTick: 11, ticklog: true, headers: run1 }))
      .next(FOLLOW, log([put(201, 'b')], { lastTick: 201, ticklog: true, headers: run2 }))
      .always(FOLLOW, idle(201, run2))
      .always(STATE, ticklogState([run('run1', 0), run('run2', 11)]));
    await scene.start(10n);
    await follower.until(applied(201));
    await follower.applier.stop();
    // A backup from before run2 is in its place: what was followed last is no longer there.
    script.always(STATE, ticklogState([run('run1', 0), run('run3', 11)]));
    await follower.applier.start();
    const state = await follower.stopped();
    expect(state.lastError.errorNum).toBe(1404);
    expect(state.lastError.errorMessage).toContain('put back to an older state');
  });

  test('that lost what was applied here stops it with 1404, and nothing of its page is applied', async () => {
    const scene = await openScene();
    scene.script
      .next(STATE, ticklogState([run('run1', 0)]))
      .next(
        FOLLOW,
        log([put(11, 'a'), put(12, 'b')], { lastTick: 12, ticklog: true, headers: run1 }),
      )
      .next(FOLLOW, log([put(201, 'c')], { lastTick: 201, ticklog: true, headers: run2 }))
      .always(STATE, ticklogState([run('run1', 0), run('run2', 11)]));
    await scene.start(10n);
    expect((await scene.follower.stopped()).lastError.errorNum).toBe(1404);
    expect(await keys(scene)).toEqual(['a', 'b']);
    expect(scene.follower.state.lastAppliedContinuousTick).toBe('12');
  });

  test('whose page comes from a run that is gone by now is asked for that page again', async () => {
    const scene = await openScene();
    const lost = { 'x-ticklog-incarnation': 'lost' };
    scene.script
      .always(STATE, ticklogState([run('run1', 0)]))
      .next(FOLLOW, log([put(11, 'lost')], { lastTick: 11, ticklog: true, headers: lost }))
      .next(FOLLOW, log([put(11, 'kept')], { lastTick: 11, ticklog: true, headers: run1 }))
      .always(FOLLOW, idle(11, run1));
    await scene.start(10n);
    await scene.follower.until(applied(11));
    expect(await keys(scene)).toEqual(['kept']);
  });

  test('that goes on sending such pages is given up', async () => {
    const scene = await openScene();
    const lost = { 'x-ticklog-incarnation': 'lost' };
    scene.script
      .always(STATE, ticklogState([run('run1', 0)]))
      .always(FOLLOW, log([put(11, 'lost')], { lastTick: 11, ticklog: true, headers: lost }));
    await scene.start(10n);
    expect((await scene.follower.stopped()).lastError.errorNum).toBe(1401);
    expect(await keys(scene)).toEqual([]);
  });

  test('that is another server after a restart stops it with 1404', async () => {
    const scene = await openScene();
    scene.script
      .next(STATE, ticklogState([run('run1', 0)]))
      .next(FOLLOW, log([put(11, 'a')], { lastTick: 11, ticklog: true, headers: run1 }))
      .always(FOLLOW, log([put(12, 'b')], { lastTick: 12, ticklog: true, headers: run2 }))
      .always(STATE, ticklogState([run('run1', 0), run('run2', 11)], '815'));
    await scene.start(10n);
    expect((await scene.follower.stopped()).lastError.errorNum).toBe(1404);
    expect(await keys(scene)).toEqual(['a']);
  });
});

describe('auto-resync', () => {
  test('is given up after autoResyncRetries in short succession', async () => {
    const scene = await openScene();
    const headers = {
      'x-arango-replication-frompresent': 'false',
      'x-ticklog-incarnation': 'run1',
    };
    const inventory = json({
      collections: [],
      state: { running: true, lastLogTick: '1000', totalEvents: 1, time: '' },
      tick: '1000',
    });
    scene.script
      .always(STATE, ticklogState([run('run1', 0)]))
      .always(FOLLOW, log([put(2000, 'a')], { lastTick: 2000, ticklog: true, headers }))
      .always('GET inventory', inventory)
      .always('POST batch', json({ id: '5' }))
      .always('DELETE batch', { status: 204 });
    await scene.start(10n, { autoResync: true, autoResyncRetries: 2 });
    const state = await scene.follower.stopped();
    expect(state).toMatchObject({ totalResyncs: 2, lastError: { errorNum: 1414 } });
    expect(state.lastAppliedContinuousTick).toBe('1000');
  });
});
