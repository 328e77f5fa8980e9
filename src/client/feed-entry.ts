import type {
  CollectionDropEntry,
  CollectionEntry,
  CollectionRenameEntry,
  DocumentEntry,
  IndexDropEntry,
  IndexEntry,
  LoggerEntry,
  RemovalEntry,
  TransactionEntry,
} from './log-entry.ts';

/** A document was inserted where there was none with its key. */
export interface InsertFeedEntry extends Omit<DocumentEntry, 'oldRev'> {
  readonly operation: 'insert';
}

/** A document was replaced or changed; `data` is what it is now. */
export interface UpdateFeedEntry extends DocumentEntry {
  readonly operation: 'update';
  readonly oldRev: string;
}

export interface RemoveFeedEntry extends RemovalEntry {
  readonly operation: 'remove';
}

/** An event of a feed; `operation` says which. */
export type FeedEntry =
  | InsertFeedEntry
  | UpdateFeedEntry
  | RemoveFeedEntry
  | (LoggerEntry & { readonly operation: 'startLogger' | 'stopLogger' })
  | (CollectionEntry & { readonly operation: 'createCollection' | 'changeCollection' })
  | (CollectionDropEntry & { readonly operation: 'dropCollection' })
  | (CollectionRenameEntry & { readonly operation: 'renameCollection' })
  | (IndexEntry & { readonly operation: 'createIndex' })
  | (IndexDropEntry & { readonly operation: 'dropIndex' })
  | (TransactionEntry & { readonly operation: 'beginTransaction' | 'commitTransaction' });
