import { join } from 'node:path';
import { silentLogger } from '../../src/base/logger.ts';
import { Store, type StoreOptions } from '../../src/storage/store.ts';
import { ManualClock } from './manual-clock.ts';
import { type TempDir, makeTempDir } from './temp-dir.ts';

/** A store without catalogue in a temporary directory, which goes when it is disposed of. */
export class RawStore implements AsyncDisposable {
  readonly #dir: TempDir;
  #store: Store;

  constructor(store: Store, dir: TempDir) {
    this.#store = store;
    this.#dir = dir;
  }

  static async open(options: Omit<StoreOptions, 'directory'> = {}): Promise<RawStore> {
    const dir = await makeTempDir();
    return new RawStore(await openStoreAt(join(dir.path, 'data'), options), dir);
  }

  get store(): Store {
    return this.#store;
  }

  get directory(): string {
    return join(this.#dir.path, 'data');
  }

  /** Closes and opens again. */
  async reopen(): Promise<void> {
    await this.#store.close();
    this.#store = await openStoreAt(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
    await this.#dir[Symbol.asyncDispose]();
  }
}

/** Opens a store on a directory, with a clock that stands still. */
export function openStoreAt(
  directory: string,
  options: Omit<StoreOptions, 'directory'> = {},
): Promise<Store> {
  const deps = { clock: new ManualClock(), logger: silentLogger };
  return Store.open(deps, { ...options, directory });
}
