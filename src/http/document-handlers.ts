import type { Collections } from '../documents/collections.ts';
import type { DocumentArrays } from '../documents/document-arrays.ts';
import type { Documents } from '../documents/documents.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { CollectionType } from '../model/collection.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { booleanParam, textParam } from '../protocol/params.ts';
import { readText } from './body.ts';
import { collectionForWrite } from './collection-requests.ts';
import { type Exchange, pathParam } from './context.ts';
import { DocumentActions, assertInsertable } from './document-actions.ts';
import { DocumentArrayActions } from './document-array-actions.ts';
import { generationOf } from './generation.ts';

export interface DocumentDeps {
  readonly documents: Documents;
  readonly arrays: DocumentArrays;
  readonly transactions: StreamTransactions;
  readonly collections: Collections;
}

/**
 * What requests to `/_api/document` do (contract 9.3), whichever way they come: over the router, or, most of
 * them, over the hot routes in front of it.
 */
export class DocumentHandlers {
  /** Those of one document that is named in the path. */
  readonly actions: DocumentActions;
  readonly #arrays: DocumentArrayActions;
  readonly #collections: Collections;

  constructor(deps: DocumentDeps) {
    this.actions = new DocumentActions(deps);
    this.#arrays = new DocumentArrayActions(deps);
    this.#collections = deps.collections;
  }

  /** POST without a collection in the path: the one of the query (1.4). */
  async insert(ctx: Exchange): Promise<void> {
    const name = collectionParam(ctx);
    const body = await readText(ctx);
    const collection =
      ctx.state.database.find(name) ??
      (await collectionForWrite(this.#collections, ctx, name, {
        wanted: booleanParam(ctx.query, 'createCollection', false),
        type: CollectionType.document,
        check: () => assertInsertable(ctx, body),
      }));
    try {
      this.actions.sendInserted(ctx, collection, await this.actions.store(ctx, collection, body));
    } catch (error) {
      // In 1.4 edges come in at /_api/edge only; here also with both ends in the body, as in 3.0.
      if (!isServiceError(error, 'edgeAttributeMissing')) throw error;
      if (generationOf(ctx) === '3.x') throw error;
      throw new ServiceError('collectionTypeInvalid', undefined, { cause: error });
    }
  }

  /** POST `/:collection`: one document, or several (3.x). */
  async insertInto(ctx: Exchange): Promise<void> {
    const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
    const body = await readText(ctx);
    if (isArray(body)) await this.#arrays.write(ctx, 'post', collection, body);
    else
      this.actions.sendInserted(ctx, collection, await this.actions.store(ctx, collection, body));
  }

  /** PUT, PATCH and DELETE `/:collection`: several documents (3.x); with PUT they may be read only. */
  async several(ctx: Exchange, method: 'put' | 'patch' | 'delete'): Promise<void> {
    const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
    const body = await readText(ctx);
    if (!isArray(body)) {
      throw new ServiceError(
        'httpBadParameter',
        'expecting /_api/document/<collection>/<key>, or an array as the body',
      );
    }
    const readsOnly = method === 'put' && booleanParam(ctx.query, 'onlyget', false);
    if (readsOnly) this.#arrays.read(ctx, collection, body);
    else await this.#arrays.write(ctx, method, collection, body);
  }
}

/** @throws ServiceError collectionParameterMissing (1204) */
export function collectionParam(ctx: Exchange): string {
  const name = textParam(ctx.query, 'collection');
  if (name === undefined || name === '') throw new ServiceError('collectionParameterMissing');
  return name;
}

/** Whether the body has several documents (3.x), be it good or bad. */
function isArray(body: string): boolean {
  return /^\s*\[/.test(body);
}
