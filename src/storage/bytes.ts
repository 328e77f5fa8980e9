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

/** Copies bytes, for loops: a call of `Buffer.copy` makes an object. @param to exclusive */
export function copyWords(
  source: DataView,
  from: number,
  to: number,
  target: DataView,
  start: number,
): void {
  const shift = start - from;
  let at = from;
  for (; at + 4 <= to; at += 4) target.setInt32(at + shift, source.getInt32(at));
  for (; at < to; at++) target.setUint8(at + shift, source.getUint8(at));
}
