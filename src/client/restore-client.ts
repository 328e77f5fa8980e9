import { importPieces } from './import-pieces.ts';
import type { DocumentEntry, DumpEntry, RemovalEntry } from './log-entry.ts';
import type { RequestOptions, Scope } from './scope.ts';

/** A collection to be made, as inventories and backups describe it; what is not said has its default. */
export interface RestoredCollection {
  readonly parameters: { readonly name: string } & object;
  /** Each with its `id`. */
  readonly indexes?: readonly object[] | undefined;
}

/** A line to be taken in: one of a dump will do. */
export type RestoredEntry =
  | DumpEntry
  | Pick<DocumentEntry, 'type' | 'key' | 'rev' | 'data'>
  | Pick<RemovalEntry, 'type' | 'key' | 'rev'>;

export interface RestoreCollectionOptions extends RequestOptions {
  /** Whether one of the name that is there is replaced, at one moment; false by default. */
  readonly overwrite?: boolean | undefined;
  /** Whether it gets the id that it is described with; false by default. */
  readonly recycleIds?: boolean | undefined;
}

export interface RestoreIndexesOptions extends RequestOptions {
  /** Whether indexes that cannot be made are passed over; false by default. */
  readonly force?: boolean | undefined;
}

export interface RestoreDataOptions extends RequestOptions {
  /** Whether documents keep the revisions that they come with; false by default. */
  readonly recycleIds?: boolean | undefined;
}

const BASE = '/_api/replication';

/** Takes in dumps and backups (contract 4). All of it is logged. */
export class RestoreClient {
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }) {
    this.#scope = deps.scope;
  }

  /** Makes a collection, without indexes. @throws TicklogError duplicateName (1207) */
  async collection(
    collection: RestoredCollection,
    options: RestoreCollectionOptions = {},
  ): Promise<void> {
    await this.#describe('restore-collection', collection, options);
  }

  /** Makes the indexes of a collection that is there. @throws TicklogError collectionNotFound (1203) */
  async indexes(
    collection: RestoredCollection,
    options: RestoreIndexesOptions = {},
  ): Promise<void> {
    await this.#describe('restore-indexes', collection, options);
  }

  /**
   * Puts documents into a collection, and takes out what was removed: in this order, whatever is there. They
   * are sent while they are made and not held in memory. Up to 16 MiB are stored whole or not at all; of
   * more, what came before a failure may stay.
   *
   * @throws TicklogError as requests do; what the source throws
   */
  async data(
    collection: string,
    entries: Iterable<RestoredEntry> | AsyncIterable<RestoredEntry>,
    options: RestoreDataOptions = {},
  ): Promise<void> {
    const { signal, recycleIds } = options;
    const source = importPieces(withoutTicks(entries));
    try {
      await this.#scope.json('PUT', `${BASE}/restore-data`, {
        query: { collection, recycleIds },
        pieces: source.pieces,
        signal,
        extraMs: Infinity,
      });
    } catch (error) {
      // The request fails of it, too, and says less.
      throw source.failure === undefined ? error : source.failure.error;
    }
  }

  async #describe(
    command: string,
    { parameters, indexes = [] }: RestoredCollection,
    options: RestoreCollectionOptions & RestoreIndexesOptions,
  ): Promise<void> {
    const { signal, ...query } = options;
    const body = { parameters, indexes };
    // A collection that is replaced, and indexes over many documents, take their time.
    await this.#scope.json('PUT', `${BASE}/${command}`, { query, body, signal, extraMs: Infinity });
  }
}

/** Ticks are of the log that the lines come from. */
async function* withoutTicks(
  entries: Iterable<RestoredEntry> | AsyncIterable<RestoredEntry>,
): AsyncGenerator<object, void, void> {
  for await (const entry of entries) yield { ...entry, tick: undefined };
}
