import { expect, test } from 'vitest';
import { Histogram } from '../../../src/base/histogram.ts';

test('a value is counted at the first bound that it is not above', () => {
  const histogram = new Histogram([1, 10]);
  for (const value of [0.5, 1, 1.5, 10, 11, 12]) histogram.add(value);
  expect([...histogram.counts]).toEqual([2, 2, 2]);
  expect([histogram.count, histogram.sum]).toEqual([6, 36]);
});
