import type { Clock } from '../base/clock.ts';
import type { Database } from '../documents/database.ts';
import { isTransactionMarker } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { type FeedFormat, isFeedFormat, pageOfFeed } from '../protocol/feed.ts';
import { pageOf3 } from '../protocol/page-of-3.ts';
import type { Block } from '../storage/block.ts';
import type { Page } from '../storage/page.ts';
import { PageBody } from '../storage/page-body.ts';
import type { Store } from '../storage/store.ts';
import type { FollowClients } from './clients.ts';
import type { PageMemory } from './page-memory.ts';

/**
 * Lines as they are stored, which is as 1.4 has them, or printed anew: as in `logger-follow` of 3.x, as in
 * `wal/tail`, or as a feed has them.
 */
export type LogShape = 'stored' | '3.x' | 'wal' | FeedFormat;

/** What logger-follow is asked for (contract 2.6). */
export interface FollowRequest {
  /** Exclusive. */
  readonly from: Tick;
  /** Inclusive. */
  readonly to: Tick;
  /** In bytes. */
  readonly chunkSize: number;
  /** How long to wait for a first event, in ms. */
  readonly waitMs: number;
  /** false: leave out all events of collections whose name starts with `_`. */
  readonly includeSystem: boolean;
  /** Name or id of the only collection to show events of; those of transactions stay, in a feed only where it is in them. */
  readonly collection: string | undefined;
  /** Registers the caller when above 0. */
  readonly serverId: bigint;
  readonly shape: LogShape;
  /** Events below this tick are wanted only where they belong to one of `openTransactions`. */
  readonly firstRegularTick: Tick;
  /** Ids of the transactions the client has the beginning of. */
  readonly openTransactions: ReadonlySet<Tick>;
}

/** A page of the log. `release` must be called when it is sent. */
export interface FollowPage {
  /** The lines, as stored or printed anew; empty when there are none. */
  readonly body: PageBody;
  /** Tick of the last line, 0 without one. */
  readonly lastIncluded: Tick;
  /** Everything up to here was looked at, lines left out included; 0 when nothing was. */
  readonly lastScanned: Tick;
  /** Newest tick of the log. */
  readonly lastTick: Tick;
  /** Whether the log has more, be it above `to`; false for an empty page. */
  readonly checkMore: boolean;
  /** Whether the logger runs. */
  readonly active: boolean;
  /** Whether nothing is missing between `from` and the first line. */
  readonly fromPresent: boolean;
  /** When the last entry looked at was committed, in ms since 1970; 0 without one. */
  readonly committedAtMs: number;
  /** The present run of this server. */
  readonly incarnation: string;
  readonly release: () => void;
}

type Accept = (block: Block, i: number) => boolean;

/** How long a request reads on through events that it does not want, in ms. */
const SCAN_MS = 2000;
const CNAME = Buffer.from(',"cname":"');
const UNDERSCORE = 0x5f;

/** Serves the log page by page (contract 2.6). */
export class LogFollow {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #clients: FollowClients;
  readonly #memory: PageMemory;
  readonly #scanMs: number;

  /** @param options.scanMs how long one request may read what it does not want */
  constructor(
    deps: { store: Store; clock: Clock; clients: FollowClients; memory: PageMemory },
    options: { scanMs?: number } = {},
  ) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#clients = deps.clients;
    this.#memory = deps.memory;
    this.#scanMs = options.scanMs ?? SCAN_MS;
  }

  /**
   * Reads the page after `from`: at least one line if there is one, in rising order of ticks and
   * never one that is not committed. Without a line it waits for one up to `waitMs`, holding no
   * memory, and ends early with an empty page when the signal aborts. Where `from` is no longer
   * there it does not wait: the answer is what the client must know. Where much is left out it ends
   * after a while without a line, to be asked again from `lastScanned`.
   *
   * @throws ServiceError collectionNotFound, databaseNotFound when the database is dropped meanwhile,
   *   storageDamaged; the reason of `signal` when that aborts before the first reading
   */
  async read(database: Database, request: FollowRequest, signal: AbortSignal): Promise<FollowPage> {
    return this.#read(database, request, acceptOf(database, request), signal);
  }

  /**
   * For one who reads page after page: what `read` takes a place and gives a page for. The collection is looked
   * up now, so that its end, and what it is called later, can be read of.
   *
   * @throws ServiceError collectionNotFound
   */
  reader(
    database: Database,
    request: Omit<FollowRequest, 'from'>,
  ): (from: Tick, signal: AbortSignal) => Promise<FollowPage> {
    const accept = acceptOf(database, request);
    return (from, signal) => this.#read(database, { from, ...request }, accept, signal);
  }

  async #read(
    database: Database,
    request: FollowRequest,
    accept: { accept?: Accept },
    signal: AbortSignal,
  ): Promise<FollowPage> {
    const { changelog } = database;
    const factor = MEMORY_FACTORS[request.shape];
    const begunMs = performance.now();
    let asker = request;
    let position = request.from;
    for (;;) {
      let newest = 0n;
      const { page, release } = await this.#memory.hold(
        request.chunkSize,
        signal,
        (limits) => {
          newest = changelog.state.lastTick;
          return changelog.readPage({ from: position, to: request.to, ...limits, ...accept });
        },
        factor,
      );
      position = larger(position, page.lastScanned);
      if (page.count > 0) return this.#answer(database, asker, position, { page, release });
      release();
      if (!page.more) {
        // Also where nothing is left of it the log is known up to here; else the wait would be none.
        position = larger(position, newest < request.to ? newest : request.to);
        const canCome = position < request.to && changelog.holds(request.from);
        const leftMs = canCome ? begunMs + request.waitMs - performance.now() : 0;
        if (leftMs > 0) this.#noteWaiting(database, asker);
        await changelog.waitAbove(position, leftMs, signal);
        // Forgotten while it waited: only one that asks again is known again.
        const isForgotten = leftMs > 0 && !this.#clients.has(database, String(asker.serverId));
        if (isForgotten) asker = { ...asker, serverId: 0n };
        const isOver = leftMs <= 0 || changelog.state.lastTick <= position;
        if (isOver) return this.#answer(database, asker, position, { page, release });
      }
      const isLong = page.more && performance.now() - begunMs >= this.#scanMs;
      if (isLong || signal.aborted) {
        return this.#answer(database, asker, position, { page, release });
      }
    }
  }

  /** Who waits has all up to where he asks from; what he was served is told by the answer. */
  #noteWaiting(database: Database, { serverId, from }: FollowRequest): void {
    if (serverId === 0n) return;
    const timeMs = this.#clock.nowMs();
    const client = { serverId: serverId.toString(), lastServedTick: 0n, from, timeMs };
    this.#clients.note(database, client, true);
  }

  #printed(
    database: Database,
    shape: LogShape,
    { body, release }: { body: PageBody; release: () => void },
  ): PageBody {
    if (shape === 'stored') return body;
    const { serverId } = this.#store.server;
    const bytes = body.toBuffer();
    try {
      if (isFeedFormat(shape)) return PageBody.of(pageOfFeed(bytes, shape));
      return PageBody.of(
        shape === 'wal'
          ? pageOf3(bytes, { kind: 'wal', database: database.name, serverId })
          : pageOf3(bytes, { kind: 'log', databaseId: database.id }),
      );
    } catch (error) {
      release();
      throw error;
    }
  }

  #answer(
    database: Database,
    { from, serverId, shape }: FollowRequest,
    position: Tick,
    { page, release }: { page: Page; release: () => void },
  ): FollowPage {
    if (database.dropped) release();
    database.assertAlive();
    const { changelog } = database;
    const { lastIncluded } = page;
    if (serverId > 0n) {
      const timeMs = this.#clock.nowMs();
      const client = { serverId: serverId.toString(), lastServedTick: lastIncluded, from, timeMs };
      this.#clients.note(database, client, shape !== 'stored');
    }
    // All taken after the reading: a log that lost its beginning meanwhile must not claim to be whole.
    const { lastTick } = changelog.state;
    return {
      body: this.#printed(database, shape, { body: page.body, release }),
      lastIncluded,
      lastScanned: position > from ? position : 0n,
      lastTick,
      checkMore: lastIncluded > 0n && position < lastTick,
      active: changelog.running,
      fromPresent: changelog.holds(from),
      committedAtMs: page.timeMs,
      incarnation: this.#store.incarnation.id,
      release,
    };
  }
}

/** Memory that a page takes until it is sent, in its own bytes: there are two while it is printed anew. */
const MEMORY_FACTORS: Readonly<Record<LogShape, number>> = {
  ...{ stored: 1, '3.x': 2, wal: 3 },
  ...{ events: 3, ndjson: 3 },
};

function larger(a: Tick, b: Tick): Tick {
  return a > b ? a : b;
}

/** Which entries a request wants; nothing when it wants all. */
function acceptOf(database: Database, request: Omit<FollowRequest, 'from'>): { accept?: Accept } {
  const { collection, includeSystem, firstRegularTick, openTransactions } = request;
  const shapeOf3 = request.shape === '3.x' || request.shape === 'wal';
  const isFeed = isFeedFormat(request.shape);
  const only = collection === undefined ? undefined : database.get(collection);
  const wanted = only?.number;
  const isWhole = wanted === undefined && includeSystem && !shapeOf3;
  if (isWhole && firstRegularTick === 0n) return {};
  const system = new Map(database.collections.map((each) => [each.number, each.isSystem]));
  return {
    accept: (block, i) => {
      if (firstRegularTick > 0n && block.tick(i) < firstRegularTick) {
        if (!openTransactions.has(block.transaction(i))) return false;
      }
      const number = block.collection(i);
      // The frames of transactions, and starts and stops of the logger, which 3.x does not have.
      if (number === 0) {
        if (isFeed && only && !isAboutCollection(block, i, only.cid)) return false;
        return (wanted === undefined && !shapeOf3) || isTransactionMarker(block.type(i));
      }
      if (wanted !== undefined && number !== wanted) return false;
      return includeSystem || !(system.get(number) ?? namesSystemCollection(block, i));
    },
  };
}

/** Of the frames of transactions, which say what is in them. */
function isAboutCollection(block: Block, i: number, id: string): boolean {
  return block.lines.subarray(block.lineStart(i), block.lineEnd(i)).includes(`"cid":"${id}"`);
}

/** Of a collection that is gone only the line knows the name. */
function namesSystemCollection(block: Block, i: number): boolean {
  const at = block.lines.indexOf(CNAME, block.lineStart(i));
  return at >= 0 && at < block.lineEnd(i) && block.lines[at + CNAME.length] === UNDERSCORE;
}
