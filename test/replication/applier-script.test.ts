import { describe, expect, test } from 'vitest';
import { type ScriptAnswer, type ScriptStep, loggerState } from '../support/leader-script.ts';
import { FOLLOW, STATE, applied, idle, keys, log, openScene, put } from './applier-scene.ts';

describe('a leader of 1.4', () => {
  test('is asked from the last line on, at once while there is more, and then after a pause', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    script
      .always(STATE, loggerState())
      .next(FOLLOW, log([put(11, 'a')], { lastTick: 12, checkMore: true }))
      .next(FOLLOW, log([put(12, 'b')], { lastTick: 12 }))
      .always(FOLLOW, idle(12));
    await scene.start(10n);
    // Counted when they are sent: the fifth has been received when there is a sixth.
    await follower.until(({ totalRequests }) => totalRequests >= 6);
    await follower.applier.stop();
    expect(await keys(scene)).toEqual(['a', 'b']);
    const froms = script.seen(FOLLOW).map(({ query }) => query.get('from'));
    expect(froms.slice(0, 4)).toEqual(['10', '11', '12', '12']);
    const own = follower.core.store.server.serverId;
    expect(script.requests.every(({ query }) => query.get('serverId') === own)).toBe(true);
    // It would not understand a request to wait.
    expect(script.seen(FOLLOW).every(({ query }) => !query.has('wait'))).toBe(true);
    expect(follower.state.totalEvents).toBe(2);
  });

  test.each([
    ['503', { status: 503, body: 'starting up' }],
    ['an answer that breaks off', { ...log([put(11, 'a')], { lastTick: 11 }), cut: true }],
  ] satisfies [string, ScriptAnswer][])(
    'that answers %s is asked again from the same place',
    async (_what, bad) => {
      const scene = await openScene();
      const { script, follower } = scene;
      script
        .always(STATE, loggerState())
        .next(FOLLOW, bad, bad)
        .next(FOLLOW, log([put(11, 'a')], { lastTick: 11 }))
        .always(FOLLOW, idle(11));
      await scene.start(10n, { maxConnectRetries: 2 });
      const state = await follower.until(applied(11));
      expect(state).toMatchObject({
        totalFailedConnects: 2,
        running: true,
        lastError: { errorNum: 0 },
      });
      expect(state.progress.failedConnects).toBe(0);
      expect(
        script
          .seen(FOLLOW)
          .slice(0, 3)
          .map(({ query }) => query.get('from')),
      ).toEqual(['10', '10', '10']);
    },
  );

  test.each(['x-arango-replication-checkmore', 'x-arango-replication-lasttick'])(
    'whose pages lack %s is asked again, and at last given up with 1401',
    async (header) => {
      const scene = await openScene();
      const good = log([put(11, 'a')], { lastTick: 11 });
      const headers = Object.entries(good.headers ?? {}).filter(([name]) => name !== header);
      scene.script
        .always(STATE, loggerState())
        .always(FOLLOW, { ...good, headers: Object.fromEntries(headers) });
      await scene.start(10n, { maxConnectRetries: 2, connectionRetryWaitTime: 0.05 });
      expect((await scene.follower.stopped()).lastError.errorNum).toBe(1401);
      expect(scene.script.seen(FOLLOW)).toHaveLength(3);
      expect(await keys(scene)).toEqual([]);
    },
  );

  test('that claims more without moving on is not asked without a pause', async () => {
    const scene = await openScene();
    scene.script
      .always(STATE, loggerState())
      .always(FOLLOW, log([], { lastTick: 99, checkMore: true, lastIncluded: 10 }));
    await scene.start(10n);
    await scene.follower.until(({ totalRequests }) => totalRequests >= 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(scene.follower.state.totalRequests).toBeLessThanOrEqual(3);
  });

  test('with a gap is followed, unless the configuration requires the place to be there', async () => {
    const scene = await openScene();
    const headers = { 'x-arango-replication-frompresent': 'false' };
    scene.script
      .always(STATE, loggerState())
      .next(FOLLOW, log([put(50, 'a')], { lastTick: 50, headers }))
      .next(FOLLOW, log([put(51, 'b')], { lastTick: 51 }))
      .always(FOLLOW, idle(51, headers));
    await scene.start(10n);
    await scene.follower.until(applied(51));
    await scene.follower.applier.stop();
    await scene.start(undefined, { requireFromPresent: true });
    expect(await scene.follower.stopped()).toMatchObject({
      lastError: { errorNum: 1414 },
      lastAppliedContinuousTick: '51',
    });
  });

  test('of a version that is not accepted is refused with 1403', async () => {
    const scene = await openScene();
    scene.script.always(STATE, loggerState({ version: '1.3.9' }));
    await scene.start(10n);
    expect((await scene.follower.stopped()).lastError.errorNum).toBe(1403);
    expect(scene.script.seen(FOLLOW)).toEqual([]);
  });

  test('that sends a line of an unknown collection stops it; the state shows that line and the place', async () => {
    const scene = await openScene();
    const bad = put(12, 'x').replace('"cid":"77","cname":"c"', '"cid":"5","cname":"gone"');
    scene.script
      .always(STATE, loggerState())
      .always(FOLLOW, log([put(11, 'a'), bad], { lastTick: 12 }));
    await scene.start(10n);
    const state = await scene.follower.stopped();
    expect(state).toMatchObject({
      phase: 'failed',
      lastAppliedContinuousTick: '11',
      lastProcessedContinuousTick: '12',
      lastError: { errorNum: 1203 },
    });
    expect(state.lastError.errorMessage).toContain('offending marker: {"tick":"12"');
    // Once what was missing is there it goes on with that line.
    const { core, database, applier } = scene.follower;
    const { parameters } = database.get('c');
    await core.collections.createWith(database, { ...parameters, cid: '5', name: 'gone' });
    await applier.start();
    await scene.follower.until(applied(12));
    expect(scene.script.seen(FOLLOW).at(-1)?.query.get('from')).toMatch(/^1[12]$/);
    expect(database.get('gone').stats.count).toBe(1);
  });

  test('that cannot be reached is given up after maxConnectRetries failures in a row, not in all', async () => {
    const scene = await openScene();
    const bad: ScriptStep = { status: 500 };
    scene.script
      .always(STATE, loggerState())
      .next(FOLLOW, bad, bad, log([put(11, 'a')], { lastTick: 11 }), bad, bad)
      .next(FOLLOW, log([put(12, 'b')], { lastTick: 12 }))
      .always(FOLLOW, bad);
    await scene.start(10n, { maxConnectRetries: 2 });
    const state = await scene.follower.stopped();
    expect(state).toMatchObject({ totalFailedConnects: 7, lastError: { errorNum: 1402 } });
    expect(state.progress.failedConnects).toBe(3);
    expect(await keys(scene)).toEqual(['a', 'b']);
  });

  test('is asked in pages of the configured size', async () => {
    const scene = await openScene();
    scene.script
      .always(STATE, loggerState())
      .next(FOLLOW, log([put(11, 'a')], { lastTick: 12, checkMore: true }))
      .always(FOLLOW, idle(12));
    await scene.start(10n, { chunkSize: 4711 });
    await scene.follower.until(({ totalRequests }) => totalRequests >= 3);
    const sizes = scene.script.seen(FOLLOW).map(({ query }) => query.get('chunkSize'));
    expect(new Set(sizes)).toEqual(new Set(['4711']));
  });
});
