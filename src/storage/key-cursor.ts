import { hashBytes } from '../base/text-hash.ts';

/** A document key, which is ASCII, as it stands in a buffer; moved from one to the next, so that nothing is made for each. */
export class KeyCursor {
  /** Number of the collection. */
  collection: number;
  readonly source: Buffer;
  start = 0;
  /** Exclusive. */
  end = 0;
  /** See `hashBytes`. */
  hash = 0;

  constructor(collection: number, source: Buffer) {
    this.collection = collection;
    this.source = source;
  }

  /** @param end exclusive */
  moveTo(start: number, end: number): void {
    this.start = start;
    this.end = end;
    this.hash = hashBytes(this.source, start, end);
  }

  get text(): string {
    return this.source.toString('latin1', this.start, this.end);
  }
}
