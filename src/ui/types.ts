import type { ApplierPhase } from '../model/applier-phase.ts';
import type { SeriesName } from '../model/history-series.ts';
import type { SyncNumbers, UnfinishedSync } from '../model/sync-numbers.ts';
import type { VerifyNumbers } from '../model/verify-numbers.ts';
import type { WorkNumbers } from '../model/work-numbers.ts';

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
  /** The entry was passed over, and nothing has ended. */
  readonly ignored?: true;
}

/** What goes over a whole collection, and which one. */
export interface WorkProgress extends WorkNumbers {
  readonly collection: { readonly id: string; readonly name: string };
}

export interface JobProgress {
  readonly verify: VerifyNumbers | null;
}

export interface ApplierStatus {
  readonly state: {
    readonly running: boolean;
    readonly phase: ApplierPhase;
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
    readonly nextAttempt?: string;
    readonly ticksBehind?: number | null;
    readonly secondsBehind?: number | null;
    readonly time: string;
    readonly sync?: SyncNumbers;
    readonly unfinishedSync?: UnfinishedSync;
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
