import type { Tick } from '../model/tick.ts';
import { isTicklogError } from './client-error.ts';
import type {
  Checksum,
  CollectionChange,
  CollectionFigures,
  CollectionInfo,
  CollectionProperties,
  IndexInfo,
  NewCollection,
  NewIndex,
} from './collection-types.ts';
import type { RequestOptions, Scope } from './scope.ts';

/**
 * A collection as a whole (contract 9.2, 9.4). The object stands for a name: it says nothing of whether
 * there is such a collection. Methods reject as `ServerHttp.send`.
 */
export class CollectionAdmin {
  readonly name: string;
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }, name: string) {
    this.#scope = deps.scope;
    this.name = name;
  }

  /** @throws TicklogError duplicateName (1207), illegalName (1208) */
  create(options: NewCollection & RequestOptions = {}): Promise<CollectionInfo> {
    const { signal, ...wanted } = options;
    const body = { ...wanted, name: this.name };
    return this.#scope.result('POST', '/_api/collection', { body, signal });
  }

  /** @throws TicklogError collectionNotFound (1203) */
  info(options: RequestOptions = {}): Promise<CollectionInfo> {
    return this.#scope.result('GET', this.#path(), options);
  }

  async exists(options: RequestOptions = {}): Promise<boolean> {
    try {
      await this.info(options);
      return true;
    } catch (error) {
      // Of a database that is not there, another error tells.
      if (isTicklogError(error, 'collectionNotFound')) return false;
      throw error;
    }
  }

  /** @param options.isSystem must be true for a collection whose name begins with `_` */
  async drop(options: RequestOptions & { isSystem?: boolean | undefined } = {}): Promise<void> {
    const { signal, isSystem } = options;
    await this.#scope.json('DELETE', this.#path(), { query: { isSystem }, signal });
  }

  /** Gives the collection another name, under which it is to be used from then on. */
  async rename(name: string, options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('PUT', this.#path('/rename'), { ...options, body: { name } });
  }

  /** Removes all documents. */
  async truncate(
    options: RequestOptions & { waitForSync?: boolean | undefined } = {},
  ): Promise<void> {
    const { signal, waitForSync } = options;
    await this.#scope.json('PUT', this.#path('/truncate'), { query: { waitForSync }, signal });
  }

  /** Makes it ready for use; so does its use. */
  load(options: RequestOptions = {}): Promise<CollectionInfo & { readonly count: number }> {
    return this.#scope.result('PUT', this.#path('/load'), options);
  }

  unload(options: RequestOptions = {}): Promise<CollectionInfo> {
    return this.#scope.result('PUT', this.#path('/unload'), options);
  }

  /** Closes its journal. @throws TicklogError (1105) when nothing was ever written to it */
  async rotate(options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('PUT', this.#path('/rotate'), options);
  }

  properties(options: RequestOptions = {}): Promise<CollectionProperties> {
    return this.#scope.result('GET', this.#path('/properties'), options);
  }

  /** Resolves with the properties as they are then. */
  setProperties(
    changes: CollectionChange,
    options: RequestOptions = {},
  ): Promise<CollectionProperties> {
    return this.#scope.result('PUT', this.#path('/properties'), { ...options, body: changes });
  }

  async count(options: RequestOptions = {}): Promise<number> {
    const answer = await this.#scope.json<{ count: number }>('GET', this.#path('/count'), options);
    return answer.count;
  }

  async figures(options: RequestOptions = {}): Promise<CollectionFigures> {
    const { figures } = await this.#scope.json<{ figures: CollectionFigures }>(
      ...['GET' as const, this.#path('/figures'), options],
    );
    return { ...figures, lastTick: this.#scope.tick(figures.lastTick, 'lastTick') };
  }

  /** Tick of the newest change of the collection on this server, 0 when it never held anything. */
  async revision(options: RequestOptions = {}): Promise<Tick> {
    const path = this.#path('/revision');
    const { revision } = await this.#scope.json<{ revision: unknown }>('GET', path, options);
    return this.#scope.tick(revision, 'revision');
  }

  /** Over the keys; `withData` over the contents, `withRevisions` over the revisions, too. */
  async checksum(
    options: RequestOptions & {
      withData?: boolean | undefined;
      withRevisions?: boolean | undefined;
    } = {},
  ): Promise<Checksum> {
    const { signal, withData, withRevisions } = options;
    const answer = await this.#scope.json<{ checksum: number; revision: unknown }>(
      'GET',
      this.#path('/checksum'),
      // All of the collection is read.
      { query: { withData, withRevisions }, signal, extraMs: Infinity },
    );
    return {
      checksum: answer.checksum,
      revision: this.#scope.tick(answer.revision, 'revision'),
    };
  }

  /** All indexes, those that every collection has among them. */
  async indexes(options: RequestOptions = {}): Promise<readonly IndexInfo[]> {
    const call = { ...options, query: { collection: this.name } };
    const answer = await this.#scope.json<{ indexes: IndexInfo[] }>('GET', '/_api/index', call);
    return answer.indexes;
  }

  /** Resolves when the index is built. One that is there already is not made again. */
  createIndex(
    index: NewIndex,
    options: RequestOptions = {},
  ): Promise<IndexInfo & { readonly isNewlyCreated: boolean }> {
    const query = { collection: this.name };
    const call = { ...options, query, body: index, extraMs: Infinity };
    return this.#scope.result('POST', '/_api/index', call);
  }

  /** @param id `<collection>/<digits>` as it is shown, or the digits */
  async dropIndex(id: string, options: RequestOptions = {}): Promise<void> {
    const [digits = ''] = id.split('/').reverse();
    const handle = `${encodeURIComponent(this.name)}/${encodeURIComponent(digits)}`;
    await this.#scope.json('DELETE', `/_api/index/${handle}`, options);
  }

  #path(rest = ''): string {
    return `/_api/collection/${encodeURIComponent(this.name)}${rest}`;
  }
}
