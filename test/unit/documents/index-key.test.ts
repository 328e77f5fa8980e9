import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newIndexDefinition, sameIndex } from '../../../src/documents/index-definition.ts';
import { encodeIndexValues } from '../../../src/documents/index-key.ts';

describe('encoded index values', () => {
  test('are equal exactly when the values are', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const equal = canonical(a) === canonical(b);
        expect(encodeIndexValues([a]).equals(encodeIndexValues([b]))).toBe(equal);
      }),
      { numRuns: 2000 },
    );
    const same = [
      [1, 1.0],
      [0, -0],
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
    ];
    for (const [a, b] of same) {
      expect(encodeIndexValues([a]).equals(encodeIndexValues([b]))).toBe(true);
    }
  });

  test('none is the beginning of another, so lists of values differ when one does', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.array(fc.jsonValue()), (a, b) => {
        const [left, right] = [encodeIndexValues(a), encodeIndexValues(b)];
        expect(left.equals(right)).toBe(canonical(a) === canonical(b));
      }),
      { numRuns: 1000 },
    );
  });

  test('sort as null, false, true, numbers, strings, arrays, objects, and within those by value', () => {
    const ordered = [
      null,
      false,
      true,
      ...[-1e308, -5, -1.5, -1e-300, 0, 1e-300, 0.5, 1, 2, 10, 1e308],
      ...['', '\u0000', 'a', 'a\u0000', 'ab', 'b', 'ä'],
      ...[[], [1], [1, 2], [2], [[]]],
      ...[{}, { a: 1 }, { a: 2 }, { b: 0 }],
    ];
    const encoded = ordered.map((value) => encodeIndexValues([value]));
    for (let i = 1; i < encoded.length; i++) {
      expect(Buffer.compare(encoded[i - 1]!, encoded[i]!), JSON.stringify(ordered[i])).toBe(-1);
    }
  });

  test('of long texts stay short, and differ when the texts do, wherever', () => {
    const long = 'x'.repeat(100_000);
    const variants = [
      long,
      `${long}y`,
      `y${long.slice(1)}`,
      `${long.slice(0, 600)}y${long.slice(601)}`,
    ];
    const encoded = variants.map((text) => encodeIndexValues([text]));
    for (const each of encoded) expect(each.length).toBeLessThan(600);
    expect(new Set(encoded.map((each) => each.toString('hex'))).size).toBe(4);
    const nested = encodeIndexValues([[long, { a: long }]]);
    expect(nested.length).toBeLessThan(600);
    expect(nested.equals(encodeIndexValues([[long, { a: `${long}z` }]]))).toBe(false);
  });

  test('definitions are the same when they make the same rule', () => {
    const base = newIndexDefinition({ type: 'hash', fields: ['a', 'b'], unique: true }, '1');
    expect(sameIndex(base, { ...base, id: '2', sparse: true })).toBe(true);
    for (const change of [{ fields: ['b', 'a'] }, { unique: false }, { sparse: false }]) {
      expect(sameIndex(base, { ...base, ...change })).toBe(false);
    }
    expect(sameIndex(base, { ...base, type: 'skiplist' })).toBe(false);
  });
});

/** A text that is equal for equal JSON values. */
function canonical(value: unknown): string {
  if (typeof value === 'number') return String(value === 0 ? 0 : value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join()}}`;
}
