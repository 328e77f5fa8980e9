import { Header } from '../protocol/headers.ts';
import { CollectionClient } from './collection-client.ts';
import type { RequestOptions, Scope } from './scope.ts';

/** What a transaction uses: a list is what it writes to. */
export type TransactionCollections =
  | readonly string[]
  | {
      readonly read?: readonly string[] | undefined;
      readonly write?: readonly string[] | undefined;
      readonly exclusive?: readonly string[] | undefined;
    };

export interface TransactionOptions extends RequestOptions {
  /** Commit when it is safe on disk. */
  readonly waitForSync?: boolean | undefined;
  /** How long to wait for others that write to the same collections, in seconds. */
  readonly lockTimeout?: number | undefined;
  /** In bytes. */
  readonly maxTransactionSize?: number | undefined;
}

/** A transaction that is open. */
export interface Transaction {
  readonly id: string;
  /** A collection whose documents are read and written as the transaction sees and has them. */
  collection<T extends object = Record<string, unknown>>(name: string): CollectionClient<T>;
}

const BASE = '/_api/transaction';

/** See `DatabaseClient.transaction`. */
export async function runTransaction<R>(
  scope: Scope,
  collections: TransactionCollections,
  work: (transaction: Transaction) => Promise<R>,
  options: TransactionOptions,
): Promise<R> {
  const { signal, ...settings } = options;
  const wanted = 'length' in collections ? { write: collections } : collections;
  const begun = await scope.json<{ result: { id: string } }>('POST', `${BASE}/begin`, {
    body: { ...settings, collections: wanted },
    signal,
    extraMs: Infinity,
  });
  const { id } = begun.result;
  const path = `${BASE}/${encodeURIComponent(id)}`;
  const own = scope.with({ [Header.transactionId]: id });
  let result: R;
  try {
    result = await work({
      id,
      collection: (name) => new CollectionClient({ scope: own }, name),
    });
    signal?.throwIfAborted();
  } catch (error) {
    await abort(scope, path, error);
    throw error;
  }
  await scope.json('PUT', path, { signal });
  return result;
}

/** @throws AggregateError of both when that fails, too: the server then ends it when its time is over */
async function abort(scope: Scope, path: string, error: unknown): Promise<void> {
  try {
    // Not with the signal, which may be the reason for this.
    await scope.json('DELETE', path);
  } catch (abortError) {
    const message = error instanceof Error ? error.message : String(error);
    throw new AggregateError([error, abortError], `${message}; nor could it be aborted`);
  }
}
