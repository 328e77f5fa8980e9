import type { Tick } from '../model/tick.ts';
import type { ByteSlice } from '../storage/block-writer.ts';
import type { Pointer } from '../storage/pointer.ts';
import type { Collection } from './collection.ts';
import type { CollectionStats } from './collection-stats.ts';
import type { IndexedDocument } from './secondary-index.ts';

/** A document to be written, apart from key and revision. */
export interface DocumentContent {
  /** The user's attributes, parsed, where that is at hand; looked at only where there are indexes. */
  readonly value?: Readonly<Record<string, unknown>>;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Source text of the user's attributes, joined by commas. */
  readonly rest: string;
}

/** A document to be written of which the user's attributes stand in a page. */
export interface DocumentBytes {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /**
   * From the first of the user's attributes, or the closing brace where there is none, to behind the closing
   * brace: JSON without newlines or repeated names, and without `_key` and the like on its top level.
   */
  readonly rest: ByteSlice;
}

/**
 * Where the document operations of a client go, while they run inside the commit queue: into the commit
 * (`DocumentTx`), or into a stream transaction (`StagedWrites`). Each of `upsert` and `remove` checks
 * before it writes, so one that throws has changed nothing.
 */
export interface DocumentWrites {
  /** A tick that may be shown once the batch of the commit queue is in the store. */
  drawTick(): Tick;
  /** The live document of this key, undefined when there is none. */
  pointer(collection: Collection, key: string): Pointer | undefined;
  /** Source text of the live document that `pointer` found under this key: `_key` and `_rev` first, no `_id`. */
  text(collection: Collection, key: string, pointer: Pointer): string;
  /** The figures as they are; inside a stream transaction only `lastKey` counts. */
  stats(collection: Collection): CollectionStats;
  /** Notes the last key an autoincrement generator gave out. */
  setLastKey(collection: Collection, lastKey: number): void;
  /**
   * Inserts, or replaces what `old` points to; returns the revision.
   * @throws ServiceError uniqueConstraintViolated by a secondary index, conflict (409) with a lock.
   */
  upsert(
    collection: Collection,
    key: string,
    content: DocumentContent,
    old: Pointer | undefined,
  ): string;
  /** Removes what `old` points to; returns the revision of the removal. @throws ServiceError conflict (409) */
  remove(collection: Collection, key: string, old: Pointer): string;
}

/** What indexes look at, made of the text: only where there are indexes. */
export function indexedDocument(key: string, content: DocumentContent): IndexedDocument {
  const { from, to, rest } = content;
  const value = content.value ?? (JSON.parse(`{${rest}}`) as Record<string, unknown>);
  return { ...value, _key: key, ...(from === undefined ? {} : { _from: from, _to: to }) };
}
