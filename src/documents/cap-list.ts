import type { IndexDefinition } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { Space } from '../storage/keys.ts';
import { protect, unprotect } from '../storage/record.ts';
import type { WriteTx } from '../storage/write-tx.ts';

/** A document as a cap sees it. */
export interface CappedDocument {
  /** Tick of its live entry. */
  readonly tick: Tick;
  readonly key: string;
  /** Length of its text. */
  readonly bytes: number;
}

/** What is stored under tick 0: the ends of the list and the sum of its bytes. */
export interface CapEnds {
  readonly oldest: Tick;
  readonly newest: Tick;
  /** The last document that `fill` has added; undefined once all are in the list. */
  readonly filled: Tick | undefined;
  readonly bytes: number;
}

/** What is stored of one document: its neighbours, 0 at an end. */
export interface CapLink {
  readonly older: Tick;
  readonly newer: Tick;
  readonly bytes: number;
  readonly key: string;
}

const ENDS = 0n;
const ENDS_BYTES = 33;
const LINK_HEAD_BYTES = 24;
const FILLING = 0;
const COMPLETE = 1;

/**
 * The documents of a capped collection in the order of their last change, as a list in the store: `i`
 * number, tick -> neighbours, size, key. So the oldest one is found without searching, also where most
 * entries of the journal are superseded. The list is kept up to date with every write, also those of an
 * applier; whether the bounds are enforced is the writer's affair.
 */
export class CapList {
  readonly #number: number;
  readonly #size: number;
  readonly #byteSize: number;

  private constructor(number: number, definition: IndexDefinition) {
    this.#number = number;
    this.#size = boundOf(definition['size']);
    this.#byteSize = boundOf(definition['byteSize']);
  }

  /** undefined for every other type of index. */
  static from(number: number, definition: IndexDefinition): CapList | undefined {
    return definition.type === 'cap' ? new CapList(number, definition) : undefined;
  }

  /** Begins an empty list, to be filled with what there is; before that nothing is kept. */
  create(tx: WriteTx): void {
    this.#putEnds(tx, { oldest: 0n, newest: 0n, filled: 0n, bytes: 0 });
  }

  /** Says that everything is in the list: from now on the bounds count. */
  complete(tx: WriteTx): void {
    const ends = this.#ends(tx);
    if (ends) this.#putEnds(tx, { ...ends, filled: undefined });
  }

  /** How far the list is; undefined when it was never begun. */
  progress(tx: WriteTx): 'filling' | 'complete' | undefined {
    const ends = this.#ends(tx);
    return ends && (ends.filled === undefined ? 'complete' : 'filling');
  }

  /** Whether a document of this size can be in the collection at all. */
  admits(bytes: number): boolean {
    return this.#byteSize === 0 || bytes <= this.#byteSize;
  }

  /** Adds a document that is newer than all others. */
  append(tx: WriteTx, document: CappedDocument): void {
    const ends = this.#ends(tx);
    if (ends) this.#insert(tx, ends, document, ends.newest);
  }

  /**
   * Adds a document that was there before the list. They come in the order of their ticks, while writers
   * append newer ones behind them; one that is in the list stays where it is.
   */
  fill(tx: WriteTx, document: CappedDocument): void {
    const ends = this.#ends(tx);
    if (ends?.filled === undefined || tx.get(this.#key(document.tick))) return;
    this.#insert(tx, { ...ends, filled: document.tick }, document, ends.filled);
  }

  /** Takes out the document whose live entry had this tick. @throws ServiceError storageDamaged */
  remove(tx: WriteTx, tick: Tick): void {
    const ends = this.#ends(tx);
    if (!ends) return;
    const link = this.#link(tx, tick);
    if (!link) {
      // One that has not been filled in yet.
      if (ends.filled !== undefined) return;
      throw this.#damaged(tick);
    }
    const { older, newer } = link;
    tx.del(this.#key(tick));
    if (older !== 0n) this.#putLink(tx, older, { ...this.#neighbour(tx, older), newer });
    if (newer !== 0n) this.#putLink(tx, newer, { ...this.#neighbour(tx, newer), older });
    this.#putEnds(tx, {
      oldest: older === 0n ? newer : ends.oldest,
      newest: newer === 0n ? older : ends.newest,
      filled: ends.filled === tick ? older : ends.filled,
      bytes: ends.bytes - link.bytes,
    });
  }

  /**
   * The oldest document, if the collection holds more than it may.
   * @param count how many documents it holds
   * @throws ServiceError storageDamaged
   */
  excess(tx: WriteTx, count: number): CappedDocument | undefined {
    const ends = this.#ends(tx);
    if (!ends || ends.filled !== undefined || ends.oldest === 0n) return undefined;
    const isOver =
      (this.#size > 0 && count > this.#size) || (this.#byteSize > 0 && ends.bytes > this.#byteSize);
    if (!isOver) return undefined;
    const { key, bytes } = this.#neighbour(tx, ends.oldest);
    return { tick: ends.oldest, key, bytes };
  }

  /** Puts a document behind the one with tick `older`, 0 for the beginning of the list. */
  #insert(tx: WriteTx, ends: CapEnds, { tick, key, bytes }: CappedDocument, older: Tick): void {
    const before = older === 0n ? undefined : this.#neighbour(tx, older);
    const newer = before ? before.newer : ends.oldest;
    if (before) this.#putLink(tx, older, { ...before, newer: tick });
    if (newer !== 0n) {
      this.#putLink(tx, newer, { ...this.#neighbour(tx, newer), older: tick });
    }
    this.#putLink(tx, tick, { older, newer, bytes, key });
    this.#putEnds(tx, {
      ...ends,
      oldest: older === 0n ? tick : ends.oldest,
      newest: newer === 0n ? tick : ends.newest,
      bytes: ends.bytes + bytes,
    });
  }

  #ends(tx: WriteTx): CapEnds | undefined {
    const key = this.#key(ENDS);
    const stored = tx.get(key);
    if (!stored) return undefined;
    return decodeCapEnds(key, stored);
  }

  #putEnds(tx: WriteTx, ends: CapEnds): void {
    const payload = Buffer.allocUnsafe(ENDS_BYTES);
    payload.writeBigUInt64BE(ends.oldest, 0);
    payload.writeBigUInt64BE(ends.newest, 8);
    payload.writeBigUInt64BE(ends.filled ?? 0n, 16);
    payload.writeDoubleBE(ends.bytes, 24);
    payload[32] = ends.filled === undefined ? COMPLETE : FILLING;
    const key = this.#key(ENDS);
    tx.put(key, protect(key, payload));
  }

  #link(tx: WriteTx, tick: Tick): CapLink | undefined {
    const key = this.#key(tick);
    const stored = tx.get(key);
    if (!stored) return undefined;
    return decodeCapLink(key, stored);
  }

  #neighbour(tx: WriteTx, tick: Tick): CapLink {
    const link = this.#link(tx, tick);
    if (!link) throw this.#damaged(tick);
    return link;
  }

  #putLink(tx: WriteTx, tick: Tick, link: CapLink): void {
    const payload = Buffer.allocUnsafe(LINK_HEAD_BYTES + Buffer.byteLength(link.key));
    payload.writeBigUInt64BE(link.older, 0);
    payload.writeBigUInt64BE(link.newer, 8);
    payload.writeDoubleBE(link.bytes, 16);
    payload.write(link.key, LINK_HEAD_BYTES);
    const key = this.#key(tick);
    tx.put(key, protect(key, payload));
  }

  #key(tick: Tick): Buffer {
    const key = Buffer.allocUnsafe(13);
    key[0] = Space.secondary;
    key.writeUInt32BE(this.#number, 1);
    key.writeBigUInt64BE(tick, 5);
    return key;
  }

  #damaged(tick: Tick): ServiceError {
    return new ServiceError(
      'storageDamaged',
      `the list of cap ${this.#number} lacks the entry with tick ${tick}`,
    );
  }
}

/** 0, and whatever is no number, is no bound. */
function boundOf(value: unknown): number {
  return typeof value === 'number' && value > 0 ? value : 0;
}

/** @throws ServiceError storageDamaged when the checksum does not hold */
export function decodeCapEnds(key: Buffer, value: Buffer): CapEnds {
  const payload = unprotect(key, value);
  return {
    oldest: payload.readBigUInt64BE(0),
    newest: payload.readBigUInt64BE(8),
    filled: payload[32] === FILLING ? payload.readBigUInt64BE(16) : undefined,
    bytes: payload.readDoubleBE(24),
  };
}

/** @throws ServiceError storageDamaged when the checksum does not hold */
export function decodeCapLink(key: Buffer, value: Buffer): CapLink {
  const payload = unprotect(key, value);
  return {
    older: payload.readBigUInt64BE(0),
    newer: payload.readBigUInt64BE(8),
    bytes: payload.readDoubleBE(16),
    key: payload.toString('utf8', LINK_HEAD_BYTES),
  };
}
