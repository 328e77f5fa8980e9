import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addDigits, copyWords } from '../../../src/storage/bytes.ts';

test('words are copied as bytes are, from anywhere to anywhere, and nothing beside them', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 100 }),
      fc.nat(100),
      fc.nat(100),
      fc.nat(7),
      (bytes, a, b, start) => {
        const source = Buffer.from(bytes);
        const from = Math.min(a, b, bytes.length);
        const to = Math.min(Math.max(a, b), bytes.length);
        const target = Buffer.alloc(start + bytes.length + 8, 0xee);
        const expected = Buffer.from(target);
        source.copy(expected, start, from, to);
        copyWords(viewOf(source), from, to, viewOf(target), start);
        expect(target).toEqual(expected);
      },
    ),
  );
});

test('digits are added to as the numbers are that they stand for', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (number, summand) => {
      const digits = Buffer.from(String(number).padStart(12, '0'));
      addDigits(digits, summand);
      expect(Number(digits.toString())).toBe(number + summand);
    }),
  );
});

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
