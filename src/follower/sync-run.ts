import type { Logger } from '../base/logger.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Collection } from '../documents/collection.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { BatchLease } from './batch-lease.ts';
import { type BegunCopy, CollectionCopier, ReplacedOnLeader } from './collection-copier.ts';
import type {
  InitialSyncerOptions,
  SyncFigures,
  SyncRequest,
  SyncResult,
} from './initial-syncer.ts';
import { errorFields } from './failure-log.ts';
import { DroppedCollections } from './dropped-collections.ts';
import type { LeaderIncarnation, LeaderInventory, LeaderState } from './leader-answers.ts';
import { checkLeader, holdsHistory } from './leader-check.ts';
import type { LeaderClient } from './leader-client.ts';
import type { Restriction } from './restriction.ts';
import { type SyncEnd, isBehind, isLeftToApplier, moveCheckpoint } from './sync-checkpoint.ts';
import { discardCopies } from './sync-discard.ts';
import { deletionsSinceOf, isContinuable, keptCopies, makePlan } from './sync-plan.ts';
import { type SyncPlan, SyncProgress } from './sync-progress.ts';

export interface SyncRunDeps {
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly copies: CollectionCopies;
  readonly client: LeaderClient;
  readonly logger: Logger;
}

export interface SyncRunOptions extends Required<InitialSyncerOptions> {
  readonly database: Database;
  readonly restriction: Restriction;
  readonly chunkSizeBytes: number;
  readonly onProgress: NonNullable<SyncRequest['onProgress']>;
  readonly onSwitch: NonNullable<SyncRequest['onSwitch']>;
}

/** A plan, what is there of it already, and whether it may be older than the leader's dump. */
interface Start {
  readonly plan: SyncPlan;
  readonly begun: ReadonlyMap<string, BegunCopy>;
  readonly continued: boolean;
  /** The runs of a ticklog leader. */
  readonly incarnations: readonly LeaderIncarnation[] | undefined;
  /** The one that it is in. */
  readonly run: string | undefined;
  /** From which tick on the leader's removals are complete, by the ids of its collections. */
  readonly deletionsSince: ReadonlyMap<string, Tick | undefined>;
}

/** One sync of one database, from the first request to the switch. Used once. */
export class SyncRun {
  readonly #deps: SyncRunDeps;
  readonly #options: SyncRunOptions;
  readonly #progress: SyncProgress;
  #figures = { collections: 0, collectionsDone: 0, documents: 0, removals: 0, bytes: 0 };

  constructor(deps: SyncRunDeps, options: SyncRunOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#progress = new SyncProgress({ store: deps.store, database: options.database });
  }

  get figures(): SyncFigures {
    return this.#figures;
  }

  /** @throws as InitialSyncer.run */
  async run(signal: AbortSignal): Promise<SyncResult> {
    this.#say('fetching master state');
    const state = await this.#leaderState(signal);
    const { client, logger } = this.#deps;
    this.#say(`sending batch start command to ${client.endpoint}`);
    const lease = await BatchLease.open(
      { client, logger },
      { ttlSeconds: this.#options.batchTtlSeconds, extendAfterMs: this.#options.batchExtendMs },
      signal,
    );
    try {
      const inventory = await this.#inventory(state, signal);
      const start = await this.#start(state, inventory, signal);
      try {
        return await this.#copyAll(start, lease, signal);
      } catch (error) {
        const unfit = isServiceError(error, 'uniqueConstraintViolated');
        if (!unfit && !isReplaced(error)) throw error;
        // Going on with these copies would end here again.
        await this.#discardAll();
        if (unfit && !start.continued && lease.openings === 1) throw error;
        logger.warn(errorFields(error), 'what was copied does not fit together; copying anew');
      }
      const now = await this.#leaderState(signal);
      const anew = await this.#start(now, await this.#inventory(now, signal), signal);
      return await this.#copyAll(anew, lease, signal);
    } finally {
      this.#say(`sending batch finish command to ${client.endpoint}`);
      await lease.close();
    }
  }

  async #leaderState(signal: AbortSignal): Promise<LeaderState> {
    const { client, store } = this.#deps;
    const state = await client.state(signal);
    checkLeader(state, {
      ownServerId: store.server.serverId,
      acceptedVersions: this.#options.acceptedVersions,
      endpoint: client.endpoint,
    });
    return state;
  }

  /** The list, certain to be of the run of the leader whose name the plan will bear. */
  async #inventory(state: LeaderState, signal: AbortSignal): Promise<LeaderInventory> {
    const { client } = this.#deps;
    this.#say(`fetching master inventory from ${client.endpoint}`);
    const { includeSystem } = this.#options.restriction;
    const inventory = await client.inventory({ includeSystem }, signal);
    if (state.incarnations === undefined) return inventory;
    const now = await this.#leaderState(signal);
    const same =
      now.serverId === state.serverId &&
      now.incarnations?.at(-1)?.id === state.incarnations.at(-1)?.id;
    if (same) return inventory;
    throw new ServiceError(
      'noResponse',
      `could not connect to master at ${client.endpoint}: it was restarted meanwhile`,
    );
  }

  /** Goes on with the plan of an earlier sync where that is safe, else makes a new one (P6). */
  async #start(
    state: LeaderState,
    inventory: LeaderInventory,
    signal: AbortSignal,
  ): Promise<Start> {
    const { catalogue } = this.#deps;
    const { database, restriction } = this.#options;
    const situation = { state, inventory, leaderDatabase: this.#deps.client.database, restriction };
    const earlier = this.#progress.plan();
    const continued =
      earlier !== undefined && (await this.#canContinue(earlier, situation, signal));
    const plan = continued ? earlier : makePlan(situation);
    const begun = continued
      ? keptCopies(plan, inventory, catalogue.hiddenOf(database), this.#progress)
      : new Map<string, BegunCopy>();
    const keep = new Set([...begun.values()].map(({ copy }) => copy.number));
    await this.#discard(keep, (tx) => this.#progress.writePlan(tx, plan));
    this.#figures = { ...this.#figures, collections: plan.collections.length, collectionsDone: 0 };
    if (continued) {
      this.#say(
        `going on with an earlier sync up to tick ${plan.tick}, ${begun.size} copies begun`,
      );
    }
    if (plan.leaderWasStopped) {
      this.#say(
        `the logger of the master is stopped: copying up to tick ${plan.tick}; ` +
          'what changes there until it is started will not be seen here',
      );
    }
    const deletionsSince = deletionsSinceOf(inventory);
    const { incarnations } = state;
    const run = incarnations?.at(-1)?.id;
    return { plan, begun, continued, incarnations, run, deletionsSince };
  }

  async #canContinue(
    plan: SyncPlan,
    situation: Parameters<typeof isContinuable>[1],
    signal: AbortSignal,
  ): Promise<boolean> {
    if (!isContinuable(plan, situation)) return false;
    const { client, store } = this.#deps;
    // An applier that has run since is ahead of the plan, also with collections that the plan does not
    // know: what came in between cannot be replayed over those.
    if (isBehind(store, this.#options.database, plan)) return false;
    const { tick: from } = plan;
    const { fromPresent } = await client.follow(
      { from, chunkSizeBytes: 1, waitSeconds: 0 },
      signal,
    );
    if (fromPresent !== undefined || plan.incarnation !== undefined) return fromPresent === true;
    // 1.4 does not say: its log reaches back to a tick that is not older than its first event.
    const first = await client.follow({ from: 0n, chunkSizeBytes: 1, waitSeconds: 0 }, signal);
    return first.lastIncluded > 0n && first.lastIncluded <= plan.tick;
  }

  async #copyAll(start: Start, lease: BatchLease, signal: AbortSignal): Promise<SyncResult> {
    const { plan, begun } = start;
    const { client, copies, logger } = this.#deps;
    const copier = new CollectionCopier(
      {
        client,
        copies,
        lease,
        logger,
        progress: this.#progress,
        recheckLeader: (inner) => this.#recheck(plan, inner),
        isDropped: (cid, inner) => this.#isDropped(plan, cid, inner),
        discard: (copy) => this.#discardOne(copy),
        onPage: (message, page) => this.#count(message, page),
      },
      { ...this.#options, ...start },
    );
    const finished: Collection[] = [];
    for (const planned of plan.collections) {
      signal.throwIfAborted();
      const copy = await copier.copy(planned, begun.get(planned.parameters.cid), signal);
      if (copy) finished.push(copy);
      this.#figures = { ...this.#figures, collectionsDone: this.#figures.collectionsDone + 1 };
    }
    this.#say(`putting ${finished.length} collections in place`);
    signal.throwIfAborted();
    await this.#switchIn(start, finished);
    return {
      collections: finished
        .map(({ cid, name }) => ({ id: cid, name }))
        .sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1)),
      lastLogTick: plan.tick,
      leaderId: plan.leaderId,
      ...(plan.incarnation === undefined ? {} : { incarnation: plan.incarnation }),
      leaderWasStopped: plan.leaderWasStopped,
    };
  }

  async #switchIn({ plan, incarnations }: Start, finished: readonly Collection[]): Promise<void> {
    const { copies, logger } = this.#deps;
    const { database, restriction } = this.#options;
    const { leaderId, incarnation, leaderDatabase, tick } = plan;
    const position = { leaderId, ...(incarnation === undefined ? {} : { incarnation }), tick };
    const end = { position, leaderDatabase, restriction, incarnations };
    const gone = await copies.switchIn(
      database,
      finished,
      (tx, going) => this.#endProgress(tx, finished, going, end),
      {
        followed: { leaderId, database: leaderDatabase, tick },
        isGone: (collection) => this.#isGone(collection, end),
      },
    );
    for (const { name, cid } of gone) {
      logger.info({ collection: name, cid }, 'dropped, as the leader no longer has it');
    }
  }

  /**
   * Whether something that was not copied once came from the place that was copied, and would have been
   * copied if it were still there. What no leader's copy is stays (contract 3.7).
   */
  #isGone({ name, followed }: Collection, end: SyncEnd): boolean {
    if (followed?.leaderId !== end.position.leaderId) return false;
    if (followed.database !== end.leaderDatabase || !end.restriction.accepts(name)) return false;
    const { store } = this.#deps;
    return !isLeftToApplier({ store, database: this.#options.database }, end, name);
  }

  /** What is in the batch of the switch besides the switch. */
  #endProgress(
    tx: WriteTx,
    finished: readonly Collection[],
    going: readonly Collection[],
    end: SyncEnd,
  ): void {
    this.#progress.removePlan(tx);
    for (const copy of finished) this.#progress.removePosition(tx, copy);
    tx.observeTick(end.position.tick);
    const { database } = this.#options;
    if (moveCheckpoint(tx, { store: this.#deps.store, database }, end)) {
      this.#noteDropped(tx, finished, going, end);
    }
    this.#options.onSwitch(tx, end.position);
  }

  /** All that the applier is to follow was copied: what came from there and was not copied is gone. */
  #noteDropped(
    tx: WriteTx,
    finished: readonly Collection[],
    going: readonly Collection[],
    { position, leaderDatabase, incarnations = [] }: SyncEnd,
  ): void {
    const { leaderId, tick } = position;
    const copied = new Set(finished.map(({ cid }) => cid));
    const gone = going.filter(
      ({ cid, followed }) =>
        !copied.has(cid) && followed?.leaderId === leaderId && followed.database === leaderDatabase,
    );
    const dropped = new DroppedCollections(this.#deps, {
      databaseNumber: this.#options.database.number,
      leader: { leaderId, database: leaderDatabase, incarnations },
    });
    const cids = gone.map(({ cid }) => cid);
    dropped.add(tx, cids, tick);
  }

  /**
   * After a failed request: whoever answers now must still be the leader of the plan. Resolves with
   * the run that a ticklog leader is in.
   */
  async #recheck(plan: SyncPlan, signal: AbortSignal): Promise<string | undefined> {
    const state = await this.#leaderState(signal);
    const same =
      state.serverId === plan.leaderId &&
      (plan.incarnation === undefined ||
        (state.incarnations !== undefined &&
          holdsHistory(state.incarnations, plan.incarnation, plan.tick)));
    if (same) return state.incarnations?.at(-1)?.id;
    throw new ServiceError(
      'leaderChanged',
      `the server at ${this.#deps.client.endpoint} is not the one, or not of the history, that is ` +
        'being copied',
    );
  }

  async #isDropped(plan: SyncPlan, cid: string, signal: AbortSignal): Promise<boolean> {
    await this.#recheck(plan, signal);
    const { includeSystem } = this.#options.restriction;
    const { collections } = await this.#deps.client.inventory({ includeSystem }, signal);
    // That list must be the leader's, too.
    await this.#recheck(plan, signal);
    return collections.every(({ parameters }) => parameters.cid !== cid);
  }

  #discardAll(): Promise<void> {
    return this.#discard(new Set(), (tx) => this.#progress.removePlan(tx));
  }

  #discardOne(copy: Collection): Promise<void> {
    const others = this.#deps.catalogue.hiddenOf(this.#options.database);
    const keep = new Set(others.map(({ number }) => number));
    keep.delete(copy.number);
    return this.#discard(keep, () => undefined);
  }

  #discard(keep: ReadonlySet<number>, also: (tx: WriteTx) => void): Promise<void> {
    const { catalogue, copies } = this.#deps;
    const deps = { catalogue, copies, progress: this.#progress };
    return discardCopies(deps, this.#options.database, keep, also);
  }

  #count(
    message: string,
    { documents, removals, bytes }: { documents: number; removals: number; bytes: number },
  ): void {
    const before = this.#figures;
    this.#figures = {
      ...before,
      documents: before.documents + documents,
      removals: before.removals + removals,
      bytes: before.bytes + bytes,
    };
    this.#say(message);
  }

  #say(message: string): void {
    this.#options.onProgress(message, this.#figures);
  }
}

function isReplaced(error: unknown): boolean {
  return isServiceError(error, 'startTickNotPresent') && error.cause instanceof ReplacedOnLeader;
}
