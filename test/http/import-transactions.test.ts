import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { expectError } from './expect-error.ts';
import {
  LOGGING,
  NOTHING,
  countOf,
  documentsOf,
  loggedTypes,
  openWithCollection,
  postImport,
} from './import-client.ts';

describe('complete=true', () => {
  test('one bad document, wherever it is, keeps all others out: 409', async () => {
    await using server = await openWithCollection({}, { loggerConfig: LOGGING });
    await postImport(server, 'type=documents', '{"_key":"old"}');
    const before = await loggedTypes(server);
    const cases: [string, number][] = [
      ['{"_key":"a"}\n{"_key":"old"}\n{"_key":"b"}\n', 1210],
      ['{"_key":"a"}\n{"_key":"a"}\n', 1210],
      ['{"_key":"a"}\nx\n{"_key":"b"}\n', 600],
      ['[1]\n{"_key":"a"}\n', 1227],
      ['{"_key":"a"}\n{"_key":"b c"}', 1221],
    ];
    for (const [body, errorNum] of cases) {
      const answer = await postImport(server, 'type=documents&complete=true', body);
      expectError(answer, 409, errorNum);
      expect(answer.json['errorMessage']).toMatch(/^at position \d/);
    }
    expect(Object.keys(await documentsOf(server))).toEqual(['old']);
    expect(await loggedTypes(server)).toEqual(before);
  });

  test('without one all are stored', async () => {
    await using server = await openWithCollection();
    const answer = await postImport(
      server,
      'type=auto&complete=yes',
      '[{"_key":"a"},{"_key":"b"}]',
    );
    expect(answer.json).toEqual({ ...NOTHING, created: 2 });
  });

  test('more than a transaction may hold is 400/32 and stores nothing, announced or not', async () => {
    await using server = await openWithCollection({}, { transactionMaxBytes: 50_000 });
    const lines = Array.from(
      { length: 1000 },
      (_, i) => `{"_key":"k${i}","s":"${'x'.repeat(80)}"}\n`,
    );
    for (const body of [lines.join(''), Readable.from(lines)]) {
      expectError(await postImport(server, 'type=documents&complete=true', body), 400, 32);
    }
    expect(await documentsOf(server)).toEqual({});
  });
});

describe('transactions', () => {
  test('an import is one: 2200, its documents, 2201; nothing when nothing was stored', async () => {
    await using server = await openWithCollection({}, { loggerConfig: LOGGING });
    await postImport(server, 'type=documents', '{"_key":"a"}\n{"_key":"a"}\n{"_key":"b"}\n');
    expect(await loggedTypes(server)).toEqual([2200, 2300, 2300, 2201]);
    await postImport(server, 'type=documents', '{"_key":"a"}\nx\n');
    expect(await loggedTypes(server)).toHaveLength(4);
  });

  test('one above the limit is several whole ones, and nothing is lost', async () => {
    const limits = { transactionMaxBytes: 1024 * 1024, loggerConfig: LOGGING };
    await using server = await openWithCollection({}, limits);
    const filler = 'x'.repeat(1000);
    const count = 5000;
    const lines = Array.from({ length: count }, (_, i) => `{"_key":"k${i}","s":"${filler}"}\n`);
    const answer = await postImport(server, 'type=documents', lines.join(''));
    expect(answer.json).toEqual({ ...NOTHING, created: count });
    expect(await countOf(server)).toBe(count);
    const types = await loggedTypes(server);
    const starts = types.filter((type) => type === 2200).length;
    expect(starts).toBeGreaterThan(1);
    expect(types).toHaveLength(count + 2 * starts);
    let open = false;
    for (const type of types) {
      expect(open).toBe(type !== 2200);
      open = type !== 2201;
    }
  });

  test('a body that does not say how long it is, is one transaction until it is too large', async () => {
    const limits = { transactionMaxBytes: 100_000, loggerConfig: LOGGING };
    await using server = await openWithCollection({}, limits);
    const lines = (from: number, count: number): Readable =>
      Readable.from(
        Array.from({ length: count }, (_, i) => `{"_key":"k${from + i}","n":1234567}\n`),
      );
    await postImport(server, 'type=documents', lines(0, 1000));
    expect((await loggedTypes(server)).filter((type) => type === 2200)).toHaveLength(1);
    const answer = await postImport(server, 'type=documents', lines(1000, 10_000));
    expect(answer.json).toEqual({ ...NOTHING, created: 10_000 });
    expect(await countOf(server)).toBe(11_000);
  });

  test('a document above the limit is 413/1216', async () => {
    await using server = await openWithCollection({}, { transactionMaxBytes: 100_000 });
    const body = `{"s":"${'x'.repeat(200_000)}"}`;
    for (const type of ['documents', 'array', 'auto']) {
      expectError(
        await postImport(server, `type=${type}`, type === 'array' ? `[${body}]` : body),
        413,
        1216,
      );
    }
    expect(await documentsOf(server)).toEqual({});
  });

  test('a client that goes away before the end has stored nothing', async () => {
    await using server = await openWithCollection();
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'POST /_api/import?collection=c&type=documents HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n' +
        '{"_key":"a"}\n{"_key":"b"}\n',
    );
    await server.request('GET', '/_api/version');
    socket.destroy();
    await once(socket, 'close');
    await vi.waitFor(async () => {
      // The next import must not wait for the one that was broken off.
      expect((await postImport(server, 'type=documents', '{"_key":"z"}')).status).toBe(201);
    }, 10_000);
    expect(Object.keys(await documentsOf(server))).toEqual(['z']);
  });
});

describe('overwrite=true', () => {
  test('the documents of the import take the place of all others, in one transaction', async () => {
    await using server = await openWithCollection({}, { loggerConfig: LOGGING });
    await postImport(server, 'type=documents', '{"_key":"a","n":1}\n{"_key":"b"}\n');
    const before = await loggedTypes(server);
    const answer = await postImport(
      server,
      'type=documents&overwrite=true',
      '{"_key":"a"}\n{"_key":"c"}\n',
    );
    expect(answer.json).toEqual({ ...NOTHING, created: 2 });
    expect(await documentsOf(server)).toEqual({ a: {}, c: {} });
    const types = (await loggedTypes(server)).slice(before.length);
    expect(types).toEqual([2200, 2302, 2302, 2300, 2300, 2201]);
  });

  test('an import that fails as a whole leaves what was there', async () => {
    await using server = await openWithCollection();
    await postImport(server, 'type=documents', '{"_key":"a","n":1}\n');
    const body = '{"_key":"b"}\n{"_key":"b"}\n';
    expectError(
      await postImport(server, 'type=documents&overwrite=true&complete=true', body),
      ...[409, 1210],
    );
    expectError(await postImport(server, 'type=array&overwrite=true', '[{"_key":"b"}'), 400, 600);
    expect(await documentsOf(server)).toEqual({ a: { n: 1 } });
  });

  test('above the limit of a transaction it still ends with the new documents only', async () => {
    await using server = await openWithCollection({}, { transactionMaxBytes: 20_000 });
    const old = Array.from({ length: 200 }, (_, i) => `{"_key":"old${i}"}\n`).join('');
    await postImport(server, 'type=documents', old);
    const small = '{"_key":"a"}\n';
    expectError(
      await postImport(server, 'type=documents&overwrite=true&complete=true', small),
      400,
      32,
    );
    expect(await countOf(server)).toBe(200);
    expect((await postImport(server, 'type=documents&overwrite=true', small)).json['created']).toBe(
      1,
    );
    expect(await documentsOf(server)).toEqual({ a: {} });
    const large = Array.from(
      { length: 500 },
      (_, i) => `{"_key":"k${i}","s":"${'x'.repeat(90)}"}\n`,
    );
    await postImport(server, 'type=documents&overwrite=true', large.join(''));
    expect(await countOf(server)).toBe(500);
  });
});
