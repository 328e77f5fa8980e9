import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { mergeDocuments } from '../protocol/json-text.ts';
import type { Pointer } from '../storage/pointer.ts';
import type { Collection } from './collection.ts';
import { contentOf } from './document-operations.ts';
import type { DocumentContent, DocumentWrites } from './document-writes.ts';
import type { ImportDocument } from './import-parser.ts';
import { type ImportTally, completeFailure } from './import-tally.ts';
import { newKey } from './key-generator.ts';
import { restOfData } from './stored-document.ts';

/** What an import does with a document whose key exists. */
export type OnDuplicate = 'error' | 'update' | 'replace' | 'ignore';

export interface WriteGroup {
  /** Emptied as they are written, so that a large group is not in memory twice. */
  readonly documents: (ImportDocument | undefined)[];
  /** Keys to be removed before; those that are gone by now do not matter. */
  readonly removeKeys: readonly string[];
  readonly onDuplicate: OnDuplicate;
  /** All or nothing: the first document that cannot be written ends the import. */
  readonly complete: boolean;
}

const MERGE = { keepNull: true, mergeObjects: true };

/**
 * Writes the documents of a group. Runs inside the commit queue, so it does nothing but what needs
 * the present state. Outcomes are counted in `tally`, which is used only if the commit succeeds.
 * @throws ServiceError with status 409 what is wrong with the first bad document, when `complete`;
 *   resourceLimit when a stream transaction cannot hold them all
 */
export function writeGroup(
  writes: DocumentWrites,
  collection: Collection,
  group: WriteGroup,
  tally: ImportTally,
): void {
  for (const key of group.removeKeys) {
    const old = writes.pointer(collection, key);
    if (old) writes.remove(collection, key, old);
  }
  const writer = new GroupWriter({ writes, collection }, { onDuplicate: group.onDuplicate });
  const { documents } = group;
  for (let i = 0; i < documents.length; i++) {
    const document = documents[i];
    if (!document) continue;
    documents[i] = undefined;
    const outcome = writer.write(document);
    if (!(outcome instanceof ServiceError)) tally[outcome]++;
    else if (group.complete) throw completeFailure(document.position, outcome, document);
    else tally.fail(document.position, outcome, document);
  }
}

type Outcome = 'created' | 'updated' | 'ignored';

class GroupWriter {
  readonly #writes: DocumentWrites;
  readonly #collection: Collection;
  readonly #onDuplicate: OnDuplicate;

  constructor(
    deps: { writes: DocumentWrites; collection: Collection },
    options: { onDuplicate: OnDuplicate },
  ) {
    this.#writes = deps.writes;
    this.#collection = deps.collection;
    this.#onDuplicate = options.onDuplicate;
  }

  /** Writes one document, or returns what is wrong with it; then nothing of it is written. */
  write(document: ImportDocument): Outcome | ServiceError {
    try {
      return this.#write(document);
    } catch (error) {
      // What is not the document's fault is the server's, or that of there being too many.
      const isItsFault = error instanceof ServiceError && error.kind !== 'resourceLimit';
      if (isItsFault && error.httpStatus < 500) return error;
      throw error;
    }
  }

  #write(document: ImportDocument): Outcome | ServiceError {
    const key = newKey(this.#writes, this.#collection, document.key);
    const old = this.#writes.pointer(this.#collection, key);
    if (!old) {
      this.#writes.upsert(this.#collection, key, this.#content(document, document.rest), undefined);
      return 'created';
    }
    if (this.#onDuplicate === 'error') return new ServiceError('uniqueConstraintViolated');
    if (this.#onDuplicate === 'ignore') return 'ignored';
    const content =
      this.#onDuplicate === 'replace'
        ? this.#content(document, document.rest)
        : this.#merged(document, key, old);
    this.#writes.upsert(this.#collection, key, content, old);
    return 'updated';
  }

  #merged(document: ImportDocument, key: string, old: Pointer): DocumentContent {
    const data = this.#writes.text(this.#collection, key, old);
    const rest = mergeDocuments(restOfData(data), document.rest, MERGE);
    if (this.#collection.type !== CollectionType.edge) return this.#content(document, rest);
    const { _from, _to } = JSON.parse(data) as { _from: string; _to: string };
    const { from = _from, to = _to } = document;
    return this.#content({ from, to }, rest);
  }

  #content({ from, to }: { from: unknown; to: unknown }, rest: string): DocumentContent {
    return contentOf(this.#collection, { from, to, rest }, undefined);
  }
}
