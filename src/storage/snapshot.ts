import { type Level, readStoredLine } from './commit-group.ts';
import { Space, numberRange, primaryKey, primaryKeyDocument } from './keys.ts';
import { type Pointer, decodePointer } from './pointer.ts';

/** A live document as the primary space has it. */
export interface DocumentPointer {
  readonly key: string;
  readonly pointer: Pointer;
}

const POINTERS_PER_READ = 1000;

/** What was committed at one moment, for readers that come back several times. Must be closed. */
export class StoreSnapshot {
  readonly #level: Level;
  readonly #snapshot: ReturnType<Level['snapshot']>;

  constructor(level: Level) {
    this.#level = level;
    this.#snapshot = level.snapshot();
  }

  /**
   * The live documents of a collection in the byte order of their keys, in pieces.
   * @param from the first key wanted; all when absent
   */
  async *pointers(
    number: number,
    from?: string,
  ): AsyncGenerator<readonly DocumentPointer[], void, void> {
    const { start, end } = numberRange(Space.primary, number);
    const iterator = this.#level.iterator({
      gte: from === undefined ? start : primaryKey(number, from),
      lt: end,
      snapshot: this.#snapshot,
    });
    try {
      for (;;) {
        const entries = await iterator.nextv(POINTERS_PER_READ);
        if (entries.length === 0) return;
        yield entries.map(([key, value]) => ({
          key: primaryKeyDocument(key),
          pointer: decodePointer(value),
        }));
      }
    } finally {
      await iterator.close();
    }
  }

  /**
   * The line that a pointer of this snapshot leads to, without newline.
   * @throws ServiceError storageDamaged when the block is missing or damaged
   */
  readLine(number: number, pointer: Pointer): string {
    return readStoredLine(this.#level, number, pointer, this.#snapshot);
  }

  /** Reads under way may finish. */
  close(): Promise<void> {
    return this.#snapshot.close();
  }
}
