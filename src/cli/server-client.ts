import { ServiceError } from '../model/errors.ts';
import { refusedAnswer } from '../follower/classify.ts';
import type { HttpAnswer, HttpRequest } from '../follower/leader-http.ts';
import { LeaderHttp } from '../follower/leader-http.ts';
import type { Endpoint } from '../follower/endpoint.ts';
import type { TlsTrust } from '../follower/leader-tls.ts';
import {
  databasePath,
  type QueryValues,
  type ReplicationCommand,
  replicationItemPath,
  replicationPath,
} from '../protocol/paths.ts';

/** Which server a verb talks to, and as whom. */
export interface Connection {
  readonly endpoint: Endpoint;
  readonly database: string;
  /** Basic authentication is used when this is not empty. */
  readonly username: string;
  readonly password: string;
  /** Of endpoints with TLS. */
  readonly tls?: TlsTrust;
  /** Longest silence of the server during a request. */
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** How many requests can be under way at a time; 4 by default. */
  readonly connections?: number;
}

interface RequestOptions {
  readonly query?: QueryValues;
  /** Text and bytes are sent as they are, pieces as they come, anything else as JSON. */
  readonly body?: object | string | Buffer | AsyncIterable<Buffer>;
  /** Of the body; JSON unless it says something else. */
  readonly contentType?: string;
  /** Added to the request timeout. */
  readonly extraMs?: number;
}

function contentOf(body: RequestOptions['body']): HttpRequest['body'] {
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return body;
  return Symbol.asyncIterator in body ? body : JSON.stringify(body);
}

const BODY_MAX_BYTES = 512 * 1024 * 1024;

/**
 * The requests of the command line to one server. Methods reject as `LeaderHttp.send`, and with
 * invalidResponse (1401) where JSON is expected and something else comes.
 */
export class ServerClient {
  readonly #http: LeaderHttp;
  readonly #endpoint: string;
  readonly #database: string;

  constructor(connection: Connection) {
    this.#endpoint = connection.endpoint.text;
    this.#database = connection.database;
    this.#http = new LeaderHttp({ ...connection, bodyMaxBytes: BODY_MAX_BYTES });
  }

  /** The answer to a replication command, parsed. */
  async replication(
    method: HttpRequest['method'],
    command: ReplicationCommand,
    signal: AbortSignal,
    options: RequestOptions = {},
  ): Promise<unknown> {
    return this.#json(await this.replicationPage(method, command, signal, options));
  }

  /** The answer to a replication command as it comes: for pages of lines. */
  replicationPage(
    method: HttpRequest['method'],
    command: ReplicationCommand,
    signal: AbortSignal,
    options: RequestOptions = {},
  ): Promise<HttpAnswer> {
    const path = replicationPath(this.#database, command, options.query);
    return this.#send(method, path, signal, options);
  }

  /** The answer about one thing that a replication command has by id, as it comes. */
  replicationItem(
    method: HttpRequest['method'],
    command: 'keys',
    id: string,
    signal: AbortSignal,
    options: RequestOptions = {},
  ): Promise<HttpAnswer> {
    const path = replicationItemPath(this.#database, command, id, options.query);
    return this.#send(method, path, signal, options);
  }

  /** GET of any other path below the database, parsed. */
  get(path: string, signal: AbortSignal, query: QueryValues = {}): Promise<unknown> {
    return this.call('GET', path, signal, { query });
  }

  /** The answer to any other request below the database, parsed. */
  async call(
    method: HttpRequest['method'],
    path: string,
    signal: AbortSignal,
    options: RequestOptions = {},
  ): Promise<unknown> {
    const full = databasePath(this.#database, path, options.query);
    return this.#json(await this.#send(method, full, signal, options));
  }

  /** Ends the connections. */
  close(): Promise<void> {
    return this.#http.close();
  }

  #send(
    method: HttpRequest['method'],
    path: string,
    signal: AbortSignal,
    { body, contentType, extraMs }: RequestOptions,
  ): Promise<HttpAnswer> {
    const content = contentOf(body);
    const request = {
      ...{ method, path },
      ...(content === undefined ? {} : { body: content }),
      ...(contentType === undefined ? {} : { contentType }),
      ...(extraMs === undefined ? {} : { extraMs }),
    };
    return this.#http.send(request, signal);
  }

  #json({ body }: HttpAnswer): unknown {
    try {
      return JSON.parse(body.toString('utf8')) as unknown;
    } catch (cause) {
      throw new ServiceError(
        'invalidResponse',
        `what answers at ${this.#endpoint} is no server of this kind: its answer is no JSON`,
        { cause },
      );
    }
  }
}

/** Runs `use` with a client, whose connections are ended afterwards in any case. */
export async function withServer<T>(
  connection: Connection,
  use: (client: ServerClient) => Promise<T>,
): Promise<T> {
  const client = new ServerClient(connection);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** Servers of this interface answer so to replication commands that they do not have (contract 1.4). */
export function isUnknownCommand(error: unknown): boolean {
  const refused = refusedAnswer(error);
  if (refused?.status === 404 || refused?.status === 405) return true;
  return refused?.status === 400 && /^invalid command/.test(refused.remote?.errorMessage ?? '');
}

/** The first value of a header. */
export function headerOf(answer: HttpAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
