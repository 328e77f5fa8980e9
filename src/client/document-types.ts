import type { RequestOptions } from './scope.ts';

/** What a document is known by. */
export interface DocumentRef {
  /** `<collection>/<key>` */
  readonly _id: string;
  readonly _key: string;
  /** The revision: opaque, another one after each change. */
  readonly _rev: string;
}

/** A document as it is read. */
export type Stored<T> = T & DocumentRef;

/** A document to be written: the server makes a key where there is none. */
export type NewDocument<T> = T & { readonly _key?: string | undefined };

/** What came of a write; for a removal, `_rev` is the revision removed. */
export interface Written<T> extends DocumentRef {
  /** The revision replaced, if there was one. */
  readonly _oldRev?: string;
  /** With `returnNew`. */
  readonly new?: Stored<T>;
  /** With `returnOld`. */
  readonly old?: Stored<T>;
}

/** Why nothing was done with one of several documents. */
export interface Rejected {
  readonly error: true;
  readonly errorNum: number;
  readonly errorMessage: string;
}

/** Whether this one of several documents was not written. */
export function isRejected<T>(result: Written<T> | Rejected): result is Rejected {
  return 'error' in result;
}

export interface WriteOptions extends RequestOptions {
  /** Answer when it is safe on disk. */
  readonly waitForSync?: boolean | undefined;
}

export interface RemoveOptions extends WriteOptions {
  readonly returnOld?: boolean | undefined;
  /** Only if this is the document's revision; refused with 1200 otherwise. */
  readonly ifMatch?: string | undefined;
}

export interface ReplaceOptions extends RemoveOptions {
  readonly returnNew?: boolean | undefined;
}

export interface UpdateOptions extends ReplaceOptions {
  /** Whether a null is stored (default) or removes the attribute. */
  readonly keepNull?: boolean | undefined;
  /** Whether objects are merged (default) or replaced. */
  readonly mergeObjects?: boolean | undefined;
}

export interface InsertOptions extends Omit<UpdateOptions, 'ifMatch'> {
  /** What happens when the key exists; `conflict` (1210) by default. */
  readonly overwriteMode?: 'conflict' | 'ignore' | 'replace' | 'update' | undefined;
}

export interface ReadOptions extends RequestOptions {
  /** Only if this is the document's revision; refused with 1200 otherwise. */
  readonly ifMatch?: string | undefined;
}

/** For several documents at a time: each can bring its `_rev`. */
type Several<O> = Omit<O, 'ifMatch'> & {
  /** With false, the `_rev` in an element must be that of the document; true by default. */
  readonly ignoreRevs?: boolean | undefined;
};

export type InsertManyOptions = InsertOptions;
export type ReplaceManyOptions = Several<ReplaceOptions>;
export type UpdateManyOptions = Several<UpdateOptions>;
export type RemoveManyOptions = Several<RemoveOptions>;

export interface ImportOptions extends WriteOptions {
  /** What happens when a key exists; `error` counts it and goes on. */
  readonly onDuplicate?: 'error' | 'update' | 'replace' | 'ignore' | undefined;
  /** All or nothing: the first error ends it. */
  readonly complete?: boolean | undefined;
  /** Truncate the collection first. */
  readonly overwrite?: boolean | undefined;
  /** Say what was wrong, up to a limit. */
  readonly details?: boolean | undefined;
  readonly createCollection?: boolean | undefined;
  /** Put before `_from` and `_to` that have no collection. */
  readonly fromPrefix?: string | undefined;
  readonly toPrefix?: string | undefined;
}

export interface ImportResult {
  readonly created: number;
  readonly errors: number;
  /** Blank lines. */
  readonly empty: number;
  /** Replaced or merged. */
  readonly updated: number;
  readonly ignored: number;
  readonly details?: readonly string[];
}
