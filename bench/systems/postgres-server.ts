import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresConnection } from '../clients/postgres-connection.ts';
import { Child, runToEnd } from '../support/child.ts';
import { findProgram, freePort, unprivilegedUser, waitFor } from './installed.ts';

/** What is needed of it, all of the same version. */
export interface PostgresPrograms {
  readonly postgres: string;
  readonly initdb: string;
  readonly psql: string;
  readonly pgbench: string;
}

const START_TIMEOUT_MS = 60_000;
/**
 * A commit is given to the system and not waited for on the disk, as with the product: it survives the end of the
 * process. Without `synchronous_commit` it would come to followers 100 ms later. Checkpoints
 * are as rare as where there is much to write, and a subscription that is resumed begins at once.
 */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  wal_level: 'logical',
  fsync: 'off',
  wal_retrieve_retry_interval: '100ms',
  max_wal_size: '4GB',
  shared_buffers: '256MB',
};

/** Undefined when one of them is not installed. */
export function findPostgres(): PostgresPrograms | undefined {
  const [postgres, initdb, psql, pgbench] = ['postgres', 'initdb', 'psql', 'pgbench'].map((name) =>
    findProgram(name),
  );
  if (!postgres || !initdb || !psql || !pgbench) return undefined;
  return { postgres, initdb, psql, pgbench };
}

/** A PostgreSQL server with an empty cluster of its own. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  /** For statements; tools have connections of their own. */
  readonly sql: PostgresConnection;
  readonly #child: Child;
  readonly #programs: PostgresPrograms;

  /** For `start`. */
  constructor(
    running: { child: Child; sql: PostgresConnection; port: number },
    programs: PostgresPrograms,
  ) {
    this.#child = running.child;
    this.sql = running.sql;
    this.port = running.port;
    this.#programs = programs;
  }

  /**
   * Makes a cluster below `directory` and starts it.
   * @throws Error with the output of what failed
   */
  static async start(
    name: string,
    directory: string,
    programs: PostgresPrograms,
  ): Promise<PostgresServer> {
    const user = unprivilegedUser();
    const data = join(directory, name);
    mkdirSync(data, { mode: 0o700 });
    if (user) for (const path of [directory, data]) chownSync(path, user.uid, user.gid);
    const flags = ['-U', 'postgres', '--auth', 'trust', '--no-sync', '-E', 'UTF8', '--locale', 'C'];
    await runToEnd({
      name: 'initdb',
      command: programs.initdb,
      argv: ['-D', data, ...flags],
      user,
    });
    const port = await freePort();
    const settings = { ...SETTINGS, port, unix_socket_directories: data };
    const argv = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    const child = new Child({
      name: `PostgreSQL (${name})`,
      command: programs.postgres,
      argv: ['-D', data, ...argv],
      user,
      // Otherwise its shared memory would stay.
      endSignal: 'SIGQUIT',
    });
    const sql = await connectTo(child, port);
    return new PostgresServer({ child, sql, port }, programs);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Runs a statement with psql, which sends a file or hands over what the statement puts out. */
  async psql(
    sql: string,
    io: { stdinFile?: string; onStdout?: (piece: Buffer) => void } = {},
  ): Promise<void> {
    const argv = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', sql];
    await runToEnd({ name: 'psql', command: this.#programs.psql, argv, env: this.#env, ...io });
  }

  /** Runs the load generator, whose commits return before they are given to the system. @returns what it printed */
  pgbench(flags: readonly string[]): Promise<string> {
    const { pgbench: command } = this.#programs;
    const env = { ...this.#env, PGOPTIONS: '-c synchronous_commit=off' };
    return runToEnd({ name: 'pgbench', command, argv: flags, env });
  }

  get #env(): Readonly<Record<string, string>> {
    const port = String(this.port);
    return { PGHOST: '127.0.0.1', PGPORT: port, PGUSER: 'postgres', PGDATABASE: 'postgres' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.sql.end();
    await this.#child.end('SIGQUIT');
  }
}

/** It listens before it takes connections, and refuses them meanwhile. */
async function connectTo(child: Child, port: number): Promise<PostgresConnection> {
  let connection: PostgresConnection | undefined;
  let refusal: unknown;
  try {
    await waitFor('connecting to PostgreSQL', START_TIMEOUT_MS, async () => {
      if (!child.isRunning) throw new Error(`${child.name} ended:\n${child.output}`);
      try {
        connection = await PostgresConnection.open(port);
      } catch (error) {
        refusal = error;
      }
      return connection !== undefined;
    });
  } catch (error) {
    await child.end('SIGQUIT');
    throw error;
  }
  if (connection) return connection;
  throw refusal;
}
