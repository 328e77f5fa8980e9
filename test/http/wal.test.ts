import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { expectError } from './expect-error.ts';

let server: LeaderServer;
/** Tick from which on the test's own events stand in the log. */
let from: bigint;

beforeEach(async () => {
  server = await openLeaderServer({ version: '3.0.3' });
  await server.put('logger-start');
  from = server.database.changelog.state.lastTick;
});
afterEach(() => server[Symbol.asyncDispose]());

function wal(method: string, command: string, body?: string): Promise<Answer> {
  return server.call(method, `/_api/wal${command}`, body);
}

/** The lines above `from`. */
async function lines(query = ''): Promise<Record<string, unknown>[]> {
  return (await wal('GET', `/tail?from=${from}${query}`)).lines;
}

async function send(method: string, path: string, body?: unknown): Promise<Answer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const answer = await server.call(method, `/_api/${path}`, text);
  expect(answer.status, `${method} ${path}`).toBeLessThan(300);
  return answer;
}

async function insert(key: string): Promise<void> {
  await send('POST', 'document/boats', { _key: key, oars: 50 });
}

/** A committed transaction of one document; resolves with its id. */
async function insertAtOnce(key: string): Promise<string> {
  const begun = await send('POST', 'transaction/begin', { collections: { write: ['boats'] } });
  const { id } = begun.json['result'] as { id: string };
  const answer = await server.request('POST', '/_api/document/boats', {
    ...{ body: { _key: key }, headers: { 'x-arango-trx-id': id } },
  });
  expect(answer.status).toBe(202);
  await send('PUT', `transaction/${id}`);
  return id;
}

describe('/_api/wal/range and lastTick', () => {
  test('tell where the log begins and ends, and who says so', async () => {
    await send('POST', 'collection', { name: 'boats' });
    const { firstTick, lastTick } = server.database.changelog.state;
    const { serverId } = (await server.get('server-id')).json;
    const range = (await wal('GET', '/range')).json;
    expect(range).toMatchObject({
      ...{ tickMin: String(firstTick), tickMax: String(lastTick) },
      server: { version: '3.0.3', serverId },
    });
    const last = (await wal('GET', '/lastTick')).json;
    expect(last).toMatchObject({ tick: String(lastTick), server: range['server'] });
  });

  test('are of one database', async () => {
    await server.databases.create('other');
    const { json } = await server.call('GET', '/_db/other/_api/wal/range');
    expect(json).toMatchObject({ tickMin: '0', tickMax: '0' });
  });
});

describe('/_api/wal/tail', () => {
  test('names databases and collections as readers of 3.3 and later know them, and also by id and name', async () => {
    const { id: cid } = (await send('POST', 'collection', { name: 'boats' })).json;
    const { collections } = (await server.get('inventory')).json;
    const [{ parameters }] = collections as [{ parameters: { globallyUniqueId: string } }];
    const { globallyUniqueId: cuid } = parameters;
    const id = BigInt(String((await server.get('server-id')).json['serverId']));
    expect(cuid).toBe(`h${id.toString(16).toUpperCase()}/${String(cid)}`);
    await insert('argo');
    await send('DELETE', 'document/boats/argo');
    const index = { type: 'hash', fields: ['a'], unique: false };
    const made = (await send('POST', 'index?collection=boats', index)).json;
    const indexId = String(made['id']).replace(/^.*\//, '');
    await send('DELETE', `index/boats/${indexId}`);
    await send('PUT', 'collection/boats/properties', { waitForSync: true });
    await send('PUT', 'collection/boats/rename', { name: 'ships' });
    await send('DELETE', 'collection/ships');
    const found = await lines();
    const of = (type: number, cname = 'boats'): object => ({
      ...{ tick: expect.stringMatching(/^\d+$/) as string, type, db: '_system', cuid, cid, cname },
    });
    const properties = { cid, id: cid, globallyUniqueId: cuid, name: 'boats', indexes: [] };
    const rev = expect.stringMatching(/^\d+$/) as string;
    expect(found).toEqual([
      { ...of(2000), data: expect.objectContaining(properties) as object },
      {
        ...{ ...of(2300), tid: '0' },
        data: { _id: 'boats/argo', _key: 'argo', _rev: rev, oars: 50 },
      },
      { ...of(2302), tid: '0', data: { _key: 'argo', _rev: rev } },
      { ...of(2100), data: expect.objectContaining({ id: indexId, ...index }) as object },
      { ...of(2101), data: { id: indexId } },
      {
        ...of(2003),
        data: expect.objectContaining({ ...properties, waitForSync: true }) as object,
      },
      { ...of(2002), data: { id: cid, name: 'ships', oldName: 'boats' } },
      of(2001, 'ships'),
    ]);
  });

  test('frames transactions, and has edges as documents', async () => {
    await send('POST', 'collection', { name: 'boats', type: 3 });
    from = server.database.changelog.state.lastTick;
    const begun = await send('POST', 'transaction/begin', { collections: { write: ['boats'] } });
    const { id: tid } = begun.json['result'] as { id: string };
    await server.request('POST', '/_api/document/boats', {
      body: { _key: 'e', _from: 'a/b', _to: 'c/d' },
      headers: { 'x-arango-trx-id': tid },
    });
    await send('PUT', `transaction/${tid}`);
    expect(await lines()).toMatchObject([
      { type: 2200, tid, db: '_system' },
      { type: 2300, tid, data: { _id: 'boats/e', _from: 'a/b', _to: 'c/d' } },
      { type: 2201, tid, db: '_system' },
    ]);
  });

  test('has the headers of a page but not active, in 200 and 204', async () => {
    await send('POST', 'collection', { name: 'boats' });
    const last = String(server.database.changelog.state.lastTick);
    const page = await wal('GET', `/tail?from=${from}`);
    const shown = {
      'content-type': 'application/x-arango-dump; charset=utf-8',
      'x-arango-replication-checkmore': 'false',
      'x-arango-replication-frompresent': 'true',
      'x-arango-replication-lasttick': last,
    };
    expect(page.status).toBe(200);
    expect(page.headers).toMatchObject({
      ...shown,
      'x-arango-replication-lastincluded': last,
      'x-arango-replication-lastscanned': last,
    });
    expect(page.headers).not.toHaveProperty('x-arango-replication-active');
    const empty = await wal('GET', `/tail?from=${last}`);
    expect([empty.status, empty.text]).toEqual([204, '']);
    expect(empty.headers).toMatchObject({ ...shown, 'x-arango-replication-lastincluded': '0' });
    expect(empty.headers).not.toHaveProperty('x-arango-replication-active');
  });

  test('is read in small pages, each line once', async () => {
    await send('POST', 'collection', { name: 'boats' });
    for (let i = 0; i < 5; i++) await insert(`k${i}`);
    const seen: unknown[] = [];
    for (let position = from; ;) {
      const page = await wal('GET', `/tail?from=${position}&chunkSize=1`);
      expect(page.lines).toHaveLength(1);
      seen.push(page.lines[0]!['tick']);
      position = BigInt(String(page.headers['x-arango-replication-lastincluded']));
      if (page.headers['x-arango-replication-checkmore'] === 'false') break;
    }
    expect(seen).toEqual((await lines()).map(({ tick }) => tick));
    // 0 is the default of 1 MiB.
    expect(await lines('&chunkSize=0')).toHaveLength(6);
  });

  test('leaves out what is not wanted, and registers who asks', async () => {
    await send('POST', 'collection', { name: 'boats' });
    await send('POST', 'collection', { name: '_crew', isSystem: true });
    expect((await lines('&includeSystem=false')).map(({ cname }) => cname)).toEqual(['boats']);
    expect((await lines('&collection=_crew')).map(({ cname }) => cname)).toEqual(['_crew']);
    expectError(await wal('GET', '/tail?collection=none'), 404, 1203);
    await lines('&serverId=47&syncerId=3&clientInfo=x&lastScanned=5');
    const { clients } = (await server.get('logger-state')).json as { clients: object[] };
    expect(clients).toMatchObject([{ serverId: '47' }]);
  });

  test('waits for news when it is asked to', async () => {
    await send('POST', 'collection', { name: 'boats' });
    from = server.database.changelog.state.lastTick;
    const waiting = lines('&wait=20');
    await insert('argo');
    expect(await waiting).toMatchObject([{ type: 2300 }]);
  });

  test('by PUT gives what is below firstRegularTick only of the transactions that are named', async () => {
    await send('POST', 'collection', { name: 'boats' });
    await insert('before');
    const tid = await insertAtOnce('within');
    const regular = server.database.changelog.state.lastTick;
    await insert('after');
    for (const name of ['firstRegularTick', 'firstRegular']) {
      const query = `?from=${from}&${name}=${regular + 1n}`;
      const page = await wal('PUT', `/tail${query}`, JSON.stringify([tid]));
      expect(page.lines.map(({ type, tid: of }) => [type, of])).toEqual([
        ...[2200, 2300, 2201].map((type) => [type, tid]),
        [2300, '0'],
      ]);
    }
    for (const body of ['{}', 'x', '', '[1]']) {
      expectError(await wal('PUT', '/tail', body), 400, 400);
    }
  });

  test.each(['?from=5&to=4', '?to=0'])('%s is no range: 400/400', async (query) => {
    expectError(await wal('GET', `/tail${query}`), 400, 400);
    expectError(await wal('GET', `/open-transactions${query}`), 400, 400);
  });
});

describe('/_api/wal/open-transactions', () => {
  test('finds the transaction that the range cuts off, and where to go on', async () => {
    await send('POST', 'collection', { name: 'boats' });
    const tid = await insertAtOnce('argo');
    const [, begin] = await lines();
    const cut = await wal('GET', `/open-transactions?from=${from}&to=${String(begin!['tick'])}`);
    expect([cut.status, cut.text]).toEqual([200, JSON.stringify([tid])]);
    expect(cut.headers).toMatchObject({
      'x-arango-replication-lastincluded': String(BigInt(tid) - 1n),
      'x-arango-replication-frompresent': 'true',
    });
    expect((await wal('GET', `/open-transactions?from=${from}`)).text).toBe('[]');
  });

  test('has nothing to say of a range without events: 204', async () => {
    const { status, headers } = await wal('GET', `/open-transactions?from=${from}`);
    expect(status).toBe(204);
    expect(headers['x-arango-replication-lastincluded']).toBe('0');
  });
});

describe('what /_api/wal does not have', () => {
  test.each([
    ...['GET ', 'GET /', 'PUT ', 'POST /tail', 'DELETE /tail', 'PATCH /range', 'PUT /range'],
    ...['GET /none', 'GET /tail/more', 'GET /lasttick', 'PUT /open-transactions', 'POST /lastTick'],
  ])('%s is 400/400 with the four commands', async (request) => {
    const [method = '', path = ''] = request.split(' ');
    const answer = await wal(method, path);
    expectError(answer, 400, 400);
    for (const command of ['range', 'lastTick', 'tail', 'open-transactions']) {
      expect(answer.json['errorMessage']).toContain(`/_api/wal/${command}`);
    }
  });

  test('a log of all databases is refused, in _system as not offered', async () => {
    await server.databases.create('other');
    for (const command of ['tail', 'open-transactions']) {
      const path = `/_api/wal/${command}?global=true`;
      expectError(await server.call('GET', path), 501, 9);
      expectError(await server.call('GET', `/_db/other${path}`), 403, 11);
    }
  });
});
