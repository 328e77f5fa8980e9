const RECENT_MAX = 1024;

/**
 * Knows of most new keys of a collection, without a look into the store, that they are new: keys that are
 * given out in ascending order, or nearly so. Everything at or below the floor may exist; of what is above
 * it, only the recent keys do.
 */
export class KeyFrontier {
  /** undefined while it is not known what is in the store. */
  #floor: string | undefined;
  #largest: string;
  readonly #recent = new Set<string>();

  /** @param largest a key that no key of the collection is above, in byte order; undefined if unknown */
  constructor(largest: string | undefined) {
    this.#floor = largest;
    this.#largest = largest ?? '';
  }

  /** Whether it is certain that no document, stored or about to be, has this key. */
  lacks(key: string): boolean {
    return this.#floor !== undefined && key > this.#floor && !this.#recent.has(key);
  }

  /** Whether it is certain that no document has this key or one above it. */
  isBelow(key: string): boolean {
    return this.#floor !== undefined && key > this.#largest;
  }

  /** Notes any number of keys of which none is above this one. */
  raise(key: string): void {
    if (this.#floor === undefined || key <= this.#floor) return;
    if (key > this.#largest) this.#largest = key;
    this.#floor = this.#largest;
    this.#recent.clear();
  }

  /** Notes a key before it is written; one that is not written after all does no harm. */
  add(key: string): void {
    if (this.#floor === undefined || key <= this.#floor) return;
    if (key > this.#largest) this.#largest = key;
    this.#recent.add(key);
    if (this.#recent.size >= RECENT_MAX) this.raise(this.#largest);
  }
}
