import { nearestName } from '../base/nearest-name.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import { type LeaderDeps, withConfigured } from './applier-leader.ts';
import type { LeaderState } from './leader-answers.ts';
import type { LeaderClient } from './leader-client.ts';
import { leaderTraits } from './leader-traits.ts';
import { Restriction } from './restriction.ts';

/** A name that a restriction has and the leader has not. */
export interface MissingCollection {
  readonly name: string;
  /** A collection of the leader that is spelled nearly so. */
  readonly nearest?: string;
}

/** What there is to know of a leader before somebody decides to copy or follow it. */
export interface LeaderLook {
  readonly state: LeaderState;
  /** May be meant, as those that are created later; undefined without a restriction. */
  readonly missing: readonly MissingCollection[] | undefined;
  /** The leader follows this very database, or will when it is started again: both would refuse writes. */
  readonly followsThis: boolean;
}

/**
 * Looks at the leader of a configuration; changes nothing, here or there.
 * @throws ServiceError as `askConfigured`
 */
export function lookAtLeader(
  deps: LeaderDeps,
  config: ApplierConfig,
  signal: AbortSignal,
): Promise<LeaderLook> {
  return withConfigured(deps, config, signal, async (client, state) => {
    const isRestricted = config.restrictType !== '';
    const names = isRestricted ? await client.collectionNames(signal) : [];
    return {
      state,
      missing: isRestricted ? missingOf(config, names) : undefined,
      // What other servers tell of their appliers has no server id in it.
      followsThis: leaderTraits(state).isTicklog && (await isFollower(deps, client, signal)),
    };
  });
}

/** Where only what is named is copied, also names of what never is. */
function missingOf(
  { restrictType, restrictCollections, includeSystem }: ApplierConfig,
  present: readonly string[],
): MissingCollection[] {
  const known = new Set(present);
  const restriction = new Restriction('include', restrictCollections, includeSystem);
  return restriction.names.flatMap((name) => {
    if (known.has(name)) {
      return restrictType === 'exclude' || restriction.accepts(name) ? [] : [{ name }];
    }
    const nearest = nearestName(name, present);
    return [{ name, ...(nearest === undefined ? {} : { nearest }) }];
  });
}

/** Compares ids: the leader may know this server by another address. */
async function isFollower(
  { store, database }: LeaderDeps,
  client: LeaderClient,
  signal: AbortSignal,
): Promise<boolean> {
  const applier = await client.applier(signal);
  if (applier?.leaderId !== store.server.serverId) return false;
  if ((applier.database ?? client.database) !== database.name) return false;
  return applier.isRunning || (await client.applierStartsByItself(signal));
}
