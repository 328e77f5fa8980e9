import { KeyCursor } from '../storage/key-cursor.ts';

const RECENT_MAX = 1024;
const SLOTS_MIN = 64;
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
    const lacks = this.lacksAt(key);
    if (lacks) this.#note(key);
    return lacks;
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
    if (this.#isKnown && this.#floor.isBelow(key)) this.#note(key);
  }

  /** Of a key above the floor. */
  #note(key: KeyCursor): void {
    if (this.#largest.isBelow(key)) this.#largest.set(key);
    this.#recent.add(key.hash);
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

/** Hashes of keys. Two keys with one hash are taken for one, which at worst costs a look into the store. */
class RecentHashes {
  size = 0;
  /** 0 where nothing is; at most half of it is in use. */
  #slots = new Int32Array(SLOTS_MIN);

  has(hash: number): boolean {
    return this.#slots[this.#find(hash || 1)] !== 0;
  }

  add(hash: number): void {
    const at = this.#find(hash || 1);
    if (this.#slots[at] !== 0) return;
    this.#slots[at] = hash || 1;
    this.size++;
    if (2 * this.size > this.#slots.length) this.#grow();
  }

  clear(): void {
    this.size = 0;
    this.#slots.fill(0);
  }

  /** Where a hash is, or else would be. */
  #find(hash: number): number {
    const mask = this.#slots.length - 1;
    let at = hash & mask;
    while (this.#slots[at] !== 0 && this.#slots[at] !== hash) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(2 * before.length);
    for (const hash of before) if (hash !== 0) this.#slots[this.#find(hash)] = hash;
  }
}
