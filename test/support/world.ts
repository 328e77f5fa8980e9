import type { FoundCollection, FoundServer } from './server-reading.ts';

const DIFFERENCES_MAX = 10;

/** Takes note of what has been done to the documents of a collection. */
export interface Notes {
  written(key: string, rev: string): void;
  removed(key: string): void;
  /** Whether they are there, and as what, is not known. */
  doubt(keys: Iterable<string>): void;
  /** There may be more than is known. */
  open(): void;
  /** Any document may be gone, or have come. */
  forget(): void;
  truncated(): void;
}

/** A collection of a leader as its answers have made it known. */
export class WorldCollection implements Notes {
  readonly cid: string;
  readonly type: number;
  name: string;
  /** Revisions of its documents; undefined where it is not known whether it is there, and as what. */
  readonly #revs = new Map<string, string | undefined>();
  /** There may be documents of unknown keys. */
  #isOpen = false;
  /** Nothing is known of its documents. */
  #isBlind = false;
  /** What is written may push out others. */
  #hasCap = false;

  constructor(given: { cid: string; name: string; type: number }) {
    this.cid = given.cid;
    this.name = given.name;
    this.type = given.type;
  }

  get isEdges(): boolean {
    return this.type === 3;
  }

  get isSystem(): boolean {
    return this.name.startsWith('_');
  }

  /** Number of keys that are known, of documents that may be there. */
  get size(): number {
    return this.#revs.size;
  }

  keys(): string[] {
    return [...this.#revs.keys()];
  }

  rev(key: string): string | undefined {
    return this.#revs.get(key);
  }

  written(key: string, rev: string): void {
    this.#revs.set(key, rev);
  }

  removed(key: string): void {
    this.#revs.delete(key);
  }

  truncated(): void {
    this.#revs.clear();
    this.#isOpen = false;
    this.#isBlind = this.#hasCap;
  }

  capped(): void {
    this.#hasCap = true;
    this.#isBlind = true;
  }

  doubt(keys: Iterable<string>): void {
    for (const key of keys) this.#revs.set(key, undefined);
  }

  open(): void {
    this.#isOpen = true;
  }

  forget(): void {
    this.#isBlind = true;
  }

  /** In what the leader differs from what it has answered. */
  differences(found: FoundCollection): string[] {
    const all: string[] = [];
    if (found.name !== this.name) all.push(`${this.name} (${this.cid}) is called ${found.name}`);
    if (found.parameters['type'] !== this.type) all.push(`${this.name} is of another type`);
    if (found.count !== found.documents.size) {
      all.push(`${this.name} counts ${found.count}, and has ${found.documents.size} documents`);
    }
    if (this.#isBlind) return all;
    for (const [key, rev] of this.#revs) {
      const there = found.documents.get(key)?.rev;
      if (rev === undefined || rev === there) continue;
      all.push(`${this.name}/${key} was ${rev}, and is ${there ?? 'not there'}`);
    }
    if (this.#isOpen) return all;
    for (const key of found.documents.keys()) {
      if (!this.#revs.has(key)) all.push(`${this.name}/${key} was not there`);
    }
    return all;
  }

  learn(found: FoundCollection): void {
    this.#hasCap = found.indexes.some(({ type }) => type === 'cap');
    this.truncated();
    for (const [key, { rev }] of found.documents) this.#revs.set(key, rev);
  }
}

/** What a leader holds, as far as its answers tell. */
export class World {
  readonly #collections = new Map<string, WorldCollection>();
  /** Collections that the operation in hand has to do with. */
  readonly touched = new Set<string>();
  /** The list of collections may be another one. */
  isListDoubted = false;

  get collections(): readonly WorldCollection[] {
    return [...this.#collections.values()];
  }

  named(name: string): WorldCollection | undefined {
    return this.collections.find((each) => each.name === name);
  }

  add(given: { cid: string; name: string; type: number }): WorldCollection {
    const collection = new WorldCollection(given);
    this.#collections.set(given.cid, collection);
    this.touched.add(given.cid);
    return collection;
  }

  get(cid: string): WorldCollection | undefined {
    return this.#collections.get(cid);
  }

  drop(cid: string): void {
    this.#collections.delete(cid);
  }

  /** Nobody answered: of all that was touched nothing is known any more. */
  doubtTouched(): void {
    this.isListDoubted = true;
    for (const cid of this.touched) this.#collections.get(cid)?.forget();
  }

  /** In what the leader differs from what it has answered, in sentences. */
  differences(found: FoundServer): string[] {
    const all: string[] = [];
    for (const each of this.collections) {
      const there = found.get(each.cid);
      if (there) {
        if (!this.isListDoubted || there.name === each.name) all.push(...each.differences(there));
      } else if (!this.isListDoubted || !this.touched.has(each.cid)) {
        all.push(`${each.name} (${each.cid}) is gone`);
      }
    }
    for (const { cid, name } of found.values()) {
      if (!this.isListDoubted && !this.#collections.has(cid)) all.push(`${name} (${cid}) is new`);
    }
    return all.slice(0, DIFFERENCES_MAX);
  }

  /** Takes what the leader holds for what it has answered. */
  learn(found: FoundServer): void {
    this.isListDoubted = false;
    for (const { cid } of this.collections) if (!found.has(cid)) this.drop(cid);
    for (const each of found.values()) {
      const { cid, name, parameters } = each;
      const type = Number(parameters['type']);
      const known = this.get(cid);
      // Open transactions take note of what they have done where it is known.
      const collection = known?.type === type ? known : this.add({ cid, name, type });
      collection.name = name;
      collection.learn(each);
    }
    this.touched.clear();
  }
}
