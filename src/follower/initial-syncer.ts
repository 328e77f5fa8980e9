import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { LeaderClient } from './leader-client.ts';
import { ACCEPTED_VERSIONS } from './leader-check.ts';
import { Restriction, type RestrictType } from './restriction.ts';
import { SyncRun } from './sync-run.ts';

/** How far a sync is. */
export interface SyncFigures {
  readonly collections: number;
  readonly collectionsDone: number;
  /** Since this sync began, what an earlier one had copied not included. */
  readonly documents: number;
  readonly removals: number;
  readonly bytes: number;
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
}

export interface InitialSyncerDeps {
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly copies: CollectionCopies;
  readonly logger: Logger;
  readonly clock: Clock;
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
}

const CHUNK_SIZE_BYTES = 8 * 1024 * 1024;
const DEFAULTS: Required<InitialSyncerOptions> = {
  acceptedVersions: ACCEPTED_VERSIONS,
  // 3 to 4 ms of work, which is what other requests wait; larger commits copy no faster.
  sliceBytes: 256 * 1024,
  fetchRetries: 3,
  batchTtlSeconds: 180,
  batchExtendMs: 120_000,
};

/**
 * Makes the collections of a database equal to those of a leader (contract 6.2). Nothing that is
 * there is touched until everything has been copied; then all of it is replaced in one batch (P6).
 * Collections that the leader does not have are kept. A sync that fails, is stopped or killed is
 * gone on with by the next one.
 */
export class InitialSyncer {
  readonly #deps: InitialSyncerDeps;
  readonly #options: Required<InitialSyncerOptions>;
  readonly #running = new Set<Database>();

  constructor(deps: InitialSyncerDeps, options: InitialSyncerOptions = {}) {
    this.#deps = deps;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Whether a sync of this database is under way. */
  isRunning(database: Database): boolean {
    return this.#running.has(database);
  }

  /**
   * Copies the collections of a leader. Whoever runs appliers sees to it that none of this database
   * runs meanwhile.
   *
   * @throws ServiceError applierRunning (1411) when another sync of the database runs; 1400, 1401,
   *   1402, 1403, 1405 about the leader; 1404 when it is exchanged meanwhile; 1210 when its
   *   documents do not satisfy one of its indexes; 1414 when it compacts faster than it can be copied; the
   *   reason of `signal` when that is aborted. The old data is there and readable in all these cases.
   */
  async run(database: Database, request: SyncRequest, signal: AbortSignal): Promise<SyncResult> {
    if (this.#running.has(database)) {
      throw new ServiceError('applierRunning', 'a sync of this database is running already');
    }
    this.#running.add(database);
    const startedMs = this.#deps.clock.nowMs();
    const logger = this.#deps.logger.child({
      database: database.name,
      leader: request.client.endpoint,
    });
    try {
      signal.throwIfAborted();
      const run = new SyncRun(
        { ...this.#deps, logger, client: request.client },
        {
          ...this.#options,
          database,
          restriction: new Restriction(
            request.restrictType,
            request.restrictCollections,
            request.includeSystem,
          ),
          chunkSizeBytes: request.chunkSizeBytes ?? CHUNK_SIZE_BYTES,
          onProgress: request.onProgress ?? (() => undefined),
          onSwitch: request.onSwitch ?? (() => undefined),
        },
      );
      const result = await run.run(signal);
      logger.info(
        {
          ...run.figures,
          lastLogTick: result.lastLogTick.toString(),
          ms: this.#deps.clock.nowMs() - startedMs,
        },
        'sync finished',
      );
      return result;
    } finally {
      this.#running.delete(database);
    }
  }
}
