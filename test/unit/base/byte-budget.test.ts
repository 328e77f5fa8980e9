import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvariantError } from '../../../src/base/assert.ts';
import { ByteBudget } from '../../../src/base/byte-budget.ts';

/** Makes a claim and notes its name in `log` once it is admitted. */
function claim(
  budget: ByteBudget,
  bytes: number,
  name: string,
  log: string[],
): Promise<() => void> {
  return budget.acquire(bytes).then((release) => {
    log.push(name);
    return release;
  });
}

/** Lets everything run that is ready to. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('claims that fit are admitted at once and counted until released', async () => {
  const budget = new ByteBudget(100);
  const first = await budget.acquire(60);
  const second = await budget.acquire(40);
  expect([budget.usedBytes, budget.waitingCount]).toEqual([100, 0]);
  first();
  second();
  expect(budget.usedBytes).toBe(0);
});

test('a claim without room waits for a release', async () => {
  const budget = new ByteBudget(100);
  const log: string[] = [];
  const first = await budget.acquire(60);
  const second = claim(budget, 50, 'second', log);
  await settle();
  expect([log, budget.usedBytes, budget.waitingCount]).toEqual([[], 60, 1]);
  first();
  (await second)();
  expect([log, budget.usedBytes, budget.waitingCount]).toEqual([['second'], 0, 0]);
});

test('a small claim does not overtake a large one that waits', async () => {
  const budget = new ByteBudget(100);
  const log: string[] = [];
  const first = await budget.acquire(60);
  const large = claim(budget, 80, 'large', log);
  const small = claim(budget, 10, 'small', log);
  await settle();
  expect(log).toEqual([]);
  first();
  await Promise.all([large, small]);
  expect([log, budget.usedBytes]).toEqual([['large', 'small'], 90]);
});

test('one release admits as many as fit, in the order of their claims', async () => {
  const budget = new ByteBudget(100);
  const log: string[] = [];
  const first = await budget.acquire(100);
  for (const name of ['a', 'b', 'c', 'd']) void claim(budget, 40, name, log);
  first();
  await settle();
  expect([log, budget.usedBytes, budget.waitingCount]).toEqual([['a', 'b'], 80, 2]);
});

test('a claim above the limit is admitted when nothing else is held', async () => {
  const budget = new ByteBudget(100);
  const log: string[] = [];
  const small = await budget.acquire(1);
  const huge = claim(budget, 1000, 'huge', log);
  await settle();
  expect(log).toEqual([]);
  small();
  const release = await huge;
  expect(budget.usedBytes).toBe(1000);
  const next = claim(budget, 1, 'next', log);
  await settle();
  expect(log).toEqual(['huge']);
  release();
  await next;
  expect(budget.usedBytes).toBe(1);
});

test('releasing twice gives back once', async () => {
  const budget = new ByteBudget(100);
  const first = await budget.acquire(50);
  await budget.acquire(50);
  first();
  first();
  expect(budget.usedBytes).toBe(50);
});

test('an abort rejects with its reason, holds nothing, and lets those behind move up', async () => {
  const budget = new ByteBudget(100);
  const log: string[] = [];
  const controller = new AbortController();
  const reason = new Error('client gone');
  await budget.acquire(60);
  const large = budget.acquire(80, controller.signal);
  const small = claim(budget, 10, 'small', log);
  const other = claim(budget, 20, 'other', log);
  controller.abort(reason);
  await expect(large).rejects.toBe(reason);
  await Promise.all([small, other]);
  expect([log, budget.usedBytes, budget.waitingCount]).toEqual([['small', 'other'], 90, 0]);
});

test('a signal that is aborted already makes no claim', async () => {
  const budget = new ByteBudget(100);
  const reason = new Error('too late');
  await expect(budget.acquire(1, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect([budget.usedBytes, budget.waitingCount]).toEqual([0, 0]);
});

test('an abort in the moment of admission leaves the claim to its owner', async () => {
  const budget = new ByteBudget(100);
  const controller = new AbortController();
  const first = await budget.acquire(100);
  const second = budget.acquire(70, controller.signal);
  first();
  controller.abort();
  const release = await second;
  expect(budget.usedBytes).toBe(70);
  release();
  expect(budget.usedBytes).toBe(0);
});

test('no listener stays on the signal, admitted or aborted', async () => {
  const budget = new ByteBudget(100);
  const { signal } = new AbortController();
  const first = await budget.acquire(100, signal);
  const second = budget.acquire(10, signal);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  first();
  await second;
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('claims and limits that are no sizes are refused', async () => {
  expect(() => new ByteBudget(0)).toThrow(InvariantError);
  await expect(new ByteBudget(1).acquire(-1)).rejects.toThrow(InvariantError);
  await expect(new ByteBudget(1).acquire(Number.NaN)).rejects.toThrow(InvariantError);
});

test('whatever is claimed, released and aborted: the limit holds, the order holds, nobody is forgotten', async () => {
  const step = fc.record({
    bytes: fc.integer({ min: 0, max: 150 }),
    action: fc.constantFrom('claim', 'release', 'abort'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const budget = new ByteBudget(100);
      const admitted: number[] = [];
      const held: { bytes: number; release: () => void }[] = [];
      const controllers: AbortController[] = [];
      const outcomes: Promise<unknown>[] = [];
      for (const { bytes, action } of steps) {
        if (action === 'release') held.shift()?.release();
        else if (action === 'abort') controllers.at(-1)?.abort();
        else {
          const controller = new AbortController();
          const index = controllers.push(controller);
          const outcome = budget.acquire(bytes, controller.signal).then(
            (release) => {
              admitted.push(index);
              held.push({ bytes, release });
            },
            (error: unknown) => {
              expect(error).toBe(controller.signal.reason);
            },
          );
          outcomes.push(outcome);
        }
        await settle();
        const nonEmpty = held.filter((one) => one.bytes > 0);
        expect(budget.usedBytes).toBe(held.reduce((sum, one) => sum + one.bytes, 0));
        expect(budget.usedBytes <= 100 || nonEmpty.length === 1).toBe(true);
      }
      while (held.length > 0) {
        held.shift()?.release();
        await settle();
      }
      await Promise.all(outcomes);
      expect([budget.usedBytes, budget.waitingCount]).toEqual([0, 0]);
      expect(admitted).toEqual(admitted.toSorted((left, right) => left - right));
    }),
    { numRuns: 60 },
  );
});
