import { describe, expect, test, vi } from 'vitest';
import type { Logger } from '../../src/base/logger.ts';
import { openHttpFollower } from '../support/http-follower.ts';
import {
  LeaderScript,
  type ScriptAnswer,
  json,
  loggerState,
  page,
  refusal,
} from '../support/leader-script.ts';
import { SyncFollower, keysOf } from '../support/sync-follower.ts';
import { FOLLOW, STATE, applied, idle, keys, log, openScene, put } from './applier-scene.ts';

const ORDERS = {
  parameters: { cid: '501', name: 'orders', type: 2, version: 4, deleted: false },
  indexes: [],
};

/** Has a leader answer a copy of one collection. */
function listing(script: LeaderScript, dump: ScriptAnswer): void {
  script
    .always('POST batch', json({ id: '77' }))
    .always('PUT batch/77', { status: 204 })
    .always('DELETE batch/77', { status: 204 })
    .always(
      'GET inventory',
      json({ collections: [ORDERS], state: { running: true, lastLogTick: '20' }, tick: '21' }),
    )
    .always('GET dump', dump);
}

/** A line of a collection that the follower does not have. */
function unknown(tick: number): string {
  return put(tick, 'x').replace('"cid":"77","cname":"c"', '"cid":"501","cname":"orders"');
}

/** Keeps what is logged. */
function recorder(): { logger: Logger; lines: { level: string; message: string; obj: object }[] } {
  const lines: { level: string; message: string; obj: object }[] = [];
  const note =
    (level: string) =>
    (obj: object, message: string): void => {
      lines.push({ level, message, obj });
    };
  const logger: Logger = {
    ...{ debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    child: () => logger,
  };
  return { logger, lines };
}

describe('ignoreErrors', () => {
  test('events that fail are passed over, counted in the state and logged; the next one stops it', async () => {
    const { logger, lines } = recorder();
    const scene = await openScene({ logger });
    const { script, follower } = scene;
    script
      .always(STATE, loggerState())
      .next(FOLLOW, log([unknown(11), put(12, 'a'), unknown(13)], { lastTick: 13 }))
      .always(FOLLOW, idle(13));
    await scene.start(10n, { ignoreErrors: 2 });
    const state = await follower.until(applied(13));
    expect(state).toMatchObject({
      running: true,
      totalIgnoredErrors: 2,
      lastIgnoredError: { tick: '13', errorNum: 1203 },
      lastError: { errorNum: 0 },
      lastErrors: [{ tick: '13', errorNum: 1203, count: 2, ignored: true }],
    });
    const warned = lines.filter(({ level, message }) => level === 'warn' && /event/.test(message));
    expect(warned.map(({ obj }) => (obj as { tick: string }).tick)).toEqual(['11', '13']);
    script.next(FOLLOW, log([unknown(14), put(15, 'b')], { lastTick: 15 }));
    const stopped = await follower.stopped();
    expect(stopped.lastError.errorNum).toBe(1203);
    expect(stopped.lastErrors).toMatchObject([{ tick: '14' }, { tick: '13', ignored: true }]);
    expect(stopped.lastErrors[0]).not.toHaveProperty('ignored');
    expect(await keys(scene)).toEqual(['a']);
    // They stay counted, and each run may have as many.
    script.next(FOLLOW, log([unknown(14), put(15, 'b')], { lastTick: 15 }));
    script.always(FOLLOW, idle(15));
    await follower.applier.start();
    expect(await follower.until(applied(15))).toMatchObject({ totalIgnoredErrors: 3 });
    await follower.applier.forget();
    expect(follower.state).toMatchObject({ totalIgnoredErrors: 0 });
    expect(follower.state).not.toHaveProperty('lastIgnoredError');
  });
});

describe('autoResync', () => {
  test('copies everything anew when an event is of a collection that is not here', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    script
      .always(STATE, loggerState({ lastLogTick: '20' }))
      .next(FOLLOW, log([unknown(11)], { lastTick: 20 }))
      .always(FOLLOW, idle(20));
    listing(script, page(['{"tick":"9","type":2300,"key":"a","rev":"9","data":{"_key":"a"}}']));
    await scene.start(10n, { autoResync: true, chunkSize: 4711 });
    const state = await follower.until(({ totalResyncs, phase }) => {
      return totalResyncs === 1 && phase === 'tailing';
    });
    expect(state).toMatchObject({ running: true, lastError: { errorNum: 1203 } });
    expect(await keysOf(follower.core, 'orders')).toEqual(['a']);
    expect(script.seen('GET dump')[0]?.query.get('chunkSize')).toBe('4711');
    await follower.until(applied(20));
  });
});

describe('initialSyncMaxWaitTime', () => {
  test('is how long the leader may be silent before a page of a collection', async () => {
    await using script = await LeaderScript.open();
    script.always(STATE, loggerState({ lastLogTick: '20' })).always(FOLLOW, idle(20));
    listing(script, { ...page([]), delayMs: 60_000 });
    const body = { endpoint: script.endpoint, initialSyncMaxWaitTime: 0.2 };
    // A leader without a journal of ours is given the time besides that it may take to flush.
    const asking = ['make-follower', 'sync'].map(async (command) => {
      const { send } = await openHttpFollower({ fetchRetries: 0 });
      return (await send('PUT', command, body)).json;
    });
    const refused = { code: 500, errorNum: 1400 };
    expect(await Promise.all(asking)).toMatchObject([refused, refused]);
  });
});

describe('jwt', () => {
  test.each([
    [{ jwt: 'abc' }, 'bearer abc'],
    [{ jwt: 'abc', username: '' }, 'bearer abc'],
    [{ jwt: 'abc', username: 'u', password: 'p' }, `Basic ${btoa('u:p')}`],
    [{}, undefined],
  ])('%j is sent as %j', async (config, wanted) => {
    const scene = await openScene();
    scene.script.always(STATE, loggerState()).always(FOLLOW, idle(11));
    await scene.start(10n, config);
    await scene.follower.until(({ phase }) => phase === 'tailing');
    expect(scene.script.requests[0]?.headers.authorization).toBe(wanted);
    // A leader of our kind is to answer in the shapes in which it stores its lines.
    expect(scene.script.requests[0]?.headers['x-arango-version']).toBe('10400');
  });
});

describe('verbose', () => {
  test.each([true, false])('%j: pages applied are logged or not', async (verbose) => {
    const { logger, lines } = recorder();
    const scene = await openScene({ logger });
    scene.script
      .always(STATE, loggerState())
      .next(FOLLOW, log([put(11, 'a'), put(12, 'b')], { lastTick: 12 }))
      .always(FOLLOW, idle(12));
    await scene.start(10n, { verbose });
    await scene.follower.until(applied(12));
    const pages = lines.filter(({ message }) => message === 'page applied');
    expect(pages.map(({ obj }) => obj)).toMatchObject(verbose ? [{ events: 2, to: '12' }] : []);
  });

  test.each([true, false])('%j: steps of a copy are logged or not', async (verbose) => {
    const { logger, lines } = recorder();
    const scene = await openScene({ logger });
    scene.script.always(STATE, loggerState({ lastLogTick: '20' })).always(FOLLOW, idle(20));
    listing(scene.script, page([]));
    const { applier } = scene.follower;
    const settings = { endpoint: scene.script.endpoint, verbose };
    await applier.follow(settings, new AbortController().signal);
    const steps = lines.filter(({ message }) => message === 'sync under way');
    expect(steps.length > 3).toBe(verbose);
  });
});

describe('a barrier', () => {
  test('is prolonged while a copy is made', async () => {
    await using script = await LeaderScript.open();
    script.always(STATE, loggerState({ version: '3.0.3', lastLogTick: '20' }));
    listing(script, { ...page([]), delayMs: 400 });
    script
      .always('POST barrier', json({ id: '4321' }))
      .next('PUT barrier/4321', { status: 500 })
      .always('PUT barrier/4321', { status: 204 })
      .always('DELETE barrier/4321', { status: 204 });
    await using follower = await SyncFollower.open(script, { barrierTtlSeconds: 0.2 });
    await follower.sync();
    const prolonged = script.seen('PUT barrier');
    expect(prolonged.length).toBeGreaterThan(1);
    expect(JSON.parse(prolonged[0]?.body ?? '')).toEqual({ ttl: 0.2, tick: '20' });
    expect(script.seen('DELETE barrier')).toHaveLength(1);
    await vi.waitFor(() => expect(script.surprises).toEqual([]), 10_000);
  });

  test('holds what a copy that is gone on with will need', async () => {
    await using script = await LeaderScript.open();
    script.always(STATE, loggerState({ version: '3.0.3', lastLogTick: '20' }));
    listing(script, page([]));
    script
      .always('POST barrier', json({ id: '4321' }))
      .always('DELETE barrier/4321', { status: 204 })
      .always(
        FOLLOW,
        log([], { lastTick: 50, headers: { 'x-arango-replication-frompresent': 'true' } }),
      )
      .next('GET dump', refusal(404, 404));
    await using follower = await SyncFollower.open(script);
    await expect(follower.sync()).rejects.toMatchObject({ errorNum: 1402 });
    script.always(STATE, loggerState({ version: '3.0.3', lastLogTick: '50' }));
    expect((await follower.sync()).lastLogTick).toBe(20n);
    const ticks = script.seen('POST barrier').map(({ body }) => JSON.parse(body) as object);
    expect(ticks).toMatchObject([{ tick: '20' }, { tick: '20' }]);
  });
});
