import type { CollectionType, IndexDefinition, KeyOptions } from '../model/collection.ts';
import type { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';

type Marker = typeof MarkerType;

/** A document as it is stored and replicated. */
export interface StoredDocument {
  readonly _key: string;
  readonly _rev: string;
  /** Of an edge. */
  readonly _from?: string;
  /** Of an edge. */
  readonly _to?: string;
  readonly [attribute: string]: unknown;
}

/** The parameters of a collection in the log and in inventories. */
export interface LoggedCollection {
  readonly cid: string;
  readonly name: string;
  readonly type: CollectionType;
  readonly version: number;
  readonly deleted: boolean;
  readonly doCompact: boolean;
  /** Size of a journal in bytes. */
  readonly maximalSize: number;
  readonly isVolatile: boolean;
  readonly waitForSync: boolean;
  /** Absent for the defaults. */
  readonly keyOptions?: KeyOptions;
}

interface Entry {
  /** Position in the log. */
  readonly tick: Tick;
}

interface InCollection extends Entry {
  /** The collection's id. */
  readonly cid: string;
  /** The collection's name at that moment. */
  readonly cname: string;
}

/** The logger was started or stopped. */
export interface LoggerEntry extends Entry {
  readonly type: Marker['loggerStart' | 'loggerStop'];
  /** Newest tick logged before; 0 for none. */
  readonly lastTick: Tick;
}

/** A collection was created, or its properties were changed. */
export interface CollectionEntry extends InCollection {
  readonly type: Marker['collectionCreate' | 'collectionChange'];
  readonly collection: LoggedCollection;
}

export interface CollectionDropEntry extends InCollection {
  readonly type: Marker['collectionDrop'];
}

/** A collection was renamed: `cname` is the old name. */
export interface CollectionRenameEntry extends InCollection {
  readonly type: Marker['collectionRename'];
  readonly collection: { readonly name: string };
}

export interface IndexEntry extends InCollection {
  readonly type: Marker['indexCreate'];
  readonly index: IndexDefinition;
}

export interface IndexDropEntry extends InCollection {
  readonly type: Marker['indexDrop'];
  /** Of the index, in bare digits. */
  readonly id: string;
}

/** Beginning or end of a transaction, whose entries stand between and have its `tid`. */
export interface TransactionEntry extends Entry {
  readonly type: Marker['transactionStart' | 'transactionCommit'];
  readonly tid: string;
  readonly collections: readonly {
    readonly cid: string;
    readonly name: string;
    readonly operations: number;
  }[];
}

/** A document or an edge was inserted, or replaced by `data`. */
export interface DocumentEntry extends InCollection {
  readonly type: Marker['document' | 'edge'];
  /** Inside a transaction only. */
  readonly tid?: string;
  readonly key: string;
  readonly rev: string;
  /** The revision replaced, if there was one. */
  readonly oldRev?: string;
  readonly data: StoredDocument;
}

/** A document or an edge was removed. */
export interface RemovalEntry extends InCollection {
  readonly type: Marker['remove'];
  /** Inside a transaction only. */
  readonly tid?: string;
  readonly key: string;
  /** A new one. */
  readonly rev: string;
  /** The revision removed. */
  readonly oldRev?: string;
}

/** An event of the log (contract 2.7, 2.8); `type` says which, see `MarkerType`. */
export type LogEntry =
  | LoggerEntry
  | CollectionEntry
  | CollectionDropEntry
  | CollectionRenameEntry
  | IndexEntry
  | IndexDropEntry
  | TransactionEntry
  | DocumentEntry
  | RemovalEntry;

/** A line of a dump (contract 3.4). Documents that were replaced or removed since may be among them. */
export type DumpEntry =
  | Pick<DocumentEntry, 'tick' | 'type' | 'key' | 'rev' | 'data'>
  | Pick<RemovalEntry, 'tick' | 'type' | 'key' | 'rev'>;
