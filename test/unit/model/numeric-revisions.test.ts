import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NumericRevisions } from '../../../src/model/numeric-revisions.ts';

it('the largest is that of the plain numbers among all revisions', () => {
  const number = fc.bigInt({ min: 1n, max: (1n << 64n) - 1n });
  const opaque = fc.constantFrom('_aBc---', '', '007', '12x', '1.5', '-3', '9'.repeat(21), '٣');
  fc.assert(
    fc.property(fc.array(fc.oneof(number, opaque)), (values) => {
      const revisions = new NumericRevisions();
      for (const value of values) revisions.add(value.toString());
      const numbers = values.filter((value) => typeof value === 'bigint');
      const expected = numbers.reduce((max, each) => (each > max ? each : max), 0n);
      expect(revisions.largest).toBe(expected);
    }),
  );
});
