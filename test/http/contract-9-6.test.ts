import { describe, expect, test } from 'vitest';
import {
  applierUntil,
  type AskedServer,
  createSynced,
  loggerState,
  openAskedServer,
  type Seen,
} from '../support/asked-server.ts';
import { startScriptedServer } from '../support/scripted-server.ts';

/*
 * The checks of ArangoDB's own replication suites, row by row as the contract (9.6) lists them, made over
 * HTTP of whole servers whose loggers do not run before they are started. Other files test the same things
 * more closely.
 */

const UNREACHABLE = 'tcp://127.0.0.1:1';
const DUMP_TYPE = 'application/x-arango-dump; charset=utf-8';
const DIGITS = /^[0-9]+$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** As the suites find it: its logger has never run. */
function openServer(): Promise<AskedServer> {
  return openAskedServer({ 'logger.auto-start': 'false' });
}

function expectEmptyPage(page: Seen): void {
  expect([page.status, page.text]).toEqual([204, '']);
  expect([page.checkMore, page.lastIncluded]).toEqual(['false', '0']);
  expect(page.headers['content-type']).toBe(DUMP_TYPE);
}

describe('contract 9.6, the logger', () => {
  test('1 fresh server: logger-state running false, lastLogTick digits, time pattern, server.serverId digits', async () => {
    await using server = await openServer();
    const { status, json } = await server.ask('GET', 'replication/logger-state');
    expect(status).toBe(200);
    expect(json).toMatchObject({
      state: {
        running: false,
        lastLogTick: expect.stringMatching(DIGITS) as string,
        time: expect.stringMatching(TIME) as string,
      },
      server: { serverId: expect.stringMatching(DIGITS) as string },
    });
  });

  test('2 start twice, stop twice: 200 with running true, false', async () => {
    await using server = await openServer();
    for (const what of ['stop', 'start', 'start', 'stop', 'stop']) {
      const running = what === 'start';
      const { status, json } = await server.ask('PUT', `replication/logger-${what}`, '');
      expect([status, json]).toEqual([200, { running }]);
      expect(await loggerState(server)).toMatchObject({ running });
    }
  });

  test('3 start, follow from lastLogTick: 204, checkmore false, lastincluded 0, dump content type, no body', async () => {
    await using server = await openServer();
    await server.ask('PUT', 'replication/logger-start', '');
    const from = (await loggerState(server)).lastLogTick;
    expectEmptyPage(await server.ask('GET', `replication/logger-follow?from=${from}`));
  });

  test('4 then create a collection: exactly one line, type 2000, the id of the API, waitForSync true', async () => {
    await using server = await openServer();
    await server.ask('PUT', 'replication/logger-start', '');
    const from = (await loggerState(server)).lastLogTick;
    const cid = await createSynced(server, 'UnitTestsReplication');
    const page = await server.ask('GET', `replication/logger-follow?from=${from}`);
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toBe(DUMP_TYPE);
    expect(page.lines).toHaveLength(1);
    const [line] = page.lines;
    expect(line).toMatchObject({
      type: 2000,
      cid,
      collection: { cid, name: 'UnitTestsReplication', type: 2, waitForSync: true, deleted: false },
    });
    expect(line!['tick']).toBe(page.lastIncluded);
    expect(BigInt(page.lastIncluded)).toBeGreaterThan(BigInt(from));
  });

  test('5 create, insert, delete, drop: 2000, 2300, 2302 (oldRev = inserted rev, rev different), 2001; 201 and 200', async () => {
    await using server = await openServer();
    await server.ask('PUT', 'replication/logger-start', '');
    const from = (await loggerState(server)).lastLogTick;
    const cid = await createSynced(server, 'UnitTestsReplication');
    const saved = await server.ask('POST', 'document?collection=UnitTestsReplication', {
      ...{ _key: 'abc', test: false },
    });
    expect(saved.status).toBe(201);
    const removed = await server.ask('DELETE', 'document/UnitTestsReplication/abc');
    expect(removed.status).toBe(200);
    expect((await server.ask('DELETE', 'collection/UnitTestsReplication')).status).toBe(200);
    const { lines } = await server.ask('GET', `replication/logger-follow?from=${from}`);
    expect(lines.map(({ type }) => type)).toEqual([2000, 2300, 2302, 2001]);
    for (const line of lines) expect(line['cid']).toBe(cid);
    const [, insertion, removal] = lines;
    const rev = saved.json['_rev'];
    const data = { _key: 'abc', _rev: rev, test: false };
    expect(insertion).toMatchObject({ key: 'abc', rev, data });
    expect(insertion).not.toHaveProperty('oldRev');
    expect(removal).toMatchObject({ key: 'abc', oldRev: rev });
    expect(removal!['rev']).toMatch(DIGITS);
    expect(removal!['rev']).not.toBe(rev);
  });

  test('9 each logged operation raises totalEvents by 1 (start and stop too)', async () => {
    await using server = await openServer();
    const raised = async (method: string, path: string, body: unknown = ''): Promise<number> => {
      const before = (await loggerState(server)).totalEvents;
      const { status } = await server.ask(method, path, body);
      expect(status, `${method} ${path}`).toBeLessThan(300);
      return (await loggerState(server)).totalEvents - before;
    };
    const index = { type: 'hash', unique: false, fields: ['a'] };
    const events = [
      await raised('POST', 'collection', { name: 'unlogged' }),
      await raised('PUT', 'replication/logger-start'),
      await raised('POST', 'collection', { name: 'c' }),
      await raised('POST', 'index?collection=c', index),
      await raised('POST', 'document?collection=c', { _key: 'a' }),
      await raised('PUT', 'document/c/a', { a: 2 }),
      await raised('PATCH', 'document/c/a', { b: 2 }),
      await raised('DELETE', 'document/c/a'),
      await raised('PUT', 'collection/c/properties', { waitForSync: true }),
      await raised('PUT', 'collection/c/rename', { name: 'd' }),
      await raised('DELETE', 'collection/d'),
      await raised('PUT', 'replication/logger-stop'),
    ];
    expect(events).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('10 logger properties below the minimum: errorNum 1409, configuration unchanged', async () => {
    await using server = await openServer();
    const config = (await server.ask('GET', 'replication/logger-config')).json;
    for (const body of [
      ...[{ maxEvents: 1 }, { maxEvents: 4095 }, { maxEventsSize: 1 }, { maxEventsSize: 1048575 }],
      { autoStart: true, logRemoteChanges: true, maxEvents: 8192, maxEventsSize: 5 },
    ]) {
      const refused = await server.ask('PUT', 'replication/logger-config', body);
      expect(refused.json).toMatchObject({ error: true, errorNum: 1409 });
      expect((await server.ask('GET', 'replication/logger-config')).json).toEqual(config);
    }
    const least = { maxEvents: 4096, maxEventsSize: 1048576 };
    const taken = await server.ask('PUT', 'replication/logger-config', least);
    expect([taken.status, taken.json]).toEqual([200, { ...config, ...least }]);
  });
});

describe('contract 9.6, inventory and dump', () => {
  test('6 inventory?includeSystem=false without user collections: collections is []', async () => {
    await using server = await openServer();
    await server.ask('POST', 'collection', { name: '_UnitTests', isSystem: true });
    const { status, json } = await server.ask('GET', 'replication/inventory?includeSystem=false');
    expect([status, json['collections']]).toEqual([200, []]);
    expect(json['tick']).toMatch(DIGITS);
    expect(json['state']).toMatchObject({ running: false });
  });

  test('7 inventory: document before edge; indexes in creation order, with what their types have', async () => {
    await using server = await openServer();
    // The edges first: it is their type that orders them.
    const edges = await createSynced(server, 'UnitTestsReplication2', 3);
    const documents = await createSynced(server, 'UnitTestsReplication', 2);
    const make = async (collection: string, index: object): Promise<void> => {
      expect((await server.ask('POST', `index?collection=${collection}`, index)).status).toBe(201);
    };
    const first = 'UnitTestsReplication';
    await make(first, { type: 'hash', unique: false, fields: ['name', 'type'] });
    await make(first, { type: 'skiplist', unique: true, fields: ['ab', 'ba'] });
    await make(first, { type: 'cap', size: 9991 });
    const second = 'UnitTestsReplication2';
    await make(second, { type: 'geo', fields: ['a', 'b'] });
    await make(second, { type: 'skiplist', unique: true, fields: ['d'] });
    await make(second, { type: 'fulltext', fields: ['ff'], minLength: 8 });
    await make(second, { type: 'cap', byteSize: 1048576 });
    const { json } = await server.ask('GET', 'replication/inventory');
    const found = json['collections'] as {
      parameters: Record<string, unknown>;
      indexes: Record<string, unknown>[];
    }[];
    expect(found.map(({ parameters }) => [parameters['cid'], parameters['type']])).toEqual([
      [documents, 2],
      [edges, 3],
    ]);
    const ids = found.flatMap(({ indexes }) => indexes.map(({ id }) => id));
    expect(ids).toHaveLength(7);
    for (const id of ids) expect(id).toMatch(DIGITS);
    expect(found.map(({ indexes }) => indexes)).toMatchObject([
      [
        { type: 'hash', unique: false, fields: ['name', 'type'] },
        { type: 'skiplist', unique: true, fields: ['ab', 'ba'] },
        { type: 'cap', unique: false, size: 9991, byteSize: 0 },
      ],
      [
        { type: 'geo2', unique: false, fields: ['a', 'b'] },
        { type: 'skiplist', unique: true, fields: ['d'] },
        { type: 'fulltext', unique: false, minLength: 8, fields: ['ff'] },
        { type: 'cap', unique: false, size: 0, byteSize: 1048576 },
      ],
    ]);
  });

  /** A server with an empty collection whose writes do not wait for the disk. */
  async function openWithCollection(): Promise<AskedServer> {
    const server = await openServer();
    await server.ask('POST', 'collection', { name: 'c', waitForSync: false });
    return server;
  }

  function dump({ ask }: AskedServer, query = ''): Promise<Seen> {
    return ask('GET', `replication/dump?collection=c${query}`);
  }

  async function insert({ ask }: AskedServer, count: number): Promise<string[]> {
    const revisions: string[] = [];
    for (let i = 0; i < count; i++) {
      const { status, json } = await ask('POST', 'document?collection=c', { _key: `k${i}`, i });
      expect(status).toBe(202);
      revisions.push(String(json['_rev']));
    }
    return revisions;
  }

  test('8 dump of an empty collection: 204', async () => {
    await using server = await openWithCollection();
    expectEmptyPage(await dump(server));
    expectEmptyPage(await dump(server, '&chunkSize=1&from=17'));
  });

  test('8 dump of 100 documents: all with the default size, fewer and checkmore true with chunkSize 1024', async () => {
    await using server = await openWithCollection();
    const revisions = await insert(server, 100);
    const whole = await dump(server);
    expect([whole.status, whole.checkMore]).toEqual([200, 'false']);
    expect(whole.headers['content-type']).toBe(DUMP_TYPE);
    expect(whole.lines).toHaveLength(100);
    for (const [i, line] of whole.lines.entries()) {
      const [key, rev] = [`k${i}`, revisions[i]];
      expect(line).toMatchObject({ type: 2300, key, rev, data: { _key: key, _rev: rev, i } });
      expect(line['tick']).toMatch(DIGITS);
    }
    expect(whole.lines.at(-1)!['tick']).toBe(whole.lastIncluded);
    const part = await dump(server, '&chunkSize=1024');
    expect(part.checkMore).toBe('true');
    expect(part.lines.length).toBeGreaterThan(0);
    expect(part.lines.length).toBeLessThan(100);
  });

  test('8 dump of edges: 2301, the ends with the names of their collections', async () => {
    await using server = await openWithCollection();
    await server.ask('POST', 'collection', { name: 'e', type: 3 });
    for (let i = 0; i < 10; i++) {
      const ends = `from=c/a${i}&to=c/b${i}`;
      const { status } = await server.ask('POST', `edge?collection=e&${ends}`, { _key: `k${i}` });
      expect(status).toBe(202);
    }
    const { lines } = await server.ask('GET', 'replication/dump?collection=e');
    expect(lines.map(({ type, key, data }) => ({ type, key, data }))).toMatchObject(
      Array.from({ length: 10 }, (_, i) => ({
        ...{ type: 2301, key: `k${i}`, data: { _key: `k${i}`, _from: `c/a${i}`, _to: `c/b${i}` } },
      })),
    );
  });

  test.each(['each is removed', 'the collection is truncated'])(
    '8 dump of 10 documents after %s: 20 lines, the last ten of type 2302',
    async (how) => {
      await using server = await openWithCollection();
      await insert(server, 10);
      if (how === 'each is removed') {
        for (let i = 0; i < 10; i++) {
          expect((await server.ask('DELETE', `document/c/k${i}`)).status).toBe(202);
        }
      } else await server.ask('PUT', 'collection/c/truncate', '');
      const { lines } = await dump(server);
      expect(lines.map(({ type }) => type)).toEqual([
        ...Array<number>(10).fill(2300),
        ...Array<number>(10).fill(2302),
      ]);
      const keys = (some: Record<string, unknown>[]): string[] =>
        some.map(({ key }) => String(key)).sort();
      expect(keys(lines.slice(10))).toEqual(keys(lines.slice(0, 10)));
    },
  );

  test('8 dump of 10 documents with chunkSize 1: ten calls with one line each, checkmore false in the tenth', async () => {
    await using server = await openWithCollection();
    await insert(server, 10);
    let from = '0';
    for (let i = 0; i < 10; i++) {
      const page = await dump(server, `&chunkSize=1&from=${from}`);
      expect(page.lines.map(({ key }) => key)).toEqual([`k${i}`]);
      expect(page.checkMore).toBe(i < 9 ? 'true' : 'false');
      from = page.lastIncluded;
    }
    expectEmptyPage(await dump(server, `&chunkSize=1&from=${from}`));
  });
});

describe('contract 9.6, the applier', () => {
  const expectError = ({ status, json }: Seen, code: number, errorNum: number): void => {
    expect(json).toMatchObject({ error: true, code, errorNum });
    expect(status).toBe(code);
  };

  test('11 start without configuration: 1410; configuration without endpoint: 1410; changes while running: 1411', async () => {
    await using server = await openServer();
    const put = (command: string, body: unknown): Promise<Seen> =>
      server.ask('PUT', `replication/${command}`, body);
    expectError(await put('applier-start', ''), 400, 1410);
    expectError(await put('applier-config', {}), 400, 1410);
    expectError(await put('applier-config', { autoStart: true, chunkSize: 4096 }), 400, 1410);
    const config = { endpoint: UNREACHABLE, maxConnectRetries: 100 };
    expect((await put('applier-config', config)).json).toMatchObject(config);
    expect((await put('applier-start?from=1', '')).status).toBe(200);
    expectError(await put('applier-config', { ...config, maxConnectRetries: 3 }), 400, 1411);
    expect((await server.ask('GET', 'replication/applier-config')).json).toMatchObject(config);
  });

  test('12 unreachable endpoint, maxConnectRetries 1: running shortly after the start, stopped with 1400 within 30 s', async () => {
    await using server = await openServer();
    const config = { endpoint: UNREACHABLE, maxConnectRetries: 1 };
    await server.ask('PUT', 'replication/applier-config', config);
    const { json } = await server.ask('PUT', 'replication/applier-start?from=1', '');
    expect(json['state']).toMatchObject({ running: true, lastError: { errorNum: 0 } });
    const state = await applierUntil(server, ({ running }) => !running);
    expect(state.lastError).toMatchObject({ errorNum: 1400 });
  }, 60_000);

  test('13 sync of an unreachable host: 1400; of a foreign web server 1401 or 1402; bad restrictions 400', async () => {
    await using server = await openServer();
    await using foreign = await startScriptedServer({});
    const page = { headers: { 'content-type': 'text/html' }, body: '<html></html>' };
    const state = 'GET /_db/_system/_api/replication/logger-state';
    await using polite = await startScriptedServer({ [state]: () => page });
    const sync = (body: unknown): Promise<Seen> => server.ask('PUT', 'replication/sync', body);
    expectError(await sync({ endpoint: UNREACHABLE }), 500, 1400);
    expectError(await sync({ endpoint: foreign.endpoint }), 500, 1402);
    expectError(await sync({ endpoint: polite.endpoint }), 500, 1401);
    for (const restriction of [
      { restrictType: 'foo', restrictCollections: ['a'] },
      { restrictType: 'include' },
      { restrictType: 'exclude', restrictCollections: [] },
      { restrictCollections: ['a'] },
    ]) {
      expectError(await sync({ endpoint: foreign.endpoint, ...restriction }), 400, 400);
    }
    expectError(await sync({}), 400, 400);
  });

  test('14 after DELETE applier-state: not running, null ticks, no endpoint', async () => {
    await using server = await openServer();
    const config = { endpoint: UNREACHABLE, maxConnectRetries: 100 };
    await server.ask('PUT', 'replication/applier-config', config);
    await server.ask('PUT', 'replication/applier-start?from=17', '');
    const deleted = await server.ask('DELETE', 'replication/applier-state');
    const shown = await server.ask('GET', 'replication/applier-state');
    for (const { status, json } of [deleted, shown]) {
      expect(status).toBe(200);
      expect(json).not.toHaveProperty('endpoint');
      expect(json['state']).toMatchObject({
        running: false,
        lastAppliedContinuousTick: null,
        lastProcessedContinuousTick: null,
        lastAvailableContinuousTick: null,
      });
    }
    expectError(await server.ask('PUT', 'replication/applier-start', ''), 400, 1410);
  });

  test('15 follower catches up: lastAppliedContinuousTick reaches the lastLogTick of the leader', async () => {
    await using leader = await openServer();
    await using follower = await openServer();
    await leader.ask('PUT', 'replication/logger-start', '');
    await createSynced(leader, 'c');
    const synced = await follower.ask('PUT', 'replication/sync', { endpoint: leader.endpoint });
    const from = String(synced.json['lastLogTick']);
    await follower.ask('PUT', 'replication/applier-config', { endpoint: leader.endpoint });
    await follower.ask('PUT', `replication/applier-start?from=${from}`, '');
    for (let i = 0; i < 50; i++) await leader.ask('POST', 'document?collection=c', { i });
    const last = BigInt((await loggerState(leader)).lastLogTick);
    await applierUntil(
      follower,
      ({ lastAppliedContinuousTick: tick }) => BigInt(tick ?? 0) >= last,
    );
    for (const what of ['count', 'checksum?withData=true&withRevisions=true', 'properties']) {
      const [there, here] = [
        await leader.ask('GET', `collection/c/${what}`),
        await follower.ask('GET', `collection/c/${what}`),
      ];
      for (const name of ['count', 'checksum', 'waitForSync', 'doCompact', 'journalSize']) {
        expect(here.json[name], name).toEqual(there.json[name]);
      }
    }
  });
});
