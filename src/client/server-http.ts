import { Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';
import type { Endpoint } from '../follower/endpoint.ts';
import { type TlsTrust, tlsConnectOptions } from '../follower/leader-tls.ts';
import { readErrorBody } from '../protocol/error-body.ts';
import { Header } from '../protocol/headers.ts';
import { clientError, TicklogError } from './client-error.ts';

/** One request to a server. */
export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent as it is, pieces are sent while they are made. */
  readonly body?: string | AsyncIterable<string> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where the server may take long: added to the time it has to answer, in ms; Infinity for no end. */
  readonly extraMs?: number;
}

/** An answer, read whole. Header names are in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface ServerHttpOptions {
  readonly endpoint: Endpoint;
  /** Basic authentication is used when this is not empty. */
  readonly username: string;
  readonly password: string;
  readonly tls: TlsTrust;
  /** Longest silence of the server during a request, in ms. */
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** Requests above this number wait for one another. */
const CONNECTIONS_MAX = 16;
const KEEP_ALIVE_MS = 30_000;
const BODY_MAX_BYTES = 512 * 1024 * 1024;
/** The shapes of answers are those of 1.4, whatever the server's own choice is. */
const API_VERSION = '10403';
const ERROR_MEMBERS: ReadonlySet<string> = new Set(['error', 'code', 'errorNum', 'errorMessage']);

/**
 * Requests of the client library to one server, of any number at a time. What may take very long has
 * connections of its own, so that nothing waits behind it.
 */
export class ServerHttp {
  readonly #endpoint: string;
  readonly #requestTimeoutMs: number;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #pool: Pool;
  readonly #longPool: Pool;

  constructor(options: ServerHttpOptions) {
    const { endpoint, username, password, tls, requestTimeoutMs, connectTimeoutMs } = options;
    this.#endpoint = endpoint.text;
    this.#requestTimeoutMs = requestTimeoutMs;
    const settings = {
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { timeout: connectTimeoutMs, ...tlsConnectOptions(tls) },
    };
    this.#pool = new Pool(endpoint.origin, { ...settings, connections: CONNECTIONS_MAX });
    this.#longPool = new Pool(endpoint.origin, settings);
    const access = Buffer.from(`${username}:${password}`).toString('base64');
    this.#headers = {
      'user-agent': 'ticklog',
      [Header.version]: API_VERSION,
      ...(username === '' ? {} : { authorization: `Basic ${access}` }),
    };
  }

  /** Longest silence of the server during a request, in ms. */
  get requestTimeoutMs(): number {
    return this.#requestTimeoutMs;
  }

  /** As it was given. */
  get endpoint(): string {
    return this.#endpoint;
  }

  /**
   * Sends a request and reads the answer whole.
   * @throws TicklogError for a status that is no success, for no answer (1400) and one
   *   that can not be read (1401); the reason of the signal when that is aborted
   */
  async send(call: HttpCall): Promise<HttpAnswer> {
    const { signal } = call;
    signal?.throwIfAborted();
    let answer: HttpAnswer;
    try {
      answer = await this.#exchange(call);
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw this.#failure(error);
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw this.#refusal(answer);
  }

  /**
   * Sends a request and gives the body of the answer as it comes; nothing more is asked of the server while it is not
   * taken. Taking it may throw what `send` throws.
   * @throws as `send`
   */
  async stream(call: HttpCall): Promise<AsyncIterable<Uint8Array>> {
    const { signal } = call;
    signal?.throwIfAborted();
    try {
      const response = await this.#request({ ...call, extraMs: 0 });
      const { statusCode: status, headers, body } = response;
      if (status >= 200 && status < 300) return this.#pieces(body, signal);
      throw this.#refusal({ status, headers, body: await this.#readBody(body) });
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw this.#failure(error);
    }
  }

  async *#pieces(
    body: Readable,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* body as AsyncIterable<Buffer>;
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw this.#failure(error);
    }
  }

  /** An answer that is none of a server of this kind. */
  invalid(detail: string, cause?: unknown): TicklogError {
    return clientError(
      'invalidResponse',
      `what answers at ${this.#endpoint} is no server of this kind: ${detail}`,
      { cause },
    );
  }

  /** Ends the connections; requests under way fail (1400). */
  async close(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#longPool.destroy()]);
  }

  async #exchange(call: HttpCall): Promise<HttpAnswer> {
    const response = await this.#request(call);
    return {
      status: response.statusCode,
      headers: response.headers,
      body: await this.#readBody(response.body),
    };
  }

  #request(call: HttpCall): Promise<Dispatcher.ResponseData> {
    const { method, path, headers, body, signal, extraMs } = call;
    const pool = extraMs === undefined ? this.#pool : this.#longPool;
    const timeoutMs = this.#requestTimeoutMs + (extraMs ?? 0);
    return pool.request({
      method,
      path,
      headers: {
        ...this.#headers,
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
      },
      body: bodyOf(body),
      signal: signal ?? null,
      // 0 is no limit.
      headersTimeout: Number.isFinite(timeoutMs) ? timeoutMs : 0,
      bodyTimeout: this.#requestTimeoutMs,
    });
  }

  async #readBody(body: Readable): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BODY_MAX_BYTES) {
        throw this.invalid(`the body is longer than ${BODY_MAX_BYTES} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, bytes);
  }

  #refusal({ status, body }: HttpAnswer): TicklogError {
    const text = body.toString('utf8');
    const remote = readErrorBody(text);
    if (!remote) {
      const message = `${this.#endpoint} answered ${status} without saying why`;
      return new TicklogError(status, message, { status });
    }
    const members = Object.entries(JSON.parse(text) as object);
    const fields = Object.fromEntries(members.filter(([name]) => !ERROR_MEMBERS.has(name)));
    return new TicklogError(remote.errorNum, remote.errorMessage, { status, fields });
  }

  #failure(error: unknown): unknown {
    if (error instanceof TicklogError || !(error instanceof Error)) return error;
    if (error.name === 'HTTPParserError') return this.invalid(error.message, error);
    const reason = error.message || codeOf(error) || error.name;
    const message = `no answer from ${this.#endpoint}: ${reason}`;
    return clientError('noResponse', message, { cause: error });
  }
}

function bodyOf(body: HttpCall['body']): NonNullable<Dispatcher.DispatchOptions['body']> | null {
  if (body === undefined || typeof body === 'string') return body ?? null;
  // Text in, bytes out: each piece counts as one, so a small number of them is enough.
  return Readable.from(body, { objectMode: false, highWaterMark: 64 * 1024 });
}

/** When several addresses of a name were tried the error itself says nothing. */
function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
