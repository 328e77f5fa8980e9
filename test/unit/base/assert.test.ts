import { expect, test } from 'vitest';
import { assert, InvariantError } from '../../../src/base/assert.ts';

test('a true condition passes and narrows the type', () => {
  const value = Math.random() < 2 ? 'text' : undefined;
  assert(value !== undefined, 'unreachable');
  expect(value.length).toBe(4);
});

test.each([false, 0, '', null, undefined])(
  '%j throws an InvariantError with the message',
  (condition) => {
    expect(() => assert(condition, 'ticks must rise')).toThrow(
      new InvariantError('ticks must rise'),
    );
  },
);

test('an InvariantError is told from other errors by its name', () => {
  expect(new InvariantError('x').name).toBe('InvariantError');
});
