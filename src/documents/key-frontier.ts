import { KeyCursor } from '../storage/key-cursor.ts';

const RECENT_MAX = 1024;
const LIST_MIN = 16;
/** Keys are never longer (contract 9.3). */
const KEY_BYTES_MAX = 254;

/** A key in a buffer, for those that are given as text; it holds until the next one is. */
const SPELLED = new KeyCursor(0, Buffer.alloc(KEY_BYTES_MAX));

/**
 * Knows of most new keys of a collection, without a look into the store, that they are new: keys that are
 * given out in ascending order, or nearly so. Everything at or below the floor may exist; of what is above
 * it, only the recent keys do. Keys are ASCII; they are given as text, or where they stand in a page.
 */
export class KeyFrontier {
  /** Whether it is known what is in the store. */
  readonly #isKnown: boolean;
  readonly #floor = new KeyBytes();
  readonly #largest = new KeyBytes();
  readonly #recent = new RecentHashes();

  /** @param largest a key that no key of the collection is above, in byte order; undefined if unknown */
  constructor(largest: string | undefined) {
    this.#isKnown = largest !== undefined;
    if (largest === undefined) return;
    this.#floor.set(spelled(largest));
    this.#largest.set(SPELLED);
  }

  /** Whether it is certain that no document, stored or about to be, has this key. */
  lacks(key: string): boolean {
    return this.lacksAt(spelled(key));
  }

  /** As `lacks`. */
  lacksAt(key: KeyCursor): boolean {
    if (!this.#isKnown) return false;
    // Mostly so, and sooner found out.
    if (this.#largest.isBelow(key)) return true;
    return this.#floor.isBelow(key) && !this.#recent.has(key.hash);
  }

  /** As `lacks`; what is certain to be new is noted, as by `add`. */
  addIfLacking(key: KeyCursor): boolean {
    if (!this.#isKnown) return false;
    if (this.#largest.isBelow(key)) this.#largest.set(key);
    else if (!this.#floor.isBelow(key) || this.#recent.has(key.hash)) return false;
    this.#note(key.hash);
    return true;
  }

  /** Whether it is certain that no document has this key or one above it. */
  isBelow(key: string): boolean {
    return this.#isKnown && this.#largest.isBelow(spelled(key));
  }

  /** Notes any number of keys of which none is above this one. */
  raise(key: string): void {
    const at = spelled(key);
    if (!this.#isKnown || !this.#floor.isBelow(at)) return;
    if (this.#largest.isBelow(at)) this.#largest.set(at);
    this.#raise();
  }

  /** Notes a key before it is written; one that is not written after all does no harm. */
  add(key: string): void {
    this.addAt(spelled(key));
  }

  /** As `add`. */
  addAt(key: KeyCursor): void {
    if (!this.#isKnown || !this.#floor.isBelow(key)) return;
    if (this.#largest.isBelow(key)) this.#largest.set(key);
    this.#note(key.hash);
  }

  /** Of a key above the floor. */
  #note(hash: number): void {
    this.#recent.add(hash);
    if (this.#recent.size >= RECENT_MAX) this.#raise();
  }

  #raise(): void {
    this.#floor.copy(this.#largest);
    this.#recent.clear();
  }
}

let lastSpelled: string | undefined;

/**
 * What cannot be a key because it is too long, or no ASCII, is spelled as some other text, which does no harm. Who
 * looks for a key adds it next: the last one stays spelled.
 */
function spelled(key: string): KeyCursor {
  if (key === lastSpelled) return SPELLED;
  lastSpelled = key;
  const length = Math.min(key.length, KEY_BYTES_MAX);
  for (let i = 0; i < length; i++) SPELLED.source[i] = key.charCodeAt(i);
  SPELLED.moveTo(0, length);
  return SPELLED;
}

/** A copy of a key. */
class KeyBytes {
  #bytes = Buffer.alloc(0);
  #length = 0;

  /** Whether it is below another key, in byte order. */
  isBelow({ source, start, end }: KeyCursor): boolean {
    const bytes = this.#bytes;
    const length = Math.min(this.#length, end - start);
    for (let i = 0; i < length; i++) {
      const difference = (source[start + i] ?? 0) - (bytes[i] ?? 0);
      if (difference !== 0) return difference > 0;
    }
    return this.#length < end - start;
  }

  set({ source, start, end }: KeyCursor): void {
    this.#take(source, start, end);
  }

  copy(other: KeyBytes): void {
    this.#take(other.#bytes, 0, other.#length);
  }

  #take(source: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length > this.#bytes.length) this.#bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) this.#bytes[i] = source[start + i] ?? 0;
    this.#length = length;
  }
}

/**
 * Hashes of keys. Two keys with one hash are taken for one, which at worst costs a look into the store. Where keys only
 * ascend nobody asks for one, and they stay a list.
 */
class RecentHashes {
  size = 0;
  #list = new Int32Array(LIST_MIN);
  /** By hash, 0 where nothing is; at most half of it is in use. Undefined until somebody asks. */
  #slots: Int32Array | undefined;

  has(hash: number): boolean {
    const slots = (this.#slots ??= this.#newSlots());
    return slots[place(slots, hash || 1)] !== 0;
  }

  add(hash: number): void {
    if (this.size === this.#list.length) {
      const before = this.#list;
      this.#list = new Int32Array(2 * before.length);
      this.#list.set(before);
    }
    this.#list[this.size++] = hash || 1;
    if (!this.#slots) return;
    if (2 * this.size > this.#slots.length) this.#slots = this.#newSlots();
    else this.#slots[place(this.#slots, hash || 1)] = hash || 1;
  }

  clear(): void {
    this.size = 0;
    this.#slots = undefined;
  }

  #newSlots(): Int32Array {
    const slots = new Int32Array(2 * this.#list.length);
    for (const hash of this.#list.subarray(0, this.size)) slots[place(slots, hash)] = hash;
    return slots;
  }
}

/** Where a hash is, or else would be. */
function place(slots: Int32Array, hash: number): number {
  const mask = slots.length - 1;
  let at = hash & mask;
  while (slots[at] !== 0 && slots[at] !== hash) at = (at + 1) & mask;
  return at;
}
