import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory of its own for one test; disposing removes it with all that is in it. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
}

/** Makes an empty directory below the system's folder for temporary files: `await using dir = await makeTempDir()`. */
export async function makeTempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), 'ticklog-test-'));
  return {
    path,
    // A store that was killed may still have a file open for a moment, hence the retries.
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}
