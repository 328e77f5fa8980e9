import { describe, expect, test, vi } from 'vitest';
import { type ScriptAnswer, json, loggerState } from '../support/leader-script.ts';
import { documentsOf } from '../support/sync-follower.ts';
import {
  type PageOptions,
  type Scene,
  FOLLOW,
  STATE,
  applied,
  idle,
  keys,
  log,
  openScene,
} from './applier-scene.ts';

const PUT_FOLLOW = 'PUT logger-follow';
const OPEN = 'GET determine-open-transactions';

/** A line of 3.0; `tid` is `"0"` outside of transactions. */
function put3(tick: number, key: string, tid = 0, more: Record<string, unknown> = {}): string {
  const data = { _id: `c/${key}`, _key: key, _rev: String(tick), tick };
  const where = { database: '1', cid: '77', cname: 'c' };
  return JSON.stringify({
    ...{ tick: String(tick), type: 2300, tid: String(tid), ...where },
    data,
    ...more,
  });
}

function mark3(tick: number, type: number, tid: number): string {
  return JSON.stringify({ tick: String(tick), type, tid: String(tid), database: '1' });
}

/** The answer about open transactions. */
function openTids(tids: readonly number[], restartTick: number): ScriptAnswer {
  return {
    ...json(tids.map(String)),
    headers: {
      'content-type': 'application/x-arango-dump; charset=utf-8',
      'x-arango-replication-frompresent': 'false',
      'x-arango-replication-lasttick': String(restartTick),
    },
  };
}

/** What `c` holds: from which line each document is. */
async function ticks({ follower }: Scene): Promise<Record<string, unknown>> {
  const documents = await documentsOf(follower.core.store, follower.database.get('c'));
  return Object.fromEntries(
    Object.entries(documents).map(([key, value]) => [key, (value as { tick: number }).tick]),
  );
}

async function open3(version = '3.0.3'): Promise<Scene> {
  const scene = await openScene();
  scene.script.always(STATE, loggerState({ version })).always(OPEN, openTids([], 100));
  return scene;
}

describe('a leader of 2.7 to 3.3', () => {
  test.each(['2.7.0', '2.8.11', '3.0.3', '3.3.25'])(
    'of version %s is asked for its open transactions, and for its log by PUT',
    async (version) => {
      const scene = await open3(version);
      const { script, follower } = scene;
      script.next(PUT_FOLLOW, log([put3(101, 'a')], { lastTick: 101 }));
      script.always(PUT_FOLLOW, idle(101));
      await scene.start(100n);
      await follower.until(applied(101));
      await follower.applier.stop();
      const [asked] = script.seen(OPEN);
      expect([asked?.query.get('from'), asked?.query.get('to')]).toEqual(['0', '100']);
      const [first] = script.seen(PUT_FOLLOW);
      expect(first?.body).toBe('[]');
      expect(first?.query.get('from')).toBe('100');
      expect(first?.query.get('firstRegularTick')).toBe('100');
      expect(script.seen(FOLLOW)).toEqual([]);
      // Once following has begun it is known what is open.
      await scene.start();
      await follower.until(({ totalRequests }) => totalRequests > 4);
      expect(script.seen(OPEN)).toHaveLength(1);
      expect(script.surprises).toEqual([]);
    },
  );

  test('is followed from where its open transactions began; what else lies there is not applied again', async () => {
    const scene = await open3();
    const { script, follower } = scene;
    script.always(OPEN, openTids([70, 80], 79));
    script
      .next(
        PUT_FOLLOW,
        log(
          [
            mark3(80, 2200, 70),
            put3(81, 'a', 70),
            put3(85, 'old'),
            mark3(86, 2200, 80),
            put3(90, 'b', 80),
          ],
          { lastTick: 110, checkMore: true },
        ),
      )
      .next(
        PUT_FOLLOW,
        log(
          [
            put3(101, 'c'),
            put3(102, 'a2', 70),
            mark3(103, 2202, 80),
            mark3(104, 2201, 70),
            put3(110, 'd'),
          ],
          { lastTick: 110 },
        ),
      )
      .always(PUT_FOLLOW, idle(110));
    await scene.start(100n);
    const state = await follower.until(applied(110));
    expect(await ticks(scene)).toEqual({ a: 81, a2: 102, c: 101, d: 110 });
    expect(state).toMatchObject({ safeResumeTick: '110', openTransactions: [] });
    const requests = script.seen(PUT_FOLLOW);
    expect(requests[0]?.query.get('from')).toBe('79');
    expect(requests[0]?.query.get('firstRegularTick')).toBe('100');
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual(['70', '80']);
  });

  test('is gone on with after a restart in the middle of what is read a second time', async () => {
    const scene = await open3();
    const { script, follower } = scene;
    script.always(OPEN, openTids([70], 79));
    const held: ScriptAnswer = { ...idle(110), delayMs: 60_000 };
    script
      .next(
        PUT_FOLLOW,
        log([mark3(80, 2200, 70), put3(81, 'a', 70)], { lastTick: 110, checkMore: true }),
      )
      .next(PUT_FOLLOW, held);
    await scene.start(100n);
    const open = await follower.until(({ openTransactions }) => openTransactions.length === 1);
    expect(open).toMatchObject({ lastAppliedContinuousTick: '100', safeResumeTick: '80' });
    // The answer that is held must have been taken; else the next run gets it.
    await vi.waitFor(() => expect(script.seen(PUT_FOLLOW)).toHaveLength(2), 20_000);
    await follower.restart();
    script
      .next(
        PUT_FOLLOW,
        log([put3(95, 'old'), put3(96, 'b', 70)], { lastTick: 110, checkMore: true }),
      )
      .next(PUT_FOLLOW, log([mark3(110, 2201, 70)], { lastTick: 110 }))
      .always(PUT_FOLLOW, idle(110));
    await follower.applier.start();
    await follower.until(applied(110));
    expect(await ticks(scene)).toEqual({ a: 81, b: 96 });
    expect(script.seen(OPEN)).toHaveLength(1);
    const froms = script.seen(PUT_FOLLOW).map(({ query }) => query.get('from'));
    expect(froms.slice(0, 4)).toEqual(['79', '81', '81', '96']);
    expect(JSON.parse(script.seen(PUT_FOLLOW)[2]?.body ?? '')).toEqual(['70']);
  });

  test('that does not tell what is open is followed all the same', async () => {
    const scene = await open3();
    scene.script.always(OPEN, { status: 400 });
    scene.script.next(PUT_FOLLOW, log([put3(101, 'a')], { lastTick: 101 }));
    scene.script.always(PUT_FOLLOW, idle(101));
    await scene.start(100n);
    await scene.follower.until(applied(101));
  });

  test('that cannot be reached when asked what is open is asked again', async () => {
    const scene = await open3();
    scene.script.next(OPEN, { status: 503 }, { status: 503 });
    scene.script.always(PUT_FOLLOW, idle(101));
    await scene.start(100n);
    await scene.follower.until(({ phase }) => phase === 'tailing');
    expect(scene.script.seen(OPEN)).toHaveLength(3);
  });

  test('mixes transactions, with changes of collections and others between, and each is applied at its end', async () => {
    const scene = await open3();
    const { script, follower } = scene;
    const created = JSON.stringify({
      ...{ tick: '105', type: 2000, database: '1', cid: '900', cname: 'new' },
      data: { cid: '900', name: 'new', type: 2, version: 5 },
    });
    const edge = JSON.stringify({
      ...{ tick: '112', type: 2300, tid: '0', database: '1', cid: '901', cname: 'e' },
      data: { _id: 'e/x', _key: 'x', _rev: '112', _from: 'c/a', _to: 'c/b' },
    });
    const edges = JSON.stringify({
      ...{ tick: '111', type: 2000, database: '1', cid: '901', cname: 'e' },
      data: { cid: '901', name: 'e', type: 3, version: 5 },
    });
    const dropped = JSON.stringify({
      ...{ tick: '113', type: 2001, database: '1', cid: '900', cname: 'new' },
      data: { id: '900', name: 'new' },
    });
    const lines = [
      ...[mark3(101, 2200, 50), put3(102, 'a', 50), mark3(103, 2200, 60), put3(104, 'a', 60)],
      ...[created, put3(106, 'b', 50), put3(107, 'z', 60), mark3(108, 2201, 60), put3(109, 's')],
      ...[mark3(110, 2201, 50), edges, edge, dropped],
    ];
    // In pages that end anywhere.
    for (let at = 0; at < lines.length; at += 3) {
      script.next(
        PUT_FOLLOW,
        log(lines.slice(at, at + 3), { lastTick: 113, checkMore: at + 3 < lines.length }),
      );
    }
    script.always(PUT_FOLLOW, idle(113));
    await scene.start(100n);
    await follower.until(applied(113));
    // The one that committed last has the last word.
    expect(await ticks(scene)).toEqual({ a: 102, b: 106, s: 109, z: 107 });
    const { store } = follower.core;
    expect(await documentsOf(store, follower.database.get('e'))).toEqual({
      x: { _key: 'x', _rev: '112', _from: 'c/a', _to: 'c/b' },
    });
    expect(follower.database.byName('new')).toBeUndefined();
  });

  test('names no collection that it no longer has: what concerns one that is not here either is passed over', async () => {
    const scene = await open3();
    const { script, follower } = scene;
    const gone = put3(101, 'x', 0, { cid: '555', cname: undefined });
    const index = JSON.stringify({
      ...{ tick: '102', type: 2100, database: '1', cid: '555' },
      data: { id: '9', type: 'hash', fields: ['a'], unique: false },
    });
    const ours = put3(103, 'y', 0, { cname: undefined });
    script
      .next(PUT_FOLLOW, log([gone, index, ours], { lastTick: 103 }))
      .always(PUT_FOLLOW, idle(103));
    await scene.start(100n);
    const state = await follower.until(applied(103));
    expect(state.totalOperationsExcluded).toBe(2);
    expect(await keys(scene)).toEqual(['y']);
  });

  test('whose last events are those of other databases has been caught up with', async () => {
    const scene = await open3();
    scene.script.next(PUT_FOLLOW, log([put3(101, 'a')], { lastTick: 150 }));
    scene.script.always(PUT_FOLLOW, idle(150));
    await scene.start(100n, { idleMinWaitTime: 0.25 });
    await scene.follower.until(({ secondsBehind }) => secondsBehind === 0);
  });
});

describe('a leader of 2.2 to 2.6', () => {
  test('is followed by GET, and not asked for what it does not know', async () => {
    const scene = await open3('2.5.7');
    const { script, follower } = scene;
    const options: PageOptions = { lastTick: 105 };
    script
      .next(
        FOLLOW,
        log(
          [mark3(101, 2200, 50), put3(102, 'a', 50), put3(103, 'b'), mark3(104, 2201, 50)],
          options,
        ),
      )
      .always(FOLLOW, idle(105));
    await scene.start(100n);
    await follower.until(applied(104));
    expect(await keys(scene)).toEqual(['a', 'b']);
    expect([...script.seen(OPEN), ...script.seen(PUT_FOLLOW)]).toEqual([]);
    expect(script.seen(FOLLOW)[0]?.query.has('firstRegularTick')).toBe(false);
  });

  test('that sends a part of a transaction whose beginning it did not send stops it with 1408', async () => {
    const scene = await open3('2.5.7');
    scene.script.always(FOLLOW, log([put3(101, 'a', 50)], { lastTick: 101 }));
    await scene.start(100n);
    expect((await scene.follower.stopped()).lastError.errorNum).toBe(1408);
  });
});
