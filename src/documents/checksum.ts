import { ByteBudget } from '../base/byte-budget.ts';
import type { Store } from '../storage/store.ts';
import type { Collection } from './collection.ts';
import { CollectionView } from './collection-view.ts';
import { DocumentSums } from './document-sums.ts';
import { Steps, liveDocuments } from './live-documents.ts';

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

/**
 * Checksums of whole collections (contract 9.2): equal where keys, and as asked revisions and
 * contents, are equal, in whatever order and spelling they are stored.
 *
 * It is a sum of the digests of the documents (see `DocumentSums`): two collections that differ in any way
 * have the same one with a chance of 1 in 2^52.
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
        using work = collection.works.begin({
          kind: 'checksum',
          documentsExpected: view.stats.count,
        });
        const sums = new DocumentSums();
        const steps = new Steps(signal);
        // Without data the pointers say it all, and they are much smaller.
        const groups = parts.withData
          ? this.#sumDocuments(view, parts, sums, steps)
          : this.#sumPointers(view, parts, sums, steps);
        for await (const documents of groups) work.add(documents);
        const { lastTick } = view.stats;
        return { checksum: sums.value(0), revision: lastTick.toString(), count: sums.count(0) };
      } finally {
        view.close();
      }
    } finally {
      release();
    }
  }

  /** Yields how many documents were added, again and again. */
  async *#sumPointers(
    view: CollectionView,
    parts: ChecksumParts,
    sums: DocumentSums,
    steps: Steps,
  ): AsyncGenerator<number, void, void> {
    for await (const documents of view.pointers()) {
      for (const { key, pointer } of documents) {
        sums.add(0, key, parts.withRevisions ? pointer.rev : '', '');
        if (steps.isDue) await steps.rest();
      }
      yield documents.length;
    }
  }

  async *#sumDocuments(
    view: CollectionView,
    parts: ChecksumParts,
    sums: DocumentSums,
    steps: Steps,
  ): AsyncGenerator<number, void, void> {
    for await (const documents of liveDocuments(this.#store, view, steps)) {
      for (const { key, rev, data } of documents) {
        sums.add(0, key, parts.withRevisions ? rev : '', data);
      }
      yield documents.length;
    }
  }
}
