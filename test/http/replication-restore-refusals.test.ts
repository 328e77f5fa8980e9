import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';
import {
  OF_3,
  type RestoreServer,
  type SendSettings,
  lineOf1,
  openRestoreServer,
} from './restore-client.ts';

let server: RestoreServer;
beforeEach(async () => {
  server = await openRestoreServer();
});
afterEach(async () => {
  await server.verify();
  await server[Symbol.asyncDispose]();
});

function send(body: unknown, settings?: SendSettings): Promise<Answer> {
  return server.send(body, settings);
}

function restore(lines: readonly string[], settings?: SendSettings): Promise<void> {
  return server.restoreLines(lines, settings);
}

function documents(name = 'c'): Promise<Record<string, unknown>> {
  return server.contents(name);
}

const EDGE = { _from: 'c/a', _to: 'nosuch/b' };

describe('a bad line', () => {
  const GOOD = lineOf1('good', '1');

  test.each<[string, string, [number, number], [number, number]]>([
    ['no JSON', 'foo', [500, 600], [500, 600]],
    ['cut short', GOOD.slice(0, -1), [500, 600], [500, 600]],
    ['no object', '[1,2]', [500, 600], [500, 600]],
    [
      'nested too deeply',
      `{"type":2300,"key":"a","data":{"x":${'['.repeat(200)}${']'.repeat(200)}}}`,
      [500, 600],
      [500, 600],
    ],
    ['no key', '{"type":2300,"rev":"1","data":{"a":1}}', [500, 400], [500, 400]],
    ['no data', '{"type":2300,"key":"a","rev":"1"}', [500, 400], [500, 400]],
    ['data that is no object', '{"type":2300,"key":"a","data":[]}', [500, 400], [500, 400]],
    ['a removal without key', '{"type":2302,"rev":"1"}', [500, 400], [500, 400]],
    ['an unknown type', '{"type":9999,"key":"a","rev":"1","data":{}}', [500, 1406], [500, 1406]],
    ['another event', '{"type":2000,"key":"a","rev":"1","data":{}}', [500, 1406], [500, 1406]],
    ['no type', '{"key":"a","rev":"1","data":{}}', [500, 1406], [500, 1406]],
    ['a type that is text', '{"type":"2300","key":"a","data":{}}', [500, 1406], [500, 1406]],
    ['a bad key', lineOf1('a b/c', '1'), [500, 1221], [400, 1221]],
    ['a key that is a number', '{"type":2300,"data":{"_key":7}}', [500, 1221], [400, 1221]],
    ['a revision that is none', '{"type":2300,"key":"a","rev":{},"data":{}}', [400, 10], [400, 10]],
  ])('%s: the number of the error, and nothing is stored', async (_, line, of1, of3) => {
    for (const [[status, errorNum], headers] of [
      [of1, {}],
      [of3, OF_3],
    ] as const) {
      const answer = await send(`\n${GOOD}\n${line}\n${GOOD}\n`, { headers });
      expectError(answer, status, errorNum);
      expect(answer.json['errorMessage']).toMatch(/^line 3 of the body: ./);
    }
    expect(await documents()).toEqual({});
    expect(await server.logged()).toHaveLength(3);
  });

  test.each<[string, string, string, [number, number], [number, number] | 'taken']>([
    ['an edge among documents', 'c', lineOf1('a', '1', EDGE, 2301), [500, 1218], 'taken'],
    ['a document among edges', 'e', lineOf1('a', '1'), [500, 1218], [400, 1233]],
    ['an edge without ends', 'e', lineOf1('a', '1', {}, 2301), [500, 1233], [400, 1233]],
    [
      'an edge with one end',
      'e',
      lineOf1('a', '1', { _from: 'c/a' }, 2301),
      [500, 1233],
      [400, 1233],
    ],
    [
      'an end that is no text',
      'e',
      lineOf1('a', '1', { ...EDGE, _to: 7 }, 2301),
      [500, 1233],
      [400, 1233],
    ],
    [
      'an end that is malformed',
      'e',
      lineOf1('a', '1', { ...EDGE, _to: 'x' }, 2301),
      [500, 1205],
      [400, 1205],
    ],
  ])('%s', async (_, collection, line, of1, of3) => {
    expectError(await send(line, { collection }), ...of1);
    expect(await documents(collection)).toEqual({});
    if (of3 === 'taken') {
      await restore([line], { collection, headers: OF_3 });
      expect(await documents(collection)).toEqual({ a: { _key: 'a' } });
    } else {
      expectError(await send(line, { collection, headers: OF_3 }), ...of3);
    }
  });

  test('that is not UTF-8 is named', async () => {
    const bad = Buffer.concat([
      Buffer.from(`${GOOD}\n{"type":2300,"key":"a","data":{"x":"`),
      Buffer.of(0xff),
    ]);
    const answer = await send(Buffer.concat([bad, Buffer.from('"}}\n')]));
    expectError(answer, 500, 600);
    expect(answer.json['errorMessage']).toBe('line 2 of the body: the line is not UTF-8');
  });

  test('among bare documents is found, too', async () => {
    const query = '&useEnvelope=false';
    for (const line of ['{"a":1}', '{"_key":"a b"}', '[]']) {
      const { status, json } = await send(`{"_key":"a"}\n${line}`, { query });
      expect(status).toBe(500);
      expect(json['errorMessage']).toMatch(/^line 2 of the body: /);
    }
    expect(await documents()).toEqual({});
  });
});

describe('unique indexes', () => {
  const HASH = { id: '990012', type: 'hash', unique: true, fields: ['u'] };

  beforeEach(async () => {
    await server.restore('restore-indexes', { parameters: { name: 'c' }, indexes: [HASH] });
    await restore([lineOf1('old', '5', { u: 1 })]);
  });

  test('refuse a document that would violate them, and with it the others: 1210', async () => {
    const body = `${lineOf1('a', '6', { u: 2 })}\n${lineOf1('b', '7', { u: 1 })}\n`;
    for (const [headers, status] of [
      [{}, 500],
      [OF_3, 409],
    ] as const) {
      const answer = await send(body, { headers });
      expectError(answer, status, 1210);
      expect(answer.json['errorMessage']).toMatch(/^line 2 of the body: unique.*990012.*'old'/);
    }
    expect(await documents()).toEqual({ old: { _key: 'old', u: 1 } });
  });

  test('let pass what gives way within the same body, in its order', async () => {
    await restore([
      ...[lineOf1('old', '6', { u: 2 }), lineOf1('new', '7', { u: 1 })],
      ...['{"type":2302,"key":"old"}', '{"type":2300,"data":{"u":2,"_key":"third"}}'],
    ]);
    expect(await documents()).toEqual({
      new: { _key: 'new', u: 1 },
      third: { _key: 'third', u: 2 },
    });
  });

  test('hold the ends of edges, too', async () => {
    const indexes = [{ ...HASH, id: '990013', fields: ['_from', 'u'] }];
    await server.restore('restore-indexes', { parameters: { name: 'e' }, indexes });
    await restore([lineOf1('a', '6', { ...EDGE, u: 1 }, 2301)], { collection: 'e' });
    const second = lineOf1('b', '6', { ...EDGE, u: 1 }, 2301);
    expectError(await send(second, { collection: 'e' }), 500, 1210);
    await restore([lineOf1('b', '6', { ...EDGE, _from: 'c/z', u: 1 }, 2301)], { collection: 'e' });
  });
});

describe('a body above the largest transaction', () => {
  const filler = 'x'.repeat(1000);
  const COUNT = 5000;
  const lines = Array.from({ length: COUNT }, (_, i) => lineOf1(`k${i}`, '5', { i, s: filler }));

  async function openSmall(): Promise<void> {
    await server[Symbol.asyncDispose]();
    server = await openRestoreServer({ transactionMaxBytes: 1024 * 1024 });
  }

  test('is written in parts, announced or not', async () => {
    await openSmall();
    const body = lines.join('\n');
    for (const sent of [body, Readable.from([Buffer.from(body)])]) {
      expect((await send(sent)).json).toEqual({ result: true });
      expect(server.database.get('c').stats.count).toBe(COUNT);
    }
    expect((await documents())['k4321']).toEqual({ _key: 'k4321', i: 4321, s: filler });
  });

  test('with a bad line keeps the parts before it, says which, and may be sent again', async () => {
    await openSmall();
    const { message, stored } = await sendWithFault(4500);
    expect(message).toMatch(
      /^line 4501 of the body: invalid JSON object; lines 1 to \d+ are stored, the others are not$/,
    );
    const through = Number(/1 to (\d+)/.exec(message)?.[1]);
    expect(stored).toBe(through);
    expect(through).toBeGreaterThan(500);
    expect((await send(lines.join('\n'))).status).toBe(200);
    expect(server.database.get('c').stats.count).toBe(COUNT);
  });

  test('with a line that is refused when it is written keeps nothing of the parts behind it', async () => {
    await openSmall();
    const index = { id: '990014', type: 'hash', unique: true, sparse: true, fields: ['u'] };
    await server.restore('restore-indexes', { parameters: { name: 'c' }, indexes: [index] });
    const body = lines.map((line, i) => (i % 2500 === 0 ? lineOf1(`u${i}`, '5', { u: 1 }) : line));
    const answer = await send(body.join('\n'));
    expectError(answer, 500, 1210);
    const message = String(answer.json['errorMessage']);
    expect(message).toMatch(/^line 2501 of the body: unique.*; lines 1 to \d+ are stored/);
    const through = Number(/1 to (\d+)/.exec(message)?.[1]);
    expect(through).toBeLessThan(2500);
    expect(server.database.get('c').stats.count).toBe(through);
  });

  test('a shorter one is, too, if it is asked for', async () => {
    const { message, stored } = await sendWithFault(4500, '&inParts=true');
    expect(message).toContain(`lines 1 to ${stored} are stored`);
    expect(stored).toBeGreaterThan(500);
  });

  test('below the limit keeps nothing', async () => {
    const { message, stored } = await sendWithFault(4500);
    expect(message).toBe('line 4501 of the body: invalid JSON object');
    expect(stored).toBe(0);
  });

  test('with a line that is larger alone is refused: 413', async () => {
    await openSmall();
    const answer = await send(lineOf1('a', '5', { s: 'x'.repeat(2 * 1024 * 1024) }));
    expectError(answer, 413, 1216);
    expect(await documents()).toEqual({});
  });

  async function sendWithFault(
    at: number,
    query = '',
  ): Promise<{ message: string; stored: number }> {
    const body = [...lines.slice(0, at), 'foo', ...lines.slice(at)].join('\n');
    const answer = await send(body, { query });
    expectError(answer, 500, 600);
    return {
      message: String(answer.json['errorMessage']),
      stored: server.database.get('c').stats.count,
    };
  }
});

test('a document that an open transaction holds is refused, and with it the others: 409/1200', async () => {
  const begin = { collections: { write: ['c'] } };
  const begun = await server.request('POST', '/_api/transaction/begin', { body: begin });
  const { id } = begun.json['result'] as { id: string };
  const inside = { 'x-arango-trx-id': id };
  await server.request('POST', '/_api/document/c', { body: { _key: 'held' }, headers: inside });
  const body = `${lineOf1('free', '5')}\n${lineOf1('held', '6', { v: 1 })}\n`;
  for (const headers of [{}, OF_3]) {
    const answer = await send(body, { headers });
    expectError(answer, 409, 1200);
    expect(answer.json['errorMessage']).toMatch(/^line 2 of the body: ./);
  }
  expect(await documents()).toEqual({});
  await server.request('DELETE', `/_api/transaction/${id}`);
  await restore(body.trimEnd().split('\n'));
  expect(await documents()).toEqual({ free: { _key: 'free' }, held: { _key: 'held', v: 1 } });
});

test('a client that goes away in the middle leaves nothing behind', async () => {
  const body = new Readable({ read: () => undefined });
  body.push(`${lineOf1('a', '5')}\n`.repeat(100));
  const sending = send(body);
  setTimeout(() => body.destroy(new Error('cut off')), 50);
  await expect(sending).rejects.toThrow();
  await restore([lineOf1('b', '5')]);
  expect(Object.keys(await documents())).toEqual(['b']);
});

describe('what an open transaction holds', () => {
  test('is not restored over: 409/1200 with the number of the line, and nothing is stored', async () => {
    const begun = await server.request('POST', '/_api/transaction/begin', {
      body: { collections: { write: 'c' } },
    });
    const { id } = begun.json['result'] as { id: string };
    const inside = { headers: { 'x-arango-trx-id': id } };
    await restore([lineOf1('gone', '1')]);
    await server.request('POST', '/_api/document/c', { ...inside, body: { _key: 'held' } });
    await server.request('DELETE', '/_api/document/c/gone', inside);
    const bad = [lineOf1('held', '7'), '{"type":2302,"key":"gone","rev":"8"}'];
    for (const line of bad) {
      for (const headers of [{}, OF_3]) {
        const answer = await send(`${lineOf1('good', '5')}\n${line}\n`, { headers });
        expectError(answer, 409, 1200);
        expect(answer.json['errorMessage']).toContain('line 2 of the body');
      }
    }
    expect(Object.keys(await documents())).toEqual(['gone']);
    await server.request('PUT', `/_api/transaction/${id}`);
    await restore([lineOf1('held', '9', { n: 1 })]);
    expect(await documents()).toEqual({ held: { _key: 'held', n: 1 } });
  });
});
