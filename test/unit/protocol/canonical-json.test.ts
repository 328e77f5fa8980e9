import { expect, test } from 'vitest';
import { canonicalObject } from '../../../src/protocol/canonical-json.ts';

const NOTHING: ReadonlySet<string> = new Set();
const canonical = (text: string): string => canonicalObject(text, NOTHING);

test.each([
  ['the order of names', '{"a":1,"b":{"c":2,"d":3}}', '{"b":{"d":3,"c":2},"a":1}'],
  ['white space', '{"a":[1,2]}', ' { "a" : [ 1 , 2 ] } '],
  ['escapes', '{"a":"é/"}', '{"\\u0061":"\\u00e9\\/"}'],
  ['the spelling of numbers', '{"a":10,"b":0.5,"c":0}', '{"a":1.0e1,"b":5e-1,"c":-0}'],
  ['the last of a repeated name', '{"a":2}', '{"a":1,"a":2}'],
  [
    'the way it is read, with and without long numbers',
    '{"a":1.5,"b":[true,null],"n":12345678901234567890}',
    '{"n":12345678901234567890,"b":[true,null],"a":15e-1}',
  ],
  ['a double that is a long integer', '{"n":9007199254740994}', '{"n":9.007199254740994e15}'],
])('%s makes no difference', (_what, one, other) => {
  expect(canonical(other)).toBe(canonical(one));
});

test.each([
  ['{"n":9007199254740993}', '{"n":9007199254740992}'],
  ['{"n":18446744073709551615}', '{"n":18446744073709551614}'],
  ['{"n":-9223372036854775808}', '{"n":-9223372036854775807}'],
  ['{"n":1}', '{"n":"1"}'],
  ['{"n":null}', '{}'],
  ['{"n":[1,2]}', '{"n":[2,1]}'],
  ['{"n":{}}', '{"n":[]}'],
])('%s and %s are different', (one, other) => {
  expect(canonical(one)).not.toBe(canonical(other));
});

test('names are left out on the top level only', () => {
  const text = '{"_id":"c/1","a":{"_id":"kept"}}';
  expect(canonicalObject(text, new Set(['_id']))).toBe('{"a":{"_id":"kept"}}');
});
