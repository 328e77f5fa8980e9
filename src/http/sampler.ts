import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Appliers } from '../follower/appliers.ts';
import type { InitialSyncer } from '../follower/initial-syncer.ts';
import type { LeaderLogger } from '../leader/logger.ts';
import { SERIES, type SeriesName } from '../model/history-series.ts';
import { SampleRing } from './sample-ring.ts';

/** What has happened up to a moment, of which the rates are made. */
interface Totals {
  readonly atMs: number;
  readonly loggedEvents: number;
  readonly loggedBytes: number;
  readonly appliedEvents: number;
  readonly appliedBytes: number;
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
  /** Databases of which samples are kept. */
  readonly databasesMax?: number;
}

const INTERVAL_MS = 3000;
/** A quarter of an hour. */
const CAPACITY = 300;
/** With twelve KB each. */
const DATABASES_MAX = 1000;
/** Databases that are sampled in one turn; the turns of a round are spread over the interval. */
const TURN = 25;
/** A follower that has not asked for so long is away, and says nothing about how things go. */
const AWAY_MS = 60_000;

/**
 * The last minutes of each database as numbers at a fixed interval, for plots; in memory only. Where there are more
 * databases than that memory is given for, those somebody looks at take the places of others.
 */
export class Sampler {
  readonly #deps: SamplerDeps;
  readonly intervalMs: number;
  readonly capacity: number;
  readonly #databasesMax: number;
  /** What was looked at last comes last. */
  readonly #sampled = new Map<Database, Sampled | undefined>();
  #timer: NodeJS.Timeout | undefined;
  /** What is left of the present round, and the time between two turns of it. */
  #left: Database[] = [];
  #turnMs = 0;

  constructor(deps: SamplerDeps, options: SamplerOptions = {}) {
    this.#deps = deps;
    this.intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.capacity = options.capacity ?? CAPACITY;
    this.#databasesMax = options.databasesMax ?? DATABASES_MAX;
  }

  start(): void {
    this.#timer ??= setTimeout(() => this.#turn(), this.intervalMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The samples of a database, the oldest first; those after `sinceMs` (ms since 1970) only. */
  history(
    database: Database,
    sinceMs = 0,
  ): { times: number[]; series: Readonly<Record<SeriesName, (number | null)[]>> } {
    const known = this.#sampled.get(database);
    this.#lookedAt(database, known);
    const ring = known?.ring;
    return (ring ?? new SampleRing(SERIES, 0)).after(sinceMs);
  }

  /** Samples some databases, and comes again: after all of them, when the interval is over, from the beginning. */
  #turn(): void {
    if (this.#left.length === 0) {
      this.#left = this.#chosen();
      this.#turnMs = this.intervalMs / Math.max(1, Math.ceil(this.#left.length / TURN));
    }
    for (const each of this.#left.splice(0, TURN)) this.#trySample(each);
    this.#timer = setTimeout(() => this.#turn(), this.#turnMs).unref();
  }

  /** Those that have a place, and as many others as there are places left. */
  #chosen(): Database[] {
    for (const database of this.#sampled.keys()) {
      if (database.dropped) this.#sampled.delete(database);
    }
    for (const database of this.#deps.catalogue.databases) {
      if (this.#sampled.size >= this.#databasesMax) break;
      if (!this.#sampled.has(database)) this.#sampled.set(database, undefined);
    }
    return [...this.#sampled.keys()];
  }

  #lookedAt(database: Database, known: Sampled | undefined): void {
    this.#sampled.delete(database);
    const [oldest] = this.#sampled.keys();
    if (oldest && this.#sampled.size >= this.#databasesMax) this.#sampled.delete(oldest);
    this.#sampled.set(database, known);
  }

  #trySample(database: Database): void {
    // It may have been dropped, or have given up its place, since the round began.
    if (database.dropped || !this.#sampled.has(database)) return;
    try {
      this.#sample(database);
    } catch {
      // Plots are no place to tell that something is damaged; whoever reads it is told.
    }
  }

  #sample(database: Database): void {
    const applier = this.#deps.appliers.of(database);
    const { state } = applier.state();
    const totals = this.#totalsOf(database, {
      events: numberOf(state['totalEvents']) ?? 0,
      bytes: applier.appliedBytes,
    });
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
      appliedBytes: rate('appliedBytes'),
      syncedBytes: rate('syncedBytes'),
      ticksBehind: numberOf(state['ticksBehind']),
      secondsBehind: numberOf(state['secondsBehind']),
      followerTicksBehind: this.#followerLagOf(database),
    });
  }

  #totalsOf(database: Database, applied: { events: number; bytes: number }): Totals {
    const { changelog } = database;
    return {
      atMs: this.#deps.clock.nowMs(),
      loggedEvents: changelog.totalEvents,
      loggedBytes: changelog.loggedBytes,
      appliedEvents: applied.events,
      appliedBytes: applied.bytes,
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
