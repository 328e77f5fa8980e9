import { expect, test } from 'vitest';
import { Speed } from '../../../src/base/speed.ts';

test('speed is that of the last seconds', () => {
  const speed = new Speed(10_000);
  expect(speed.at(0, 0)).toBeUndefined();
  expect(speed.at(100, 1000)).toBe(100);
  for (let s = 2; s <= 20; s++) speed.at(100 + (s - 1) * 1000, s * 1000);
  expect(speed.at(20_100, 21_000)).toBe(1000);
});

test('whoever looks seldom learns the mean since he looked, whoever looks all the time costs no more', () => {
  const speed = new Speed(10_000);
  speed.at(0, 0);
  expect(speed.at(6000, 60_000)).toBe(100);
  for (let ms = 60_001; ms < 60_100; ms++) speed.at(6000, ms);
  expect(speed.at(6100, 61_000)).toBe(100);
});
