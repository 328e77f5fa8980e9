import { ServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import type { DocumentOperation, OperationTarget, Written } from './document-operations.ts';
import { DocumentTx } from './document-tx.ts';
import type { SyncSettings } from './documents.ts';
import { LINE_EXTRA_BYTES } from './transaction-size.ts';

/** One operation of several. */
export interface ArrayElement {
  /** An error stands for one that could not even be made. */
  readonly operation: DocumentOperation | ServiceError;
  /** Length of the text it was made of. */
  readonly bytes: number;
}

/** What each operation did, or why it did nothing. */
export interface ArrayResult {
  readonly results: readonly (Written | ServiceError)[];
  /** Whether everything was fsynced before the answer. */
  readonly synced: boolean;
}

/** Size of the transactions of an array that is too large for one, in bytes of its text. */
const GROUP_BYTES = 2 * 1024 * 1024;

/** Many operations on documents of one collection in one request, as 3.x has them. */
export class DocumentArrays {
  readonly #store: Store;
  readonly #transactionMaxBytes: number;

  constructor(deps: { store: Store }, options: { transactionMaxBytes: number }) {
    this.#store = deps.store;
    this.#transactionMaxBytes = options.transactionMaxBytes;
  }

  /**
   * Runs operations in their order, as one transaction in one commit. Each stands for itself: one that
   * fails does nothing, and those beside it are done. More than a transaction holds are several whole ones
   * (design, rule 6). Inside a stream transaction they are a part of that, and what it has no room for fails.
   * @throws ServiceError readOnly, collectionNotFound; what was written before stays
   */
  async run(
    database: Database,
    collection: Collection,
    elements: readonly ArrayElement[],
    settings: SyncSettings,
  ): Promise<ArrayResult> {
    if (settings.transaction) {
      const results = await settings.transaction.write(collection, (writes) =>
        elements.map(({ operation }) => run(operation, { writes, collection })),
      );
      return { results, synced: false };
    }
    const sync = settings.waitForSync === true || collection.parameters.waitForSync;
    const results: (Written | ServiceError)[] = [];
    for (const group of this.#groups(elements)) {
      const written = await this.#store.commit(
        (tx) => {
          collection.assertAlive();
          database.assertWritable(collection.name);
          const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: true });
          const outcomes = group.map(({ operation }) => run(operation, { writes, collection }));
          writes.finish();
          return outcomes;
        },
        { sync },
      );
      // Not spread into arguments: there may be more than a call takes.
      for (const each of written) results.push(each);
    }
    return { results, synced: sync };
  }

  *#groups(elements: readonly ArrayElement[]): Generator<readonly ArrayElement[], void, void> {
    const total = elements.reduce((sum, element) => sum + sizeOf(element), 0);
    const limit = total <= this.#transactionMaxBytes ? total : GROUP_BYTES;
    let start = 0;
    while (start < elements.length) {
      let end = start;
      for (let bytes = 0; end < elements.length && (end === start || bytes < limit); end++) {
        bytes += sizeOf(elements[end]);
      }
      yield elements.slice(start, end);
      start = end;
    }
  }
}

function sizeOf(element: ArrayElement | undefined): number {
  return (element?.bytes ?? 0) + LINE_EXTRA_BYTES;
}

function run(
  operation: DocumentOperation | ServiceError,
  target: OperationTarget,
): Written | ServiceError {
  if (operation instanceof ServiceError) return operation;
  try {
    return operation(target);
  } catch (error) {
    // What is not the fault of the request is the server's.
    if (error instanceof ServiceError && error.httpStatus < 500) return error;
    throw error;
  }
}
