import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Mode of a directory that nobody but its owner may enter. */
export const OWNER_ONLY = 0o700;
const FILE_OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/**
 * Makes a directory that nobody but its owner may enter. One that is there is made so, and the files directly in it
 * too: there are documents in them, hashes of passwords, and passwords of leaders.
 */
export async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: OWNER_ONLY });
  await restrict(directory, OWNER_ONLY);
  for (const name of await readdir(directory))
    await restrict(join(directory, name), FILE_OWNER_ONLY);
}

/** Does nothing where nothing is to be done: the owner may be another one, who lets this process in. */
async function restrict(path: string, mode: number): Promise<void> {
  try {
    if (((await stat(path)).mode & OTHERS) !== 0) await chmod(path, mode);
  } catch (error) {
    // A server that has the directory open removes files as it goes; who opens it is told of the lock.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
}
