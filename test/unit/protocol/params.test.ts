import { describe, expect, test } from 'vitest';
import { MAX_WIRE_TICK } from '../../../src/model/tick.ts';
import {
  MAX_CHUNK_SIZE,
  booleanParam,
  chunkSizeParam,
  collectionRef,
  countParam,
  secondsParam,
  textParam,
  tickParam,
  tickRangeParams,
} from '../../../src/protocol/params.ts';

test.each(['true', 'yes', 'on', 'y', '1', 'TRUE', ' Yes '])('%j is true', (text) => {
  expect(booleanParam({ a: text }, 'a', false)).toBe(true);
});

test.each(['false', '', '0', 'garbage', 't', '2', 'truee'])('%j is false', (text) => {
  expect(booleanParam({ a: text }, 'a', true)).toBe(false);
});

test('an absent parameter is its default', () => {
  expect(booleanParam({}, 'a', true)).toBe(true);
  expect(textParam({}, 'a')).toBeUndefined();
  expect(tickParam({}, 'a', 5n)).toBe(5n);
  expect(countParam({}, 'a', 5, 10)).toBe(5);
  expect(secondsParam({}, 'a', 10)).toBe(0);
});

test('of a parameter given twice the last one counts', () => {
  expect(tickParam({ from: ['0', '59466150'] }, 'from', 1n)).toBe(59466150n);
  expect(booleanParam({ a: ['true', 'no'] }, 'a', true)).toBe(false);
  expect(textParam({ a: [] }, 'a')).toBeUndefined();
});

test('counts are lowered to their maximum, without rounding on the way', () => {
  expect(countParam({ a: '12abc' }, 'a', 5, 100)).toBe(12);
  expect(countParam({ a: '1000' }, 'a', 5, 100)).toBe(100);
  expect(countParam({ a: '-1' }, 'a', 5, 100)).toBe(100);
  expect(countParam({ a: '9007199254740993' }, 'a', 5, Number.MAX_SAFE_INTEGER)).toBe(
    Number.MAX_SAFE_INTEGER,
  );
});

test('seconds become milliseconds', () => {
  expect(secondsParam({ wait: '1.5' }, 'wait', 10)).toBe(1500);
  expect(secondsParam({ wait: '1e9' }, 'wait', 10)).toBe(10_000);
  for (const wait of ['-1', 'x', '', 'NaN', '0'])
    expect(secondsParam({ wait }, 'wait', 10)).toBe(0);
  expect(secondsParam({ wait: 'Infinity' }, 'wait', 10)).toBe(10_000);
});

test('a chunk size of 0 or no number is 0 on 1.4 and the default on 3.x, and none exceeds 128 MiB', () => {
  expect(chunkSizeParam({}, false)).toBe(16_384);
  expect(chunkSizeParam({}, true)).toBe(131_072);
  for (const chunkSize of ['0', 'abc', '']) {
    expect(chunkSizeParam({ chunkSize }, false)).toBe(0);
    expect(chunkSizeParam({ chunkSize }, true)).toBe(131_072);
  }
  for (const isOf3 of [true, false]) {
    expect(chunkSizeParam({ chunkSize: '1' }, isOf3)).toBe(1);
    expect(chunkSizeParam({ chunkSize: '-1' }, isOf3)).toBe(MAX_CHUNK_SIZE);
  }
});

describe('from and to', () => {
  test('default to everything', () => {
    expect(tickRangeParams({})).toEqual({ from: 0n, to: MAX_WIRE_TICK });
    expect(tickRangeParams({ from: '-1' })).toEqual({ from: MAX_WIRE_TICK, to: MAX_WIRE_TICK });
    expect(tickRangeParams({ from: '5', to: '5' })).toEqual({ from: 5n, to: 5n });
  });

  test.each([{ to: '0' }, { to: '' }, { from: '2', to: '1' }, { from: '0', to: '0' }])(
    '%j is refused',
    (query) => {
      expect(() => tickRangeParams(query)).toThrow(
        expect.objectContaining({ kind: 'httpBadParameter', message: 'invalid from/to values' }),
      );
    },
  );
});

test('a value that starts with a digit names a collection by id', () => {
  expect(collectionRef('123')).toEqual({ cid: '123' });
  expect(collectionRef('1a')).toEqual({ cid: '1a' });
  expect(collectionRef('orders')).toEqual({ name: 'orders' });
  expect(collectionRef('_graphs')).toEqual({ name: '_graphs' });
});
