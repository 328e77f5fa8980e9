import type { Store } from '../storage/store.ts';
import type { CollectionCopies } from './collection-copy.ts';
import type { Collection } from './collection.ts';
import type { CollectionView, DocumentPointer } from './collection-view.ts';
import { type LiveDocument, Steps, liveDocuments } from './live-documents.ts';
import { dataOfLine } from './stored-document.ts';

export interface CloneDeps {
  readonly store: Store;
  readonly copies: CollectionCopies;
}

/** Size of the commits, in characters of documents. */
const SLICE_LENGTH = 1024 * 1024;

/**
 * Puts documents of a collection, as of one moment, into a copy in the making: in the order in which they were
 * written, as fast as a collection can be read. Nothing may be in the copy of the keys that are put into it.
 *
 * @param accepts which keys; all when absent
 * @returns how many documents it were
 * @throws ServiceError collectionNotFound, storageDamaged; the reason of `signal`
 */
export async function cloneDocuments(
  { store, copies }: CloneDeps,
  view: CollectionView,
  copy: Collection,
  signal: AbortSignal,
  accepts?: (key: string) => boolean,
): Promise<number> {
  let count = 0;
  let slice: LiveDocument[] = [];
  let length = 0;
  const flush = async (): Promise<void> => {
    signal.throwIfAborted();
    await appendDocuments(copies, copy, slice);
    count += slice.length;
    slice = [];
    length = 0;
  };
  for await (const documents of liveDocuments(store, view, new Steps(signal), accepts)) {
    for (const document of documents) {
      slice.push(document);
      length += document.data.length;
    }
    if (length >= SLICE_LENGTH) await flush();
  }
  if (slice.length > 0) await flush();
  return count;
}

/** As `cloneDocuments`, of a few documents by their pointers. */
export async function clonePointers(
  copies: CollectionCopies,
  view: CollectionView,
  copy: Collection,
  pointers: readonly DocumentPointer[],
): Promise<void> {
  let slice: LiveDocument[] = [];
  let length = 0;
  let i = 0;
  for await (const { key, line } of view.lines(pointers)) {
    const document = { key, rev: pointers[i++]?.pointer.rev ?? '', data: dataOfLine(line) };
    slice.push(document);
    length += document.data.length;
    if (length < SLICE_LENGTH) continue;
    await appendDocuments(copies, copy, slice);
    slice = [];
    length = 0;
  }
  if (slice.length > 0) await appendDocuments(copies, copy, slice);
}

async function appendDocuments(
  copies: CollectionCopies,
  copy: Collection,
  documents: readonly LiveDocument[],
): Promise<void> {
  await copies.append(
    copy,
    (writer) => {
      for (const { key, rev, data } of documents) writer.upsert(key, rev, data);
    },
    () => undefined,
  );
}
