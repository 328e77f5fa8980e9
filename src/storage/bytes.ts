const ZERO = 0x30;
const TEN = 10;

/** Adds to a number given by its decimal digits; the sum must have as many. */
export function addDigits(digits: Buffer, summand: number): void {
  let carry = summand;
  for (let i = digits.length - 1; i >= 0 && carry > 0; i--) {
    const sum = (digits[i] ?? 0) - ZERO + carry;
    carry = sum < TEN ? 0 : Math.floor(sum / TEN);
    digits[i] = ZERO + sum - carry * TEN;
  }
}

/**
 * Copies bytes, for loops: a call of `Buffer.copy` makes an object. Words are in the order of most processors, and four at
 * a time: twice as fast as one by one.
 * @param to exclusive
 */
export function copyWords(
  source: DataView,
  from: number,
  to: number,
  target: DataView,
  start: number,
): void {
  const shift = start - from;
  let at = from;
  for (; at + 16 <= to; at += 16) {
    const a = source.getInt32(at, true);
    const b = source.getInt32(at + 4, true);
    const c = source.getInt32(at + 8, true);
    const d = source.getInt32(at + 12, true);
    target.setInt32(at + shift, a, true);
    target.setInt32(at + shift + 4, b, true);
    target.setInt32(at + shift + 8, c, true);
    target.setInt32(at + shift + 12, d, true);
  }
  for (; at + 4 <= to; at += 4) target.setInt32(at + shift, source.getInt32(at, true), true);
  for (; at < to; at++) target.setUint8(at + shift, source.getUint8(at));
}
