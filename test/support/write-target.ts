import type { Content, LeaderModel, ModelCollection, ModelDocument } from './leader-model.ts';
import type { Random } from './random.ts';

/** What all operations of one writer are made from. */
export interface WriterContext {
  readonly random: Random;
  readonly model: LeaderModel;
  /** Keys and names of this writer begin with it. */
  readonly name: string;
}

/** A collection, and the keys in it that are one writer's own. */
export class WriteTarget {
  readonly collection: ModelCollection;
  readonly #keys: string[] = [];
  readonly #places = new Map<string, number>();

  constructor(collection: ModelCollection) {
    this.collection = collection;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Name for a path. */
  get path(): string {
    return encodeURIComponent(this.collection.name);
  }

  get isEdges(): boolean {
    return this.collection.type === EDGE_COLLECTION;
  }

  pick(random: Random): string | undefined {
    return random.pick(this.#keys);
  }

  get(key: string): ModelDocument | undefined {
    return this.collection.documents.get(key);
  }

  put(key: string, document: ModelDocument): void {
    this.collection.put(key, document);
    if (this.#places.has(key)) return;
    this.#places.set(key, this.#keys.length);
    this.#keys.push(key);
  }

  remove(key: string): void {
    this.collection.remove(key);
    const place = this.#places.get(key);
    const last = this.#keys.pop();
    if (place === undefined || last === undefined) return;
    this.#places.delete(key);
    if (last === key) return;
    this.#keys[place] = last;
    this.#places.set(last, place);
  }

  /** All documents are gone; for collections of which this writer is the only one. */
  clear(): void {
    this.collection.clear();
    this.#keys.length = 0;
    this.#places.clear();
  }
}

export const DOCUMENT_COLLECTION = 2;
export const EDGE_COLLECTION = 3;
/** Of the unique index, and of the other one. */
export const UNIQUE_FIELD = 'u';
export const PLAIN_FIELD = 'n';

/** Text that documents are cut from; escapes and characters of all lengths are in it. */
const TEXT = 'Zwölf "Boxkämpfer" jagen \\ Viktor\n quer 🦊 über den\tgroßen \u2028Deich, '.repeat(
  40,
);
const LONG_TEXT_CHARACTERS = 40_000;

/** A new document. @param op the operation that writes it */
export function newContent(random: Random, op: number, isEdge: boolean): Content {
  const start = random.below(1000);
  const content: Record<string, unknown> = {
    op,
    n: random.below(10),
    text: TEXT.slice(start, start + 20 + random.below(240)),
    at: { x: random.below(1000), y: random.next() },
  };
  // Mostly a value that no other document has.
  if (random.percent(70)) {
    content[UNIQUE_FIELD] = random.percent(97)
      ? op * 10_000 + random.below(10_000)
      : random.below(50);
  }
  return isEdge ? { ...ends(random), ...content } : content;
}

/** As `newContent`, and now and then a large one. */
export function newSingleContent(random: Random, op: number, isEdge: boolean): Content {
  const content = newContent(random, op, isEdge);
  return random.percent(1) ? { ...content, text: 'x'.repeat(LONG_TEXT_CHARACTERS) } : content;
}

/** The content without one of its attributes. */
export function without(content: Content, name: string): Content {
  return Object.fromEntries(Object.entries(content).filter(([each]) => each !== name));
}

/** The collection named must exist; the vertices need not. */
function ends(random: Random): Content {
  const vertex = (): string => `${SHARED_COLLECTION}/v${random.below(1000)}`;
  return { _from: vertex(), _to: vertex() };
}

/** A collection that all writers write to, and that is never renamed or dropped. */
export const SHARED_COLLECTION = 'shared';
