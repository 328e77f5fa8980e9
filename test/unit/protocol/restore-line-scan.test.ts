import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isValidKey, parseHandle } from '../../../src/model/names.ts';
import { NOT_PLAIN, behindValue } from '../../../src/protocol/json-bytes.ts';
import { MAX_JSON_DEPTH } from '../../../src/protocol/json-scan.ts';
import { RestoreLineScan } from '../../../src/protocol/restore-line-scan.ts';

/** What a scan makes of a line; undefined when it is not plain. */
function scanned(line: string, useEnvelope = true): Record<string, unknown> | undefined {
  const before = 'xx\n';
  const bytes = Buffer.from(`${before}${line}\n{"type":2302}\n`);
  const scan = new RestoreLineScan(bytes);
  const end = useEnvelope ? scan.envelope(before.length) : scan.document(before.length);
  if (end === NOT_PLAIN) return undefined;
  expect(end).toBe(before.length + Buffer.byteLength(line));
  const slice = (start: number, stop: number): string | undefined =>
    start < 0 ? undefined : bytes.toString('utf8', start, stop);
  return {
    type: scan.type,
    key: slice(scan.keyStart, scan.keyEnd),
    rev: slice(scan.revStart, scan.revEnd),
    ownKey: slice(scan.ownKeyStart, scan.ownKeyEnd),
    ownRev: slice(scan.ownRevStart, scan.ownRevEnd),
    from: slice(scan.fromStart, scan.fromEnd),
    to: slice(scan.toStart, scan.toEnd),
    rest: scan.dataEnd < 0 ? undefined : slice(scan.restStart, scan.dataEnd),
  };
}

const NOTHING = {
  ...{ type: 0, key: undefined, rev: undefined, ownKey: undefined, ownRev: undefined },
  ...{ from: undefined, to: undefined, rest: undefined },
};

describe('the lines that real servers write are plain', () => {
  test.each<[string, string, Record<string, unknown>]>([
    [
      'a document of 1.4',
      '{"type":2300,"key":"d1","rev":"880001","data":{"_key":"d1","_rev":"880001","v":1}}',
      { type: 2300, key: 'd1', rev: '880001', ownKey: 'd1', ownRev: '880001', rest: '"v":1}' },
    ],
    [
      'a document without attributes, with a tick',
      '{"tick":"7","type":2300,"key":"d1","rev":"8","data":{"_key":"d1","_rev":"8"}}',
      { type: 2300, key: 'd1', rev: '8', ownKey: 'd1', ownRev: '8', rest: '}' },
    ],
    [
      'an edge of ours',
      '{"type":2301,"key":"e","rev":"5","data":{"_key":"e","_rev":"5","_from":"a_b/1","_to":"_c-d/x:y","x":[]}}',
      {
        ...{ type: 2301, key: 'e', rev: '5', ownKey: 'e', ownRev: '5' },
        ...{ from: 'a_b/1', to: '_c-d/x:y', rest: '"x":[]}' },
      },
    ],
    [
      'an edge of 3.0',
      '{"type":2300,"data":{"_from":"p/a","_id":"B/5951","_key":"5951","_rev":"_aBc---","_to":"p/b","s":"\\u00e4\\n"}}',
      {
        ...{ type: 2300, ownKey: '5951', ownRev: '_aBc---', from: 'p/a', to: 'p/b' },
        rest: '"s":"\\u00e4\\n"}',
      },
    ],
    ['a removal of 1.4', '{"type":2302,"key":"k","rev":"9"}', { type: 2302, key: 'k', rev: '9' }],
    [
      'a removal of 3.0',
      '{"tick":"142","type":2302,"data":{"_key":"bob","_rev":"156"}}',
      { type: 2302, ownKey: 'bob', ownRev: '156', rest: '}' },
    ],
    [
      'what other programs print, with blanks',
      '{ "type" : 2300 , "data" : { "_key" : "k" , "a" : { } , "b" : [ 1 , -2.5e+3 ] } } ',
      { type: 2300, ownKey: 'k', rest: '"a" : { } , "b" : [ 1 , -2.5e+3 ] }' },
    ],
  ])('%s', (_, line, fields) => {
    expect(scanned(line)).toEqual({ ...NOTHING, ...fields });
  });

  test('and so are bare documents', () => {
    const line = '{"_id":"c/a1","_key":"a1","_rev":"_aB---","qty":3,"größe":true}';
    const fields = { ownKey: 'a1', ownRev: '_aB---', rest: '"qty":3,"größe":true}' };
    expect(scanned(line, false)).toEqual({ ...NOTHING, ...fields });
  });
});

describe('left to the parser is', () => {
  const inDocument = (members: string): string => `{"type":2300,"data":{"_key":"k",${members}}}`;

  test.each<[string, string]>([
    ['a name that is repeated', inDocument('"a":1,"b":2,"a":3')],
    ['a repeated key', inDocument('"_key":"k"')],
    ['an own attribute behind others', inDocument('"a":1,"_rev":"5"')],
    ['an own attribute with escapes', inDocument('"_rev":"\\u0031"')],
    ['an own attribute that is no string', inDocument('"_rev":5')],
    ['a name with escapes', inDocument('"\\u005fkey":"x"')],
    ['a handle that is malformed', inDocument('"_from":"x","_to":"a/b"')],
    ['a handle with an id', inDocument('"_from":"7/x","_to":"a/b"')],
    ['an exponent without fraction', inDocument('"a":1e10')],
    ['a tab', inDocument('"a":\t1')],
    ['a carriage return', `${inDocument('"a":1')}\r`],
    ['a field of the envelope that is repeated', '{"type":2300,"type":2300,"key":"k"}'],
    ['a key that is not valid', '{"type":2302,"key":"a b","rev":"1"}'],
    ['an empty key', '{"type":2302,"key":"","rev":"1"}'],
    ['a key that is too long', `{"type":2302,"key":"${'k'.repeat(255)}","rev":"1"}`],
    ['a type that is no number of four digits', '{"type":"2302","key":"k"}'],
    ['data that is no object', '{"type":2300,"data":[]}'],
    ['an array', '[]'],
    ['an empty line', ''],
    ['a document of very many attributes', inDocument(manyNames(100))],
    ['nesting that is too deep', inDocument(`"a":${nested(MAX_JSON_DEPTH)}`)],
  ])('%s', (_, line) => {
    expect(scanned(line)).toBeUndefined();
  });

  test('nothing else of the depth that documents may have', () => {
    expect(scanned(inDocument(`"a":${nested(MAX_JSON_DEPTH - 1)}`))).toBeDefined();
    expect(scanned(inDocument(manyNames(63)))).toBeDefined();
    expect(scanned(`{"type":2302,"key":"${'k'.repeat(254)}","rev":"1"}`)).toBeDefined();
  });

  test.each([
    '{',
    '{"type":2300',
    '{"type":2300,"data":{"_key":"k"}',
    '{"type":2300,}',
    '{"a":1}x',
  ])('and what is cut short or goes on: %s', (line) => {
    expect(scanned(line)).toBeUndefined();
  });
});

describe('whatever the bytes are', () => {
  /** Texts near to JSON: valid ones, of which pieces are doubled, dropped or replaced. */
  const nearJson = fc
    .tuple(
      fc.json({ maxDepth: 3 }),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom('', '"', '\\', '{', ']', ',', '0', '1e5', ' ')), {
        maxLength: 2,
      }),
    )
    .map(([text, changes]) =>
      changes.reduce((changed, [at, piece]) => {
        const place = at % (changed.length + 1);
        return changed.slice(0, place) + piece + changed.slice(place + 1);
      }, text),
    )
    .filter((text) => !text.includes('\n') && !text.includes('\r'));

  test('a value is plain only if it is JSON', () => {
    fc.assert(
      fc.property(nearJson, (text) => {
        const bytes = Buffer.from(`${text}\n`);
        const end = behindValue(bytes, 0);
        if (end === NOT_PLAIN) return;
        const value = bytes.toString('utf8', 0, end);
        expect(() => JSON.parse(value) as unknown).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });

  test('JSON as JSON.stringify prints it is plain unless it has bare exponents', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = JSON.stringify(value);
        const isBare = /[0-9][eE]/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, '""'));
        const bytes = Buffer.from(`${text}\n`);
        const end = behindValue(bytes, 0);
        if (isBare) expect([NOT_PLAIN, bytes.length - 1]).toContain(end);
        else expect(end).toBe(bytes.length - 1);
      }),
      { numRuns: 1000 },
    );
  });

  test('a plain line means what its JSON says', () => {
    const name = fc.constantFrom(
      '_key',
      '_rev',
      '_id',
      '_from',
      '_to',
      'a',
      'b',
      'é',
      '_x',
      'data',
    );
    const text = fc.constantFrom('a/b', 'k1', '5', '_c/d', '', 'ä/b', 'x y', 'a"b');
    const value = fc.oneof(text, fc.jsonValue({ maxDepth: 2 }));
    const members = fc.array(fc.tuple(name, value), { maxLength: 6 });
    const print = (each: (readonly [string, unknown])[]): string =>
      `{${each.map(([key, member]) => `${JSON.stringify(key)}:${JSON.stringify(member)}`).join(',')}}`;
    fc.assert(
      fc.property(members, (each) => {
        const source = print(each);
        const found = scanned(`{"type":2300,"data":${source}}`);
        if (!found) return;
        const { _key, _rev, _from, _to, _id, ...rest } = JSON.parse(source) as Record<
          string,
          unknown
        >;
        expect(JSON.parse(`{${String(found['rest'])}`)).toEqual(rest);
        expect(new Set(each.map(([key]) => key)).size).toBe(each.length);
        expect([found['ownKey'], found['ownRev'], found['from'], found['to']]).toEqual([
          ...[_key, _rev, _from, _to],
        ]);
        expect(_key === undefined || isValidKey(_key as string)).toBe(true);
        for (const handle of [_from, _to]) {
          if (handle !== undefined) expect(parseHandle(handle as string)).toBeDefined();
        }
        expect(_id === undefined || typeof _id === 'string').toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

function manyNames(count: number): string {
  return Array.from({ length: count }, (_, i) => `"name${i}":${i}`).join(',');
}
