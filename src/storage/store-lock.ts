import { mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Level } from 'level';
import { ServiceError } from '../model/errors.ts';
import { isNotFound } from './file-reading.ts';

/**
 * Keeps servers from opening a store while something looks at its files. The lock of LevelDB is one of the
 * operating system on a file, which Node cannot take: so an empty database of LevelDB's own is opened
 * elsewhere, whose lock file is a link to that of the store. The store itself is not touched.
 */
export class StoreLock {
  readonly #level: Level;
  readonly #directory: string;

  private constructor(level: Level, directory: string) {
    this.#level = level;
    this.#directory = directory;
  }

  /**
   * @param storeDirectory has been opened by a server before
   * @throws ServiceError storeLocked while a server has it open
   */
  static async take(storeDirectory: string): Promise<StoreLock | undefined> {
    const lock = resolve(storeDirectory, 'LOCK');
    try {
      await stat(lock);
    } catch (error) {
      // A store that was copied may lack it; the first server makes it.
      if (isNotFound(error)) return undefined;
      throw error;
    }
    const directory = await mkdtemp(join(tmpdir(), 'ticklog-check-'));
    await symlink(lock, join(directory, 'LOCK'));
    const level = new Level(directory);
    try {
      await level.open();
      return new StoreLock(level, directory);
    } catch (error) {
      await rm(directory, { recursive: true });
      const cause = error instanceof Error ? error.cause : undefined;
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED'))
        throw error;
      throw new ServiceError(
        'storeLocked',
        `a server has ${storeDirectory} open; stop it, and check then`,
        { cause: error },
      );
    }
  }

  async release(): Promise<void> {
    await this.#level.close();
    await rm(this.#directory, { recursive: true });
  }
}
