import { MarkerType } from '../model/marker.ts';
import { KeyCursor } from './key-cursor.ts';
import { PRIMARY_HEAD_BYTES, Space } from './keys.ts';
import { LinePointer } from './line-pointer.ts';
import type { OpenBlock } from './open-block.ts';

const SLOTS_MIN = 4096;
/** What a table grew to for one large batch is not kept. */
const SLOTS_KEPT_MAX = 64 * 1024;

/**
 * What a batch that is being put together makes of documents whose lines came in runs, by their keys: entries of open
 * blocks, the newest of a key first. Nothing is made per line; keys are compared where they stand in the blocks.
 */
export class LineTable {
  #size = 0;
  /** By hash: the newest entry, -1 without one. */
  #heads = new Int32Array(SLOTS_MIN).fill(-1);
  /** By entry: the one before it under the same head, its hash, its block, and where in that it is. */
  #before = new Int32Array(SLOTS_MIN);
  #hashes = new Int32Array(SLOTS_MIN);
  #blockOf = new Int32Array(SLOTS_MIN);
  #places = new Int32Array(SLOTS_MIN);
  #blocks: OpenBlock[] = [];

  /** Entries noted. */
  get size(): number {
    return this.#size;
  }

  /** Makes room for so many entries more. */
  reserve(count: number): void {
    let slots = this.#heads.length;
    while (slots < this.#size + count) slots *= 2;
    if (slots > this.#heads.length) this.#grow(slots);
  }

  /** Notes the entry at this place in a block, which must have room; its key has this hash. */
  add(block: OpenBlock, place: number, hash: number): void {
    const { length } = this.#blocks;
    if (length === 0 || this.#blocks[length - 1] !== block) this.#blocks.push(block);
    const entry = this.#size++;
    this.#blockOf[entry] = this.#blocks.length - 1;
    this.#places[entry] = place;
    this.#hashes[entry] = hash;
    this.#link(entry);
  }

  /** Whether the newest entry of a key is a document; undefined without one. */
  isLive(key: KeyCursor): boolean | undefined {
    const entry = this.#find(key);
    return entry < 0 ? undefined : this.#typeOf(entry) !== MarkerType.remove;
  }

  /** Pointer to the newest entry of a key: null when it is a removal, undefined without one. */
  pointer(key: KeyCursor): LinePointer | null | undefined {
    const entry = this.#find(key);
    const block = this.#blocks[this.#blockOf[entry] ?? -1];
    if (!block) return undefined;
    if (this.#typeOf(entry) === MarkerType.remove) return null;
    return new LinePointer(block, this.#places[entry] ?? 0);
  }

  /** As `pointer`, of a record's key as latin1 text, which may be none of a document. */
  pointerOf(keyText: string): LinePointer | null | undefined {
    if (this.#size === 0 || keyText.charCodeAt(0) !== Space.primary) return undefined;
    const bytes = Buffer.from(keyText, 'latin1');
    const key = new KeyCursor(bytes.readUInt32BE(1), bytes);
    key.moveTo(PRIMARY_HEAD_BYTES, bytes.length);
    return this.pointer(key);
  }

  /** Forgets what was noted after there were so many entries. */
  truncate(size: number): void {
    while (this.#size > size) {
      const entry = --this.#size;
      this.#heads[this.#slot(this.#hashes[entry] ?? 0)] = this.#before[entry] ?? -1;
    }
    this.#blocks.length = size === 0 ? 0 : (this.#blockOf[size - 1] ?? 0) + 1;
  }

  /** Forgets everything. */
  clear(): void {
    this.#size = 0;
    this.#blocks = [];
    if (this.#heads.length > SLOTS_KEPT_MAX) this.#resize(SLOTS_MIN);
    this.#heads.fill(-1);
  }

  #find(key: KeyCursor): number {
    let entry = this.#heads[this.#slot(key.hash)] ?? -1;
    for (; entry >= 0; entry = this.#before[entry] ?? -1) {
      if (this.#hashes[entry] !== key.hash) continue;
      const block = this.#blocks[this.#blockOf[entry] ?? 0];
      if (block?.hasKey(this.#places[entry] ?? 0, key) === true) return entry;
    }
    return -1;
  }

  #typeOf(entry: number): number {
    const block = this.#blocks[this.#blockOf[entry] ?? 0];
    return block?.type(this.#places[entry] ?? 0) ?? 0;
  }

  #slot(hash: number): number {
    return hash & (this.#heads.length - 1);
  }

  #link(entry: number): void {
    const slot = this.#slot(this.#hashes[entry] ?? 0);
    this.#before[entry] = this.#heads[slot] ?? -1;
    this.#heads[slot] = entry;
  }

  #grow(slots: number): void {
    const [hashes, blockOf, places] = [this.#hashes, this.#blockOf, this.#places];
    this.#resize(slots);
    this.#hashes.set(hashes);
    this.#blockOf.set(blockOf);
    this.#places.set(places);
    this.#heads.fill(-1);
    for (let entry = 0; entry < this.#size; entry++) this.#link(entry);
  }

  #resize(slots: number): void {
    this.#heads = new Int32Array(slots);
    this.#before = new Int32Array(slots);
    this.#hashes = new Int32Array(slots);
    this.#blockOf = new Int32Array(slots);
    this.#places = new Int32Array(slots);
  }
}
