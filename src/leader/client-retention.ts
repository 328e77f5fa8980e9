import type { Clock } from '../base/clock.ts';
import type { LogKeep } from '../changelog/retention.ts';
import type { Database } from '../documents/database.ts';
import { metaKey } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import type { FollowClient, FollowClients } from './clients.ts';
import { LogMarks } from './log-marks.ts';

/** What is known of a log for the sake of those who follow it. */
interface Followed {
  readonly marks: LogMarks;
  /** Ids of the clients that are stored. */
  stored: ReadonlySet<string>;
  storedAtMs: number;
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

  /** Those who have asked, in the order of their last calls. */
  clients(database: Database): readonly FollowClient[] {
    this.#of(database);
    return this.#clients.list(database);
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

  /** Remembers where the clients are; resolves with what is to be kept for them. */
  async update(database: Database): Promise<LogKeep['clients']> {
    const followed = this.#of(database);
    followed.marks.mark();
    const { retainForClients, retainForClientsSize } = database.changelog.config;
    if (retainForClients === 0) {
      if (followed.stored.size > 0) await this.#save(database, followed, []);
      return undefined;
    }
    const recent = this.#clients.list(database).filter((each) => this.#isRecent(database, each));
    await this.#saveIfDue(database, followed, recent);
    let above: bigint | undefined;
    for (const { from } of recent) {
      // Who has lost his place is not helped by what is left.
      if (!database.changelog.holds(from)) continue;
      if (above === undefined || from < above) above = from;
    }
    return above === undefined ? undefined : { above, maxBytes: retainForClientsSize };
  }

  #isRecent(database: Database, { timeMs }: FollowClient): boolean {
    const seenMs = Math.max(timeMs, this.#startedMs);
    const { retainForClients } = database.changelog.config;
    return this.#clock.nowMs() - seenMs < retainForClients * 1000;
  }

  /** What is stored is read when the database is first asked about. */
  #of(database: Database): Followed {
    const found = this.#followed.get(database);
    if (found) return found;
    const stored =
      this.#store.record<readonly FollowClient[]>(metaKey(KIND, database.number)) ?? [];
    this.#clients.restore(database, stored);
    const followed = {
      marks: new LogMarks(database.changelog),
      stored: new Set(stored.map(({ serverId }) => serverId)),
      storedAtMs: this.#clock.nowMs(),
    };
    this.#followed.set(database, followed);
    return followed;
  }

  async #saveIfDue(
    database: Database,
    followed: Followed,
    clients: readonly FollowClient[],
  ): Promise<void> {
    const isNew = clients.some(({ serverId }) => !followed.stored.has(serverId));
    const calledMs = clients.at(-1)?.timeMs ?? 0;
    const isOld =
      calledMs > followed.storedAtMs && this.#clock.nowMs() - followed.storedAtMs >= STORE_EVERY_MS;
    const isGone = clients.length < followed.stored.size;
    if (isNew || isOld || isGone) await this.#save(database, followed, clients);
  }

  async #save(
    database: Database,
    followed: Followed,
    clients: readonly FollowClient[],
  ): Promise<void> {
    await this.#store.commit((tx) => {
      database.assertAlive();
      const key = metaKey(KIND, database.number);
      if (clients.length === 0) tx.del(key);
      else tx.put(key, encodeRecord(key, clients));
    });
    followed.stored = new Set(clients.map(({ serverId }) => serverId));
    followed.storedAtMs = this.#clock.nowMs();
  }
}
