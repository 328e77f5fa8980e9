import { IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Collection } from '../documents/collection.ts';
import type { JobReport, StoredAnswer } from './jobs.ts';

/** What a request says. */
export interface DetachedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** Where it may say how far it is. */
  readonly report?: JobReport;
}

/** Of requests that came over no connection. */
const reports = new WeakMap<IncomingMessage, JobReport>();

/** Where a request that nobody waits for says how far it is; undefined for all others. */
export function reportOf(request: IncomingMessage): JobReport | undefined {
  return reports.get(request);
}

/** Has such a request say how far it is by what goes over a collection. */
export function reportWorks({ req }: { req: IncomingMessage }, { works }: Collection): void {
  const report = reportOf(req);
  if (report) report.progress = () => ({ works: works.numbers });
}

const HEAD_END = '\r\n\r\n';
/** Headers about the connection, of which there is none. */
const OF_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date']);

/**
 * Has a request answered that came over no connection, or whose connection is gone.
 *
 * @param listener answers it as any other
 * @returns its answer, whole
 */
export function answerDetached(
  listener: RequestListener,
  request: DetachedRequest,
): Promise<StoredAnswer> {
  const socket = new SilentSocket();
  const incoming = new IncomingMessage(socket as unknown as Socket);
  // Of HTTP/1.0, so that the body of the answer comes as it is and not in chunks.
  incoming.httpVersion = '1.0';
  incoming.httpVersionMajor = 1;
  incoming.httpVersionMinor = 0;
  incoming.method = request.method;
  incoming.url = request.url;
  incoming.headers = { ...request.headers };
  incoming.complete = true;
  if (request.report) reports.set(incoming, request.report);
  const response = new ServerResponse(incoming);
  response.assignSocket(socket as unknown as Socket);
  const answer = new Promise<StoredAnswer>((resolve, reject) => {
    response.once('finish', () => {
      resolve(socket.answer());
      // A server says so when the connection is free again; those who hold something for it wait for that.
      response.emit('close');
    });
    socket.once('close', () => {
      reject(new Error('the answer was broken off'));
      response.emit('close');
    });
  });
  if (request.body.length > 0) incoming.push(request.body);
  incoming.push(null);
  listener(incoming, response);
  return answer;
}

/** Keeps what is written to it, and reads nothing. */
class SilentSocket extends Duplex {
  readonly #chunks: Buffer[] = [];

  override _read(): void {
    // There is never anything to read.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  /** What a response asks of the socket for a reader that stalls; there is none here. */
  setTimeout(): this {
    return this;
  }

  /** The answer that was written. */
  answer(): StoredAnswer {
    const bytes = Buffer.concat(this.#chunks);
    const headEnd = bytes.indexOf(HEAD_END);
    const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
    const headers = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
    return {
      status: Number(statusLine.split(' ')[1]),
      headers: headers.filter(([name]) => !OF_CONNECTION.has(name.toLowerCase())),
      body: bytes.subarray(headEnd + HEAD_END.length),
    };
  }
}
