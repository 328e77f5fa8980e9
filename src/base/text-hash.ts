import { randomBytes } from 'node:crypto';

const PRIME = 0x0100_0193;
const MIX = 0x45d9_f3b;
/** Another one in each process: nobody can choose texts that meet. */
const SEED = randomBytes(4).readInt32LE();

/** A hash of 32 bits, with a sign, that holds within this process. @param end exclusive */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = SEED;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), PRIME);
  hash = Math.imul(hash ^ (hash >>> 16), MIX);
  return hash ^ (hash >>> 15);
}
