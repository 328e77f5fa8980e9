import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstPartCrc32, joinedCrc32, secondPartCrc32 } from '../../../src/storage/crc32-parts.ts';

const part = fc.uint8Array({ maxLength: 5000 });

test('the CRC of two parts, and that of each of them, follow from the two others', () => {
  fc.assert(
    fc.property(part, part, (first, second) => {
      const whole = crc32(Buffer.concat([first, second]));
      const { length } = second;
      expect(joinedCrc32(crc32(first), crc32(second), length)).toBe(whole);
      expect(firstPartCrc32(whole, crc32(second), length)).toBe(crc32(first));
      expect(secondPartCrc32(whole, crc32(first), length)).toBe(crc32(second));
    }),
  );
});

test('the second part may be longer than 16 MiB', () => {
  const first = Buffer.from('begin');
  const second = Buffer.alloc(17 * 1024 * 1024 + 3, 'some bytes');
  const whole = crc32(second, crc32(first));
  expect(joinedCrc32(crc32(first), crc32(second), second.length)).toBe(whole);
  expect(firstPartCrc32(whole, crc32(second), second.length)).toBe(crc32(first));
});
