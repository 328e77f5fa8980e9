import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import { PRODUCT_PROGRAM } from './project.ts';

export interface ServerOptions {
  /** What messages call it. */
  readonly name: string;
  readonly directory: string;
  /** Further flags of `ticklog serve`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A ticklog server: the built product in a process of its own, on loopback, at a port that stays. */
export class ServerProcess implements AsyncDisposable {
  readonly name: string;
  readonly #options: ServerOptions;
  readonly #port: number;
  #child: Child;

  /** For `start`, which waits until the server listens. */
  constructor(child: Child, options: ServerOptions, port: number) {
    this.name = options.name;
    this.#options = options;
    this.#port = port;
    this.#child = child;
  }

  /**
   * Starts a server on any free port and waits until it listens.
   * @throws Error with the output of the server when it does not
   */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const { child, port } = await launch(options, 0);
    return new ServerProcess(child, options, port);
  }

  /** `http://127.0.0.1:PORT`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** `tcp://127.0.0.1:PORT`, as appliers and tools are told. */
  get endpoint(): string {
    return `tcp://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The end of what it printed. */
  get output(): string {
    return this.#child.output;
  }

  /** SIGKILL: it gets no chance to put anything in order. */
  async kill(): Promise<void> {
    await this.#child.end('SIGKILL');
  }

  /** Whether it comes to an end by itself before the time is over. */
  async endsWithin(timeoutMs: number): Promise<boolean> {
    const waited = new AbortController();
    const inTime = this.#child.ended.then(() => true);
    const tooLate = sleep(timeoutMs, false, { signal: waited.signal }).catch(() => false);
    const ended = await Promise.race([inTime, tooLate]);
    waited.abort();
    return ended;
  }

  /**
   * SIGTERM, and waits for the orderly end.
   * @throws Error when its exit code is not 0
   */
  async stop(): Promise<void> {
    if (!this.#child.isRunning) return;
    const { code, signal } = await this.#child.end('SIGTERM');
    if (code === 0) return;
    throw new Error(`${this.name} ended with ${code ?? signal}, not 0:\n${this.output}`);
  }

  /**
   * Starts it again on the same directory and the same port, after `kill` or `stop`.
   * @throws Error as `start`
   */
  async restart(): Promise<void> {
    if (this.#child.isRunning) throw new Error(`${this.name} still runs`);
    const { child } = await launch(this.#options, this.#port);
    this.#child = child;
  }

  /** Ends it without ceremony; what it wrote is thrown away anyway. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.isRunning) await this.kill();
  }
}

async function launch(
  options: ServerOptions,
  port: number,
): Promise<{ child: Child; port: number }> {
  const { name, directory, flags = [], env = {} } = options;
  const endpoint = `tcp://127.0.0.1:${port}`;
  const where = ['--database.directory', directory, '--server.endpoint', endpoint];
  const argv = [PRODUCT_PROGRAM, 'serve', ...where, '--log.level', 'warn', ...flags];
  const child = new Child({ name, argv, env });
  const address = await child.listening();
  return { child, port: address.port };
}
