import { expect, test } from 'vitest';
import { ApplierProgress } from '../../../src/follower/applier-progress.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('a fresh one has said nothing, unless it was given something to say', () => {
  const clock = new ManualClock(5000);
  const silent = new ApplierProgress({ clock });
  expect([silent.message, silent.messageAtMs]).toEqual([undefined, 0]);
  const created = new ApplierProgress({ clock }, 'applier created');
  expect([created.message, created.messageAtMs]).toEqual(['applier created', 5000]);
});

test('failures in a row are forgotten when the leader answers, those in all are not', () => {
  const progress = new ApplierProgress({ clock: new ManualClock() });
  progress.failed();
  progress.failed();
  expect([progress.failedConnects, progress.totalFailedConnects]).toEqual([2, 2]);
  progress.reached();
  progress.failed();
  expect([progress.failedConnects, progress.totalFailedConnects]).toEqual([1, 3]);
});

test('how far behind is unknown before anything is applied', () => {
  const progress = new ApplierProgress({ clock: new ManualClock() });
  expect(progress.behindMs).toBeUndefined();
  progress.available(5n, false);
  expect(progress.behindMs).toBeUndefined();
  expect(progress.lastAvailableTick).toBe(5n);
});

test('behind is the age of the newest event applied, until the end of the log is', () => {
  const clock = new ManualClock(100_000);
  const progress = new ApplierProgress({ clock });
  progress.available(50n, false);
  progress.applied({ isEnd: false, committedAtMs: 40_000 });
  expect(progress.behindMs).toBe(60_000);
  progress.available(50n, false);
  progress.applied({ isEnd: true, committedAtMs: 90_000 });
  clock.advance(70_000);
  expect(progress.behindMs).toBe(0);
});

test('a change after a long quiet makes it late by its own age only', () => {
  const clock = new ManualClock(100_000);
  const progress = new ApplierProgress({ clock });
  progress.available(50n, false);
  progress.applied({ isEnd: true, committedAtMs: 90_000 });
  clock.advance(3_600_000);
  progress.available(60n, false);
  clock.advance(30);
  expect(progress.behindMs).toBe(30);
});

test('without a clock of the leader behind is the time since the end of its log was reached', () => {
  const clock = new ManualClock(100_000);
  const progress = new ApplierProgress({ clock });
  progress.available(50n, false);
  progress.applied({ isEnd: true, committedAtMs: undefined });
  progress.available(60n, false);
  progress.applied({ isEnd: false, committedAtMs: undefined });
  clock.advance(2000);
  progress.available(70n, false);
  expect(progress.behindMs).toBe(2000);
});

function caughtUp(clock: ManualClock): ApplierProgress {
  const progress = new ApplierProgress({ clock });
  progress.request('log');
  progress.reached();
  progress.available(50n, false);
  progress.applied({ isEnd: true, committedAtMs: 90_000 });
  return progress;
}

test('a leader that does not answer may be ahead: from its last page on it is behind', () => {
  const clock = new ManualClock(100_000);
  const progress = caughtUp(clock);
  clock.advance(20_000);
  progress.available(50n, true);
  expect([progress.isCurrent, progress.behindMs]).toEqual([true, 0]);
  clock.advance(1000);
  progress.failed();
  expect([progress.isCurrent, progress.behindMs]).toEqual([false, 1000]);
  clock.advance(500);
  // That it answers something says nothing of its log.
  progress.reached();
  expect([progress.isCurrent, progress.behindMs]).toEqual([false, 1500]);
  progress.available(50n, true);
  expect([progress.isCurrent, progress.behindMs]).toEqual([true, 0]);
});

test('a page that is applied after the leader was lost does not make it current', () => {
  const clock = new ManualClock(100_000);
  const progress = caughtUp(clock);
  progress.available(60n, false);
  progress.failed();
  progress.applied({ isEnd: true, committedAtMs: 99_000 });
  clock.advance(3000);
  expect([progress.isCurrent, progress.behindMs]).toEqual([false, 3000]);
});

test('a request without an answer after the time it may be held is a leader that was lost', () => {
  const clock = new ManualClock(100_000);
  const progress = caughtUp(clock);
  progress.request('log', 20_000);
  clock.advance(25_000);
  expect([progress.isCurrent, progress.behindMs]).toEqual([true, 0]);
  clock.advance(15_000);
  expect([progress.isCurrent, progress.behindMs]).toEqual([false, 40_000]);
  progress.reached();
  expect([progress.isCurrent, progress.behindMs]).toEqual([true, 0]);
});

test('when the leader is asked again is known until it is', () => {
  const clock = new ManualClock(1000);
  const progress = new ApplierProgress({ clock });
  expect(progress.nextAttemptAtMs).toBeUndefined();
  progress.request('fetching');
  progress.failed();
  progress.waits(700);
  clock.advance(700);
  expect(progress.nextAttemptAtMs).toBe(1700);
  progress.request('fetching');
  expect(progress.nextAttemptAtMs).toBeUndefined();
});
