import { describe, expect, onTestFinished, test } from 'vitest';
import {
  LeaderScript,
  type ScriptAnswer,
  type ScriptStep,
  json,
  loggerState,
  page,
  readWireCapture,
  replay,
} from '../support/leader-script.ts';
import { documentsOf } from '../support/sync-follower.ts';
import { ApplierFollower, type SeenState } from './applier-follower.ts';

const FOLLOW = 'GET logger-follow';
const STATE = 'GET logger-state';

interface Scene {
  readonly script: LeaderScript;
  readonly follower: ApplierFollower;
  readonly start: (from?: bigint, config?: Record<string, unknown>) => Promise<void>;
}

/** A scripted leader, and a follower with the collection `c` of id 77. */
async function openScene(): Promise<Scene> {
  const script = await LeaderScript.open();
  const follower = await ApplierFollower.open();
  onTestFinished(async () => {
    await follower[Symbol.asyncDispose]();
    await script[Symbol.asyncDispose]();
  });
  await follower.core.collections.createWith(follower.database, {
    version: 4,
    type: 2,
    cid: '77',
    deleted: false,
    doCompact: true,
    maximalSize: 1_048_576,
    name: 'c',
    isVolatile: false,
    waitForSync: false,
  });
  return {
    script,
    follower,
    start: (from, config) => follower.follow(script.endpoint, from, config),
  };
}

function put(tick: number, key: string): string {
  const document = { _key: key, _rev: String(tick), tick };
  const line = { type: 2300, cid: '77', cname: 'c', key, rev: String(tick), data: document };
  return JSON.stringify({ tick: String(tick), ...line });
}

interface PageOptions {
  readonly lastTick: number;
  readonly checkMore?: boolean;
  readonly ticklog?: boolean;
  readonly lastIncluded?: number;
  readonly headers?: Record<string, string>;
}

/** A page of the log. */
function log(lines: readonly string[], options: PageOptions): ScriptAnswer {
  const { lastTick, lastIncluded, headers, ...rest } = options;
  return page(lines, {
    ...rest,
    ...(lastIncluded === undefined ? {} : { lastIncluded: String(lastIncluded) }),
    headers: { 'x-arango-replication-lasttick': String(lastTick), ...headers },
  });
}

/** Nothing new; a ticklog leader holds the request for a moment. */
function idle(lastTick: number, headers: Record<string, string> = {}): ScriptAnswer {
  return { ...log([], { lastTick, lastIncluded: 0, headers }), delayMs: 20 };
}

interface Run {
  readonly id: string;
  readonly firstTick: string;
  readonly foundTick: string;
}

/** logger-state of a ticklog leader that has had these runs. */
function ticklogState(runs: readonly Run[], serverId = '4711'): ScriptAnswer {
  return json({
    state: { running: true, lastLogTick: '1000', totalEvents: 1, time: '2020-01-01T00:00:00Z' },
    server: { version: '1.4.3', serverId, incarnations: runs },
    clients: [],
  });
}

function run(id: string, foundTick: number): Run {
  return { id, firstTick: String(foundTick + 100), foundTick: String(foundTick) };
}

async function keys({ follower }: Scene): Promise<string[]> {
  const { store } = follower.core;
  return Object.keys(await documentsOf(store, follower.database.get('c')));
}

function applied(tick: number): (state: SeenState) => boolean {
  return ({ lastAppliedContinuousTick }) => lastAppliedContinuousTick === String(tick);
}

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
    await follower.until(({ totalRequests }) => totalRequests >= 5);
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
    'whose page lacks %s stops it with 1401',
    async (header) => {
      const scene = await openScene();
      const good = log([put(11, 'a')], { lastTick: 11 });
      const headers = Object.entries(good.headers ?? {}).filter(([name]) => name !== header);
      scene.script
        .always(STATE, loggerState())
        .next(FOLLOW, { ...good, headers: Object.fromEntries(headers) });
      await scene.start(10n);
      expect((await scene.follower.stopped()).lastError.errorNum).toBe(1401);
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

const CAPTURE = readWireCapture('arangodb-1.4.3/wire/follower-to-leader.raw');
const SMALL_CHUNKS = readWireCapture('arangodb-1.4.3/wire/follower-to-leader-small-chunks.raw');

// The captures are kept beside the project; without them there is nothing to replay.
if (!CAPTURE || !SMALL_CHUNKS) {
  process.stderr.write('SKIPPED: the captures of real leaders are not here; nothing is replayed\n');
}

/** Leaves out the answers without news before one with news, each of which costs an idle pause. */
function withoutIdling(capture: Buffer | undefined): Buffer {
  const text = (capture ?? '').toString('latin1');
  const exchanges = text.split(/(?=\n=== >>> request )/);
  const targetOf = (exchange: string): string => /GET \S+/.exec(exchange)?.[0] ?? '';
  const news = new Set(exchanges.filter((each) => each.includes('\nHTTP/1.1 200')).map(targetOf));
  const kept = exchanges.filter(
    (each) => !each.includes('\nHTTP/1.1 204') || !news.has(targetOf(each)),
  );
  return Buffer.from(kept.join(''), 'latin1');
}

describe('the wire captured from a real 1.4.3 leader', () => {
  test.skipIf(!CAPTURE)(
    'is followed as the real follower did: changes, transaction, rename',
    async () => {
      const scene = await openScene();
      const { script, follower } = scene;
      replay(script, withoutIdling(CAPTURE), ['chunkSize']);
      const { collections } = follower.core;
      const { parameters } = follower.database.get('c');
      const people = { ...parameters, cid: '13001126', name: 'people' };
      await collections.createWith(follower.database, people);
      await collections.createWith(follower.database, {
        ...parameters,
        type: 3,
        cid: '13787558',
        name: 'knows',
      });
      await scene.start(61_563_302n);
      // Up to where the capture's follower lost a collection; ours still has it, and goes on.
      const state = await follower.until(applied(65_626_534));
      expect(state).toMatchObject({ running: true, lastError: { errorNum: 0 } });
      const { store } = follower.core;
      const { live, l1 } = await documentsOf(store, follower.database.get('people'));
      expect(live).toEqual({ _key: 'live', _rev: '62087590', uid: 1001, serial: 1001 });
      expect(l1).toEqual({ _key: 'l1', _rev: '63201702', uid: 1011, serial: 1011 });
      expect(await documentsOf(store, follower.database.get('knows'))).toEqual({
        le: { _key: 'le', _rev: '63267238', _from: 'people/l1', _to: 'people/l1' },
      });
      expect(follower.database.get('livecol2').cid).toBe('62349734');
      expect(follower.database.byName('livecol')).toBeUndefined();
      expect(await documentsOf(store, follower.database.get('livecol2'))).toHaveProperty('nope');
      await follower.applier.stop();
      expect(script.surprises).toEqual([]);
    },
  );

  test.skipIf(!SMALL_CHUNKS)('in small pages is followed to its end', async () => {
    const scene = await openScene();
    const { script, follower } = scene;
    replay(script, SMALL_CHUNKS ?? Buffer.alloc(0));
    const { parameters } = follower.database.get('c');
    const names = [
      ...(SMALL_CHUNKS ?? '').toString('utf8').matchAll(/"cid":"([0-9]+)","cname":"([a-z0-9]+)"/g),
    ];
    for (const [cid, name] of new Map(names.map(([, cid = '', name = '']) => [cid, name]))) {
      await follower.core.collections.createWith(follower.database, { ...parameters, cid, name });
    }
    await scene.start(66_806_182n, { chunkSize: 1000 });
    const state = await follower.until(applied(76_898_726));
    expect(state.totalEvents).toBe(30);
    await follower.applier.stop();
    expect(script.surprises).toEqual([]);
  });
});
