import { describe, expect, test } from 'vitest';
import type { TestServer } from '../support/http-server.ts';
import { logLines } from '../support/log-lines.ts';
import { expectError } from './expect-error.ts';
import {
  TransactionClient,
  count,
  insert,
  openWithCollections,
  read,
} from './transaction-client.ts';

async function paths(client: TransactionClient, collection: string): Promise<string[]> {
  const answer = await client.request('GET', `/_api/document?collection=${collection}`);
  const documents = answer.json['documents'] as string[];
  return documents.map((path) => path.slice(path.lastIndexOf('/') + 1)).sort();
}

function makeUnique(server: TestServer, collection: string, field: string): Promise<unknown> {
  const body = { type: 'hash', unique: true, fields: [field] };
  return server.request('POST', `/_api/index?collection=${collection}`, { body });
}

describe('what a transaction writes', () => {
  test('is seen by itself, and by nobody else before the commit', async () => {
    await using server = await openWithCollections();
    await insert(server, 'c', { _key: 'old', n: 1 });
    await insert(server, 'c', { _key: 'gone' });
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'new', n: 2 });
    await trx.request('PATCH', '/_api/document/c/old', { m: 3 });
    await trx.request('DELETE', '/_api/document/c/gone');
    await trx.request('POST', '/_api/edge?collection=e&from=c/old&to=c/new', { _key: 'k', w: 1 });

    expect((await trx.read('c/new')).json).toMatchObject({ _id: 'c/new', n: 2 });
    expect((await trx.read('c/old')).json).toMatchObject({ _id: 'c/old', n: 1, m: 3 });
    expectError(await trx.read('c/gone'), 404, 1202);
    const edge = await trx.request('GET', '/_api/edge/e/k');
    expect(edge.json).toMatchObject({ _from: 'c/old', _to: 'c/new', w: 1 });
    expect(await paths(trx, 'c')).toEqual(['new', 'old']);
    expect((await trx.request('GET', '/_api/collection/c/count')).json['count']).toBe(2);
    expect((await trx.request('GET', '/_api/collection/e/count')).json['count']).toBe(1);
    expect((await trx.request('HEAD', '/_api/document/c/new')).status).toBe(200);

    expectError(await read(server, 'c/new'), 404, 1202);
    expect((await read(server, 'c/old')).json).not.toHaveProperty('m');
    expect((await read(server, 'c/gone')).status).toBe(200);
    expect([await count(server, 'c'), await count(server, 'e')]).toEqual([2, 0]);
    const other = await TransactionClient.begin(server);
    expect(await paths(other, 'c')).toEqual(['gone', 'old']);

    expect((await trx.commit()).status).toBe(200);
    expect((await read(server, 'c/new')).json).toMatchObject({ n: 2 });
    expect((await read(server, 'c/old')).json).toMatchObject({ n: 1, m: 3 });
    expectError(await read(server, 'c/gone'), 404, 1202);
    expect(await paths(other, 'c')).toEqual(['new', 'old']);
    expect([await count(server, 'c'), await count(server, 'e')]).toEqual([2, 1]);
  });

  test('has the revisions that were answered, before and after the commit', async () => {
    await using server = await openWithCollections();
    const trx = await TransactionClient.begin(server);
    const first = await trx.insert('c', { _key: 'k' });
    expect(first.status).toBe(202);
    const second = await trx.request('PUT', '/_api/document/c/k', { n: 2 });
    expect(second.json['_oldRev']).toBe(first.json['_rev']);
    const rev = second.json['_rev'] as string;
    expect((await trx.read('c/k')).json['_rev']).toBe(rev);
    const wrong = await trx.request(
      'PUT',
      `/_api/document/c/k?rev=${String(first.json['_rev'])}`,
      {},
    );
    expectError(wrong, 412, 1200);
    await trx.commit();
    expect((await read(server, 'c/k')).json['_rev']).toBe(rev);
    expect((await read(server, 'c/k')).headers['etag']).toBe(`"${rev}"`);
    const third = await server.request('PUT', `/_api/document/c/k?rev=${rev}`, { body: {} });
    expect(BigInt(third.json['_rev'] as string)).toBeGreaterThan(BigInt(rev));
  });

  test('is gone after an abort: documents, log, locks', async () => {
    await using server = await openWithCollections();
    await makeUnique(server, 'c', 'u');
    await insert(server, 'c', { _key: 'old' });
    const { changelog } = server.catalogue.get('_system');
    const before = await logLines(changelog);
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'new', u: 1 });
    await trx.request('PUT', '/_api/collection/c/truncate');
    await trx.insert('c', { _key: 'newer', u: 2 });
    await trx.abort();
    expect(await count(server, 'c')).toBe(1);
    expect(await logLines(changelog)).toEqual(before);
    expect((await insert(server, 'c', { _key: 'new', u: 2 })).status).toBe(202);
    expect((await server.request('PUT', '/_api/collection/c/truncate')).status).toBe(200);
  });

  test('can be imported and truncated, by itself and seen by itself', async () => {
    await using server = await openWithCollections();
    await insert(server, 'c', { _key: 'old' });
    const trx = await TransactionClient.begin(server);
    const path = '/_api/import?collection=c&type=documents';
    const lines = '{"_key":"a","n":1}\n{"_key":"old"}\n{"_key":"b","n":1}\n';
    expect((await trx.request('POST', path, lines)).json).toMatchObject({ created: 2, errors: 1 });
    const update = await trx.request('POST', `${path}&onDuplicate=update`, '{"_key":"a","m":2}');
    expect(update.json).toMatchObject({ updated: 1 });
    expect((await trx.read('c/a')).json).toMatchObject({ n: 1, m: 2 });
    expect((await trx.request('PUT', '/_api/collection/c/truncate')).status).toBe(200);
    expect(await paths(trx, 'c')).toEqual([]);
    await trx.request('POST', `${path}&overwrite=true`, '{"_key":"z"}');
    expect(await paths(trx, 'c')).toEqual(['z']);
    const failing = await trx.request(
      'POST',
      `${path}&complete=true`,
      '{"_key":"y"}\n{"_key":"z"}',
    );
    expectError(failing, 409, 1210);
    expect(await paths(trx, 'c')).toEqual(['z']);
    expect(await count(server, 'c')).toBe(1);
    await trx.commit();
    expect(await count(server, 'c')).toBe(1);
    expect((await read(server, 'c/z')).status).toBe(200);
  });

  test('can come in arrays, of which each element stands for itself', async () => {
    await using server = await openWithCollections();
    await insert(server, 'c', { _key: 'old', n: 1 });
    const trx = await TransactionClient.begin(server);
    const made = await trx.insert('c', [{ _key: 'a' }, { _key: 'a' }, { _key: 'b' }]);
    expect(made.status).toBe(202);
    expect(made.headers['x-arango-error-codes']).toBe('1210:1');
    const changes = [{ _key: 'old', m: 2 }, { _key: 'none' }];
    const changed = await trx.request('PATCH', '/_api/document/c', changes);
    expect(changed.headers['x-arango-error-codes']).toBe('1202:1');
    expect((await trx.request('DELETE', '/_api/document/c', ['b'])).status).toBe(202);
    expect(await paths(trx, 'c')).toEqual(['a', 'old']);
    expect((await trx.read('c/old')).json).toMatchObject({ n: 1, m: 2 });
    expect(await count(server, 'c')).toBe(1);
    await trx.commit();
    expect(await count(server, 'c')).toBe(2);
    const ended = await trx.insert('c', [{ _key: 'z' }]);
    expectError(ended, 400, 1653);
  });

  test('into a capped collection is cut down by the commit, in the same block of the log', async () => {
    await using server = await openWithCollections();
    const cap = { type: 'cap', size: 2, byteSize: 16384 };
    await server.request('POST', '/_api/index?collection=c', { body: cap });
    await insert(server, 'c', { _key: 'old' });
    const from = server.store.lastCommitted;
    const trx = await TransactionClient.begin(server);
    for (const _key of ['a', 'b', 'd']) await trx.insert('c', { _key });
    expect(await paths(trx, 'c')).toEqual(['a', 'b', 'd', 'old']);
    expectError(await trx.insert('c', { s: 'x'.repeat(20_000) }), 400, 1216);
    await trx.commit();
    expect(await count(server, 'c')).toBe(2);
    expect((await read(server, 'c/d')).status).toBe(200);
    const lines = await logLines(server.catalogue.get('_system').changelog, { from });
    expect(lines.map(({ type }) => type)).toEqual([2200, 2300, 2300, 2300, 2302, 2302, 2201]);
    // What has to give way may be held by another.
    const holder = await TransactionClient.begin(server);
    await holder.request('PATCH', '/_api/document/c/b', { n: 1 });
    expectError(await insert(server, 'c', { _key: 'f' }), 409, 1200);
    await holder.abort();
    expect((await insert(server, 'c', { _key: 'f' })).status).toBe(202);
  });

  test('has keys of other spellings for no other documents', async () => {
    await using server = await openWithCollections();
    await insert(server, 'c', { _key: 'a', n: 1 });
    const trx = await TransactionClient.begin(server);
    // The last byte of this letter is that of an a.
    const path = `/_api/document/c/${encodeURIComponent('\u0161')}`;
    for (const request of [trx.request.bind(trx), server.request.bind(server)]) {
      expectError(await request('GET', path), 404, 1202);
      expectError(await request('DELETE', path), 404, 1202);
    }
    expect((await read(server, 'c/a')).json).toMatchObject({ n: 1 });
  });

  test('generated keys differ, whoever is committed first', async () => {
    await using server = await openWithCollections();
    const body = { name: 'auto', keyOptions: { type: 'autoincrement' } };
    await server.request('POST', '/_api/collection', { body });
    const collections = { write: 'auto' };
    const a = await TransactionClient.begin(server, { collections });
    const b = await TransactionClient.begin(server, { collections });
    const keys: unknown[] = [];
    for (const client of [a, b, a]) keys.push((await client.insert('auto', {})).json['_key']);
    keys.push((await insert(server, 'auto', {})).json['_key']);
    await b.abort();
    await a.commit();
    keys.push((await insert(server, 'auto', {})).json['_key']);
    expect(keys).toEqual(['1', '2', '3', '4', '5']);
    expect(await count(server, 'auto')).toBe(4);
  });

  test('an operation that fails leaves the rest of the transaction', async () => {
    await using server = await openWithCollections();
    await makeUnique(server, 'c', 'u');
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'a', u: 1 });
    expectError(await trx.insert('c', { _key: 'a' }), 409, 1210);
    expectError(await trx.insert('c', { _key: 'b', u: 1 }), 409, 1210);
    expectError(await trx.insert('c', '{"_key":'), 400, 600);
    expectError(await trx.insert('c', { _key: 'a b' }), 400, 1221);
    expectError(await trx.request('DELETE', '/_api/document/c/none'), 404, 1202);
    // What failed holds nothing.
    expect((await insert(server, 'c', { _key: 'b', u: 2 })).status).toBe(202);
    expect((await trx.commit()).status).toBe(200);
    expect(await count(server, 'c')).toBe(2);
  });
});

describe('two who write the same', () => {
  test('a document that an open transaction wrote is 409/1200 for everybody else', async () => {
    await using server = await openWithCollections();
    await insert(server, 'c', { _key: 'k', n: 0 });
    const [a, b] = [await TransactionClient.begin(server), await TransactionClient.begin(server)];
    await a.request('PATCH', '/_api/document/c/k', { n: 1 });
    await a.insert('c', { _key: 'new' });
    const writes = [
      ['PUT', '/_api/document/c/k', {}],
      ['PATCH', '/_api/document/c/k', {}],
      ['DELETE', '/_api/document/c/k', undefined],
      ['POST', '/_api/document/c?overwriteMode=replace', { _key: 'k' }],
      ['POST', '/_api/document/c', { _key: 'new' }],
      ['PUT', '/_api/collection/c/truncate', undefined],
      ['POST', '/_api/import?collection=c&type=array&complete=true', [{ _key: 'new' }]],
    ] as const;
    for (const [method, path, body] of writes) {
      const options = body === undefined ? {} : { body };
      const plain = await server.request(method, path, options);
      expectError(plain, 409, 1200);
      expect(plain.json['errorMessage']).toContain(a.id);
      expectError(await b.request(method, path, body), 409, 1200);
    }
    const imported = await server.request('POST', '/_api/import?collection=c&type=array', {
      body: [{ _key: 'new' }, { _key: 'other' }],
    });
    expect(imported.json).toMatchObject({ created: 1, errors: 1 });
    await a.commit();
    expect((await b.request('PATCH', '/_api/document/c/k', { m: 2 })).status).toBe(202);
    await b.commit();
    expect((await read(server, 'c/k')).json).toMatchObject({ n: 1, m: 2 });
  });

  test('a unique value that an open transaction took is 409/1200 for everybody else', async () => {
    await using server = await openWithCollections();
    await makeUnique(server, 'c', 'u');
    const [a, b] = [await TransactionClient.begin(server), await TransactionClient.begin(server)];
    await a.insert('c', { _key: 'a', u: 1 });
    expectError(await b.insert('c', { _key: 'b', u: 1 }), 409, 1200);
    expectError(await insert(server, 'c', { _key: 'p', u: 1 }), 409, 1200);
    await a.commit();
    expectError(await b.insert('c', { _key: 'b', u: 1 }), 409, 1210);
  });

  test('a unique value that a transaction gave up can be taken by itself at once, by others after it', async () => {
    await using server = await openWithCollections();
    await makeUnique(server, 'c', 'u');
    await insert(server, 'c', { _key: 'a', u: 1 });
    await insert(server, 'c', { _key: 'b', u: 2 });
    const trx = await TransactionClient.begin(server);
    await trx.request('DELETE', '/_api/document/c/a');
    expectError(await insert(server, 'c', { _key: 'p', u: 1 }), 409, 1210);
    await trx.request('PATCH', '/_api/document/c/b', { u: 1 });
    expectError(await insert(server, 'c', { _key: 'p', u: 1 }), 409, 1200);
    expectError(await insert(server, 'c', { _key: 'p', u: 2 }), 409, 1210);
    expect((await trx.commit()).status).toBe(200);
    expect((await insert(server, 'c', { _key: 'p', u: 2 })).status).toBe(202);
    expectError(await insert(server, 'c', { _key: 'q', u: 1 }), 409, 1210);
  });

  test('a unique index made in the meantime fails the commit with 409/1210, and nothing is stored', async () => {
    await using server = await openWithCollections();
    const trx = await TransactionClient.begin(server);
    await trx.insert('d', { _key: 'k' });
    await trx.insert('c', { _key: 'a', u: 1 });
    await trx.insert('c', { _key: 'b', u: 1 });
    await makeUnique(server, 'c', 'u');
    expectError(await trx.commit(), 409, 1210);
    expect([await count(server, 'c'), await count(server, 'd')]).toEqual([0, 0]);
    expect(await trx.status()).toBe('aborted');
    expect((await insert(server, 'c', { _key: 'a', u: 1 })).status).toBe(202);
  });

  test('a collection taken exclusively takes no other writes, but can be read', async () => {
    await using server = await openWithCollections();
    await insert(server, 'c', { _key: 'k' });
    const trx = await TransactionClient.begin(server, { collections: { exclusive: 'c' } });
    expectError(await insert(server, 'c', {}), 409, 1200);
    expect((await insert(server, 'd', {})).status).toBe(202);
    expect((await read(server, 'c/k')).status).toBe(200);
    expect((await trx.insert('c', {})).status).toBe(202);
    await trx.commit();
    expect((await insert(server, 'c', {})).status).toBe(202);
  });

  test('operations sent at the same time each happen once, and a commit takes those before it', async () => {
    await using server = await openWithCollections();
    await insert(server, 'c', { _key: 'k' });
    const trx = await TransactionClient.begin(server);
    const inserts = Array.from({ length: 50 }, (_, n) => trx.insert('c', { _key: `n${n}` }));
    const answers = await Promise.all([...inserts, trx.request('PATCH', '/_api/document/c/k', {})]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    const commits = await Promise.all([trx.commit(), trx.commit(), trx.commit()]);
    expect(commits.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await count(server, 'c')).toBe(51);
  });
});

describe('the log', () => {
  test('a commit is one block 2200..2201 with rising ticks, collection by collection, and all else around it', async () => {
    await using server = await openWithCollections();
    const database = server.catalogue.get('_system');
    await insert(server, 'c', { _key: 'old' });
    const from = server.store.lastCommitted;
    const trx = await TransactionClient.begin(server);
    const revs: unknown[] = [];
    const noteRev = (answer: { json: Record<string, unknown> }): unknown =>
      revs.push(answer.json['_rev']);
    noteRev(await trx.insert('c', { _key: 'a', n: 1 }));
    await insert(server, 'c', { _key: 'outside' });
    noteRev(await trx.request('POST', '/_api/edge?collection=e&from=c/a&to=c/b', { _key: 'k' }));
    noteRev(await trx.request('PATCH', '/_api/document/c/a', { m: 2 }));
    await trx.request('DELETE', '/_api/document/c/old');
    await trx.commit();
    await insert(server, 'd', { _key: 'after' });

    const lines = await logLines(database.changelog, { from });
    expect(lines.map(({ type }) => type)).toEqual([
      ...[2300, 2200, 2300, 2300, 2302, 2301, 2201, 2300],
    ]);
    const [, start, first, second, removal, edge, commit] = lines;
    const collections = [
      { cid: database.get('c').cid, name: 'c', operations: 3 },
      { cid: database.get('e').cid, name: 'e', operations: 1 },
    ];
    expect(start).toMatchObject({ tid: trx.id, collections });
    expect(commit).toMatchObject({ tid: trx.id, collections });
    for (const line of [first, second, removal, edge]) expect(line?.tid).toBe(trx.id);
    expect(first).toMatchObject({ key: 'a', rev: revs[0], data: { n: 1 } });
    expect(first).not.toHaveProperty('oldRev');
    expect(second).toMatchObject({ key: 'a', rev: revs[2], oldRev: revs[0], data: { n: 1, m: 2 } });
    expect(removal).toMatchObject({ key: 'old' });
    expect(removal?.rev).not.toBe(removal?.oldRev);
    expect(edge).toMatchObject({ key: 'k', rev: revs[1], data: { _from: 'c/a', _to: 'c/b' } });
    const ticks = lines.map(({ tick }) => tick);
    expect(ticks).toEqual([...ticks].sort((a, b) => (a < b ? -1 : 1)));
  });

  test('a single write is a block too; reading, writing nothing and excluded collections leave no trace', async () => {
    await using server = await openWithCollections();
    const { changelog } = server.catalogue.get('_system');
    await server.request('POST', '/_api/collection', { body: { name: '_users', isSystem: true } });
    const from = server.store.lastCommitted;
    const reading = await TransactionClient.begin(server);
    await reading.read('c/k');
    await reading.commit();
    const excluded = await TransactionClient.begin(server, { collections: { write: '_users' } });
    await excluded.insert('_users', { _key: 'u' });
    await excluded.commit();
    expect(await count(server, '_users')).toBe(1);
    expect(await logLines(changelog, { from })).toEqual([]);
    const single = await TransactionClient.begin(server);
    await single.insert('c', { _key: 'k' });
    await single.commit();
    const types = (await logLines(changelog, { from })).map(({ type }) => type);
    expect(types).toEqual([2200, 2300, 2201]);
  });

  test('a truncate inside is one block, with what was inserted before it', async () => {
    await using server = await openWithCollections();
    const { changelog } = server.catalogue.get('_system');
    await insert(server, 'c', { _key: 'a' });
    await insert(server, 'c', { _key: 'b' });
    const from = server.store.lastCommitted;
    const trx = await TransactionClient.begin(server);
    await trx.insert('c', { _key: 'new' });
    await trx.request('PUT', '/_api/collection/c/truncate');
    await trx.commit();
    const lines = await logLines(changelog, { from });
    expect(lines.map(({ type, key }) => [type, key])).toEqual([
      [2200, undefined],
      [2300, 'new'],
      [2302, 'a'],
      [2302, 'b'],
      [2302, 'new'],
      [2201, undefined],
    ]);
    expect(await count(server, 'c')).toBe(0);
  });
});
