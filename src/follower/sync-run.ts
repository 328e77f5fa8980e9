import type { Logger } from '../base/logger.ts';
import { counted } from '../base/words.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Collection } from '../documents/collection.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import { isServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { BarrierLease } from './barrier-lease.ts';
import { BatchLease } from './batch-lease.ts';
import { type BegunCopy, CollectionCopier, ReplacedOnLeader } from './collection-copier.ts';
import { CopyRound } from './copy-round.ts';
import { CopySeeds, type DifferencesBy } from './copy-seeds.ts';
import type { InitialSyncerOptions, SyncRequest, SyncResult } from './initial-syncer.ts';
import type { SyncFigures } from './sync-figures.ts';
import type { SyncGauge } from './sync-gauge.ts';
import { errorFields } from './failure-log.ts';
import type { LeaderInventory, LeaderState } from './leader-answers.ts';
import type { LeaderClient } from './leader-client.ts';
import { type LeaderTraits, leaderTraits } from './leader-traits.ts';
import { PageSource } from './page-source.ts';
import type { ReplicationFigures } from './replication-figures.ts';
import type { Restriction } from './restriction.ts';
import { repeatWhenLost } from './snapshot-lost.ts';
import { isBehind, readableCheckpoint } from './sync-checkpoint.ts';
import { discardCopies } from './sync-discard.ts';
import { SyncLeader } from './sync-leader.ts';
import {
  deletionsSinceOf,
  fittingCopies,
  isContinuable,
  isWanted,
  keptCopies,
  makePlan,
} from './sync-plan.ts';
import { type SyncPlan, SyncProgress } from './sync-progress.ts';
import { SyncReport } from './sync-report.ts';
import { SyncSwitch } from './sync-switch.ts';

export interface SyncRunDeps {
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly copies: CollectionCopies;
  readonly client: LeaderClient;
  readonly logger: Logger;
  readonly gauge: SyncGauge;
  readonly figures: ReplicationFigures;
}

export interface SyncRunOptions extends Required<InitialSyncerOptions> {
  readonly database: Database;
  readonly restriction: Restriction;
  readonly chunkSizeBytes: number;
  readonly keepBarrier: boolean;
  readonly differencesBy: DifferencesBy | undefined;
  readonly onProgress: NonNullable<SyncRequest['onProgress']>;
  readonly onSwitch: NonNullable<SyncRequest['onSwitch']>;
}

/** A plan, what is there of it already, and whether it may be older than the leader's dump. */
interface Start {
  readonly plan: SyncPlan;
  readonly begun: ReadonlyMap<string, BegunCopy>;
  readonly continued: boolean;
  /** The run that a ticklog leader is in. */
  readonly run: string | undefined;
  /** From which tick on the leader's removals are complete, by the ids of its collections. */
  readonly deletionsSince: ReadonlyMap<string, Tick | undefined>;
  readonly traits: LeaderTraits;
  /** What copies can begin from besides; undefined when all are made whole. */
  readonly seeds: CopySeeds | undefined;
}

type Prepared = Awaited<ReturnType<CopySeeds['beforePlan']>>;

/** One sync of one database, from the first request to the switch. Used once. */
export class SyncRun {
  readonly #deps: SyncRunDeps;
  readonly #options: SyncRunOptions;
  readonly #progress: SyncProgress;
  readonly #leader: SyncLeader;
  readonly #report: SyncReport;
  /** What was begun from what is here did not fit together. */
  #isWhole = false;

  constructor(deps: SyncRunDeps, options: SyncRunOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#progress = new SyncProgress({ store: deps.store, database: options.database });
    this.#report = new SyncReport(deps.gauge, options.onProgress);
    this.#leader = new SyncLeader(deps, {
      ownServerId: deps.store.server.serverId,
      acceptedVersions: options.acceptedVersions,
      includeSystem: options.restriction.includeSystem,
    });
  }

  get figures(): SyncFigures {
    return this.#report.figures;
  }

  /** @throws as InitialSyncer.run */
  async run(signal: AbortSignal): Promise<SyncResult> {
    this.#report.say('fetching leader state');
    const state = await this.#leader.state(signal);
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
          this.#underBatch(attempt === 1 ? state : await this.#leader.state(signal), signal),
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
      'the snapshot of the leader is lost, and what was copied of it',
    );
    return this.#discardAll();
  }

  async #underBatch(state: LeaderState, signal: AbortSignal): Promise<SyncResult> {
    const { client, logger } = this.#deps;
    const { batchTtlSeconds: ttlSeconds, batchExtendMs: extendAfterMs } = this.#options;
    const { isSnapshot } = leaderTraits(state);
    this.#report.say(`sending batch start command to ${client.endpoint}`);
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
        this.#isWhole = true;
        if (unfit && !start.continued && !start.seeds && lease.openings === 1) throw error;
        logger.warn(errorFields(error), 'what was copied does not fit together; copying anew');
      }
      const now = await this.#leader.state(signal);
      const list = await this.#inventory(now, lease, signal);
      const anew = await this.#start(now, list, lease, signal);
      return await this.#copyAll(anew, lease, signal);
    } finally {
      this.#report.say(`sending batch finish command to ${client.endpoint}`);
      await lease.close();
    }
  }

  async #inventory(
    state: LeaderState,
    lease: BatchLease,
    signal: AbortSignal,
  ): Promise<LeaderInventory> {
    this.#report.say(`fetching leader inventory from ${this.#deps.client.endpoint}`);
    return this.#leader.inventory(state, lease, signal);
  }

  /** Goes on with the plan of an earlier sync where that is safe, else makes a new one (P6). */
  async #start(
    state: LeaderState,
    inventory: LeaderInventory,
    lease: BatchLease,
    signal: AbortSignal,
  ): Promise<Start> {
    const { catalogue, client, gauge } = this.#deps;
    const { database, restriction } = this.#options;
    const traits = leaderTraits(state);
    const snapshotTick = traits.wantsBatchId ? lease.lastTick : undefined;
    const leaderDatabase = client.database;
    let situation = { state, inventory, leaderDatabase, restriction, snapshotTick };
    const seeds = traits.hasKeys ? this.#seeds(state) : undefined;
    const earlier = this.#progress.plan();
    const continued =
      earlier !== undefined && (await this.#canContinue(earlier, situation, signal));
    let prepared: Prepared | undefined;
    if (seeds && traits.isTicklog && !continued) {
      await this.#discardAll();
      const wanted = inventory.collections.filter((each) => isWanted(restriction, each));
      gauge.plan(wanted);
      prepared = await seeds.beforePlan(wanted, signal);
      // Its tick must not be below that of a comparison.
      situation = { ...situation, inventory: await this.#inventory(state, lease, signal) };
    }
    const by = seeds && this.#options.differencesBy;
    const plan = continued ? earlier : makePlan(situation, { by, bases: prepared?.bases });
    const begun = continued
      ? keptCopies(plan, inventory, catalogue.hiddenOf(database), this.#progress)
      : fittingCopies(plan, prepared?.begun);
    const keep = new Set([...begun.values()].map(({ copy }) => copy.number));
    await this.#discard(
      ({ number }) => !keep.has(number),
      (tx) => {
        this.#progress.writePlan(tx, plan);
      },
    );
    gauge.plan(plan.collections);
    for (const { copy } of begun.values()) gauge.has(copy, continued);
    this.#report.planned(plan.collections.length);
    if (continued) {
      this.#report.say(
        `going on with an earlier sync up to tick ${plan.tick}, copies begun: ${begun.size}`,
      );
    }
    if (plan.leaderWasStopped) {
      this.#report.say(
        `the logger of the leader is stopped: copying up to tick ${plan.tick}; ` +
          'what changes there until it is started will not be seen here',
      );
    }
    const deletionsSince = deletionsSinceOf(situation.inventory);
    const run = state.incarnations?.at(-1)?.id;
    return { plan, begun, continued, run, deletionsSince, traits, seeds };
  }

  /** Undefined when everything is to be copied whole. */
  #seeds(state: LeaderState): CopySeeds | undefined {
    const { database, differencesBy: by } = this.#options;
    const checkpoint = readableCheckpoint(this.#deps.store, database);
    if (by === undefined || this.#isWhole || !checkpoint) return undefined;
    const deps = {
      ...this.#deps,
      progress: this.#progress,
      discard: (copy: Collection) => this.#discardOne(copy),
      report: this.#report,
    };
    return CopySeeds.for(deps, { database, by, checkpoint, state });
  }

  async #canContinue(
    plan: SyncPlan,
    situation: Parameters<typeof isContinuable>[1],
    signal: AbortSignal,
  ): Promise<boolean> {
    if (!isContinuable(plan, situation)) return false;
    // What relies on less than what is here may be relied upon is good for all.
    if (plan.by !== undefined && plan.by !== this.#options.differencesBy) return false;
    if (plan.by !== undefined && this.#isWhole) return false;
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
    const { plan, begun, traits } = start;
    const { client, copies, logger } = this.#deps;
    const report = this.#report;
    const shared = { client, lease, logger, report, figures: this.#deps.figures };
    const options = { ...this.#options, ...start };
    const pages = new PageSource(
      {
        ...shared,
        recheckLeader: (inner) => this.#leader.recheck(plan, inner),
        missed: (cid, inner) => this.#leader.missed(plan, { traits, lease, cid }, inner),
      },
      options,
    );
    const discard = (copy: Collection): Promise<void> => this.#discardOne(copy);
    const copier = new CollectionCopier(
      { ...shared, pages, copies, progress: this.#progress, discard },
      options,
    );
    const round = new CopyRound({
      ...{ copier, pages, logger, report, discard },
      seed: async (planned, inner) =>
        begun.get(planned.parameters.cid) ??
        start.seeds?.forPlanned(planned, plan, traits.wantsBatchId ? lease.id : undefined, inner),
    });
    const { finished, kept } = await round.run(plan, this.#options.chunkSizeBytes, signal);
    report.gauge.switching();
    report.say(`putting ${counted(finished.length, 'collection')} in place`);
    signal.throwIfAborted();
    await new SyncSwitch({ ...this.#deps, progress: this.#progress }, this.#options).run(
      plan,
      { finished, kept },
      { incarnations: this.#leader.incarnations, gone: pages.gone },
    );
    return {
      collections: [...finished, ...kept]
        .map(({ cid, name }) => ({ id: cid, name }))
        .sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1)),
      lastLogTick: plan.tick,
      leaderId: plan.leaderId,
      ...(plan.incarnation === undefined ? {} : { incarnation: plan.incarnation }),
      leaderWasStopped: plan.leaderWasStopped,
    };
  }

  #discardAll(): Promise<void> {
    return this.#discard(
      () => true,
      (tx) => {
        this.#progress.removePlan(tx);
      },
    );
  }

  #discardOne(copy: Collection): Promise<void> {
    this.#deps.gauge.reset(copy.cid);
    return this.#discard((each) => each === copy);
  }

  #discard(isLeft: (copy: Collection) => boolean, also?: (tx: WriteTx) => void): Promise<void> {
    const deps = { copies: this.#deps.copies, progress: this.#progress };
    return discardCopies(deps, this.#options.database, isLeft, also);
  }
}

function isReplaced(error: unknown): boolean {
  return isServiceError(error, 'startTickNotPresent') && error.cause instanceof ReplacedOnLeader;
}

/** From which tick on the log will be needed: that of an earlier plan, which may be gone on with. */
function neededFrom({ serverId, lastLogTick }: LeaderState, earlier: SyncPlan | undefined): Tick {
  return earlier?.leaderId === serverId && earlier.tick < lastLogTick ? earlier.tick : lastLogTick;
}
