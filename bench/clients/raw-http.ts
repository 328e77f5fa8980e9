import { type Socket, connect } from 'node:net';

const READ_BYTES = 16 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');
const STATUS_AT = 'HTTP/1.1 '.length;
const ZERO = 0x30;

/**
 * Called for each answer, in the order of the requests. The answer, from its first byte to its last, stands in `bytes`
 * from `at` to `end`, and only until this returns.
 */
export type OnAnswer = (status: number, bytes: Buffer, at: number, end: number) => void;

/**
 * One HTTP connection that costs as little as one can in this language: requests are sent as the bytes they are
 * given as, answers are told by their status and passed over. Requests may be sent before those before
 * them are answered. Only for servers that tell the length of each answer.
 */
export class RawHttp {
  readonly #socket: Socket;
  readonly #onAnswer: OnAnswer;
  readonly #onFailure: (error: Error) => void;
  /** Beginning of an answer whose rest has not come yet. */
  #rest: Buffer | undefined;
  /** As this server spells it. */
  #lengthName: Buffer | undefined;
  #isEnded = false;

  /** For `open`. */
  constructor(
    port: number,
    onAnswer: OnAnswer,
    handlers: { onOpen: () => void; onFailure: (error: Error) => void },
  ) {
    this.#onAnswer = onAnswer;
    this.#onFailure = handlers.onFailure;
    const onread = {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (length: number, buffer: Uint8Array): boolean => {
        this.#take(Buffer.from(buffer.buffer, buffer.byteOffset, length));
        return true;
      },
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread }, handlers.onOpen);
    this.#socket.on('error', handlers.onFailure);
    this.#socket.on('close', () => {
      if (!this.#isEnded) handlers.onFailure(new Error('the server has closed a connection'));
    });
  }

  /**
   * Connects to a server on this machine.
   * @param onFailure called when the connection cannot be used any more
   */
  static open(
    port: number,
    onAnswer: OnAnswer,
    onFailure: (error: Error) => void,
  ): Promise<RawHttp> {
    return new Promise((resolve, reject) => {
      const onOpen = (): void => resolve(http);
      const fail = (error: Error): void => {
        reject(error);
        onFailure(error);
      };
      const http = new RawHttp(port, onAnswer, { onOpen, onFailure: fail });
    });
  }

  /** Sends a whole request. */
  send(request: Uint8Array): void {
    this.#socket.write(request);
  }

  /** Closes the connection. */
  end(): void {
    this.#isEnded = true;
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, piece]) : piece;
    this.#rest = undefined;
    for (let at = 0; at < bytes.length;) {
      const end = this.#endOfAnswer(bytes, at);
      if (end === undefined) {
        // A copy: what is read next is read into the same memory.
        this.#rest = Buffer.from(bytes.subarray(at));
        return;
      }
      const digit = at + STATUS_AT;
      const hundreds = (bytes[digit] ?? 0) - ZERO;
      const tens = (bytes[digit + 1] ?? 0) - ZERO;
      const status = hundreds * 100 + tens * 10 + ((bytes[digit + 2] ?? 0) - ZERO);
      this.#onAnswer(status, bytes, at, end);
      at = end;
    }
  }

  /** Where the answer that begins at `at` ends, undefined when that has not come yet. */
  #endOfAnswer(bytes: Buffer, at: number): number | undefined {
    const headEnd = bytes.indexOf(HEAD_END, at);
    if (headEnd < 0) return undefined;
    this.#lengthName ??= spellingOfLength(bytes.toString('latin1', at, headEnd));
    let digit = this.#lengthName ? bytes.indexOf(this.#lengthName, at) : -1;
    if (digit < 0 || digit > headEnd) {
      const head = bytes.toString('latin1', at, headEnd);
      this.#onFailure(new Error(`an answer does not say how long it is:\n${head}`));
      return undefined;
    }
    let length = 0;
    digit += this.#lengthName?.length ?? 0;
    for (; digit < headEnd; digit++) {
      const value = (bytes[digit] ?? 0) - ZERO;
      if (value < 0 || value > 9) break;
      length = length * 10 + value;
    }
    const end = headEnd + HEAD_END.length + length;
    return end <= bytes.length ? end : undefined;
  }
}

function spellingOfLength(head: string): Buffer | undefined {
  const [name] = /\r\ncontent-length: */i.exec(head) ?? [];
  return name === undefined ? undefined : Buffer.from(name, 'latin1');
}
