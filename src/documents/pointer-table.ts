import type { Tick } from '../model/tick.ts';

const LOAD_MAX = 0.6;
const SLOTS_MIN = 1024;
const EMPTY = 0;
const UNMATCHED = 1;
const MATCHED = 2;
const LOW_BITS = 0xffff_ffffn;
const FNV_PRIME = 0x0100_0193;
const FNV_START = 0x811c_9dc5;

/** What came of looking for the pointer to an entry. */
export type Match = 'none' | 'found' | 'different' | 'again';

/**
 * The pointers of a collection by tick, for comparing them with its journal: 13 bytes a slot, two slots or
 * so a document. Of what a pointer says a sum is kept.
 */
export class PointerTable {
  #high: Uint32Array;
  #low: Uint32Array;
  #sums: Uint32Array;
  #states: Uint8Array;
  #size = 0;
  #matched = 0;

  /** @param options.expected how many there may be; more are taken, too */
  constructor(options: { expected: number }) {
    let slots = SLOTS_MIN;
    while (slots * LOAD_MAX < options.expected) slots *= 2;
    this.#high = new Uint32Array(slots);
    this.#low = new Uint32Array(slots);
    this.#sums = new Uint32Array(slots);
    this.#states = new Uint8Array(slots);
  }

  get size(): number {
    return this.#size;
  }

  /** Pointers whose entries have not been seen. */
  get unmatched(): number {
    return this.#size - this.#matched;
  }

  /** False when another pointer has this tick. */
  add(tick: Tick, sum: number): boolean {
    if (this.#size >= this.#states.length * LOAD_MAX) this.#grow();
    const high = Number(tick >> 32n);
    const low = Number(tick & LOW_BITS);
    const slot = this.#slotOf(high, low);
    if (this.#states[slot] !== EMPTY) return false;
    this.#put(slot, high, low, sum, UNMATCHED);
    this.#size++;
    return true;
  }

  /** Looks for the pointer to an entry with this tick, which must have this sum. */
  match(tick: Tick, sum: number): Match {
    const slot = this.#slotOf(Number(tick >> 32n), Number(tick & LOW_BITS));
    const state = this.#states[slot];
    if (state === EMPTY) return 'none';
    if (state === MATCHED) return 'again';
    if (this.#sums[slot] !== sum) return 'different';
    this.#states[slot] = MATCHED;
    this.#matched++;
    return 'found';
  }

  /** Whether the entry of the pointer with this tick has been seen. */
  isMatched(tick: Tick): boolean {
    const slot = this.#slotOf(Number(tick >> 32n), Number(tick & LOW_BITS));
    return this.#states[slot] === MATCHED;
  }

  /** The slot with this tick, or the empty one where it belongs. */
  #slotOf(high: number, low: number): number {
    const mask = this.#states.length - 1;
    const mixed = Math.imul(low ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b);
    for (let slot = (mixed ^ (mixed >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      if (this.#states[slot] === EMPTY) return slot;
      if (this.#low[slot] === low && this.#high[slot] === high) return slot;
    }
  }

  #put(slot: number, high: number, low: number, sum: number, state: number): void {
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#sums[slot] = sum;
    this.#states[slot] = state;
  }

  #grow(): void {
    const old = { high: this.#high, low: this.#low, sums: this.#sums, states: this.#states };
    const slots = old.states.length * 2;
    this.#high = new Uint32Array(slots);
    this.#low = new Uint32Array(slots);
    this.#sums = new Uint32Array(slots);
    this.#states = new Uint8Array(slots);
    old.states.forEach((state, i) => {
      if (state === EMPTY) return;
      const high = old.high[i] ?? 0;
      const low = old.low[i] ?? 0;
      this.#put(this.#slotOf(high, low), high, low, old.sums[i] ?? 0, state);
    });
  }
}

/**
 * The sum of what a pointer says besides its tick.
 * @param rev empty when it is the tick
 * @param distance from the tick to the last one of its block
 */
export function pointerSum(key: string, rev: string, distance: number): number {
  let sum = FNV_START ^ distance;
  for (let i = 0; i < key.length; i++) sum = Math.imul(sum ^ key.charCodeAt(i), FNV_PRIME);
  sum = Math.imul(sum ^ 0x100, FNV_PRIME);
  for (let i = 0; i < rev.length; i++) sum = Math.imul(sum ^ rev.charCodeAt(i), FNV_PRIME);
  return sum >>> 0;
}
