/** Items that were taken are let go of together: so many at least, and no fewer than are left. */
const COMPACT_MIN = 1024;

/**
 * A list that grows at its end and shrinks at its beginning. Both cost the same however long it is; of a long array
 * `shift` moves all that is left.
 */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #taken = 0;

  get length(): number {
    return this.#items.length - this.#taken;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** @param i from 0, the oldest, on */
  at(i: number): T | undefined {
    return this.#items[this.#taken + i];
  }

  /** Those from `start` on, the oldest first. */
  from(start: number): T[] {
    return this.#items.slice(this.#taken + start) as T[];
  }

  /** Takes the oldest off; undefined when there is none. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#taken];
    this.#items[this.#taken++] = undefined;
    if (this.#taken >= COMPACT_MIN && this.#taken >= this.length) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
    return item;
  }
}
