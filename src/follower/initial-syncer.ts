import type { Clock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import type { Logger } from '../base/logger.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import type { SyncNumbers, UnfinishedSync } from '../model/sync-numbers.ts';
import type { Tick } from '../model/tick.ts';
import { wireTime } from '../protocol/wire-time.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { DifferencesBy } from './copy-seeds.ts';
import type { LeaderClient } from './leader-client.ts';
import { ACCEPTED_VERSIONS } from './leader-check.ts';
import { ReplicationFigures } from './replication-figures.ts';
import { Restriction, type RestrictType } from './restriction.ts';
import { discardCopies } from './sync-discard.ts';
import { NO_FIGURES, type SyncFigures } from './sync-figures.ts';
import { SyncGauge } from './sync-gauge.ts';
import { SyncProgress } from './sync-progress.ts';
import { SyncRun } from './sync-run.ts';

/** A sync under way, as the state of its database's applier shows it. Times in ms since 1970. */
export interface SyncView {
  readonly sinceMs: number;
  /** The step it is at, for people. */
  readonly message: string;
  readonly messageAtMs: number;
  readonly figures: SyncFigures;
  readonly numbers: SyncNumbers;
}

/** Where following goes on after a sync. */
export interface SyncPosition {
  readonly leaderId: string;
  /** The run of a ticklog leader in which the tick was given out. */
  readonly incarnation?: string;
  readonly tick: Tick;
}

export interface SyncRequest {
  readonly client: LeaderClient;
  readonly restrictType: RestrictType;
  readonly restrictCollections: readonly string[];
  readonly includeSystem: boolean;
  /** Size of the pages asked for, in bytes; 8 MiB by default. */
  readonly chunkSizeBytes?: number;
  /** Leave the barrier on the leader to whoever follows from here; see SyncResult. */
  readonly keepBarrier?: boolean;
  /**
   * Transfer only what differs from what is here, where that is known to come from this leader; everything is
   * copied whole without it.
   */
  readonly differencesBy?: DifferencesBy | undefined;
  /** Of the request that somebody asked with, for the log. */
  readonly requestId?: string | undefined;
  /** Write every step into the log. */
  readonly verbose?: boolean;
  /** Told of every step, with a text for people and the figures so far. Must not throw. */
  readonly onProgress?: (message: string, figures: SyncFigures) => void;
  /** Writes what must be in the batch that puts the copies in place: the applier's checkpoint. */
  readonly onSwitch?: (tx: WriteTx, position: SyncPosition) => void;
}

export interface SyncResult {
  /** With the leader's ids, in their numeric order. */
  readonly collections: readonly { readonly id: string; readonly name: string }[];
  /** L: following goes on behind it. */
  readonly lastLogTick: Tick;
  readonly leaderId: string;
  readonly incarnation?: string;
  /** The leader's logger did not run: what changes there now reaches nobody. */
  readonly leaderWasStopped: boolean;
  /** The barrier that keeps the leader's log behind `lastLogTick`, where one was asked for and given. */
  readonly barrierId?: string;
}

export interface InitialSyncerDeps {
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly copies: CollectionCopies;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Gets what all syncs do. */
  readonly figures?: ReplicationFigures | undefined;
}

export interface InitialSyncerOptions {
  /** Versions of other servers that may be copied from, by their beginnings. */
  readonly acceptedVersions?: readonly string[];
  /** Size of the commits a page is written in, in bytes of lines. */
  readonly sliceBytes?: number;
  /** Further attempts to get a page, in a row. */
  readonly fetchRetries?: number;
  /** How long the leader keeps a dump batch that it hears nothing of, in seconds. */
  readonly batchTtlSeconds?: number;
  /** The dump batch is extended after this time, in ms. */
  readonly batchExtendMs?: number;
  /** How long the leader keeps a barrier that it hears nothing of, in seconds. */
  readonly barrierTtlSeconds?: number;
}

/** A sync, or the removal of what one has left. */
interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
  view: Omit<SyncView, 'numbers'>;
  readonly gauge: SyncGauge;
  /** Of the leader; null where none is asked. */
  readonly endpoint: string | null;
}

/** A sync says this often in the log where it is, at the most. */
const LOG_EVERY_MS = 10_000;
const CHUNK_SIZE_BYTES = 8 * 1024 * 1024;
const DEFAULTS: Required<InitialSyncerOptions> = {
  acceptedVersions: ACCEPTED_VERSIONS,
  // 3 to 4 ms of work, which is what other requests wait; larger commits copy no faster.
  sliceBytes: 1024 * 1024,
  fetchRetries: 3,
  batchTtlSeconds: 180,
  batchExtendMs: 120_000,
  barrierTtlSeconds: 600,
};

/**
 * Makes the collections of a database equal to those of a leader (contract 6.2). Nothing that is
 * there is touched until everything has been copied; then all of it is replaced in one batch (P6).
 * Collections that the leader does not have are kept, but for those that once came from it
 * (docs/adr/0009). A sync that fails, is stopped or killed is gone on with by the next one.
 */
export class InitialSyncer {
  readonly #deps: InitialSyncerDeps;
  readonly #options: Required<InitialSyncerOptions>;
  readonly #running = new Map<Database, Running>();

  constructor(deps: InitialSyncerDeps, options: InitialSyncerOptions = {}) {
    this.#deps = deps;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Whether a sync of this database is under way. */
  isRunning(database: Database): boolean {
    return this.#running.has(database);
  }

  /** How far the sync of this database is; undefined when none is under way. */
  view(database: Database): SyncView | undefined {
    const running = this.#running.get(database);
    if (!running) return undefined;
    const since = wireTime(running.view.sinceMs);
    const numbers = { endpoint: running.endpoint, since, ...running.gauge.numbers };
    return { ...running.view, numbers };
  }

  /**
   * What an earlier sync of this database has left; undefined where there is nothing, or one is under way. Damage is
   * noted and no reason to say nothing else: the next sync meets it.
   */
  unfinished(database: Database): UnfinishedSync | undefined {
    if (this.isRunning(database)) return undefined;
    const { store, catalogue } = this.#deps;
    const progress = new SyncProgress({ store, database });
    try {
      const plan = progress.plan();
      if (!plan) return undefined;
      const done = catalogue.hiddenOf(database).filter((copy) => progress.position(copy)?.complete);
      return {
        leaderId: plan.leaderId,
        database: plan.leaderDatabase,
        tick: plan.tick.toString(),
        collectionsDone: done.length,
        collectionsExpected: plan.collections.length,
      };
    } catch (error) {
      if (!isServiceError(error, 'storageDamaged')) throw error;
      store.health.note(error);
      return undefined;
    }
  }

  /**
   * Ends the sync of this database, which then rejects with applierStopped (1412); resolves when
   * nothing of it works any more. Without effect when none is under way.
   */
  async stop(database: Database): Promise<void> {
    const running = this.#running.get(database);
    running?.abort.abort(new ServiceError('applierStopped', 'the sync was stopped'));
    await running?.ended;
  }

  /**
   * Removes what syncs of this database that were not finished have left: the next one begins anew.
   * @throws ServiceError applierRunning (1411) while one is under way
   */
  forget(database: Database): Promise<void> {
    return this.#alone(database, 'removing what an earlier sync has left', null, () => {
      const progress = new SyncProgress({ store: this.#deps.store, database });
      return discardCopies(
        { ...this.#deps, progress },
        database,
        () => true,
        (tx) => {
          progress.removePlan(tx);
        },
      );
    });
  }

  /**
   * Copies the collections of a leader. Whoever runs appliers sees to it that none of this database
   * runs meanwhile.
   *
   * @throws ServiceError applierRunning (1411) when another sync of the database runs;
   *   applierStopped (1412) after `stop`; 1400, 1401, 1402, 1403, 1405 about the leader; 1404 when it is exchanged meanwhile; 1210 when its
   *   documents do not satisfy one of its indexes; 1414 when it compacts faster than it can be copied; the
   *   reason of `signal` when that is aborted. The old data is there and readable in all these cases.
   */
  run(database: Database, request: SyncRequest, signal: AbortSignal): Promise<SyncResult> {
    return this.#alone(database, 'sync begins', request.client.endpoint, (running) =>
      this.#run(database, request, running, AbortSignal.any([signal, running.abort.signal])),
    );
  }

  async #run(
    database: Database,
    request: SyncRequest,
    running: Running,
    signal: AbortSignal,
  ): Promise<SyncResult> {
    signal.throwIfAborted();
    const { client, restrictType, restrictCollections, includeSystem } = request;
    const { requestId } = request;
    const logger = this.#deps.logger.child({
      ...{ database: database.name, leader: client.endpoint },
      ...(requestId === undefined ? {} : { requestId }),
    });
    const run = new SyncRun(
      {
        ...{ ...this.#deps, logger, client, gauge: running.gauge },
        figures: this.#deps.figures ?? new ReplicationFigures(),
      },
      {
        ...this.#options,
        database,
        restriction: new Restriction(restrictType, restrictCollections, includeSystem),
        chunkSizeBytes: request.chunkSizeBytes ?? CHUNK_SIZE_BYTES,
        keepBarrier: request.keepBarrier ?? false,
        differencesBy: request.differencesBy,
        onProgress: this.#onProgress(running, logger, request),
        onSwitch: request.onSwitch ?? (() => undefined),
      },
    );
    logger.info({}, 'sync begins');
    const result = await run.run(signal);
    logger.info(
      {
        ...run.figures,
        lastLogTick: result.lastLogTick.toString(),
        ms: this.#deps.clock.nowMs() - running.view.sinceMs,
      },
      'sync finished',
    );
    return result;
  }

  #onProgress(
    running: Running,
    logger: Logger,
    { onProgress, verbose = false }: SyncRequest,
  ): (message: string, figures: SyncFigures) => void {
    let loggedMs = this.#deps.clock.nowMs();
    return (message, figures) => {
      const messageAtMs = this.#deps.clock.nowMs();
      running.view = { ...running.view, message, messageAtMs, figures };
      if (verbose || messageAtMs - loggedMs >= LOG_EVERY_MS) {
        loggedMs = messageAtMs;
        logger.info({ ...figures, step: message }, 'sync under way');
      }
      onProgress?.(message, figures);
    };
  }

  /** Runs something that must not meet another sync of the database. */
  async #alone<T>(
    database: Database,
    message: string,
    endpoint: string | null,
    work: (running: Running) => Promise<T>,
  ): Promise<T> {
    if (this.#running.has(database)) {
      throw new ServiceError('applierRunning', 'a sync of this database is running already');
    }
    const { promise: ended, resolve } = deferred();
    const nowMs = this.#deps.clock.nowMs();
    const view = { sinceMs: nowMs, message, messageAtMs: nowMs, figures: NO_FIGURES };
    const gauge = new SyncGauge(this.#deps);
    const running: Running = { abort: new AbortController(), ended, view, gauge, endpoint };
    this.#running.set(database, running);
    try {
      return await work(running);
    } finally {
      this.#running.delete(database);
      resolve();
    }
  }
}
