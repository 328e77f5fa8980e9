import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('the system clock shows the time of the machine', () => {
  const before = Date.now();
  const now = systemClock.nowMs();
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(Date.now());
});

test('a manual clock moves only when it is moved', () => {
  const clock = new ManualClock(1000);
  expect(clock.nowMs()).toBe(1000);
  clock.advance(500);
  clock.advance(-100);
  expect(clock.nowMs()).toBe(1400);
  clock.set(7);
  expect(clock.nowMs()).toBe(7);
});
