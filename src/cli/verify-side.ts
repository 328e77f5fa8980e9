import type { LeaderCollection } from '../follower/leader-answers.ts';
import { LeaderClient } from '../follower/leader-client.ts';
import { BatchLease } from '../follower/batch-lease.ts';
import { openPage, type PageLines } from '../follower/page-lines.ts';
import { silentLogger } from '../base/logger.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { ContentType } from '../protocol/headers.ts';
import { at, numberAt } from './json.ts';
import { KeyStates } from './key-states.ts';
import { shareOfWork } from './on-both.ts';
import { type Connection, ServerClient } from './server-client.ts';

/** Lines of a dump, and the page they are cut from. */
export interface DumpedPage {
  readonly body: Buffer;
  readonly lines: PageLines;
}

/** Who a server says it is. */
export interface SideIdentity {
  readonly serverId: string;
  /** The run it is in, from start to end; only ticklog servers tell. */
  readonly run: string | undefined;
  /** Whether it computes checksums as we do. */
  readonly isOfOurKind: boolean;
}

const CHUNK_SIZE_BYTES = 4 * 1024 * 1024;
const BATCH_TTL_SECONDS = 300;
const BATCH_EXTEND_MS = 100_000;
const CLOSE_MS = 5000;

/** One of the two servers that are compared. Methods reject as ServerClient and LeaderClient do. */
export class VerifySide {
  readonly #api: ServerClient;
  readonly #leader: LeaderClient;

  constructor(connection: Connection) {
    const { endpoint, ...rest } = connection;
    this.#api = new ServerClient(connection);
    this.#leader = new LeaderClient(
      {},
      { ...rest, endpoint: endpoint.text, ownServerId: undefined },
    );
  }

  /** As the user named it. */
  get name(): string {
    return this.#leader.endpoint;
  }

  /** Who it is. */
  async identity(signal: AbortSignal): Promise<SideIdentity> {
    const { serverId, incarnations } = await this.#leader.state(signal);
    const isOfOurKind = incarnations !== undefined;
    return { serverId, run: incarnations?.at(-1)?.id, isOfOurKind };
  }

  /** What it has, by name; collections that are never replicated are left out. */
  async collections(
    includeSystem: boolean,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, LeaderCollection>> {
    const { collections } = await this.#leader.inventory({ includeSystem }, signal);
    return new Map(collections.map((each) => [each.parameters.name, each]));
  }

  /** Documents in a collection. */
  async count(collection: string, signal: AbortSignal): Promise<number> {
    const count = numberAt(await this.#collection(collection, 'count', signal), 'count');
    if (count === undefined) throw this.#invalid('the answer has no count');
    return count;
  }

  /** Checksum over keys, revisions and data, as text. */
  async checksum(collection: string, signal: AbortSignal): Promise<string> {
    const answer = await this.#collection(collection, 'checksum', signal, {
      withRevisions: true,
      withData: true,
    });
    const checksum = at(answer, 'checksum');
    if (typeof checksum === 'number') return String(checksum);
    if (typeof checksum === 'string') return checksum;
    throw this.#invalid('the answer has no checksum');
  }

  /** How much is done of the checksum that is computed now, from 0 to 1; undefined while there is none. */
  async summed(collection: string, signal: AbortSignal): Promise<number | undefined> {
    return shareOfWork(await this.#collection(collection, 'works', signal), 'checksum');
  }

  /**
   * Runs `use` with the tick up to which all of its dumps show one and the same state, and a lease
   * that keeps the server from compacting that away.
   */
  async withDumps<T>(signal: AbortSignal, use: (to: Tick) => Promise<T>): Promise<T> {
    const lease = await BatchLease.open(
      { client: this.#leader, logger: silentLogger },
      { ttlSeconds: BATCH_TTL_SECONDS, extendAfterMs: BATCH_EXTEND_MS },
      signal,
    );
    try {
      const { tick } = await this.#leader.inventory({}, signal);
      return await use(tick);
    } finally {
      await lease.close();
    }
  }

  /** The whole history of a collection up to `to`, one page in memory at a time. */
  async *dump(
    collection: string,
    to: Tick,
    signal: AbortSignal,
  ): AsyncGenerator<DumpedPage, void, void> {
    for (let from = 0n; ;) {
      const request = { collection, from, to, chunkSizeBytes: CHUNK_SIZE_BYTES };
      const { body, verified, checkMore, lastIncluded } = await this.#leader.dump(request, signal);
      yield { body, lines: openPage(body, verified) };
      if (!checkMore) return;
      if (lastIncluded <= from) throw this.#invalid('the dump does not get on');
      from = lastIncluded;
    }
  }

  /**
   * Runs `use` with a list of what is in a collection now, which the server keeps until that ends. Only servers
   * of our kind have such lists.
   */
  async withStates<T>(
    collection: string,
    signal: AbortSignal,
    use: (states: KeyStates) => Promise<T>,
  ): Promise<T> {
    const states = await KeyStates.open(this.#api, collection, signal);
    try {
      return await use(states);
    } finally {
      // A list that is gone already, or cannot be ended, ends by itself.
      await states.close(AbortSignal.timeout(CLOSE_MS)).catch(() => undefined);
    }
  }

  /** Sends lines that mend documents (`PUT mend-data`); resolves with the answer. */
  mend(collection: string, lines: string, signal: AbortSignal): Promise<unknown> {
    const options = { query: { collection }, body: lines, contentType: ContentType.dump };
    return this.#api.replication('PUT', 'mend-data', signal, options);
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    await Promise.all([this.#api.close(), this.#leader.close()]);
  }

  #collection(
    name: string,
    part: 'count' | 'checksum' | 'works',
    signal: AbortSignal,
    query: Readonly<Record<string, boolean>> = {},
  ): Promise<unknown> {
    return this.#api.get(`/_api/collection/${encodeURIComponent(name)}/${part}`, signal, query);
  }

  #invalid(reason: string): ServiceError {
    return new ServiceError('invalidResponse', `${this.name}: ${reason}`);
  }
}
