import { isDeepStrictEqual } from 'node:util';
import { type FoundCollection, type FoundServer, foundDocument } from './server-reading.ts';

/** Attributes of a document without key and revision, the ends of an edge included. */
export type Content = Readonly<Record<string, unknown>>;

export interface ModelDocument {
  /** Undefined until a server has told it. */
  rev: string | undefined;
  readonly content: Content;
}

/** An index as it was asked for, with the id the server gave it. */
export interface ModelIndex {
  readonly id: string;
  readonly type: string;
  readonly field: string;
  readonly unique: boolean;
  /** What the definition says of it, undefined for nothing: then it is sparse. */
  readonly sparse: boolean | undefined;
}

const DIFFERENCES_MAX = 10;

/** Values of one unique index. */
interface UniqueValues {
  readonly index: ModelIndex;
  readonly owners: Map<unknown, string>;
}

/** What a collection must hold, known from nothing but answers. */
export class ModelCollection {
  readonly cid: string;
  readonly type: number;
  name: string;
  waitForSync = false;
  journalSize: number | undefined;
  readonly #documents = new Map<string, ModelDocument>();
  readonly #indexes = new Map<string, ModelIndex>();
  readonly #unique: UniqueValues[] = [];

  constructor(options: { cid: string; name: string; type: number }) {
    this.cid = options.cid;
    this.name = options.name;
    this.type = options.type;
  }

  get documents(): ReadonlyMap<string, ModelDocument> {
    return this.#documents;
  }

  get indexes(): ReadonlyMap<string, ModelIndex> {
    return this.#indexes;
  }

  put(key: string, document: ModelDocument): void {
    this.remove(key);
    this.#documents.set(key, document);
    for (const { index, owners } of this.#unique) {
      const value = indexedValue(index, document.content);
      if (value !== undefined) owners.set(value, key);
    }
  }

  remove(key: string): void {
    const document = this.#documents.get(key);
    if (!document) return;
    this.#documents.delete(key);
    for (const { index, owners } of this.#unique) {
      const value = indexedValue(index, document.content);
      if (value !== undefined) owners.delete(value);
    }
  }

  clear(): void {
    this.#documents.clear();
    for (const { owners } of this.#unique) owners.clear();
  }

  /** Whether a unique index keeps this content from standing under this key. */
  conflicts(key: string, content: Content): boolean {
    return this.#unique.some(({ index, owners }) => {
      const value = indexedValue(index, content);
      const owner = value === undefined ? undefined : owners.get(value);
      return owner !== undefined && owner !== key;
    });
  }

  /** Whether the documents allow an index. */
  allows(index: Omit<ModelIndex, 'id'>): boolean {
    if (!index.unique) return true;
    const values = new Set<unknown>();
    for (const { content } of this.#documents.values()) {
      const value = indexedValue(index, content);
      if (value === undefined) continue;
      if (values.has(value)) return false;
      values.add(value);
    }
    return true;
  }

  /** An index that would be the same. */
  sameIndex(wanted: Omit<ModelIndex, 'id'>): ModelIndex | undefined {
    return [...this.#indexes.values()].find(
      ({ type, field, unique, sparse }) =>
        type === wanted.type &&
        field === wanted.field &&
        unique === wanted.unique &&
        (sparse ?? true) === (wanted.sparse ?? true),
    );
  }

  addIndex(index: ModelIndex): void {
    this.#indexes.set(index.id, index);
    if (!index.unique) return;
    const owners = new Map<unknown, string>();
    for (const [key, { content }] of this.#documents) {
      const value = indexedValue(index, content);
      if (value !== undefined) owners.set(value, key);
    }
    this.#unique.push({ index, owners });
  }

  dropIndex(id: string): void {
    this.#indexes.delete(id);
    const at = this.#unique.findIndex(({ index }) => index.id === id);
    if (at >= 0) this.#unique.splice(at, 1);
  }
}

/** What a unique index holds for a content; undefined for nothing. */
function indexedValue(index: Omit<ModelIndex, 'id'>, content: Content): unknown {
  const value = content[index.field] ?? null;
  return value === null && (index.sparse ?? true) ? undefined : value;
}

/** All collections that the leader must hold. */
export class LeaderModel {
  readonly collections = new Map<string, ModelCollection>();
  /** Documents that were written, however they are now. */
  documentsWritten = 0;
  /** Requests that were answered with success. */
  acknowledged = 0;
  #operations = 0;

  /** A number that no other operation has; documents carry that of the one that wrote them. */
  nextOperation(): number {
    return ++this.#operations;
  }

  add(collection: ModelCollection): ModelCollection {
    this.collections.set(collection.cid, collection);
    return collection;
  }

  drop(collection: ModelCollection): void {
    this.collections.delete(collection.cid);
  }

  /**
   * Compares with what a server holds, and takes over the revisions that no answer has told.
   * @param except collections that somebody else looks after
   * @returns a sentence for each of the first differences
   */
  differences(found: FoundServer, except: ReadonlySet<string>): string[] {
    const all: string[] = [];
    for (const cid of new Set([...this.collections.keys(), ...found.keys()])) {
      if (except.has(cid)) continue;
      const model = this.collections.get(cid);
      const there = found.get(cid);
      if (model && there) all.push(...collectionDifferences(model, there));
      else if (model) all.push(`${model.name} (${cid}) is missing`);
      else all.push(`${there?.name ?? ''} (${cid}) should not be there`);
    }
    return all.slice(0, DIFFERENCES_MAX);
  }
}

function collectionDifferences(model: ModelCollection, found: FoundCollection): string[] {
  const differences: string[] = [];
  const check = (what: string, expected: unknown, actual: unknown): void => {
    if (isDeepStrictEqual(expected, actual)) return;
    const [should, is] = [JSON.stringify(expected), JSON.stringify(actual)];
    differences.push(`${model.name}: ${what} is ${is}, not ${should}`);
  };
  const { parameters } = found;
  check('the name', model.name, found.name);
  check('the type', model.type, parameters['type']);
  check('waitForSync', model.waitForSync, parameters['waitForSync']);
  if (model.journalSize !== undefined) {
    check('the journal size', model.journalSize, parameters['maximalSize']);
  }
  check('the indexes', [...model.indexes.values()].map(indexText).sort(), foundIndexes(found));
  check('the count', model.documents.size, found.count);
  for (const key of new Set([...model.documents.keys(), ...found.documents.keys()])) {
    if (differences.length >= DIFFERENCES_MAX) break;
    const difference = documentDifference(model.documents.get(key), found, key);
    if (difference !== undefined) differences.push(`${model.name}/${key} ${difference}`);
  }
  return differences;
}

function documentDifference(
  expected: ModelDocument | undefined,
  found: FoundCollection,
  key: string,
): string | undefined {
  const entry = found.documents.get(key);
  if (!entry) return `is missing; operation ${String(expected?.content['op'])} wrote it`;
  const { rev, content } = foundDocument(entry);
  if (!expected) return `should not be there: ${JSON.stringify(content).slice(0, 120)}`;
  if (expected.rev !== undefined && expected.rev !== rev) {
    return `has revision ${rev}, not ${expected.rev}`;
  }
  if (!isDeepStrictEqual(content, expected.content)) {
    const texts = [content, expected.content].map((each) => JSON.stringify(each).slice(0, 120));
    return `holds ${texts.join(', not ')}`;
  }
  expected.rev = rev;
  return undefined;
}

function indexText({ id, type, field, unique, sparse }: ModelIndex): string {
  return JSON.stringify({ id, type, fields: [field], unique, sparse: sparse ?? null });
}

function foundIndexes(found: FoundCollection): string[] {
  const texts = found.indexes.map(({ id, type, fields, unique, sparse }) =>
    JSON.stringify({ id, type, fields, unique, sparse: sparse ?? null }),
  );
  return texts.sort();
}
