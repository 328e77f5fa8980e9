import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RedisConnection } from '../clients/redis-connection.ts';
import { Child, runToEnd } from '../support/child.ts';
import { findProgram, freePort, waitFor } from './installed.ts';

/** What is needed of it. */
export interface RedisPrograms {
  readonly server: string;
  readonly cli: string;
  readonly benchmark: string;
  readonly checkRdb: string;
}

const START_TIMEOUT_MS = 30_000;
/**
 * Writes survive the end of the process, as those of the product do. A follower that was away finds all it has
 * missed in the backlog, and a sync does not wait for other followers that may come.
 */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['bind', '127.0.0.1'],
  ['appendonly', 'yes'],
  ['appendfsync', 'everysec'],
  ['save', ''],
  ['repl-backlog-size', '512mb'],
  ['repl-diskless-sync-delay', '0'],
  ['client-output-buffer-limit', 'replica 0 0 0'],
];

/** Undefined when one of them is not installed. */
export function findRedis(): RedisPrograms | undefined {
  const server = findProgram('redis-server');
  const cli = findProgram('redis-cli');
  const benchmark = findProgram('redis-benchmark');
  const checkRdb = findProgram('redis-check-rdb');
  if (!server || !cli || !benchmark || !checkRdb) return undefined;
  return { server, cli, benchmark, checkRdb };
}

/** A Redis server with an empty directory of its own. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly connection: RedisConnection;
  readonly #child: Child;
  readonly #programs: RedisPrograms;

  /** For `start`. */
  constructor(
    running: { child: Child; connection: RedisConnection; port: number },
    programs: RedisPrograms,
  ) {
    this.#child = running.child;
    this.connection = running.connection;
    this.port = running.port;
    this.#programs = programs;
  }

  /** @throws Error with the output of the server when it does not start */
  static async start(
    name: string,
    directory: string,
    programs: RedisPrograms,
  ): Promise<RedisServer> {
    const data = join(directory, name);
    mkdirSync(data);
    const port = await freePort();
    const settings = [...SETTINGS, ['port', String(port)] as const, ['dir', data] as const];
    const argv = settings.flatMap(([key, values]) => [`--${key}`, ...values.split(' ')]);
    const child = new Child({ name: `Redis (${name})`, command: programs.server, argv });
    let connection: RedisConnection | undefined;
    await waitFor('connecting to Redis', START_TIMEOUT_MS, async () => {
      if (!child.isRunning) throw new Error(`${child.name} ended:\n${child.output}`);
      connection = await RedisConnection.open(port).catch(() => undefined);
      return connection !== undefined;
    });
    if (!connection) throw new Error(`${child.name} does not answer`);
    return new RedisServer({ child, connection, port }, programs);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Value of one of the lines of INFO. */
  async info(section: string, name: string): Promise<string> {
    const text = String(await this.connection.command('INFO', section));
    return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? '';
  }

  /** Runs redis-cli. @returns what it printed */
  cli(flags: readonly string[], stdinFile?: string): Promise<string> {
    const argv = ['-h', '127.0.0.1', '-p', String(this.port), ...flags];
    const stdin = stdinFile === undefined ? {} : { stdinFile };
    return runToEnd({ name: 'redis-cli', command: this.#programs.cli, argv, ...stdin });
  }

  /** Runs redis-benchmark. @returns what it printed */
  benchmark(flags: readonly string[]): Promise<string> {
    const argv = ['-h', '127.0.0.1', '-p', String(this.port), ...flags];
    return runToEnd({ name: 'redis-benchmark', command: this.#programs.benchmark, argv });
  }

  /** Runs redis-check-rdb. @returns what it printed */
  checkRdb(file: string): Promise<string> {
    return runToEnd({ name: 'redis-check-rdb', command: this.#programs.checkRdb, argv: [file] });
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.signal(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.end();
    await this.#child.end('SIGKILL');
  }
}
