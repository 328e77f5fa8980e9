import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvariantError } from '../../../src/base/assert.ts';
import { Backoff } from '../../../src/base/backoff.ts';

const almostOne = (): number => 1 - Number.EPSILON;

function take(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.nextMs());
}

test('the ceiling doubles from the base up to the maximum and stays there', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1000, random: almostOne });
  expect(take(backoff, 7)).toEqual([100, 200, 400, 800, 1000, 1000, 1000]);
});

test('the jitter is full: a delay may be anything down to 0', () => {
  expect(new Backoff({ baseMs: 100, maxMs: 1000, random: () => 0 }).nextMs()).toBe(0);
  expect(new Backoff({ baseMs: 100, maxMs: 1000, random: () => 0.5 }).nextMs()).toBe(50);
});

test('reset starts over at the base', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1000, random: almostOne });
  take(backoff, 5);
  backoff.reset();
  expect(take(backoff, 2)).toEqual([100, 200]);
});

test('a floor lifts what is below it, beyond the maximum too, and leaves what is above', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1000, random: almostOne });
  expect(backoff.nextMs(5000)).toBe(5000);
  expect(backoff.nextMs(50)).toBe(200);
});

test('whatever the options, every delay is a whole number from 0 to the ceiling', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 0, max: 100_000 }),
      fc.integer({ min: 1, max: 2000 }),
      (baseMs, extraMs, tries) => {
        const backoff = new Backoff({ baseMs, maxMs: baseMs + extraMs });
        const delays = take(backoff, tries);
        return delays.every(
          (ms, n) =>
            Number.isInteger(ms) && ms >= 0 && ms <= Math.min(baseMs + extraMs, baseMs * 2 ** n),
        );
      },
    ),
    { numRuns: 50 },
  );
});

test('options that make no sense are refused', () => {
  expect(() => new Backoff({ baseMs: 0, maxMs: 10 })).toThrow(InvariantError);
  expect(() => new Backoff({ baseMs: 100, maxMs: 99 })).toThrow(InvariantError);
});
