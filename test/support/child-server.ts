import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { buildForChild } from './child-build.ts';
import type { ChildMessage, ChildOrder, ProcessFigures } from './server-child.ts';
import { makeTempDir, type TempDir } from './temp-dir.ts';

/** What of the log is kept. */
const LOG_LINES_MAX = 200;

/**
 * A whole server, as the code stands, in a process of its own: `await using server = await ChildServer.start()`.
 * Disposing kills it.
 */
export class ChildServer implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly #program: string;
  readonly #flags: Readonly<Record<string, string>>;
  #child!: ChildProcess;
  #port = 0;
  #isStopping = false;
  #ended = '';
  /** Warnings and errors it has logged, the last of them. */
  readonly log: string[] = [];
  /** Errors it has logged. */
  errors = 0;

  private constructor(dir: TempDir, program: string, flags: Readonly<Record<string, string>>) {
    this.#dir = dir;
    this.#program = program;
    this.#flags = flags;
  }

  /** @param flags of the server, besides directory and endpoint */
  static async start(flags: Readonly<Record<string, string>> = {}): Promise<ChildServer> {
    const dir = await makeTempDir();
    const program = await buildForChild(join(dir.path, 'code'), 'test/support/server-child.ts');
    const server = new ChildServer(dir, program, flags);
    await server.#launch();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Empty while it runs as it should; else how it ended. */
  get ended(): string {
    return this.#ended;
  }

  /** It was told to stop. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  figures(): Promise<ProcessFigures> {
    return this.#ask('figures', (message) =>
      message.kind === 'figures' ? message.figures : undefined,
    );
  }

  /** Has it end in order. @returns how long that took, in ms */
  async stop(): Promise<number> {
    this.#isStopping = true;
    const tookMs = await this.#ask('stop', (message) =>
      message.kind === 'stopped' ? message.tookMs : undefined,
    );
    await this.#exited();
    return tookMs;
  }

  /** Starts it again on its directory, after a stop; on another port. */
  async startAgain(): Promise<void> {
    await this.#launch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    this.#child.kill('SIGKILL');
    await this.#exited();
    await this.#dir[Symbol.asyncDispose]();
  }

  async #launch(): Promise<void> {
    this.#isStopping = false;
    const flags = {
      'server.endpoint': 'tcp://127.0.0.1:0',
      'database.directory': join(this.#dir.path, 'data'),
      ...this.#flags,
    };
    const child = fork(this.#program, [JSON.stringify(flags)], { stdio: 'inherit' });
    this.#child = child;
    child.on('message', (message: ChildMessage) => {
      if (message.kind !== 'logged') return;
      if (message.level === 'error') this.errors++;
      this.log.push(`${message.level}: ${message.text}`);
      if (this.log.length > LOG_LINES_MAX) this.log.shift();
    });
    child.once('exit', (code, signal) => {
      if (!this.#isStopping) this.#ended = `the server ended: ${code ?? signal ?? 'unknown'}`;
    });
    this.#port = await this.#wait((message) =>
      message.kind === 'listening' ? message.port : undefined,
    );
  }

  #ask<T>(order: ChildOrder, read: (message: ChildMessage) => T | undefined): Promise<T> {
    const answer = this.#wait(read);
    this.#child.send(order);
    return answer;
  }

  #wait<T>(read: (message: ChildMessage) => T | undefined): Promise<T> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const onMessage = (message: ChildMessage): void => {
        const value = read(message);
        if (value === undefined) return;
        settle();
        resolve(value);
      };
      const onExit = (code: number | null): void => {
        settle();
        reject(new Error(`the server ended (${code ?? 'signal'}): ${this.log.join('\n')}`));
      };
      const settle = (): void => {
        child.off('message', onMessage);
        child.off('exit', onExit);
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
    });
  }

  async #exited(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => child.once('exit', resolve));
  }
}
