import { crc32 } from 'node:zlib';
import type { Logger } from '../base/logger.ts';
import { silentLogger } from '../base/logger.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import { type QueryValues, replicationItemPath, replicationPath } from '../protocol/paths.ts';
import { DamagedBody } from './classify.ts';
import { parseEndpoint } from './endpoint.ts';
import {
  BadAnswer,
  headerTick,
  type LeaderInventory,
  type LeaderState,
  readId,
  readInventory,
  readLeaderState,
} from './leader-answers.ts';
import { type HttpAnswer, LeaderHttp } from './leader-http.ts';

export interface LeaderClientOptions {
  /** `tcp://`, `http://`, `ssl://` or `https://`, host and port. */
  readonly endpoint: string;
  /** Database on the leader. */
  readonly database: string;
  /** Basic authentication is used when this is not empty. */
  readonly username?: string;
  readonly password?: string;
  /** How long the leader may stay silent, in ms. */
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Sent as `serverId` with every request; undefined for tools that are no server. */
  readonly ownServerId: string | undefined;
  /** A longer body is refused; 512 MiB by default. */
  readonly pageMaxBytes?: number;
  /** How many requests can be under way at a time; 4 by default. */
  readonly connections?: number;
}

/** What log and dump pages have in common. */
export interface LeaderPage {
  /** Lines, each with its newline; empty when there are none. */
  readonly body: Buffer;
  /** Whether there is more behind the page. */
  readonly checkMore: boolean;
  /** Tick of the last line, 0 without one. */
  readonly lastIncluded: Tick;
  /** The run of a ticklog leader that wrote the page. */
  readonly incarnation?: string;
  /** A ticklog leader's checksum was there and right: the lines may be cut instead of parsed. */
  readonly verified: boolean;
}

/** A page of the log (contract 2.6). */
export interface LogPage extends LeaderPage {
  /** Last tick looked at, also when its line was left out. */
  readonly lastScanned?: Tick;
  /** Newest tick of the log. */
  readonly lastTick: Tick;
  /** Whether the logger runs, if the leader says. */
  readonly active: boolean | undefined;
  /** Whether the log reaches back to `from` without a gap, if the leader says. */
  readonly fromPresent: boolean | undefined;
  /** Commit time of the newest entry on the leader's clock, ms since 1970. */
  readonly committedAtMs?: number;
}

/** A page of a collection (contract 3.4). */
export interface DumpPage extends LeaderPage {
  /** From this tick on the removals in the dump are complete; only ticklog leaders tell. */
  readonly deletionsSince?: Tick;
}

export interface FollowRequest {
  /** Exclusive. */
  readonly from: Tick;
  /** In bytes; the page ends after the line with which it grows larger. */
  readonly chunkSizeBytes: number;
  /** How long the leader may hold the request while there is nothing newer. */
  readonly waitSeconds: number;
  readonly includeSystem?: boolean;
}

export interface DumpRequest {
  /** Name or id. */
  readonly collection: string;
  /** Exclusive. */
  readonly from: Tick;
  /** Inclusive; everything when absent. */
  readonly to?: Tick;
  /** In bytes. */
  readonly chunkSizeBytes: number;
  /** Asks leaders of 2.2 to 3.3 to make what is in their log ready for dumping first. */
  readonly flush?: boolean;
  /** Whether lines carry their ticks; they do by default. */
  readonly ticks?: boolean;
  /** Whether edges name the collections of their ends, and not only their ids; they do by default. */
  readonly translateIds?: boolean;
}

const PAGE_MAX_BYTES = 512 * 1024 * 1024;
const [DUMP_TYPE = ''] = ContentType.dump.split(';');
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
  readonly #endpoint: string;
  readonly #database: string;
  readonly #ownServerId: string | undefined;

  /** @throws ServiceError internal (4) `invalid endpoint`, as real servers answer. */
  constructor(deps: { logger?: Logger }, options: LeaderClientOptions) {
    const endpoint = parseEndpoint(options.endpoint);
    if (!endpoint) throw new ServiceError('internal', 'invalid endpoint');
    this.#logger = deps.logger ?? silentLogger;
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
    const { from, chunkSizeBytes, waitSeconds, includeSystem } = request;
    const answer = await this.#get(
      'logger-follow',
      {
        chunkSize: chunkSizeBytes,
        from,
        wait: waitSeconds > 0 ? waitSeconds : undefined,
        includeSystem,
      },
      signal,
      waitSeconds * 1000,
    );
    return this.#checked(() => {
      requiredHeader(answer, Header.lastIncluded);
      const scanned = textHeader(answer, Header.lastScanned);
      const active = textHeader(answer, Header.active);
      const fromPresent = textHeader(answer, Header.fromPresent);
      const committedAtMs = Number(textHeader(answer, Header.committedAt) ?? 0);
      return {
        ...this.#page(answer),
        ...(scanned === undefined ? {} : { lastScanned: headerTick(Header.lastScanned, scanned) }),
        lastTick: headerTick(Header.lastTick, requiredHeader(answer, Header.lastTick)),
        active: active === undefined ? undefined : active === 'true',
        fromPresent: fromPresent === undefined ? undefined : fromPresent === 'true',
        ...(committedAtMs > 0 ? { committedAtMs } : {}),
      };
    });
  }

  /** A page of a collection (contract 3.4). */
  async dump(request: DumpRequest, signal: AbortSignal): Promise<DumpPage> {
    const { collection, from, to, chunkSizeBytes, flush, ticks, translateIds } = request;
    const answer = await this.#get(
      'dump',
      {
        collection,
        chunkSize: chunkSizeBytes,
        ticks,
        translateIds,
        from,
        to,
        flush,
        flushWait: flush === true ? FLUSH_WAIT_SECONDS : undefined,
      },
      signal,
      flush === true ? FLUSH_WAIT_SECONDS * 1000 : 0,
    );
    return this.#checked(() => {
      const since = textHeader(answer, Header.deletionsSince);
      return {
        ...this.#page(answer),
        ...(since === undefined
          ? {}
          : { deletionsSince: headerTick(Header.deletionsSince, since) }),
      };
    });
  }

  /** What the leader has (contract 3.2). Without `includeSystem` the leader's default holds. */
  async inventory(
    options: { includeSystem?: boolean },
    signal: AbortSignal,
  ): Promise<LeaderInventory> {
    const { includeSystem } = options;
    const answer = await this.#get('inventory', { includeSystem }, signal);
    return this.#read(answer, readInventory);
  }

  /** Opens a dump batch (contract 3.3). Resolves with its id. */
  async createBatch(ttlSeconds: number, signal: AbortSignal): Promise<string> {
    const path = replicationPath(this.#database, 'batch', this.#own());
    const body = JSON.stringify({ ttl: ttlSeconds });
    const answer = await this.#http.send({ method: 'POST', path, body }, signal);
    return this.#read(answer, (value) => readId(value, 'id'));
  }

  async extendBatch(id: string, ttlSeconds: number, signal: AbortSignal): Promise<void> {
    const path = replicationItemPath(this.#database, 'batch', id, this.#own());
    await this.#http.send(
      { method: 'PUT', path, body: JSON.stringify({ ttl: ttlSeconds }) },
      signal,
    );
  }

  async deleteBatch(id: string, signal: AbortSignal): Promise<void> {
    const path = replicationItemPath(this.#database, 'batch', id, this.#own());
    await this.#http.send({ method: 'DELETE', path }, signal);
  }

  /** Ends the connections; requests under way fail with noResponse. */
  close(): Promise<void> {
    return this.#http.close();
  }

  #own(): QueryValues {
    return { serverId: this.#ownServerId };
  }

  #get(
    command: 'logger-state' | 'server-id' | 'logger-follow' | 'dump' | 'inventory',
    query: QueryValues,
    signal: AbortSignal,
    extraMs = 0,
  ): Promise<HttpAnswer> {
    const path = replicationPath(this.#database, command, { ...query, ...this.#own() });
    this.#logger.debug({ endpoint: this.#endpoint, path }, 'asking the leader');
    return this.#http.send({ method: 'GET', path, extraMs }, signal);
  }

  #read<T>(answer: HttpAnswer, read: (value: unknown) => T): T {
    return this.#checked(() => {
      let value: unknown;
      try {
        value = JSON.parse(answer.body.toString('utf8'));
      } catch (cause) {
        throw new BadAnswer('the body is no JSON', { cause });
      }
      return read(value);
    });
  }

  #page(answer: HttpAnswer): LeaderPage {
    const type = textHeader(answer, 'content-type');
    // Something in between may answer in the leader's place, with a page for people.
    if (type !== undefined && !type.startsWith(DUMP_TYPE)) {
      throw new BadAnswer(`it is of type ${type}, not ${DUMP_TYPE}`);
    }
    const checkMore = requiredHeader(answer, Header.checkMore) === 'true';
    const included =
      checkMore || textHeader(answer, Header.lastIncluded) !== undefined
        ? headerTick(Header.lastIncluded, requiredHeader(answer, Header.lastIncluded))
        : 0n;
    const incarnation = textHeader(answer, Header.incarnation);
    return {
      body: answer.body,
      checkMore,
      lastIncluded: included,
      ...(incarnation === undefined ? {} : { incarnation }),
      verified: this.#verified(answer),
    };
  }

  #verified(answer: HttpAnswer): boolean {
    const sum = textHeader(answer, Header.crc32);
    if (sum === undefined) return false;
    if (Number(sum) === crc32(answer.body)) return true;
    throw new ServiceError(
      'invalidResponse',
      `got invalid response from master at ${this.#endpoint}: the body fails its checksum`,
      { cause: new DamagedBody(`${answer.body.length} bytes do not have the CRC32 ${sum}`) },
    );
  }

  #checked<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof BadAnswer)) throw error;
      throw new ServiceError(
        'invalidResponse',
        `got invalid response from master at ${this.#endpoint}: ${error.message}`,
        { cause: error },
      );
    }
  }
}

function textHeader(answer: HttpAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

function requiredHeader(answer: HttpAnswer, name: string): string {
  const value = textHeader(answer, name);
  if (value === undefined) throw new BadAnswer(`required header ${name} is missing`);
  return value;
}
