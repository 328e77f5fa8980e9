import { type Socket, connect } from 'node:net';
import { Agent, request } from 'undici';
import type { ChildServer } from './child-server.ts';
import { Random } from './random.ts';
import type { ProcessFigures } from './server-child.ts';

export interface LoadOptions {
  readonly seed: number;
  /** Connections that wait for news, half of them as readers of 3.4 do. */
  readonly followers: number;
  readonly writers: number;
}

export interface LoadFigures {
  readonly requests: number;
  /** Answers that were no success, and none of a conflict. */
  readonly refused: readonly string[];
  /** News that followers were told, in bytes. */
  readonly toldBytes: number;
}

const KEYS = 5000;
const HEAD_END = '\r\n\r\n';

/**
 * Readers that hold requests for the log, beside writers and readers of documents at full speed. What is
 * acknowledged is kept, to be looked for afterwards.
 */
export class LoadRun implements AsyncDisposable {
  readonly #server: ChildServer;
  readonly #random: Random;
  readonly #agent: Agent;
  readonly #followers: IdleFollower[] = [];
  readonly #writers: Promise<void>[] = [];
  readonly #ending = new AbortController();
  readonly #refused: string[] = [];
  #requests = 0;
  /** By key: the revision of the last write that was acknowledged. */
  readonly acknowledged = new Map<string, string>();

  private constructor(server: ChildServer, random: Random) {
    this.#server = server;
    this.#random = random;
    this.#agent = new Agent({ connections: 64 });
  }

  static async start(server: ChildServer, options: LoadOptions): Promise<LoadRun> {
    const run = new LoadRun(server, new Random(options.seed));
    await run.#send('POST', '/_api/collection', { name: 'c' });
    for (let i = 0; i < options.followers; i++) {
      run.#followers.push(
        new IdleFollower(server.port, i % 2 === 0 ? 'replication/logger-follow' : 'wal/tail'),
      );
    }
    for (let i = 0; i < options.writers; i++) run.#writers.push(run.#write(i));
    return run;
  }

  get figures(): LoadFigures {
    const toldBytes = this.#followers.reduce((sum, { bytes }) => sum + bytes, 0);
    return { requests: this.#requests, refused: this.#refused, toldBytes };
  }

  /** Followers whose connection is there. */
  get connected(): number {
    return this.#followers.filter(({ isOpen }) => isOpen).length;
  }

  /** Ends the writers, each behind its present request. */
  async stopWriting(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#writers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const follower of this.#followers) follower.close();
    await this.stopWriting();
    await this.#agent.destroy();
  }

  /** Each writer has keys of its own, so that it knows what they hold. */
  async #write(writer: number): Promise<void> {
    const random = this.#random.fork();
    while (!this.#ending.signal.aborted) {
      const key = `w${writer}-${random.below(KEYS)}`;
      try {
        if (random.percent(40)) await this.#send('GET', `/_api/document/c/${key}`);
        else if (random.percent(10)) await this.#send('GET', '/_api/replication/dump?collection=c');
        else await this.#put(key, random.below(600));
      } catch {
        // The server is stopping: what was under way was not acknowledged.
        if (this.#server.isStopping) return;
        this.#refused.push('a connection was lost');
      }
    }
  }

  async #put(key: string, length: number): Promise<void> {
    const before = this.acknowledged.get(key);
    // Whatever becomes of it: until it is answered nothing is known of this key.
    this.acknowledged.delete(key);
    const document = { _key: key, pad: 'x'.repeat(length), before };
    const path = '/_api/document?collection=c&overwriteMode=replace';
    const { status, text } = await this.#send('POST', path, document);
    if (status === 202) this.acknowledged.set(key, (JSON.parse(text) as { _rev: string })._rev);
    else if (status === 503 && before !== undefined) this.acknowledged.set(key, before);
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    body?: object,
  ): Promise<{ status: number; text: string }> {
    const { statusCode: status, body: stream } = await request(this.#server.url + path, {
      dispatcher: this.#agent,
      method,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await stream.text();
    this.#requests++;
    const isExpected =
      status < 300 || status === 404 || (status === 503 && this.#server.isStopping);
    if (!isExpected) this.#refused.push(`${method} ${path}: ${status} ${text}`);
    return { status, text };
  }
}

/** A follower that asks for news behind the present end of the log, again and again, on one connection. */
class IdleFollower {
  readonly #socket: Socket;
  readonly #path: string;
  #from = 0n;
  #head = '';
  #left = 0;
  bytes = 0;

  constructor(port: number, path: string) {
    this.#path = path;
    this.#socket = connect(port, '127.0.0.1', () => {
      this.#ask();
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === 'open';
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Behind the end of the log, so that it is held until the end moves. */
  #ask(): void {
    const query = `from=${this.#from}&wait=10&chunkSize=1`;
    this.#socket.write(`GET /_api/${this.#path}?${query} HTTP/1.1\r\nhost: x\r\n\r\n`);
  }

  #take(chunk: Buffer): void {
    this.bytes += chunk.length;
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, rest.length);
        this.#left -= taken;
        rest = rest.subarray(taken);
      } else {
        rest = this.#takeHead(rest);
      }
      if (this.#left === 0 && this.#head === '') this.#again();
    }
  }

  /** @returns what stands behind the head */
  #takeHead(chunk: Buffer): Buffer {
    const before = Buffer.byteLength(this.#head, 'latin1');
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return Buffer.alloc(0);
    const head = this.#head.slice(0, end).toLowerCase();
    this.#head = '';
    this.#left = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
    // One that is far ahead: it looks at the end only.
    this.#from = BigInt(/replication-lasttick: (\d+)/.exec(head)?.[1] ?? this.#from);
    return chunk.subarray(end + HEAD_END.length - before);
  }

  #again(): void {
    setTimeout(() => {
      if (this.isOpen) this.#ask();
    }, PAUSE_MS).unref();
  }
}

/** A follower with little to do: news reach it about once a second. */
const PAUSE_MS = 1000;

/** By how much figures have grown, in the same units. */
export function growth(before: ProcessFigures, after: ProcessFigures): ProcessFigures {
  return {
    heapBytes: after.heapBytes - before.heapBytes,
    bufferBytes: after.bufferBytes - before.bufferBytes,
    rssBytes: after.rssBytes - before.rssBytes,
    descriptors: after.descriptors - before.descriptors,
  };
}
