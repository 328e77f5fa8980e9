import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MarkerType } from '../model/marker.ts';
import { canonicalObject } from '../protocol/canonical-json.ts';
import { skipString } from '../protocol/json-scan.ts';
import { memberName } from '../protocol/json-text.ts';
import { Block } from '../storage/block.ts';
import { Space, numberRange, primaryKey, primaryKeyDocument } from '../storage/keys.ts';
import { decodePointer, pointerTick } from '../storage/pointer.ts';
import type { Store } from '../storage/store.ts';
import type { Collection } from './collection.ts';
import { EMPTY_STATS, decodeStats, statsKey } from './collection-stats.ts';
import { dataOfLine } from './stored-document.ts';

export interface ChecksumParts {
  /** Revisions take part. */
  readonly withRevisions: boolean;
  /** The documents take part, apart from `_key` and `_rev`; the ends of edges are among them. */
  readonly withData: boolean;
}

export interface ChecksumResult {
  /** Below 2^52, 0 for an empty collection. */
  readonly checksum: number;
  /** The newest change of the collection that took part, `0` for none. */
  readonly revision: string;
  /** Documents that took part. */
  readonly count: number;
}

type Snapshot = ReturnType<Store['level']['snapshot']>;

const READ_AHEAD_BYTES = 1024 * 1024;
const BLOCKS_PER_READ = 8;
const KEYS_PER_READ = 1000;
/** Other requests are let in at least this often. */
const STEP_MS = 5;
const ENTRIES_PER_LOOK = 32;
const LEFT_OUT: ReadonlySet<string> = new Set(['_key', '_rev', '_id']);
const KEY_MEMBER = ',"key":';
const TWO_32 = 2 ** 32;
const TWO_20 = 2 ** 20;

/**
 * Checksums of whole collections (contract 9.2): equal where keys, and as asked revisions and
 * contents, are equal, in whatever order and spelling they are stored.
 *
 * It is the sum, modulo 2^52, of 52 bits of the SHA-1 of each document. A sum does not depend on the order,
 * and unlike an exclusive-or does not lose what occurs twice; two collections that differ in any
 * way have the same one with a chance of 1 in 2^52. 52 bits stay exact in a JSON number.
 */
export class Checksums {
  readonly #store: Store;

  constructor(deps: { store: Store }) {
    this.#store = deps.store;
  }

  /**
   * Reads the collection as it is now, from one snapshot: what is written meanwhile does not take
   * part, nor disturb. Takes as long as reading everything does, in steps of some milliseconds.
   * @throws ServiceError collectionNotFound, storageDamaged; the reason of `signal` when aborted
   */
  async of(
    collection: Collection,
    parts: ChecksumParts,
    signal?: AbortSignal,
  ): Promise<ChecksumResult> {
    collection.assertAlive();
    const snapshot = this.#store.level.snapshot();
    try {
      const key = statsKey(collection.number);
      const stored = this.#store.level.getSync(key, { snapshot });
      const { lastTick } = stored ? decodeStats(key, stored) : EMPTY_STATS;
      const sum = new Sum(signal);
      // Without data the pointers say it all, and they are much smaller.
      if (parts.withData) await this.#sumDocuments(collection, parts, snapshot, sum);
      else await this.#sumPointers(collection, parts, snapshot, sum);
      return { checksum: sum.value, revision: lastTick.toString(), count: sum.count };
    } finally {
      await snapshot.close();
    }
  }

  async #sumPointers(
    collection: Collection,
    parts: ChecksumParts,
    snapshot: Snapshot,
    sum: Sum,
  ): Promise<void> {
    const { start, end } = numberRange(Space.primary, collection.number);
    const iterator = this.#store.level.iterator({
      ...{ gte: start, lt: end, snapshot },
      highWaterMarkBytes: READ_AHEAD_BYTES,
    });
    try {
      for (;;) {
        const entries = await iterator.nextv(KEYS_PER_READ);
        if (entries.length === 0) return;
        for (const [key, value] of entries) {
          const rev = parts.withRevisions ? decodePointer(value).rev : '';
          sum.add(primaryKeyDocument(key), rev, '');
        }
        await sum.rest();
      }
    } finally {
      await iterator.close();
    }
  }

  /** An entry of the journal is live when the pointer of its key leads to it. */
  async #sumDocuments(
    collection: Collection,
    parts: ChecksumParts,
    snapshot: Snapshot,
    sum: Sum,
  ): Promise<void> {
    const { start, end } = numberRange(Space.journal, collection.number);
    const iterator = this.#store.level.iterator({
      ...{ gte: start, lt: end, snapshot },
      highWaterMarkBytes: READ_AHEAD_BYTES,
    });
    try {
      for (;;) {
        const entries = await iterator.nextv(BLOCKS_PER_READ);
        if (entries.length === 0) return;
        for (const [key, value] of entries) {
          const block = new Block(key, value);
          for (let i = 0; i < block.count; i++) {
            this.#sumEntry(collection, parts, snapshot, sum, block, i);
            if (i % ENTRIES_PER_LOOK === 0) await sum.rest();
          }
        }
      }
    } finally {
      await iterator.close();
    }
  }

  #sumEntry(
    collection: Collection,
    parts: ChecksumParts,
    snapshot: Snapshot,
    sum: Sum,
    block: Block,
    i: number,
  ): void {
    if (block.type(i) === MarkerType.remove) return;
    const line = block.lineText(i);
    const key = keyOfLine(line);
    const pointer = this.#store.level.getSync(primaryKey(collection.number, key), { snapshot });
    if (!pointer || pointerTick(pointer) !== block.tick(i)) return;
    const rev = parts.withRevisions ? decodePointer(pointer).rev : '';
    sum.add(key, rev, canonicalObject(dataOfLine(line), LEFT_OUT));
  }
}

/** The key in a journal line. `,"key":` cannot stand inside a string, whose quotes are escaped. */
function keyOfLine(line: string): string {
  const start = line.indexOf(KEY_MEMBER) + KEY_MEMBER.length;
  return memberName(line, start, skipString(line, start));
}

/** A sum modulo 2^52 in two halves, and the clock of the loop that makes it. */
class Sum {
  count = 0;
  readonly #signal: AbortSignal | undefined;
  #low = 0;
  #high = 0;
  #startedAt = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  get value(): number {
    return this.#high * TWO_32 + this.#low;
  }

  add(key: string, rev: string, data: string): void {
    const digest = createHash('sha1').update(`${key}\n${rev}\n${data}`).digest();
    const low = this.#low + digest.readUInt32LE(0);
    this.#low = low % TWO_32;
    this.#high =
      (this.#high + (digest.readUInt32LE(4) % TWO_20) + (low >= TWO_32 ? 1 : 0)) % TWO_20;
    this.count++;
  }

  /** Lets others run when it is time to. */
  async rest(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (performance.now() - this.#startedAt < STEP_MS) return;
    await nextTurn();
    this.#startedAt = performance.now();
  }
}
