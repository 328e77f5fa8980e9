import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fifo } from '../../../src/base/fifo.ts';

describe('a list that shrinks at its beginning', () => {
  test('is what an array is', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 3000 })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(steps, fc.nat(50), (runs, start) => {
        const fifo = new Fifo<number>();
        const array: number[] = [];
        let next = 0;
        for (const [grows, count] of runs) {
          for (let i = 0; i < count; i++) {
            if (grows) {
              fifo.push(next);
              array.push(next++);
            } else expect(fifo.shift()).toBe(array.shift());
          }
          expect(fifo.length).toBe(array.length);
          expect(fifo.at(0)).toBe(array[0]);
          expect(fifo.at(array.length)).toBeUndefined();
          expect(fifo.from(start)).toEqual(array.slice(start));
        }
      }),
      { numRuns: 50 },
    );
  });
});
