import { STATUS_CODES } from 'node:http';
import { Readable } from 'node:stream';
import type { Dispatcher, Pool } from 'undici';
import { HttpPool } from '../base/http-pool.ts';
import { ServiceError } from '../model/errors.ts';
import { readErrorBody, remoteErrorText } from '../protocol/error-body.ts';
import { Header } from '../protocol/headers.ts';
import { DamagedBody, RefusedAnswer } from './classify.ts';
import type { Endpoint } from './endpoint.ts';
import { type TlsTrust, tlsConnectOptions, tlsReason } from './leader-tls.ts';

/** One answer, read whole. Header names are in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  /** Pieces are sent as they come, and no faster than the leader takes them. */
  readonly body?: string | Buffer | AsyncIterable<Buffer>;
  /** Of the body; JSON unless it says something else. */
  readonly contentType?: string;
  /** Longest silence of the leader, in place of that of the client. */
  readonly timeoutMs?: number;
  /** Added to the time the leader has to answer, in ms: what it was asked to wait. */
  readonly extraMs?: number;
}

export interface LeaderHttpOptions {
  readonly endpoint: Endpoint;
  readonly username?: string;
  readonly password?: string;
  /** Sent where there is no user name. */
  readonly jwt?: string;
  /** Longest silence of the leader, in ms: before the headers, and between parts of the body. */
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Of endpoints with TLS. */
  readonly tls?: TlsTrust;
  /** A longer body is refused. */
  readonly bodyMaxBytes: number;
  /** How many requests can be under way at a time; 4 by default. */
  readonly connections?: number;
}

/** One request at a time on each: the page in hand, the next one, and something short. */
const CONNECTIONS = 4;
const KEEP_ALIVE_MS = 30_000;
const API_VERSION = '10400';
/** A body is first given this much, whatever length its header promises. */
const FIRST_BUFFER_BYTES = 16 * 1024 * 1024;
/** So much of a body must come in the time that the leader may stay silent. */
const PROGRESS_BYTES = 4096;
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ENOTFOUND: 'host not found',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'connect timeout reached',
};

/** Thrown into a request whose body grows beyond the limit. */
class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

/** The HTTP side of a leader client: connections, timeouts, and errors told apart. */
export class LeaderHttp {
  readonly #pool: Pool;
  readonly #endpoint: string;
  readonly #options: LeaderHttpOptions;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: LeaderHttpOptions) {
    this.#endpoint = options.endpoint.text;
    this.#options = options;
    this.#pool = new HttpPool(options.endpoint.origin, {
      connections: options.connections ?? CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { timeout: options.connectTimeoutMs, ...tlsConnectOptions(options.tls) },
    });
    this.#headers = {
      'user-agent': 'ticklog',
      // The shapes in which a leader of our kind stores its lines, whatever version it claims to be.
      [Header.version]: API_VERSION,
      ...authorization(options),
    };
  }

  /**
   * Sends one request and reads its answer whole. Redirects are not followed.
   *
   * @throws ServiceError noResponse (1400) without an answer, invalidResponse (1401) for one that is
   *   no HTTP or too long, leaderError (1402) with a RefusedAnswer as its cause for a status that is
   *   no success; the reason of `signal` when that is aborted
   */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    const answer = await this.#dispatch(request, signal);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const text = answer.statusText || (STATUS_CODES[answer.status] ?? '');
    const remote = readErrorBody(answer.body.toString('utf8'));
    // Pages for people, which something in between may have sent, are not repeated.
    const said = remote === undefined ? '' : `: ${remoteErrorText(remote)}`;
    throw new ServiceError(
      'leaderError',
      `got invalid response from master at ${this.#endpoint}: HTTP ${answer.status}: ${text}${said}`,
      { cause: new RefusedAnswer(answer.status, remote) },
    );
  }

  /** Ends the connections; requests under way fail. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #dispatch(
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpAnswer & { statusText: string }> {
    const { bodyMaxBytes, requestTimeoutMs } = this.#options;
    const timeoutMs = (request.timeoutMs ?? requestTimeoutMs) + (request.extraMs ?? 0);
    return new Promise((resolve, reject) => {
      let controller: Dispatcher.DispatchController | undefined;
      let status = 0;
      let statusText = '';
      let headers: HttpAnswer['headers'] = {};
      const body = new BodyBuffer(bodyMaxBytes);
      let watch: NodeJS.Timeout | undefined;
      const settle = (): void => {
        clearInterval(watch);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        controller?.abort(new Error('aborted'));
        // A request that still waits for a connection has no controller yet.
        reject(signal.reason as Error);
      };
      const fail = (error: Error): void => {
        settle();
        reject(signal.aborted ? (signal.reason as Error) : this.#failure(error));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#pool.dispatch(
        {
          method: request.method,
          path: request.path,
          headers: this.#headersOf(request),
          body: bodyOf(request.body),
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
        },
        {
          onRequestStart: (started) => {
            controller = started;
            if (signal.aborted) started.abort(new Error('aborted'));
          },
          onResponseStart: (started, statusCode, answerHeaders, statusMessage) => {
            controller = started;
            // 1xx answers come before the one that counts.
            status = statusCode;
            statusText = statusMessage ?? '';
            headers = answerHeaders;
            body.expect(answerHeaders['content-length']);
            clearInterval(watch);
            watch = watchProgress(body, timeoutMs, () => {
              started.abort(new Error('the answer does not come to its end'));
            });
          },
          onResponseData: (started, chunk) => {
            if (!body.add(chunk)) {
              started.abort(new BodyTooLarge(`the body is longer than ${bodyMaxBytes} bytes`));
            }
          },
          onResponseEnd: () => {
            settle();
            resolve({ status, statusText, headers, body: body.take() });
          },
          onResponseError: (_started, error) => {
            fail(error);
          },
        },
      );
    });
  }

  #headersOf({
    body,
    contentType = 'application/json',
  }: HttpRequest): Readonly<Record<string, string>> {
    return body === undefined ? this.#headers : { 'content-type': contentType, ...this.#headers };
  }

  #failure(error: Error): ServiceError {
    const code = codeOf(error);
    if (error instanceof BodyTooLarge || error.name === 'HTTPParserError') {
      return new ServiceError(
        'invalidResponse',
        `got invalid response from master at ${this.#endpoint}: ${error.message}`,
        { cause: new DamagedBody(error.message, { cause: error }) },
      );
    }
    const known = (code === undefined ? undefined : REASONS[code]) ?? tlsReason(error);
    const reason = known ?? (error.message || code);
    return new ServiceError(
      'noResponse',
      `could not connect to master at ${this.#endpoint}: ` +
        `Could not connect to '${this.#endpoint}': ${reason ?? 'unknown reason'}`,
      { cause: error },
    );
  }
}

function bodyOf(body: HttpRequest['body']): NonNullable<Dispatcher.DispatchOptions['body']> | null {
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return body ?? null;
  return Readable.from(body, { objectMode: false });
}

/** Bytes that drip in one after another would keep a request alive for ever. */
function watchProgress(body: BodyBuffer, everyMs: number, onStall: () => void): NodeJS.Timeout {
  let before = 0;
  return setInterval(() => {
    if (body.length - before < PROGRESS_BYTES) onStall();
    before = body.length;
  }, everyMs).unref();
}

/** Collects a body in one piece, without trusting its announced length. */
class BodyBuffer {
  readonly #maxBytes: number;
  #buffer = Buffer.alloc(0);
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What has come. */
  get length(): number {
    return this.#length;
  }

  expect(contentLength: string | string[] | undefined): void {
    const announced = typeof contentLength === 'string' ? Number(contentLength) : 0;
    if (!(announced > 0)) return;
    const bytes = Math.min(announced, FIRST_BUFFER_BYTES, this.#maxBytes);
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
  }

  /** False when the body is too long. */
  add(chunk: Buffer): boolean {
    const length = this.#length + chunk.length;
    if (length > this.#maxBytes) return false;
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    // The chunk is a view of the socket's memory and good for this call only.
    chunk.copy(this.#buffer, this.#length);
    this.#length = length;
    return true;
  }

  take(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** The code of an error or, when several addresses were tried, of the first of them that has one. */
function codeOf(error: Error): string | undefined {
  if ('code' in error && typeof error.code === 'string') return error.code;
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  for (const each of errors) {
    if (each instanceof Error && 'code' in each && typeof each.code === 'string') return each.code;
  }
  return error.cause instanceof Error ? codeOf(error.cause) : undefined;
}

function authorization({
  username = '',
  password = '',
  jwt = '',
}: LeaderHttpOptions): Record<string, string> {
  if (username !== '') {
    const pair = Buffer.from(`${username}:${password}`).toString('base64');
    return { authorization: `Basic ${pair}` };
  }
  return jwt === '' ? {} : { authorization: `bearer ${jwt}` };
}
