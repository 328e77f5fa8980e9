import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import { DocumentTx } from './document-tx.ts';
import type { StagedCollection, StagedDocuments, StagedOperation } from './staged-documents.ts';
import type { LockHolder } from './write-locks.ts';

/**
 * Writes what a stream transaction has staged as one group of the log, collection by collection and in each
 * in the order of its writes (contract 2.7), with the revisions that were answered. Every check is
 * made again, as what locks do not keep away may have happened since: a drop, an applier, a new index. What
 * is staged is used up, whether it succeeds or not.
 * @throws ServiceError collectionNotFound, readOnly, uniqueConstraintViolated; conflict (409) when a
 *   document was changed by an applier
 */
export function writeStaged(
  tx: WriteTx,
  database: Database,
  transaction: LockHolder & { readonly tid: Tick },
  staged: StagedDocuments,
): void {
  database.assertAlive();
  for (const [collection] of staged.collections) {
    if (!collection.dropped) database.assertWritable(collection.name);
    else throw dropped(collection, transaction);
  }
  const writes = new DocumentTx(
    { tx, database },
    { origin: 'local', grouped: true, committing: transaction },
  );
  for (const [collection, stagedCollection] of staged.collections) {
    repeat(writes, collection, stagedCollection, transaction);
  }
  writes.finish();
}

function repeat(
  writes: DocumentTx,
  collection: Collection,
  { operations, documents }: StagedCollection,
  transaction: LockHolder,
): void {
  documents.clear();
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i];
    if (!operation) continue;
    operations[i] = undefined;
    const { key, rev, data } = operation;
    const old = writes.pointer(collection, key);
    if (operation.isFirst && (old?.tick ?? 0n) !== operation.baseTick) {
      throw overtaken(collection, operation, transaction);
    }
    if (data) {
      writes.upsertText(collection, key, rev, data.toString('utf8'), old);
    } else if (old) {
      writes.remove(collection, key, old, rev);
    }
  }
}

function dropped({ name }: Collection, { id }: LockHolder): ServiceError {
  return new ServiceError(
    'collectionNotFound',
    `collection '${name}', to which transaction ${id} has written, was dropped or replaced`,
  );
}

function overtaken(
  { name }: Collection,
  { key }: StagedOperation,
  { id }: LockHolder,
): ServiceError {
  return new ServiceError(
    'conflict',
    `write-write conflict: document '${name}/${key}' was changed by an applier since transaction ${id} wrote it`,
    { httpStatus: 409 },
  );
}
