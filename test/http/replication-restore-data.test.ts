import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../support/http-server.ts';
import { expectError } from './expect-error.ts';
import {
  OF_3,
  type RestoreServer,
  type SendSettings,
  lineOf1,
  lineOf3,
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

async function revisionOf(key: string, name = 'c'): Promise<unknown> {
  return (await server.stored(name))[key]?.['_rev'];
}

const EDGE = { _from: 'c/a', _to: 'nosuch/b' };

describe('the collection', () => {
  test('is named, or given by its id', async () => {
    await restore([lineOf1('a', '5')]);
    await restore([lineOf1('b', '6')], { collection: server.database.get('c').cid });
    expect(Object.keys(await documents())).toEqual(['a', 'b']);
  });

  test('that is missing or unknown is 400/400', async () => {
    for (const query of ['', '?collection=', '?collection=nosuch', '?collection=4711']) {
      for (const headers of [{}, OF_3]) {
        const answer = await server.restore(`restore-data${query}`, lineOf1('a', '5'), headers);
        expectError(answer, 400, 400);
        expect(answer.json['errorMessage']).toMatch(/^invalid collection parameter/);
      }
    }
  });

  test('that a running applier replicates is refused before a line is looked at: 403/1004', async () => {
    server.database.writeGuard = (name) => name === 'c';
    for (const headers of [{}, OF_3]) {
      expectError(await send('no line', { headers }), 403, 1004);
      expectError(await send('', { headers }), 403, 1004);
    }
    await restore([lineOf1('a', '5', EDGE, 2301)], { collection: 'e' });
    server.database.writeGuard = undefined;
    expect(await documents()).toEqual({});
  });
});

describe('the shape of the body', () => {
  const line = lineOf1('a', '5', { v: 1 });
  const expected = { a: { _key: 'a', v: 1 } };

  test.each<[string, string]>([
    ['ends with a newline', `${line}\n`],
    ['ends without one', line],
    ['starts with a newline, as arangorestore cuts', `\n${line}`],
    ['has empty lines and lines of one character', `\n\n}\n${line}\nx\n\n\n`],
    ['has blank lines', `   \n\t\t\n${line}\n  `],
    ['has carriage returns', `${line}\r\n\r\n`],
  ])('%s', async (_, body) => {
    const answer = await send(body);
    expect([answer.status, answer.json]).toEqual([200, { result: true }]);
    expect(await documents()).toEqual(expected);
  });

  test('may be empty', async () => {
    for (const body of ['', '\n', '\n\n', undefined]) expect((await send(body)).status).toBe(200);
    expect(await server.logged()).toHaveLength(3);
  });

  test('may come in pieces that end anywhere, even inside of a character', async () => {
    const text = ['a', 'b', 'c'].map((key) => lineOf1(key, '5', { s: 'Köln 😀' })).join('\n');
    const bytes = Buffer.from(text);
    const pieces = Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1));
    expect((await send(Readable.from(pieces))).status).toBe(200);
    expect(Object.keys(await documents())).toEqual(['a', 'b', 'c']);
    expect((await documents())['b']).toEqual({ _key: 'b', s: 'Köln 😀' });
  });

  test('keeps numbers and texts as they are spelled', async () => {
    const rest = '"big":9007199254740993,"n":[1.50,-0,1.0e10,0.1],"s":"\\u00e4\\/\\n","o":{}';
    const lines = [
      `{"type":2300,"key":"plain","rev":"5","data":{"_key":"plain","_rev":"5",${rest}}}`,
      `{"type":2300,"key":"other","rev":"5","data":{${rest},"_key":"other","e":1e10}}`,
    ];
    await restore(lines, { query: '&recycleIds=true' });
    const { text } = await server.get('dump?collection=c&ticks=false');
    const other = `{"_key":"other","_rev":"5",${rest},"e":1.0e10}`;
    expect(text).toBe(`${lines[0] ?? ''}\n{"type":2300,"key":"other","rev":"5","data":${other}}\n`);
  });
});

describe('the lines', () => {
  test('of 1.4 insert, replace and remove in their order', async () => {
    await restore([
      ...[lineOf1('a', '5', { v: 1 }), lineOf1('b', '6', { v: 1 }), lineOf1('a', '7', { v: 2 })],
      ...['{"type":2302,"key":"b","rev":"8"}', '{"type":2302,"key":"nosuch","rev":"8"}'],
      ...['{"type":2302,"key":"c","rev":"9"}', lineOf1('c', '10', { v: 3 })],
    ]);
    expect(await documents()).toEqual({ a: { _key: 'a', v: 2 }, c: { _key: 'c', v: 3 } });
  });

  test('of 3.x, with only data, too', async () => {
    await restore([
      ...[lineOf3('a', '5', { v: 1 }), lineOf3('b', '6', { v: 1 }), lineOf3('a', '7', { v: 2 })],
      ...[
        '{"type":2302,"data":{"_key":"b","_rev":"8"}}',
        '{"tick":"9","type":2302,"data":{"_key":"x"}}',
      ],
    ]);
    expect(await documents()).toEqual({ a: { _key: 'a', v: 2 } });
  });

  test('may be bare documents with useEnvelope=false', async () => {
    const edge = { _id: 'e/k', _key: 'k', _rev: '_aB---', ...EDGE, type: 2302, data: { key: 'x' } };
    const query = '&useEnvelope=false';
    await restore(['{"_key":"a","_rev":"5","key":"z","v":1}', '{"v":2,"_key":"b"}'], { query });
    await restore([JSON.stringify(edge)], { query, collection: 'e' });
    expect(await documents()).toEqual({ a: { _key: 'a', key: 'z', v: 1 }, b: { _key: 'b', v: 2 } });
    expect(await server.stored('e')).toEqual({
      k: { _key: 'k', _rev: '_aB---', ...EDGE, type: 2302, data: { key: 'x' } },
    });
  });

  test('are the same however they are spelled', async () => {
    const spellings = [
      '{"type":2300,"key":"k","rev":"5","data":{"_key":"k","_rev":"5","v":[1]}}',
      ' { "data" : { "v" : [1] , "_rev" : "5" , "_key" : "k" } , "type" : 2300 } ',
      '{"tick":"9","tid":"4","cid":"1","cname":"x","oldRev":"3","type":2300,"key":"other","data":{"_key":"k","v":[1],"_rev":5}}',
      '{"type":1,"type":2300,"data":{"v":0},"data":{"_key":"x","\\u005fkey":"k","v":2,"v":[1],"_rev":"5"}}',
      '{"type":2300,"key":"k","rev":5,"data":{"v":[1]}}',
    ];
    for (const line of spellings) {
      await restore([line], { query: '&recycleIds=true' });
      expect(await server.stored('c')).toEqual({ k: { _key: 'k', _rev: '5', v: [1] } });
      await restore(['{"type":2302,"key":"k"}']);
    }
  });

  test('make edges of 2301, and of 2300 with ends, whose vertices need not exist', async () => {
    await restore([lineOf1('a', '5', EDGE, 2301), lineOf3('b', '6', { ...EDGE, v: 1 })], {
      collection: 'e',
    });
    expect(await documents('e')).toEqual({
      a: { _key: 'a', ...EDGE },
      b: { _key: 'b', ...EDGE, v: 1 },
    });
    const moved = { _from: 'c/z', _to: 'c/z' };
    await restore([lineOf1('a', '7', moved, 2301)], { collection: 'e' });
    expect((await documents('e'))['a']).toEqual({ _key: 'a', ...moved });
  });

  test('bring their keys, whatever the collection says of keys', async () => {
    const keyOptions = { type: 'autoincrement', allowUserKeys: false };
    const parameters = { name: 'auto', keyOptions };
    await server.restore('restore-collection', { parameters, indexes: [] });
    await restore([lineOf1('41', '5'), lineOf1('x:y', '6')], { collection: 'auto' });
    const { json } = await server.call('POST', '/_api/document?collection=auto', '{}');
    expect(json['_key']).toBe('42');
  });

  test('are logged one by one, each like a write', async () => {
    await restore([
      lineOf1('a', '5', { v: 1 }),
      lineOf1('a', '6', { v: 2 }),
      '{"type":2302,"key":"a"}',
    ]);
    const { cid } = server.database.get('c');
    const [first, second, third] = (await server.logged()).slice(3);
    expect(first).toMatchObject({ type: 2300, cid, cname: 'c', key: 'a', data: { v: 1 } });
    expect(second).toMatchObject({ type: 2300, oldRev: first?.rev, data: { v: 2 } });
    expect(third).toMatchObject({ type: 2302, key: 'a', oldRev: second?.rev });
  });

  test('leave a hole in the log when the logger does not run', async () => {
    await server.put('logger-stop');
    const before = server.database.changelog.state.holeAt;
    await restore([lineOf1('a', '5')]);
    expect(server.database.changelog.state.holeAt).toBeGreaterThan(before);
    await server.put('logger-start');
    const types = (await server.logged()).map(({ type }) => type);
    expect(types).not.toContain(2300);
    // The log alone does not tell what the collection holds.
    await server.collections.drop(server.database, server.database.get('c'));
  });
});

describe('revisions', () => {
  const lines = [lineOf1('one', '880001'), lineOf3('three', '_aBc---')];

  async function revisions(settings: SendSettings): Promise<unknown[]> {
    await restore(lines, settings);
    return [await revisionOf('one'), await revisionOf('three')];
  }

  test.each<[string, SendSettings, boolean, boolean]>([
    ['of 1.4 lines are new, those of 3.x lines kept', {}, false, true],
    ['are kept with recycleIds', { query: '&recycleIds=true' }, true, true],
    ['are kept for 3.x', { headers: OF_3 }, true, true],
    [
      'are new with generateNewRevisionIds',
      { query: '&generateNewRevisionIds=true' },
      false,
      false,
    ],
    [
      'are new with generateNewRevisionIds for 3.x, too',
      { query: '&recycleIds=1&generateNewRevisionIds=1', headers: OF_3 },
      ...([false, false] as const),
    ],
  ])('%s', async (_, settings, keepsOne, keepsThree) => {
    const [one, three] = await revisions(settings);
    expect([one === '880001', three === '_aBc---']).toEqual([keepsOne, keepsThree]);
    if (!keepsOne) expect(one).toMatch(/^[1-9][0-9]*$/);
  });

  test('that are kept push the own counter above them', async () => {
    const large = (1n << 61n).toString();
    await restore([lineOf1('a', large), lineOf1('b', '7')], { query: '&recycleIds=true' });
    const { json } = await server.call('POST', '/_api/document?collection=c', '{}');
    expect(BigInt(json['_rev'] as string)).toBeGreaterThan(BigInt(large));
  });

  test('above 2^62 are refused, if they were to be kept: 400/10', async () => {
    const most = (1n << 62n).toString();
    const tooLarge = ((1n << 62n) + 1n).toString();
    for (const headers of [{}, OF_3]) {
      const answer = await send(`${lineOf1('a', '5')}\n${lineOf1('b', tooLarge)}`, {
        ...{ query: '&recycleIds=true', headers },
      });
      expectError(answer, 400, 10);
      expect(answer.json['errorMessage']).toMatch(/^line 2 of the body: revision \d+/);
    }
    expect(await documents()).toEqual({});
    await restore([lineOf1('b', tooLarge)]);
    await restore([lineOf1('a', most), lineOf1('c', '9'.repeat(21))], {
      query: '&recycleIds=true',
    });
    expect(await revisionOf('a')).toBe(most);
    // More digits than any tick has: a text.
    expect(await revisionOf('c')).toBe('9'.repeat(21));
  });

  test('that are missing are made', async () => {
    await restore(['{"type":2300,"key":"a","data":{"_key":"a","_rev":""}}'], { headers: OF_3 });
    expect(await revisionOf('a')).toMatch(/^[1-9][0-9]*$/);
  });
});
