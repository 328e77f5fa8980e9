import { parseEndpoint } from '../follower/endpoint.ts';
import type { TlsTrust } from '../follower/leader-tls.ts';
import { DatabaseClient } from './database-client.ts';
import type { FeedEntry } from './feed-entry.ts';
import type { FollowOptions } from './feed-reader.ts';
import { JobsClient } from './job.ts';
import { type RequestOptions, Scope } from './scope.ts';
import { ServerHttp } from './server-http.ts';

export interface ConnectOptions {
  /** Basic authentication is used when this is given. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** How the certificate of the server is checked, and what is shown to it; of URLs with TLS. */
  readonly tls?: TlsTrust | undefined;
  /** Longest silence of the server during a request, in ms; 60,000 by default. */
  readonly requestTimeoutMs?: number | undefined;
  /** In ms; 10,000 by default. */
  readonly connectTimeoutMs?: number | undefined;
}

export interface VersionInfo {
  readonly server: string;
  readonly version: string;
  readonly details?: Readonly<Record<string, string>>;
}

const SYSTEM = '_system';
const REQUEST_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A client of one server. Nothing is sent before something is asked for.
 *
 * @param url `http://host:port`, or `tcp://`, `https://` and `ssl://`
 * @throws TypeError when the text is no such URL
 */
export function connect(url: string, options: ConnectOptions = {}): Client {
  return new Client(url, options);
}

/** A client of one server: its databases, and what concerns the server as a whole. */
export class Client implements AsyncDisposable {
  readonly databases: DatabasesClient;
  readonly jobs: JobsClient;
  readonly #http: ServerHttp;
  readonly #system: Scope;

  /** See `connect`. */
  constructor(url: string, options: ConnectOptions = {}) {
    const endpoint = parseEndpoint(url);
    if (!endpoint) throw new TypeError(`'${url}' is no URL such as http://127.0.0.1:8529`);
    this.#http = new ServerHttp({
      endpoint,
      username: options.username ?? '',
      password: options.password ?? '',
      tls: options.tls ?? {},
      requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    });
    this.#system = new Scope({ http: this.#http }, { database: SYSTEM });
    this.databases = new DatabasesClient({ scope: this.#system });
    this.jobs = new JobsClient({ scope: this.#system });
  }

  /** The database of this name, whether or not there is one; `_system` unless given. */
  use(name: string = SYSTEM): DatabaseClient {
    return new DatabaseClient({ scope: new Scope({ http: this.#http }, { database: name }) });
  }

  /** The changes of a database, `_system` unless `database` names another, as they come: `DatabaseClient.follow`. */
  follow(
    options: FollowOptions & { database?: string | undefined } = {},
  ): AsyncGenerator<FeedEntry, void, void> {
    const { database, ...rest } = options;
    return this.use(database).follow(rest);
  }

  version(options: RequestOptions & { details?: boolean | undefined } = {}): Promise<VersionInfo> {
    const { signal, details } = options;
    return this.#system.json('GET', '/_api/version', { query: { details }, signal });
  }

  /** The same in every database and after every restart. */
  async serverId(options: RequestOptions = {}): Promise<string> {
    const path = '/_api/replication/server-id';
    const { serverId } = await this.#system.json<{ serverId: string }>('GET', path, options);
    return serverId;
  }

  /** The server's clock, in seconds since 1970 with a fraction. */
  async time(options: RequestOptions = {}): Promise<number> {
    const { time } = await this.#system.json<{ time: number }>('GET', '/_admin/time', options);
    return time;
  }

  /** Resolves when all that was answered before is safe on disk. */
  async flush(options: RequestOptions = {}): Promise<void> {
    const call = { ...options, query: { waitForSync: true } };
    await this.#system.json('PUT', '/_admin/wal/flush', call);
  }

  /** Ends the connections. Requests under way fail (1400), later ones, too. */
  close(): Promise<void> {
    return this.#http.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The databases of a server (contract 9.1). */
export class DatabasesClient {
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }) {
    this.#scope = deps.scope;
  }

  /** Their names, in order. */
  async list(options: RequestOptions = {}): Promise<readonly string[]> {
    const { result } = await this.#scope.json<{ result: string[] }>(
      ...['GET' as const, '/_api/database', options],
    );
    return result;
  }

  /** @throws TicklogError duplicateName (1207), databaseNameInvalid (1229) */
  async create(name: string, options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('POST', '/_api/database', { ...options, body: { name } });
  }

  /** Drops it with all that is in it. @throws TicklogError databaseNotFound (1228) */
  async drop(name: string, options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('DELETE', `/_api/database/${encodeURIComponent(name)}`, options);
  }
}
