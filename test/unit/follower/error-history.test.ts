import { expect, test } from 'vitest';
import { ErrorHistory } from '../../../src/follower/error-history.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const LOST = { errorNum: 1400, message: 'no response' };
const STOPPED = { errorNum: 1412, message: 'replication stopped' };

test('twenty errors are kept, the newest first, and what repeats itself is one of them', () => {
  const clock = new ManualClock();
  const errors = new ErrorHistory({ clock });
  const beganMs = clock.nowMs();
  for (let i = 1; i <= 25; i++) errors.note({ errorNum: 1201, message: 'too large' }, BigInt(i));
  for (let i = 0; i < 30; i++) {
    errors.lost(LOST);
    clock.advance(1000);
  }
  const { all } = errors;
  expect(all.length).toBe(20);
  expect(all[0]).toMatchObject({ ...LOST, count: 30, firstAtMs: beganMs, atMs: beganMs + 29_000 });
  expect(all.slice(1).map(({ tick }) => tick)).toEqual(
    Array.from({ length: 19 }, (_, i) => BigInt(25 - i)),
  );
});

test('the last error is that of the run; what was wrong before it stays among the others', () => {
  const errors = new ErrorHistory({ clock: new ManualClock() });
  errors.note(LOST, 7n);
  expect(errors.last).toMatchObject({ ...LOST, tick: 7n });
  errors.begin();
  errors.lost(LOST);
  expect(errors.last).toBeUndefined();
  expect(errors.all.map(({ tick, count }) => [tick, count])).toEqual([
    [undefined, 1],
    [7n, 1],
  ]);
  errors.note(STOPPED);
  // That somebody stopped it is nothing that went wrong.
  expect(errors.last).toMatchObject(STOPPED);
  expect(errors.all.length).toBe(2);
  errors.clear();
  expect([errors.last, errors.all]).toEqual([undefined, []]);
});

test('what is passed over is among them, and thousands of one number leave room for others', () => {
  const errors = new ErrorHistory({ clock: new ManualClock() });
  errors.lost(LOST);
  for (let i = 1; i <= 1000; i++) {
    errors.ignored({ errorNum: 1203, message: `collection not found, entry ${i}` }, BigInt(i));
  }
  errors.ignored({ errorNum: 1210, message: 'unique constraint violated' }, 1001n);
  expect(errors.last).toBeUndefined();
  const found = errors.all.map(({ errorNum, count, ignored, tick }) => [
    errorNum,
    count,
    ignored,
    tick,
  ]);
  expect(found).toEqual([
    [1210, 1, true, 1001n],
    [1203, 1000, true, 1000n],
    [1400, 1, undefined, undefined],
  ]);
  // The one that stops it is another one.
  errors.note({ errorNum: 1210, message: 'unique constraint violated' }, 1001n);
  expect(errors.all.map(({ ignored }) => ignored)).toEqual([undefined, true, true, undefined]);
});
