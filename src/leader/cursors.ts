import type { Clock } from '../base/clock.ts';
import type { Collection } from '../documents/collection.ts';
import { CollectionView, type DocumentPointer } from '../documents/collection-view.ts';
import type { Database } from '../documents/database.ts';
import { Steps } from '../documents/live-documents.ts';
import { dataOfLine, withId } from '../documents/stored-document.ts';
import { ServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import { type Example, matches } from './example.ts';
import { Leases } from './leases.ts';

/** Which documents of a collection are wanted, in the order of their keys. */
export interface CursorRequest {
  /** undefined for all documents. */
  readonly example: Example | undefined;
  /** So many that would be wanted are passed over. */
  readonly skip: number;
  /** So many at most. */
  readonly limit: number;
  /** Documents in a batch; fewer where they are large. */
  readonly batchSize: number;
  /** How long it may lie unused, in ms. */
  readonly ttlMs: number;
}

/** A part of what was asked for. */
export interface CursorBatch {
  /** Documents as JSON texts. */
  readonly documents: readonly string[];
  /** Set where there is more. */
  readonly id: string | undefined;
  /** How many documents there are in all batches; undefined while that is not known. */
  readonly count: number | undefined;
}

interface Cursor {
  readonly view: CollectionView;
  readonly request: CursorRequest;
  readonly count: number | undefined;
  /** The first key to be looked at. */
  next: string;
  /** Matches still to be passed over, and those given out. */
  toSkip: number;
  given: number;
  /** Ends when the batch in work is read: they are read one after another. */
  turn: Promise<unknown>;
}

/** Open at a time, of all databases together: for each, whoever changes a document keeps what was there. */
const OPEN_MAX = 1000;
/** A batch ends with the document with which it is larger than this, so that no number of documents takes more. */
const BATCH_BYTES = 1024 * 1024;

/**
 * What of a collection is read in batches, as of the moment in which that began. A cursor ends with its last batch, when it is
 * removed, when its collection is dropped, or when nobody has used it for its time.
 */
export class Cursors {
  readonly #store: Store;
  readonly #open: Leases<Cursor>;

  constructor(deps: { store: Store; clock: Clock }) {
    this.#store = deps.store;
    this.#open = new Leases<Cursor>(deps, {
      max: OPEN_MAX,
      what: 'cursors',
      onEnd: ({ view }) => view.close(),
    });
  }

  /**
   * The first batch. The signal ends a search that takes long.
   * @throws ServiceError resourceLimit (32) when too many are open; collectionNotFound, storageFailed, storageDamaged
   */
  async create(
    database: Database,
    collection: Collection,
    request: CursorRequest,
    signal: AbortSignal,
  ): Promise<CursorBatch> {
    this.#open.assertRoom();
    const view = await CollectionView.open(this.#store, collection);
    const { example, skip, limit, ttlMs } = request;
    const whole = Math.min(Math.max(view.stats.count - skip, 0), limit);
    const cursor: Cursor = {
      ...{ view, request, next: '', toSkip: skip, given: 0, turn: Promise.resolve() },
      count: example ? undefined : whole,
    };
    const id = view.tick.toString();
    try {
      const { documents, hasMore } = await view.whileOpen(() => this.#read(cursor, signal));
      if (hasMore) this.#open.assertRoom();
      if (!hasMore) return { documents, id: undefined, count: cursor.given };
      this.#open.add(database, id, ttlMs, cursor);
      return { documents, id, count: cursor.count };
    } finally {
      if (this.#open.find(database, id) !== cursor) view.close();
    }
  }

  /** The next batch of a cursor. @throws ServiceError cursorNotFound (1600), and as `create` */
  async next(database: Database, id: string, signal: AbortSignal): Promise<CursorBatch> {
    const cursor = this.#open.find(database, id);
    if (!cursor) throw notFound(id);
    const batch = cursor.turn.then(async () => {
      if (this.#open.extend(database, id, cursor.request.ttlMs) !== cursor) throw notFound(id);
      const { documents, hasMore } = await cursor.view.whileOpen(() => this.#read(cursor, signal));
      if (!hasMore) this.#open.remove(database, id);
      const count = hasMore ? cursor.count : cursor.given;
      return { documents, id: hasMore ? id : undefined, count };
    });
    // Whoever asked for it is told of its failure.
    cursor.turn = batch.catch(() => undefined);
    return batch;
  }

  /** Ends a cursor. @throws ServiceError cursorNotFound (1600) */
  remove(database: Database, id: string): void {
    if (!this.#open.remove(database, id)) throw notFound(id);
  }

  /** Ends all. */
  close(): void {
    this.#open.close();
  }

  /** A batch, and whether there is a match behind it. */
  async #read(
    cursor: Cursor,
    signal: AbortSignal,
  ): Promise<{ documents: string[]; hasMore: boolean }> {
    const { view, request } = cursor;
    const documents: string[] = [];
    const steps = new Steps(signal);
    let { given, toSkip } = cursor;
    let bytes = 0;
    if (given >= request.limit) return { documents, hasMore: false };
    for await (const pointers of view.pointers(cursor.next)) {
      for (const pointer of pointers) {
        if (steps.isDue) await steps.rest();
        // Without an example nothing of what is passed over need be read.
        if (!request.example && toSkip > 0) {
          toSkip--;
          continue;
        }
        const isFull = documents.length >= request.batchSize || bytes > BATCH_BYTES;
        if (isFull && !request.example) return this.#pause(cursor, pointer, given, documents);
        const text = await matchOf(view, pointer, request.example);
        if (text === undefined) continue;
        if (toSkip > 0) {
          toSkip--;
          continue;
        }
        if (isFull) return this.#pause(cursor, pointer, given, documents);
        documents.push(text);
        bytes += text.length;
        if (++given < request.limit) continue;
        cursor.given = given;
        return { documents, hasMore: false };
      }
    }
    cursor.given = given;
    return { documents, hasMore: false };
  }

  #pause(
    cursor: Cursor,
    { key }: DocumentPointer,
    given: number,
    documents: string[],
  ): { documents: string[]; hasMore: boolean } {
    cursor.next = key;
    cursor.given = given;
    cursor.toSkip = 0;
    return { documents, hasMore: true };
  }
}

/** The text of a document, undefined for one that is not like the example. */
async function matchOf(
  view: CollectionView,
  pointer: DocumentPointer,
  example: Example | undefined,
): Promise<string | undefined> {
  for await (const { key, line } of view.lines([pointer])) {
    const text = withId(view.collection.name, key, dataOfLine(line));
    if (!example || matches(JSON.parse(text) as object, example)) return text;
  }
  return undefined;
}

function notFound(id: string): ServiceError {
  return new ServiceError('cursorNotFound', `cursor '${id}' not found`);
}
