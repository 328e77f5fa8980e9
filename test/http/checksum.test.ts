import { describe, expect, test } from 'vitest';
import { type TestServer, openTestServer } from '../support/http-server.ts';

async function openWithCollection(type = 2): Promise<TestServer> {
  const server = await openTestServer();
  await server.request('POST', '/_api/collection', { body: { name: 'c', type } });
  return server;
}

async function checksum(server: TestServer, query = ''): Promise<number> {
  const { status, json } = await server.request('GET', `/_api/collection/c/checksum${query}`);
  expect(status).toBe(200);
  const value = json['checksum'];
  expect(Number.isSafeInteger(value)).toBe(true);
  return value as number;
}

function put(server: TestServer, ...lines: string[]): Promise<unknown> {
  const path = '/_api/import?collection=c&type=documents&onDuplicate=replace';
  return server.request('POST', path, { body: lines.join('\n') });
}

const DATA = '?withData=true';
const REVISIONS = '?withRevisions=true';

describe('GET /_api/collection/<name>/checksum', () => {
  test('is 0 for an empty collection, with the revision beside it', async () => {
    await using server = await openWithCollection();
    const { json } = await server.request('GET', '/_api/collection/c/checksum');
    expect(json).toMatchObject({ name: 'c', status: 3, checksum: 0, revision: '0', code: 200 });
    await put(server, '{"_key":"a"}');
    const after = (await server.request('GET', '/_api/collection/c/checksum')).json;
    const revision = await server.request('GET', '/_api/collection/c/revision');
    expect(after['revision']).toBe(revision.json['revision']);
    expect(after['checksum']).not.toBe(0);
  });

  test('two collections with equal content have equal ones, whatever their history and spelling', async () => {
    await using one = await openWithCollection();
    await using other = await openWithCollection();
    await put(
      one,
      ...[
        '{"_key":"a","x":1,"y":{"p":"ä/","q":[1,2]}}',
        '{"_key":"b","n":1e2,"i":9007199254740993}',
      ],
    );
    await put(other, '{"_key":"gone"}', '{"_key":"b","old":true}', '{"_key":"a"}');
    await other.request('DELETE', '/_api/document/c/gone');
    await put(
      other,
      '{"_key":"b","i":9007199254740993,"n":100.0}',
      '{"_key":"a", "y":{"q":[1, 2.0],"p":"\\u00e4\\/"},"x":1}',
    );
    expect(await checksum(other)).toBe(await checksum(one));
    expect(await checksum(other, DATA)).toBe(await checksum(one, DATA));
    expect(await checksum(other, REVISIONS)).not.toBe(await checksum(one, REVISIONS));
  });

  test('every kind of difference shows where it is looked for', async () => {
    await using server = await openWithCollection();
    await put(server, '{"_key":"a","x":1,"s":"1"}', '{"_key":"b","x":2,"s":"2"}');
    const plain = await checksum(server);
    const data = await checksum(server, DATA);
    const changes = [
      ['{"_key":"a","x":2,"s":"1"}', '{"_key":"b","x":1,"s":"2"}'],
      ['{"_key":"a","x":1,"s":1}', '{"_key":"b","x":2,"s":"2"}'],
      ['{"_key":"a","x":1}', '{"_key":"b","x":2,"s":"2"}'],
      ['{"_key":"a","x":1,"s":"1","z":null}', '{"_key":"b","x":2,"s":"2"}'],
      ['{"_key":"a","x":2,"s":"2"}', '{"_key":"b","x":1,"s":"1"}'],
    ];
    const seen = new Set([data]);
    for (const lines of changes) {
      await put(server, ...lines);
      expect(await checksum(server)).toBe(plain);
      seen.add(await checksum(server, DATA));
    }
    expect(seen.size).toBe(changes.length + 1);
    await put(server, '{"_key":"c"}');
    expect(await checksum(server)).not.toBe(plain);
  });

  test('integers of 64 bits that a double cannot tell apart are different', async () => {
    await using server = await openWithCollection();
    await put(server, '{"_key":"a","n":9007199254740993}');
    const odd = await checksum(server, DATA);
    await put(server, '{"_key":"a","n":9007199254740992}');
    expect(await checksum(server, DATA)).not.toBe(odd);
  });

  test('a new revision shows with revisions only', async () => {
    await using server = await openWithCollection();
    await put(server, '{"_key":"a","x":1}');
    const before = [await checksum(server, DATA), await checksum(server, REVISIONS)];
    await put(server, '{"_key":"a","x":1}');
    expect(await checksum(server, DATA)).toBe(before[0]);
    expect(await checksum(server, REVISIONS)).not.toBe(before[1]);
  });

  test('the ends of an edge are a part of its data', async () => {
    await using server = await openWithCollection(3);
    await put(server, '{"_key":"a","_from":"v/1","_to":"v/2"}');
    const before = await checksum(server, DATA);
    await put(server, '{"_key":"a","_from":"v/2","_to":"v/1"}');
    expect(await checksum(server, DATA)).not.toBe(before);
  });

  test('is that of one moment while others write', async () => {
    await using server = await openWithCollection();
    const lines = Array.from({ length: 5000 }, (_, i) => `{"_key":"k${i}","n":0}`);
    await put(server, ...lines);
    const before = await checksum(server, DATA);
    const during = checksum(server, DATA);
    const writes = [];
    for (let i = 0; i < 5; i++)
      writes.push(put(server, ...lines.map((line) => line.replace('0}', '1}'))));
    await Promise.all(writes);
    const after = await checksum(server, DATA);
    expect(after).not.toBe(before);
    expect([before, after]).toContain(await during);
  });

  test('a stop of the server ends it', async () => {
    await using server = await openWithCollection();
    await put(server, '{"_key":"a"}');
    server.abort();
    const answer = await server.request('GET', `/_api/collection/c/checksum${DATA}`);
    expect(answer.json).toMatchObject({ code: 503, errorNum: 30 });
  });
});
