import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory, and those above it that are missing; one that is there stays as it is. Not by `recursive` of mkdir,
 * which tries for ever, deaf to signals, where a file system like /proc says of a directory it refuses that it is not there.
 * @param mode of those that are made
 * @throws Error of the system, or one (ENOTDIR) that says that there is a file of that name
 */
export async function makeDirectory(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') {
      if ((await stat(path)).isDirectory()) return;
      const message = `'${path}' is a file, and should be a directory`;
      throw Object.assign(new Error(message, { cause: error }), { code: 'ENOTDIR' });
    }
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || (await isThere(parent))) throw error;
    await makeDirectory(parent, mode);
    await makeDirectory(path, mode);
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
