import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient, type Method } from '../../bench/support/http-client.ts';
import { ServerApi } from '../../bench/support/server-api.ts';
import { ServerProcess } from '../../bench/support/server-process.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { readConfig } from '../../src/config/server-config.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { checkAnswer } from './api-check.ts';
import { SkewedClock } from './skewed-clock.ts';

/** An answer with its JSON; `errorNum` is 0 for a success. */
export interface ChainAnswer {
  readonly status: number;
  readonly text: string;
  readonly json: unknown;
  readonly errorNum: number;
}

/** Flags of `ticklog serve`, without the dashes. */
export type Flags = Readonly<Record<string, string>>;

export interface ChainServerOptions {
  /** What messages call it. */
  readonly name: string;
  /** Where its data lies. */
  readonly directory: string;
  readonly flags: Flags;
}

/** A server that runs, and how it is ended and begun again on its directory and its port. */
interface Host {
  readonly url: string;
  /** In good order. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** With SIGKILL. @throws Error where that is not possible */
  kill(): Promise<void>;
  /** Lets its clock go on by so much. @throws Error where that is not possible */
  skip(ms: number): void;
  dispose(): Promise<void>;
}

const PORT_TRIES_MAX = 50;
const PORT_WAIT_MS = 20;
/** For requests beside each other: a sync is a request that waits. */
const CONNECTIONS = 4;

/**
 * One server of a chain, spoken to over HTTP only; whatever it answers is checked against
 * api-spec/openapi.yaml. It keeps its port over all its lives.
 */
export class ChainServer implements AsyncDisposable {
  readonly name: string;
  readonly directory: string;
  readonly #host: Host;
  #http: HttpClient;
  #api: ServerApi;

  private constructor(host: Host, { name, directory }: ChainServerOptions) {
    this.name = name;
    this.directory = directory;
    this.#host = host;
    this.#http = new HttpClient({ url: host.url, connections: CONNECTIONS });
    this.#api = new ServerApi({ url: host.url, connections: CONNECTIONS });
  }

  /** The whole product in this process, with a clock of its own. */
  static async inProcess(options: ChainServerOptions): Promise<ChainServer> {
    return new ChainServer(await openInProcess(options), options);
  }

  /** The built product in a process of its own, which can be killed. */
  static async asChild(options: ChainServerOptions): Promise<ChainServer> {
    const { name, directory, flags } = options;
    const argv = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    const child = await ServerProcess.start({ name, directory, flags: argv });
    const host: Host = {
      url: child.url,
      stop: () => child.stop(),
      start: () => child.restart(),
      kill: () => child.kill(),
      skip: () => {
        throw new Error('the clock of another process goes on by itself');
      },
      dispose: () => child[Symbol.asyncDispose](),
    };
    return new ChainServer(host, options);
  }

  get api(): ServerApi {
    return this.#api;
  }

  /** `tcp://127.0.0.1:PORT` */
  get endpoint(): string {
    return this.#host.url.replace('http:', 'tcp:');
  }

  /**
   * Sends a request; a body that is no text is sent as JSON.
   * @throws Error when the answer is none of those in api-spec/openapi.yaml; errors of undici without one
   */
  async send(
    method: Method,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ChainAnswer> {
    const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await this.#http.request(method, path, sent, headers);
    const text = answer.body.toString('utf8');
    const { status } = answer;
    checkAnswer(method, path, { status, headers: answer.headers, text });
    const json: unknown = text === '' ? undefined : JSON.parse(text);
    const { errorNum = 0 } = (json ?? {}) as { errorNum?: number };
    return { status, text, json, errorNum: status < 300 ? 0 : errorNum };
  }

  /** As `send`, for what must succeed. @throws Error when it is refused */
  async must(method: Method, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await this.send(method, path, body);
    if (answer.status < 300) return answer.json as Record<string, unknown>;
    throw new Error(`${this.name}: ${method} ${path}: ${answer.status} ${answer.text}`);
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    await this.#host.stop();
  }

  /** Starts it again after `stop` or `kill`. */
  async start(): Promise<void> {
    await this.#hangUp();
    await this.#host.start();
    this.#http = new HttpClient({ url: this.#host.url, connections: CONNECTIONS });
    this.#api = new ServerApi({ url: this.#host.url, connections: CONNECTIONS });
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async kill(): Promise<void> {
    await this.#host.kill();
  }

  skip(ms: number): void {
    this.#host.skip(ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hangUp();
    await this.#host.dispose();
  }

  async #hangUp(): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
    await this.#api[Symbol.asyncDispose]();
  }
}

async function openInProcess({ directory, flags }: ChainServerOptions): Promise<Host> {
  const clock = new SkewedClock();
  const open = (port: string): Promise<RunningServer> => {
    const config = readConfig({
      flags: {
        'server.endpoint': `tcp://127.0.0.1:${port}`,
        'database.directory': directory,
        ...flags,
      },
      env: {},
      readFile: () => '',
    });
    return startServer({ logger: silentLogger, clock }, config);
  };
  let server = await open('0');
  const { url } = server;
  return {
    url,
    stop: () => server.stop(),
    start: async () => {
      server = await atSamePort(() => open(new URL(url).port));
    },
    kill: () => Promise.reject(new Error('this process is not to be killed')),
    skip: (ms) => clock.skip(ms),
    dispose: () => server.stop(),
  };
}

/** Somebody else may have the port for a moment. */
async function atSamePort(open: () => Promise<RunningServer>): Promise<RunningServer> {
  for (let tries = 1; ; tries++) {
    try {
      return await open();
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isTaken || tries === PORT_TRIES_MAX) throw error;
      await sleep(PORT_WAIT_MS);
    }
  }
}
