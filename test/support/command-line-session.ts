import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deferred } from '../../src/base/deferred.ts';

/** The program as it is built; `npm test` builds it first. */
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PORT = /(?<=127\.0\.0\.1:)\d+/g;
/** How long a command may take, and a server until it listens. */
const PATIENCE_MS = 60_000;

/** What a command has come to. */
export interface CommandResult {
  readonly code: number | null;
  /** What it printed, to either stream. */
  readonly output: string;
}

interface Job {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  output: string;
}

/**
 * A directory in which somebody types commands, with `ticklog` on the path. Each port of 127.0.0.1 that is written
 * in them stands for a free one, the same for the whole session. Disposing ends the servers that still run.
 */
export class CommandLineSession implements AsyncDisposable {
  readonly #directory: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #ports = new Map<string, string>();
  /** Servers in the order they were started, as a shell numbers its jobs from 1. */
  readonly #jobs: Job[] = [];

  private constructor(directory: string, env: NodeJS.ProcessEnv) {
    this.#directory = directory;
    this.#env = env;
  }

  /** @param directory an empty one, in which the commands run */
  static async open(directory: string): Promise<CommandLineSession> {
    const bin = join(directory, '.bin');
    await mkdir(bin);
    const program = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`;
    await writeFile(join(bin, 'ticklog'), program, { mode: 0o755 });
    // Without this curl would take a refusal for a success.
    await writeFile(join(directory, '.curlrc'), 'fail-with-body\nsilent\nshow-error\n');
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('TICKLOG_'));
    const PATH = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
    return new CommandLineSession(directory, {
      ...Object.fromEntries(own),
      PATH,
      CURL_HOME: directory,
    });
  }

  /** Runs a command to its end. @throws Error when it takes more than a minute */
  async run(command: string): Promise<CommandResult> {
    const job = await this.#start(command);
    await this.#within(job, command, job.ended);
    return { code: job.child.exitCode, output: job.output };
  }

  /**
   * Carries out `name=value`; later commands find the variable. What goes wrong on the way to the value is not
   * seen here but there, for a value that is empty is refused.
   * @throws Error when the value is empty, or takes more than a minute
   */
  async assign(command: string): Promise<void> {
    const [name = ''] = command.split('=', 1);
    const { output } = await this.run(`${command}; printf %s "$${name}"`);
    if (output === '') throw new Error(`${command} has no value`);
    this.#env[name] = output;
  }

  /** Starts `... &`, a server, and waits until it listens. @throws Error when it does not */
  async startServer(command: string): Promise<void> {
    const job = await this.#start(`exec ${command.replace(/\s*&$/, '')}`);
    this.#jobs.push(job);
    await this.#printed(job, command, /listens on/);
  }

  /** Starts a command that does not end by itself, waits for a text in its output, and ends it. */
  async runUntil(command: string, text: RegExp): Promise<void> {
    const job = await this.#start(`exec ${command}`);
    try {
      await this.#printed(job, command, text);
    } finally {
      await stop(job);
    }
  }

  /** Does what `kill %<number>` does in a shell, and waits for the end. */
  async stopJob(number: number): Promise<void> {
    const job = this.#jobs[number - 1];
    if (job === undefined) throw new Error(`there is no job ${number}`);
    await stop(job);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#jobs.map(stop));
  }

  async #start(command: string): Promise<Job> {
    for (const [port] of command.matchAll(PORT)) {
      if (!this.#ports.has(port)) this.#ports.set(port, await freePort());
    }
    const text = command.replace(PORT, (port) => this.#ports.get(port) ?? port);
    const child = spawn('bash', ['-c', text], {
      cwd: this.#directory,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that what the shell started can be ended with it.
      detached: true,
    });
    const job: Job = { child, ended: once(child, 'close'), output: '' };
    child.stdout.on('data', (chunk: Buffer) => (job.output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (job.output += chunk.toString()));
    return job;
  }

  #printed(job: Job, command: string, text: RegExp): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      job.child.stdout?.on('data', () => text.test(job.output) && resolve());
    });
    const ended = job.ended.then(() => {
      throw new Error(`${command} ended without printing ${text}: ${job.output}`);
    });
    return this.#within(job, command, Promise.race([seen, ended]));
  }

  async #within<T>(job: Job, command: string, result: Promise<T>): Promise<T> {
    const { promise: late, reject } = deferred<never>();
    const timer = setTimeout(() => {
      killGroup(job.child);
      reject(new Error(`${command} takes too long: ${job.output}`));
    }, PATIENCE_MS);
    return Promise.race([result, late]).finally(() => clearTimeout(timer));
  }
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
}

async function stop({ child, ended }: Job): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  await ended;
}

/** A port of the loopback interface at which nobody listens at the moment. */
async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return String(address.port);
}
