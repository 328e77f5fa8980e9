import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Appliers } from '../follower/appliers.ts';
import type { InitialSyncer } from '../follower/initial-syncer.ts';
import type { LeaderLogger } from '../leader/logger.ts';
import { SampleRing } from './sample-ring.ts';

/**
 * What is sampled. Rates are a second, since the sample before; lags are those of the moment. What is unknown, or
 * does not apply, is null.
 */
export const SERIES = [
  /** Entries written to the log. */
  'loggedEvents',
  /** Bytes of them. */
  'loggedBytes',
  /** Events of the leader's log that were applied here. */
  'appliedEvents',
  /** Bytes that came for a sync. */
  'syncedBytes',
  /** How far the applier is behind its leader. */
  'ticksBehind',
  'secondsBehind',
  /** How far the slowest of those who follow this log, and have not lost their place, is behind. */
  'followerTicksBehind',
] as const;

export type SeriesName = (typeof SERIES)[number];

/** What has happened up to a moment, of which the rates are made. */
interface Totals {
  readonly atMs: number;
  readonly loggedEvents: number;
  readonly loggedBytes: number;
  readonly appliedEvents: number;
  readonly syncedBytes: number;
}

interface Sampled {
  readonly ring: SampleRing<SeriesName>;
  totals: Totals;
}

export interface SamplerDeps {
  readonly catalogue: Catalogue;
  readonly appliers: Appliers;
  readonly syncer: InitialSyncer;
  readonly logger: LeaderLogger;
  readonly clock: Clock;
}

export interface SamplerOptions {
  readonly intervalMs?: number;
  /** Samples kept of each database. */
  readonly capacity?: number;
}

const INTERVAL_MS = 3000;
/** A quarter of an hour. */
const CAPACITY = 300;
/** A follower that has not asked for so long is away, and says nothing about how things go. */
const AWAY_MS = 60_000;

/** The last minutes of each database as numbers at a fixed interval, for plots; in memory only. */
export class Sampler {
  readonly #deps: SamplerDeps;
  readonly intervalMs: number;
  readonly capacity: number;
  /** Goes with the database. */
  readonly #sampled = new WeakMap<Database, Sampled>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: SamplerDeps, options: SamplerOptions = {}) {
    this.#deps = deps;
    this.intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.capacity = options.capacity ?? CAPACITY;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.sample(), this.intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Takes a sample of each database, as the timer does. */
  sample(): void {
    for (const database of this.#deps.catalogue.databases) this.#sample(database);
  }

  /** The samples of a database, the oldest first; those after `sinceMs` (ms since 1970) only. */
  history(
    database: Database,
    sinceMs = 0,
  ): { times: number[]; series: Readonly<Record<SeriesName, (number | null)[]>> } {
    const ring = this.#sampled.get(database)?.ring;
    return (ring ?? new SampleRing(SERIES, 0)).after(sinceMs);
  }

  #sample(database: Database): void {
    const { state } = this.#deps.appliers.of(database).state();
    const totals = this.#totalsOf(database, numberOf(state['totalEvents']) ?? 0);
    const known = this.#sampled.get(database);
    if (!known) {
      this.#sampled.set(database, { ring: new SampleRing(SERIES, this.capacity), totals });
      return;
    }
    const before = known.totals;
    const seconds = (totals.atMs - before.atMs) / 1000;
    // A clock that was set back gives no rates.
    if (seconds <= 0) {
      known.totals = totals;
      return;
    }
    const rate = (name: Exclude<keyof Totals, 'atMs'>): number =>
      // What is smaller than before was begun anew.
      Math.max(0, totals[name] - before[name]) / seconds;
    known.totals = totals;
    known.ring.add(totals.atMs, {
      loggedEvents: rate('loggedEvents'),
      loggedBytes: rate('loggedBytes'),
      appliedEvents: rate('appliedEvents'),
      syncedBytes: rate('syncedBytes'),
      ticksBehind: numberOf(state['ticksBehind']),
      secondsBehind: numberOf(state['secondsBehind']),
      followerTicksBehind: this.#followerLagOf(database),
    });
  }

  #totalsOf(database: Database, appliedEvents: number): Totals {
    const { changelog } = database;
    return {
      atMs: this.#deps.clock.nowMs(),
      loggedEvents: changelog.totalEvents,
      loggedBytes: changelog.loggedBytes,
      appliedEvents,
      syncedBytes: this.#deps.syncer.view(database)?.figures.bytes ?? 0,
    };
  }

  #followerLagOf(database: Database): number | null {
    const { lastTick } = database.changelog.state;
    const recentMs = this.#deps.clock.nowMs() - AWAY_MS;
    let slowest: number | null = null;
    for (const { lost, lastServedTick, from, timeMs } of this.#deps.logger.followers(database)) {
      if (lost || timeMs < recentMs) continue;
      const position = lastServedTick > from ? lastServedTick : from;
      const behind = lastTick > position ? Number(lastTick - position) : 0;
      if (slowest === null || behind > slowest) slowest = behind;
    }
    return slowest;
  }
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
