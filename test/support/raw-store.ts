import { join } from 'node:path';
import { silentLogger } from '../../src/base/logger.ts';
import type { Tick } from '../../src/model/tick.ts';
import { primaryPrefix } from '../../src/storage/keys.ts';
import { OpenPointer } from '../../src/storage/pointer.ts';
import { Store, type StoreOptions } from '../../src/storage/store.ts';
import type { WriteTx } from '../../src/storage/write-tx.ts';
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

/**
 * Puts a document into the journal of collection 1, as a document write does.
 * @returns its tick, which is also its revision unless one is given
 */
export function putDocument(tx: WriteTx, key: string, rev?: string): Tick {
  const tick = tx.drawTick();
  const revision = rev ?? tick.toString();
  const pointer = new OpenPointer(tick, revision);
  tx.putPointer(primaryPrefix(1) + key, pointer);
  const entry = { tick, type: 2300, collection: 1, transaction: 0n };
  const tail = `"type":2300,"key":"${key}","rev":"${revision}","data":{"_key":"${key}"}}\n`;
  tx.journal(1).append(entry, tail, pointer);
  return tick;
}
