import { open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { STORE_FOLDER } from '../base/data-directory.ts';
import { isNotFound } from './file-reading.ts';

/** Beside the store, for a moment. */
export const PROBE_FILE = 'write-probe';
const PROBE_BYTES = 64 * 1024;
/** Beyond what opening needs, so that the next writes do not fail at once. */
const SPARE_BYTES = 4 * 1024 * 1024;

/**
 * Tries whether a store that could not be written can be opened again: something is written and fsynced beside it,
 * and there is room for the tables that LevelDB makes of its logs when it opens.
 * @throws the error of the operating system, or one that says how much room is wanted
 */
export async function probeWriting(dataDirectory: string): Promise<void> {
  const path = join(dataDirectory, PROBE_FILE);
  try {
    const file = await open(path, 'w');
    try {
      await file.writeFile(Buffer.alloc(PROBE_BYTES, 1));
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await rm(path, { force: true });
  }
  const { bavail, bsize } = await statfs(dataDirectory);
  const wanted = (await logBytes(join(dataDirectory, STORE_FOLDER))) + SPARE_BYTES;
  if (bavail * bsize >= wanted) return;
  throw new Error(
    `no space left on device: ${bavail * bsize} bytes are free, ${wanted} are needed`,
  );
}

async function logBytes(storeDirectory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(storeDirectory)) {
    if (!name.endsWith('.log')) continue;
    try {
      bytes += (await stat(join(storeDirectory, name))).size;
    } catch (error) {
      // A log of which a table has just been made.
      if (!isNotFound(error)) throw error;
    }
  }
  return bytes;
}
