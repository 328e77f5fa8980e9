import { type FileHandle, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../model/errors.ts';
import { crc32c } from './crc32c.ts';
import { isNotFound, openIfThere } from './file-reading.ts';
import { hasCrc32c, storedCrc32c } from './masked-crc.ts';

/*
 * LevelDB's write-ahead log and manifest are blocks of 32 KiB that hold records: u32 masked CRC-32C of
 * type and payload, u16 length of the payload, u8 type, payload. No record crosses a block. On
 * opening LevelDB drops a record with a wrong checksum, and the rest of its block, without a word, and a
 * record that does not end within the file as if the process had died while writing it.
 */
const BLOCK_BYTES = 32 * 1024;
const BLOCKS_PER_READ = 32;
const HEADER_BYTES = 7;
const TYPE_MAX = 4;
const SECTOR_BYTES = 512;
/** Fewer zeros than this at the end of a file do not say that they were never written. */
const ZEROS_MIN = 16;
const CHECKED = /^(?:[0-9]+\.log|MANIFEST-[0-9]+)$/;

/** Where a file stops making sense, and how far the record there reaches. */
interface BadRecord {
  readonly position: number;
  readonly end: number;
}

/**
 * Checks the files from which LevelDB would silently drop acknowledged commits: to be called before it opens
 * them. What a kill or a power cut leaves - a last record that is cut off, or sectors at the end that were
 * never written - is let pass.
 * @throws ServiceError storageDamaged for anything else
 */
export async function checkLogs(storeDirectory: string): Promise<void> {
  for (const name of await list(storeDirectory)) {
    if (!CHECKED.test(name)) continue;
    const path = join(storeDirectory, name);
    // A server that has the directory open may have just removed it.
    const file = await openIfThere(path);
    if (!file) continue;
    try {
      const { size } = await file.stat();
      const bad = await findBadRecord(file, size);
      if (bad && !(await isUnwritten(file, size, bad))) throw damaged(path, bad.position);
    } finally {
      await file.close();
    }
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

async function findBadRecord(file: FileHandle, size: number): Promise<BadRecord | undefined> {
  const buffer = Buffer.allocUnsafe(Math.min(size, BLOCKS_PER_READ * BLOCK_BYTES));
  for (let position = 0; position < size; position += buffer.length) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    for (let start = 0; start < bytesRead; start += BLOCK_BYTES) {
      const block = buffer.subarray(start, Math.min(bytesRead, start + BLOCK_BYTES));
      const bad = findBadRecordIn(block);
      if (bad)
        return { position: position + start + bad.position, end: position + start + bad.end };
    }
    if (bytesRead < buffer.length) return undefined;
  }
  return undefined;
}

/** Looks through one block; one shorter than a whole block is the end of the file. */
function findBadRecordIn(block: Buffer): BadRecord | undefined {
  for (let at = 0; block.length - at >= HEADER_BYTES;) {
    const end = recordEnd(block, at);
    if (end > block.length) {
      // The process may have died here, unless what follows proves that the length is wrong.
      const cutOff = block.length < BLOCK_BYTES && end <= BLOCK_BYTES;
      return cutOff && !hidesRecords(block, at) ? undefined : { position: at, end };
    }
    if (!isWhole(block, at, end)) return { position: at, end };
    at = end;
  }
  return undefined;
}

/** Whether a last record that seems to be cut off covers some that are whole, or is one itself. */
function hidesRecords(block: Buffer, at: number): boolean {
  const expected = storedCrc32c(block, at);
  let crc = crc32c(block.subarray(at + HEADER_BYTES - 1, at + HEADER_BYTES));
  if (crc === expected) return true;
  for (let i = at + HEADER_BYTES; i < block.length; i++) {
    crc = crc32c(block.subarray(i, i + 1), crc);
    if (crc === expected) return true;
  }
  for (let i = at + 1; block.length - i > HEADER_BYTES; i++) {
    const end = recordEnd(block, i);
    if (end > i + HEADER_BYTES && end <= block.length && isWhole(block, i, end)) return true;
  }
  return false;
}

function isWhole(block: Buffer, at: number, end: number): boolean {
  const type = block[at + 6] ?? 0;
  if (type < 1 || type > TYPE_MAX) return false;
  return hasCrc32c(block, at + 6, end, at);
}

function recordEnd(block: Buffer, at: number): number {
  return at + HEADER_BYTES + block.readUInt16LE(at + 4);
}

/** Whether the record runs into sectors that are zero up to the end of the file. */
async function isUnwritten(file: FileHandle, size: number, bad: BadRecord): Promise<boolean> {
  const firstSector = Math.ceil(bad.position / SECTOR_BYTES) * SECTOR_BYTES;
  const lastSector = Math.floor(Math.min(bad.end, size - 1) / SECTOR_BYTES) * SECTOR_BYTES;
  let zeroFrom = size;
  const buffer = Buffer.allocUnsafe(BLOCK_BYTES);
  while (zeroFrom > bad.position) {
    const start = Math.max(bad.position, zeroFrom - buffer.length);
    const { bytesRead } = await file.read(buffer, 0, zeroFrom - start, start);
    const nonZero = buffer.subarray(0, bytesRead).findLastIndex((byte) => byte !== 0);
    zeroFrom = start + nonZero + 1;
    if (nonZero >= 0) break;
  }
  if (zeroFrom === bad.position) return size - zeroFrom >= ZEROS_MIN;
  const sector = Math.max(firstSector, Math.ceil(zeroFrom / SECTOR_BYTES) * SECTOR_BYTES);
  return sector <= lastSector && size - sector >= ZEROS_MIN;
}

function damaged(path: string, position: number): ServiceError {
  return new ServiceError(
    'storageDamaged',
    `the file ${path} is damaged at byte ${position}, so acknowledged writes would be lost. ` +
      'Restore the data directory from a backup, or copy the data anew from another server into an empty directory.',
  );
}
