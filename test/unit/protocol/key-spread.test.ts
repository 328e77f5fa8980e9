import { expect, test } from 'vitest';
import { SPREAD_END, SpreadRanges, partsOf, spreadHash } from '../../../src/protocol/key-spread.ts';

test('keys that count upwards fall evenly into parts', () => {
  const parts = partsOf({ start: 0, end: SPREAD_END }, 16);
  const ranges = new SpreadRanges(parts);
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) counts[ranges.indexOf(spreadHash(`k${i}`))]!++;
  expect(Math.min(...counts)).toBeGreaterThan(800);
  expect(Math.max(...counts)).toBeLessThan(1200);
});

test('parts follow on one another and leave nothing out', () => {
  const parts = partsOf({ start: 10, end: 110 }, 7);
  expect([parts[0]?.start, parts.at(-1)?.end, parts.length]).toEqual([10, 110, 7]);
  for (const [i, { start, end }] of parts.entries()) {
    expect(end).toBeGreaterThan(start);
    if (i > 0) expect(start).toBe(parts[i - 1]?.end);
  }
  expect(partsOf({ start: 5, end: 7 }, 100)).toEqual([
    { start: 5, end: 6 },
    { start: 6, end: 7 },
  ]);
});

test('a hash is found in the one range that holds it, and in none between them', () => {
  const ranges = new SpreadRanges([
    { start: 3, end: 5 },
    { start: 9, end: 10 },
  ]);
  const found = [0, 2, 3, 4, 5, 8, 9, 10, 99].map((hash) => ranges.indexOf(hash));
  expect(found).toEqual([-1, -1, 0, 0, -1, -1, 1, -1, -1]);
});
