import { crc32c } from './crc32c.ts';

const MASK_DELTA = 0xa282ead8;

/** The CRC-32C that LevelDB has stored, masked, at this place. */
export function storedCrc32c(buffer: Buffer, at: number): number {
  const rotated = (buffer.readUInt32LE(at) - MASK_DELTA) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** Whether what is stored, masked, at `at` is the CRC-32C of the bytes from `start` to `end`. */
export function hasCrc32c(buffer: Buffer, start: number, end: number, at: number): boolean {
  return crc32c(buffer.subarray(start, end)) === storedCrc32c(buffer, at);
}
