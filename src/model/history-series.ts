/**
 * What is sampled of each database. Rates are a second, since the sample before; lags are those of the moment.
 * What is unknown, or does not apply, is null.
 */
export const SERIES = [
  /** Entries written to the log. */
  'loggedEvents',
  /** Bytes of them. */
  'loggedBytes',
  /** Events of the leader's log that were applied here. */
  'appliedEvents',
  /** Bytes of them. */
  'appliedBytes',
  /** Bytes that came for a sync. */
  'syncedBytes',
  /** How far the applier is behind its leader. */
  'ticksBehind',
  'secondsBehind',
  /** How far the slowest of those who follow this log, and have not lost their place, is behind. */
  'followerTicksBehind',
] as const;

export type SeriesName = (typeof SERIES)[number];
