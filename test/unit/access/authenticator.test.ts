import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Access, openAccess } from '../../../src/access/access.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { TestCore } from '../../support/store.ts';

let clock: ManualClock;
let core: TestCore;
let users: Access['users'];
let authenticator: Access['authenticator'];

beforeEach(async () => {
  clock = new ManualClock();
  core = await TestCore.open({ clock });
  const options = { secret: Buffer.alloc(32, 7), lifetimeMs: 60_000, cost: 2 };
  ({ users, authenticator } = await openAccess({ store: core.store, clock }, options));
  for (const name of ['reader', 'writer']) await users.create(name, { password: name });
});
afterEach(() => core[Symbol.asyncDispose]());

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

describe('checks of passwords', () => {
  test('are made once for requests that come together, and seldom for those that come again', async () => {
    const header = basic('reader', 'reader');
    const first = authenticator.userOf(header);
    expect(first).toBeInstanceOf(Promise);
    expect(authenticator.userOf(header)).toBe(first);
    const user = users.get('reader');
    expect(await first).toBe(user);
    // Who keeps coming is not asked again.
    for (let i = 0; i < 10; i++) {
      clock.advance(50_000);
      expect(authenticator.userOf(header)).toBe(user);
    }
    clock.advance(60_000);
    expect(authenticator.userOf(header)).toBeInstanceOf(Promise);
  });

  test('that failed are not made again at once', async () => {
    const header = basic('reader', 'wrong');
    expect(await authenticator.userOf(header)).toBeUndefined();
    expect(authenticator.userOf(header)).not.toBeInstanceOf(Promise);
    clock.advance(2000);
    expect(authenticator.userOf(header)).toBeInstanceOf(Promise);
  });

  test('of many wrong passwords do not keep out who is known, and too many are refused with 503', async () => {
    const known = basic('writer', 'writer');
    const user = await authenticator.userOf(known);
    const attempts = Array.from({ length: 600 }, async (_, i) =>
      authenticator.userOf(basic('writer', `guess ${i}`)),
    );
    expect(authenticator.userOf(known)).toBe(user);
    const outcomes = await Promise.allSettled(attempts);
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(300);
    expect(refused[0]).toMatchObject({ reason: { kind: 'resourceLimit', httpStatus: 503 } });
    const letIn = outcomes.filter((each) => each.status === 'fulfilled' && each.value);
    expect(letIn).toEqual([]);
    expect(authenticator.userOf(known)).toBe(user);
  });
});
