import { counted } from '../base/words.ts';
import { ServiceError } from '../model/errors.ts';
import type { Findings } from '../storage/findings.ts';
import { Space, numberRange } from '../storage/keys.ts';
import { decodeRecord, unprotect } from '../storage/record.ts';
import type { StoreReader } from '../storage/store-reader.ts';
import { type OpenTransaction, checkpointKey, isCheckpoint } from './checkpoint.ts';
import { stagedAt, tidNumber } from './staging.ts';

/**
 * Checks the position of the applier of a database, and that what it says of open transactions of the
 * leader is staged. What is staged besides belongs to a position that was forgotten, and is no fault.
 */
export async function checkPosition(
  reader: StoreReader,
  database: { readonly number: number; readonly name: string },
  findings: Findings,
): Promise<void> {
  const place = `applier of database ${database.name}`;
  try {
    const missing = await expectedChunks(reader, database.number);
    for await (const { key, value } of reader.entries(
      numberRange(Space.staging, database.number),
    )) {
      unprotect(key, value);
      const { tid, chunk } = stagedAt(key);
      missing.delete(`${tid} ${chunk}`);
    }
    if (missing.size > 0) {
      findings.add(place, `missing of open transactions: ${counted(missing.size, 'staged part')}`);
    }
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    findings.add(place, error.message);
  }
}

async function expectedChunks(reader: StoreReader, databaseNumber: number): Promise<Set<string>> {
  const key = checkpointKey(databaseNumber);
  const value = await reader.get(key);
  if (!value) return new Set();
  const stored = decodeRecord(key, value);
  if (!isCheckpoint(stored)) throw new ServiceError('invalidApplierState');
  return new Set(stored.open.flatMap(chunksOf));
}

function chunksOf({ tid, appliedChunks, chunks }: OpenTransaction): string[] {
  const count = Math.max(0, chunks - appliedChunks);
  return Array.from({ length: count }, (_, i) => `${tidNumber(tid)} ${appliedChunks + i}`);
}
