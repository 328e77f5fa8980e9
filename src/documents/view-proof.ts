import { ByteBudget } from '../base/byte-budget.ts';
import { type SpreadRange, SpreadRanges, spreadHash } from '../protocol/key-spread.ts';
import type { Store } from '../storage/store.ts';
import type { Work } from './collection-works.ts';
import type { CollectionView, DocumentPointer } from './collection-view.ts';
import { DocumentSums, documentDigest } from './document-sums.ts';
import { Steps, liveDocuments } from './live-documents.ts';
import { dataOfLine } from './stored-document.ts';

/** What a part of a collection is: how many documents, and the sum of their digests. */
export type PartSum = readonly [count: number, sum: number];

/** What a document is: key, revision, and the digest of both and of its contents. */
export type DocumentState = readonly [key: string, rev: string, digest: number];

/** What one pass over a collection may hold in memory of what it reads ahead, and how many run at a time. */
const READ_AHEAD_BYTES = 4 * 1024 * 1024;
const RUNNING_MAX = 8;
/** Between two notes of how far a pass is. */
const ENTRIES_PER_STEP = 256;

/**
 * Finds out where two collections differ without their documents: sums of digests over parts of the
 * keys, by the hash of the key (`spreadHash`), and the states of the documents of a part.
 */
export class ViewProofs {
  readonly #store: Store;
  readonly #memory = new ByteBudget(RUNNING_MAX * READ_AHEAD_BYTES);

  constructor(deps: { store: Store }) {
    this.#store = deps.store;
  }

  /**
   * Reads the whole collection once, in steps of some milliseconds.
   * @param parts in rising order, apart from one another
   * @throws ServiceError collectionNotFound, storageDamaged; the reason of `signal`
   */
  async sums(
    view: CollectionView,
    parts: readonly SpreadRange[],
    signal: AbortSignal,
  ): Promise<readonly PartSum[]> {
    const ranges = new SpreadRanges(parts);
    const sums = new DocumentSums(parts.length);
    const release = await this.#memory.acquire(READ_AHEAD_BYTES, signal);
    try {
      using work = beginSearch(view);
      const { count, entries } = view.stats;
      // All but the wanted ones may be old states of others: an entry is so much of a document.
      const share = entries > count ? count / entries : 1;
      let passed = 0;
      const accepts = (key: string): boolean => {
        if (++passed % ENTRIES_PER_STEP === 0) work.add(ENTRIES_PER_STEP * share);
        return ranges.indexOf(spreadHash(key)) >= 0;
      };
      const steps = new Steps(signal);
      for await (const documents of liveDocuments(this.#store, view, steps, accepts)) {
        for (const { key, rev, data } of documents) {
          sums.add(ranges.indexOf(spreadHash(key)), key, rev, data);
        }
      }
    } finally {
      release();
    }
    return parts.map((_, i) => [sums.count(i), sums.value(i)]);
  }

  /**
   * The documents of some parts, in the byte order of their keys. Goes over all keys, but reads only these
   * documents.
   * @param parts as for `sums`
   * @throws ServiceError as `sums`
   */
  async *states(
    view: CollectionView,
    parts: readonly SpreadRange[],
    signal: AbortSignal,
  ): AsyncGenerator<DocumentState, void, void> {
    const ranges = new SpreadRanges(parts);
    const steps = new Steps(signal);
    using work = beginSearch(view);
    for await (const pointers of view.pointers()) {
      const wanted: DocumentPointer[] = [];
      for (const each of pointers) {
        if (ranges.indexOf(spreadHash(each.key)) >= 0) wanted.push(each);
        if (steps.isDue) await steps.rest();
      }
      for await (const { key, pointer, line } of linesOf(view, wanted)) {
        yield [key, pointer.rev, documentDigest(key, pointer.rev, dataOfLine(line))];
      }
      work.add(pointers.length);
    }
  }
}

/** Says at the collection how far a pass is, to be disposed of at its end. */
function beginSearch({ collection, stats }: CollectionView): Work {
  return collection.works.begin({ kind: 'search', documentsExpected: stats.count });
}

async function* linesOf(
  view: CollectionView,
  pointers: readonly DocumentPointer[],
): AsyncGenerator<DocumentPointer & { readonly line: string }, void, void> {
  let i = 0;
  for await (const { line } of view.lines(pointers)) {
    const found = pointers[i++];
    if (found) yield { ...found, line };
  }
}
