import type { Collection } from '../documents/collection.ts';
import type { EdgeEnds } from '../documents/document-operations.ts';
import type { Documents, WriteResult } from '../documents/documents.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { isValidKey } from '../model/names.ts';
import { readDocument } from '../protocol/document-scan.ts';
import { readText } from './body.ts';
import { type Context, type Exchange, pathParam } from './context.ts';
import { documentLocation, sendWritten, setEtag, writeStatus } from './document-answers.ts';
import {
  knownRevision,
  overwriteModeParam,
  revisionInBody,
  wantedRevision,
  writeParams,
  writePrecondition,
} from './document-params.ts';
import { sendJson, sendPieces } from './respond.ts';
import { transactionOf } from './transaction-header.ts';

/**
 * Checks of an insert what can be checked before there is a collection.
 * @throws ServiceError invalidJson, invalidDocumentType, illegalDocumentKey, badParameter
 */
export function assertInsertable(ctx: Exchange, body: string): void {
  overwriteModeParam(ctx.query);
  const { key } = readDocument(body);
  if (key !== undefined && (typeof key !== 'string' || !isValidKey(key))) {
    throw new ServiceError('illegalDocumentKey');
  }
}

/** What `/_api/document` and `/_api/edge` do alike with one document. */
export class DocumentActions {
  readonly #documents: Documents;
  readonly #transactions: StreamTransactions;
  readonly #readBody: (ctx: Exchange) => Promise<string>;

  /** @param options.readBody what counts of the body of PUT and PATCH; all of it by default */
  constructor(
    deps: { documents: Documents; transactions: StreamTransactions },
    options: { readBody?: (ctx: Exchange) => Promise<string> } = {},
  ) {
    this.#documents = deps.documents;
    this.#transactions = deps.transactions;
    this.#readBody = options.readBody ?? readText;
  }

  /** POST: an insert, or what `overwriteMode` says. */
  async insert(
    ctx: Exchange,
    collection: Collection,
    body: string,
    ends?: EdgeEnds,
  ): Promise<void> {
    this.sendInserted(ctx, collection, await this.store(ctx, collection, body, ends));
  }

  /** What `insert` does before it answers. */
  store(
    ctx: Exchange,
    collection: Collection,
    body: string,
    ends?: EdgeEnds,
  ): Promise<WriteResult> {
    const params = writeParams(ctx.query);
    return this.#documents.insert(ctx.state.database, collection, body, {
      waitForSync: params.waitForSync,
      returnNew: params.returnNew,
      returnOld: params.returnOld,
      keepNull: params.keepNull,
      mergeObjects: params.mergeObjects,
      overwriteMode: overwriteModeParam(ctx.query),
      transaction: transactionOf(ctx, this.#transactions),
      ends,
    });
  }

  sendInserted(ctx: Exchange, collection: Collection, result: WriteResult): void {
    const { silent } = writeParams(ctx.query);
    const status = writeStatus(result, 201);
    sendWritten(ctx, collection, result, { status, silent, withOldRev: true });
  }

  /** GET and HEAD of `/:collection/:key`. */
  read(ctx: Exchange): void {
    const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
    const { key, rev, text } = this.#documents.read(
      collection,
      pathParam(ctx, 'key'),
      transactionOf(ctx, this.#transactions),
    );
    setEtag(ctx, rev);
    if (knownRevision(ctx) === rev) {
      ctx.status = 304;
      return;
    }
    const wanted = wantedRevision(ctx);
    if (wanted !== undefined && wanted !== rev) {
      throw new ServiceError('conflict', 'precondition failed', {
        fields: { _id: `${collection.name}/${key}`, _rev: rev, _key: key },
      });
    }
    sendJson(ctx, 200, text);
  }

  /** PUT `/:collection/:key`. */
  async replace(ctx: Exchange): Promise<void> {
    const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
    const rev = writePrecondition(ctx);
    const body = await this.#readBody(ctx);
    const params = writeParams(ctx.query);
    const transaction = transactionOf(ctx, this.#transactions);
    const result = await this.#documents.replace(
      ctx.state.database,
      collection,
      pathParam(ctx, 'key'),
      body,
      { transaction, rev: rev ?? revisionInBody(ctx.query, body), ...params },
    );
    const status = writeStatus(result, 201);
    sendWritten(ctx, collection, result, { status, silent: params.silent, withOldRev: true });
  }

  /** PATCH `/:collection/:key`. */
  async update(ctx: Exchange): Promise<void> {
    const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
    const rev = writePrecondition(ctx);
    const body = await this.#readBody(ctx);
    const params = writeParams(ctx.query);
    const transaction = transactionOf(ctx, this.#transactions);
    const result = await this.#documents.update(
      ctx.state.database,
      collection,
      pathParam(ctx, 'key'),
      body,
      { transaction, rev: rev ?? revisionInBody(ctx.query, body), ...params },
    );
    const status = writeStatus(result, 201);
    sendWritten(ctx, collection, result, { status, silent: params.silent, withOldRev: true });
  }

  /** DELETE `/:collection/:key`; `_rev` of the answer is the revision removed. */
  async remove(ctx: Exchange): Promise<void> {
    const collection = ctx.state.database.get(pathParam(ctx, 'collection'));
    const rev = writePrecondition(ctx);
    const params = writeParams(ctx.query);
    const transaction = transactionOf(ctx, this.#transactions);
    const result = await this.#documents.remove(
      ctx.state.database,
      collection,
      pathParam(ctx, 'key'),
      { transaction, rev, ...params },
    );
    const status = writeStatus(result, 200);
    sendWritten(ctx, collection, result, { status, silent: params.silent, withOldRev: false });
  }

  /** GET without a key: the paths of all documents (1.4), in the order of keys. */
  async list(ctx: Context, collection: Collection): Promise<void> {
    await sendPieces(ctx, 200, this.#paths(ctx, collection));
  }

  async *#paths(ctx: Exchange, collection: Collection): AsyncGenerator<string, void, void> {
    const { database, limits } = ctx.state;
    // 1.4 leaves the database out of these.
    const cut = `/_db/${database.name}`.length;
    yield '{"documents":[';
    let comma = '';
    const transaction = transactionOf(ctx, this.#transactions);
    for await (const key of this.#documents.keys(collection, transaction)) {
      limits.deadline.throwIfAborted();
      const path = documentLocation(database, collection, key).slice(cut);
      yield `${comma}${JSON.stringify(path)}`;
      comma = ',';
    }
    yield '],"error":false,"code":200}';
  }
}
