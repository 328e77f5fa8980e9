import { PRIMARY_HEAD_BYTES } from './keys.ts';
import type { OpenPointer } from './pointer.ts';

type BlindValue = Buffer | OpenPointer | null;

/** What is written of keys that nobody reads back before that, behind all else of a batch; null removes a key. */
export class BlindPuts {
  readonly #keys: (Buffer | string)[] = [];
  readonly #values: BlindValue[] = [];
  /** Of keys that are texts, also of those that were taken back. */
  readonly #prefixes = new Set<string>();

  get count(): number {
    return this.#keys.length;
  }

  put(key: Buffer | string, value: BlindValue): void {
    if (typeof key === 'string') this.#prefixes.add(key.slice(0, PRIMARY_HEAD_BYTES));
    this.#keys.push(key);
    this.#values.push(value);
  }

  /** Whether there is, or was, a text that begins with what primary keys of a collection begin with. */
  has(prefix: string): boolean {
    return this.#prefixes.has(prefix);
  }

  /** Takes back what was put after there were so many. */
  truncate(count: number): void {
    this.#keys.length = count;
    this.#values.length = count;
  }

  forEach(take: (key: Buffer | string, value: BlindValue) => void): void {
    this.#keys.forEach((key, i) => take(key, this.#values[i] ?? null));
  }
}
