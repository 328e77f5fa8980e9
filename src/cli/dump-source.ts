import { Backoff } from '../base/backoff.ts';
import { sleep } from '../base/sleep.ts';
import { classify, refusedAnswer } from '../follower/classify.ts';
import { LeaderClient } from '../follower/leader-client.ts';
import type { DumpPage } from '../follower/leader-page.ts';
import { type CollectionType, isCollectionType } from '../model/collection.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { DumpBatch, type DumpBatchOptions } from './dump-batch.ts';
import { isSafeInFileName } from './dump-layout.ts';
import { at, listAt, numberAt, textAt, tickAt } from './json.ts';
import { type Connection, ServerClient } from './server-client.ts';
import { serverVersion, type Version } from './server-version.ts';

/** A collection as the server lists it. */
export interface ListedCollection {
  readonly name: string;
  /** By which it is asked for: a rename in the middle of a dump does not matter. */
  readonly cid: string;
  readonly type: CollectionType;
  /** How much there is of it, lines of dumps being what has bytes; where the server tells. */
  readonly documents?: number | undefined;
  readonly bytes?: number | undefined;
  /** What its structure file is to hold. */
  readonly structure: { readonly parameters: object; readonly indexes: readonly unknown[] };
}

/** What a server has, as of one moment. */
export interface Listing {
  /** In the server's order: documents before edges, then by name. */
  readonly collections: readonly ListedCollection[];
  /** Up to which a dump shows that moment. */
  readonly tick: Tick;
  /** Of the database; only servers from 3.6 on tell. */
  readonly properties?: object;
}

/** What of a collection is read, and how. */
export interface PagesOptions {
  /** Exclusive. */
  readonly from: Tick;
  /** Inclusive. */
  readonly to: Tick;
  /** Bytes asked for at first; half as much again with each page. */
  readonly firstChunkBytes: number;
  readonly maxChunkBytes: number;
  /** Whether lines carry their ticks. */
  readonly ticks: boolean;
}

const BATCH: DumpBatchOptions = { ttlSeconds: 300, extendAfterMs: 100_000 };
const UNKNOWN_COMMAND: ReadonlySet<number> = new Set([404, 405, 501]);
const ATTEMPTS_MAX = 4;
const RETRY_BASE_MS = 500;
const RETRY_MAX_MS = 4000;
const GROWTH = 1.5;
const NEWLINE = 0x0a;

/** The requests of a dump (contract 8.2). Methods reject as ServerClient and LeaderClient do. */
export class DumpSource {
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

  /** @throws ServiceError invalidResponse (1401) when it is no server of this kind */
  version(signal: AbortSignal): Promise<Version> {
    return serverVersion(this.#api, this.#leader.endpoint, signal);
  }

  /**
   * Has servers of 2.2 to 3.3 put what is in their log where dumps are made of (contract 8.2). One
   * that knows no such command has no such log.
   */
  async flush(signal: AbortSignal): Promise<void> {
    const query = { waitForSync: true, waitForCollector: true };
    try {
      await this.#api.call('PUT', '/_admin/wal/flush', signal, { query });
    } catch (error) {
      if (!UNKNOWN_COMMAND.has(refusedAnswer(error)?.status ?? 0)) throw error;
    }
  }

  openBatch(signal: AbortSignal): Promise<DumpBatch> {
    return DumpBatch.open(this.#leader, BATCH, signal);
  }

  /** The batch of an interrupted dump; undefined when the server no longer has it. */
  resumeBatch(id: string, signal: AbortSignal): Promise<DumpBatch | undefined> {
    return DumpBatch.resume(this.#leader, BATCH, id, signal);
  }

  /** Whether nothing was written to a collection after a tick. @throws as ServerClient */
  async isUnchangedSince(name: string, tick: Tick, signal: AbortSignal): Promise<boolean> {
    const path = `/_api/collection/${encodeURIComponent(name)}/revision`;
    const revision = tickAt(await this.#api.get(path, signal), 'revision');
    return revision !== undefined && revision <= tick;
  }

  /** @throws ServiceError invalidResponse (1401) also for names that no file can have */
  async list(includeSystem: boolean, signal: AbortSignal): Promise<Listing> {
    const answer = await this.#api.replication('GET', 'inventory', signal, {
      query: { includeSystem },
    });
    const tick = tickAt(answer, 'tick');
    if (tick === undefined) throw this.#invalid('its inventory has no tick');
    const properties = at(answer, 'properties');
    return {
      collections: listAt(answer, 'collections').flatMap((each) => this.#listed(each) ?? []),
      tick,
      ...(typeof properties === 'object' && properties !== null ? { properties } : {}),
    };
  }

  /**
   * Everything a collection has in the range, a page at a time; pages without lines are left out. A
   * page that can not be had is asked for again a few times.
   *
   * @throws ServiceError invalidResponse (1401) also for a page that ends within a line
   */
  async *pages(
    collection: ListedCollection,
    options: PagesOptions,
    signal: AbortSignal,
  ): AsyncGenerator<DumpPage, void, void> {
    const { to, maxChunkBytes, ticks } = options;
    let { from, firstChunkBytes: chunkBytes } = options;
    for (;;) {
      const request = {
        collection: collection.cid,
        chunkSizeBytes: Math.min(Math.floor(chunkBytes), maxChunkBytes),
        ...{ ticks, translateIds: true, from, to },
      };
      const page = await this.#page(request, signal);
      if (page.body.length > 0) {
        if (page.body.at(-1) !== NEWLINE) {
          throw this.#invalid(`a page of '${collection.name}' is cut off`);
        }
        yield page;
      }
      if (!page.checkMore) return;
      if (page.lastIncluded <= from) {
        throw this.#invalid(`the dump of '${collection.name}' does not get on`);
      }
      from = page.lastIncluded;
      chunkBytes = Math.min(chunkBytes * GROWTH, maxChunkBytes);
    }
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    await Promise.all([this.#api.close(), this.#leader.close()]);
  }

  async #page(
    request: Parameters<LeaderClient['dump']>[0],
    signal: AbortSignal,
  ): Promise<DumpPage> {
    const backoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS });
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#leader.dump(request, signal);
      } catch (error) {
        if (attempt >= ATTEMPTS_MAX || classify(error, signal) !== 'retry') throw error;
        await sleep(backoff.nextMs(), signal);
      }
    }
  }

  #listed(entry: unknown): ListedCollection | undefined {
    const parameters = at(entry, 'parameters');
    const indexes = at(entry, 'indexes');
    if (typeof parameters !== 'object' || parameters === null || !Array.isArray(indexes)) {
      throw this.#invalid('its inventory has an entry without parameters or indexes');
    }
    if (at(parameters, 'deleted') === true) return undefined;
    const name = textAt(parameters, 'name') ?? '';
    const cid = textAt(parameters, 'cid') ?? textAt(parameters, 'id');
    const type = at(parameters, 'type');
    if (!isCollectionType(type)) return undefined;
    if (cid === undefined) throw this.#invalid(`its collection '${name}' has no id`);
    if (!isSafeInFileName(name)) {
      throw this.#invalid(`no file can be named after its collection ${JSON.stringify(name)}`);
    }
    const documents = numberAt(entry, 'ticklog', 'count');
    const bytes = numberAt(entry, 'ticklog', 'bytes');
    const structure = { parameters, indexes: indexes as unknown[] };
    return { name, cid, type, documents, bytes, structure };
  }

  #invalid(reason: string): ServiceError {
    return new ServiceError('invalidResponse', `${this.#leader.endpoint}: ${reason}`);
  }
}
