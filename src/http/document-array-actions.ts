import type { Collection } from '../documents/collection.ts';
import type { ArrayResult, DocumentArrays } from '../documents/document-arrays.ts';
import type { Written } from '../documents/document-operations.ts';
import type { Documents } from '../documents/documents.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { Header } from '../protocol/headers.ts';
import { writtenMembers } from './document-answers.ts';
import { type ArrayMethod, arrayElements, selectedDocuments } from './document-array-requests.ts';
import { isSilent, writeSettings } from './document-params.ts';
import type { Exchange } from './context.ts';
import { sendJson } from './respond.ts';
import { transactionOf } from './transaction-header.ts';

/** What one answer holds of documents, in characters. */
const READ_BYTES_MAX = 64 * 1024 * 1024;

/** Several documents in one request to `/_api/document/<collection>`, as 3.x has it (contract 9.3). */
export class DocumentArrayActions {
  readonly #arrays: DocumentArrays;
  readonly #documents: Documents;
  readonly #transactions: StreamTransactions;

  constructor(deps: {
    arrays: DocumentArrays;
    documents: Documents;
    transactions: StreamTransactions;
  }) {
    this.#arrays = deps.arrays;
    this.#documents = deps.documents;
    this.#transactions = deps.transactions;
  }

  /**
   * Writes what the body has and answers with a list that is as long: what came of each element, or why
   * nothing did. The status says only whether it was fsynced; the header says which errors there are.
   * @throws ServiceError invalidJson, badParameter, readOnly, collectionNotFound
   */
  async write(
    ctx: Exchange,
    method: ArrayMethod,
    collection: Collection,
    body: string,
  ): Promise<void> {
    const elements = arrayElements(method, body, ctx.query, collection);
    if (!elements) throw new ServiceError('invalidJson', 'the body is no JSON array');
    const { waitForSync } = writeSettings(ctx.query);
    const settings = { waitForSync, transaction: transactionOf(ctx, this.#transactions) };
    const { database } = ctx.state;
    const result = await this.#arrays.run(database, collection, elements, settings);
    setErrorCodes(ctx, result.results);
    const synced = method === 'delete' ? 200 : 201;
    sendJson(ctx, result.synced ? synced : 202, bodyOf(ctx, method, collection, result));
  }

  /**
   * Reads the documents that the body selects, PUT with `onlyget=true`: the answer is a list as long.
   * @throws ServiceError invalidJson; resourceLimit when they are too large together
   */
  read(ctx: Exchange, collection: Collection, body: string): void {
    const selected = selectedDocuments(body, ctx.query, collection);
    if (!selected) throw new ServiceError('invalidJson', 'the body is no JSON array');
    const transaction = transactionOf(ctx, this.#transactions);
    let bytes = 0;
    const results = selected.map((each) => {
      if (each instanceof ServiceError) return each;
      const found = outcomeOf(() => {
        const { key, rev, text } = this.#documents.read(collection, each.key, transaction);
        if (each.rev === undefined || each.rev === rev) return text;
        const fields = { _id: `${collection.name}/${key}`, _rev: rev, _key: key };
        throw new ServiceError('conflict', 'precondition failed', { fields });
      });
      bytes += typeof found === 'string' ? found.length : 0;
      if (bytes > READ_BYTES_MAX) {
        throw new ServiceError(
          'resourceLimit',
          `the documents are larger than ${READ_BYTES_MAX} bytes together; ask for fewer at a time`,
        );
      }
      return found;
    });
    setErrorCodes(ctx, results);
    const texts = results.map((each) => (each instanceof ServiceError ? errorText(each) : each));
    sendJson(ctx, 200, `[${texts.join(',')}]`);
  }
}

/** One document of a list, or why it is not there. */
function outcomeOf(read: () => string): string | ServiceError {
  try {
    return read();
  } catch (error) {
    if (error instanceof ServiceError && error.httpStatus < 500) return error;
    throw error;
  }
}

/** Silent answers name errors only; without any they are an empty object. */
function bodyOf(
  ctx: Exchange,
  method: ArrayMethod,
  collection: Collection,
  { results }: ArrayResult,
): string {
  const withOldRev = method !== 'delete';
  const show = (each: Written | ServiceError): string =>
    each instanceof ServiceError
      ? errorText(each)
      : `{${writtenMembers(collection, each, { withOldRev })}}`;
  if (!isSilent(ctx.query)) return `[${results.map(show).join(',')}]`;
  const errors = results.filter((each) => each instanceof ServiceError);
  return errors.length === 0 ? '{}' : `[${errors.map(show).join(',')}]`;
}

/** A status of its own an element does not have. */
function errorText({ errorNum, message, fields }: ServiceError): string {
  return JSON.stringify({ ...fields, error: true, errorNum, errorMessage: message });
}

/** `1210:2,1221:1`; without errors the header is left out. */
function setErrorCodes(ctx: Exchange, results: readonly unknown[]): void {
  const counts = new Map<number, number>();
  for (const each of results) {
    if (!(each instanceof ServiceError)) continue;
    counts.set(each.errorNum, (counts.get(each.errorNum) ?? 0) + 1);
  }
  if (counts.size === 0) return;
  const codes = [...counts].map(([errorNum, count]) => `${errorNum}:${count}`);
  ctx.set(Header.errorCodes, codes.join(','));
}
