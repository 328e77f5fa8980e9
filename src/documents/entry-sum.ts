import { crc32 } from 'node:zlib';
import { crc32c } from '../storage/crc32c.ts';

/** The sum of a set of keys and values, whatever their order: equal sets have equal sums. */
export class EntrySum {
  #count = 0;
  #a = 0;
  #b = 0;

  get count(): number {
    return this.#count;
  }

  add(key: Buffer, value: Buffer): void {
    this.#count++;
    // The value, which may be empty, first: zlib forgets what came before an empty buffer.
    this.#a = (this.#a + crc32(key, crc32(value))) % 2 ** 32;
    this.#b = (this.#b + crc32c(key, crc32c(value))) % 2 ** 32;
  }

  equals(other: EntrySum): boolean {
    return this.#count === other.#count && this.#a === other.#a && this.#b === other.#b;
  }
}
