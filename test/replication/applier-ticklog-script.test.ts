import { describe, expect, test } from 'vitest';
import { type LeaderScript, json } from '../support/leader-script.ts';
import { ManualClock } from '../support/manual-clock.ts';
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

const run1 = { 'x-ticklog-incarnation': 'run1' };
const run2 = { 'x-ticklog-incarnation': 'run2' };

describe('a ticklog leader', () => {
  test('is asked to hold all requests but the first, and for larger pages while it has more', async () => {
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
    await scene.follower.until(() => script.seen(FOLLOW).length >= 7);
    const follows = script.seen(FOLLOW);
    const waits = follows.map(({ query }) => query.get('wait'));
    expect(waits).toEqual([null, ...Array<string>(6).fill('20')]);
    const mib = follows.map(({ query }) => Number(query.get('chunkSize')) / 1024 / 1024);
    expect(mib).toEqual([1, 2, 4, 8, 8, 8, 1]);
  });

  test('without news tells how far it is at once after a start, long before a held request ends', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    script.always(STATE, ticklogState([run('run1', 0)]));
    script.always(FOLLOW, ({ query }) => ({
      ...log([], { lastTick: 10, lastIncluded: 0, ticklog: true, headers: run1 }),
      delayMs: query.has('wait') ? 20_000 : 0,
    }));
    await scene.start(10n);
    const state = await follower.until(({ ticksBehind }) => ticksBehind === 0);
    expect(state).toMatchObject({ secondsBehind: 0, lastAvailableContinuousTick: '10' });
    // And the next one is held, without a pause in between.
    await follower.until(() => script.seen(FOLLOW).length === 2);
    expect(script.seen(FOLLOW)[1]?.query.get('wait')).toBe('20');
    expect(follower.state).toMatchObject({ ticksBehind: 0, secondsBehind: 0 });
  });

  test('that went away is not said to be caught up with, and is asked without a wait when it is back', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    const page = log([put(11, 'a')], { lastTick: 11, ticklog: true, headers: run1 });
    script
      .always(STATE, ticklogState([run('run1', 0)]))
      .next(FOLLOW, page)
      .next(FOLLOW, { ...idle(11, run1), delayMs: 1100 })
      .always(FOLLOW, { status: 503 });
    await scene.start(10n, { maxConnectRetries: 0 });
    await follower.until(({ ticksBehind }) => ticksBehind === 0);
    const lost = await follower.until(({ phase }) => phase === 'backoff');
    expect(lost.ticksBehind).toBeNull();
    expect(lost.secondsBehind).not.toBe(0);
    const later = await follower.until(({ secondsBehind }) => (secondsBehind ?? 0) > 0.3);
    expect(later).toMatchObject({ ticksBehind: null, lastAvailableContinuousTick: '11' });
    script.always(FOLLOW, idle(11, run1));
    await follower.until(
      ({ ticksBehind, secondsBehind }) => ticksBehind === 0 && secondsBehind === 0,
    );
    await follower.applier.stop();
    const waits = script.seen(FOLLOW).map(({ query }) => query.has('wait'));
    // The third is the one that found it gone; all attempts after it, and the one that found it back.
    expect(waits.slice(0, 5)).toEqual([false, true, true, false, false]);
  });

  test('with requestTimeout 0 may take longer than it was asked to hold a request', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    script
      .always(STATE, ticklogState([run('run1', 0)]))
      .next(FOLLOW, { ...idle(10, run1), delayMs: 0 })
      .next(FOLLOW, {
        ...log([put(11, 'late')], { lastTick: 11, ticklog: true, headers: run1 }),
        delayMs: 4500,
      })
      .always(FOLLOW, idle(11, run1));
    await scene.start(10n, { requestTimeout: 0, includeSystem: false });
    const state = await follower.until(applied(11));
    expect(script.seen(FOLLOW)[1]?.query.get('wait')).toBe('2');
    expect(state.totalFailedConnects).toBe(0);
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
    await scene.start(10n, { maxConnectRetries: 2 });
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
  const headers = { 'x-arango-replication-frompresent': 'false', 'x-ticklog-incarnation': 'run1' };
  const inventory = json({
    collections: [],
    state: { running: true, lastLogTick: '1000', totalEvents: 1, time: '' },
    tick: '1000',
  });

  /** A leader whose log never reaches back to where a copy ended. */
  function loseAlways(script: LeaderScript): LeaderScript {
    return script
      .always(STATE, ticklogState([run('run1', 0)]))
      .always(FOLLOW, log([put(2000, 'a')], { lastTick: 2000, ticklog: true, headers }))
      .always('GET inventory', inventory)
      .always('POST batch', json({ id: '5' }))
      .always('DELETE batch', { status: 204 });
  }

  test('is given up after autoResyncRetries in short succession', async () => {
    const scene = await openScene();
    loseAlways(scene.script);
    await scene.start(10n, { autoResync: true, autoResyncRetries: 2 });
    const state = await scene.follower.stopped();
    expect(state).toMatchObject({ totalResyncs: 2, lastError: { errorNum: 1414 } });
    expect(state.lastAppliedContinuousTick).toBe('1000');
  });

  test('is given up as well where every copy takes longer than the log of the leader lasts', async () => {
    const clock = new ManualClock();
    const scene = await openScene({ clock });
    loseAlways(scene.script).always('GET inventory', () => {
      clock.advance(600_000);
      return inventory;
    });
    await scene.start(10n, { autoResync: true, autoResyncRetries: 2 });
    // It may not go round for ever: the requests it makes are counted.
    const state = await scene.follower.until(
      ({ running, totalResyncs }) => !running || totalResyncs > 5,
    );
    expect(state).toMatchObject({ running: false, totalResyncs: 2 });
  });

  test('begins a new series when following went well for a while', async () => {
    const clock = new ManualClock();
    const scene = await openScene({ clock });
    const { script, follower } = scene;
    loseAlways(script);
    const good = log([put(1001, 'a')], { lastTick: 1001, ticklog: true, headers: { ...run1 } });
    const lost = log([put(2000, 'a')], { lastTick: 2000, ticklog: true, headers });
    const afterAWhile = () => {
      clock.advance(600_000);
      return lost;
    };
    script.next(FOLLOW, lost, good, afterAWhile, good, afterAWhile, good);
    script.always(FOLLOW, idle(1001, run1));
    await scene.start(10n, { autoResync: true, autoResyncRetries: 1 });
    await follower.until(({ running, totalResyncs }) => !running || totalResyncs === 3);
    const state = await follower.until(({ running, phase }) => !running || phase === 'tailing');
    expect(state).toMatchObject({ running: true, totalResyncs: 3 });
  });

  test('says all the while that the data is old', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    loseAlways(script).always('GET inventory', { ...inventory, delayMs: 400 });
    const good = log([put(11, 'a')], { lastTick: 11, ticklog: true, headers: run1 });
    const lost = log([put(2000, 'a')], { lastTick: 2000, ticklog: true, headers });
    script.next(FOLLOW, good, { ...lost, delayMs: 300 });
    await scene.start(10n, { autoResync: true, autoResyncRetries: 1 });
    await follower.until(({ secondsBehind }) => secondsBehind === 0);
    const copying = await follower.until(({ phase }) => phase === 'syncing');
    expect(copying.ticksBehind).toBeNull();
    await follower.until(({ phase, secondsBehind }) => phase === 'syncing' && secondsBehind! > 0.2);
  });
});
