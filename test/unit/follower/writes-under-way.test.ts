import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { WritesUnderWay } from '../../../src/follower/writes-under-way.ts';

/** What a promise has come to by now. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'pending';
  promise.then(
    () => (state = 'resolved'),
    (error: unknown) => (state = (error as Error).message),
  );
  await nextTurn();
  return state;
}

describe('writes under way', () => {
  test('a write waits for the one before it, not for itself', async () => {
    const writes = new WritesUnderWay();
    const [first, second] = [deferred(), deferred()];
    expect(await stateOf(writes.add(first.promise))).toBe('resolved');
    const added = writes.add(second.promise);
    expect(await stateOf(added)).toBe('pending');
    first.resolve();
    expect(await stateOf(added)).toBe('resolved');
    expect(await stateOf(writes.done())).toBe('pending');
    second.resolve();
    expect(await stateOf(writes.done())).toBe('resolved');
  });

  test('one that fails at once is over only when the one before is, and is then told', async () => {
    const writes = new WritesUnderWay();
    const first = deferred();
    await writes.add(first.promise);
    const added = writes.add(Promise.reject(new Error('bad line')));
    expect(await stateOf(writes.settled())).toBe('pending');
    first.resolve();
    expect(await stateOf(added)).toBe('resolved');
    expect(await stateOf(writes.settled())).toBe('resolved');
    expect(await stateOf(writes.done())).toBe('bad line');
  });

  test('of several failures the first is told, to the next write and in the end', async () => {
    const writes = new WritesUnderWay();
    await writes.add(Promise.reject(new Error('one')));
    expect(await stateOf(writes.add(Promise.reject(new Error('two'))))).toBe('one');
    expect(await stateOf(writes.done())).toBe('one');
  });

  test('what is called when all are stored may fail as they may', async () => {
    const writes = new WritesUnderWay();
    const first = deferred();
    const calls: string[] = [];
    await writes.add(first.promise);
    writes.whenStored(() => calls.push('counted'));
    writes.whenStored(() => {
      throw new Error('cannot count');
    });
    expect(await stateOf(writes.done())).toBe('pending');
    expect(calls).toEqual([]);
    first.resolve();
    expect(await stateOf(writes.done())).toBe('cannot count');
    expect(calls).toEqual(['counted']);
  });
});
