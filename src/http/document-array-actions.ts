import type { Collection } from '../documents/collection.ts';
import type { ArrayResult, DocumentArrays } from '../documents/document-arrays.ts';
import type { Written } from '../documents/document-operations.ts';
import type { StreamTransactions } from '../documents/stream-transactions.ts';
import { ServiceError } from '../model/errors.ts';
import { Header } from '../protocol/headers.ts';
import { writtenMembers } from './document-answers.ts';
import { type ArrayMethod, arrayElements } from './document-array-requests.ts';
import { isSilent, writeSettings } from './document-params.ts';
import type { Context } from './context.ts';
import { sendJson } from './respond.ts';
import { transactionOf } from './transaction-header.ts';

/** Several documents in one request to `/_api/document/<collection>`, as 3.x has it (contract 9.3). */
export class DocumentArrayActions {
  readonly #arrays: DocumentArrays;
  readonly #transactions: StreamTransactions;

  constructor(deps: { arrays: DocumentArrays; transactions: StreamTransactions }) {
    this.#arrays = deps.arrays;
    this.#transactions = deps.transactions;
  }

  /**
   * Writes what the body has and answers with a list that is as long: what came of each element, or why
   * nothing did. The status says only whether it was fsynced; the header says which errors there are.
   * @throws ServiceError invalidJson, badParameter, readOnly, collectionNotFound
   */
  async write(
    ctx: Context,
    method: ArrayMethod,
    collection: Collection,
    body: string,
  ): Promise<void> {
    const elements = arrayElements(method, body, ctx.query, collection);
    if (!elements) throw new ServiceError('invalidJson', 'the body is no JSON array');
    const { waitForSync = false } = writeSettings(ctx.query);
    const settings = { waitForSync, transaction: transactionOf(ctx, this.#transactions) };
    const { database } = ctx.state;
    const result = await this.#arrays.run(database, collection, elements, settings);
    const codes = errorCodes(result);
    if (codes !== '') ctx.set(Header.errorCodes, codes);
    const synced = method === 'delete' ? 200 : 201;
    sendJson(ctx, result.synced ? synced : 202, bodyOf(ctx, method, collection, result));
  }
}

/** Silent answers name errors only; without any they are an empty object. */
function bodyOf(
  ctx: Context,
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

/** `1210:2,1221:1`, empty without errors. */
function errorCodes({ results }: ArrayResult): string {
  const counts = new Map<number, number>();
  for (const each of results) {
    if (!(each instanceof ServiceError)) continue;
    counts.set(each.errorNum, (counts.get(each.errorNum) ?? 0) + 1);
  }
  return [...counts].map(([errorNum, count]) => `${errorNum}:${count}`).join(',');
}
