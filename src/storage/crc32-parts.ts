/*
 * CRC32 is linear: that of two parts put together follows from those of the parts, and that of a part from
 * those of the whole and the rest, without looking at the bytes. A CRC stands for a polynomial over GF(2) whose
 * highest bit is the coefficient of x^0; to put n bytes behind a part is to multiply it by x^(8n).
 */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;
const X = 0x40000000;
/** x^-1, by which bytes at the end are taken away again. */
const X_INVERSE = 0xdb710641;
const LENGTH_BITS = 32;
const SLOTS = 256;

/** Powers of one base, with multiples of 8 for exponents. */
interface Powers {
  /** Those with the exponents 8, 16, 32 and so on. */
  readonly squares: Int32Array;
  /** Lengths asked for of late, and their powers. */
  readonly lengths: Float64Array;
  readonly values: Int32Array;
}

const FORTH = powersOf(X);
const BACK = powersOf(X_INVERSE);

/** CRC32 of two parts, one behind the other. */
export function joinedCrc32(first: number, second: number, secondBytes: number): number {
  return (product(power(FORTH, secondBytes), first) ^ second) >>> 0;
}

/** CRC32 of the part before the last `secondBytes` bytes. */
export function firstPartCrc32(whole: number, second: number, secondBytes: number): number {
  return product(power(BACK, secondBytes), whole ^ second);
}

/** CRC32 of the last `secondBytes` bytes alone. */
export function secondPartCrc32(whole: number, first: number, secondBytes: number): number {
  return joinedCrc32(first, whole, secondBytes);
}

function powersOf(base: number): Powers {
  const squares = new Int32Array(LENGTH_BITS);
  let value = base;
  for (let i = 0; i < 3; i++) value = product(value, value);
  for (let i = 0; i < LENGTH_BITS; i++) {
    squares[i] = value;
    value = product(value, value);
  }
  return { squares, lengths: new Float64Array(SLOTS).fill(-1), values: new Int32Array(SLOTS) };
}

/** x^(8 * bytes), or the inverse of it. Lengths come again and again, at least twice for a block. */
function power(powers: Powers, bytes: number): number {
  const slot = bytes % SLOTS;
  if (powers.lengths[slot] === bytes) return powers.values[slot] ?? 0;
  const value = computed(powers.squares, bytes);
  powers.lengths[slot] = bytes;
  powers.values[slot] = value;
  return value;
}

function computed(squares: Int32Array, bytes: number): number {
  let value = ONE;
  for (let left = bytes, i = 0; left > 0; left >>>= 1, i++) {
    if (left & 1) value = product(squares[i] ?? 0, value);
  }
  return value;
}

function product(a: number, b: number): number {
  let sum = 0;
  for (let left = a | 0, term = b | 0; left !== 0; left <<= 1) {
    if (left < 0) sum ^= term;
    term = term & 1 ? (term >>> 1) ^ POLYNOMIAL : term >>> 1;
  }
  return sum >>> 0;
}
