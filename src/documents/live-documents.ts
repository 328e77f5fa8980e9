import { setImmediate as nextTurn } from 'node:timers/promises';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { skipString } from '../protocol/json-scan.ts';
import { memberName } from '../protocol/json-text.ts';
import { readBlocksInPieces } from '../storage/block-reader.ts';
import { Space } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { CollectionView } from './collection-view.ts';
import { dataOfLine } from './stored-document.ts';

/** A document of a view. */
export interface LiveDocument {
  readonly key: string;
  readonly rev: string;
  /** Its text: `_key` and `_rev` first, no `_id`. */
  readonly data: string;
}

/** Other requests are let in at least this often. */
const STEP_MS = 5;
const ENTRIES_PER_LOOK = 32;
const KEY_MEMBER = ',"key":';

/** The clock of a loop that goes over a collection: lets others run when it is time to. */
export class Steps {
  readonly #signal: AbortSignal | undefined;
  #entries = 0;
  #startedAt = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** To be asked after each entry: whether `rest` is to be awaited. */
  get isDue(): boolean {
    return this.#entries++ % ENTRIES_PER_LOOK === 0;
  }

  /** @throws the reason of the signal */
  async rest(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (performance.now() - this.#startedAt < STEP_MS) return;
    await nextTurn();
    this.#startedAt = performance.now();
  }
}

/**
 * Goes once over all documents of a view, in the order of the journal: as fast as a collection can be read.
 *
 * @param accepts which keys are wanted; all when absent
 * @throws ServiceError collectionNotFound when it is dropped meanwhile; storageDamaged; the reason of the
 *   signal of `steps`
 */
export async function* liveDocuments(
  store: Store,
  view: CollectionView,
  steps: Steps,
  accepts?: (key: string) => boolean,
): AsyncGenerator<readonly LiveDocument[], void, void> {
  const { number } = view.collection;
  const range = { space: Space.journal, number, from: 0n, to: view.tick } as const;
  // What is rewritten meanwhile may come again, in other blocks.
  let done: Tick = 0n;
  for await (const block of readBlocksInPieces(store.level, range)) {
    const end = block.firstAbove(view.tick);
    const found: LiveDocument[] = [];
    for (let i = block.firstAbove(done); i < end; i++) {
      if (steps.isDue) await steps.rest();
      if (block.type(i) === MarkerType.remove) continue;
      const line = block.lineText(i);
      const key = keyOfLine(line);
      if (accepts?.(key) === false) continue;
      const pointer = view.pointer(key);
      if (pointer?.tick !== block.tick(i)) continue;
      found.push({ key, rev: pointer.rev, data: dataOfLine(line) });
    }
    if (end > 0 && block.tick(end - 1) > done) done = block.tick(end - 1);
    if (found.length > 0) yield found;
  }
  // What is being erased looks as if it ended early.
  view.collection.assertAlive();
}

/** The key in a journal line. `,"key":` cannot stand inside a string, whose quotes are escaped. */
function keyOfLine(line: string): string {
  const start = line.indexOf(KEY_MEMBER) + KEY_MEMBER.length;
  return memberName(line, start, skipString(line, start));
}
