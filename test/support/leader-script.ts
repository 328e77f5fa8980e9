import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { MAX_WIRE_TICK } from '../../src/model/tick.ts';
import { Header } from '../../src/protocol/headers.ts';
import { type PageRequest, pageSeal } from '../../src/protocol/page-seal.ts';

/** A request that arrived, its body read. */
export interface ScriptRequest {
  readonly method: string;
  /** The command with what follows it, such as `dump`, `batch/17`, or `wal/tail`. */
  readonly command: string;
  readonly database: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The client's end of the connection. */
  readonly port: number;
}

/** What the script answers; `cut` breaks the connection off after the body. */
export interface ScriptAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly cut?: boolean;
  /** Keep the client waiting for this long before the answer, in ms. */
  readonly delayMs?: number;
}

/** An answer, or a function that makes it for the request at hand. */
export type ScriptStep =
  ScriptAnswer | ((request: ScriptRequest) => ScriptAnswer | Promise<ScriptAnswer>);

const PATH = /^\/_db\/([^/]+)\/_api\/(?:replication\/|(?=wal\/))(.*)$/;

/**
 * A leader that says what a test has written down, over real HTTP on a port of its own. Answers are
 * queued by method and command; a request for which none is left is answered 500 and kept in
 * `surprises`.
 */
export class LeaderScript implements AsyncDisposable {
  /** All requests in the order of their arrival. */
  readonly requests: ScriptRequest[] = [];
  /** Requests the script had no answer for. */
  readonly surprises: string[] = [];
  readonly #queues = new Map<string, ScriptStep[]>();
  readonly #always = new Map<string, ScriptStep>();
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error: unknown) => {
      this.surprises.push(String(error));
      response.destroy();
    });
  });

  static async open(): Promise<LeaderScript> {
    const script = new LeaderScript();
    script.#server.listen(0, '127.0.0.1');
    await once(script.#server, 'listening');
    return script;
  }

  get endpoint(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Queues answers, to be given once each, to requests such as `GET dump`. */
  next(what: string, ...steps: ScriptStep[]): this {
    const queue = this.#queues.get(what) ?? [];
    queue.push(...steps);
    this.#queues.set(what, queue);
    return this;
  }

  /** The answer when nothing is queued. */
  always(what: string, step: ScriptStep): this {
    this.#always.set(what, step);
    return this;
  }

  /** Requests of one kind that arrived, such as `GET dump`. */
  seen(what: string): ScriptRequest[] {
    return this.requests.filter((request) => keysOf(request).includes(what));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await readRequest(message);
    this.requests.push(request);
    const step = this.#stepFor(request) ?? barrierRefusal(request);
    if (!step) this.surprises.push(`${request.method} ${message.url ?? ''}`);
    const answer = step
      ? await (typeof step === 'function' ? step(request) : step)
      : { status: 500, body: 'the script has no answer' };
    if (answer.delayMs !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    }
    const body = Buffer.from(answer.body ?? '');
    response.writeHead(answer.status ?? 200, {
      'content-length': String(answer.cut === true ? body.length + 1 : body.length),
      ...sealed(request, answer.headers ?? {}),
    });
    if (answer.cut === true) response.write(body, () => response.destroy());
    else response.end(body);
  }

  #stepFor(request: ScriptRequest): ScriptStep | undefined {
    const keys = keysOf(request);
    for (const key of keys) {
      const step = this.#queues.get(key)?.shift();
      if (step) return step;
    }
    for (const key of keys) {
      const step = this.#always.get(key);
      if (step) return step;
    }
    return undefined;
  }
}

/** Pages of a leader of our kind are sealed, whatever else a script makes of them. */
function sealed(
  { command, database, query }: ScriptRequest,
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  const isOfOurKind = Header.incarnation in headers || Header.crc32 in headers;
  if (!isOfOurKind || Header.seal in headers) return { ...headers };
  const kind: PageRequest['kind'] = command === 'dump' ? 'dump' : 'log';
  const request = {
    ...{ kind, database, collection: query.get('collection') ?? '' },
    ...{ from: BigInt(query.get('from') ?? 0), to: BigInt(query.get('to') ?? MAX_WIRE_TICK) },
    includeSystem: kind === 'dump' || query.get('includeSystem') !== 'false',
  };
  return { ...headers, [Header.seal]: pageSeal(request, headers) };
}

/** Leaders that a test gives no barriers have none. */
function barrierRefusal({ command }: ScriptRequest): ScriptAnswer | undefined {
  return /^barrier\b/.test(command) ? refusal(400, 400, 'invalid command') : undefined;
}

/** `GET dump`, and for commands with an id also `PUT batch` beside `PUT batch/17`. */
function keysOf({ method, command }: ScriptRequest): string[] {
  const [first = ''] = command.split('/');
  return first === command
    ? [`${method} ${command}`]
    : [`${method} ${command}`, `${method} ${first}`];
}

async function readRequest(message: IncomingMessage): Promise<ScriptRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const url = new URL(message.url ?? '/', 'http://script');
  const [, database = '', command = url.pathname] = PATH.exec(url.pathname) ?? [];
  return {
    method: message.method ?? '',
    command,
    database: decodeURIComponent(database),
    query: url.searchParams,
    headers: message.headers,
    body: Buffer.concat(chunks).toString('utf8'),
    port: message.socket.remotePort ?? 0,
  };
}

/** A JSON answer. */
export function json(value: unknown, status = 200): ScriptAnswer {
  return { status, body: JSON.stringify(value) };
}

/** An error of a server of our kind. */
export function refusal(status: number, errorNum: number, errorMessage = 'refused'): ScriptAnswer {
  return json({ error: true, errorMessage, code: status, errorNum }, status);
}

/** A page of lines as a 1.4 leader sends it, or, with `ticklog`, as ours does, with its checksum. */
export function page(
  lines: readonly string[],
  options: {
    readonly checkMore?: boolean;
    readonly lastIncluded?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly ticklog?: boolean;
  } = {},
): ScriptAnswer {
  const body = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const last = /"tick":"([0-9]+)"/.exec(lines.at(-1) ?? '')?.[1] ?? '0';
  return {
    status: body.length === 0 ? 204 : 200,
    headers: {
      'content-type': 'application/x-arango-dump; charset=utf-8',
      'x-arango-replication-checkmore': String(options.checkMore ?? false),
      'x-arango-replication-lastincluded': options.lastIncluded ?? last,
      ...(options.ticklog === true ? { 'x-ticklog-crc32': String(crc32(body)) } : {}),
      ...options.headers,
    },
    body,
  };
}

/** The answer to logger-state of a 1.4 leader. */
export function loggerState(
  values: {
    readonly lastLogTick?: string;
    readonly running?: boolean;
    readonly serverId?: string;
    readonly version?: string;
  } = {},
): ScriptAnswer {
  const { lastLogTick = '1000', running = true, serverId = '4711', version = '1.4.3' } = values;
  return json({
    state: { running, lastLogTick, totalEvents: 1, time: '2020-01-01T00:00:00Z' },
    server: { version, serverId },
    clients: [],
  });
}

const CAPTURES = fileURLToPath(new URL('../../../shared/captures/', import.meta.url));
const FRAME = /\n?=== (?:>>> request|<<< response) +conn (\d+) t=[0-9.]+ len=(\d+) ===\n/y;
/** What our requests have that those of real followers have not, or have with other values. */
const LOOSE = [
  ...['serverId', 'includeSystem', 'flush', 'flushWait', 'wait'],
  ...['barrier', 'firstRegular', 'firstRegularTick'],
];
const REPLAYED = [
  ...['logger-state', 'logger-follow', 'inventory', 'dump', 'batch', 'barrier'],
  'determine-open-transactions',
];

/** A request of a capture, and its answer. */
export interface Exchange {
  readonly connection: number;
  readonly method: string;
  readonly url: URL;
  readonly body: string;
  readonly answer: ScriptAnswer;
}

/** The capture of a real follower talking to a real leader; undefined where it is not at hand. */
export function readWireCapture(name: string): Buffer | undefined {
  const path = `${CAPTURES}${name}`;
  return existsSync(path) ? readFileSync(path) : undefined;
}

/**
 * Makes the script answer as the leader of a capture did, by method, path and query, whatever the
 * order of the query. Several answers to one request are given in their order, the last one again
 * and again.
 *
 * @param loose query parameters that need not agree, besides those that never do
 */
export function replay(
  script: LeaderScript,
  capture: Buffer | readonly Exchange[],
  loose: readonly string[] = [],
): void {
  const ignored = [...LOOSE, ...loose];
  const answers = new Map<string, ScriptAnswer[]>();
  const exchanges = joinJobs(Buffer.isBuffer(capture) ? readExchanges(capture) : capture);
  for (const { method, url, answer } of exchanges) {
    const [, , command = ''] = PATH.exec(url.pathname) ?? [];
    const database = url.pathname.split('/')[2] ?? '';
    const key = `${method} ${database} ${command} ${strictQuery(url.searchParams, ignored)}`;
    const list = answers.get(key) ?? [];
    list.push(answer);
    answers.set(key, list);
  }
  const answer = (request: ScriptRequest): ScriptAnswer => {
    const query = strictQuery(request.query, ignored);
    const key = `${request.method} ${request.database} ${request.command} ${query}`;
    const list = answers.get(key);
    if (!list) script.surprises.push(key);
    const next = list !== undefined && list.length > 1 ? list.shift() : list?.[0];
    return next ?? { status: 500, body: `the capture has no answer to ${key}` };
  };
  for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
    for (const command of REPLAYED) script.always(`${method} ${command}`, answer);
  }
}

function strictQuery(query: URLSearchParams, ignored: readonly string[]): string {
  const pairs = [...query].filter(([name]) => !ignored.includes(name));
  return pairs
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('&');
}

/** What a capture holds, in the order of the answers. */
export function readExchanges(capture: Buffer): Exchange[] {
  const text = capture.toString('latin1');
  const exchanges: Exchange[] = [];
  const open = new Map<string, Omit<Exchange, 'answer'>>();
  FRAME.lastIndex = 0;
  for (let frame = FRAME.exec(text); frame; frame = FRAME.exec(text)) {
    const [marker, connection = '', length = '0'] = frame;
    const start = FRAME.lastIndex;
    const message = text.slice(start, start + Number(length));
    FRAME.lastIndex = start + Number(length);
    if (marker.includes('>>> request')) {
      const [method = '', target = ''] = message.split(' ', 2);
      const body = message.slice(message.indexOf('\r\n\r\n') + 4);
      const url = new URL(target, 'http://capture');
      open.set(connection, { connection: Number(connection), method, url, body });
      continue;
    }
    const request = open.get(connection);
    open.delete(connection);
    const answer = parseAnswer(message);
    if (request) exchanges.push({ ...request, answer });
  }
  return exchanges;
}

/** An entry of an inventory, as far as the tests look at it. */
export interface InventoryEntry {
  readonly parameters: { readonly cid: string; readonly name: string; readonly type: number };
  readonly indexes: readonly object[];
}

/** The lists of collections in a capture. */
export function inventoriesOf(exchanges: readonly Exchange[]): InventoryEntry[][] {
  return exchanges
    .filter(({ url }) => url.pathname.endsWith('/inventory'))
    .map(({ answer }) => {
      const text = Buffer.from(answer.body ?? '').toString('utf8');
      return (JSON.parse(text) as { collections: InventoryEntry[] }).collections;
    });
}

function parseAnswer(message: string): ScriptAnswer {
  const end = message.indexOf('\r\n\r\n');
  const [statusLine = '', ...headerLines] = message.slice(0, end).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of headerLines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  delete headers['connection'];
  delete headers['content-length'];
  const body = Buffer.from(message.slice(end + 4), 'latin1');
  return { status: Number(statusLine.split(' ')[1]), headers, body };
}

/** Followers of 3.0 ask for their dumps as jobs; ours do not: gives the job's result at once. */
export function joinJobs(exchanges: readonly Exchange[]): Exchange[] {
  const results = new Map<string, ScriptAnswer>();
  for (const { answer } of exchanges) {
    const id = answer.headers?.['x-arango-async-id'];
    if (id !== undefined && answer.status !== 202) results.set(id, answer);
  }
  return exchanges.flatMap((exchange) => {
    const { status, headers } = exchange.answer;
    if (exchange.url.pathname.includes('/_api/job/')) return [];
    if (status !== 202) return [exchange];
    const answer = results.get(headers?.['x-arango-async-id'] ?? '');
    return answer ? [{ ...exchange, answer }] : [];
  });
}
