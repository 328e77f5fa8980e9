import { expect, test } from 'vitest';
import { Rate } from '../../../src/base/rate.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('a rate is what came in the last ten seconds', () => {
  const clock = new ManualClock();
  const rate = new Rate({ clock });
  expect(rate.perSecond).toBe(0);
  for (let second = 0; second < 30; second++) {
    rate.add(100);
    clock.advance(1000);
  }
  expect(rate.perSecond).toBeCloseTo(100, 5);
  clock.advance(4500);
  expect(rate.perSecond).toBeGreaterThan(40);
  expect(rate.perSecond).toBeLessThan(60);
  clock.advance(60_000);
  expect(rate.perSecond).toBe(0);
});

test('in its beginning it is over the time that has gone by', () => {
  const clock = new ManualClock();
  const rate = new Rate({ clock });
  clock.advance(2000);
  rate.add(500);
  expect(rate.perSecond).toBe(250);
});

test('a clock that is set back makes no rate that is larger than what came', () => {
  const clock = new ManualClock();
  const rate = new Rate({ clock });
  clock.advance(20_000);
  rate.add(500);
  clock.advance(-5000);
  expect(rate.perSecond).toBe(0);
  rate.add(500);
  expect(rate.perSecond).toBeLessThanOrEqual(500);
});
