import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The program as it is built; `npm test` builds it first. */
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const LISTENS = /listens on (tcp:\/\/\S+),/;

/** The program in a process of its own. Disposing kills it if it still runs. */
export class TicklogProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;
  #stdout = '';
  #stderr = '';

  private constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    // Nothing of this process's settings may reach the server.
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('TICKLOG_'));
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...Object.fromEntries(own), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // Behind 'exit' there may still be output to read.
      this.#child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
    });
  }

  static start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): TicklogProcess {
    return new TicklogProcess(args, env);
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves with the endpoint a server prints. @throws Error when it ends without doing so */
  async endpoint(): Promise<string> {
    const printed = new Promise<string>((resolve) => {
      const look = (): void => {
        const [, endpoint] = LISTENS.exec(this.#stdout) ?? [];
        if (endpoint !== undefined) resolve(endpoint);
      };
      this.#child.stdout?.on('data', look);
      look();
    });
    const ended = this.#ended.then((how) => {
      throw new Error(`the server ended (${how}) without listening: ${this.#stderr}`);
    });
    return Promise.race([printed, ended]);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves with the exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
