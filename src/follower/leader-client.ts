import { type Logger, silentLogger } from '../base/logger.ts';
import { ServiceError } from '../model/errors.ts';
import { MAX_WIRE_TICK, type Tick } from '../model/tick.ts';
import { Header } from '../protocol/headers.ts';
import type { PageRequest } from '../protocol/page-seal.ts';
import {
  type QueryValues,
  type ReplicationCommand,
  databasePath,
  replicationItemPath,
  replicationPath,
} from '../protocol/paths.ts';
import { DamagedBody } from './classify.ts';
import { parseEndpoint } from './endpoint.ts';
import { followTarget } from './follow-target.ts';
import {
  BadAnswer,
  headerTick,
  type LeaderApplier,
  type LeaderBatch,
  type LeaderInventory,
  type LeaderState,
  type OpenOnLeader,
  readAutoStart,
  readBatch,
  readChecksum,
  readChecksumWork,
  readCollectionNames,
  readId,
  readInventory,
  readLeaderApplier,
  readLeaderState,
  readTids,
} from './leader-answers.ts';
import { type HttpAnswer, type HttpRequest, LeaderHttp } from './leader-http.ts';
import {
  type CollectionsPage,
  type DumpPage,
  type LogPage,
  isVerified,
  readCollectionsPage,
  readDumpPage,
  readLogPage,
  requiredHeader,
} from './leader-page.ts';
import type { DumpCollectionsRequest, DumpRequest, FollowRequest } from './leader-requests.ts';
import type { TlsTrust } from './leader-tls.ts';
import type { ReadNumbers } from './verify-gauge.ts';

export interface LeaderClientOptions {
  /** `tcp://`, `http://`, `ssl://` or `https://`, host and port. */
  readonly endpoint: string;
  /** Database on the leader. */
  readonly database: string;
  /** Basic authentication is used when this is not empty. */
  readonly username?: string;
  readonly password?: string;
  /** Sent where there is no user name. */
  readonly jwt?: string;
  /** How long the leader may stay silent, in ms. */
  readonly requestTimeoutMs: number;
  /** The same for pages of collections, which may take longer to begin; as the others by default. */
  readonly dumpTimeoutMs?: number;
  readonly connectTimeoutMs: number;
  /** Of endpoints with TLS. */
  readonly tls?: TlsTrust;
  /** Sent as `serverId` with every request; undefined for tools that are no server. */
  readonly ownServerId: string | undefined;
  /** A longer body is refused; 512 MiB by default. */
  readonly pageMaxBytes?: number;
  /** How many requests can be under way at a time; 4 by default. */
  readonly connections?: number;
}

const PAGE_MAX_BYTES = 512 * 1024 * 1024;
/** How long such a leader may take for it, in seconds. */
const FLUSH_WAIT_SECONDS = 5;

/**
 * The requests a follower makes of a leader (contract 2, 3). Every method rejects with noResponse
 * (1400), invalidResponse (1401) or leaderError (1402), each with a cause, or with the reason of its
 * signal; `classify` says what to do about it.
 */
export class LeaderClient {
  readonly #http: LeaderHttp;
  readonly #logger: Logger;
  readonly #options: LeaderClientOptions;
  readonly #endpoint: string;
  readonly #database: string;
  readonly #ownServerId: string | undefined;

  /** @throws ServiceError internal (4) `invalid endpoint`, as real servers answer. */
  constructor(deps: { logger?: Logger }, options: LeaderClientOptions) {
    const endpoint = parseEndpoint(options.endpoint);
    if (!endpoint) throw new ServiceError('internal', 'invalid endpoint');
    this.#logger = deps.logger ?? silentLogger;
    this.#options = options;
    this.#endpoint = endpoint.text;
    this.#database = options.database;
    this.#ownServerId = options.ownServerId;
    this.#http = new LeaderHttp({
      ...options,
      endpoint,
      bodyMaxBytes: options.pageMaxBytes ?? PAGE_MAX_BYTES,
    });
  }

  /** As configured; messages name it. */
  get endpoint(): string {
    return this.#endpoint;
  }

  /** The database on the leader. */
  get database(): string {
    return this.#database;
  }

  /** Who the leader is, and where its log stands (contract 2.4). */
  async state(signal: AbortSignal): Promise<LeaderState> {
    return this.#read(await this.#get('logger-state', {}, signal), readLeaderState);
  }

  /** The leader's server id (contract 3.1). */
  async serverId(signal: AbortSignal): Promise<string> {
    const answer = await this.#get('server-id', {}, signal);
    return this.#read(answer, (value) => readId(value, 'serverId'));
  }

  /** A page of the log: what is newer than `from` (contract 2.6). */
  async follow(request: FollowRequest, signal: AbortSignal): Promise<LogPage> {
    const { waitSeconds } = request;
    const query = this.#followQuery(request);
    const { path, body } = followTarget(this.#database, request.form, query);
    const extraMs = waitSeconds * 1000;
    const put = { method: 'PUT', path, body: JSON.stringify(body), extraMs } as const;
    const answer = await this.#send(
      body === undefined ? { method: 'GET', path, extraMs } : put,
      signal,
    );
    const { from, includeSystem = true } = request;
    const asked = this.#asked({ kind: 'log', includeSystem, from });
    return this.#checked(() => readLogPage(answer, asked));
  }

  /** A page of a collection (contract 3.4). */
  async dump(request: DumpRequest, signal: AbortSignal): Promise<DumpPage> {
    const { collection, from, to, chunkSizeBytes, flush, ...form } = request;
    const answer = await this.#get(
      'dump',
      {
        collection,
        chunkSize: chunkSizeBytes,
        ...form,
        from,
        to,
        flush,
        flushWait: flush === true ? FLUSH_WAIT_SECONDS : undefined,
      },
      signal,
      { extraMs: flush === true ? FLUSH_WAIT_SECONDS * 1000 : 0, ...this.#patience },
    );
    const asked = { kind: 'dump', includeSystem: true, collection, from } as const;
    return this.#checked(() =>
      readDumpPage(answer, this.#asked({ ...asked, ...(to === undefined ? {} : { to }) })),
    );
  }

  /** Small collections, each whole (`dump-collections`); only ticklog leaders have that. */
  async dumpCollections(
    { collections, to, chunkSizeBytes }: DumpCollectionsRequest,
    signal: AbortSignal,
  ): Promise<CollectionsPage> {
    const query = { collections: collections.join(','), to, chunkSize: chunkSizeBytes };
    const answer = await this.#get('dump-collections', query, signal, this.#patience);
    const asked = { kind: 'dump-collections', includeSystem: true, from: 0n } as const;
    const of = { collection: query.collections, ...(to === undefined ? {} : { to }) };
    const request = this.#asked({ ...asked, ...of });
    return this.#checked(() => readCollectionsPage(answer, request));
  }

  /** What the leader has (contract 3.2). Without `includeSystem` the leader's default holds. */
  async inventory(
    options: { includeSystem?: boolean; batchId?: string | undefined },
    signal: AbortSignal,
  ): Promise<LeaderInventory> {
    return this.#read(await this.#get('inventory', options, signal), readInventory);
  }

  /** Names of all its collections, for which no batch is needed. */
  async collectionNames(signal: AbortSignal): Promise<readonly string[]> {
    const path = databasePath(this.#database, '/_api/collection');
    return this.#read(await this.#send({ method: 'GET', path }, signal), readCollectionNames);
  }

  /** Whom a ticklog leader follows itself; undefined when it is set to follow nobody, or does not know yet. */
  async applier(signal: AbortSignal): Promise<LeaderApplier | undefined> {
    return this.#read(await this.#get('applier-state', {}, signal), readLeaderApplier);
  }

  /** Whether the leader's own applier starts with it. */
  async applierStartsByItself(signal: AbortSignal): Promise<boolean> {
    return this.#read(await this.#get('applier-config', {}, signal), readAutoStart);
  }

  /** Opens a dump batch (contract 3.3). */
  async createBatch(ttlSeconds: number, signal: AbortSignal): Promise<LeaderBatch> {
    const answer = await this.#item('POST', 'batch', undefined, { ttl: ttlSeconds }, signal);
    return this.#read(answer, readBatch);
  }

  async extendBatch(id: string, ttlSeconds: number, signal: AbortSignal): Promise<void> {
    await this.#item('PUT', 'batch', id, { ttl: ttlSeconds }, signal);
  }

  async deleteBatch(id: string, signal: AbortSignal): Promise<void> {
    await this.#item('DELETE', 'batch', id, undefined, signal);
  }

  /** Asks the leader to keep its log behind `tick` (contract 2.10). Resolves with the barrier's id. */
  async createBarrier(tick: Tick, ttlSeconds: number, signal: AbortSignal): Promise<string> {
    const body = { ttl: ttlSeconds, tick: tick.toString() };
    const answer = await this.#item('POST', 'barrier', undefined, body, signal);
    return this.#read(answer, (value) => readId(value, 'id'));
  }

  async extendBarrier(
    id: string,
    tick: Tick,
    ttlSeconds: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#item('PUT', 'barrier', id, { ttl: ttlSeconds, tick: tick.toString() }, signal);
  }

  async deleteBarrier(id: string, signal: AbortSignal): Promise<void> {
    await this.#item('DELETE', 'barrier', id, undefined, signal);
  }

  /** The transactions that were begun at or before a tick and not finished there (contract 2.9). */
  async openTransactions(at: Tick, signal: AbortSignal): Promise<OpenOnLeader> {
    const query = { from: 0, to: at };
    const answer = await this.#get('determine-open-transactions', query, signal);
    return this.#read(answer, (value) => ({
      tids: readTids(value),
      restartTick: headerTick(Header.lastTick, requiredHeader(answer, Header.lastTick)),
    }));
  }

  /** What the documents of a collection and their revisions come to; servers of one kind have one way to sum them. */
  async checksum(collection: string, signal: AbortSignal): Promise<string> {
    const part = 'checksum?withRevisions=true&withData=true';
    return this.#read(await this.#ofCollection(collection, part, signal), readChecksum);
  }

  /** How far a ticklog leader is with a checksum of a collection; undefined while it makes none. */
  async checksumRead(collection: string, signal: AbortSignal): Promise<ReadNumbers | undefined> {
    return this.#read(await this.#ofCollection(collection, 'works', signal), readChecksumWork);
  }

  /** A request about lists of keys, or one of them (contract 3.5); see `LeaderKeyList`. */
  keyList(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    { id, query, body }: { id?: string; query: QueryValues; body?: string },
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const values = { ...query, ...this.#own() };
    const path =
      id === undefined
        ? replicationPath(this.#database, 'keys', values)
        : replicationItemPath(this.#database, 'keys', id, values);
    const request = { method, path, ...(body === undefined ? {} : { body }) };
    return this.#send({ ...request, ...this.#patience }, signal);
  }

  /** Ends the connections; requests under way fail with noResponse. */
  close(): Promise<void> {
    return this.#http.close();
  }

  #ofCollection(collection: string, part: string, signal: AbortSignal): Promise<HttpAnswer> {
    const name = encodeURIComponent(collection);
    const path = databasePath(this.#database, `/_api/collection/${name}/${part}`);
    return this.#send({ method: 'GET', path, ...this.#patience }, signal);
  }

  /** For what has the leader read a whole collection. */
  get #patience(): Pick<HttpRequest, 'timeoutMs'> {
    const { dumpTimeoutMs: timeoutMs } = this.#options;
    return timeoutMs === undefined ? {} : { timeoutMs };
  }

  /** As the leader understands it. */
  #asked(
    request: Pick<PageRequest, 'kind' | 'from' | 'includeSystem'> & Partial<PageRequest>,
  ): PageRequest {
    return { database: this.#database, collection: '', to: MAX_WIRE_TICK, ...request };
  }

  #own(): QueryValues {
    return { serverId: this.#ownServerId };
  }

  #get(
    command: ReplicationCommand,
    query: QueryValues,
    signal: AbortSignal,
    times: Pick<HttpRequest, 'extraMs' | 'timeoutMs'> = {},
  ): Promise<HttpAnswer> {
    const path = replicationPath(this.#database, command, { ...query, ...this.#own() });
    return this.#send({ method: 'GET', path, ...times }, signal);
  }

  /** Makes, changes or ends a batch or a barrier. */
  #item(
    method: 'POST' | 'PUT' | 'DELETE',
    command: 'batch' | 'barrier',
    id: string | undefined,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const path =
      id === undefined
        ? replicationPath(this.#database, command, this.#own())
        : replicationItemPath(this.#database, command, id, this.#own());
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.#send({ method, path, ...sent }, signal);
  }

  #send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    this.#logger.debug({ endpoint: this.#endpoint, path: request.path }, 'asking the leader');
    return this.#http.send(request, signal);
  }

  #followQuery({ from, chunkSizeBytes, waitSeconds, ...request }: FollowRequest): QueryValues {
    return {
      chunkSize: chunkSizeBytes,
      from,
      wait: waitSeconds > 0 ? waitSeconds : undefined,
      includeSystem: request.includeSystem,
      barrier: request.barrierId,
      ...this.#own(),
    };
  }

  #read<T>(answer: HttpAnswer, read: (value: unknown) => T): T {
    return this.#checked(() => {
      isVerified(answer);
      let value: unknown;
      try {
        value = JSON.parse(answer.body.toString('utf8'));
      } catch (cause) {
        throw new BadAnswer('the body is no JSON', { cause });
      }
      return read(value);
    });
  }

  #checked<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof BadAnswer)) throw error;
      throw new ServiceError(
        'invalidResponse',
        `got invalid response from master at ${this.#endpoint}: ${error.message}`,
        // Whatever it is, it does not come from a leader as it was sent: that may pass.
        {
          cause:
            error.cause instanceof DamagedBody
              ? error.cause
              : new DamagedBody(error.message, { cause: error }),
        },
      );
    }
  }
}
