import { isDeepStrictEqual } from 'node:util';
import type { Collection } from '../documents/collection.ts';
import { ServiceError } from '../model/errors.ts';
import { isValidCollectionName } from '../model/names.ts';
import { isAcceptableTick, type Tick } from '../model/tick.ts';
import type { BegunCopy } from './collection-copier.ts';
import type { LeaderCollection, LeaderInventory, LeaderState } from './leader-answers.ts';
import { holdsHistory } from './leader-check.ts';
import { leaderTraits } from './leader-traits.ts';
import type { Restriction } from './restriction.ts';
import type { SyncPlan, SyncProgress } from './sync-progress.ts';

/** What a leader said of itself, and what is wanted of it. */
export interface SyncSituation {
  readonly state: LeaderState;
  readonly inventory: LeaderInventory;
  readonly leaderDatabase: string;
  readonly restriction: Restriction;
  /** Tick of the snapshot that is copied, of leaders whose batch is one. */
  readonly snapshotTick?: Tick | undefined;
}

/**
 * Lays down what is copied and up to where (contract 6.2, design P7). L of ticklog leaders is the
 * tick of the inventory: it belongs to the same moment as the list, and covers also what such a leader
 * has without having logged it, as one that follows another does. For others L is the tick of the
 * snapshot or else the newest one of the log, read before the list; where the logger is stopped, the
 * inventory's own tick.
 *
 * @throws ServiceError invalidResponse (1401) when two collections have one id or one name,
 *   illegalName (1208), badParameter (10) for a tick above 2^63
 */
export function makePlan(
  { state, inventory, leaderDatabase, restriction, snapshotTick }: SyncSituation,
  { by, bases }: Pick<SyncPlan, 'by' | 'bases'> = {},
): SyncPlan {
  const collections = inventory.collections.filter((each) => isWanted(restriction, each));
  const cids = new Set<string>();
  const names = new Set<string>();
  for (const { parameters } of collections) {
    const { cid, name } = parameters;
    if (!isValidCollectionName(name, true)) {
      throw new ServiceError(
        'illegalName',
        `the leader has a collection of the illegal name '${name}'`,
      );
    }
    if (cids.has(cid) || names.has(name)) {
      throw new ServiceError('invalidResponse', `the leader lists collection '${name}' twice`);
    }
    cids.add(cid);
    names.add(name);
  }
  const incarnation = state.incarnations?.at(-1)?.id;
  const leaderWasStopped = !inventory.state.running;
  const byInventory = leaderWasStopped || state.incarnations !== undefined;
  return {
    leaderId: state.serverId,
    ...(incarnation === undefined ? {} : { incarnation }),
    leaderDatabase,
    restriction: {
      type: restriction.type,
      names: restriction.names,
      includeSystem: restriction.includeSystem,
    },
    tick: acceptable(byInventory ? inventory.tick : (snapshotTick ?? state.lastLogTick)),
    leaderWasStopped,
    collections: collections.map(({ parameters, indexes, count, bytes }) => ({
      parameters,
      indexes,
      ...(count === undefined ? {} : { count }),
      ...(bytes === undefined ? {} : { bytes }),
    })),
    ...(by === undefined ? {} : { by }),
    ...(bases === undefined ? {} : { bases }),
  };
}

/** Whether a collection of the leader is to be copied. */
export function isWanted(
  restriction: Restriction,
  { parameters }: Pick<LeaderCollection, 'parameters'>,
): boolean {
  return restriction.accepts(parameters.name);
}

/** Those copies, begun before the plan, whose collections still are what they were then. */
export function fittingCopies(
  plan: SyncPlan,
  begun: ReadonlyMap<string, BegunCopy> = new Map(),
): Map<string, BegunCopy> {
  const fitting = new Map<string, BegunCopy>();
  for (const { parameters } of plan.collections) {
    const found = begun.get(parameters.cid);
    if (found && isDeepStrictEqual(found.copy.parameters, parameters)) {
      fitting.set(parameters.cid, found);
    }
  }
  return fitting;
}

/**
 * Whether an earlier plan can be gone on with, as far as the leader's own words tell (P6): the same
 * server, database and choice of collections; for ticklog leaders also the same history. That its
 * log still reaches back to the plan's tick is to be asked separately.
 */
export function isContinuable(
  plan: SyncPlan,
  { state, leaderDatabase, restriction }: Omit<SyncSituation, 'inventory'>,
): boolean {
  if (plan.leaderId !== state.serverId || plan.leaderDatabase !== leaderDatabase) return false;
  if (!restriction.equals(plan.restriction)) return false;
  if (plan.incarnation === undefined) {
    // What a stopped logger missed meanwhile, such a leader would not tell; a snapshot is gone.
    return (
      state.incarnations === undefined && !plan.leaderWasStopped && !leaderTraits(state).isSnapshot
    );
  }
  return (
    state.incarnations !== undefined &&
    holdsHistory(state.incarnations, plan.incarnation, plan.tick)
  );
}

/**
 * Those of the hidden copies that a plan can be gone on with, by the leader's id of the collection:
 * the finished ones, and of ticklog leaders also half-copied ones whose removals the leader still
 * has behind their position. A collection that the leader has dropped keeps what there is of it.
 */
export function keptCopies(
  plan: SyncPlan,
  inventory: LeaderInventory,
  hidden: readonly Collection[],
  progress: SyncProgress,
): Map<string, BegunCopy> {
  const planned = new Set(plan.collections.map(({ parameters }) => parameters.cid));
  const since = deletionsSinceOf(inventory);
  const kept = new Map<string, BegunCopy>();
  for (const copy of hidden) {
    const at = progress.position(copy);
    if (!at || !planned.has(at.cid) || kept.has(at.cid)) continue;
    if (at.complete || continues(plan, at.position, since, at.cid)) kept.set(at.cid, { copy, at });
  }
  return kept;
}

/** From which tick on the removals of each collection are complete, by its id. */
export function deletionsSinceOf({
  collections,
}: LeaderInventory): ReadonlyMap<string, Tick | undefined> {
  return new Map(
    collections.map(({ parameters, deletionsSince }) => [parameters.cid, deletionsSince]),
  );
}

function continues(
  plan: SyncPlan,
  position: Tick,
  since: ReadonlyMap<string, Tick | undefined>,
  cid: string,
): boolean {
  if (plan.incarnation === undefined) return false;
  if (!since.has(cid)) return true;
  const deletionsSince = since.get(cid);
  return deletionsSince !== undefined && deletionsSince <= position;
}

function acceptable(tick: Tick): Tick {
  if (isAcceptableTick(tick)) return tick;
  throw new ServiceError(
    'badParameter',
    `the leader's tick ${tick} is above the largest one, 2^63`,
  );
}
