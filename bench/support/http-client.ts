import { Readable } from 'node:stream';
import { Pool } from 'undici';

/** An answer with its whole body. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The server answered, but not what was expected. */
export class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer';
  readonly status: number;
  /** `errorNum` of the body, 0 without one. */
  readonly errorNum: number;

  constructor(request: string, answer: Answer) {
    const text = answer.body.toString('utf8', 0, 500);
    super(`${request} was answered ${answer.status}: ${text}`);
    this.status = answer.status;
    this.errorNum = Number(/"errorNum":(\d+)/.exec(text)?.[1] ?? 0);
  }
}

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

/** What can be sent: JSON text, bytes, or pieces that are sent one after another, none before it is wanted. */
export type RequestBody = string | Buffer | Iterable<Buffer>;

/**
 * Requests to one server. Connections are kept; a request waits for its answer as long as it takes,
 * because a sync of millions of documents is one request.
 */
export class HttpClient implements AsyncDisposable {
  readonly #pool: Pool;

  constructor(options: { url: string; connections?: number }) {
    this.#pool = new Pool(options.url, {
      connections: options.connections ?? 1,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** @throws errors of undici when there is no answer; every status is one. */
  async request(
    method: Method,
    path: string,
    body?: RequestBody,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const isWhole = typeof body !== 'object' || Buffer.isBuffer(body);
    const sent = isWhole ? body : Readable.from(body, { objectMode: false });
    const answer = await this.#pool.request({ method, path, headers, body: sent ?? null });
    const content = Buffer.from(await answer.body.arrayBuffer());
    return { status: answer.statusCode, headers: answer.headers, body: content };
  }

  /**
   * As `request` with GET, but hands the body over in pieces as they come in, without anything that
   * would slow it down.
   * @returns the answer with an empty body
   */
  stream(path: string, onPiece: (piece: Buffer) => void): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let status = 0;
      let headers: Answer['headers'] = {};
      this.#pool.dispatch(
        { method: 'GET', path },
        {
          onRequestStart: () => undefined,
          onResponseStart: (_controller, statusCode, received) => {
            status = statusCode;
            headers = received;
          },
          onResponseData: (_controller, piece) => onPiece(piece),
          onResponseEnd: () => resolve({ status, headers, body: Buffer.alloc(0) }),
          onResponseError: (_controller, error) => reject(error),
        },
      );
    });
  }

  /**
   * The JSON of an answer.
   * @throws UnexpectedAnswer unless its status is one of 200 to 299
   */
  async json(method: Method, path: string, body?: RequestBody): Promise<unknown> {
    const answer = await this.request(method, path, body);
    if (answer.status < 200 || answer.status > 299) {
      throw new UnexpectedAnswer(`${method} ${path}`, answer);
    }
    return JSON.parse(answer.body.toString('utf8'));
  }

  /** Ends all connections at once, also those with a request under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy();
  }
}
