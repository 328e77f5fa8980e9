import { isDeepStrictEqual } from 'node:util';
import { type DumpEntry, contentOf, dumpEntries, isRemoval } from '../support/dump.ts';
import type { HttpClient } from '../support/http-client.ts';
import type { Content } from './packages.ts';

/** A document as a server holds it, or as it must be. */
export interface Stored {
  /** Undefined where the server that wrote it did not tell. */
  readonly rev: string | undefined;
  readonly content: Content;
}

/** Documents by key. */
export type Documents = ReadonlyMap<string, Stored>;

/** What one write makes of one document; undefined content removes it. */
export interface Change {
  readonly collection: string;
  readonly key: string;
  readonly content: Content | undefined;
}

/**
 * What the leader must hold, known from nothing but its answers: changes it acknowledged, and those it
 * could not answer because it was killed, which may have happened or not.
 */
export class Model {
  readonly #collections = new Map<string, Map<string, Stored>>();
  readonly #unanswered = new Map<string, Change>();

  /** The leader has acknowledged a change. */
  acknowledge(change: Change, rev?: string): void {
    const { collection, key, content } = change;
    const documents = this.#collections.get(collection) ?? new Map<string, Stored>();
    this.#collections.set(collection, documents);
    if (content) documents.set(key, { rev, content });
    else documents.delete(key);
  }

  /** The connection broke before there was an answer. */
  noteUnanswered(change: Change): void {
    this.#unanswered.set(`${change.collection}/${change.key}`, change);
  }

  /**
   * Decides from what the leader holds which of the unanswered changes have happened.
   * @returns how many have, and how many have not
   * @throws Error when a document is neither as before nor as after its change
   */
  settle(found: ReadonlyMap<string, Documents>): { happened: number; lost: number } {
    let happened = 0;
    const unanswered = [...this.#unanswered.values()];
    this.#unanswered.clear();
    for (const change of unanswered) {
      const { collection, key, content } = change;
      const now = found.get(collection)?.get(key);
      const before = this.#collections.get(collection)?.get(key);
      if (differenceOf(before, now) === undefined) continue;
      const after = content && { rev: undefined, content };
      const difference = differenceOf(after, now);
      if (difference !== undefined) {
        throw new Error(`${collection}/${key} is neither as before nor as after: ${difference}`);
      }
      this.acknowledge(change, now?.rev);
      happened++;
    }
    return { happened, lost: unanswered.length - happened };
  }

  get collections(): ReadonlyMap<string, Documents> {
    return this.#collections;
  }

  /** Live documents in all collections. */
  get count(): number {
    let count = 0;
    for (const documents of this.#collections.values()) count += documents.size;
    return count;
  }
}

/** Reads collections of a server through its dump, and plays history forward to what is live. */
export async function readDocuments(
  http: HttpClient,
  collections: Iterable<string>,
): Promise<ReadonlyMap<string, Documents>> {
  const found = new Map<string, Documents>();
  for (const collection of collections) {
    const documents = new Map<string, Stored>();
    for await (const entry of dumpEntries(http, collection)) {
      if (isRemoval(entry)) documents.delete(entry.key);
      else documents.set(entry.key, storedOf(entry));
    }
    found.set(collection, documents);
  }
  return found;
}

/** Compares document by document; a revision that is not known on one side is not compared. */
export function differences(
  left: ReadonlyMap<string, Documents>,
  right: ReadonlyMap<string, Documents>,
): readonly string[] {
  const found: string[] = [];
  for (const collection of new Set([...left.keys(), ...right.keys()])) {
    const ofLeft: Documents = left.get(collection) ?? new Map<string, Stored>();
    const ofRight: Documents = right.get(collection) ?? new Map<string, Stored>();
    for (const key of new Set([...ofLeft.keys(), ...ofRight.keys()])) {
      const difference = differenceOf(ofLeft.get(key), ofRight.get(key));
      if (difference !== undefined) found.push(`${collection}/${key}: ${difference}`);
    }
  }
  return found;
}

function differenceOf(left: Stored | undefined, right: Stored | undefined): string | undefined {
  if (!left || !right) {
    if (left === right) return undefined;
    return left ? 'missing on the right' : 'missing on the left';
  }
  const bothKnown = left.rev !== undefined && right.rev !== undefined;
  if (bothKnown && left.rev !== right.rev) return `revisions ${left.rev} and ${right.rev}`;
  return isDeepStrictEqual(left.content, right.content) ? undefined : 'the data differs';
}

function storedOf(entry: DumpEntry): Stored {
  return { rev: entry.rev, content: { _key: entry.key, ...contentOf(entry) } };
}
