import type { Digest } from './dump.ts';

/** @throws Error that names what was counted, when it is not what it should be */
export function assertEqual(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found}, not ${expected}`);
}

/** @throws Error that names both sides, when they do not hold the same documents */
export function assertSameDigest(what: string, left: Digest, right: Digest): void {
  if (left.count === right.count && left.sum === right.sum) return;
  throw new Error(
    `${what} differ: ${left.count} documents with sum ${left.sum}, ` +
      `and ${right.count} with sum ${right.sum}`,
  );
}
