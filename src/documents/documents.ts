import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { parseHandle } from '../model/names.ts';
import { type ParsedDocument, mergeDocuments, parseDocument } from '../protocol/json-text.ts';
import type { Pointer } from '../storage/pointer.ts';
import { Space, numberRange, primaryKeyDocument } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import { type DocumentContent, DocumentTx } from './document-tx.ts';
import { newKey } from './key-generator.ts';
import { dataOfLine, restOfData, withId } from './stored-document.ts';

export interface WriteResult {
  readonly key: string;
  readonly rev: string;
  /** The revision replaced or removed. */
  readonly oldRev?: string | undefined;
  /** Whether the write was fsynced before the answer. */
  readonly synced: boolean;
  /** Texts of the whole document, `_id` included, where asked for. */
  readonly newText?: string | undefined;
  readonly oldText?: string | undefined;
}

export interface StoredDocument {
  readonly key: string;
  readonly rev: string;
  /** JSON text of the document, with `_id`. */
  readonly text: string;
}

export interface WriteSettings {
  /** In addition to what the collection says. */
  readonly waitForSync?: boolean;
  readonly returnOld?: boolean;
  readonly returnNew?: boolean;
}

export interface Precondition {
  /** The revision the document must have; anything goes when absent. */
  readonly rev?: string | undefined;
}

/** What an insert does when the key exists (3.x `overwriteMode`). */
export type OverwriteMode = 'conflict' | 'ignore' | 'replace' | 'update';

export interface MergeSettings {
  readonly keepNull: boolean;
  readonly mergeObjects: boolean;
}

/** Ends of an edge where they come apart from the body (1.4: query parameters). */
export interface EdgeEnds {
  readonly from: string;
  readonly to: string;
}

/** Single documents: read, insert, replace, update, remove (contract 9.3). */
export class Documents {
  readonly #store: Store;

  constructor(deps: { store: Store }) {
    this.#store = deps.store;
  }

  /** @throws ServiceError documentNotFound */
  read(collection: Collection, key: string): StoredDocument {
    collection.assertAlive();
    const found = this.#store.readLine(collection.number, key);
    if (!found) throw new ServiceError('documentNotFound');
    return {
      key,
      rev: found.pointer.rev,
      text: withId(collection.name, key, dataOfLine(found.line)),
    };
  }

  /** Keys of the collection in byte order, read in pieces. */
  async *keys(collection: Collection): AsyncGenerator<string, void, void> {
    const { start, end } = numberRange(Space.primary, collection.number);
    for await (const key of this.#store.level.keys({ gte: start, lt: end })) {
      yield primaryKeyDocument(key);
    }
  }

  /**
   * Inserts a document; with an overwrite mode, what exists under its key is kept, replaced or merged.
   * @throws ServiceError uniqueConstraintViolated when the key, or a value in a unique index, exists;
   * illegalDocumentKey, unexpectedDocumentKey, edgeAttributeMissing, illegalDocumentHandle, readOnly
   */
  insert(
    database: Database,
    collection: Collection,
    body: string,
    settings: WriteSettings & {
      overwriteMode?: OverwriteMode;
      ends?: EdgeEnds;
    } & Partial<MergeSettings> = {},
  ): Promise<WriteResult> {
    const parsed = parseDocument(body);
    return this.#write(database, collection, settings, (tx, writes) => {
      const content = contentOf(collection, parsed, settings.ends);
      const given = parsed.key;
      const key = newKey(writes, collection, given, () => tx.drawTick());
      const old = writes.pointer(collection, key);
      if (!old) return this.#put(tx, writes, collection, key, content, undefined, settings);
      switch (settings.overwriteMode ?? 'conflict') {
        case 'conflict':
          throw new ServiceError(
            'uniqueConstraintViolated',
            given === undefined ? undefined : `unique constraint violated: key '${key}' exists`,
          );
        case 'ignore':
          return { key, rev: old.rev, oldRev: undefined, synced: false };
        case 'replace':
          return this.#put(tx, writes, collection, key, content, old, settings);
        case 'update': {
          const patch = { ...parsed, ...settings.ends };
          const merged = this.#merge(tx, collection, old, patch, settings);
          return this.#put(tx, writes, collection, key, merged, old, settings);
        }
      }
    });
  }

  /**
   * Replaces a document; the ends of an edge stay unless the body names others.
   * @throws ServiceError documentNotFound, conflict when `precondition` does not hold
   */
  replace(
    database: Database,
    collection: Collection,
    key: string,
    body: string,
    settings: WriteSettings & Precondition = {},
  ): Promise<WriteResult> {
    const parsed = parseDocument(body);
    return this.#write(database, collection, settings, (tx, writes) => {
      const old = this.#expect(writes, collection, key, settings);
      const content = contentOf(collection, parsed, this.#endsOf(tx, collection, old));
      return this.#put(tx, writes, collection, key, content, old, settings);
    });
  }

  /**
   * Merges a patch into a document. Attributes the patch does not name keep their spelling.
   * @throws ServiceError documentNotFound, conflict when `precondition` does not hold
   */
  update(
    database: Database,
    collection: Collection,
    key: string,
    body: string,
    settings: WriteSettings & Precondition & MergeSettings,
  ): Promise<WriteResult> {
    const patch = parseDocument(body);
    return this.#write(database, collection, settings, (tx, writes) => {
      const old = this.#expect(writes, collection, key, settings);
      const merged = this.#merge(tx, collection, old, patch, settings);
      return this.#put(tx, writes, collection, key, merged, old, settings);
    });
  }

  /**
   * Removes a document; `rev` of the result is the revision removed.
   * @throws ServiceError documentNotFound, conflict when `precondition` does not hold
   */
  remove(
    database: Database,
    collection: Collection,
    key: string,
    settings: WriteSettings & Precondition = {},
  ): Promise<WriteResult> {
    return this.#write(database, collection, settings, (tx, writes) => {
      const old = this.#expect(writes, collection, key, settings);
      const oldText = settings.returnOld ? this.#text(tx, collection, key, old) : undefined;
      writes.remove(collection, key, old);
      return { key, rev: old.rev, oldRev: old.rev, synced: false, oldText };
    });
  }

  async #write(
    database: Database,
    collection: Collection,
    settings: WriteSettings,
    run: (tx: WriteTx, writes: DocumentTx) => WriteResult,
  ): Promise<WriteResult> {
    const sync = settings.waitForSync === true || collection.parameters.waitForSync;
    const result = await this.#store.commit(
      (tx) => {
        collection.assertAlive();
        database.assertWritable(collection.name);
        const writes = new DocumentTx({ tx, database }, { origin: 'local', grouped: false });
        const written = run(tx, writes);
        writes.finish();
        return written;
      },
      { sync },
    );
    return { ...result, synced: sync };
  }

  #put(
    tx: WriteTx,
    writes: DocumentTx,
    collection: Collection,
    key: string,
    content: DocumentContent,
    old: Pointer | undefined,
    settings: WriteSettings,
  ): WriteResult {
    const oldText = old && settings.returnOld ? this.#text(tx, collection, key, old) : undefined;
    const rev = writes.upsert(collection, key, content, old);
    const pointer = settings.returnNew ? writes.pointer(collection, key) : undefined;
    const newText = pointer && this.#text(tx, collection, key, pointer);
    return { key, rev, oldRev: old?.rev, synced: false, oldText, newText };
  }

  #expect(
    writes: DocumentTx,
    collection: Collection,
    key: string,
    precondition: Precondition,
  ): Pointer {
    const old = writes.pointer(collection, key);
    if (!old) throw new ServiceError('documentNotFound');
    if (precondition.rev !== undefined && precondition.rev !== old.rev) {
      throw new ServiceError('conflict', 'precondition failed', {
        fields: { _id: `${collection.name}/${key}`, _rev: old.rev, _key: key },
      });
    }
    return old;
  }

  #merge(
    tx: WriteTx,
    collection: Collection,
    old: Pointer,
    patch: ParsedDocument,
    settings: Partial<MergeSettings>,
  ): DocumentContent {
    const data = dataOfLine(tx.readLine(collection.number, old));
    const rest = mergeDocuments(restOfData(data), patch.rest, {
      keepNull: settings.keepNull ?? true,
      mergeObjects: settings.mergeObjects ?? true,
    });
    const value =
      collection.indexes.length > 0
        ? (JSON.parse(`{${rest}}`) as Record<string, unknown>)
        : patch.value;
    return { ...endsOf(collection, patch, this.#endsOf(tx, collection, old)), value, rest };
  }

  #endsOf(tx: WriteTx, collection: Collection, old: Pointer): EdgeEnds | undefined {
    if (collection.type !== CollectionType.edge) return undefined;
    const data = JSON.parse(dataOfLine(tx.readLine(collection.number, old))) as {
      _from: string;
      _to: string;
    };
    return { from: data._from, to: data._to };
  }

  #text(tx: WriteTx, collection: Collection, key: string, pointer: Pointer): string {
    return withId(collection.name, key, dataOfLine(tx.readLine(collection.number, pointer)));
  }
}

/** What is stored of a body: its attributes, and the ends if the collection holds edges. */
export function contentOf(
  collection: Collection,
  parsed: ParsedDocument,
  ends: EdgeEnds | undefined,
): DocumentContent {
  return { ...endsOf(collection, parsed, ends), value: parsed.value, rest: parsed.rest };
}

function endsOf(
  collection: Collection,
  parsed: ParsedDocument,
  fallback: EdgeEnds | undefined,
): { from?: string; to?: string } {
  if (collection.type !== CollectionType.edge) return {};
  return {
    from: handleOf(parsed.from ?? fallback?.from),
    to: handleOf(parsed.to ?? fallback?.to),
  };
}

/** @throws ServiceError edgeAttributeMissing, illegalDocumentHandle */
function handleOf(value: unknown): string {
  if (typeof value !== 'string') throw new ServiceError('edgeAttributeMissing');
  if (!parseHandle(value)) throw new ServiceError('illegalDocumentHandle');
  return value;
}
