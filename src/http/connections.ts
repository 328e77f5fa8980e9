import {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server as TlsServer } from 'node:tls';
import { counted } from '../base/words.ts';
import { ServiceError } from '../model/errors.ts';
import { errorBody } from '../protocol/error-body.ts';
import { ContentType } from '../protocol/headers.ts';
import { discardBody, malformedRequest, markMalformed } from './body-arrival.ts';
import { isWatched } from './slow-reader.ts';

/** What every connection is bound by. */
export interface ConnectionLimits {
  /** Open at a time; who comes then is answered 503 with Retry-After. */
  readonly maxConnections: number;
  /** Request line and headers together; more is answered 431. */
  readonly maxHeaderBytes: number;
  /** Path and query; more is answered 414. */
  readonly maxUrlBytes: number;
  /** Time for the head of a request; later it is answered 408. */
  readonly headerTimeoutMs: number;
  /** Time for each 4 KiB of a body; later the connection is closed. */
  readonly bodyTimeoutMs: number;
  /** A client that takes nothing of its answer for this long is cut off. */
  readonly stalledAfterMs: number;
}

/** An idle connection is kept this long: longer than a follower waits between requests. */
const KEEP_ALIVE_MS = 75_000;
/** How often it is looked for heads that do not come, where no shorter time is allowed. */
const CHECK_MS = 1000;
/** So many connections beyond the limit are told that they are; further ones are closed without a word. */
const REFUSED_MAX = 256;
/** Those that are told must ask soon. */
const REFUSED_MS = 5000;
/** So long a client has to see why its connection is closed. */
const LINGER_MS = 1000;
const RETRY_AFTER_SECONDS = '5';
/** The client has said that nothing more comes, in the middle of a request: it is gone. */
const CUT_OFF = 'HPE_INVALID_EOF_STATE';
/** A connection that was busy becomes idle when its request is answered. */
const IDLE_CHECK_MS = 50;

/** What `http.createServer` is to be told. */
export function listenerOptions(limits: ConnectionLimits): ServerOptions {
  return {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headerTimeoutMs,
    // An import or a restore may take as long as its body does; `Patience` sees that bodies come.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(CHECK_MS, limits.headerTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Clients of 1.4 do without.
    requireHostHeader: false,
  };
}

/**
 * The connections of a server: how many there may be, what becomes of those on which no proper request comes or no
 * answer is taken, and their end. Whatever is refused here has the body of all errors.
 */
export class Connections {
  readonly #server: Server;
  readonly #limits: ConnectionLimits;
  readonly #listener: RequestListener;
  /** The newest answer of each connection. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>();
  /** Connections beyond the limit, waiting for the request that is refused. */
  readonly #refused = new Set<Duplex>();
  /** Connections that are about to be closed for what came on them. */
  readonly #doomed = new WeakSet<Duplex>();
  /** All of them, and those that are served. */
  #sockets = 0;
  #open = 0;
  #isClosing = false;

  /** @param server made with `listenerOptions`, without a listener for requests */
  constructor(deps: { server: Server; listener: RequestListener }, options: ConnectionLimits) {
    const { server, listener } = deps;
    this.#server = server;
    this.#limits = options;
    this.#listener = listener;
    // Headers are bounded by their bytes; a bound on their number would have some dropped in silence.
    server.maxHeadersCount = 0;
    server.on('connection', this.#onSocket);
    // Of TLS it is the connection inside that requests come on.
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', this.#onConnection);
    server.on('request', this.#onRequest);
    server.on('clientError', this.#onClientError);
    server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => {
      this.#answers.set(req.socket, res);
      this.#refuse(res, new ServiceError('expectationFailed'));
    });
    server.on('connect', (_req: IncomingMessage, socket: Duplex) => {
      endWith(socket, new ServiceError('methodNotSupported'));
    });
    server.setTimeout(options.stalledAfterMs, this.#onSilence);
  }

  /**
   * Takes no more connections, lets requests finish, and closes.
   * @param endRequests called when that has taken `graceMs`: what still runs then is cut off
   */
  close(endRequests: () => void, graceMs: number): Promise<void> {
    this.#isClosing = true;
    const server = this.#server;
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        endRequests();
        server.closeAllConnections();
      }, graceMs);
      const idle = setInterval(() => {
        server.closeIdleConnections();
      }, IDLE_CHECK_MS);
      server.close((error) => {
        clearTimeout(deadline);
        clearInterval(idle);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** No more than can be told that there are too many; those in the middle of a handshake count here. */
  readonly #onSocket = (socket: Socket): void => {
    if (this.#sockets >= this.#limits.maxConnections + REFUSED_MAX) {
      socket.destroy();
      return;
    }
    this.#sockets++;
    socket.once('close', () => {
      this.#sockets--;
    });
  };

  readonly #onConnection = (socket: Socket): void => {
    if (socket.destroyed) return;
    if (this.#open >= this.#limits.maxConnections) {
      this.#refuseConnection(socket);
      return;
    }
    this.#open++;
    socket.once('close', () => {
      this.#open--;
    });
  };

  #refuseConnection(socket: Socket): void {
    this.#refused.add(socket);
    const timer = setTimeout(() => socket.destroy(), REFUSED_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refused.delete(socket);
    });
  }

  readonly #onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    const { socket } = req;
    this.#answers.set(socket, res);
    // Who goes on asking on a connection that he has would keep a server from stopping.
    if (this.#isClosing) res.shouldKeepAlive = false;
    if (this.#refused.size > 0 && this.#refused.has(socket)) {
      res.setHeader('retry-after', RETRY_AFTER_SECONDS);
      res.shouldKeepAlive = false;
      this.#refuse(res, new ServiceError('tooManyConnections'));
      return;
    }
    if ((req.url ?? '').length > this.#limits.maxUrlBytes) {
      const detail = `the URL is longer than ${counted(this.#limits.maxUrlBytes, 'byte')}`;
      this.#refuse(res, new ServiceError('urlTooLong', detail));
      return;
    }
    this.#listener(req, res);
  };

  /** Answers a request that gets no further. */
  #refuse(res: ServerResponse, error: ServiceError): void {
    const body = JSON.stringify(errorBody(error));
    res.setHeader('server', 'ArangoDB');
    res.setHeader('content-type', ContentType.json);
    res.setHeader('content-length', Buffer.byteLength(body));
    res.statusCode = error.httpStatus;
    res.end(body);
    if (!res.req.complete) discardBody(res.req, { timeoutMs: this.#limits.bodyTimeoutMs });
  }

  /**
   * What came is no HTTP, or did not come. Whether the request before it was carried out must stay clear: it is
   * answered first; when the fault lies in its body, by whoever reads that.
   */
  readonly #onClientError = (error: Error & { code?: string }, socket: Duplex): void => {
    if (this.#doomed.has(socket)) return;
    this.#doomed.add(socket);
    if (!socket.writable || !isAboutHttp(error)) {
      socket.destroy();
      return;
    }
    const refusal = refusalOf(error, this.#limits);
    const last = this.#answers.get(socket);
    if (!last || last.closed || last.writableFinished) {
      endWith(socket, refusal);
      return;
    }
    const { req } = last;
    last.shouldKeepAlive = false;
    if (!req.complete) {
      if (error.code === CUT_OFF && !last.writableEnded) {
        socket.destroy();
        return;
      }
      last.once('close', () => socket.destroy());
      markMalformed(req);
      return;
    }
    last.once('close', () => {
      endWith(socket, refusal);
    });
  };

  /** Nothing has moved for a while: an idle connection, an answer that nobody takes, or a request that takes long. */
  readonly #onSilence = (socket: Socket): void => {
    if (isWatched(socket)) return;
    // The time of a connection on which nothing is asked is another one.
    const isIdle = socket.timeout !== this.#limits.stalledAfterMs;
    if (isIdle || socket.writableLength > 0) socket.destroy();
    // It is told once for each time that is set.
    else socket.setTimeout(this.#limits.stalledAfterMs);
  };
}

/** Not about a connection that broke off, or of which no TLS was to be had. */
function isAboutHttp({ code = '' }: { code?: string }): boolean {
  return code.startsWith('HPE_') || code.startsWith('ERR_HTTP_');
}

function refusalOf(error: { code?: string }, limits: ConnectionLimits): ServiceError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ServiceError(
        'headersTooLarge',
        `request line and headers are larger than ${counted(limits.maxHeaderBytes, 'byte')}`,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ServiceError(
        'requestTimeout',
        `the head of the request did not come within ${limits.headerTimeoutMs / 1000} s`,
      );
    default:
      return malformedRequest(error);
  }
}

/** Answers what is no request, and closes. */
function endWith(socket: Duplex, error: ServiceError): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { httpStatus } = error;
  const body = JSON.stringify(errorBody(error));
  const head = [
    `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus] ?? ''}`,
    'server: ArangoDB',
    'connection: close',
    `content-type: ${ContentType.json}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Closed at once it would take the answer from a client that is still sending.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => {
    clearTimeout(timer);
  });
}
