import { type Tick, tickFromWire } from '../model/tick.ts';
import { databasePath, type QueryValues } from '../protocol/paths.ts';
import type { TicklogError } from './client-error.ts';
import type { HttpAnswer, HttpCall, ServerHttp } from './server-http.ts';

/** What every request of the client takes. */
export interface RequestOptions {
  /** Ends the wait for the answer: the method rejects with its reason. What was asked may still happen. */
  readonly signal?: AbortSignal | undefined;
}

/** A request below a database. */
export interface ScopedCall extends RequestOptions {
  readonly query?: QueryValues;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent while it is made, in place of `body`. */
  readonly pieces?: AsyncIterable<string>;
  readonly headers?: Readonly<Record<string, string>>;
  /** See `HttpCall`. */
  readonly extraMs?: number;
}

/** A line of a page, parsed. */
export type PageLine = Readonly<Record<string, unknown>>;

/** Requests to one database of a server, all with the same headers. */
export class Scope {
  readonly database: string;
  readonly #http: ServerHttp;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(
    deps: { http: ServerHttp },
    options: { database: string; headers?: Readonly<Record<string, string>> },
  ) {
    this.#http = deps.http;
    this.database = options.database;
    this.#headers = options.headers ?? {};
  }

  /** The same database, with further headers. */
  with(headers: Readonly<Record<string, string>>): Scope {
    const all = { ...this.#headers, ...headers };
    return new Scope({ http: this.#http }, { database: this.database, headers: all });
  }

  /**
   * Sends a request. Rejects as `ServerHttp.send`.
   * @param path from `/_api` on, encoded
   */
  send(method: HttpCall['method'], path: string, call: ScopedCall = {}): Promise<HttpAnswer> {
    const { query, body, pieces, headers, signal, extraMs } = call;
    return this.#http.send({
      method,
      path: databasePath(this.database, path, query),
      headers: { ...this.#headers, ...headers },
      body: pieces ?? (body === undefined ? undefined : JSON.stringify(body)),
      signal,
      ...(extraMs === undefined ? {} : { extraMs }),
    });
  }

  /** Sends a GET whose answer has no end. Rejects as `ServerHttp.stream`. */
  stream(
    path: string,
    { query, headers, signal }: Omit<ScopedCall, 'body' | 'pieces' | 'extraMs'>,
  ): Promise<AsyncIterable<Uint8Array>> {
    return this.#http.stream({
      method: 'GET',
      path: databasePath(this.database, path, query),
      headers: { ...this.#headers, ...headers },
      signal,
    });
  }

  /** Longest silence of the server during a request, in ms. */
  get requestTimeoutMs(): number {
    return this.#http.requestTimeoutMs;
  }

  /** A line of a page or of a feed. @throws TicklogError (1401) when it is no JSON */
  line(text: string): PageLine {
    try {
      return JSON.parse(text) as PageLine;
    } catch (cause) {
      throw this.#http.invalid(
        `a line of the log or of a dump is no JSON: ${String(cause)}`,
        cause,
      );
    }
  }

  /** Sends a request whose answer is JSON, of the shape that api-spec/openapi.yaml has for it. */
  async json<T>(method: HttpCall['method'], path: string, call: ScopedCall = {}): Promise<T> {
    return this.parsed(await this.send(method, path, call));
  }

  /** The JSON of an answer, as `json`. @throws TicklogError (1401) when it is none */
  parsed<T>({ body }: HttpAnswer): T {
    try {
      return JSON.parse(body.toString('utf8')) as T;
    } catch (cause) {
      throw this.#http.invalid('its answer is no JSON', cause);
    }
  }

  /** As `json`, without the members `error` and `code` that answers have besides what they say. */
  async result<T>(method: HttpCall['method'], path: string, call: ScopedCall = {}): Promise<T> {
    const members = Object.entries(await this.json<object>(method, path, call));
    const own = members.filter(([name]) => name !== 'error' && name !== 'code');
    return Object.fromEntries(own) as T;
  }

  /** A tick of an answer. @throws TicklogError (1401) when it is none */
  tick(value: unknown, name: string): Tick {
    const tick = tickFromWire(value);
    if (tick === undefined) throw this.invalid(`${name} is no tick`);
    return tick;
  }

  /** As `tick`, for those that may be null. */
  tickOrNull(value: unknown, name: string): Tick | null {
    return value === null ? null : this.tick(value, name);
  }

  invalid(detail: string): TicklogError {
    return this.#http.invalid(detail);
  }
}
