import { ServiceError } from '../model/errors.ts';
import type { BatchLease } from './batch-lease.ts';
import type { MissedCollection } from './dropped-collections.ts';
import type { LeaderIncarnation, LeaderInventory, LeaderState } from './leader-answers.ts';
import { checkLeader, holdsHistory } from './leader-check.ts';
import type { LeaderClient } from './leader-client.ts';
import { type LeaderTraits, leaderTraits } from './leader-traits.ts';
import type { SyncPlan } from './sync-progress.ts';

export interface SyncLeaderOptions {
  readonly ownServerId: string;
  readonly acceptedVersions: readonly string[];
  readonly includeSystem: boolean;
}

/** The leader of a sync: who it is and what it has, asked so that it cannot be exchanged unnoticed. */
export class SyncLeader {
  readonly #client: LeaderClient;
  readonly #options: SyncLeaderOptions;
  #incarnations: readonly LeaderIncarnation[] | undefined;

  constructor(deps: { client: LeaderClient }, options: SyncLeaderOptions) {
    this.#client = deps.client;
    this.#options = options;
  }

  /** The runs of a ticklog leader, as it told them last: it may be restarted during a sync. */
  get incarnations(): readonly LeaderIncarnation[] | undefined {
    return this.#incarnations;
  }

  /** @throws ServiceError as the client, and what `checkLeader` refuses */
  async state(signal: AbortSignal): Promise<LeaderState> {
    const state = await this.#client.state(signal);
    const { ownServerId, acceptedVersions } = this.#options;
    checkLeader(state, { ownServerId, acceptedVersions, endpoint: this.#client.endpoint });
    this.#incarnations = state.incarnations;
    return state;
  }

  /**
   * The list, certain to be of the run of a ticklog leader that `state` is of.
   * @throws ServiceError as `state`; noResponse (1400) when it was restarted
   */
  async inventory(
    state: LeaderState,
    lease: BatchLease,
    signal: AbortSignal,
  ): Promise<LeaderInventory> {
    const inventory = await this.#list(leaderTraits(state), lease, signal);
    if (state.incarnations === undefined) return inventory;
    const now = await this.state(signal);
    const same =
      now.serverId === state.serverId &&
      now.incarnations?.at(-1)?.id === state.incarnations.at(-1)?.id;
    if (same) return inventory;
    throw new ServiceError(
      'noResponse',
      `could not connect to master at ${this.#client.endpoint}: it was restarted meanwhile`,
    );
  }

  /**
   * After a failed request: whoever answers now must still be the leader of the plan. Resolves with
   * the run that a ticklog leader is in.
   * @throws ServiceError as `state`; leaderChanged (1404)
   */
  async recheck(plan: SyncPlan, signal: AbortSignal): Promise<string | undefined> {
    const state = await this.state(signal);
    const same =
      state.serverId === plan.leaderId &&
      (plan.incarnation === undefined ||
        (state.incarnations !== undefined &&
          holdsHistory(state.incarnations, plan.incarnation, plan.tick)));
    if (same) return state.incarnations?.at(-1)?.id;
    throw new ServiceError(
      'leaderChanged',
      `the server at ${this.#client.endpoint} is not the one, or not of the history, that is ` +
        'being copied',
    );
  }

  /**
   * A collection that a list of the leader of the plan lacks, as of that list; undefined when it is there, or
   * the leader was restarted meanwhile, so that nobody knows which of its runs has made the list.
   */
  async missed(
    plan: SyncPlan,
    { traits, lease, cid }: { traits: LeaderTraits; lease: BatchLease; cid: string },
    signal: AbortSignal,
  ): Promise<MissedCollection | undefined> {
    const incarnation = await this.recheck(plan, signal);
    const { collections, tick } = await this.#list(traits, lease, signal);
    // That list must be the leader's, too.
    const now = await this.recheck(plan, signal);
    const isListed = collections.some(({ parameters }) => parameters.cid === cid);
    return isListed || now !== incarnation ? undefined : { cid, tick, incarnation };
  }

  #list(traits: LeaderTraits, lease: BatchLease, signal: AbortSignal): Promise<LeaderInventory> {
    const { includeSystem } = this.#options;
    const batchId = traits.wantsBatchId ? lease.id : undefined;
    return this.#client.inventory({ includeSystem, batchId }, signal);
  }
}
