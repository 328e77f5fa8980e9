import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { dataOfLine, withId } from '../documents/stored-document.ts';
import { ServiceError } from '../model/errors.ts';
import { ChunkHash } from '../protocol/key-hash.ts';
import { type DocumentPointer, StoreSnapshot } from '../storage/snapshot.ts';
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
  readonly collection: Collection;
  readonly snapshot: StoreSnapshot;
  /** First keys of the chunks of this size, once someone has gone through them. */
  lows?: { readonly chunkSize: number; readonly keys: readonly string[] };
}

/** Open lists of all databases together: each keeps an old state of the store from being cleared away. */
const OPEN_MAX = 64;
const TTL_MS = 300_000;

/**
 * Lists of keys and revisions as of one moment, by which a follower finds what differs (contract 3.5).
 * What they list is read from a snapshot of the store, piece by piece. A list ends when it is removed, or
 * when nobody has used it for 300 seconds.
 */
export class KeyLists {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #open: Leases<KeyList>;

  constructor(deps: { store: Store; clock: Clock; logger: Logger }) {
    this.#store = deps.store;
    this.#logger = deps.logger;
    this.#open = new Leases<KeyList>(deps, {
      max: OPEN_MAX,
      what: 'lists of keys',
      onEnd: ({ snapshot }) => {
        this.#close(snapshot);
      },
    });
  }

  /**
   * Opens the list of a collection as it is now.
   * @throws ServiceError resourceLimit (32) when too many are open
   */
  async create(
    database: Database,
    collection: Collection,
    signal: AbortSignal,
  ): Promise<{ id: string; count: number }> {
    this.#open.assertRoom();
    const id = (await this.#store.drawTick()).toString();
    collection.assertAlive();
    const snapshot = new StoreSnapshot(this.#store.level);
    let count = 0;
    try {
      for await (const pointers of snapshot.pointers(collection.number)) {
        signal.throwIfAborted();
        count += pointers.length;
      }
    } catch (error) {
      this.#close(snapshot);
      throw error;
    }
    this.#open.add(database, id, TTL_MS, { collection, snapshot });
    return { id, count };
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
    for await (const pointers of list.snapshot.pointers(list.collection.number)) {
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
  ): Promise<Iterable<string>> {
    const list = this.#find(database, id);
    const pointers = await this.#chunk(list, wanted);
    const chosen = positions.map((position) => {
      const found = pointers[position];
      if (!found) throw new ServiceError('badParameter');
      return found;
    });
    const { collection, snapshot } = list;
    return {
      *[Symbol.iterator]() {
        for (const { key, pointer } of chosen) {
          const line = snapshot.readLine(collection.number, pointer);
          yield withId(collection.name, key, dataOfLine(line));
        }
      },
    };
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
    if (!list || list.collection.dropped) throw new ServiceError('cursorNotFound');
    return list;
  }

  async #chunk(list: KeyList, { chunk, chunkSize }: ChunkWanted): Promise<DocumentPointer[]> {
    const known = list.lows?.chunkSize === chunkSize ? list.lows.keys : undefined;
    const low = known?.[chunk];
    if (known && low === undefined) throw new ServiceError('badParameter');
    let skip = known ? 0 : chunk * chunkSize;
    const found: DocumentPointer[] = [];
    for await (const pointers of list.snapshot.pointers(list.collection.number, low)) {
      const start = Math.min(skip, pointers.length);
      skip -= start;
      found.push(...pointers.slice(start, start + chunkSize - found.length));
      if (found.length === chunkSize) break;
    }
    if (found.length === 0) throw new ServiceError('badParameter');
    return found;
  }

  #close(snapshot: StoreSnapshot): void {
    snapshot.close().catch((error: unknown) => {
      this.#logger.error({ err: error }, 'a snapshot could not be closed');
    });
  }
}
