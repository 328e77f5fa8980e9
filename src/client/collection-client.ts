import { isTicklogError } from './client-error.ts';
import { CollectionAdmin } from './collection-admin.ts';
import type {
  DocumentRef,
  ImportOptions,
  ImportResult,
  InsertManyOptions,
  InsertOptions,
  NewDocument,
  ReadOptions,
  Rejected,
  RemoveManyOptions,
  RemoveOptions,
  ReplaceManyOptions,
  ReplaceOptions,
  Stored,
  UpdateManyOptions,
  UpdateOptions,
  Written,
} from './document-types.ts';
import { importPieces } from './import-pieces.ts';
import { type KeyList, openKeyList } from './key-list.ts';
import type { RequestOptions, Scope, ScopedCall } from './scope.ts';

/** One for each document of a request. */
type Results<T> = readonly (Written<T> | Rejected)[];

/**
 * A collection and its documents (contract 9.3, 9.5).
 * @typeParam T what the application keeps in a document; nothing checks it
 */
export class CollectionClient<T extends object = Record<string, unknown>> extends CollectionAdmin {
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }, name: string) {
    super(deps, name);
    this.#scope = deps.scope;
  }

  /** @throws TicklogError uniqueConstraintViolated (1210) when the key exists */
  insert(document: NewDocument<T>, options: InsertOptions = {}): Promise<Written<T>> {
    return this.#scope.result('POST', this.#path(), writeCall(options, document));
  }

  /** The document. @throws TicklogError documentNotFound (1202), conflict (1200) */
  get(key: string, options: ReadOptions = {}): Promise<Stored<T>> {
    return this.#scope.json('GET', this.#path(key), writeCall(options));
  }

  /** The document, undefined when there is none. */
  async find(key: string, options: RequestOptions = {}): Promise<Stored<T> | undefined> {
    try {
      return await this.get(key, options);
    } catch (error) {
      if (isTicklogError(error, 'documentNotFound')) return undefined;
      throw error;
    }
  }

  /** @throws TicklogError documentNotFound (1202), conflict (1200) */
  replace(key: string, document: T, options: ReplaceOptions = {}): Promise<Written<T>> {
    return this.#scope.result('PUT', this.#path(key), writeCall(options, document));
  }

  /** Changes what `changes` names. @throws TicklogError documentNotFound (1202), conflict (1200) */
  update(key: string, changes: Partial<T>, options: UpdateOptions = {}): Promise<Written<T>> {
    return this.#scope.result('PATCH', this.#path(key), writeCall(options, changes));
  }

  /** @throws TicklogError documentNotFound (1202), conflict (1200) */
  remove(key: string, options: RemoveOptions = {}): Promise<Written<T>> {
    return this.#scope.result('DELETE', this.#path(key), writeCall(options));
  }

  /**
   * Each document for itself, in one request. Resolves with as many results in the same order; see
   * `isRejected`.
   */
  insertMany(
    documents: readonly NewDocument<T>[],
    options: InsertManyOptions = {},
  ): Promise<Results<T>> {
    return this.#scope.json('POST', this.#path(), writeCall(options, documents));
  }

  /** As `insertMany`, for documents with a `_key` that are there. */
  replaceMany(
    documents: readonly (T & { readonly _key: string })[],
    options: ReplaceManyOptions = {},
  ): Promise<Results<T>> {
    return this.#scope.json('PUT', this.#path(), writeCall(options, documents));
  }

  /** As `insertMany`, for changes with the `_key` of their document. */
  updateMany(
    changes: readonly (Partial<T> & { readonly _key: string })[],
    options: UpdateManyOptions = {},
  ): Promise<Results<T>> {
    return this.#scope.json('PATCH', this.#path(), writeCall(options, changes));
  }

  /** As `insertMany`, for keys, or documents as they were read. */
  removeMany(
    documents: readonly (string | (Partial<DocumentRef> & { readonly _key: string }))[],
    options: RemoveManyOptions = {},
  ): Promise<Results<T>> {
    return this.#scope.json('DELETE', this.#path(), writeCall(options, documents));
  }

  /**
   * Sends documents while they are made, as many as there are; they are not held in memory. Without
   * `complete`, each is for itself, and what was sent before a failure stays.
   * @throws TicklogError as requests do; what the source throws
   */
  async import(
    documents: Iterable<NewDocument<T>> | AsyncIterable<NewDocument<T>>,
    options: ImportOptions = {},
  ): Promise<ImportResult> {
    const { signal, ...settings } = options;
    const source = importPieces(documents);
    try {
      return await this.#scope.result<ImportResult>('POST', '/_api/import', {
        query: { ...settings, collection: this.name, type: 'documents' },
        pieces: source.pieces,
        signal,
        extraMs: Infinity,
      });
    } catch (error) {
      // The request fails of it, too, and says less.
      throw source.failure === undefined ? error : source.failure.error;
    }
  }

  /**
   * Its keys and their revisions as they are now, to find what differs elsewhere (contract 3.5). Close it when
   * it is no longer needed: until then the server keeps what is cleared away otherwise.
   *
   * @throws TicklogError resourceLimit (32) when too many are open
   */
  keyList(options: RequestOptions = {}): Promise<KeyList<T>> {
    return openKeyList<T>(this.#scope, this.name, options);
  }

  #path(key?: string): string {
    const path = `/_api/document/${encodeURIComponent(this.name)}`;
    return key === undefined ? path : `${path}/${encodeURIComponent(key)}`;
  }
}

/** All options but those that are no parameter go into the query under their names. */
function writeCall(
  options: RequestOptions & { readonly ifMatch?: string | undefined } & object,
  body?: unknown,
): ScopedCall {
  const { signal, ifMatch, ...query } = options;
  return {
    query,
    signal,
    ...(body === undefined ? {} : { body }),
    ...(ifMatch === undefined ? {} : { headers: { 'if-match': `"${ifMatch}"` } }),
  };
}
