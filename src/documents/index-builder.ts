import type { IndexDefinition } from '../model/collection.ts';
import type { Tick } from '../model/tick.ts';
import { Space } from '../storage/keys.ts';
import type { Block } from '../storage/block.ts';
import { readBlocksInPieces } from '../storage/block-reader.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import { CapList } from './cap-list.ts';
import type { Work } from './collection-works.ts';
import { type IndexedDocument, SecondaryIndex } from './secondary-index.ts';
import { dataOfLine } from './stored-document.ts';

const ENTRIES_PER_STEP = 1000;

/** A document that is to be put into an index. */
export interface IndexEntry {
  /** Tick of its live entry. */
  readonly tick: Tick;
  readonly key: string;
  /** Length of its text. */
  readonly bytes: number;
  readonly document: IndexedDocument;
}

/** What can be filled with the documents that exist. */
export interface FillableIndex {
  /** @throws ServiceError uniqueConstraintViolated */
  fill(tx: WriteTx, entry: IndexEntry): void;
}

/** The entries behind a definition; undefined for one that is only kept. */
export function fillableIndex(
  number: number,
  definition: IndexDefinition,
): FillableIndex | undefined {
  return SecondaryIndex.from(number, definition) ?? CapList.from(number, definition);
}

/**
 * Puts the documents that exist into an index, in the order of ticks and in bounded steps. Writers
 * already keep the index up to date while this runs, so only entries that are still live when
 * their step runs are added.
 *
 * @param work is told of the documents that are added
 * @throws ServiceError uniqueConstraintViolated; the caller takes the index away.
 */
export async function fillIndex(
  store: Store,
  collection: Collection,
  index: FillableIndex,
  { work, signal }: { readonly work: Work; readonly signal: AbortSignal },
): Promise<void> {
  const { number } = collection;
  const range = { space: Space.journal, number, from: 0n, to: store.lastCommitted } as const;
  for await (const block of readBlocksInPieces(store.level, range)) {
    for (let i = 0; i < block.count; i += ENTRIES_PER_STEP) {
      signal.throwIfAborted();
      const end = Math.min(block.count, i + ENTRIES_PER_STEP);
      const added = await store.commit((tx) => {
        collection.assertAlive();
        let count = 0;
        for (let entry = i; entry < end; entry++)
          if (indexEntry(tx, collection, index, block, entry)) count++;
        return count;
      });
      work.add(added);
    }
  }
}

/** Returns whether it is that of a document as it is now. */
function indexEntry(
  tx: WriteTx,
  collection: Collection,
  index: FillableIndex,
  block: Block,
  i: number,
): boolean {
  const line = block.lineText(i);
  if (!line.includes(',"data":')) return false;
  const data = dataOfLine(line);
  const document = JSON.parse(data) as IndexedDocument;
  const key = document['_key'];
  if (typeof key !== 'string') return false;
  const tick = block.tick(i);
  const pointer = tx.pointer(collection.primaryPrefix + key);
  if (pointer?.tick !== tick) return false;
  index.fill(tx, { tick, key, bytes: Buffer.byteLength(data), document });
  return true;
}
