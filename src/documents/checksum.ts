import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteBudget } from '../base/byte-budget.ts';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { canonicalObject } from '../protocol/canonical-json.ts';
import { skipString } from '../protocol/json-scan.ts';
import { memberName } from '../protocol/json-text.ts';
import type { Block } from '../storage/block.ts';
import { readBlocksInPieces } from '../storage/block-reader.ts';
import { Space } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Collection } from './collection.ts';
import { CollectionView } from './collection-view.ts';
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

/** What one checksum may hold in memory of what it reads ahead, and how many run at a time. */
const READ_AHEAD_BYTES = 4 * 1024 * 1024;
const RUNNING_MAX = 8;
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
  readonly #memory = new ByteBudget(RUNNING_MAX * READ_AHEAD_BYTES);

  constructor(deps: { store: Store }) {
    this.#store = deps.store;
  }

  /**
   * Reads the collection as it is now: what is written meanwhile does not take part, nor is it kept waiting. Takes
   * as long as reading everything does, in steps of some milliseconds; when many are asked for some wait.
   * @throws ServiceError collectionNotFound, also when it is dropped meanwhile; storageDamaged; storageFailed when
   *   nothing can be written any more; the reason of `signal` when aborted
   */
  async of(
    collection: Collection,
    parts: ChecksumParts,
    signal?: AbortSignal,
  ): Promise<ChecksumResult> {
    collection.assertAlive();
    // For each that is open, whoever changes a document has something to write.
    const release = await this.#memory.acquire(READ_AHEAD_BYTES, signal);
    try {
      const view = await CollectionView.open(this.#store, collection);
      try {
        const sum = new Sum(signal);
        // Without data the pointers say it all, and they are much smaller.
        if (parts.withData) await this.#sumDocuments(view, parts, sum);
        else await this.#sumPointers(view, parts, sum);
        const { lastTick } = view.stats;
        return { checksum: sum.value, revision: lastTick.toString(), count: sum.count };
      } finally {
        view.close();
      }
    } finally {
      release();
    }
  }

  async #sumPointers(view: CollectionView, parts: ChecksumParts, sum: Sum): Promise<void> {
    for await (const documents of view.pointers()) {
      for (const [i, { key, pointer }] of documents.entries()) {
        sum.add(key, parts.withRevisions ? pointer.rev : '', '');
        if (i % ENTRIES_PER_LOOK === 0) await sum.rest();
      }
    }
  }

  /** In the order of the journal; an entry was live when the pointer of its key led to it. */
  async #sumDocuments(view: CollectionView, parts: ChecksumParts, sum: Sum): Promise<void> {
    const { level } = this.#store;
    const { number } = view.collection;
    const range = { space: Space.journal, number, from: 0n, to: view.tick } as const;
    // What is rewritten meanwhile may come again, in other blocks.
    let done: Tick = 0n;
    for await (const block of readBlocksInPieces(level, range)) {
      const end = block.firstAbove(view.tick);
      for (let i = block.firstAbove(done); i < end; i++) {
        this.#sumEntry(view, parts, sum, block, i);
        if (i % ENTRIES_PER_LOOK === 0) await sum.rest();
      }
      if (end > 0 && block.tick(end - 1) > done) done = block.tick(end - 1);
    }
    // What is being erased looks as if it ended early.
    view.collection.assertAlive();
  }

  #sumEntry(view: CollectionView, parts: ChecksumParts, sum: Sum, block: Block, i: number): void {
    if (block.type(i) === MarkerType.remove) return;
    const line = block.lineText(i);
    const key = keyOfLine(line);
    const pointer = view.pointer(key);
    if (pointer?.tick !== block.tick(i)) return;
    sum.add(
      key,
      parts.withRevisions ? pointer.rev : '',
      canonicalObject(dataOfLine(line), LEFT_OUT),
    );
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
