import type { Changelog } from '../changelog/changelog.ts';
import { ServiceError } from '../model/errors.ts';
import type { Collection } from './collection.ts';
import { WriteLocks } from './write-locks.ts';

export const SYSTEM_DATABASE = '_system';

/** One database as committed: its collections by name and by id, and its changelog. */
export class Database {
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly changelog: Changelog;
  /** Longest document that a client may write, in bytes. */
  readonly documentMaxBytes: number;
  /** What open stream transactions keep others from writing. */
  readonly locks = new WriteLocks();
  /**
   * Set while an applier runs: says whether a collection belongs to it, so that ordinary writes are
   * refused (design, section 5).
   */
  writeGuard: ((collectionName: string) => boolean) | undefined;
  readonly #byName = new Map<string, Collection>();
  readonly #byCid = new Map<string, Collection>();
  #dropped = false;

  constructor(
    deps: { changelog: Changelog },
    options: { number: number; id: string; name: string; documentMaxBytes: number },
  ) {
    this.changelog = deps.changelog;
    this.number = options.number;
    this.id = options.id;
    this.name = options.name;
    this.documentMaxBytes = options.documentMaxBytes;
  }

  get isSystem(): boolean {
    return this.name === SYSTEM_DATABASE;
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  /** Visible collections, in the order of their creation. */
  get collections(): Collection[] {
    return [...this.#byName.values()].sort((a, b) => a.number - b.number);
  }

  byName(name: string): Collection | undefined {
    return this.#byName.get(name);
  }

  byCid(cid: string): Collection | undefined {
    return this.#byCid.get(cid);
  }

  /** By name, or by id when it starts with a digit (contract 1.2). */
  find(nameOrId: string): Collection | undefined {
    return startsWithDigit(nameOrId) ? this.#byCid.get(nameOrId) : this.#byName.get(nameOrId);
  }

  /** @throws ServiceError collectionNotFound */
  get(nameOrId: string): Collection {
    const collection = this.find(nameOrId);
    if (!collection) {
      throw new ServiceError('collectionNotFound');
    }
    return collection;
  }

  /** @throws ServiceError readOnly when a running applier replicates the collection. */
  assertWritable(collectionName: string): void {
    if (this.writeGuard?.(collectionName)) {
      throw new ServiceError(
        'readOnly',
        `collection '${collectionName}' is replicated from another server and cannot be written here; ` +
          'write to the leader, stop the applier, or set allowWrites in its configuration',
      );
    }
  }

  /** Makes a committed collection visible; `oldName` when it was renamed. */
  show(collection: Collection, oldName?: string): void {
    if (oldName !== undefined && this.#byName.get(oldName) === collection) {
      this.#byName.delete(oldName);
    }
    this.#byName.set(collection.name, collection);
    this.#byCid.set(collection.cid, collection);
  }

  /** Takes a dropped collection out of sight. */
  hide(collection: Collection): void {
    if (this.#byName.get(collection.name) === collection) this.#byName.delete(collection.name);
    if (this.#byCid.get(collection.cid) === collection) this.#byCid.delete(collection.cid);
  }

  /** Says that the database is gone; those who still hold it are told so. */
  markDropped(): void {
    this.#dropped = true;
    this.changelog.markDropped();
  }

  /** @throws ServiceError databaseNotFound when it was dropped since it was looked up. */
  assertAlive(): void {
    if (this.#dropped) throw new ServiceError('databaseNotFound');
  }
}

function startsWithDigit(text: string): boolean {
  const code = text.charCodeAt(0);
  return code >= 0x30 && code <= 0x39;
}
