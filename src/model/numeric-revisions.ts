import type { Tick } from './tick.ts';

const ZERO = 0x30;
const NINE = 0x39;
const MAX_WIRE_DIGITS = 20;

/**
 * The largest of many revisions and ids, those that are numbers: the own counter must be pushed above
 * them (contract 1.2). Revisions of 3.1 and later are opaque texts and do not count. Digits are
 * compared as they are, so that a big number is made once and not for each document.
 */
export class NumericRevisions {
  #largest = '';

  add(revision: string): void {
    const length = revision.length - this.#largest.length;
    if (length < 0 || (length === 0 && revision <= this.#largest)) return;
    if (isPlainNumber(revision)) this.#largest = revision;
  }

  addNumber(revision: Tick): void {
    if (revision > 0n) this.add(revision.toString());
  }

  /** 0 when there was none. Numbers of more digits than the wire allows are no revisions of ours. */
  get largest(): Tick {
    return this.#largest === '' ? 0n : BigInt(this.#largest);
  }
}

/** Digits without a leading zero, at most as many as 64 bits need. */
function isPlainNumber(text: string): boolean {
  if (text.length > MAX_WIRE_DIGITS || text.charCodeAt(0) === ZERO) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!(code >= ZERO && code <= NINE)) return false;
  }
  return true;
}
