import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';

/** How a child process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  /** What messages call it. */
  readonly name: string;
  /** What is run; this Node unless it is given. */
  readonly command?: string;
  /** Its arguments; of Node the program first. */
  readonly argv: readonly string[];
  /** Who runs it, if not who runs this. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** A file that is its standard input; without it there is none. */
  readonly stdinFile?: string;
  /** How it is ended when the program that started it ends; SIGKILL unless it leaves something behind then. */
  readonly endSignal?: NodeJS.Signals;
  /** Is handed its standard output, which then is not kept. */
  readonly onStdout?: (piece: Buffer) => void;
}

/** What is kept of the output of a child, to be shown when something is wrong with it. */
const OUTPUT_KEPT_CHARACTERS = 16 * 1024;
const START_TIMEOUT_MS = 30_000;
/** As servers of the product and the programs of the limits print it. */
const ADDRESS = /\b(?:tcp|http):\/\/(127\.0\.0\.1|localhost):([1-9]\d*)/;

const alive = new Map<ChildProcess, NodeJS.Signals>();
let guarded = false;

/** A program in a process of its own. No child outlives the program that started it. */
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
    const child = launch(options);
    this.#process = child;
    alive.set(child, options.endSignal ?? 'SIGKILL');
    const keep = (text: string): void => {
      this.#output = (this.#output + text).slice(-OUTPUT_KEPT_CHARACTERS);
      this.#onOutput?.();
    };
    if (options.onStdout) child.stdout.on('data', options.onStdout);
    else child.stdout.setEncoding('utf8').on('data', keep);
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

  /** Sends a signal, such as SIGSTOP, and does not wait for what comes of it. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Sends a signal and waits until the process is gone. */
  async end(signal: 'SIGTERM' | 'SIGQUIT' | 'SIGKILL'): Promise<ChildEnd> {
    this.#process.kill(signal);
    return this.ended;
  }
}

/**
 * Runs a program to its end.
 * @returns what it printed
 * @throws Error with its output when its exit code is not 0
 */
export async function runToEnd(options: ChildOptions): Promise<string> {
  const child = new Child(options);
  const { code, signal } = await child.ended;
  if (code === 0) return child.output;
  throw new Error(`${options.name} ended with ${code ?? signal}:\n${child.output}`);
}

function launch(options: ChildOptions): ChildProcessByStdio<null, Readable, Readable> {
  const { command = process.execPath, argv, user, env, stdinFile } = options;
  const stdin = stdinFile === undefined ? undefined : openSync(stdinFile, 'r');
  try {
    return spawn(command, [...argv], {
      // Those who run as somebody else may not be allowed to be here.
      ...(user && { ...user, cwd: '/' }),
      env: { ...process.env, ...env },
      stdio: [stdin ?? 'ignore', 'pipe', 'pipe'],
    }) as ChildProcessByStdio<null, Readable, Readable>;
  } finally {
    if (stdin !== undefined) closeSync(stdin);
  }
}

/** Takes care that children end with this program, also when it is interrupted. */
function guard(): void {
  if (guarded) return;
  guarded = true;
  // Before those who remove the directories of the children.
  process.prependOnceListener('exit', () => {
    for (const [child, signal] of alive) child.kill(signal);
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}
