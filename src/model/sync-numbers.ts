export type SyncPhase = 'preparing' | 'comparing' | 'copying' | 'indexing' | 'switching';

export type CopyStatus = 'waiting' | 'comparing' | 'copying' | 'indexing' | 'done' | 'kept';

/** How much of a collection, or of all, is there. Expected is null where the leader does not tell. */
export interface Measured {
  readonly documentsDone: number;
  readonly documentsExpected: number | null;
  /** Of dump lines. */
  readonly bytesDone: number;
  readonly bytesExpected: number | null;
}

interface CollectionName {
  /** On the leader. */
  readonly id: string;
  readonly name: string;
}

/** A sync in numbers, as `applier-state` and jobs show it (addition to contract 5.4). */
export interface SyncNumbers extends CopyingNumbers {
  /** The leader that is copied from, whomever the applier follows; null while what an earlier sync has left is removed. */
  readonly endpoint: string | null;
  /** When it began, in ISO 8601. */
  readonly since: string;
}

/** How far a sync is. */
export interface CopyingNumbers extends Measured {
  readonly phase: SyncPhase;
  /** The one in work. */
  readonly collection: CollectionName | null;
  readonly collectionsDone: number;
  /** 0 before it is known. */
  readonly collectionsExpected: number;
  /** From the leader, over the last seconds; as `bytesPerSecond`. */
  readonly documentsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly secondsRunning: number;
  /** null where it cannot be known. */
  readonly secondsLeft: number | null;
  /** What an earlier sync that was not finished had copied; null when this one began anew. */
  readonly resumedFrom: {
    readonly collections: number;
    readonly documents: number;
    readonly bytes: number;
  } | null;
  /** In the order of copying: those around the one in work, where there are very many. */
  readonly collections: readonly CopyNumbers[];
}

/** A collection of a sync in numbers. */
export interface CopyNumbers extends CollectionName, Measured {
  readonly status: CopyStatus;
  /** While its indexes are made: documents that were put into them, counted once for each index. */
  readonly indexing?: {
    readonly documentsDone: number;
    readonly documentsExpected: number;
    readonly documentsPerSecond: number;
    /** null where it cannot be known. */
    readonly secondsLeft: number | null;
  };
}

/** What a sync has left that was not finished: the next one of the same leader goes on with it, if it can. */
export interface UnfinishedSync {
  /** Server id of the leader that was copied. */
  readonly leaderId: string;
  /** Database there. */
  readonly database: string;
  /** The leader's tick that the copy ends at. */
  readonly tick: string;
  readonly collectionsDone: number;
  readonly collectionsExpected: number;
}
