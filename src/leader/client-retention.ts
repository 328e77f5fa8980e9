import type { Clock } from '../base/clock.ts';
import type { LogKeep } from '../changelog/retention.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import { metaKey } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { CommitOptions } from '../storage/commit-queue.ts';
import type { Store } from '../storage/store.ts';
import type { FollowClient, FollowClients } from './clients.ts';
import { LogMarks } from './log-marks.ts';

/** What is known of a log for the sake of those who follow it. */
interface Followed {
  readonly marks: LogMarks;
  /** What is remembered of clients; undefined before it was read. */
  stored: StoredClients | undefined;
}

interface StoredClients {
  readonly ids: ReadonlySet<string>;
  readonly atMs: number;
}

/** Positions are stored this often; new clients at once. Older positions only keep more of the log. */
const STORE_EVERY_MS = 10_000;
const KIND = 'f';

/**
 * Keeps the log for followers (`retainForClients`): who has asked for it within that time finds what comes next,
 * also behind the caps, up to `retainForClientsSize` bytes. Clients are remembered over restarts, and the time
 * in which this server does not run does not count.
 */
export class ClientRetention {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #clients: FollowClients;
  readonly #startedMs: number;
  readonly #followed = new WeakMap<Database, Followed>();

  constructor(deps: { store: Store; clock: Clock; clients: FollowClients }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#clients = deps.clients;
    this.#startedMs = deps.clock.nowMs();
  }

  /**
   * Those who have asked, in the order of their last calls. Where what is remembered of earlier runs is damaged, those
   * who have asked since: states that show the damage must not fail by it.
   */
  clients(database: Database): readonly FollowClient[] {
    try {
      this.#restore(database);
    } catch (error) {
      if (!isServiceError(error, 'storageDamaged')) throw error;
      this.#store.health.note(error);
    }
    return this.#clients.list(database);
  }

  /**
   * Forgets a client, so that nothing of the log stays for its sake; durable when it resolves. One that asks again
   * is known again.
   * @throws ServiceError notFound (404) for one that is not known, storageDamaged
   */
  async forget(database: Database, serverId: string): Promise<void> {
    this.#restore(database);
    const client = this.#clients.remove(database, serverId);
    if (!client) {
      const others = 'logger-state lists those that have';
      throw new ServiceError(
        'notFound',
        `no client '${serverId}' has asked for this log; ${others}`,
      );
    }
    try {
      await this.#save(database, { sync: true });
    } catch (error) {
      this.#clients.restore(database, [client]);
      throw error;
    }
  }

  /** What a client makes the log keep, and whether it has lost its place. */
  standing(
    database: Database,
    client: FollowClient,
  ): { readonly retainedBytes: number; readonly lost: boolean } {
    const { marks } = this.#of(database);
    const lost = !database.changelog.holds(client.from);
    const counts = !lost && this.#isRecent(database, client);
    return { retainedBytes: counts ? marks.bytesAbove(client.from) : 0, lost };
  }

  /**
   * How far a client is from losing its place, as a share of what the log may hold: 1 at its end, and where nothing
   * limits it; 0 when the place is lost.
   */
  headroom(database: Database, client: FollowClient): number {
    if (!database.changelog.holds(client.from)) return 0;
    const capBytes = this.#capBytes(database, client);
    const above = this.#of(database).marks.bytesAbove(client.from);
    return Math.max(0, 1 - above / capBytes);
  }

  /** What the log may hold behind the place of a client; that of events is taken to be of the present size. */
  #capBytes(database: Database, client: FollowClient): number {
    const { config, state } = database.changelog;
    const { maxEvents, maxEventsSize, retainForClients, retainForClientsSize } = config;
    const own = Math.min(
      maxEventsSize > 0 ? maxEventsSize : Infinity,
      maxEvents > 0 && state.events > 0 ? (maxEvents * state.bytes) / state.events : Infinity,
    );
    if (retainForClients === 0 || !this.#isRecent(database, client)) return own;
    return Math.max(own, retainForClientsSize > 0 ? retainForClientsSize : Infinity);
  }

  /**
   * Remembers where the clients are; resolves with what is to be kept for them.
   * @throws ServiceError storageDamaged when that cannot be known: then nothing may go
   */
  async update(database: Database): Promise<LogKeep['clients']> {
    this.#of(database).marks.mark();
    const stored = this.#restore(database);
    const { retainForClients, retainForClientsSize } = database.changelog.config;
    if (retainForClients === 0) {
      if (stored.ids.size > 0) await this.#save(database);
      return undefined;
    }
    const recent = this.#recent(database);
    if (this.#isDue(stored, recent)) await this.#save(database);
    let above: bigint | undefined;
    for (const { from } of recent) {
      // Who has lost his place is not helped by what is left.
      if (!database.changelog.holds(from)) continue;
      if (above === undefined || from < above) above = from;
    }
    return above === undefined ? undefined : { above, maxBytes: retainForClientsSize };
  }

  /** Those for whose sake the log is kept: none where it is kept for nobody. */
  #recent(database: Database): FollowClient[] {
    return this.#clients.list(database).filter((each) => this.#isRecent(database, each));
  }

  #isRecent(database: Database, { timeMs }: FollowClient): boolean {
    const seenMs = Math.max(timeMs, this.#startedMs);
    const { retainForClients } = database.changelog.config;
    return this.#clock.nowMs() - seenMs < retainForClients * 1000;
  }

  #of(database: Database): Followed {
    const found = this.#followed.get(database);
    if (found) return found;
    const followed = { marks: new LogMarks(database.changelog), stored: undefined };
    this.#followed.set(database, followed);
    return followed;
  }

  /** What is remembered is read when the database is first asked about. @throws ServiceError storageDamaged */
  #restore(database: Database): StoredClients {
    const followed = this.#of(database);
    if (followed.stored) return followed.stored;
    const key = metaKey(KIND, database.number);
    const clients = this.#store.record<readonly FollowClient[]>(key) ?? [];
    this.#clients.restore(database, clients);
    return (followed.stored = this.#asStored(clients));
  }

  #asStored(clients: readonly FollowClient[]): StoredClients {
    return { ids: new Set(clients.map(({ serverId }) => serverId)), atMs: this.#clock.nowMs() };
  }

  #isDue({ ids, atMs }: StoredClients, clients: readonly FollowClient[]): boolean {
    const isNew = clients.some(({ serverId }) => !ids.has(serverId));
    const calledMs = clients.at(-1)?.timeMs ?? 0;
    const isOld = calledMs > atMs && this.#clock.nowMs() - atMs >= STORE_EVERY_MS;
    return isNew || isOld || clients.length < ids.size;
  }

  async #save(database: Database, options: CommitOptions = {}): Promise<void> {
    const saved = await this.#store.commit((tx) => {
      database.assertAlive();
      // As of now: of two saves at a time the second must not bring back whom the first has not.
      const clients = this.#recent(database);
      const key = metaKey(KIND, database.number);
      if (clients.length === 0) tx.del(key);
      else tx.put(key, encodeRecord(key, clients));
      return clients;
    }, options);
    this.#of(database).stored = this.#asStored(saved);
  }
}
