import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isNothingThere } from './nothing-there.ts';

/** In the data directory of a server, where LevelDB keeps its files. */
export const STORE_FOLDER = 'store';

/** By which LevelDB finds its files: it is there from the first start on. */
export const STORE_CURRENT = 'CURRENT';

/**
 * Whether a directory is the data directory of a server, which runs or does not.
 * @throws Error when that cannot be seen
 */
export async function isDataDirectory(directory: string): Promise<boolean> {
  try {
    await stat(join(directory, STORE_FOLDER, STORE_CURRENT));
    return true;
  } catch (error) {
    if (isNothingThere(error)) return false;
    throw error;
  }
}
