import { expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { inParallel } from '../../../src/base/in-parallel.ts';

const NEVER = new AbortController().signal;

test('begins the items in their order, no more of them at a time than it may', async () => {
  const begun: number[] = [];
  let underWay = 0;
  await inParallel([0, 1, 2, 3, 4, 5, 6], 3, NEVER, async (item) => {
    begun.push(item);
    expect(++underWay).toBeLessThanOrEqual(3);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
  });
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('does nothing for no items', async () => {
  await inParallel([], 3, NEVER, () => Promise.reject(new Error('asked')));
});

test('after a failure it begins nothing more, aborts what is under way, and waits for it', async () => {
  const { promise: held, resolve: release } = deferred();
  const begun: number[] = [];
  const aborted: unknown[] = [];
  let hasEnded = false;
  const running = inParallel([0, 1, 2, 3], 2, NEVER, async (item, signal) => {
    begun.push(item);
    if (item === 1) throw new Error('first');
    await held;
    aborted.push(signal.reason);
    throw new Error('second');
  }).finally(() => (hasEnded = true));
  running.catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasEnded).toBe(false);
  release();
  await expect(running).rejects.toThrow('first');
  expect(begun).toEqual([0, 1]);
  expect(aborted).toEqual([new Error('first')]);
});

test('ends with the reason of its signal', async () => {
  const stop = new AbortController();
  const begun: number[] = [];
  const running = inParallel([0, 1, 2], 1, stop.signal, async (item) => {
    begun.push(item);
    stop.abort(new Error('stopped'));
    await Promise.resolve();
  });
  await expect(running).rejects.toThrow('stopped');
  expect(begun).toEqual([0]);
});
