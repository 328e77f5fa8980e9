import { chmod, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../base/make-directory.ts';
import type { Logger } from '../base/logger.ts';

/** Mode of a directory that nobody but its owner may enter. */
export const OWNER_ONLY = 0o700;
const FILE_OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/**
 * Makes a directory that nobody but its owner may enter. One that is there is made so, and the files directly in it
 * too: there are documents in them, hashes of passwords, and passwords of leaders. What belongs to another user, who
 * lets this process in, stays as it is, and is complained of in the log.
 */
export async function makePrivate(
  { logger }: { logger: Logger },
  directory: string,
): Promise<void> {
  await makeDirectory(directory, OWNER_ONLY);
  const paths = (await readdir(directory)).map((name) => join(directory, name));
  let isPrivate = await restrict(directory, OWNER_ONLY);
  for (const path of paths) isPrivate = (await restrict(path, FILE_OWNER_ONLY)) && isPrivate;
  if (!isPrivate) {
    logger.warn(
      { directory },
      'the stored data can be read by others, and belongs to another user',
    );
  }
}

/** @returns false when it belongs to somebody else */
async function restrict(path: string, mode: number): Promise<boolean> {
  try {
    if (((await stat(path)).mode & OTHERS) !== 0) await chmod(path, mode);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EPERM') return false;
    // A server that has the directory open removes files as it goes; who opens it is told of the lock.
    if (code !== 'ENOENT') throw error;
  }
  return true;
}
