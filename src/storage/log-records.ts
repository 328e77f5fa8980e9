import { FileDamage, type TableEntry, VarintReader } from './table-block.ts';

/* The pieces of a record that does not fit into a block of a log; see log-check.ts. */
const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;
const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
/** Sequence number of the first entry, and how many there are. */
const BATCH_HEAD_BYTES = 12;
const REMOVAL = 0;
const WRITE = 1;

/**
 * The records of a log or manifest of LevelDB that `checkLogs` has let pass; what a kill has cut off at the
 * end is left out, as LevelDB leaves it out.
 * @throws FileDamage when pieces of records are not in order
 */
export function logRecords(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  let pieces: Buffer[] | undefined;
  for (let at = 0; file.length - at >= HEADER_BYTES;) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (left < HEADER_BYTES) {
      at += left;
      continue;
    }
    const start = at + HEADER_BYTES;
    const end = start + file.readUInt16LE(at + 4);
    const type = file[at + 6] ?? 0;
    if (end > file.length || type === 0) return records;
    const piece = file.subarray(start, end);
    if ((type === FULL || type === FIRST) === (pieces !== undefined)) {
      throw new FileDamage('the pieces of a record are out of order');
    }
    if (type === FULL) records.push(piece);
    else if (type === FIRST) pieces = [piece];
    else if (type === MIDDLE || type === LAST) pieces?.push(piece);
    else throw new FileDamage('a record is of an unknown kind');
    if (type === LAST && pieces) {
      records.push(Buffer.concat(pieces));
      pieces = undefined;
    }
    at = end;
  }
  return records;
}

/** The entries of a batch, which is a record of a write-ahead log. @throws FileDamage */
export function batchEntries(record: Buffer): TableEntry[] {
  if (record.length < BATCH_HEAD_BYTES) throw new FileDamage('a batch is too short');
  const first = record.readUInt32LE(4) * 2 ** 32 + record.readUInt32LE(0);
  const count = record.readUInt32LE(8);
  const entries: TableEntry[] = [];
  const reader = new VarintReader(record, BATCH_HEAD_BYTES);
  while (!reader.isAtEnd) {
    const kind = record[reader.at++];
    if (kind !== WRITE && kind !== REMOVAL) {
      throw new FileDamage('an entry of a batch is of an unknown kind');
    }
    const key = reader.bytes();
    const value = kind === WRITE ? reader.bytes() : Buffer.alloc(0);
    const sequence = first + entries.length;
    entries.push({ key, sequence, isRemoval: kind === REMOVAL, value });
  }
  if (entries.length !== count) throw new FileDamage('a batch has not as many entries as it says');
  return entries;
}
