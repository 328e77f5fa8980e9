import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_JSON_DEPTH } from '../../../src/protocol/json-scan.ts';
import {
  buildData,
  jsonString,
  lastMembers,
  mergeDocuments,
  parseDocument,
  splitArray,
  splitObject,
} from '../../../src/protocol/json-text.ts';
import { arraySource, blankSource, canonical, objectSource } from './json-source.ts';

const OWN = ['_key', '_rev', '_id', '_from', '_to'];

type Json = Record<string, unknown>;

function parsed(source: string): Json {
  return JSON.parse(source) as Json;
}

function kindOf(source: string): string {
  try {
    parseDocument(source);
    return 'accepted';
  } catch (error) {
    return (error as { kind: string }).kind;
  }
}

describe('splitObject', () => {
  test('names and values are those JSON.parse finds, wherever white space and escapes stand', () => {
    fc.assert(
      fc.property(blankSource, objectSource, (before, source) => {
        const text = before + source;
        const members = splitObject(text)!;
        const rebuilt = members.map(
          ({ name, valueStart, valueEnd }) =>
            `${JSON.stringify(name)}:${text.slice(valueStart, valueEnd)}`,
        );
        expect(canonical(`{${rebuilt.join(',')}}`)).toBe(canonical(source));
        const pieces = members.map(({ memberStart, valueEnd }) =>
          text.slice(memberStart, valueEnd),
        );
        expect(canonical(`{${pieces.join(',')}}`)).toBe(canonical(source));
      }),
      { numRuns: 2000 },
    );
  });

  test('lastMembers keeps one member of each name, the one JSON.parse keeps', () => {
    fc.assert(
      fc.property(objectSource, (source) => {
        const all = splitObject(source)!;
        const last = lastMembers(all);
        expect(new Set(last.map(({ name }) => name)).size).toBe(last.length);
        expect(last === all).toBe(Object.keys(parsed(source)).length === all.length);
        const rebuilt = last.map(({ memberStart, valueEnd }) =>
          source.slice(memberStart, valueEnd),
        );
        expect(canonical(`{${rebuilt.join(',')}}`)).toBe(canonical(source));
      }),
      { numRuns: 1000 },
    );
  });

  test('what is no object is told apart', () => {
    expect(splitObject('[1]')).toBeUndefined();
    expect(splitObject('"{}"')).toBeUndefined();
    expect(splitObject('')).toBeUndefined();
    expect(splitObject(' {} ')).toEqual([]);
    expect(splitObject('x{"a":1}', 1)).toHaveLength(1);
  });
});

describe('splitArray', () => {
  test('the elements are those JSON.parse finds', () => {
    fc.assert(
      fc.property(blankSource, arraySource, (before, source) => {
        const text = before + source;
        const spans = splitArray(text)!;
        const rebuilt = spans.map(({ start, end }) => text.slice(start, end));
        expect(rebuilt).toHaveLength((JSON.parse(source) as unknown[]).length);
        expect(canonical(`[${rebuilt.join(',')}]`)).toBe(canonical(source));
      }),
      { numRuns: 1000 },
    );
  });

  test('what is no array is told apart', () => {
    expect(splitArray('{}')).toBeUndefined();
    expect(splitArray('[ ]')).toEqual([]);
  });
});

describe('parseDocument', () => {
  test('rest means the document without its own attributes, on one line', () => {
    fc.assert(
      fc.property(blankSource, objectSource, (around, source) => {
        const document = parseDocument(around + source + around);
        const expected = parsed(source);
        expect(JSON.stringify(document.value)).toBe(JSON.stringify(expected));
        expect([document.key, document.rev, document.id, document.from, document.to]).toEqual(
          OWN.map((name) => expected[name]),
        );
        for (const name of OWN) Reflect.deleteProperty(expected, name);
        expect(canonical(`{${document.rest}}`)).toBe(JSON.stringify(expected));
        expect(document.rest).not.toMatch(/[\n\r\t]/);
        expect(document.rest === '').toBe(Object.keys(expected).length === 0);
        expect(splitObject(`{${document.rest}}`)).toHaveLength(Object.keys(expected).length);
      }),
      { numRuns: 3000 },
    );
  });

  test('numbers and escapes keep their spelling', () => {
    const rest = '"n":12345678901234567890,"d":1.50,"e":-0,"s":"\\ud800\\u00e4\\/","u":"\u2028ä😀"';
    expect(parseDocument(`{"_key":"k",${rest}}`).rest).toBe(rest);
    expect(parseDocument(`{"a":1,"_rev":"9",${rest},"_id":"c/k"}`).rest).toBe(`"a":1,${rest}`);
  });

  test('no line ever holds an exponent without a fraction, which 1.4 could not read', () => {
    expect(parseDocument('{"a":1e10,"b":[{"c":-2E+5}],"s":"1e10","d":1.5e3}').rest).toBe(
      '"a":1.0e10,"b":[{"c":-2.0E+5}],"s":"1e10","d":1.5e3',
    );
    fc.assert(
      fc.property(objectSource, (source) => {
        const outside = parseDocument(source).rest.replace(/"(?:[^"\\]|\\.)*"/gs, '""');
        expect(outside).not.toMatch(/(?<![.\d])\d+[eE]/);
      }),
      { numRuns: 1000 },
    );
  });

  test('white space between tokens goes, white space in strings stays', () => {
    expect(parseDocument('{\n\t"a" : [ 1 ,\r\n 2 ],\n "b\\n" : "x  \\t y"\n}').rest).toBe(
      '"a":[1,2],"b\\n":"x  \\t y"',
    );
  });

  test('of repeated names the last one counts and numbers keep their spelling even then', () => {
    const document = parseDocument('{"a":1,"_key":"x","b":2,"a":9007199254740993,"_key":"y"}');
    expect(document.key).toBe('y');
    expect(document.rest).toBe('"a":9007199254740993,"b":2');
  });

  test('names written with escapes are recognised', () => {
    const document = parseDocument('{"\\u005fkey":"k","_re\\u0076":"1","__proto__":{"x":1}}');
    expect(document.key).toBe('k');
    expect(document.rest).toBe('"__proto__":{"x":1}');
    expect(Object.getPrototypeOf(document.value)).toBe(Object.prototype);
  });

  test.each([
    '',
    '{',
    '{"a":}',
    '{"a":1}x',
    "{'a':1}",
    '{"a":01}',
    '{"a":"\n"}',
    'nul',
    '\ufeff{}',
  ])('invalid JSON is refused: %j', (source) => {
    expect(kindOf(source)).toBe('invalidJson');
  });

  test.each(['[]', '"a"', '1', 'null', 'true'])('what is no object is refused: %s', (source) => {
    expect(kindOf(source)).toBe('invalidDocumentType');
  });

  test('nesting is limited, however deep it is', () => {
    const nested = (levels: number): string =>
      `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    const objects = (levels: number): string =>
      '{"a":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1);
    for (const make of [nested, objects]) {
      expect(kindOf(make(MAX_JSON_DEPTH))).toBe('accepted');
      expect(kindOf(make(MAX_JSON_DEPTH + 1))).toBe('invalidJson');
      expect(kindOf(make(1_000_000))).toBe('invalidJson');
    }
    expect(kindOf('['.repeat(1_000_000))).toBe('invalidJson');
    // Brackets in strings and side by side do not count.
    expect(kindOf(`{"a":"${'['.repeat(1000)}","b":[${'[],'.repeat(1000)}[]]}`)).toBe('accepted');
  });

  test('a megabyte of backslashes and quotes is read in linear time', () => {
    const document = parseDocument(`{"a":"${'\\\\'.repeat(300_000)}${'\\"'.repeat(300_000)}"}`);
    expect(document.rest).toHaveLength(1_200_006);
  });
});

describe('buildData', () => {
  test('own attributes come first, the rest follows as it is', () => {
    expect(buildData('k', '7', undefined, undefined, '"n":1.0')).toBe(
      '{"_key":"k","_rev":"7","n":1.0}',
    );
    expect(buildData('k', '7', 'c/a', 'c/b', '')).toBe(
      '{"_key":"k","_rev":"7","_from":"c/a","_to":"c/b"}',
    );
  });

  test('taking apart what was built gives the parts', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), objectSource, (key, rev, source) => {
        const { rest } = parseDocument(source);
        const again = parseDocument(buildData(key, rev, 'a/b', undefined, rest));
        expect([again.key, again.rev, again.from, again.rest]).toEqual([key, rev, undefined, rest]);
      }),
    );
  });
});

test('jsonString equals JSON.stringify', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
      expect(jsonString(text)).toBe(JSON.stringify(text));
    }),
    { numRuns: 2000 },
  );
  expect(jsonString('\ud800')).toBe('"\\ud800"');
});

describe('mergeDocuments', () => {
  const isObject = (value: unknown): value is Json =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

  /** What a patch does, said in values instead of text. */
  function merged(old: Json, patch: Json, keepNull: boolean, mergeObjects: boolean): Json {
    const result = new Map(Object.entries(old));
    for (const [name, value] of Object.entries(patch)) {
      const before = result.get(name);
      if (value === null && !keepNull) result.delete(name);
      else if (mergeObjects && isObject(before) && isObject(value)) {
        result.set(name, merged(before, value, keepNull, mergeObjects));
      } else result.set(name, value);
    }
    return Object.fromEntries(result);
  }

  test('the text of the result means what merging the values gives', () => {
    fc.assert(
      fc.property(
        objectSource,
        objectSource,
        fc.boolean(),
        fc.boolean(),
        (oldSource, patchSource, keepNull, mergeObjects) => {
          const old = parseDocument(oldSource).rest;
          const patch = parseDocument(patchSource).rest;
          const text = mergeDocuments(old, patch, { keepNull, mergeObjects });
          const expected = merged(parsed(`{${old}}`), parsed(`{${patch}}`), keepNull, mergeObjects);
          expect(canonical(`{${text}}`)).toBe(JSON.stringify(expected));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('attributes the patch does not name keep their spelling, also inside merged objects', () => {
    const options = { keepNull: true, mergeObjects: true };
    expect(
      mergeDocuments(
        '"n":9007199254740993,"o":{"x":1.50,"y":{"z":2}},"q":1',
        '"o":{"y":{"w":12345678901234567890}},"q":null,"new":1.0',
        options,
      ),
    ).toBe(
      '"n":9007199254740993,"o":{"x":1.50,"y":{"z":2,"w":12345678901234567890}},"q":null,"new":1.0',
    );
  });

  test('a null removes only where keepNull is false', () => {
    const old = '"a":1,"b":{"c":1,"d":2}';
    const patch = '"a":null,"b":{"c":null},"x":null';
    expect(mergeDocuments(old, patch, { keepNull: false, mergeObjects: true })).toBe('"b":{"d":2}');
    expect(mergeDocuments(old, patch, { keepNull: true, mergeObjects: false })).toBe(
      '"a":null,"b":{"c":null},"x":null',
    );
  });

  test('empty documents and empty patches', () => {
    const options = { keepNull: true, mergeObjects: true };
    expect(mergeDocuments('', '', options)).toBe('');
    expect(mergeDocuments('"a":1', '', options)).toBe('"a":1');
    expect(mergeDocuments('', '"a":1', options)).toBe('"a":1');
    expect(mergeDocuments('"a":{}', '"a":{}', options)).toBe('"a":{}');
  });
});
