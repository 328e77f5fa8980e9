import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { DocumentTx } from '../documents/document-tx.ts';
import { trackGivenKey } from '../documents/key-generator.ts';
import { ServiceError } from '../model/errors.ts';
import { NumericRevisions } from '../model/numeric-revisions.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { type RestoreLines, atLine } from './restore-lines.ts';

/**
 * Writes lines in their order: each inserts, or replaces whatever revision there is, or removes what there may be.
 * Whether users may give keys does not matter here. Each line is logged as a write of its own, so that followers
 * need not hold thousands of them back until they see the last. Runs inside the commit queue.
 *
 * @param pieces emptied as they are written, so that a large restore is not in memory twice
 * @throws ServiceError uniqueConstraintViolated (1210), documentTooLarge (1216) and conflict (1200, a stream
 *   transaction holds the document) with the number of the line; collectionNotFound, readOnly
 */
export function writeRestore(
  tx: WriteTx,
  database: Database,
  collection: Collection,
  pieces: (RestoreLines | undefined)[],
): void {
  collection.assertAlive();
  database.assertWritable(collection.name);
  const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: false });
  const revisions = new NumericRevisions();
  for (let i = 0; i < pieces.length; i++) {
    const lines = pieces[i];
    if (!lines) continue;
    pieces[i] = undefined;
    writeLines(writes, collection, lines, revisions);
  }
  writes.finish();
  if (revisions.largest > 0n) tx.observeTick(revisions.largest);
}

function writeLines(
  writes: DocumentTx,
  collection: Collection,
  lines: RestoreLines,
  revisions: NumericRevisions,
): void {
  if (lines.areRows && writes.takesNew(collection, lines)) {
    writes.writeNew(collection, lines);
    lines.addRevisions(revisions);
    return;
  }
  const tracksKeys = collection.parameters.keyOptions?.type === 'autoincrement';
  while (lines.next()) {
    const { key, rev } = lines;
    if (rev !== undefined) revisions.add(rev);
    const old = writes.pointer(collection, key);
    try {
      if (!lines.isRemoval) writes.upsertBytes(collection, key, lines, old, rev);
      else if (old) writes.remove(collection, key, old, rev);
    } catch (error) {
      throw error instanceof ServiceError ? atLine(lines.number, error) : error;
    }
    if (tracksKeys && !lines.isRemoval) trackGivenKey(writes, collection, key);
  }
}
