import { expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { watched } from '../../../src/base/watch.ts';

test('is looked at until it is over, and its result is what comes of it', async () => {
  const work = deferred<string>();
  let looks = 0;
  const look = (): Promise<void> => {
    if (++looks === 3) work.resolve('done');
    return Promise.resolve();
  };
  expect(await watched(work.promise, { everyMs: 1, look })).toBe('done');
  expect(looks).toBe(3);
});

test('a look that fails is the last one, and changes nothing', async () => {
  const work = deferred<string>();
  let looks = 0;
  const watching = watched(work.promise, {
    everyMs: 1,
    look: () => {
      looks++;
      setTimeout(() => work.resolve('done'), 20);
      return Promise.reject(new Error('unknown path'));
    },
  });
  expect(await watching).toBe('done');
  expect(looks).toBe(1);
});

test('what is under way when it is over is told so', async () => {
  const work = deferred<string>();
  const watching = watched(work.promise, {
    everyMs: 1,
    look: (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve());
        work.resolve('done');
      }),
  });
  expect(await watching).toBe('done');
});
