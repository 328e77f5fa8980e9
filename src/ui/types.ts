/** What the server answers, as far as the page looks at it; api-spec/openapi.yaml has the whole. */

export interface ClientStatus {
  readonly serverId: string;
  readonly lastServedTick: string;
  readonly from: string;
  readonly time: string;
  readonly retainedBytes: number;
  readonly lost: boolean;
}

export interface LoggerStatus {
  readonly state: {
    readonly running: boolean;
    readonly lastLogTick: string;
    readonly firstTick: string;
    readonly holeAt: string;
    readonly totalEvents: number;
    readonly time: string;
    readonly storage?: {
      readonly damage?: {
        readonly count: number;
        readonly since: string;
        readonly message: string;
      };
      readonly writesRefused?: { readonly errorNum: number; readonly message: string };
    };
  };
  readonly server: { readonly version: string; readonly serverId: string };
  readonly clients: readonly ClientStatus[];
}

export interface ErrorWords {
  readonly errorNum: number;
  readonly errorMessage: string;
}

/** An error, or the same one several times in a row. */
export interface PastError extends ErrorWords {
  readonly time: string;
  readonly tick?: string;
  readonly count?: number;
  readonly firstTime?: string;
}

export type Phase =
  'stopped' | 'starting' | 'syncing' | 'tailing' | 'backoff' | 'stopping' | 'failed';

export type CopyStatus = 'waiting' | 'comparing' | 'copying' | 'indexing' | 'done' | 'kept';

export interface CopyProgress {
  readonly id: string;
  readonly name: string;
  readonly status: CopyStatus;
  readonly documentsDone: number;
  readonly documentsExpected: number | null;
  readonly bytesDone: number;
  readonly bytesExpected: number | null;
  readonly indexing?: { readonly documentsDone: number; readonly documentsExpected: number };
}

/** What goes over a whole collection, and how far it is. */
export interface WorkProgress {
  readonly kind: 'checksum' | 'index';
  readonly collection: { readonly id: string; readonly name: string };
  readonly index?: { readonly type: string; readonly fields?: readonly unknown[] };
  readonly documentsDone: number;
  readonly documentsExpected: number;
}

export interface VerifyProgress {
  readonly collectionsDone: number;
  readonly collectionsExpected: number;
  readonly collection: {
    readonly name: string;
    readonly side: 'leader' | 'here';
    readonly documentsDone: number | null;
    readonly documentsExpected: number | null;
  } | null;
}

export interface JobProgress {
  readonly verify: VerifyProgress | null;
}

export interface SyncProgress {
  readonly phase: 'preparing' | 'comparing' | 'copying' | 'indexing' | 'switching';
  readonly collectionsDone: number;
  readonly collectionsExpected: number;
  readonly documentsDone: number;
  readonly documentsExpected: number | null;
  readonly bytesDone: number;
  readonly bytesExpected: number | null;
  readonly documentsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly secondsRunning: number;
  readonly secondsLeft: number | null;
  readonly resumedFrom: {
    readonly collections: number;
    readonly documents: number;
    readonly bytes: number;
  } | null;
  readonly collections: readonly CopyProgress[];
}

export interface ApplierStatus {
  readonly state: {
    readonly running: boolean;
    readonly phase: Phase;
    readonly since: string;
    readonly lastAppliedContinuousTick: string | null;
    readonly lastProcessedContinuousTick: string | null;
    readonly lastAvailableContinuousTick: string | null;
    readonly progress: {
      readonly time: string;
      readonly message?: string;
      readonly failedConnects: number;
    };
    readonly totalEvents: number;
    readonly totalResyncs: number;
    readonly totalIgnoredErrors: number;
    readonly lastIgnoredError?: ErrorWords & { readonly tick: string };
    readonly lastErrors: readonly PastError[];
    readonly whyStopped?: ErrorWords;
    readonly whyWaiting?: ErrorWords;
    readonly ticksBehind?: number | null;
    readonly secondsBehind?: number | null;
    readonly time: string;
    readonly sync?: SyncProgress;
    readonly following?: {
      readonly eventsPerSecond: number;
      readonly bytesPerSecond: number;
      readonly secondsLeft: number | null;
    };
  };
  readonly endpoint?: string;
  readonly database?: string;
}

export interface CollectionStatus {
  readonly id: string;
  readonly name: string;
  readonly type: number;
  readonly isSystem: boolean;
  readonly count: number;
  readonly bytes: number;
  readonly entries: number;
  readonly dead: number;
  readonly indexes: number;
}

export interface Overview {
  readonly server: {
    readonly id: string;
    readonly version: string;
    readonly uptime: number;
    readonly time: number;
  };
  readonly database: string;
  readonly user: string | null;
  readonly mayWrite: boolean;
  readonly log: {
    readonly events: number;
    readonly bytes: number;
    readonly firstTick: string;
    readonly lastTick: string;
    readonly completeFrom: string;
  };
  readonly collections: readonly CollectionStatus[];
  readonly works: readonly WorkProgress[];
}

export type SeriesName =
  | 'loggedEvents'
  | 'loggedBytes'
  | 'appliedEvents'
  | 'syncedBytes'
  | 'ticksBehind'
  | 'secondsBehind'
  | 'followerTicksBehind';

export interface History {
  /** Seconds between two samples. */
  readonly interval: number;
  readonly capacity: number;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly series: Readonly<Record<SeriesName, readonly (number | null)[]>>;
}

/** All that the page shows of a database, as of about one moment. */
export interface Snapshot {
  readonly logger: LoggerStatus;
  readonly applier: ApplierStatus;
  readonly overview: Overview;
}

/** An entry of the log. */
export interface LogLine {
  readonly tick: string;
  readonly type: number;
  readonly cname?: string;
  readonly key?: string;
  /** Of a write over a document, or of a removal. */
  readonly oldRev?: string;
  /** Of an index that is dropped. */
  readonly id?: string;
  readonly collection?: { readonly name?: string };
  readonly index?: { readonly type?: string; readonly fields?: readonly string[] };
  readonly collections?: readonly { readonly name: string; readonly operations: number }[];
}
