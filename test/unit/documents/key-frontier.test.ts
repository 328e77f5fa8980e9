import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyFrontier } from '../../../src/documents/key-frontier.ts';
import { KeyCursor } from '../../../src/storage/key-cursor.ts';

describe('the frontier of a collection', () => {
  test('never calls a key new that was written, in whatever order keys come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 99_999 }), { minLength: 1, maxLength: 3000 }),
        fc.integer({ min: 0, max: 50_000 }),
        (numbers, stored) => {
          const keyOf = (number: number): string => `k${String(number).padStart(5, '0')}`;
          const frontier = new KeyFrontier(keyOf(stored));
          const written = new Set<string>([keyOf(stored)]);
          for (const number of numbers) {
            const key = keyOf(number);
            const lacks = frontier.lacks(key);
            if (lacks) expect(written).not.toContain(key);
            if (number % 2 === 0) {
              const cursor = new KeyCursor(0, Buffer.from(key));
              cursor.moveTo(0, key.length);
              expect(frontier.addIfLacking(cursor)).toBe(lacks);
            }
            if (number % 2 === 1 || !lacks) frontier.add(key);
            written.add(key);
            expect(frontier.lacks(key)).toBe(false);
          }
          for (const key of written) expect(frontier.lacks(key)).toBe(false);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('knows nearly ascending keys to be new, without an end', () => {
    const frontier = new KeyFrontier('');
    for (let number = 0; number < 10_000; number++) {
      const key = String((number ^ 7) + 100_000);
      expect(frontier.lacks(key) || number < 8).toBe(true);
      frontier.add(key);
    }
  });

  test('says nothing while it is not known what is stored', () => {
    const frontier = new KeyFrontier(undefined);
    frontier.add('a');
    expect(frontier.lacks('b')).toBe(false);
  });
});
