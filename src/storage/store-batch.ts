import type { ChainedBatch } from 'level';
import type { Level } from './commit-group.ts';
import type { RecordSink } from './open-block.ts';
import { PendingPointer, encodePointer } from './pointer.ts';
import type { Scratch } from './scratch.ts';

/**
 * What the store's driver itself does for a batch. The public methods make an object of each record for listeners and
 * hooks, which the store has none of, and end the batch when it is written; the driver copies bytes.
 */
interface DriverBatch extends ChainedBatch<Level, Buffer, Buffer> {
  _put(key: Buffer, value: Buffer): void;
  _del(key: Buffer): void;
  _clear(): void;
  _write(options: { readonly sync: boolean }): Promise<void>;
}

/**
 * Records of which all or none come into the store. It can be filled and written again and again in the same memory,
 * which a batch of the driver's would ask the system for each time, and give back when it is collected as garbage.
 */
export class StoreBatch implements RecordSink {
  /** Where it is written. */
  readonly level: Level;
  readonly keys: Scratch;
  readonly values: Scratch;
  readonly #driver: DriverBatch;
  #bytes = 0;
  #mostBytes = 0;

  /**
   * @param scratch for keys and values that are copied into the batch
   * @throws Error with the code LEVEL_DATABASE_NOT_OPEN
   */
  constructor(level: Level, scratch: { readonly keys: Scratch; readonly values: Scratch }) {
    this.keys = scratch.keys;
    this.values = scratch.values;
    this.level = level;
    this.#driver = level.batch() as DriverBatch;
  }

  /** Of keys and values that are in it now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The most that was ever in it; up to twice as much memory is kept for what comes next. */
  get mostBytes(): number {
    return Math.max(this.#mostBytes, this.#bytes);
  }

  put(key: Buffer, value: Buffer): void {
    this.#bytes += key.length + value.length;
    this.#driver._put(key, value);
  }

  del(key: Buffer): void {
    this.#bytes += key.length;
    this.#driver._del(key);
  }

  /** Puts what a key, bytes or latin1 text, points to, or removes it. */
  change(name: Buffer | string, value: Buffer | PendingPointer | null): void {
    const key = typeof name === 'string' ? this.keys.bytes(name) : name;
    if (!value) this.del(key);
    else this.put(key, value instanceof PendingPointer ? encodePointer(value, this.values) : value);
  }

  /**
   * Resolves when all of it is in the store, and with `sync` on the disk; the batch is empty then. One that could not be
   * written is closed.
   * @throws Error of LevelDB, or with the code LEVEL_DATABASE_NOT_OPEN
   */
  async write(options: { readonly sync: boolean }): Promise<void> {
    // The driver does not look.
    if (this.level.status !== 'open') {
      throw Object.assign(new Error('the store is closed'), { code: 'LEVEL_DATABASE_NOT_OPEN' });
    }
    try {
      await this.#driver._write(options);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#mostBytes = this.mostBytes;
    this.#bytes = 0;
    // Not the public method, which throws when the store is being closed: what was to be written is.
    this.#driver._clear();
  }

  /** Lets go of it; its memory is free when it is collected as garbage. */
  async close(): Promise<void> {
    await this.#driver.close();
  }
}
