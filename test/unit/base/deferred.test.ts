import { expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';

test('resolve fulfils the promise, and what comes later changes nothing', async () => {
  const { promise, resolve, reject } = deferred<number>();
  resolve(1);
  resolve(2);
  reject(new Error('late'));
  await expect(promise).resolves.toBe(1);
});

test('reject rejects the promise with the very reason', async () => {
  const { promise, reject } = deferred();
  const reason = new Error('no');
  reject(reason);
  await expect(promise).rejects.toBe(reason);
});
