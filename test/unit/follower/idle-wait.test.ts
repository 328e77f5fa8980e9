import { expect, test } from 'vitest';
import { type IdleSettings, idleWaitMs } from '../../../src/follower/idle-wait.ts';

const CLASSIC: IdleSettings = {
  classic: true,
  adaptivePolling: true,
  idleMinWaitTime: 1,
  idleMaxWaitTime: 2.5,
};
const LATER: IdleSettings = { ...CLASSIC, classic: false };

test.each([
  [1, 500, 5000],
  [15, 500, 5000],
  [16, 1000, 10_000],
  [31, 3000, 30_000],
  [61, 5000, 50_000],
])(
  '1.4, after %i answers without news: %i ms, or %i when its logger is stopped',
  (rounds, active, stopped) => {
    expect(idleWaitMs(rounds, true, CLASSIC)).toBe(active);
    expect(idleWaitMs(rounds, false, CLASSIC)).toBe(stopped);
  },
);

test('without adaptive polling the pause does not grow', () => {
  const settings = { ...CLASSIC, adaptivePolling: false };
  expect(idleWaitMs(1000, true, settings)).toBe(500);
});

test('later leaders are asked after the configured times, which bound the growth', () => {
  expect(idleWaitMs(1, true, LATER)).toBe(1000);
  expect(idleWaitMs(16, true, LATER)).toBe(2000);
  expect(idleWaitMs(61, false, LATER)).toBe(2500);
});

test('no configuration makes it ask all the time, or hardly ever', () => {
  const eager = { ...LATER, idleMinWaitTime: 0, idleMaxWaitTime: 0 };
  expect(idleWaitMs(1, true, eager)).toBe(250);
  const lazy = { ...LATER, idleMinWaitTime: 3600, idleMaxWaitTime: 7200 };
  expect(idleWaitMs(61, true, lazy)).toBe(60_000);
});
