import type { Stored } from './document-types.ts';
import type { RequestOptions, Scope } from './scope.ts';

/** A stretch of a list of keys. */
export interface KeyChunk {
  /** Its first key. */
  readonly low: string;
  /** Its last key. */
  readonly high: string;
  /** Equal where the keys and their revisions are. */
  readonly hash: string;
}

export interface ChunkOptions extends RequestOptions {
  /** Keys in each chunk but the last, 100 to 20,000; 5000 by default. */
  readonly chunkSize?: number | undefined;
}

const PATH = '/_api/replication/keys';

/**
 * The keys of a collection and their revisions as of one moment, in the order of the keys' bytes
 * (contract 3.5). The server keeps it for 300 seconds after it was used last: methods then reject with
 * cursorNotFound (1600).
 */
export class KeyList<T extends object> implements AsyncDisposable {
  readonly id: string;
  /** How many keys there are. */
  readonly count: number;
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }, options: { readonly id: string; readonly count: number }) {
    this.#scope = deps.scope;
    this.id = options.id;
    this.count = options.count;
  }

  /** Goes through the whole list. */
  chunks({ signal, ...query }: ChunkOptions = {}): Promise<readonly KeyChunk[]> {
    return this.#scope.json('GET', this.#path(), { query, signal, extraMs: Infinity });
  }

  /**
   * Keys and revisions of a chunk.
   * @param chunk the first is 0
   */
  keys(
    chunk: number,
    { signal, chunkSize }: ChunkOptions = {},
  ): Promise<readonly (readonly [key: string, rev: string])[]> {
    const query = { type: 'keys', chunk, chunkSize };
    return this.#scope.json('PUT', this.#path(), { query, signal, extraMs: Infinity });
  }

  /**
   * Documents of a chunk, in the order of their positions.
   * @param chunk the first is 0
   * @param positions in the chunk; the first is 0
   */
  documents(
    chunk: number,
    positions: readonly number[],
    { signal, chunkSize }: ChunkOptions = {},
  ): Promise<readonly Stored<T>[]> {
    const query = { type: 'docs', chunk, chunkSize };
    return this.#scope.json('PUT', this.#path(), {
      query,
      body: positions,
      signal,
      extraMs: Infinity,
    });
  }

  /** Lets the server forget it. @throws TicklogError cursorNotFound (1600) when it has already */
  async close(options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('DELETE', this.#path(), options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #path(): string {
    return `${PATH}/${encodeURIComponent(this.id)}`;
  }
}

/** See `CollectionAdmin.keyList`. */
export async function openKeyList<T extends object>(
  scope: Scope,
  collection: string,
  options: RequestOptions,
): Promise<KeyList<T>> {
  const call = { ...options, query: { collection }, extraMs: Infinity };
  const opened = await scope.json<{ id: string; count: number }>('POST', PATH, call);
  return new KeyList<T>({ scope }, opened);
}
