import { Space } from '../storage/keys.ts';
import type { Block } from '../storage/block.ts';
import { readBlocks } from '../storage/block-reader.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { SecondaryIndex } from './secondary-index.ts';
import { documentOfLine } from './stored-document.ts';

const ENTRIES_PER_STEP = 1000;

/**
 * Puts the documents that exist into an index, in the order of ticks and in bounded steps. Writers
 * already keep the index up to date while this runs, so only entries that are still live when
 * their step runs are added.
 *
 * @throws ServiceError uniqueConstraintViolated; the caller takes the index away.
 */
export async function fillIndex(
  store: Store,
  collection: Collection,
  index: SecondaryIndex,
  signal?: AbortSignal,
): Promise<void> {
  const range = { space: Space.journal, number: collection.number, from: 0n } as const;
  for await (const block of readBlocks(store.level, range)) {
    for (let i = 0; i < block.count; i += ENTRIES_PER_STEP) {
      signal?.throwIfAborted();
      const end = Math.min(block.count, i + ENTRIES_PER_STEP);
      await store.commit((tx) => {
        collection.assertAlive();
        for (let entry = i; entry < end; entry++) indexEntry(tx, collection, index, block, entry);
      });
    }
  }
}

function indexEntry(
  tx: WriteTx,
  collection: Collection,
  index: SecondaryIndex,
  block: Block,
  i: number,
): void {
  const line = block.lineText(i);
  if (!line.includes(',"data":')) return;
  const document = documentOfLine(line);
  const key = document['_key'];
  if (typeof key !== 'string') return;
  const pointer = tx.pointer(collection.primaryPrefix + key);
  if (pointer?.tick !== block.tick(i)) return;
  index.check(tx, document, key);
  index.insert(tx, document, key);
}
