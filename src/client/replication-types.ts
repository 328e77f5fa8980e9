import type { SyncNumbers, UnfinishedSync } from '../model/sync-numbers.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import type { IndexDefinition } from '../model/collection.ts';
import type { ApplierPhase } from '../model/applier-phase.ts';
import type { Tick } from '../model/tick.ts';
import type { LoggedCollection } from './log-entry.ts';

/** Where a log stands (contract 2.4). Times are UTC, ISO 8601. */
export interface LogState {
  readonly running: boolean;
  /** Of the newest event; 0 when there never was one. */
  readonly lastLogTick: Tick;
  /** The same: nothing is shown before it is committed. */
  readonly lastUncommittedLogTick: Tick;
  /** Of the oldest event held; 0 for none. */
  readonly firstTick: Tick;
  /** Who has a position below this tick has missed something for good. */
  readonly holeAt: Tick;
  /** Events logged since the server started. */
  readonly totalEvents: number;
  /** Events that the log holds at the moment, and the bytes of their lines. */
  readonly heldEvents: number;
  readonly heldBytes: number;
  readonly time: string;
  /** What is wrong with the store of the server; absent while nothing is. */
  readonly storage?: {
    readonly damage?: { readonly count: number; readonly since: string; readonly message: string };
    readonly writesRefused?: { readonly errorNum: number; readonly message: string };
  };
}

/** The log, its server, and who follows. */
export interface LoggerStatus {
  readonly state: LogState;
  readonly server: {
    readonly version: string;
    readonly serverId: string;
    /** The runs of the server, oldest first. */
    readonly incarnations: readonly {
      readonly id: string;
      /** No tick of this run is smaller. */
      readonly firstTick: Tick;
      /** Last tick of all runs before that this run found. */
      readonly foundTick: Tick;
    }[];
  };
  readonly clients: readonly {
    readonly serverId: string;
    /** Last tick of the last answer, 0 when that was empty. */
    readonly lastServedTick: Tick;
    readonly time: string;
    /** Where it asked to begin. */
    readonly from: Tick;
    /** About how many bytes of the log stay until it has read them. */
    readonly retainedBytes: number;
    /** What it would read next is gone. */
    readonly lost: boolean;
  }[];
}

/** A stretch of the log. */
export interface TickRange {
  readonly datafile: string;
  readonly status: string;
  readonly tickMin: Tick;
  readonly tickMax: Tick;
}

/** What is begun and not ended within a part of the log. */
export interface OpenTransactions {
  readonly ids: readonly string[];
  /** Who reads on from here sees them whole; 0 when there was no event. */
  readonly resumeAfter: Tick;
  /** Whether nothing is missing at the beginning of the part. */
  readonly isFromPresent: boolean;
}

/** What there is to copy, as of one moment (contract 3.2). */
export interface Inventory {
  /** Documents before edges, then by name. */
  readonly collections: readonly {
    readonly parameters: LoggedCollection;
    /** Without those that every collection has. */
    readonly indexes: readonly IndexDefinition[];
  }[];
  readonly state: LogState;
  /** Upper bound for dumping what is listed, as `to`. */
  readonly tick: Tick;
}

/** What of which leader is copied (contract 3.7). */
export interface LeaderSelection {
  /** Where the leader listens, such as `tcp://10.0.0.7:8529` or an `http://` URL. */
  readonly endpoint: string;
  /** Database of the leader; the name of this one unless given. */
  readonly database?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** What `restrictCollections` is a list of; they go together. */
  readonly restrictType?: 'include' | 'exclude' | '' | undefined;
  readonly restrictCollections?: readonly string[] | undefined;
  /** Whether collections whose names begin with `_` are copied; true by default. */
  readonly includeSystem?: boolean | undefined;
  /** How long the leader may stay silent, in seconds; before a page of a collection it is the last of these. */
  readonly requestTimeout?: number | undefined;
  readonly connectTimeout?: number | undefined;
  readonly initialSyncMaxWaitTime?: number | undefined;
}

export interface SyncResult {
  /** What was copied, with the ids of the leader. */
  readonly collections: readonly { readonly id: string; readonly name: string }[];
  /** Where the copy ends, and following begins. */
  readonly lastLogTick: Tick;
  /** The logger of the leader does not run, so what changes there now reaches nobody. */
  readonly leaderWasStopped?: true;
}

/** Settings of an applier; those that have their default are shown in part only. Times are in seconds. */
export type ApplierSettings = Partial<Omit<ApplierConfig, 'password' | 'jwt'>>;

/** Settings to be changed. */
export type ApplierChanges = { readonly [K in keyof ApplierConfig]?: ApplierConfig[K] | undefined };

/** An error of an applier, or the same one several times in a row. */
export interface PastError {
  readonly time: string;
  readonly errorNum: number;
  readonly errorMessage: string;
  /** Of the entry that it is about, where it is about one. */
  readonly tick?: Tick;
  /** Where it is more than one. */
  readonly count?: number;
  readonly firstTime?: string;
  /** The entry was passed over, as `ignoreErrors` allows, and nothing has ended. */
  readonly ignored?: true;
}

export interface ApplierState {
  readonly running: boolean;
  readonly phase: ApplierPhase;
  /** When the phase began. */
  readonly since: string;
  /** Everything up to here is applied, and no transaction is open. */
  readonly lastAppliedContinuousTick: Tick | null;
  /** Newest tick looked at. */
  readonly lastProcessedContinuousTick: Tick | null;
  /** Newest tick of the leader when it last answered. */
  readonly lastAvailableContinuousTick: Tick | null;
  /** Where a follower without a place of its own would have to begin. */
  readonly safeResumeTick: Tick | null;
  readonly progress: {
    readonly time: string;
    readonly message?: string;
    readonly failedConnects: number;
  };
  readonly totalRequests: number;
  readonly totalFailedConnects: number;
  readonly totalEvents: number;
  readonly totalOperationsExcluded: number;
  readonly totalResyncs: number;
  /** Seconds spent in asking the leader for log and in applying it: in all, and a page. */
  readonly totalFetchTime: number;
  readonly averageFetchTime: number;
  readonly totalApplyTime: number;
  readonly averageApplyTime: number;
  /** Events that could not be applied and were passed over, as `ignoreErrors` allows. */
  readonly totalIgnoredErrors: number;
  readonly lastIgnoredError?: {
    readonly tick: Tick;
    readonly errorNum: number;
    readonly errorMessage: string;
  };
  /** Number 0 where there was none. */
  readonly lastError: {
    readonly errorNum: number;
    readonly errorMessage?: string;
    readonly time?: string;
  };
  readonly whyStopped?: { readonly errorNum: number; readonly errorMessage: string };
  /** In `backoff` only. */
  readonly whyWaiting?: { readonly errorNum: number; readonly errorMessage: string };
  /** In `backoff` only, while it waits: when the leader is asked again. */
  readonly nextAttempt?: string;
  /** Of all runs since the server was started, the newest first; 20 at most. */
  readonly lastErrors: readonly PastError[];
  /** While it runs; null when unknown. */
  readonly ticksBehind?: number | null;
  readonly secondsBehind?: number | null;
  /** While a sync of the database is under way. */
  readonly sync?: SyncNumbers;
  /** Where the last one was not finished: what is here is as it was before it. */
  readonly unfinishedSync?: UnfinishedSync;
  /** While it runs and no sync is under way, of the last ten seconds. */
  readonly following?: {
    readonly eventsPerSecond: number;
    readonly bytesPerSecond: number;
    /** Until the end of the leader's log; null where it gets no nearer, or nobody knows. */
    readonly secondsLeft: number | null;
  };
  /** Transactions of the leader whose end was not seen yet, or that are being applied in several batches. */
  readonly openTransactions: readonly {
    readonly tid: string;
    readonly startTick: Tick;
    /** What waits for the end. */
    readonly stagedLines: number;
    readonly stagedBytes: number;
    readonly appliedLines: number;
  }[];
  /** Server id of the leader in whose log the position is; absent without one, and while it was not asked yet. */
  readonly leaderId?: string;
  readonly time: string;
}

export interface ApplierStatus {
  readonly state: ApplierState;
  readonly server: { readonly version: string; readonly serverId: string };
  /** The leader, as configured. */
  readonly endpoint?: string;
  readonly database?: string;
}

/** What came of making a follower: the applier, and what was copied. */
export interface FollowerStatus extends ApplierStatus {
  readonly copied: SyncResult;
}
