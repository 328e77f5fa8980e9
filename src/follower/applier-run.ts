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
import { configuredClient, configuredCopy } from './applier-leader.ts';
import type { ApplierEvent, Reason } from './applier-machine.ts';
import type { ApplierProgress } from './applier-progress.ts';
import { removeBarrier } from './barrier-lease.ts';
import type { Checkpoint } from './checkpoint.ts';
import { LogGap, classify } from './classify.ts';
import type { DifferencesBy } from './copy-seeds.ts';
import { FailureLog, errorFields } from './failure-log.ts';
import type { InitialSyncer } from './initial-syncer.ts';
import type { LeaderClient } from './leader-client.ts';
import type { Displaced } from './document-applier.ts';
import type { IgnoredEvents, PageApplierDeps } from './page-applier.ts';
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
  readonly onIgnored: PageApplierDeps['onIgnored'];
  readonly onDisplaced: (displaced: Displaced) => void;
}

export interface ApplierRunOptions {
  readonly config: ApplierConfig;
  readonly restriction: Restriction;
  readonly acceptedVersions: readonly string[];
  /** In bytes of lines; see PageApplierOptions. */
  readonly transactionMaxBytes: number;
  /** A barrier on the leader that an earlier copy has left; ended with the run. */
  readonly barrierId?: string | undefined;
}

/** Counted since the run began. */
export interface ApplierRunFigures {
  readonly events: number;
  readonly excluded: number;
  readonly resyncs: number;
  readonly ignored: IgnoredEvents;
}

/** A position lost this soon after a resync belongs to the same series (contract 6.8). */
const RESYNC_SERIES_MS = 120_000;
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
  #ignored: IgnoredEvents = { count: 0, last: undefined };
  #barrierId: string | undefined;
  /** Resyncs of the present series, and when the last one was through. */
  #series = { count: 0, lastMs: -Infinity };

  /** The endpoint of the configuration is known to be usable. */
  constructor(deps: ApplierRunDeps, options: ApplierRunOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#failureLog = new FailureLog(deps);
    this.#barrierId = options.barrierId;
    this.#client = configuredClient(deps, options.config);
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
    const applier = this.#tailing?.applier;
    const ignored = applier?.ignored;
    return {
      events: this.#events + (applier?.figures.events ?? 0),
      excluded: this.#excluded + (applier?.figures.excluded ?? 0),
      resyncs: this.#resyncs,
      ignored: {
        count: this.#ignored.count + (ignored?.count ?? 0),
        last: ignored?.last ?? this.#ignored.last,
      },
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
        if (lost.cause instanceof LogGap) this.#deps.progress.lostPlace();
        this.#deps.logger.warn(
          errorFields(lost),
          'the position is lost; what differs is copied anew',
        );
        if (!(await this.#resync(lost, signal))) return;
      }
    } finally {
      await this.#endBarrier();
      await this.#client.close();
    }
  }

  /** Follows; resolves after an abort, and with an error that a copy of everything cures. */
  async #tail(signal: AbortSignal): Promise<ServiceError | undefined> {
    this.#forgetTailing();
    const { logger, onDisplaced, onEvent, store } = this.#deps;
    this.#tailing = new TailingSyncer(
      {
        ...this.#deps,
        client: this.#client,
        onDisplaced: (displaced) => {
          const { tick, ...what } = displaced;
          logger.warn(
            { ...what, tick: tick.toString() },
            'a document was removed for one of the leader with the same value in a unique index',
          );
          onDisplaced(displaced);
        },
        onContact: () => {
          this.#failureLog.reached();
          onEvent({ type: 'contacted' });
        },
        onLost: (error) => {
          onEvent({ type: 'lost', why: reasonFor(error) });
          this.#failureLog.failed(error);
        },
      },
      {
        ...this.#options,
        ownServerId: store.server.serverId,
        barrierId: this.#barrierId,
        ignoredBefore: this.#ignored.count,
      },
    );
    try {
      await this.#tailing.run(signal);
      return undefined;
    } catch (error) {
      // Another leader, or one put back to a backup, can be copied as well as one with a gap.
      if (!isCurable(error, signal) || !this.#mayResync()) throw error;
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
    await this.#endBarrier();
    progress.lost();
    for (let failures = 1; ; failures++) {
      onEvent({ type: 'resync', why: reasonFor(lost) });
      try {
        await this.#copy(this.#differencesBy(lost), signal);
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
        const pauseMs = backoff.nextMs();
        progress.waits(pauseMs);
        await sleep(pauseMs, signal);
        if (signal.aborted) return false;
      }
    }
  }

  /**
   * What of what is here a copy may begin from. Where only the log is lost, everything is what the leader had at the
   * position, unless something was passed over; where something did not fit, documents are looked at one by
   * one; of another leader, or another history, nothing counts.
   */
  #differencesBy(lost: ServiceError): DifferencesBy | undefined {
    if (lost.kind === 'leaderChanged' || lost.kind === 'noStartTick') return undefined;
    const { ignoreErrors, allowLogGap } = this.#options.config;
    const isStrict = ignoreErrors === 0 && !allowLogGap;
    return isStrict && lost.cause instanceof LogGap ? 'journals' : 'keys';
  }

  async #copy(differencesBy: DifferencesBy | undefined, signal: AbortSignal): Promise<void> {
    const { initialSyncer, database, progress } = this.#deps;
    const configured = configuredCopy({ database, client: this.#client }, this.#options.config);
    const request = { ...configured, differencesBy };
    const onProgress = (message: string): void => {
      progress.say(message);
    };
    const { barrierId } = await initialSyncer.run(database, { ...request, onProgress }, signal);
    this.#barrierId = barrierId;
  }

  async #endBarrier(): Promise<void> {
    const id = this.#barrierId;
    this.#barrierId = undefined;
    if (id !== undefined) await removeBarrier(this.#client, this.#deps.logger, id);
  }

  /** Keeps the figures of a tailing syncer that has ended. */
  #forgetTailing(): void {
    const { events, excluded, ignored } = this.figures;
    this.#tailing = undefined;
    this.#events = events;
    this.#excluded = excluded;
    this.#ignored = ignored;
  }
}

/**
 * Whether a copy of everything cures what ended the following: a place that is lost, another leader
 * or one put back to a backup, and, as with 3.8, events of a collection that is not here.
 */
function isCurable(error: unknown, signal: AbortSignal): error is ServiceError {
  if (!isServiceError(error)) return false;
  if (classify(error, signal) === 'resync') return true;
  return error.kind === 'leaderChanged' || error.kind === 'collectionNotFound';
}
