import { expect, test } from 'vitest';
import { counted, nounFor } from '../../../src/base/words.ts';

test('one is one, and all others are several', () => {
  expect([0, 1, 2].map((count) => counted(count, 'document'))).toEqual([
    ...['0 documents', '1 document', '2 documents'],
  ]);
  expect(`1,000 ${nounFor(1000, 'tick')}, 1 ${nounFor(1, 'tick')}`).toBe('1,000 ticks, 1 tick');
});
