import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Query } from '../protocol/params.ts';
import type { Exchange, RequestState } from './context.ts';

/** What is known of a request besides what node:http says. */
interface Found {
  readonly path: string;
  readonly query: Query;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly state: RequestState;
}

const NOT_MODIFIED = 304;

/** An answer up to this size goes out in one write, and at once unless the client is slow. */
const SHORT_BODY_BYTES = 8 * 1024;

/**
 * A request and its answer without koa: the headers of the answer are gathered in a list and written with the
 * body at once: by `send`, where the body is a text and only a 304 has none, or by `sendPieces`.
 */
export class HotExchange implements Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  readonly query: Query;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly state: RequestState;
  status = 404;
  body: unknown = '';
  respond = true;
  /** Names and values in turn. */
  readonly #fields: string[] = ['server', 'ArangoDB'];

  constructor(req: IncomingMessage, res: ServerResponse, found: Found) {
    this.req = req;
    this.res = res;
    this.method = req.method ?? '';
    this.headers = req.headers;
    this.path = found.path;
    this.query = found.query;
    this.params = found.params;
    this.state = found.state;
  }

  get originalUrl(): string {
    return this.req.url ?? '';
  }

  get writable(): boolean {
    const { res } = this;
    return !res.writableEnded && (res.socket?.writable ?? true);
  }

  get headerSent(): boolean {
    return this.res.headersSent;
  }

  set(name: string, value: string): void {
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i += 2) {
      if (fields[i] !== name) continue;
      fields[i + 1] = value;
      return;
    }
    fields.push(name, value);
  }

  /** Sends the answer, unless a handler has said not to. */
  send(): void {
    if (!this.respond) return;
    const { res, status } = this;
    if (status === NOT_MODIFIED) {
      res.writeHead(status, this.#fields).end();
      return;
    }
    const body = this.body as string;
    const bytes = Buffer.byteLength(body);
    this.#fields.push('Content-Length', String(bytes));
    res.writeHead(status, this.#fields);
    if (this.method === 'HEAD') res.end();
    else endWith(res, body, bytes);
  }

  /** Sends status and headers; the handler writes the body, and ends it. */
  sendHead(): void {
    this.respond = false;
    this.res.writeHead(this.status, this.#fields).flushHeaders();
  }

  /** Sends the answer with a body in pieces, handed over at once, so that the system takes them as one. */
  sendPieces(pieces: readonly Buffer[]): void {
    const { res } = this;
    this.respond = false;
    res.writeHead(this.status, this.#fields);
    res.cork();
    for (const piece of pieces) res.write(piece);
    res.end();
  }
}

/** Ends an answer whose head is set. @param bytes length of the body */
function endWith(res: ServerResponse, body: string, bytes: number): void {
  const { socket } = res;
  if (!socket || bytes === 0 || bytes > SHORT_BODY_BYTES) {
    res.end(body);
    return;
  }
  // What is ended with a body is written in two pieces, the second of them empty, which takes a buffer of its own.
  socket.cork();
  res.write(body, bytes === body.length ? 'latin1' : 'utf8');
  socket.uncork();
  res.end();
}
