import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import { startLogger, stopLogger } from '../documents/databases.ts';
import { ServiceError } from '../model/errors.ts';
import { type LoggerConfig, MIN_MAX_EVENTS, MIN_MAX_EVENTS_SIZE } from '../model/logger-config.ts';
import type { Store } from '../storage/store.ts';
import { wireTime } from '../protocol/wire-time.ts';
import type { ClientRetention } from './client-retention.ts';
import type { FollowClient } from './clients.ts';

/** `state` of logger-state and inventory (contract 2.4). */
export interface LoggerState {
  readonly running: boolean;
  /** Tick of the newest event, "0" when there never was one. */
  readonly lastLogTick: string;
  /** The same: nothing is shown before it is committed. */
  readonly lastUncommittedLogTick: string;
  readonly totalEvents: number;
  readonly time: string;
  /** Addition: tick of the oldest event held, "0" for none. */
  readonly firstTick: string;
  /** Addition: readers whose position is below this tick have missed something for good. */
  readonly holeAt: string;
  /** Addition: events that the log holds at the moment, and the bytes of their lines. */
  readonly heldEvents: number;
  readonly heldBytes: number;
  /** Addition: what is wrong with the store; absent while nothing is. */
  readonly storage?: StorageState;
}

/** What is wrong with the store of this server, which all of its databases share. */
export interface StorageState {
  /** What was found damaged since the start: such data is not served, who asks for it gets an error. */
  readonly damage?: { readonly count: number; readonly since: string; readonly message: string };
  /** Why writes are refused at the moment. */
  readonly writesRefused?: { readonly errorNum: number; readonly message: string };
}

/** The answer to logger-state. */
export interface LoggerStatus {
  readonly state: LoggerState;
  readonly server: {
    readonly version: string;
    readonly serverId: string;
    /**
     * Addition: the runs of this server, oldest first. A follower whose position was given out in a
     * run that is not listed, or beyond what the next run found, follows another history.
     */
    readonly incarnations: readonly {
      readonly id: string;
      /** No tick of this run is smaller. */
      readonly firstTick: string;
      /** Last tick of all runs before that this run found. */
      readonly foundTick: string;
    }[];
  };
  readonly clients: readonly {
    readonly serverId: string;
    readonly lastServedTick: string;
    readonly time: string;
    /** Addition: the position the client asked from last. */
    readonly from: string;
    /** Addition: about how many bytes of the log stay for its sake, or would, if that were not above a cap. */
    readonly retainedBytes: number;
    /** Addition: what it would have to read next is gone; it must copy anew. */
    readonly lost: boolean;
  }[];
}

/** Where a log begins and ends, "0" for one that never had an event. */
export interface WalState {
  readonly time: string;
  readonly tickMin: string;
  readonly tickMax: string;
  readonly server: { readonly version: string; readonly serverId: string };
}

/** A stretch of the log, as logger-tick-ranges shows it (contract 1.4). */
export interface TickRangeEntry {
  readonly datafile: string;
  readonly status: 'open';
  readonly tickMin: string;
  readonly tickMax: string;
}

/** The logger of each database: start, stop, state and settings (contract 2.1 to 2.5). */
export class LeaderLogger {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #retention: ClientRetention;
  readonly #version: string;

  constructor(
    deps: { store: Store; clock: Clock; retention: ClientRetention },
    options: { version: string },
  ) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#retention = deps.retention;
    this.#version = options.version;
  }

  /** Id of this server, the same for all databases and runs. */
  get serverId(): string {
    return this.#store.server.serverId;
  }

  /** Starts the logger; nothing happens when it runs. Committed when it resolves. */
  start(database: Database): Promise<void> {
    return startLogger(this.#store, database);
  }

  /** Stops it; nothing happens when it does not run. Fsynced when it resolves. */
  stop(database: Database): Promise<void> {
    return stopLogger(this.#store, database);
  }

  config(database: Database): LoggerConfig {
    return database.changelog.config;
  }

  /**
   * Merges what a client sent into the settings: unknown attributes and those of a wrong type are
   * passed over (contract 2.5). Resolves with all settings, committed.
   *
   * @throws ServiceError invalidLoggerConfiguration (1409) for a cap below its minimum; nothing is
   *   changed then
   */
  configure(database: Database, changes: Readonly<Record<string, unknown>>): Promise<LoggerConfig> {
    return this.#store.commit(
      (tx) => {
        database.assertAlive();
        // Exclusive, so that of two changes at a time the second builds on the first.
        const config = mergedConfig(database.changelog.config, changes);
        database.changelog.configure(tx, config);
        return config;
      },
      { exclusive: true },
    );
  }

  /** As committed; all its members belong to one moment. */
  state(database: Database): LoggerState {
    const { changelog } = database;
    const { lastTick, firstTick, events, bytes } = changelog.state;
    return {
      running: changelog.running,
      lastLogTick: lastTick.toString(),
      lastUncommittedLogTick: lastTick.toString(),
      totalEvents: changelog.totalEvents,
      time: wireTime(this.#clock.nowMs()),
      firstTick: firstTick.toString(),
      holeAt: changelog.holeAt.toString(),
      heldEvents: events,
      heldBytes: bytes,
      ...storageOf(this.#store),
    };
  }

  status(database: Database): LoggerStatus {
    const { serverId, incarnations } = this.#store.server;
    return {
      state: this.state(database),
      server: {
        version: this.#version,
        serverId,
        incarnations: incarnations.map(({ id, firstTick, foundTick }) => {
          return { id, firstTick: firstTick.toString(), foundTick: foundTick.toString() };
        }),
      },
      clients: this.#retention.clients(database).map((client) => ({
        serverId: client.serverId,
        lastServedTick: client.lastServedTick.toString(),
        time: wireTime(client.timeMs),
        from: client.from.toString(),
        ...this.#retention.standing(database, client),
      })),
    };
  }

  /** Forgets a client of the log; see `ClientRetention.forget`. */
  forget(database: Database, serverId: string): Promise<void> {
    return this.#retention.forget(database, serverId);
  }

  /** Who has asked for the log, in the order of their last calls, and whether they have lost their place. */
  followers(database: Database): (FollowClient & { readonly lost: boolean })[] {
    return this.#retention.clients(database).map((client) => {
      return { ...client, lost: !database.changelog.holds(client.from) };
    });
  }

  /** What `/_api/wal/range` and `lastTick` tell (contract 7.2). */
  walState(database: Database): WalState {
    const { firstTick, lastTick } = database.changelog.state;
    return {
      time: wireTime(this.#clock.nowMs()),
      tickMin: firstTick.toString(),
      tickMax: lastTick.toString(),
      server: { version: this.#version, serverId: this.serverId },
    };
  }

  /** Tick of the oldest event held; null when there is none. */
  firstTick(database: Database): string | null {
    const { events, firstTick } = database.changelog.state;
    return events === 0 ? null : firstTick.toString();
  }

  /** The log as one stretch; nothing when it holds no event. */
  tickRanges(database: Database): TickRangeEntry[] {
    const { events, firstTick, lastTick } = database.changelog.state;
    if (events === 0) return [];
    return [
      {
        datafile: `changelog-${database.name}`,
        status: 'open',
        tickMin: firstTick.toString(),
        tickMax: lastTick.toString(),
      },
    ];
  }
}

/** Nothing, while nothing is wrong. */
function storageOf({ health: { damage }, failure }: Store): { storage?: StorageState } {
  if (!damage && !failure) return {};
  const { errorNum = 0, message = '' } = failure ?? {};
  return {
    storage: {
      ...(damage
        ? {
            damage: {
              count: damage.count,
              since: wireTime(damage.sinceMs),
              message: damage.message,
            },
          }
        : {}),
      ...(failure ? { writesRefused: { errorNum, message } } : {}),
    },
  };
}

function mergedConfig(
  config: LoggerConfig,
  changes: Readonly<Record<string, unknown>>,
): LoggerConfig {
  const { autoStart, logRemoteChanges, maxEvents, maxEventsSize } = changes;
  const { retainForClients, retainForClientsSize } = changes;
  return {
    autoStart: typeof autoStart === 'boolean' ? autoStart : config.autoStart,
    logRemoteChanges:
      typeof logRemoteChanges === 'boolean' ? logRemoteChanges : config.logRemoteChanges,
    maxEvents:
      typeof maxEvents === 'number' ? checkedCap(maxEvents, MIN_MAX_EVENTS) : config.maxEvents,
    maxEventsSize:
      typeof maxEventsSize === 'number'
        ? checkedCap(maxEventsSize, MIN_MAX_EVENTS_SIZE)
        : config.maxEventsSize,
    retainForClients:
      typeof retainForClients === 'number'
        ? checkedCap(retainForClients, 1)
        : config.retainForClients,
    retainForClientsSize:
      typeof retainForClientsSize === 'number'
        ? checkedCap(retainForClientsSize, MIN_MAX_EVENTS_SIZE)
        : config.retainForClientsSize,
  };
}

function checkedCap(value: number, minimum: number): number {
  const cap = Math.trunc(value);
  if (cap === 0 && value >= 0) return 0;
  if (cap < minimum || !Number.isSafeInteger(cap)) {
    throw new ServiceError('invalidLoggerConfiguration');
  }
  return cap;
}
