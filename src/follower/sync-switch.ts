import type { Logger } from '../base/logger.ts';
import type { Collection } from '../documents/collection.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { freeDisplacedName } from './displaced-name.ts';
import { DroppedCollections, type MissedCollection } from './dropped-collections.ts';
import type { SyncRequest } from './initial-syncer.ts';
import type { LeaderIncarnation } from './leader-answers.ts';
import { holdsHistory } from './leader-check.ts';
import type { Restriction } from './restriction.ts';
import { type SyncEnd, followsOther, isLeftToApplier, moveCheckpoint } from './sync-checkpoint.ts';
import type { SyncPlan, SyncProgress } from './sync-progress.ts';

export interface SyncSwitchDeps {
  readonly store: Store;
  readonly copies: CollectionCopies;
  readonly progress: SyncProgress;
  readonly logger: Logger;
}

export interface SyncSwitchOptions {
  readonly database: Database;
  readonly restriction: Restriction;
  readonly onSwitch: NonNullable<SyncRequest['onSwitch']>;
}

/** What is put in place, what goes, and what the leader has dropped since it was listed. */
interface Switched {
  readonly finished: readonly Collection[];
  readonly going: readonly Collection[];
  readonly gone: readonly MissedCollection[];
}

/** The end of a sync: puts its copies in place, and all that must be in the same batch (P6). */
export class SyncSwitch {
  readonly #deps: SyncSwitchDeps;
  readonly #options: SyncSwitchOptions;

  constructor(deps: SyncSwitchDeps, options: SyncSwitchOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * @param copies.kept collections that are the leader's as they are
   * @param leader.incarnations the runs of a ticklog leader, those during the sync included
   * @param leader.gone what it has dropped of the plan
   */
  async run(
    plan: SyncPlan,
    { finished, kept }: { finished: readonly Collection[]; kept: readonly Collection[] },
    leader: {
      readonly incarnations: readonly LeaderIncarnation[] | undefined;
      readonly gone: readonly MissedCollection[];
    },
  ): Promise<void> {
    const { copies, logger } = this.#deps;
    const { database, restriction } = this.#options;
    const { leaderId, incarnation, leaderDatabase, tick } = plan;
    const position = { leaderId, ...(incarnation === undefined ? {} : { incarnation }), tick };
    const { incarnations } = leader;
    const end = { position, leaderDatabase, restriction, incarnations };
    const gone = await copies.switchIn(
      database,
      finished,
      (tx, going) => this.#endProgress(tx, { ...leader, finished, going }, end),
      {
        followed: {
          ...{ leaderId, database: leaderDatabase, tick },
          ...(incarnation === undefined ? {} : { copied: { tick, incarnation } }),
        },
        kept,
        isGone: (collection) => this.#isGone(collection, end),
        nameBeside: (collection) => this.#nameBeside(collection, end),
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
  #isGone(collection: Collection, end: SyncEnd): boolean {
    if (!isCopyFrom(collection, end) || !end.restriction.accepts(collection.name)) return false;
    return !this.#isLeftToApplier(collection, end);
  }

  /**
   * What is put out of its place by a copy, and is another one on a ticklog leader: an applier that comes behind
   * needs it until the log says how it lost its name.
   */
  #nameBeside(collection: Collection, end: SyncEnd): string | undefined {
    if (!end.incarnations || !isCopyFrom(collection, end)) return undefined;
    if (!this.#isLeftToApplier(collection, end)) return undefined;
    return freeDisplacedName(this.#options.database, collection.cid);
  }

  #isLeftToApplier({ name }: Collection, end: SyncEnd): boolean {
    const { store } = this.#deps;
    return isLeftToApplier({ store, database: this.#options.database }, end, name);
  }

  /** What is in the batch of the switch besides the switch. */
  #endProgress(tx: WriteTx, { finished, going, gone }: Switched, end: SyncEnd): void {
    const { store, progress } = this.#deps;
    progress.removePlan(tx);
    for (const copy of finished) progress.removePosition(tx, copy);
    tx.observeTick(end.position.tick);
    const { database } = this.#options;
    const { tick } = end.position;
    const isOther = followsOther({ store, database }, end);
    const isMoved = moveCheckpoint(tx, { store, database }, end);
    // All that the applier is to follow was copied: what came from there and was not copied is gone.
    const left = isMoved ? goneWith(finished, going, end) : [];
    const known = [
      ...left.map(({ cid }) => ({ cid, tick })),
      ...gone.filter((each) => isHeld(each, end)),
    ];
    // What is remembered is of one leader.
    if (isMoved || !isOther) this.#dropped(end).add(tx, known);
    this.#options.onSwitch(tx, end.position);
  }

  #dropped({ position, leaderDatabase, incarnations = [] }: SyncEnd): DroppedCollections {
    return new DroppedCollections(this.#deps, {
      databaseNumber: this.#options.database.number,
      leader: { leaderId: position.leaderId, database: leaderDatabase, incarnations },
    });
  }
}

/** Whether the history in which a collection was missed is still that of the leader. */
function isHeld({ tick, incarnation }: MissedCollection, { incarnations = [] }: SyncEnd): boolean {
  return incarnation !== undefined && holdsHistory(incarnations, incarnation, tick);
}

/** Those that go without a copy in their place. */
function goneWith(
  finished: readonly Collection[],
  going: readonly Collection[],
  end: SyncEnd,
): readonly Collection[] {
  const copied = new Set(finished.map(({ cid }) => cid));
  return going.filter((each) => !copied.has(each.cid) && isCopyFrom(each, end));
}

/** Whether a collection is recorded as a copy from the place that was copied. */
function isCopyFrom({ followed }: Collection, { position, leaderDatabase }: SyncEnd): boolean {
  return followed?.leaderId === position.leaderId && followed.database === leaderDatabase;
}
