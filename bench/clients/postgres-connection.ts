import { type Socket, connect } from 'node:net';

const PROTOCOL_3 = 196_608;
const MESSAGE_HEAD_BYTES = 5;

interface Query {
  readonly rows: (string | undefined)[][];
  failure: Error | undefined;
  readonly resolve: (rows: readonly (readonly (string | undefined)[])[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A connection to a PostgreSQL server on this machine that asks for no password. Speaks the simple query protocol,
 * in which every value is text; queries may be sent before those before them are answered.
 */
export class PostgresConnection {
  readonly #socket: Socket;
  readonly #queries: Query[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  /** For `open`. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (piece) => this.#take(piece));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('PostgreSQL has closed the connection')));
  }

  /**
   * Connects to the database `postgres` as the user of this name.
   * @throws Error when it is refused
   */
  static async open(port: number): Promise<PostgresConnection> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const connection = new PostgresConnection(socket);
    const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0');
    const startup = Buffer.alloc(8);
    startup.writeInt32BE(startup.length + parameters.length, 0);
    startup.writeInt32BE(PROTOCOL_3, 4);
    // The server says that it is ready as it does behind every query.
    await connection.#send(Buffer.concat([startup, parameters]));
    return connection;
  }

  /**
   * Runs a statement.
   * @returns its rows, undefined for NULL
   * @throws Error with what the server says
   */
  query(sql: string): Promise<readonly (readonly (string | undefined)[])[]> {
    const text = Buffer.from(`${sql}\0`);
    const message = Buffer.allocUnsafe(MESSAGE_HEAD_BYTES + text.length);
    message.write('Q', 0, 'latin1');
    message.writeInt32BE(4 + text.length, 1);
    text.copy(message, MESSAGE_HEAD_BYTES);
    return this.#send(message);
  }

  end(): void {
    this.#socket.destroy();
  }

  #send(message: Buffer): Promise<readonly (readonly (string | undefined)[])[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure) throw this.#failure;
      this.#queries.push({ rows: [], failure: undefined, resolve, reject });
      this.#socket.write(message);
    });
  }

  #take(piece: Buffer): void {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    let at = 0;
    while (at + MESSAGE_HEAD_BYTES <= bytes.length) {
      const end = at + 1 + bytes.readInt32BE(at + 1);
      if (end > bytes.length) break;
      const type = String.fromCharCode(bytes[at] ?? 0);
      this.#message(type, bytes.subarray(at + MESSAGE_HEAD_BYTES, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  /** All others say what nobody here wants to know. */
  #message(type: string, content: Buffer): void {
    const [query] = this.#queries;
    if (!query) return;
    if (type === 'D') query.rows.push(rowOf(content));
    else if (type === 'E') query.failure = new Error(errorText(content));
    else if (type === 'R' && content.readInt32BE(0) !== 0) {
      this.#fail(new Error('PostgreSQL asks for a password'));
    } else if (type === 'Z') {
      this.#queries.shift();
      if (query.failure) query.reject(query.failure);
      else query.resolve(query.rows);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { failure, reject } of this.#queries.splice(0)) reject(failure ?? error);
  }
}

function rowOf(content: Buffer): (string | undefined)[] {
  const values: (string | undefined)[] = [];
  const count = content.readInt16BE(0);
  for (let at = 2; values.length < count;) {
    const length = content.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? undefined : content.toString('utf8', at, at + length));
    at += Math.max(length, 0);
  }
  return values;
}

/** Its fields are a letter and a text each; M is the message for people. */
function errorText(content: Buffer): string {
  const fields = content.toString('utf8').split('\0');
  return `PostgreSQL: ${fields.find((field) => field.startsWith('M'))?.slice(1) ?? 'unknown error'}`;
}
