import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { isServiceError } from '../../../src/model/errors.ts';
import { MAX_JSON_DEPTH } from '../../../src/protocol/json-scan.ts';
import { type ForeignLine, parseLine, parsePage } from '../../../src/protocol/line-parser.ts';

const ABSENT: ForeignLine = {
  tick: undefined,
  type: 2300,
  tid: undefined,
  database: undefined,
  cid: undefined,
  cname: undefined,
  key: undefined,
  rev: undefined,
  oldRev: undefined,
  from: undefined,
  to: undefined,
  rest: '',
  value: undefined,
  payload: undefined,
  collections: [],
  lastTick: undefined,
};

function failure(text: string): { kind: string; message: string } {
  try {
    parseLine(text);
  } catch (error) {
    if (isServiceError(error)) return { kind: error.kind, message: error.message };
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

describe('document lines', () => {
  test('1.4: key and rev on top, tid behind the data', () => {
    const line = parseLine(
      '{"tick":"33","type":2301,"cid":"13","cname":"knows","key":"e","rev":"31","oldRev":"30",' +
        '"data":{"_key":"e","_rev":"31","_from":"people\\/a","_to":"people\\/b","n":1.50},"tid":"29"}\n',
    );
    expect({ ...line, value: undefined }).toEqual({
      ...ABSENT,
      tick: 33n,
      type: 2301,
      tid: '29',
      cid: '13',
      cname: 'knows',
      key: 'e',
      rev: '31',
      oldRev: '30',
      from: 'people/a',
      to: 'people/b',
      rest: '"n":1.50',
    });
    expect(line.value?.['n']).toBe(1.5);
  });

  test('2.x: a database, and a tid of "0" outside of transactions', () => {
    const line = parseLine(
      '{"tick":"5","type":2300,"tid":"0","database":"1","cid":"7","cname":"c","key":"k","rev":"4",' +
        '"data":{"_key":"k","_rev":"4"}}',
    );
    expect([line.tid, line.database, line.key, line.rev]).toEqual([undefined, '1', 'k', '4']);
  });

  test('3.x: key and revision in the data only, edges as 2300, _id dropped', () => {
    const line = parseLine(
      '{"tick":"220","type":2300,"tid":"209","database":"1","cid":"93","cname":"knows","data":' +
        '{"_from":"p/1","_id":"knows/te","_key":"te","_rev":"_aBc---","_to":"p/2","x":9007199254740993}}',
    );
    expect({ ...line, value: undefined }).toEqual({
      ...ABSENT,
      tick: 220n,
      tid: '209',
      database: '1',
      cid: '93',
      cname: 'knows',
      key: 'te',
      rev: '_aBc---',
      from: 'p/1',
      to: 'p/2',
      rest: '"x":9007199254740993',
    });
  });

  test('removes of 1.4 and of 3.x', () => {
    expect(parseLine('{"tick":"9","type":2302,"key":"a","rev":"8","oldRev":"7"}')).toEqual({
      ...ABSENT,
      tick: 9n,
      type: 2302,
      key: 'a',
      rev: '8',
      oldRev: '7',
    });
    expect(parseLine('{"tick":"9","type":2302,"data":{"_key":"a","_rev":"8"}}')).toEqual({
      ...ABSENT,
      tick: 9n,
      type: 2302,
      key: 'a',
      rev: '8',
    });
  });

  test('a dump without ticks has lines without a tick', () => {
    const line = parseLine('{"type":2300,"key":"a","rev":"1","data":{"_key":"a","_rev":"1"}}');
    expect(line.tick).toBeUndefined();
    expect(line.key).toBe('a');
  });

  test('the key in the data is the one that counts, the one outside stands in for it', () => {
    expect(parseLine('{"type":2300,"key":"a","data":{"_key":"b"}}').key).toBe('b');
    expect(parseLine('{"type":2300,"key":"a","data":{}}').key).toBe('a');
    expect(parseLine('{"type":2300,"data":{}}').key).toBeUndefined();
  });

  test('of repeated data the last one counts, as in JSON.parse', () => {
    const line = parseLine(
      '{"type":2300,"data":{"_key":"a","n":1,"n":2},"x":{"data":{"n":3}},"\\u0064ata":{"_key":"b","n":4}}',
    );
    expect([line.key, line.rest]).toEqual(['b', '"n":4']);
  });

  test('text that looks like data is not taken for it', () => {
    const line = parseLine(
      '{"type":2300,"key":"a\\",\\"data\\":{","x":{"data":{"y":1}},"data":{"_key":"k","z":"}"}}',
    );
    expect([line.key, line.rest]).toEqual(['k', '"z":"}"']);
  });
});

describe('other lines', () => {
  test('2000 and 2003: the payload is in collection, or in 3.x in data', () => {
    const old = parseLine(
      '{"tick":"1","type":2000,"cid":"8","cname":"c","collection":{"name":"c"}}',
    );
    expect([old.cid, old.cname, old.payload]).toEqual(['8', 'c', { name: 'c' }]);
    const both =
      '{"tick":"1","type":2003,"cid":"8","collection":{"name":"c"},"data":{"name":"other"}}';
    expect(parseLine(both).payload).toEqual({ name: 'c' });
    expect(parseLine('{"type":2002,"data":{"id":"9","name":"n"}}').payload).toEqual({
      id: '9',
      name: 'n',
    });
    expect(parseLine('{"type":2001,"cid":"8","cname":"c"}').payload).toEqual({});
  });

  test('2100 and 2101: the id is text, also where 3.0 has a number', () => {
    const index = { id: '50', type: 'hash', unique: true, fields: ['a'] };
    expect(parseLine(`{"type":2100,"index":${JSON.stringify(index)}}`).payload).toEqual(index);
    expect(parseLine(`{"type":2100,"data":${JSON.stringify(index)}}`).payload).toEqual(index);
    expect(parseLine('{"type":2101,"cid":"8","id":"50"}').payload).toEqual({ id: '50' });
    expect(parseLine('{"type":2101,"cid":"8","data":{"id":108}}').payload).toEqual({ id: '108' });
  });

  test('transactions, with and without their collections', () => {
    const start = parseLine(
      '{"tick":"32","type":2200,"collections":[{"cid":"13","name":"p","operations":4}],"tid":"30"}',
    );
    expect(start).toEqual({
      ...ABSENT,
      tick: 32n,
      type: 2200,
      tid: '30',
      collections: [{ cid: '13', name: 'p', operations: 4 }],
    });
    expect(parseLine('{"tick":"5","type":2202,"tid":"4","database":"1"}')).toEqual({
      ...ABSENT,
      tick: 5n,
      type: 2202,
      tid: '4',
      database: '1',
    });
  });

  test('start and stop of the logger', () => {
    expect(parseLine('{"tick":"12","type":1001,"lastTick":"7"}').lastTick).toBe(7n);
  });
});

describe('refused lines', () => {
  test.each(['', 'x', '{', '{"type":2300', '{"type":2300}}', '{"type":1001,"a":"\t"}'])(
    'no JSON: %j',
    (text) => {
      expect(failure(text).kind).toBe('invalidJson');
    },
  );

  test.each(['{}', '{"type":"2300"}', '{"type":2399}', '{"type":2300.5}', '{"type":null}'])(
    'no event we know: %s',
    (text) => {
      expect(failure(text).kind).toBe('unexpectedMarker');
    },
  );

  test.each([
    '[]',
    'null',
    '{"type":2300}',
    '{"type":2300,"data":[]}',
    '{"type":2302,"data":"x"}',
    '{"type":2300,"key":1,"data":{}}',
    '{"type":2300,"data":{"_key":null}}',
    '{"type":2301,"data":{"_from":1}}',
    '{"type":2300,"rev":{},"data":{}}',
    '{"tick":"x","type":1001}',
    '{"tick":18446744073709551615,"type":1001}',
    '{"type":2200,"tid":true}',
    '{"type":2200,"collections":{}}',
    '{"type":2200,"collections":[1]}',
    '{"type":2000,"collection":1}',
    '{"type":2101,"data":{"id":9007199254740993}}',
  ])('JSON that is no such event: %s', (text) => {
    expect(failure(text).kind).toBe('invalidResponse');
  });

  test('the message quotes the start of the line, and no more', () => {
    const text = `{"tick":"1","type":77,"x":"${'ä'.repeat(100_000)}"}`;
    const { message } = failure(text);
    expect(message).toContain(', offending marker: {"tick":"1","type":77,');
    expect(message.length).toBeLessThan(400);
    const half = failure(`x${'😀'.repeat(1000)}`).message;
    expect(Buffer.from(half).toString()).toBe(half);
  });

  test('nesting is limited to that of documents, whatever the type', () => {
    const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    const document = (levels: number): string =>
      `{"type":2300,"data":{"_key":"a","x":${deep(levels - 1)}}}`;
    expect(parseLine(document(MAX_JSON_DEPTH)).key).toBe('a');
    expect(failure(document(MAX_JSON_DEPTH + 1)).kind).toBe('invalidJson');
    expect(failure(document(100_000)).kind).toBe('invalidJson');
    expect(failure(`{"type":2000,"collection":{"x":${deep(100_000)}}}`).kind).toBe('invalidJson');
    expect(failure(`{"type":${deep(100_000)}}`).kind).toBe('unexpectedMarker');
  });
});

describe('parsePage', () => {
  test('reads every line, passes over empty ones, and needs no newline at the end', () => {
    const page = Buffer.from('\n{"type":1000,"tick":"1"}\n\r\n\n{"type":1001,"tick":"2"}');
    expect([...parsePage(page)].map(({ tick }) => tick)).toEqual([1n, 2n]);
    expect([...parsePage(Buffer.alloc(0))]).toEqual([]);
  });

  test('lines before a bad one are still delivered', () => {
    const lines = parsePage(Buffer.from('{"type":1000,"tick":"1"}\nx\n'));
    expect(lines.next().value?.tick).toBe(1n);
    expect(() => lines.next()).toThrow(expect.objectContaining({ kind: 'invalidJson' }));
  });

  test('bytes that are no UTF-8 are refused instead of replaced', () => {
    const page = Buffer.from('{"tick":"1","type":2302,"key":"?","rev":"1"}\n');
    page[page.indexOf('?')] = 0xff;
    expect(() => [...parsePage(page)]).toThrow(
      expect.objectContaining({ kind: 'invalidResponse' }),
    );
  });
});

const CAPTURES = fileURLToPath(new URL('../../../../shared/captures/', import.meta.url));

describe('captures of real servers', () => {
  const pages = existsSync(CAPTURES) ? capturedPages() : [];
  if (pages.length === 0) console.warn(`SKIPPED: no captures of real servers in ${CAPTURES}`);

  test.skipIf(pages.length === 0)('every log and dump line they ever sent is understood', () => {
    let count = 0;
    for (const { file, body } of pages) {
      for (const line of parsePage(body)) {
        count++;
        expect(line.tick === undefined, file).toBe(file.endsWith('ticks-false.http'));
        if (line.type >= 2300) expect(line.key, file).toMatch(/^.+$/);
        if (line.type >= 2300) expect(line.rev, file).toMatch(/^\d+$/);
        if (line.value === undefined) continue;
        const expected = { ...line.value };
        for (const own of ['_key', '_rev', '_id', '_from', '_to']) {
          Reflect.deleteProperty(expected, own);
        }
        expect(JSON.parse(`{${line.rest}}`), file).toEqual(expected);
      }
    }
    expect(count).toBeGreaterThan(500);
  });

  /** Bodies of all answers of dump type. */
  function capturedPages(): { file: string; body: Buffer }[] {
    return readdirSync(CAPTURES, { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?:follow|dump)\/[^/]+\.http$/.test(file))
      .flatMap((file) => {
        const text = readFileSync(CAPTURES + file, 'utf8');
        const bodies = text.split(/^### RESPONSE ###$/m).slice(1);
        return bodies
          .filter((answer) => /^content-type: application\/x-arango-dump/im.test(answer))
          .map((answer) => answer.replace(/^[^]*?\r?\n\r?\n/, '').split(/^###/m)[0] ?? '')
          .map((body) => ({ file, body: Buffer.from(body) }));
      });
  }
});
