import { clonePointers, cloneDocuments } from '../documents/collection-clone.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Collection } from '../documents/collection.ts';
import { CollectionView, type DocumentPointer } from '../documents/collection-view.ts';
import { Steps } from '../documents/live-documents.ts';
import { CollectionType } from '../model/collection.ts';
import { MarkerType } from '../model/marker.ts';
import { ChunkHash } from '../protocol/key-hash.ts';
import type { Store } from '../storage/store.ts';
import { DumpPageWriter } from './dump-page-writer.ts';
import type { LeaderKeyChunk, LeaderKeyList } from './leader-key-list.ts';

export interface KeyComparisonDeps {
  readonly store: Store;
  readonly copies: CollectionCopies;
  readonly list: LeaderKeyList;
  /** Begins the copy; asked for when something differs. */
  readonly create: () => Promise<Collection>;
  /** Told of documents that came from the leader. */
  readonly onDocuments: (documents: number, bytes: number) => void;
}

/** Documents asked for at first; then as many as make some bytes. */
const DOCUMENTS_FIRST = 16;
const DOCUMENTS_MAX = 1000;
const REQUEST_BYTES = 4 * 1024 * 1024;
const SLICE_BYTES = 1024 * 1024;
const CHUNK_SIZE_MIN = 100;
const CHUNK_SIZE_MAX = 5000;

/** How many keys a chunk has: of chunks as much is sent as of keys when a handful of them differs. */
export function keysPerChunk(count: number): number {
  return Math.min(CHUNK_SIZE_MAX, Math.max(CHUNK_SIZE_MIN, Math.round(Math.sqrt(count))));
}

/**
 * Compares a collection with a list of keys and revisions of its leader (contract 3.5), and if something differs makes
 * a copy of what the leader has: of documents that are here with the leader's revision, and of those that are fetched.
 * Nothing is held in memory but the chunks' bounds and one chunk.
 *
 * @returns the copy, without indexes; undefined when nothing differs
 * @throws ServiceError as LeaderKeyList, DumpPageWriter and `cloneDocuments`; the reason of `signal`
 */
export async function copyDifferences(
  deps: KeyComparisonDeps,
  collection: Collection,
  signal: AbortSignal,
): Promise<Collection | undefined> {
  const view = await CollectionView.open(deps.store, collection);
  try {
    const chunks = await deps.list.chunks(signal);
    const { differing, hasOthers } = await differingChunks(deps, view, chunks, signal);
    if (differing.size === 0 && !hasOthers) return undefined;
    const copy = await deps.create();
    const copier = new ChunkCopier(deps, view, copy);
    for (const i of differing) {
      const chunk = chunks[i];
      if (chunk) await copier.copy(i, chunk, signal);
    }
    const isInEqualChunk = (key: string): boolean => {
      const i = chunkOf(chunks, key);
      return i >= 0 && !differing.has(i);
    };
    await cloneDocuments(deps, view, copy, signal, isInEqualChunk);
    return copy;
  } finally {
    view.close();
  }
}

/** Which chunks differ, and whether there are documents here that lie in none. */
async function differingChunks(
  { list }: KeyComparisonDeps,
  view: CollectionView,
  chunks: readonly LeaderKeyChunk[],
  signal: AbortSignal,
): Promise<{ differing: ReadonlySet<number>; hasOthers: boolean }> {
  const hashes = chunks.map(() => new ChunkHash());
  const steps = new Steps(signal);
  let hasOthers = false;
  let at = 0;
  for await (const pointers of view.pointers()) {
    for (const { key, pointer } of pointers) {
      while (at < chunks.length && key > (chunks[at]?.high ?? '')) at++;
      const chunk = chunks[at];
      if (!chunk || key < chunk.low) hasOthers = true;
      else hashes[at]?.add(key, pointer.rev);
      if (steps.isDue) await steps.rest();
    }
    await list.touch(signal);
  }
  const differing = chunks.flatMap(({ hash }, i) => (hashes[i]?.toString() === hash ? [] : [i]));
  return { differing: new Set(differing), hasOthers };
}

/** The chunk that a key lies in; -1 for none. */
function chunkOf(chunks: readonly LeaderKeyChunk[], key: string): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((chunks[middle]?.high ?? '') < key) low = middle + 1;
    else high = middle;
  }
  const chunk = chunks[low];
  return chunk && chunk.low <= key ? low : -1;
}

/** Copies chunks that differ: from here what is here, the rest from the leader. */
class ChunkCopier {
  readonly #deps: KeyComparisonDeps;
  readonly #view: CollectionView;
  readonly #copy: Collection;
  #perRequest = DOCUMENTS_FIRST;

  constructor(deps: KeyComparisonDeps, view: CollectionView, copy: Collection) {
    this.#deps = deps;
    this.#view = view;
    this.#copy = copy;
  }

  async copy(index: number, { low, high }: LeaderKeyChunk, signal: AbortSignal): Promise<void> {
    const { list, copies } = this.#deps;
    const wanted = new Map(
      (await list.keys(index, signal)).map(([key, rev], position) => [key, { rev, position }]),
    );
    for await (const pointers of this.#view.pointers(low)) {
      signal.throwIfAborted();
      const same: DocumentPointer[] = [];
      for (const each of pointers) {
        if (each.key > high) break;
        if (wanted.get(each.key)?.rev !== each.pointer.rev) continue;
        wanted.delete(each.key);
        same.push(each);
      }
      if (same.length > 0) await clonePointers(copies, this.#view, this.#copy, same);
      if ((pointers.at(-1)?.key ?? '') > high) break;
    }
    const positions = [...wanted.values()].map(({ position }) => position);
    while (positions.length > 0) {
      await this.#fetch(index, positions.splice(0, this.#perRequest), signal);
    }
  }

  async #fetch(index: number, positions: readonly number[], signal: AbortSignal): Promise<void> {
    const { list, copies, onDocuments } = this.#deps;
    const texts = await list.documents(index, positions, signal);
    const isEdge = this.#copy.type === CollectionType.edge;
    const type = isEdge ? MarkerType.edge : MarkerType.document;
    // Line breaks between the tokens of a document are blanks as well.
    const lines = texts.map((text) => `{"type":${type},"data":${text.replaceAll('\n', ' ')}}\n`);
    const body = Buffer.from(lines.join(''));
    const page = { body, checkMore: false, lastIncluded: 0n, verified: false };
    const writing = new DumpPageWriter(page, this.#copy);
    while (!writing.done) {
      signal.throwIfAborted();
      let largestRevision = 0n;
      await copies.append(
        this.#copy,
        (writer) => {
          ({ largestRevision } = writing.writeSlice(writer, SLICE_BYTES));
        },
        (tx) => {
          if (largestRevision > 0n) tx.observeTick(largestRevision);
        },
      );
    }
    onDocuments(texts.length, body.length);
    const fitting = Math.floor((REQUEST_BYTES * texts.length) / Math.max(1, body.length));
    this.#perRequest = Math.min(DOCUMENTS_MAX, Math.max(1, fitting));
  }
}
