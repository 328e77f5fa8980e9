import { Backoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import type { Collections } from '../documents/collections.ts';
import type { Database } from '../documents/database.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { ApplierEvent, Reason } from './applier-machine.ts';
import type { ApplierProgress } from './applier-progress.ts';
import { type Checkpoint, checkpointAt, writeCheckpoint } from './checkpoint.ts';
import { classify } from './classify.ts';
import { FailureLog, errorFields } from './failure-log.ts';
import type { InitialSyncer } from './initial-syncer.ts';
import { LeaderClient } from './leader-client.ts';
import type { Restriction } from './restriction.ts';
import { TailingSyncer } from './tailing-syncer.ts';

export interface ApplierRunDeps {
  readonly store: Store;
  readonly database: Database;
  readonly collections: Collections;
  readonly initialSyncer: InitialSyncer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: ApplierProgress;
  /** Told of all that changes the phase, but not of the end. */
  readonly onEvent: (event: ApplierEvent) => void;
}

export interface ApplierRunOptions {
  readonly config: ApplierConfig;
  readonly restriction: Restriction;
  readonly acceptedVersions: readonly string[];
  /** In bytes of lines; see PageApplierOptions. */
  readonly transactionMaxBytes: number;
}

/** Counted since the run began. */
export interface ApplierRunFigures {
  readonly events: number;
  readonly excluded: number;
  readonly resyncs: number;
}

/** A position lost this soon after a resync belongs to the same series (contract 6.8). */
const RESYNC_SERIES_MS = 120_000;
/** A time-out that is none. */
const NEVER_MS = 1_000_000_000;
const RETRY_BASE_MS = 1000;
const INTERNAL_ERROR = 4;

/** What the state says of an error. */
export function reasonFor(error: unknown): Reason {
  if (error instanceof ServiceError) return { errorNum: error.errorNum, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { errorNum: INTERNAL_ERROR, message };
}

/**
 * One run of an applier, from start to stop: follows, and where the position is lost and the
 * configuration says so, copies everything anew and follows again. Used once.
 */
export class ApplierRun {
  readonly #deps: ApplierRunDeps;
  readonly #options: ApplierRunOptions;
  readonly #client: LeaderClient;
  readonly #failureLog: FailureLog;
  #tailing: TailingSyncer | undefined;
  #events = 0;
  #excluded = 0;
  #resyncs = 0;
  /** Resyncs of the present series, and when the last one was through. */
  #series = { count: 0, lastMs: -Infinity };

  /** The endpoint of the configuration is known to be usable. */
  constructor(deps: ApplierRunDeps, options: ApplierRunOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#failureLog = new FailureLog(deps);
    const { endpoint = '', database, username, password, ...config } = options.config;
    this.#client = new LeaderClient(deps, {
      endpoint,
      database: database ?? deps.database.name,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      requestTimeoutMs: config.requestTimeout > 0 ? config.requestTimeout * 1000 : NEVER_MS,
      connectTimeoutMs: config.connectTimeout * 1000,
      ownServerId: deps.store.server.serverId,
      pageMaxBytes: config.maxPacketSize,
    });
  }

  /** The position as stored; undefined while the log is not being followed. */
  get checkpoint(): Checkpoint | undefined {
    return this.#tailing?.applier?.checkpoint;
  }

  /** Tick of the line that ended the run. */
  get failedTick(): Tick | undefined {
    return this.#tailing?.applier?.failedTick;
  }

  get figures(): ApplierRunFigures {
    const figures = this.#tailing?.applier?.figures;
    return {
      events: this.#events + (figures?.events ?? 0),
      excluded: this.#excluded + (figures?.excluded ?? 0),
      resyncs: this.#resyncs,
    };
  }

  /**
   * Runs from the stored position until the signal aborts, which resolves; nothing of it works any
   * more then.
   *
   * @throws ServiceError as TailingSyncer.run, and as InitialSyncer.run after a lost position
   */
  async run(signal: AbortSignal): Promise<void> {
    // What an earlier run knew of the leader is old.
    this.#deps.progress.lost();
    try {
      for (;;) {
        const lost = await this.#tail(signal);
        if (!lost) return;
        this.#deps.logger.warn(
          errorFields(lost),
          'the position is lost; everything is copied anew',
        );
        if (!(await this.#resync(lost, signal))) return;
      }
    } finally {
      await this.#client.close();
    }
  }

  /** Follows; resolves after an abort, and with an error that a copy of everything cures. */
  async #tail(signal: AbortSignal): Promise<ServiceError | undefined> {
    this.#forgetTailing();
    const { onEvent, store } = this.#deps;
    this.#tailing = new TailingSyncer(
      {
        ...this.#deps,
        client: this.#client,
        onContact: () => {
          this.#failureLog.reached();
          onEvent({ type: 'contacted' });
        },
        onLost: (error) => {
          onEvent({ type: 'lost', why: reasonFor(error) });
          this.#failureLog.failed(error);
        },
      },
      { ...this.#options, ownServerId: store.server.serverId },
    );
    try {
      await this.#tailing.run(signal);
      return undefined;
    } catch (error) {
      // Another leader, or one put back to a backup, can be copied as well as one with a gap.
      const isCurable =
        isServiceError(error) &&
        (error.kind === 'leaderChanged' || classify(error, signal) === 'resync');
      if (!isCurable || !this.#mayResync()) throw error;
      return error;
    }
  }

  #mayResync(): boolean {
    const { autoResync, autoResyncRetries } = this.#options.config;
    const isOneSeries = this.#deps.clock.nowMs() - this.#series.lastMs <= RESYNC_SERIES_MS;
    this.#series.count = isOneSeries ? this.#series.count + 1 : 1;
    return autoResync && this.#series.count <= autoResyncRetries;
  }

  /** Copies everything anew, with the position in the same batch; false after an abort. */
  async #resync(lost: ServiceError, signal: AbortSignal): Promise<boolean> {
    const { onEvent, progress } = this.#deps;
    const { connectionRetryWaitTime, maxConnectRetries } = this.#options.config;
    const maxMs = Math.max(1, connectionRetryWaitTime * 1000);
    const backoff = new Backoff({ baseMs: Math.min(RETRY_BASE_MS, maxMs), maxMs });
    this.#forgetTailing();
    progress.lost();
    for (let failures = 1; ; failures++) {
      onEvent({ type: 'resync', why: reasonFor(lost) });
      try {
        await this.#copy(signal);
        this.#resyncs++;
        // Not its beginning: a copy that takes long must not make the next loss look like a new series.
        this.#series.lastMs = this.#deps.clock.nowMs();
        this.#failureLog.reached();
        onEvent({ type: 'synced' });
        return true;
      } catch (error) {
        const verdict = classify(error, signal);
        if (verdict === 'abort') return false;
        if (verdict !== 'retry') throw error;
        progress.failed();
        if (maxConnectRetries > 0 && failures > maxConnectRetries) throw error;
        this.#failureLog.failed(error);
        onEvent({ type: 'lost', why: reasonFor(error) });
        await sleep(backoff.nextMs(), signal);
        if (signal.aborted) return false;
      }
    }
  }

  async #copy(signal: AbortSignal): Promise<void> {
    const { initialSyncer, database, progress } = this.#deps;
    const { restrictType, restrictCollections, includeSystem } = this.#options.config;
    await initialSyncer.run(
      database,
      {
        client: this.#client,
        restrictType,
        restrictCollections,
        includeSystem,
        onProgress: (message) => {
          progress.say(message);
        },
        onSwitch: (tx, position) => {
          writeCheckpoint(tx, database.number, checkpointAt(position, tx.timeMs));
        },
      },
      signal,
    );
  }

  /** Keeps the figures of a tailing syncer that has ended. */
  #forgetTailing(): void {
    const { events, excluded } = this.figures;
    this.#tailing = undefined;
    this.#events = events;
    this.#excluded = excluded;
  }
}
