import { at, listAt, numberAt, textAt, tickAt, ticksFrom } from './json.ts';
import { type ProblemReport, STOPPED, applierProblems } from './problem-report.ts';

/** Whom a database follows, and how it goes. */
export interface ApplierReport {
  readonly leader: string;
  readonly database: string;
  readonly restriction: string;
  readonly running: boolean;
  readonly phase: string | null;
  readonly since: string | null;
  /** Why it has stopped, or waits. */
  readonly why: string | null;
  readonly message: string | null;
  /** When the leader is asked again, ISO 8601; null unless that is waited for, and where the server does not tell. */
  readonly nextAttempt: string | null;
  readonly appliedTick: string | null;
  readonly availableTick: string | null;
  /** Null where it cannot be known. */
  readonly ticksBehind: number | null;
  readonly secondsBehind: number | null;
  /** The server's own words on how fast it goes; null where it has none. */
  readonly following: unknown;
  /** Attempts in a row that found no leader. */
  readonly failedConnects: number;
  /** Entries that failed and were passed over: they are missing here. */
  readonly passedOver: number;
}

/** What one applier-state tells. */
export interface FollowerReport {
  /** Null where no leader is set. */
  readonly applier: ApplierReport | null;
  /** A copy that is being made; the server's own words. */
  readonly sync: unknown;
  /** What a copy that was not finished has left; the server's own words, null where there is none. */
  readonly unfinishedSync: unknown;
  readonly problems: readonly ProblemReport[];
}

/**
 * Reads an applier-state.
 * @param config applier-config, which alone tells what is restricted
 */
export function followerReport(applier: unknown, config: unknown): FollowerReport {
  const leader = textAt(applier, 'endpoint');
  return {
    applier: leader === undefined ? null : applierOf(applier, config, leader),
    sync: syncOf(applier),
    unfinishedSync: at(applier, 'state', 'unfinishedSync') ?? null,
    problems: applierProblems(applier),
  };
}

function applierOf(applier: unknown, config: unknown, leader: string): ApplierReport {
  const running = at(applier, 'state', 'running') === true;
  const phase = textAt(applier, 'state', 'phase') ?? null;
  const applied = tickAt(applier, 'state', 'lastAppliedContinuousTick');
  const available = tickAt(applier, 'state', 'lastAvailableContinuousTick');
  const failedConnects = numberAt(applier, 'state', 'progress', 'failedConnects') ?? 0;
  // Other servers do not tell of phases, but count.
  const isHeard = running && phase !== 'backoff' && failedConnects === 0;
  const isCurrent = isHeard && at(applier, 'state', 'ticksBehind') !== null;
  const isKnown = isCurrent && applied !== undefined && available !== undefined;
  const ticksBehind = isKnown ? ticksFrom(applied, available) : null;
  const secondsBehind = numberAt(applier, 'state', 'secondsBehind') ?? null;
  return {
    leader,
    database: textAt(applier, 'database') ?? '_system',
    restriction: restrictionOf(config),
    running,
    phase,
    since: textAt(applier, 'state', 'since') ?? null,
    why: whyOf(applier),
    message: textAt(applier, 'state', 'progress', 'message') ?? null,
    nextAttempt: textAt(applier, 'state', 'nextAttempt') ?? null,
    appliedTick: applied?.toString() ?? null,
    availableTick: endOf(applied, available, phase)?.toString() ?? null,
    ticksBehind,
    secondsBehind: ticksBehind === 0 ? 0 : isHeard ? secondsBehind : null,
    following: at(applier, 'state', 'following') ?? null,
    failedConnects,
    passedOver: numberAt(applier, 'state', 'totalIgnoredErrors') ?? 0,
  };
}

/**
 * Where the leader's log ends. A copy is as of a tick, which the leader may have given to something that is not in its
 * log: up to there everything is here, and there is nothing more. Of an applier that failed it is told as the leader
 * said it, for that may be the reason.
 */
function endOf(
  applied: bigint | undefined,
  available: bigint | undefined,
  phase: string | null,
): bigint | undefined {
  const isBeyond = applied !== undefined && available !== undefined && applied > available;
  return isBeyond && phase !== 'failed' ? applied : available;
}

function whyOf(applier: unknown): string | null {
  if (numberAt(applier, 'state', 'whyStopped', 'errorNum') === STOPPED)
    return 'it was told to stop';
  return (
    textAt(applier, 'state', 'whyStopped', 'errorMessage') ??
    textAt(applier, 'state', 'whyWaiting', 'errorMessage') ??
    null
  );
}

/** Which collections are followed, where not all are. */
function restrictionOf(config: unknown): string {
  const type = textAt(config, 'restrictType') ?? '';
  const names = listAt(config, 'restrictCollections').join(', ');
  const restriction = type === 'include' ? `only collections ${names}` : `without ${names}`;
  const system = at(config, 'includeSystem') === false ? ['no system collections'] : [];
  return [...(type === '' ? [] : [restriction]), ...system].join(', ');
}

/** What the server tells of a copy; of one that tells no figures, its words. */
function syncOf(applier: unknown): unknown {
  const sync = at(applier, 'state', 'sync');
  if (sync !== undefined) return sync;
  if (textAt(applier, 'state', 'phase') !== 'syncing') return null;
  const message = textAt(applier, 'state', 'progress', 'message') ?? 'a copy is being made';
  return { message, since: textAt(applier, 'state', 'since') ?? null };
}
