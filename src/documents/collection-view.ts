import { assert } from '../base/assert.ts';
import type { Tick } from '../model/tick.ts';
import { readAll } from '../storage/close-iterator.ts';
import {
  type KeyRange,
  Space,
  numberRange,
  prefixRange,
  primaryKey,
  primaryKeyDocument,
  viewKey,
  viewKeyDocument,
  viewPrefix,
} from '../storage/keys.ts';
import { type Pointer, decodePointer } from '../storage/pointer.ts';
import type { Store } from '../storage/store.ts';
import { findStoredLine } from '../storage/stored-line.ts';
import type { Collection } from './collection.ts';
import type { CollectionStats } from './collection-stats.ts';
import type { OpenView } from './open-views.ts';

/** A document as the primary space has it, or had it. */
export interface DocumentPointer {
  readonly key: string;
  readonly pointer: Pointer;
}

const POINTERS_PER_READ = 1000;
const READ_AHEAD_BYTES = 1024 * 1024;
/** Sorts behind a key and before all keys that are longer or larger: no key has this character. */
const NEXT = '\0';

/**
 * A collection as of one tick, for readers that take long or come back; must be closed.
 *
 * No state of the store is held for it (docs/ARCHITECTURE.md). What was live at the tick and still is has a
 * pointer that is no younger; of everything else the one who changed it has kept the pointer of then, in the
 * same batch. So a pointer is read first where it is now, and where that is gone or too young, from what is
 * kept: if there is nothing, there was no document. Compaction leaves the entries in the journal.
 */
export class CollectionView {
  readonly collection: Collection;
  /** The figures as of the tick. */
  readonly stats: CollectionStats;
  readonly #store: Store;
  readonly #open: OpenView;
  readonly #number: number;
  #readers = 0;
  #closed = false;

  private constructor(
    deps: { store: Store; collection: Collection },
    options: { open: OpenView; stats: CollectionStats },
  ) {
    this.#store = deps.store;
    this.collection = deps.collection;
    this.#number = deps.collection.number;
    this.#open = options.open;
    this.stats = options.stats;
  }

  /**
   * Opens a view as of now: of what everything asked for before has written, and nothing after.
   * @throws ServiceError collectionNotFound; storageFailed when nothing can be written any more
   */
  static async open(store: Store, collection: Collection): Promise<CollectionView> {
    let open: OpenView | undefined;
    try {
      return await store.commit((tx) => {
        collection.assertAlive();
        const tick = tx.drawTick();
        open = { tick, prefix: viewPrefix(tick), touched: false };
        // At once: the next request of the queue may be in the same batch.
        collection.views.add(open);
        return new CollectionView({ store, collection }, { open, stats: collection.readStats(tx) });
      });
    } catch (error) {
      if (open) collection.views.delete(open);
      throw error;
    }
  }

  /** All that was committed up to here, and nothing after it, is seen. No other view ever has it. */
  get tick(): Tick {
    return this.#open.tick;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The pointer to the entry that was live; its distance may be out of date. */
  pointer(key: string): Pointer | undefined {
    const { level } = this.#store;
    const now = level.getSync(primaryKey(this.#number, key));
    const pointer = now && decodePointer(now);
    if (pointer && pointer.tick <= this.tick) return pointer;
    if (!this.#open.touched) return undefined;
    const kept = level.getSync(viewKey(this.tick, key));
    return kept && decodePointer(kept);
  }

  /**
   * The documents in the byte order of their keys, in pieces. A view that is closed meanwhile is read to the end.
   * @param from the first key wanted; all when absent
   * @throws ServiceError collectionNotFound when the collection is dropped meanwhile
   */
  async *pointers(from = ''): AsyncGenerator<readonly DocumentPointer[], void, void> {
    const release = this.#hold();
    try {
      for (let next: string | undefined = from; next !== undefined;) {
        const group = await this.#readGroup(next);
        this.collection.assertAlive();
        if (group.documents.length > 0) yield group.documents;
        next = group.next;
      }
    } finally {
      release();
    }
  }

  /**
   * The lines that pointers of this view lead to, in their order, without newlines.
   * @throws ServiceError storageDamaged; collectionNotFound as `pointers`
   */
  async *lines(
    documents: Iterable<DocumentPointer>,
  ): AsyncGenerator<{ key: string; line: string }, void, void> {
    const release = this.#hold();
    try {
      for (const { key, pointer } of documents) yield { key, line: await this.#readLine(pointer) };
    } finally {
      release();
    }
  }

  /** Runs something that reads pointers of this view: one that is closed meanwhile ends when it is through. */
  async whileOpen<T>(read: () => Promise<T>): Promise<T> {
    const release = this.#hold();
    try {
      return await read();
    } finally {
      release();
    }
  }

  /** Ends the view, once those who read from it have finished. What was kept for it is erased in the background. */
  close(): void {
    this.#closed = true;
    this.#endUnlessRead();
  }

  #hold(): () => void {
    assert(!this.#closed, 'a view is read before it is closed');
    this.#readers++;
    return () => {
      this.#readers--;
      this.#endUnlessRead();
    };
  }

  #endUnlessRead(): void {
    if (!this.#closed || this.#readers > 0) return;
    if (!this.collection.views.delete(this.#open)) return;
    if (this.#open.touched) this.#store.eraser.eraseSoon(rangeOf(this.#open));
  }

  async #readLine(pointer: Pointer): Promise<string> {
    try {
      return await findStoredLine(this.#store.level, this.#number, pointer);
    } catch (error) {
      this.collection.assertAlive();
      throw error;
    }
  }

  /**
   * A bounded number of documents from a key on. The pointers of now are read before those that are kept: what
   * changes in between is among these.
   */
  async #readGroup(
    from: string,
  ): Promise<{ documents: readonly DocumentPointer[]; next: string | undefined }> {
    const { end } = numberRange(Space.primary, this.#number);
    const now = await this.#read(
      { start: primaryKey(this.#number, from), end },
      primaryKeyDocument,
    );
    let last = lastIfFull(now);
    const kept = this.#open.touched ? await this.#readKept(from, last) : [];
    last = lastIfFull(kept) ?? last;
    const found = new Map<string, DocumentPointer>();
    for (const each of now) if (each.pointer.tick <= this.tick) found.set(each.key, each);
    for (const each of kept) found.set(each.key, each);
    const documents = [...found.values()];
    if (kept.length > 0) documents.sort((a, b) => (a.key < b.key ? -1 : 1));
    if (last === undefined) return { documents, next: undefined };
    const bound = last;
    return { documents: documents.filter(({ key }) => key <= bound), next: bound + NEXT };
  }

  /** @param last the last key wanted; all when absent */
  #readKept(from: string, last: string | undefined): Promise<DocumentPointer[]> {
    const start = viewKey(this.tick, from);
    const end = last === undefined ? rangeOf(this.#open).end : viewKey(this.tick, last + NEXT);
    return this.#read({ start, end }, viewKeyDocument);
  }

  async #read(
    { start, end }: KeyRange,
    documentOf: (key: Buffer) => string,
  ): Promise<DocumentPointer[]> {
    const options = { gte: start, lt: end, highWaterMarkBytes: READ_AHEAD_BYTES };
    const entries = await readAll(this.#store.level.iterator(options), POINTERS_PER_READ);
    return entries.map(([key, value]) => ({ key: documentOf(key), pointer: decodePointer(value) }));
  }
}

/** Erases what views that were open at the end of an earlier run have left behind. Comes before the first view. */
export async function eraseLeftViews(store: Store): Promise<void> {
  const { start, end } = prefixRange(Buffer.from([Space.view]));
  const [left] = await store.level.keys({ gte: start, lt: end, limit: 1 }).all();
  if (!left) return;
  // Not beyond this tick: views are opened while it is done.
  await store.commit((tx) => {
    store.eraser.erase(tx, { start, end: viewKey(tx.drawTick(), '') });
  });
}

function rangeOf({ prefix }: OpenView): KeyRange {
  return prefixRange(Buffer.from(prefix, 'latin1'));
}

/** The last key where there may be more behind it. */
function lastIfFull(documents: readonly DocumentPointer[]): string | undefined {
  return documents.length < POINTERS_PER_READ ? undefined : documents.at(-1)?.key;
}
