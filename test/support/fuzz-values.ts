import type { Random } from './random.ts';

const MIB = 1024 * 1024;

/** Words of paths, queries and headers that a server may stumble over. */
const WORDS: readonly string[] = [
  ...['', ' ', '0', '-1', '1.5', '1e999', 'NaN', 'null', 'true', 'undefined', '[]', '{}', '""'],
  ...['18446744073709551615', '18446744073709551616', '9007199254740993', '9'.repeat(400), '0x10'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'then', 'length'],
  ...['..', '.', '../../etc/passwd', '..%2f..%2f', '%00', '%', '%zz', '%ff', '%ed%a0%80', '%2f'],
  ...['_system', '_users', '_', '-', ':', '*', '?', '#', ';', '&&', '=', '\\', '"', "'", '<x>'],
  ...['a'.repeat(65), 'a'.repeat(255), 'a'.repeat(300), 'é', '漢字', '%F0%9F%9A%A2', 'K', 'c/k1'],
];

/** Values of JSON, as text. */
const JSON_WORDS: readonly string[] = [
  ...[
    'null',
    'true',
    '0',
    '-0',
    '-1',
    '1e400',
    '-1e400',
    '1E+2',
    '0.1',
    '1e-400',
    '[]',
    '{}',
    '""',
  ],
  ...[`1${'0'.repeat(400)}`, '9007199254740993', '18446744073709551616', '"\\ud800"', '"\\udc00x"'],
  ...['"\\u0000"', '"a\\u0000b"', '"__proto__"', '"constructor"', '"../x"', '"c/k1"', '"none/k"'],
  ...['{"__proto__":{"x":1}}', '{"a":1,"a":2}', '[[[[]]]]', '"\\uD83D\\uDEA2"', '"k1"', '"1"'],
  ...[`"${'x'.repeat(300)}"`, `"${'x'.repeat(5000)}"`, '[null]', '[1,"a",{}]', '{"":0}', '"c"'],
];

/** Bodies that are no JSON, or none that anybody sends. */
const BODIES: readonly (() => string | Buffer)[] = [
  () => '',
  () => ' ',
  () => '{',
  () => '{"a":',
  () => '[1,',
  () => '{"a":1,}',
  () => "{'a':1}",
  () => '{"a":NaN}',
  () => '\ufeff{"a":1}',
  () => '{"a":1}{"b":2}',
  () => '{"a":1} x',
  () => '"\u0000"',
  () => '{"a":"\u0001"}',
  () => '{"a":"\\ud800"}',
  () => '{"\\ud800":1}',
  () => '{"a":1,"a":2,"\\u0061":3}',
  () => '{"_key":"x1","_key":"x2"}',
  () => '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
  () => `{"a":1${'0'.repeat(20_000)}}`,
  () => `{"a":0.${'1'.repeat(20_000)}e-${'9'.repeat(50)}}`,
  () => '{"a":1e99999999999}',
  () => Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
  () => Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
  () => Buffer.from([0, 0, 0, 0]),
  () => Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
  () => nested('[', ']', 1000),
  () => nested('{"a":', '}', 1000),
  () => nested('[', ']', 200_000),
  () => nested('{"a":', '}', 200_000),
  () => '['.repeat(300_000),
  () => `[${'{},'.repeat(5000)}{}]`,
  () => `{${Array.from({ length: 5000 }, (_, i) => `"a${i}":${i}`).join(',')}}`,
  () => `{"${'k'.repeat(100_000)}":1}`,
  () => '\n\n\r\n{"_key":"l1"}\n\nnull\n5\n',
  () => '["_key","a"]\n["h1",1]\n["h2"]\n[1,2,3]\n',
];

function nested(open: string, close: string, depth: number): string {
  return `${open.repeat(depth)}0${close.repeat(depth)}`;
}

/** A word for a place in a path, a query or a header. */
export function hostileWord(random: Random): string {
  return random.pick(WORDS) ?? '';
}

/** A body of a kind that nobody sends. Rarely it is of 16 MiB. */
export function hostileBody(random: Random): Buffer {
  if (random.below(200) === 0) return Buffer.from(`{"a":"${'x'.repeat(16 * MIB)}"}`);
  return Buffer.from(random.pick(BODIES)?.() ?? '');
}

/** The text of a JSON value in which something was changed, taken away, added or repeated. */
export function mutatedJson(value: unknown, random: Random): string {
  if (random.below(12) === 0) return random.pick(JSON_WORDS) ?? '0';
  if (Array.isArray(value)) return mutatedArray(value, random);
  if (typeof value !== 'object' || value === null) {
    return random.percent(30) ? (random.pick(JSON_WORDS) ?? '0') : JSON.stringify(value);
  }
  return mutatedObject(value, random);
}

function mutatedArray(value: readonly unknown[], random: Random): string {
  const items = value.flatMap((item) => {
    if (random.below(10) === 0) return [];
    const text = mutatedJson(item, random);
    return random.below(15) === 0 ? [text, text] : [text];
  });
  if (random.below(6) === 0) items.push(random.pick(JSON_WORDS) ?? '0');
  return `[${items.join(',')}]`;
}

function mutatedObject(value: object, random: Random): string {
  const members = Object.entries(value).flatMap(([name, member]) => {
    if (random.below(10) === 0) return [];
    const text = `${JSON.stringify(name)}:${random.percent(50) ? JSON.stringify(member) : mutatedJson(member, random)}`;
    return random.below(25) === 0 ? [text, text] : [text];
  });
  if (random.below(5) === 0) {
    const name = random.pick(['_key', '_id', '_rev', '_from', '_to', '__proto__', 'x', '']) ?? 'x';
    members.push(`${JSON.stringify(name)}:${random.pick(JSON_WORDS) ?? '0'}`);
  }
  return `{${members.join(',')}}`;
}

/** Bytes of which some were changed, taken away, repeated or added. */
export function mutatedBytes(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + random.below(20));
  const head = bytes.subarray(0, at);
  switch (random.below(5)) {
    case 0:
      return Buffer.from(head);
    case 1:
      return Buffer.concat([head, bytes.subarray(end)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    case 3:
      return Buffer.concat([head, Buffer.from([random.below(256)]), bytes.subarray(end)]);
    default:
      return Buffer.concat([head, Buffer.from(random.pick(JSON_WORDS) ?? ''), bytes.subarray(at)]);
  }
}
