import type { Logger } from '../base/logger.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Collection } from '../documents/collection.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { BarrierLease } from './barrier-lease.ts';
import { BatchLease } from './batch-lease.ts';
import { type BegunCopy, CollectionCopier, ReplacedOnLeader } from './collection-copier.ts';
import type {
  InitialSyncerOptions,
  SyncFigures,
  SyncRequest,
  SyncResult,
} from './initial-syncer.ts';
import { errorFields } from './failure-log.ts';
import type { LeaderIncarnation, LeaderInventory, LeaderState } from './leader-answers.ts';
import { checkLeader, holdsHistory } from './leader-check.ts';
import type { LeaderClient } from './leader-client.ts';
import { type LeaderTraits, leaderTraits } from './leader-traits.ts';
import type { Restriction } from './restriction.ts';
import { repeatWhenLost } from './snapshot-lost.ts';
import { isBehind } from './sync-checkpoint.ts';
import { discardCopies } from './sync-discard.ts';
import { deletionsSinceOf, isContinuable, keptCopies, makePlan } from './sync-plan.ts';
import { type SyncPlan, SyncProgress } from './sync-progress.ts';
import { SyncSwitch } from './sync-switch.ts';

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
  readonly keepBarrier: boolean;
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
  readonly traits: LeaderTraits;
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
    const { barrierTtlSeconds: ttlSeconds, fetchRetries, keepBarrier } = this.#options;
    const tick = neededFrom(state, this.#progress.plan());
    const barrier =
      leaderTraits(state).hasBarriers && tick > 0n
        ? await BarrierLease.open(this.#deps, { tick, ttlSeconds }, signal)
        : undefined;
    let keeps = false;
    try {
      const result = await repeatWhenLost(
        async (attempt) =>
          this.#underBatch(attempt === 1 ? state : await this.#leaderState(signal), signal),
        { attempts: 1 + fetchRetries, onLost: (error) => this.#snapshotLost(error) },
        signal,
      );
      keeps = keepBarrier;
      return keeps && barrier ? { ...result, barrierId: barrier.id } : result;
    } finally {
      await barrier?.close({ keeps });
    }
  }

  #snapshotLost(error: unknown): Promise<void> {
    this.#deps.logger.warn(
      errorFields(error),
      'the snapshot of the master is lost, and what was copied of it',
    );
    return this.#discardAll();
  }

  async #underBatch(state: LeaderState, signal: AbortSignal): Promise<SyncResult> {
    const { client, logger } = this.#deps;
    const { batchTtlSeconds: ttlSeconds, batchExtendMs: extendAfterMs } = this.#options;
    const { isSnapshot } = leaderTraits(state);
    this.#say(`sending batch start command to ${client.endpoint}`);
    const lease = await BatchLease.open(
      { client, logger },
      { ttlSeconds, extendAfterMs, isSnapshot },
      signal,
    );
    try {
      const inventory = await this.#inventory(state, lease, signal);
      const start = await this.#start(state, inventory, lease, signal);
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
      const list = await this.#inventory(now, lease, signal);
      const anew = await this.#start(now, list, lease, signal);
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
  async #inventory(
    state: LeaderState,
    lease: BatchLease,
    signal: AbortSignal,
  ): Promise<LeaderInventory> {
    const { client } = this.#deps;
    this.#say(`fetching master inventory from ${client.endpoint}`);
    const inventory = await this.#list(leaderTraits(state), lease, signal);
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

  #list(traits: LeaderTraits, lease: BatchLease, signal: AbortSignal): Promise<LeaderInventory> {
    const { includeSystem } = this.#options.restriction;
    const batchId = traits.wantsBatchId ? lease.id : undefined;
    return this.#deps.client.inventory({ includeSystem, batchId }, signal);
  }

  /** Goes on with the plan of an earlier sync where that is safe, else makes a new one (P6). */
  async #start(
    state: LeaderState,
    inventory: LeaderInventory,
    lease: BatchLease,
    signal: AbortSignal,
  ): Promise<Start> {
    const { catalogue, client } = this.#deps;
    const { database, restriction } = this.#options;
    const traits = leaderTraits(state);
    const situation = {
      state,
      inventory,
      leaderDatabase: client.database,
      restriction,
      snapshotTick: traits.wantsBatchId ? lease.lastTick : undefined,
    };
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
    return { plan, begun, continued, incarnations, run, deletionsSince, traits };
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
        goneAt: (cid, inner) => this.#goneAt(start, lease, cid, inner),
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
    await new SyncSwitch({ ...this.#deps, progress: this.#progress }, this.#options).run(
      plan,
      finished,
      { incarnations: start.incarnations, gone: copier.gone },
    );
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

  async #goneAt(
    { plan, traits }: Start,
    lease: BatchLease,
    cid: string,
    signal: AbortSignal,
  ): Promise<Tick | undefined> {
    await this.#recheck(plan, signal);
    const { collections, tick } = await this.#list(traits, lease, signal);
    // That list must be the leader's, too.
    await this.#recheck(plan, signal);
    return collections.some(({ parameters }) => parameters.cid === cid) ? undefined : tick;
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

/** From which tick on the log will be needed: that of an earlier plan, which may be gone on with. */
function neededFrom({ serverId, lastLogTick }: LeaderState, earlier: SyncPlan | undefined): Tick {
  return earlier?.leaderId === serverId && earlier.tick < lastLogTick ? earlier.tick : lastLogTick;
}
