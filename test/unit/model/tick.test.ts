import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MAX_TICK,
  MAX_WIRE_TICK,
  isAcceptableTick,
  parseTick,
  parseTickPrefix,
  tickFromWire,
} from '../../../src/model/tick.ts';

const anyTick = fc.oneof(
  fc.bigInt({ min: 0n, max: MAX_WIRE_TICK }),
  fc.bigInt({ min: 0n, max: 10n ** 16n }),
  fc.constantFrom(
    0n,
    MAX_TICK,
    MAX_TICK + 1n,
    MAX_WIRE_TICK,
    2n ** 53n,
    10n ** 15n,
    10n ** 15n - 1n,
  ),
);

describe('parseTick', () => {
  test('every tick survives its way through text', () => {
    fc.assert(
      fc.property(anyTick, (tick) => {
        expect(parseTick(tick.toString())).toBe(tick);
        expect(parseTickPrefix(tick.toString(), 7n)).toBe(tick);
        expect(tickFromWire(tick.toString())).toBe(tick);
      }),
      { numRuns: 1000 },
    );
  });

  test.each(['', ' 1', '1 ', '-1', '+1', '0x10', '1e3', '1.0', '1n', '١', '18446744073709551616'])(
    '%j is no tick',
    (text) => {
      expect(parseTick(text)).toBeUndefined();
    },
  );

  test('a text of a million digits is no tick, and found out at once', () => {
    expect(parseTick('9'.repeat(1_000_000))).toBeUndefined();
  });
});

describe('parseTickPrefix reads what real servers read', () => {
  test.each([
    ['12abc', 12n],
    ['abc', 0n],
    ['', 0n],
    [' 12', 12n],
    ['+12', 12n],
    ['00000000000000000000000000012', 12n],
    ['0', 0n],
    ['12.9', 12n],
    ['0x10', 0n],
    ['99999999999999999999999', MAX_WIRE_TICK],
    ['18446744073709551615', MAX_WIRE_TICK],
    ['18446744073709551616', MAX_WIRE_TICK],
    ['-1', MAX_WIRE_TICK],
    ['-99999999999999999999999', MAX_WIRE_TICK],
    ['-0', 0n],
    ['-', 0n],
    ['--1', 0n],
  ])('%j is %s', (text, tick) => {
    expect(parseTickPrefix(text, 7n)).toBe(tick);
  });

  test('an absent parameter is its default', () => {
    expect(parseTickPrefix(undefined, 7n)).toBe(7n);
  });
});

describe('tickFromWire', () => {
  test('numbers count while they are exact', () => {
    expect(tickFromWire(12)).toBe(12n);
    expect(tickFromWire(Number.MAX_SAFE_INTEGER)).toBe(2n ** 53n - 1n);
    expect(tickFromWire(2 ** 53)).toBeUndefined();
    expect(tickFromWire(-1)).toBeUndefined();
    expect(tickFromWire(1.5)).toBeUndefined();
  });

  test.each([null, undefined, {}, [], true, '', 'x'])('%j is no tick', (value) => {
    expect(tickFromWire(value)).toBeUndefined();
  });
});

test('ticks up to 2^63 - 1 are accepted from elsewhere', () => {
  expect(isAcceptableTick(0n)).toBe(true);
  expect(isAcceptableTick(MAX_TICK)).toBe(true);
  expect(isAcceptableTick(MAX_TICK + 1n)).toBe(false);
  expect(isAcceptableTick(-1n)).toBe(false);
});
