import type { IndexDefinition } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { Space } from '../storage/keys.ts';
import { encodeIndexValues } from './index-key.ts';

const ENFORCED: ReadonlySet<string> = new Set(['hash', 'skiplist', 'persistent']);
const NOTHING = Buffer.alloc(0);

/** What an index sees of a document: all its attributes, its key and the ends of an edge among them. */
export type IndexedDocument = Readonly<Record<string, unknown>>;

/** Where index entries are looked up and written: the commit, or a stream transaction's view of it. */
export interface IndexEntries {
  get(key: Buffer): Buffer | undefined;
  put(key: Buffer, value: Buffer): void;
  del(key: Buffer): void;
}

/**
 * An index that is kept up to date with every write: `i` number, values -> key when it is unique,
 * `i` number, values, key -> nothing otherwise.
 */
export class SecondaryIndex {
  readonly number: number;
  readonly definition: IndexDefinition;
  readonly #paths: readonly (readonly string[])[];
  readonly #sparse: boolean;

  private constructor(number: number, definition: IndexDefinition, fields: readonly string[]) {
    this.number = number;
    this.definition = definition;
    this.#paths = fields.map((field) => field.split('.'));
    // 1.4 knows no `sparse`: its indexes leave out documents that lack an attribute.
    this.#sparse = definition.sparse ?? true;
  }

  /** undefined for definitions that are only kept: other types, and paths into arrays. */
  static from(number: number, definition: IndexDefinition): SecondaryIndex | undefined {
    if (!ENFORCED.has(definition.type) || !definition.fields) return undefined;
    const fields = definition.fields.filter((field) => typeof field === 'string');
    if (fields.length !== definition.fields.length) return undefined;
    if (fields.some((field) => field.includes('[*]'))) return undefined;
    return new SecondaryIndex(number, definition, fields);
  }

  /**
   * Key of the document whose values are in the way of this one, undefined when none is. Nothing is
   * written.
   */
  conflict(tx: IndexEntries, document: IndexedDocument, key: string): string | undefined {
    const entry = this.uniqueEntry(document, key);
    const owner = entry && tx.get(entry)?.toString('utf8');
    return owner === key ? undefined : owner;
  }

  /** Key of the entry that only one document can have; undefined where any number can. */
  uniqueEntry(document: IndexedDocument, key: string): Buffer | undefined {
    return this.definition.unique ? this.#entryKey(document, key) : undefined;
  }

  /** @throws ServiceError uniqueConstraintViolated naming index and document. Nothing is written. */
  check(tx: IndexEntries, document: IndexedDocument, key: string): void {
    const owner = this.conflict(tx, document, key);
    if (owner === undefined) return;
    throw new ServiceError(
      'uniqueConstraintViolated',
      `unique constraint violated: index ${this.definition.id} over ` +
        `${JSON.stringify(this.definition.fields)} already holds these values for document '${owner}'`,
    );
  }

  /** Adds a document that `check` has let pass. */
  insert(tx: IndexEntries, document: IndexedDocument, key: string): void {
    const entry = this.#entryKey(document, key);
    if (entry) tx.put(entry, this.definition.unique ? Buffer.from(key) : NOTHING);
  }

  /** Adds a document that was there before the index. @throws ServiceError uniqueConstraintViolated */
  fill(tx: IndexEntries, { document, key }: { document: IndexedDocument; key: string }): void {
    this.check(tx, document, key);
    this.insert(tx, document, key);
  }

  /** Removes what `insert` added. While an index is being filled the entry may be another's. */
  remove(tx: IndexEntries, document: IndexedDocument, key: string): void {
    const entry = this.#entryKey(document, key);
    if (!entry) return;
    if (this.definition.unique && tx.get(entry)?.toString('utf8') !== key) return;
    tx.del(entry);
  }

  #entryKey(document: IndexedDocument, key: string): Buffer | undefined {
    const values = this.#paths.map((path) => attribute(document, path));
    if (this.#sparse && values.some((value) => value === undefined || value === null)) {
      return undefined;
    }
    const head = Buffer.allocUnsafe(5);
    head[0] = Space.secondary;
    head.writeUInt32BE(this.number, 1);
    const parts = [head, encodeIndexValues(values)];
    if (!this.definition.unique) parts.push(Buffer.from(key));
    return Buffer.concat(parts);
  }
}

function attribute(document: IndexedDocument, path: readonly string[]): unknown {
  let value: unknown = document;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (!Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
