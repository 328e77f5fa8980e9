import type { Database } from '../documents/database.ts';
import type { Tick } from '../model/tick.ts';

/** Who has asked for the log, and how far it got (contract 2.4). */
export interface FollowClient {
  readonly serverId: string;
  /** `lastincluded` of the last answer: 0 when that was empty in 1.4, that of the one before in 3.x. */
  readonly lastServedTick: Tick;
  /** Addition: the position it asked from last, which is what it says to have. */
  readonly from: Tick;
  /** When that was, in ms since 1970. */
  readonly timeMs: number;
}

/** Clients remembered per database; whoever has not asked for the longest time is forgotten first. */
const CLIENTS_MAX = 1000;

/** The followers of each database, by server id; see `ClientRetention` for what is stored of them. */
export class FollowClients {
  readonly #byDatabase = new WeakMap<Database, Map<string, FollowClient>>();

  /**
   * Notes a call; the last one of a client counts.
   * @param keepsServed an empty answer leaves `lastServedTick` as it was
   */
  note(database: Database, client: FollowClient, keepsServed = false): void {
    const clients = this.#byDatabase.get(database) ?? new Map<string, FollowClient>();
    this.#byDatabase.set(database, clients);
    const before = clients.get(client.serverId)?.lastServedTick ?? 0n;
    const isKept = keepsServed && client.lastServedTick === 0n;
    // Deleted first, so that the order of the map is the order of the last calls.
    clients.delete(client.serverId);
    clients.set(client.serverId, isKept ? { ...client, lastServedTick: before } : client);
    const [oldest] = clients.keys();
    if (clients.size > CLIENTS_MAX && oldest !== undefined) clients.delete(oldest);
  }

  /** Whether a client is on the list. */
  has(database: Database, serverId: string): boolean {
    return this.#byDatabase.get(database)?.has(serverId) ?? false;
  }

  /** Takes a client off the list; undefined where it was not on it. */
  remove(database: Database, serverId: string): FollowClient | undefined {
    const clients = this.#byDatabase.get(database);
    const client = clients?.get(serverId);
    clients?.delete(serverId);
    return client;
  }

  /** Notes what is remembered of an earlier run; those that have called since are known better. */
  restore(database: Database, clients: readonly FollowClient[]): void {
    const called = this.list(database);
    const known = new Set(called.map(({ serverId }) => serverId));
    const all = [...clients.filter(({ serverId }) => !known.has(serverId)), ...called];
    const kept = all.slice(-CLIENTS_MAX).map((each) => [each.serverId, each] as const);
    this.#byDatabase.set(database, new Map(kept));
  }

  /** In the order of their last calls. */
  list(database: Database): FollowClient[] {
    return [...(this.#byDatabase.get(database)?.values() ?? [])];
  }
}
