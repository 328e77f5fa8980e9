import type { Clock } from '../base/clock.ts';
import type { Collection } from '../documents/collection.ts';
import { CollectionView, type DocumentPointer } from '../documents/collection-view.ts';
import type { Database } from '../documents/database.ts';
import { dataOfLine, withId } from '../documents/stored-document.ts';
import { type DocumentState, type PartSum, ViewProofs } from '../documents/view-proof.ts';
import { ServiceError } from '../model/errors.ts';
import { isValidKey } from '../model/names.ts';
import { ChunkHash } from '../protocol/key-hash.ts';
import type { SpreadRange } from '../protocol/key-spread.ts';
import type { Store } from '../storage/store.ts';
import { Leases } from './leases.ts';

/** One stretch of a list of keys (contract 3.5). */
export interface KeyChunk {
  readonly low: string;
  readonly high: string;
  readonly hash: string;
}

/** Which stretch: the first is 0, and all but the last have `chunkSize` keys. */
export interface ChunkWanted {
  readonly chunk: number;
  readonly chunkSize: number;
}

interface KeyList {
  readonly view: CollectionView;
  /** First keys of the chunks of this size, once someone has gone through them. */
  lows?: { readonly chunkSize: number; readonly keys: readonly string[] };
}

const TTL_MS = 300_000;

/**
 * Lists of keys and revisions as of one moment, by which a follower finds what differs (contract 3.5).
 * What they list is read from a view of the collection, piece by piece. A list ends when it is removed, when
 * its collection is dropped, or when nobody has used it for 300 seconds; what is being read then is read to the end.
 */
export class KeyLists {
  readonly #store: Store;
  readonly #proofs: ViewProofs;
  readonly #open: Leases<KeyList>;

  /**
   * @param options.max open lists of all databases together: for each, whoever changes a document keeps what was
   *   there before
   */
  constructor(deps: { store: Store; clock: Clock }, options: { max: number }) {
    this.#store = deps.store;
    this.#proofs = new ViewProofs(deps);
    this.#open = new Leases<KeyList>(deps, {
      max: options.max,
      what: 'lists of keys',
      onEnd: ({ view }) => {
        view.close();
      },
    });
  }

  /**
   * Opens the list of a collection as it is now. Its id is never given twice.
   * @throws ServiceError resourceLimit (32) when too many are open; collectionNotFound, storageFailed
   */
  async create(database: Database, collection: Collection): Promise<{ id: string; count: number }> {
    this.#open.assertRoom();
    const view = await CollectionView.open(this.#store, collection);
    try {
      // Others may have opened theirs meanwhile.
      this.#open.assertRoom();
    } catch (error) {
      view.close();
      throw error;
    }
    const id = view.tick.toString();
    this.#open.add(database, id, TTL_MS, { view });
    return { id, count: view.stats.count };
  }

  /** The chunks, in the order of keys. @throws ServiceError cursorNotFound (1600) */
  async *chunks(
    database: Database,
    id: string,
    chunkSize: number,
  ): AsyncGenerator<KeyChunk, void, void> {
    const list = this.#find(database, id);
    const lows: string[] = [];
    let chunk: { low: string; high: string; size: number; hash: ChunkHash } | undefined;
    for await (const pointers of pointersOf(list)) {
      for (const { key, pointer } of pointers) {
        if (!chunk) {
          chunk = { low: key, high: key, size: 0, hash: new ChunkHash() };
          lows.push(key);
        }
        chunk.high = key;
        chunk.hash.add(key, pointer.rev);
        if (++chunk.size < chunkSize) continue;
        yield { low: chunk.low, high: key, hash: chunk.hash.toString() };
        chunk = undefined;
      }
    }
    list.lows = { chunkSize, keys: lows };
    if (chunk) yield { low: chunk.low, high: chunk.high, hash: chunk.hash.toString() };
  }

  /**
   * Keys and revisions of one chunk.
   * @throws ServiceError cursorNotFound (1600), badParameter (10) when there is no such chunk
   */
  async keys(
    database: Database,
    id: string,
    wanted: ChunkWanted,
  ): Promise<readonly (readonly [key: string, rev: string])[]> {
    const pointers = await this.#chunk(this.#find(database, id), wanted);
    return pointers.map(({ key, pointer }) => [key, pointer.rev] as const);
  }

  /**
   * Documents of one chunk as JSON texts, in the order in which they are asked for, read one by one.
   *
   * @param positions within the chunk, from 0 on
   * @throws ServiceError cursorNotFound (1600), badParameter (10) when there is no such chunk or
   *   position; storageDamaged while the texts are read
   */
  async documents(
    database: Database,
    id: string,
    wanted: ChunkWanted,
    positions: readonly number[],
  ): Promise<AsyncIterable<string>> {
    const list = this.#find(database, id);
    const pointers = await this.#chunk(list, wanted);
    const chosen = positions.map((position) => {
      const found = pointers[position];
      if (!found) throw new ServiceError('badParameter');
      return found;
    });
    return textsOf(list, chosen);
  }

  /** Whose keys a list has. @throws ServiceError cursorNotFound (1600) */
  collection(database: Database, id: string): Collection {
    return this.#find(database, id).view.collection;
  }

  /**
   * How many documents each part of the keys has, and the sum of their digests.
   * @param parts in rising order, apart from one another
   * @throws ServiceError cursorNotFound (1600), storageDamaged; the reason of `signal`
   */
  async sums(
    database: Database,
    id: string,
    parts: readonly SpreadRange[],
    signal: AbortSignal,
  ): Promise<readonly PartSum[]> {
    const list = this.#find(database, id);
    try {
      return await list.view.whileOpen(() => this.#proofs.sums(list.view, parts, signal));
    } catch (error) {
      throw reasonOf(list, error);
    }
  }

  /**
   * Key, revision and digest of each document of some parts of the keys, in the byte order of keys.
   * @throws ServiceError as `sums`
   */
  async *states(
    database: Database,
    id: string,
    parts: readonly SpreadRange[],
    signal: AbortSignal,
  ): AsyncGenerator<DocumentState, void, void> {
    const list = this.#find(database, id);
    try {
      yield* this.#proofs.states(list.view, parts, signal);
    } catch (error) {
      throw reasonOf(list, error);
    }
  }

  /**
   * Documents by their keys as JSON texts, in the order in which they are asked for; `null` for what is
   * not in the list.
   * @throws ServiceError cursorNotFound (1600); storageDamaged while the texts are read
   */
  async *documentsOf(
    database: Database,
    id: string,
    keys: readonly string[],
  ): AsyncGenerator<string, void, void> {
    const list = this.#find(database, id);
    for (const key of keys) {
      assertOpen(list);
      const pointer = isValidKey(key) ? list.view.pointer(key) : undefined;
      if (pointer) yield* textsOf(list, [{ key, pointer }]);
      else yield 'null';
    }
  }

  /** Ends a list. @throws ServiceError cursorNotFound (1600) */
  remove(database: Database, id: string): void {
    if (!this.#open.remove(database, id)) throw new ServiceError('cursorNotFound');
  }

  /** Ends all lists. */
  close(): void {
    this.#open.close();
  }

  /** Use prolongs it. */
  #find(database: Database, id: string): KeyList {
    const list = this.#open.extend(database, id, TTL_MS);
    if (!list || list.view.collection.dropped) throw new ServiceError('cursorNotFound');
    return list;
  }

  async #chunk(list: KeyList, { chunk, chunkSize }: ChunkWanted): Promise<DocumentPointer[]> {
    const known = list.lows?.chunkSize === chunkSize ? list.lows.keys : undefined;
    const low = known?.[chunk];
    if (known && low === undefined) throw new ServiceError('badParameter');
    let skip = known ? 0 : chunk * chunkSize;
    const found: DocumentPointer[] = [];
    for await (const pointers of pointersOf(list, low)) {
      const start = Math.min(skip, pointers.length);
      skip -= start;
      found.push(...pointers.slice(start, start + chunkSize - found.length));
      if (found.length === chunkSize) break;
    }
    if (found.length === 0) throw new ServiceError('badParameter');
    return found;
  }
}

async function* pointersOf(
  list: KeyList,
  low?: string,
): AsyncGenerator<readonly DocumentPointer[], void, void> {
  assertOpen(list);
  try {
    yield* list.view.pointers(low);
  } catch (error) {
    throw reasonOf(list, error);
  }
}

async function* textsOf(
  list: KeyList,
  chosen: readonly DocumentPointer[],
): AsyncGenerator<string, void, void> {
  assertOpen(list);
  const { name } = list.view.collection;
  try {
    for await (const { key, line } of list.view.lines(chosen)) {
      yield withId(name, key, dataOfLine(line));
    }
  } catch (error) {
    throw reasonOf(list, error);
  }
}

/** A list that has ended between two steps of a request is unknown, as it is to the next request. */
function assertOpen({ view }: KeyList): void {
  if (view.closed) throw new ServiceError('cursorNotFound');
}

/** What is to be said of a failure: with its collection a list is gone. */
function reasonOf({ view }: KeyList, error: unknown): unknown {
  return view.collection.dropped ? new ServiceError('cursorNotFound') : error;
}
