import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of the files in a directory, and how many they are. Files that go meanwhile do not count. */
export async function directorySize(
  directory: string,
): Promise<{ readonly bytes: number; readonly files: number }> {
  let bytes = 0;
  let files = 0;
  for (const name of await readdir(directory)) {
    const found = await stat(join(directory, name)).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found?.isFile() !== true) continue;
    bytes += found.size;
    files++;
  }
  return { bytes, files };
}
