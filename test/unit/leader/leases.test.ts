import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Leases, checkedTtlMs } from '../../../src/leader/leases.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { TestCore } from '../../support/store.ts';

let core: TestCore;
let clock: ManualClock;
let ended: string[];
let leases: Leases<string>;
beforeEach(async () => {
  core = await TestCore.open();
  clock = new ManualClock();
  ended = [];
  leases = new Leases<string>(
    { clock },
    { max: 3, what: 'things', onEnd: (value) => ended.push(value) },
  );
});
afterEach(async () => {
  leases.close();
  await core[Symbol.asyncDispose]();
});

test('what is open is found in its database until its time is over', () => {
  leases.add(core.system, '1', 1000, 'a');
  expect(leases.find(core.system, '1')).toBe('a');
  expect(leases.find(core.system, '2')).toBeUndefined();
  clock.advance(999);
  expect(leases.extend(core.system, '1', 500)).toBe('a');
  clock.advance(499);
  expect(leases.entries(core.system)).toEqual([['1', 'a']]);
  clock.advance(1);
  expect(leases.find(core.system, '1')).toBeUndefined();
  expect(leases.extend(core.system, '1', 500)).toBeUndefined();
  expect(ended).toEqual(['a']);
});

test('each end is told once, however it comes', () => {
  for (const [i, value] of ['a', 'b', 'c'].entries()) {
    leases.add(core.system, String(i), 1000 * (i + 1), value);
  }
  expect(leases.remove(core.system, '1')).toBe(true);
  expect(leases.remove(core.system, '1')).toBe(false);
  clock.advance(1000);
  expect(leases.entries()).toEqual([['2', 'c']]);
  leases.close();
  leases.close();
  expect(ended).toEqual(['b', 'a', 'c']);
});

test('there is room for so many, and again when one ends', () => {
  for (const id of ['1', '2', '3']) leases.add(core.system, id, 1000, id);
  expect(() => leases.assertRoom()).toThrow('there are 3 open things already');
  clock.advance(1000);
  expect(() => leases.assertRoom()).not.toThrow();
});

test('what is over ends without anyone asking', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    leases.add(core.system, '1', 5000, 'a');
    clock.advance(5000);
    vi.advanceTimersByTime(5000);
    expect(ended).toEqual(['a']);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test.each([0, -1, NaN, '5', null, undefined, {}])('%s is no time to live', (ttl) => {
  expect(() => checkedTtlMs(ttl)).toThrow(expect.objectContaining({ kind: 'badParameter' }));
});

test('a time to live is in seconds, with fractions, and bounded', () => {
  expect(checkedTtlMs(0.25)).toBe(250);
  expect(checkedTtlMs(1e300)).toBe(2 ** 31 - 1);
});
