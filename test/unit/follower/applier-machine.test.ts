import { describe, expect, test } from 'vitest';
import type { ApplierPhase } from '../../../src/model/applier-phase.ts';
import { InvariantError } from '../../../src/base/assert.ts';
import {
  type ApplierEvent,
  type ApplierMachine,
  initialMachine,
  isRunning,
  next,
  reasonOf,
} from '../../../src/follower/applier-machine.ts';

type EventType = ApplierEvent['type'];

const BEFORE = { errorNum: 1400, message: 'before' };
const NOW = { errorNum: 1412, message: 'now' };
const THEN_MS = 1000;
const NOW_MS = 2000;

const STATES: Record<ApplierPhase, ApplierMachine> = {
  stopped: { phase: 'stopped', sinceMs: THEN_MS, why: undefined },
  starting: { phase: 'starting', sinceMs: THEN_MS },
  syncing: { phase: 'syncing', sinceMs: THEN_MS },
  tailing: { phase: 'tailing', sinceMs: THEN_MS },
  backoff: { phase: 'backoff', sinceMs: THEN_MS, why: BEFORE },
  stopping: { phase: 'stopping', sinceMs: THEN_MS },
  failed: { phase: 'failed', sinceMs: THEN_MS, why: BEFORE },
};

const EVENTS: Record<EventType, ApplierEvent> = {
  start: { type: 'start' },
  contacted: { type: 'contacted' },
  lost: { type: 'lost', why: NOW },
  resync: { type: 'resync', why: NOW },
  synced: { type: 'synced' },
  broke: { type: 'broke', why: NOW },
  stop: { type: 'stop' },
  ended: { type: 'ended', why: NOW },
};

/** Where each event leads from each phase; `never` for what cannot happen. */
const TABLE: Record<ApplierPhase, Record<EventType, ApplierPhase | 'never'>> = {
  stopped: {
    start: 'starting',
    contacted: 'never',
    lost: 'never',
    resync: 'never',
    synced: 'never',
    broke: 'never',
    stop: 'stopped',
    ended: 'never',
  },
  starting: {
    start: 'starting',
    contacted: 'tailing',
    lost: 'backoff',
    resync: 'syncing',
    synced: 'never',
    broke: 'failed',
    stop: 'stopping',
    ended: 'never',
  },
  syncing: {
    start: 'syncing',
    contacted: 'never',
    lost: 'backoff',
    resync: 'syncing',
    synced: 'starting',
    broke: 'failed',
    stop: 'stopping',
    ended: 'never',
  },
  tailing: {
    start: 'tailing',
    contacted: 'tailing',
    lost: 'backoff',
    resync: 'syncing',
    synced: 'never',
    broke: 'failed',
    stop: 'stopping',
    ended: 'never',
  },
  backoff: {
    start: 'backoff',
    contacted: 'tailing',
    lost: 'backoff',
    resync: 'syncing',
    synced: 'never',
    broke: 'failed',
    stop: 'stopping',
    ended: 'never',
  },
  stopping: {
    start: 'stopping',
    contacted: 'stopping',
    lost: 'stopping',
    resync: 'stopping',
    synced: 'stopping',
    broke: 'failed',
    stop: 'stopping',
    ended: 'stopped',
  },
  failed: {
    start: 'starting',
    contacted: 'never',
    lost: 'never',
    resync: 'never',
    synced: 'never',
    broke: 'never',
    stop: 'failed',
    ended: 'never',
  },
};

describe.each(Object.keys(TABLE) as ApplierPhase[])('an applier that is %s', (phase) => {
  test.each(Object.entries(TABLE[phase]) as [EventType, ApplierPhase | 'never'][])(
    'after %s is %s',
    (type, expected) => {
      const machine = STATES[phase];
      const step = (): ApplierMachine => next(machine, EVENTS[type], NOW_MS);
      if (expected === 'never') {
        expect(step).toThrow(InvariantError);
        return;
      }
      const after = step();
      expect(after.phase).toBe(expected);
      expect(after.sinceMs).toBe(expected === phase ? THEN_MS : NOW_MS);
    },
  );
});

test('an applier is at rest before it was ever started, and has no reason for that', () => {
  const machine = initialMachine(NOW_MS);
  expect(machine).toEqual({ phase: 'stopped', sinceMs: NOW_MS, why: undefined });
});

test('exactly the phases at rest are not running', () => {
  const resting = Object.values(STATES).filter((machine) => !isRunning(machine));
  expect(resting.map(({ phase }) => phase)).toEqual(['stopped', 'failed']);
});

test('a failure keeps its reason until the next start, also over a stop', () => {
  const failed = next(STATES.tailing, EVENTS.broke, NOW_MS);
  expect(reasonOf(next(failed, EVENTS.stop, NOW_MS))).toEqual(NOW);
  expect(reasonOf(next(failed, EVENTS.start, NOW_MS))).toBeUndefined();
});

test('repeated failures to reach the leader keep the time of the first and the reason of the last', () => {
  const after = next(STATES.backoff, EVENTS.lost, NOW_MS);
  expect(after).toEqual({ phase: 'backoff', sinceMs: THEN_MS, why: NOW });
});

test('a transition leaves the state it started from as it was', () => {
  const before = structuredClone(STATES.tailing);
  next(STATES.tailing, EVENTS.lost, NOW_MS);
  expect(STATES.tailing).toEqual(before);
});
