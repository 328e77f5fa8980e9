import { once } from 'node:events';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Random } from './random.ts';

/** What can happen to a request or its answer on the way. */
export const FAULTS = [
  ...(['delay', 'cut before', 'cut after', 'reset', 'half open', 'silence'] as const),
  ...(['truncate', 'truncate as if whole', 'truncate without length', 'garbage'] as const),
  ...(['flipped bit', 'duplicate', 'stale answer', 'swapped answers', 'narrow'] as const),
  ...(['wrong header', 'missing header', 'no own headers', 'no headers'] as const),
  ...(['503', '502 page', '404 page', 'redirect', 'html page', 'empty answer'] as const),
  ...(['endless body', 'dripping body', 'other leader'] as const),
] as const;

export type Fault = (typeof FAULTS)[number];

/** A request that came through, and what was done to it. */
export interface Passed {
  readonly method: string;
  readonly target: string;
  readonly fault: Fault | undefined;
}

/** An answer as the leader gave it. */
interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const HTML = Buffer.from('<html><body><h1>Please log in to the network</h1></body></html>');
const DELAY_MS = 60;
const SWAP_MS = 60;
const NARROW_BYTES = 700;
const DRIP_MS = 20;
const ENDLESS_CHUNK = Buffer.alloc(256 * 1024, 0x7b);
const KEPT_ANSWERS = 40;
const OF_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date']);
const NUMBERS = /^x-(?:arango-replication-last|ticklog-(?:crc32|seal|committed|deletions))/;

/**
 * A network between a follower and its leader that does what networks do. Each request to which `choose` gives a
 * fault suffers it; others pass. What leads elsewhere leads to `trap`, which nobody may follow.
 */
export class FaultyProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #agent = new Agent();
  readonly #random: Random;
  readonly #sockets = new Set<Socket>();
  readonly #kept: { readonly kind: string; readonly answer: Answer }[] = [];
  readonly #waiting = new Map<string, (answer: Answer) => void>();
  readonly #ending = new AbortController();
  /** `http://host:port`. */
  leader: string;
  /** Where requests go that are misled. */
  other: string | undefined;
  choose: (method: string, target: string) => Fault | undefined = () => undefined;
  /** The last of them. */
  readonly passed: Passed[] = [];

  private constructor(leader: string, random: Random) {
    this.leader = leader;
    this.#random = random;
    this.#server = createServer((message) => {
      void this.#serve(message);
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** @param leader `tcp://host:port` */
  static async open(leader: string, random: Random): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(leader.replace('tcp:', 'http:'), random);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get endpoint(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
    await this.#agent.destroy();
  }

  async #serve(message: IncomingMessage): Promise<void> {
    const { method = 'GET', url: target = '/', socket } = message;
    const fault = this.choose(method, target);
    this.passed.push({ method, target, fault });
    if (this.passed.length > 1000) this.passed.shift();
    try {
      const body = await bodyOf(message);
      await this.#answer({ method, target, body, message }, fault, socket);
    } catch {
      // The leader, or the follower, is gone: so is the connection.
      socket.destroy();
    }
  }

  async #answer(
    asked: { method: string; target: string; body: Buffer; message: IncomingMessage },
    fault: Fault | undefined,
    socket: Socket,
  ): Promise<void> {
    const { signal } = this.#ending;
    const kind = `${asked.method} ${asked.target.replace(/\?.*$/s, '')}`;
    switch (fault) {
      case 'cut before':
        socket.destroy();
        return;
      case 'silence':
        return;
      case '503':
        write(socket, plain(503, 'busy'));
        return;
      case '502 page':
        write(socket, page(502));
        return;
      case '404 page':
        write(socket, page(404));
        return;
      case 'html page':
        write(socket, page(200));
        return;
      case 'redirect': {
        const status = this.#random.pick([301, 302, 307, 308])!;
        const location = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/trap`;
        write(socket, {
          ...page(status),
          headers: { location, 'content-length': '0' },
          body: NONE,
        });
        return;
      }
      case 'empty answer':
        write(socket, plain(200, ''));
        return;
      case 'garbage':
        socket.end('\u0016\u0003\u0001 this is no HTTP\r\n\r\n');
        return;
      case 'endless body':
        await endless(socket, signal);
        return;
      case 'dripping body':
        await dripping(socket, signal);
        return;
      default:
    }
    if (fault === 'delay')
      await sleep(DELAY_MS * (1 + this.#random.below(4)), undefined, { signal });
    const answer = await this.#ask(asked, fault === 'other leader' ? this.other : this.leader);
    this.#kept.push({ kind, answer });
    if (this.#kept.length > KEPT_ANSWERS) this.#kept.shift();
    await this.#deliver(answer, fault, kind, socket);
  }

  async #deliver(
    answer: Answer,
    fault: Fault | undefined,
    kind: string,
    socket: Socket,
  ): Promise<void> {
    const random = this.#random;
    const bytes = bytesOf(answer);
    switch (fault) {
      case 'cut after':
        socket.destroy();
        return;
      case 'reset':
        socket.write(bytes.subarray(0, random.below(bytes.length)), () => socket.resetAndDestroy());
        return;
      case 'half open':
        socket.write(bytes.subarray(0, random.below(bytes.length)));
        return;
      case 'truncate':
        socket.end(bytes.subarray(0, random.below(bytes.length)));
        return;
      case 'truncate as if whole':
        write(socket, { ...answer, body: cutBody(answer.body, random) });
        return;
      case 'truncate without length':
        socket.end(bytesOf({ ...answer, body: cutBody(answer.body, random) }, false));
        return;
      case 'flipped bit':
        write(socket, { ...answer, body: flipped(answer.body, random) });
        return;
      case 'duplicate':
        socket.write(Buffer.concat([bytes, bytes]));
        return;
      case 'stale answer': {
        const old = random.pick(this.#kept.filter((each) => each.kind === kind))?.answer;
        write(socket, old ?? answer);
        return;
      }
      case 'swapped answers':
        write(socket, await this.#swapped(kind, answer));
        return;
      case 'narrow':
        await narrow(socket, bytes, this.#ending.signal);
        return;
      default:
        write(socket, { ...answer, headers: changedHeaders(answer.headers, fault, random) });
    }
  }

  /** The answer to another request of this kind, if there is one under way; its asker gets this one. */
  async #swapped(kind: string, answer: Answer): Promise<Answer> {
    const waiting = this.#waiting.get(kind);
    if (waiting) {
      this.#waiting.delete(kind);
      waiting(answer);
      return (
        this.#kept.findLast((each) => each.kind === kind && each.answer !== answer)?.answer ??
        answer
      );
    }
    return new Promise((resolve) => {
      this.#waiting.set(kind, resolve);
      setTimeout(() => {
        if (this.#waiting.get(kind) === resolve) this.#waiting.delete(kind);
        resolve(answer);
      }, SWAP_MS).unref();
    });
  }

  async #ask(
    {
      method,
      target,
      body,
      message,
    }: { method: string; target: string; body: Buffer; message: IncomingMessage },
    leader: string | undefined,
  ): Promise<Answer> {
    const own = Object.entries(message.headers).filter(([name]) => name.startsWith('x-arango'));
    const answer = await request((leader ?? this.leader) + target, {
      dispatcher: this.#agent,
      method: method,
      headers: own.map(([name, value]) => [name, String(value)] as const).flat(),
      body: body.length === 0 ? null : body,
      signal: this.#ending.signal,
    });
    const headers = Object.entries(answer.headers)
      .filter(([name]) => !OF_CONNECTION.has(name))
      .map(([name, value]) => [name, String(value)] as const);
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    return { status: answer.statusCode, headers: Object.fromEntries(headers), body: bytes };
  }
}

const NONE = Buffer.alloc(0);

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function bytesOf({ status, headers, body }: Answer, withLength = true): Buffer {
  const fields = Object.entries({ ...headers, 'content-length': String(body.length) })
    .filter(([name]) => withLength || name !== 'content-length')
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} x\r\n${fields.join('')}\r\n`), body]);
}

function write(socket: Socket, answer: Answer): void {
  socket.write(bytesOf(answer));
}

function page(status: number): Answer {
  return { status, headers: { 'content-type': 'text/html' }, body: HTML };
}

function plain(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/plain' }, body: Buffer.from(text) };
}

/** In the middle, or, where nobody would see it at the text itself, between two lines. */
function cutBody(body: Buffer, random: Random): Buffer {
  const cut = body.subarray(0, random.below(body.length));
  const newline = cut.lastIndexOf(0x0a);
  return newline > 0 && random.percent(70) ? cut.subarray(0, newline + 1) : cut;
}

function flipped(body: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(body);
  if (bytes.length === 0) return bytes;
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
}

function changedHeaders(
  headers: Answer['headers'],
  fault: Fault | undefined,
  random: Random,
): Answer['headers'] {
  const names = Object.keys(headers).filter((name) => name.startsWith('x-'));
  const name = random.pick(names);
  const without = (keep: (each: string) => boolean): Answer['headers'] =>
    Object.fromEntries(Object.entries(headers).filter(([each]) => keep(each)));
  switch (fault) {
    case 'wrong header':
      return name === undefined
        ? headers
        : { ...headers, [name]: wrongValue(name, headers[name] ?? '', random) };
    case 'missing header':
      return without((each) => each !== name);
    case 'no own headers':
      return without((each) => !each.startsWith('x-ticklog-'));
    case 'no headers':
      return without((each) => !each.startsWith('x-'));
    default:
      return headers;
  }
}

function wrongValue(name: string, value: string, random: Random): string {
  if (NUMBERS.test(name))
    return String(BigInt(value) + BigInt(random.pick([-1, 1, 1000, 10 ** 12])!));
  if (value === 'true' || value === 'false') return String(value !== 'true');
  return `${value.slice(1)}${value.slice(0, 1)}`;
}

async function narrow(socket: Socket, bytes: Buffer, signal: AbortSignal): Promise<void> {
  for (let at = 0; at < bytes.length && !socket.destroyed; at += NARROW_BYTES) {
    socket.write(bytes.subarray(at, at + NARROW_BYTES));
    await sleep(1, undefined, { signal });
  }
}

const PAGE_HEAD = [
  'HTTP/1.1 200 OK',
  'content-type: application/x-arango-dump; charset=utf-8',
  'x-arango-replication-checkmore: true',
  'x-arango-replication-lastincluded: 5',
  'x-arango-replication-lasttick: 5',
];

/** More than anybody wants, as fast as it is taken. */
async function endless(socket: Socket, signal: AbortSignal): Promise<void> {
  socket.write(`${PAGE_HEAD.join('\r\n')}\r\nconnection: close\r\n\r\n`);
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  while (!socket.destroyed && !signal.aborted) {
    if (!socket.write(ENDLESS_CHUNK)) await Promise.race([once(socket, 'drain'), closed]);
  }
}

/** Never silent, and never done. */
async function dripping(socket: Socket, signal: AbortSignal): Promise<void> {
  socket.write(`${PAGE_HEAD.join('\r\n')}\r\ncontent-length: 1000000\r\n\r\n`);
  while (!socket.destroyed) {
    socket.write('x');
    await sleep(DRIP_MS, undefined, { signal });
  }
}
