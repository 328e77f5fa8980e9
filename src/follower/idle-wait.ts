/** What the pause before the next request depends on. */
export interface IdleSettings {
  /** 1.4 has fixed times, later generations those of the configuration. */
  readonly classic: boolean;
  readonly adaptivePolling: boolean;
  /** In seconds. */
  readonly idleMinWaitTime: number;
  /** In seconds. */
  readonly idleMaxWaitTime: number;
}

const CLASSIC_ACTIVE_MS = 500;
const CLASSIC_INACTIVE_MS = 5000;
const SHORTEST_MS = 250;
const LONGEST_MS = 60_000;

/**
 * How long to wait, in ms, after an answer without news of a leader that cannot hold a request
 * (contract 6.5).
 *
 * @param idleRounds how many such answers came in a row
 * @param active whether the leader's logger runs; unknown counts as yes
 */
export function idleWaitMs(idleRounds: number, active: boolean, settings: IdleSettings): number {
  const factor = settings.adaptivePolling ? factorOf(idleRounds) : 1;
  if (settings.classic) return (active ? CLASSIC_ACTIVE_MS : CLASSIC_INACTIVE_MS) * factor;
  const ms = Math.max(settings.idleMinWaitTime * 1000, SHORTEST_MS) * factor;
  return Math.min(ms, Math.max(settings.idleMaxWaitTime * 1000, SHORTEST_MS), LONGEST_MS);
}

function factorOf(idleRounds: number): number {
  if (idleRounds > 60) return 10;
  if (idleRounds > 30) return 6;
  return idleRounds > 15 ? 2 : 1;
}
