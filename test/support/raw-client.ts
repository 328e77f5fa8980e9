import { type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What came back for bytes that were sent. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case; of a name given twice the values are joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface RawRequest {
  /** Sent one after another. */
  readonly pieces: readonly Buffer[];
  /** Between two pieces, in ms. */
  readonly pauseMs?: number;
  /** Nothing more is sent behind the pieces, and the other side is told. */
  readonly half?: boolean;
  /** The answer to a HEAD has no body, whatever its headers say. */
  readonly isHead?: boolean;
}

const HEAD_END = '\r\n\r\n';

/**
 * Sends bytes that need not be proper HTTP, and reads the first answer to them. A connection on which all went well
 * is used again.
 */
export class RawClient implements Disposable {
  readonly #port: number;
  readonly #timeoutMs: number;
  #idle: Socket | undefined;

  /** @param options.timeoutMs for the whole answer */
  constructor(options: { port: number; timeoutMs: number }) {
    this.#port = options.port;
    this.#timeoutMs = options.timeoutMs;
  }

  /**
   * @param request.isProper whether the connection is good for another request afterwards
   * @returns undefined when the connection was closed without an answer
   * @throws Error when there is neither an answer nor an end in time
   */
  async send(request: RawRequest & { isProper: boolean }): Promise<RawAnswer | undefined> {
    const reused = request.isProper ? this.#idle : undefined;
    if (reused) this.#idle = undefined;
    const socket = reused ?? (await this.#connect());
    const reader = new AnswerReader(socket, request.isHead ?? false, this.#timeoutMs);
    await this.#write(socket, request);
    const answer = await reader.answer;
    const isKept = answer !== undefined && answer.headers['connection'] !== 'close';
    if (request.isProper && isKept && !socket.destroyed && !this.#idle) this.#idle = socket;
    else socket.destroy();
    return answer;
  }

  [Symbol.dispose](): void {
    this.#idle?.destroy();
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#port, '127.0.0.1', () => {
        socket.off('error', reject);
        // What goes wrong later shows as a close.
        socket.on('error', () => undefined);
        resolve(socket);
      });
      socket.setNoDelay(true);
      socket.once('error', reject);
    });
  }

  async #write(socket: Socket, { pieces, pauseMs = 0, half = false }: RawRequest): Promise<void> {
    for (const [i, piece] of pieces.entries()) {
      if (i > 0 && pauseMs > 0) await sleep(pauseMs);
      if (socket.destroyed) return;
      socket.write(piece);
    }
    if (half) socket.end();
  }
}

/** Reads one answer off a socket. */
class AnswerReader {
  readonly answer: Promise<RawAnswer | undefined>;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, isHead: boolean, timeoutMs: number) {
    this.answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        settle();
        socket.destroy();
        reject(new Error(`no answer within ${timeoutMs} ms, only ${this.#bytes.length} bytes`));
      }, timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        socket.off('data', onData);
        socket.off('close', onClose);
      };
      const onData = (chunk: Buffer): void => {
        this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
        const found = parseAnswer(this.#bytes, isHead, false);
        if (!found) return;
        settle();
        resolve(found);
      };
      const onClose = (): void => {
        settle();
        resolve(parseAnswer(this.#bytes, isHead, true));
      };
      socket.on('data', onData);
      socket.on('close', onClose);
    });
  }
}

/** Undefined while it is not whole. */
function parseAnswer(bytes: Buffer, isHead: boolean, isClosed: boolean): RawAnswer | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  const rest = bytes.subarray(headEnd + HEAD_END.length);
  if (status === 100) return parseAnswer(rest, isHead, isClosed);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const body = bodyOf(rest, status, headers, isHead, isClosed);
  return body && { status, headers, text: body.toString('utf8') };
}

function bodyOf(
  rest: Buffer,
  status: number,
  headers: Readonly<Record<string, string>>,
  isHead: boolean,
  isClosed: boolean,
): Buffer | undefined {
  if (isHead || status === 204 || status === 304) return Buffer.alloc(0);
  if (headers['transfer-encoding'] === 'chunked') return chunksOf(rest);
  const length = headers['content-length'];
  if (length === undefined) return isClosed ? rest : undefined;
  return rest.length >= Number(length) ? rest.subarray(0, Number(length)) : undefined;
}

function chunksOf(rest: Buffer): Buffer | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const length = Number.parseInt(rest.toString('latin1', at, lineEnd), 16);
    if (length === 0) return Buffer.concat(chunks);
    const end = lineEnd + 2 + length;
    if (rest.length < end + 2) return undefined;
    chunks.push(rest.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}
