import { type Socket, connect } from 'node:net';

/** What a command is answered; null for something that is not there. */
export type RedisReply = string | number | null | readonly RedisReply[];

interface Waiting {
  readonly resolve: (reply: RedisReply) => void;
  readonly reject: (error: Error) => void;
}

const CRLF = Buffer.from('\r\n');

/**
 * A connection to a Redis server on this machine. Texts are taken for latin1. Commands may be sent before
 * those before them are answered.
 */
export class RedisConnection {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  /** For `open`. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (piece) => this.#take(piece));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('Redis has closed the connection')));
  }

  /** @throws Error when there is no server */
  static async open(port: number): Promise<RedisConnection> {
    const connection = new RedisConnection(connect({ host: '127.0.0.1', port, noDelay: true }));
    await connection.command('PING');
    return connection;
  }

  /** @throws Error with what the server says */
  command(...words: readonly string[]): Promise<RedisReply> {
    return new Promise((resolve, reject) => {
      if (this.#failure) throw this.#failure;
      this.#waiting.push({ resolve, reject });
      this.#socket.write(commandBytes(words));
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    let at = 0;
    for (let parsed; (parsed = parseReply(bytes, at)) !== undefined; at = parsed.end) {
      const waiting = this.#waiting.shift();
      if (parsed.reply instanceof Error) waiting?.reject(parsed.reply);
      else waiting?.resolve(parsed.reply);
    }
    this.#rest = bytes.subarray(at);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** A command as it goes over the wire, and as `redis-cli --pipe` takes it. */
export function commandBytes(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`, 'latin1');
}

/** The reply that begins at `at`, undefined when it is not all there. */
function parseReply(
  bytes: Buffer,
  at: number,
): { reply: RedisReply | Error; end: number } | undefined {
  const lineEnd = bytes.indexOf(CRLF, at);
  if (lineEnd < 0) return undefined;
  const type = String.fromCharCode(bytes[at] ?? 0);
  const line = bytes.toString('latin1', at + 1, lineEnd);
  const next = lineEnd + CRLF.length;
  if (type === '+') return { reply: line, end: next };
  if (type === '-') return { reply: new Error(`Redis: ${line}`), end: next };
  if (type === ':') return { reply: Number(line), end: next };
  const length = Number(line);
  if (length < 0) return { reply: null, end: next };
  if (type === '*') return parseArray(bytes, next, length);
  const end = next + length + CRLF.length;
  if (end > bytes.length) return undefined;
  return { reply: bytes.toString('latin1', next, next + length), end };
}

function parseArray(
  bytes: Buffer,
  at: number,
  length: number,
): { reply: RedisReply | Error; end: number } | undefined {
  const replies: RedisReply[] = [];
  let end = at;
  while (replies.length < length) {
    const parsed = parseReply(bytes, end);
    if (parsed === undefined) return undefined;
    if (parsed.reply instanceof Error) return parsed;
    replies.push(parsed.reply);
    ({ end } = parsed);
  }
  return { reply: replies, end };
}
