import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { InvariantError } from '../../../src/base/assert.ts';
import { sleep } from '../../../src/base/sleep.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Whether `promise` settles without time passing. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await vi.advanceTimersByTimeAsync(0);
  return settled;
}

test('resolves when the time is over and not before', async () => {
  const slept = sleep(1000);
  await vi.advanceTimersByTimeAsync(999);
  expect(await isSettled(slept)).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await expect(slept).resolves.toBeUndefined();
});

test('an abort resolves it at once and leaves no timer behind', async () => {
  const controller = new AbortController();
  const slept = sleep(60_000, controller.signal);
  expect(vi.getTimerCount()).toBe(1);
  controller.abort();
  await expect(slept).resolves.toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

test('the end of the time leaves no listener behind', async () => {
  const { signal } = new AbortController();
  const slept = sleep(5, signal);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5);
  await slept;
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('a signal that is aborted already makes no timer', async () => {
  await expect(sleep(60_000, AbortSignal.abort())).resolves.toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});

test('a time beyond what timers can hold is long, not none', async () => {
  const controller = new AbortController();
  const slept = sleep(Number.POSITIVE_INFINITY, controller.signal);
  await vi.advanceTimersByTimeAsync(86_400_000);
  expect(await isSettled(slept)).toBe(false);
  controller.abort();
  await slept;
});

test.each([-1, Number.NaN])('%d ms is refused', async (ms) => {
  await expect(sleep(ms)).rejects.toThrow(InvariantError);
});
