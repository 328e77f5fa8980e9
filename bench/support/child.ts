import { type ChildProcess, spawn } from 'node:child_process';

/** How a child process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  /** What messages call it. */
  readonly name: string;
  /** Arguments of this Node, the program first. */
  readonly argv: readonly string[];
}

/** What is kept of the output of a child, to be shown when something is wrong with it. */
const OUTPUT_KEPT_CHARACTERS = 16 * 1024;
const START_TIMEOUT_MS = 30_000;
const ADDRESS = /\b(?:tcp|http):\/\/(127\.0\.0\.1|localhost):([1-9]\d*)/;

const alive = new Set<ChildProcess>();
let guarded = false;

/** A Node program in a process of its own. No child outlives the program that started it. */
export class Child {
  readonly name: string;
  /** Settles when the process is gone and its output is read. */
  readonly ended: Promise<ChildEnd>;
  readonly #process: ChildProcess;
  #output = '';
  #onOutput: (() => void) | undefined;

  constructor(options: ChildOptions) {
    guard();
    this.name = options.name;
    const child = spawn(process.execPath, [...options.argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    alive.add(child);
    const keep = (text: string): void => {
      this.#output = (this.#output + text).slice(-OUTPUT_KEPT_CHARACTERS);
      this.#onOutput?.();
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        alive.delete(child);
        resolve({ code, signal });
        this.#onOutput?.();
      });
    });
    // Looked at by whoever waits; an error nobody waits for must not end the program.
    this.ended.catch(() => alive.delete(child));
  }

  /** @throws Error when it could not be started. */
  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`${this.name} could not be started`);
    return pid;
  }

  /** The end of what it wrote to standard output and standard error. */
  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /**
   * Waits until it prints the address it listens at.
   * @throws Error when it ends, or says nothing for half a minute
   */
  listening(): Promise<{ host: string; port: number }> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#onOutput = undefined;
      };
      const fail = (reason: string): void => {
        finish();
        reject(new Error(`${this.name} ${reason}:\n${this.#output}`));
      };
      const timer = setTimeout(() => fail('does not say where it listens'), START_TIMEOUT_MS);
      const look = (): void => {
        const [, host, port] = ADDRESS.exec(this.#output) ?? [];
        if (host !== undefined) {
          finish();
          resolve({ host, port: Number(port) });
        } else if (!this.isRunning) {
          fail('ended before it listened');
        }
      };
      this.#onOutput = look;
      this.ended.then(look, (error: unknown) => fail(`could not be started (${String(error)})`));
    });
  }

  /** Sends a signal and waits until the process is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<ChildEnd> {
    this.#process.kill(signal);
    return this.ended;
  }
}

/** Takes care that children end with this program, also when it is interrupted. */
function guard(): void {
  if (guarded) return;
  guarded = true;
  // Before those who remove the directories of the children.
  process.prependOnceListener('exit', () => {
    for (const child of alive) child.kill('SIGKILL');
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}
