import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../model/errors.ts';

/** So much of a body must come in the time that is allowed, whatever its length. */
const PROGRESS_BYTES = 4096;
/** Emitted by a request whose body breaks off in something that is no HTTP. */
const MALFORMED = 'malformed';

const malformed = new WeakSet<IncomingMessage>();
const givenUp = new WeakSet<IncomingMessage>();

/** Says of a request that the rest of its body can not be read: who waits for it, or will, learns of it. */
export function markMalformed(req: IncomingMessage): void {
  malformed.add(req);
  req.emit(MALFORMED);
}

/** Whether the rest of a body is not waited for any more: the connection is of no further use. */
export function isGivenUp(req: IncomingMessage): boolean {
  return givenUp.has(req) || malformed.has(req);
}

/** The refusal of what is no HTTP. */
export function malformedRequest(cause?: unknown): ServiceError {
  return new ServiceError('httpBadParameter', 'the request is not proper HTTP', { cause });
}

/**
 * Counts the time that is spent waiting for a body, and only that: a server that is busy itself takes
 * nothing from its client. Every 4 KiB the time begins anew.
 */
export class Patience {
  readonly #req: IncomingMessage;
  readonly #timeoutMs: number;
  readonly #onLost: (error: ServiceError) => void;
  #leftMs: number;
  #bytes = 0;
  #sinceMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param options.timeoutMs time for each 4 KiB, and for a body that is shorter
   * @param onLost told, while it runs, that the rest will not come: requestTimeout (408), or
   *   httpBadParameter for a body that is no HTTP
   */
  constructor(
    req: IncomingMessage,
    options: { timeoutMs: number },
    onLost: (error: ServiceError) => void,
  ) {
    this.#req = req;
    this.#timeoutMs = options.timeoutMs;
    this.#leftMs = options.timeoutMs;
    this.#onLost = onLost;
  }

  /** From now on it is waited. */
  start(): void {
    this.#sinceMs = performance.now();
    this.#timer = setTimeout(this.#timedOut, this.#leftMs);
    this.#req.once(MALFORMED, this.#broken);
    if (malformed.has(this.#req)) this.#broken();
  }

  /** It is not waited any longer. */
  stop(): void {
    clearTimeout(this.#timer);
    // A timer that was cleared must not be refreshed.
    this.#timer = undefined;
    this.#req.off(MALFORMED, this.#broken);
    this.#leftMs -= performance.now() - this.#sinceMs;
  }

  /** A piece has come, whether or not it is waited. */
  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < PROGRESS_BYTES) return;
    this.#bytes = 0;
    this.#leftMs = this.#timeoutMs;
    this.#sinceMs = performance.now();
    this.#timer?.refresh();
  }

  readonly #timedOut = (): void => {
    givenUp.add(this.#req);
    const seconds = this.#timeoutMs / 1000;
    const detail = `the body did not come within ${seconds} s; send it faster, or in smaller requests`;
    this.#onLost(new ServiceError('requestTimeout', detail));
  };

  readonly #broken = (): void => {
    this.#onLost(malformedRequest());
  };
}

/**
 * The body as it comes, read no faster than it is used; the request outlives an early end.
 * @param options.timeoutMs see `Patience`
 * @throws ServiceError requestTimeout (408), httpBadParameter; and what breaks the connection off
 */
export async function* arrivingBody(
  req: IncomingMessage,
  options: { timeoutMs: number },
): AsyncGenerator<Buffer, void, void> {
  const arrival = new Arrival(req, options.timeoutMs);
  try {
    for (;;) {
      const chunk = req.read() as Buffer | null;
      if (chunk !== null) {
        arrival.received(chunk.length);
        yield chunk;
      } else if (req.readableEnded) {
        return;
      } else {
        await arrival.more();
      }
    }
  } finally {
    arrival.close();
  }
}

/** A body that is longer is not read to its end just for its client to see the answer. */
export const DISCARD_MAX_BYTES = 128 * 1024 * 1024;

/**
 * Reads and drops what comes of a body that nobody wants: a client that is still sending would not see an answer
 * behind which the connection is closed. Within bounds: then the connection is closed.
 * @param options.timeoutMs see `Patience`
 */
export function discardBody(req: IncomingMessage, options: { timeoutMs: number }): void {
  let bytes = 0;
  const patience = new Patience(req, options, () => {
    req.destroy();
  });
  const stop = (): void => {
    patience.stop();
  };
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    patience.received(chunk.length);
    if (bytes > DISCARD_MAX_BYTES) req.destroy();
  });
  patience.start();
  req.once('end', stop);
  req.once('close', stop);
  req.resume();
}

/** Waits for pieces of a body. */
class Arrival {
  readonly #req: IncomingMessage;
  readonly #patience: Patience;
  #lost: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(req: IncomingMessage, timeoutMs: number) {
    this.#req = req;
    this.#patience = new Patience(req, { timeoutMs }, this.#onLost);
    req.on('readable', this.#onNews).on('end', this.#onNews);
    req.on('error', this.#onLost).on('close', this.#onClose);
  }

  received(bytes: number): void {
    this.#patience.received(bytes);
  }

  /** Resolves when there may be something to read, or the end. @throws Error when neither will come */
  async more(): Promise<void> {
    if (this.#req.destroyed && !this.#req.readableEnded) this.#onClose();
    this.#assertNotLost();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#patience.start();
    });
    this.#patience.stop();
    this.#assertNotLost();
  }

  close(): void {
    const req = this.#req;
    req.off('readable', this.#onNews).off('end', this.#onNews);
    req.off('error', this.#onLost).off('close', this.#onClose);
  }

  #assertNotLost(): void {
    if (this.#lost) throw this.#lost;
  }

  readonly #onNews = (): void => {
    this.#wake?.();
  };

  readonly #onLost = (error: Error): void => {
    this.#lost ??= error;
    this.#wake?.();
  };

  readonly #onClose = (): void => {
    if (!this.#req.readableEnded) this.#onLost(new Error('the connection was closed'));
  };
}
