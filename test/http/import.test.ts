import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { openTestServer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';
import { NOTHING, countOf, documentsOf, openWithCollection, postImport } from './import-client.ts';

describe('what a body can be', () => {
  test('documents: one a line; blank lines are counted, the last newline may be missing', async () => {
    await using server = await openWithCollection();
    const answer = await postImport(
      server,
      'type=documents',
      '{"_key":"a","n":1}\n\n{"_key":"b"}\r\n  \n{}',
    );
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({ ...NOTHING, created: 3, empty: 2 });
    expect(await documentsOf(server)).toMatchObject({ a: { n: 1 }, b: {} });
  });

  test('array and list: the elements of one array', async () => {
    await using server = await openWithCollection();
    const body = ' [ {"_key":"a","s":"],[{\\"\\\\"} , {"_key":"b","x":[[1],{"y":[]}]}\n]\n';
    expect((await postImport(server, 'type=array', body)).json).toEqual({ ...NOTHING, created: 2 });
    expect(await documentsOf(server)).toEqual({ a: { s: '],[{"\\' }, b: { x: [[1], { y: [] }] } });
    expect((await postImport(server, 'type=list', '[{"_key":"d"}]')).json['created']).toBe(1);
    expect((await postImport(server, 'type=list', ' [ ] ')).json).toEqual(NOTHING);
  });

  test('auto: an array if it begins as one, lines otherwise', async () => {
    await using server = await openWithCollection();
    expect((await postImport(server, 'type=auto', '\n [{"a":1},{"a":2}]')).json['created']).toBe(2);
    const lines = await postImport(server, 'type=auto', '\n{"a":1}\n{"a":2}\n');
    expect(lines.json).toEqual({ ...NOTHING, created: 2, empty: 1 });
    expect((await postImport(server, 'type=auto', '')).json).toEqual(NOTHING);
  });

  test('without a type: a line of names, then lines of values; a null leaves its attribute out', async () => {
    await using server = await openWithCollection();
    const body = '["_key","n","big"]\n["a",1.50,9007199254740993]\n\n["b",null,[1,{"x":2}]]\n';
    expect((await postImport(server, '', body)).json).toEqual({ ...NOTHING, created: 2, empty: 1 });
    expect(await documentsOf(server)).toEqual({
      ...{ a: { n: 1.5, big: 9007199254740992 }, b: { big: [1, { x: 2 }] } },
    });
    expect((await server.request('GET', '/_api/document/c/a')).text).toContain('9007199254740993');
  });

  test('it may come in any pieces', async () => {
    await using server = await openWithCollection();
    const bytes = Buffer.from('[{"_key":"a","s":"äöü😀\\""},{"_key":"b","s":"\\\\"}]');
    for (const [type, body] of [
      ['array', bytes],
      ['documents', Buffer.from('{"_key":"c","s":"äöü😀"}\n{"_key":"d"}\n')],
    ] as const) {
      const pieces = Readable.from([...body].map((byte) => Buffer.from([byte])));
      expect((await postImport(server, `type=${type}`, pieces)).json).toEqual({
        ...NOTHING,
        created: 2,
      });
    }
    expect(await documentsOf(server)).toEqual({
      ...{ a: { s: 'äöü😀"' }, b: { s: '\\' }, c: { s: 'äöü😀' }, d: {} },
    });
  });
});

describe('bad documents', () => {
  test('are counted and described in order; the good ones are stored', async () => {
    await using server = await openWithCollection();
    const lines = [
      ...[
        '{"_key":"a"}',
        '{"_key":"a","n":1}',
        'nonsense',
        '[1]',
        '{"_key":"x y"}',
        '{"_key":"b"}',
      ],
    ];
    const body = Buffer.concat([Buffer.from(lines.join('\n')), Buffer.from([0x0a, 0xff, 0x0a])]);
    const answer = await postImport(server, 'type=documents&details=true', body);
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({ ...NOTHING, created: 2, errors: 5 });
    expect(answer.json['details']).toEqual([
      "at position 1: creating document failed with error 'unique constraint violated', " +
        'offending document: {"_key":"a","n":1}',
      expect.stringMatching(/^at position 2: invalid JSON type .*offending context: nonsense$/),
      expect.stringMatching(/^at position 3: invalid JSON type .*offending context: \[1\]$/),
      expect.stringMatching(/^at position 4: .*'illegal document key'.*\{"_key":"x y"\}$/),
      expect.stringMatching(/^at position 6: invalid JSON type .*UTF-8$/),
    ]);
    expect(Object.keys(await documentsOf(server))).toEqual(['a', 'b']);
    expect((await postImport(server, 'type=documents', 'x')).json).not.toHaveProperty('details');
  });

  test('an array that is no JSON stores nothing', async () => {
    await using server = await openWithCollection();
    const bad = [
      ...['', '{}', '[{"_key":"a"}', '[{"_key":"a"},]', '[,{"_key":"a"}]', '[{"_key":"a"} {}]'],
      ...['[{"_key":"a"}]]', '[{"_key":"a"}]x', '[{"_key":"a"},x]', '[{"_key":"a"},{]', 'x[{}]'],
    ];
    for (const body of bad) expectError(await postImport(server, 'type=array', body), 400, 600);
    expectError(
      await postImport(server, 'type=array', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])),
      ...[400, 600],
    );
    expect(await documentsOf(server)).toEqual({});
  });

  test('elements that are no objects are errors of their own', async () => {
    await using server = await openWithCollection();
    const answer = await postImport(server, 'type=array', '[1,"a",null,[],{"_key":"k"},true]');
    expect(answer.json).toEqual({ ...NOTHING, created: 1, errors: 5 });
  });

  test('lines with another number of values than names are errors', async () => {
    await using server = await openWithCollection();
    const answer = await postImport(server, '', '["a","b"]\n[1,2]\n[1]\n{}\n[1,2,3]\nx\n[3,4]');
    expect(answer.json).toEqual({ ...NOTHING, created: 2, errors: 4 });
  });

  test('a first line that holds no names is 400/400', async () => {
    await using server = await openWithCollection();
    for (const body of ['', '{"a":1}\n', '[]\n', '[1]\n', '["a","a"]\n', '[""]\n', 'x\n[1]']) {
      expectError(await postImport(server, '', body), 400, 400);
    }
  });
});

describe('onDuplicate', () => {
  test('error, ignore, replace and update', async () => {
    await using server = await openWithCollection();
    const run = (mode: string) =>
      postImport(
        server,
        `type=documents&onDuplicate=${mode}`,
        '{"_key":"a","n":{"y":2}}\n{"_key":"new"}\n',
      );
    const reset = async (): Promise<void> => {
      const body = '{"_key":"a","n":{"x":1},"m":1}\n';
      await postImport(server, 'type=documents&overwrite=true', body);
    };
    await reset();
    expect((await run('error')).json).toEqual({ ...NOTHING, created: 1, errors: 1 });
    await reset();
    expect((await run('ignore')).json).toEqual({ ...NOTHING, created: 1, ignored: 1 });
    expect((await documentsOf(server))['a']).toEqual({ n: { x: 1 }, m: 1 });
    await reset();
    expect((await run('update')).json).toEqual({ ...NOTHING, created: 1, updated: 1 });
    expect((await documentsOf(server))['a']).toEqual({ n: { x: 1, y: 2 }, m: 1 });
    await reset();
    expect((await run('replace')).json).toEqual({ ...NOTHING, created: 1, updated: 1 });
    expect((await documentsOf(server))['a']).toEqual({ n: { y: 2 } });
    expectError(await run('foo'), 400, 400);
  });

  test('a key that occurs twice in one body meets its first self', async () => {
    await using server = await openWithCollection();
    const body = '{"_key":"a","x":1}\n{"_key":"a","y":2}\n';
    const answer = await postImport(server, 'type=documents&onDuplicate=update', body);
    expect(answer.json).toEqual({ ...NOTHING, created: 1, updated: 1 });
    expect(await documentsOf(server)).toEqual({ a: { x: 1, y: 2 } });
  });

  test('unique indexes are kept with every mode', async () => {
    await using server = await openWithCollection();
    const index = { type: 'hash', unique: true, fields: ['u'] };
    await server.request('POST', '/_api/index?collection=c', { body: index });
    const body = '{"_key":"a","u":1}\n{"_key":"b","u":1}\n{"_key":"a","u":2}\n{"_key":"b","u":1}\n';
    const answer = await postImport(server, 'type=documents&onDuplicate=replace', body);
    expect(answer.json).toEqual({ ...NOTHING, created: 2, updated: 1, errors: 1 });
    expect(await documentsOf(server)).toEqual({ a: { u: 2 }, b: { u: 1 } });
  });
});

describe('edges', () => {
  test('prefixes are put before ends that name no collection', async () => {
    await using server = await openWithCollection({ type: 3 });
    const body = '{"_key":"a","_from":"1","_to":"w/2"}\n{"_key":"b","_from":"v/1","_to":"3"}\n';
    const answer = await postImport(server, 'type=documents&fromPrefix=v&toPrefix=w', body);
    expect(answer.json).toEqual({ ...NOTHING, created: 2 });
    expect(await documentsOf(server)).toEqual({
      ...{ a: { _from: 'v/1', _to: 'w/2' }, b: { _from: 'v/1', _to: 'w/3' } },
    });
  });

  test('ends that are missing or malformed are errors; an update keeps those it does not name', async () => {
    await using server = await openWithCollection({ type: 3 });
    const body =
      '{"_key":"a","_from":"v/1","_to":"v/2"}\n{"_from":"v/1"}\n{"_from":"x","_to":"v/1"}\n';
    expect((await postImport(server, 'type=documents', body)).json).toEqual({
      ...{ ...NOTHING, created: 1, errors: 2 },
    });
    await postImport(server, 'type=documents&onDuplicate=update', '{"_key":"a","_to":"v/9","n":1}');
    expect(await documentsOf(server)).toEqual({ a: { _from: 'v/1', _to: 'v/9', n: 1 } });
  });
});

describe('the request', () => {
  test('createCollection makes the collection, of edges if asked', async () => {
    await using server = await openTestServer();
    const path = '/_api/import?type=documents&createCollection=true&collection=';
    const one = await server.request('POST', `${path}new`, { body: '{}' });
    expect(one.json).toEqual({ ...NOTHING, created: 1 });
    const two = await server.request('POST', `${path}e&createCollectionType=edge`, {
      body: '{"_from":"new/1","_to":"new/2"}',
    });
    expect(two.json).toEqual({ ...NOTHING, created: 1 });
    expect((await server.request('GET', '/_api/collection/e')).json['type']).toBe(3);
    expectError(await server.request('POST', `${path}1x`, { body: '{}' }), 400, 1208);
  });

  test('what is missing or unknown', async () => {
    await using server = await openWithCollection();
    const call = (path: string, method = 'POST') => server.request(method, path, { body: '{}' });
    expectError(await call('/_api/import?type=documents'), 400, 1204);
    expectError(await call('/_api/import?type=documents&collection=none'), 404, 1203);
    expectError(await call('/_api/import?type=foo&collection=c'), 400, 400);
    expectError(await call('/_api/import/c?type=documents'), 400, 601);
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const body = method === 'GET' ? {} : { body: '{}' };
      expectError(await server.request(method, '/_api/import?collection=c', body), 405, 405);
    }
  });

  test('several at once into one collection lose nothing and keep keys unique', async () => {
    await using server = await openWithCollection();
    const body = Array.from({ length: 300 }, (_, i) => `{"_key":"k${i}"}\n`).join('');
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => postImport(server, 'type=documents', body)),
    );
    const created = answers.map(({ json }) => json['created'] as number);
    expect(created.reduce((sum, each) => sum + each, 0)).toBe(300);
    expect(await countOf(server)).toBe(300);
  });

  test('a stop of the server ends an import that still waits for its body', async () => {
    await using server = await openWithCollection();
    const body = new Readable({ read: () => undefined });
    body.push('{"_key":"a"}\n');
    const pending = postImport(server, 'type=documents', body);
    await server.request('GET', '/_api/version');
    server.abort();
    body.push('{"_key":"b"}\n');
    const answer = await pending;
    body.push(null);
    expectError(answer, 503, 30);
    expect(server.catalogue.get('_system').get('c').stats.count).toBe(0);
  });
});
