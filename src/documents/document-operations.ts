import { CollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { parseHandle } from '../model/names.ts';
import { type ScannedDocument, readDocument } from '../protocol/document-scan.ts';
import { mergeDocuments } from '../protocol/json-text.ts';
import type { Pointer } from '../storage/pointer.ts';
import type { Collection } from './collection.ts';
import type { DocumentContent, DocumentWrites } from './document-writes.ts';
import { newKey } from './key-generator.ts';
import { restOfData, withId } from './stored-document.ts';

/** What a write did. */
export interface Written {
  readonly key: string;
  readonly rev: string;
  /** The revision replaced or removed. */
  readonly oldRev?: string | undefined;
  /** Texts of the whole document, `_id` included, where asked for. */
  readonly newText?: string | undefined;
  readonly oldText?: string | undefined;
}

/** What a write answers besides revisions. */
export interface ReturnSettings {
  readonly returnOld?: boolean;
  readonly returnNew?: boolean;
}

export interface Precondition {
  /** The revision the document must have; anything goes when absent. */
  readonly rev?: string | undefined;
}

/** What a document is made of, as it came in. */
export type ContentSource = Pick<ScannedDocument, 'from' | 'to' | 'rest'>;

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

export type InsertSettings = ReturnSettings & {
  readonly overwriteMode?: OverwriteMode;
  readonly ends?: EdgeEnds | undefined;
} & Partial<MergeSettings>;

/** Where an operation works: what writes documents inside the commit queue, and into which collection. */
export interface OperationTarget {
  readonly writes: DocumentWrites;
  readonly collection: Collection;
}

/**
 * One write of one document, ready to be run inside the commit queue. Checks come before writes: one that
 * throws has changed nothing, unless it is the server's fault (500).
 */
export type DocumentOperation = (target: OperationTarget) => Written;

/**
 * Inserts a document; with an overwrite mode, what exists under its key is kept, replaced or merged. The
 * operation throws uniqueConstraintViolated when the key, or a value in a unique index, exists;
 * illegalDocumentKey, unexpectedDocumentKey, outOfKeys, edgeAttributeMissing, illegalDocumentHandle,
 * documentTooLarge.
 * @throws ServiceError invalidJson, invalidDocumentType
 */
export function insertOperation(body: string, settings: InsertSettings): DocumentOperation {
  const parsed = readDocument(body);
  return (target) => {
    const { writes, collection } = target;
    const content = contentOf(collection, parsed, settings.ends);
    const given = parsed.key;
    const key = newKey(writes, collection, given);
    const old = writes.pointer(collection, key);
    if (!old) return put(target, key, content, undefined, settings);
    switch (settings.overwriteMode ?? 'conflict') {
      case 'conflict':
        throw new ServiceError(
          'uniqueConstraintViolated',
          given === undefined ? undefined : `unique constraint violated: key '${key}' exists`,
        );
      case 'ignore':
        return { key, rev: old.rev, oldRev: undefined, oldText: undefined, newText: undefined };
      case 'replace':
        return put(target, key, content, old, settings);
      case 'update': {
        const { from, to } = settings.ends ?? parsed;
        return put(
          target,
          key,
          merge(target, key, old, { from, to, rest: parsed.rest }, settings),
          old,
          settings,
        );
      }
    }
  };
}

/**
 * Replaces a document; the ends of an edge stay unless the body names others. The operation throws
 * documentNotFound, conflict when the precondition does not hold, and what an insert does.
 * @throws ServiceError invalidJson, invalidDocumentType
 */
export function replaceOperation(
  key: string,
  body: string,
  settings: ReturnSettings & Precondition,
): DocumentOperation {
  const parsed = readDocument(body);
  return (target) => {
    const old = expectOld(target, key, settings);
    const content = contentOf(target.collection, parsed, endsAsStored(target, key, old));
    return put(target, key, content, old, settings);
  };
}

/**
 * Merges a patch into a document. Attributes the patch does not name keep their spelling. The operation
 * throws as that of a replacement.
 * @throws ServiceError invalidJson, invalidDocumentType
 */
export function updateOperation(
  key: string,
  body: string,
  settings: ReturnSettings & Precondition & MergeSettings,
): DocumentOperation {
  const patch = readDocument(body);
  return (target) => {
    const old = expectOld(target, key, settings);
    return put(target, key, merge(target, key, old, patch, settings), old, settings);
  };
}

/**
 * Removes a document; `rev` of the result is the revision removed. The operation throws documentNotFound,
 * and conflict when the precondition does not hold.
 */
export function removeOperation(
  key: string,
  settings: ReturnSettings & Precondition,
): DocumentOperation {
  return (target) => {
    const old = expectOld(target, key, settings);
    const oldText = settings.returnOld ? textOf(target, key, old) : undefined;
    target.writes.remove(target.collection, key, old);
    return { key, rev: old.rev, oldRev: old.rev, oldText, newText: undefined };
  };
}

function put(
  target: OperationTarget,
  key: string,
  content: DocumentContent,
  old: Pointer | undefined,
  settings: ReturnSettings,
): Written {
  const { writes, collection } = target;
  const oldText = old && settings.returnOld ? textOf(target, key, old) : undefined;
  const rev = writes.upsert(collection, key, content, old);
  const pointer = settings.returnNew ? writes.pointer(collection, key) : undefined;
  const newText = pointer && textOf(target, key, pointer);
  return { key, rev, oldRev: old?.rev, oldText, newText };
}

function expectOld(
  { writes, collection }: OperationTarget,
  key: string,
  { rev }: Precondition,
): Pointer {
  const old = writes.pointer(collection, key);
  if (!old) throw new ServiceError('documentNotFound');
  if (rev !== undefined && rev !== old.rev) {
    throw new ServiceError('conflict', 'precondition failed', {
      fields: { _id: `${collection.name}/${key}`, _rev: old.rev, _key: key },
    });
  }
  return old;
}

function merge(
  target: OperationTarget,
  key: string,
  old: Pointer,
  patch: ContentSource,
  settings: Partial<MergeSettings>,
): DocumentContent {
  const { writes, collection } = target;
  const data = writes.text(collection, key, old);
  const rest = mergeDocuments(restOfData(data), patch.rest, {
    keepNull: settings.keepNull ?? true,
    mergeObjects: settings.mergeObjects ?? true,
  });
  return contentOf(
    collection,
    { from: patch.from, to: patch.to, rest },
    endsAsStored(target, key, old),
  );
}

function endsAsStored(
  { writes, collection }: OperationTarget,
  key: string,
  old: Pointer,
): EdgeEnds | undefined {
  if (collection.type !== CollectionType.edge) return undefined;
  const data = JSON.parse(writes.text(collection, key, old)) as { _from: string; _to: string };
  return { from: data._from, to: data._to };
}

function textOf({ writes, collection }: OperationTarget, key: string, pointer: Pointer): string {
  return withId(collection.name, key, writes.text(collection, key, pointer));
}

/** What is stored of a body: its attributes, and the ends if the collection holds edges. */
export function contentOf(
  collection: Collection,
  { from, to, rest }: ContentSource,
  ends: EdgeEnds | undefined,
): DocumentContent {
  if (collection.type !== CollectionType.edge) return { from: undefined, to: undefined, rest };
  return { from: handleOf(from ?? ends?.from), to: handleOf(to ?? ends?.to), rest };
}

/** @throws ServiceError edgeAttributeMissing, illegalDocumentHandle */
function handleOf(value: unknown): string {
  if (typeof value !== 'string') throw new ServiceError('edgeAttributeMissing');
  if (!parseHandle(value)) throw new ServiceError('illegalDocumentHandle');
  return value;
}
