import { ServiceError } from '../model/errors.ts';
import { parseTick, type Tick } from '../model/tick.ts';
import type { LeaderIncarnation, LeaderState } from './leader-answers.ts';

/**
 * Versions of other servers that can be followed, each the beginning of a version: `1.4` is every
 * 1.4.x. ticklog leaders are known by other signs and always accepted.
 */
export const ACCEPTED_VERSIONS: readonly string[] = ['1.4', '2', '3'];

export interface LeaderCheckOptions {
  readonly ownServerId: string;
  readonly acceptedVersions: readonly string[];
  /** For messages. */
  readonly endpoint: string;
}

/**
 * Checks what must hold before anything is copied or followed (contract 6.1).
 *
 * @throws ServiceError invalidResponse (1401) when the leader has no server id, loopDetected (1405)
 *   when it is this server, leaderIncompatible (1403) for a version that is not accepted
 */
export function checkLeader(state: LeaderState, options: LeaderCheckOptions): void {
  const { endpoint, ownServerId } = options;
  const id = parseTick(state.serverId);
  if (id === undefined || id === 0n) {
    throw new ServiceError(
      'invalidResponse',
      `got invalid response from master at ${endpoint}: invalid server id`,
    );
  }
  if (id === parseTick(ownServerId)) {
    throw new ServiceError(
      'loopDetected',
      `got same server id (${ownServerId}) from endpoint '${endpoint}' ` +
        "as the local applier server's id",
    );
  }
  if (state.incarnations === undefined && !isAccepted(state.version, options.acceptedVersions)) {
    throw new ServiceError(
      'leaderIncompatible',
      `got incompatible master version from ${endpoint}: ${state.version}; ` +
        `what can be followed besides ticklog is ${options.acceptedVersions.join(', ')}`,
    );
  }
}

/**
 * Whether a position given out in an earlier run of a leader still lies in the leader's history: the
 * run is listed, and every later run began with a store that reached at least that far. A leader
 * put back to a backup, or one that lost its last commits, does not pass.
 *
 * @param incarnation the run in which the position was given out
 * @param tick the largest tick seen in that run
 */
export function holdsHistory(
  incarnations: readonly LeaderIncarnation[],
  incarnation: string,
  tick: Tick,
): boolean {
  const at = incarnations.findIndex(({ id }) => id === incarnation);
  return at >= 0 && incarnations.slice(at + 1).every(({ foundTick }) => foundTick >= tick);
}

function isAccepted(version: string, accepted: readonly string[]): boolean {
  return accepted.some((each) => version === each || version.startsWith(`${each}.`));
}
