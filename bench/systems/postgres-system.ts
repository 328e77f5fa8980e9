import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { POSTGRES_TABLE, PostgresDocuments } from '../clients/postgres-documents.ts';
import { assertEqual } from '../support/checks.ts';
import type { DocumentSource } from '../support/documents.ts';
import { type Digest, DigestBuilder, LineCounter } from '../support/dump.ts';
import type { Watched } from '../support/measure.ts';
import { WorkDirectory } from '../support/work-directory.ts';
import { waitFor } from './installed.ts';
import type { OtherSystem, Side } from './other-system.ts';
import { type PostgresPrograms, PostgresServer } from './postgres-server.ts';

const SYNC_TIMEOUT_MS = 10 * 60 * 1000;
const SUBSCRIPTION = 'follower';
const COPY_LINES = 1000;
const BENCH_THREADS = 2;

/**
 * PostgreSQL with logical replication (pgoutput): a publication of one table, and a subscription to it.
 * Documents are `jsonb`.
 */
export class PostgresSystem implements OtherSystem {
  readonly name = 'PostgreSQL';
  readonly #servers: Readonly<Record<Side, PostgresServer>>;
  readonly #directory: WorkDirectory;
  #restarted = 0;
  #dumped = 0;

  /** For `start`. */
  constructor(servers: Readonly<Record<Side, PostgresServer>>, directory: WorkDirectory) {
    this.#servers = servers;
    this.#directory = directory;
  }

  static async start(programs: PostgresPrograms): Promise<PostgresSystem> {
    const directory = new WorkDirectory();
    const leader = await PostgresServer.start('leader', directory.path, programs);
    const follower = await PostgresServer.start('follower', directory.path, programs);
    for (const { sql } of [leader, follower]) await sql.query(`CREATE TABLE ${POSTGRES_TABLE}`);
    await leader.sql.query('CREATE PUBLICATION leader FOR TABLE documents');
    return new PostgresSystem({ leader, follower }, directory);
  }

  get watched(): Watched & { readonly follower: number } {
    const { leader, follower } = this.#servers;
    return { leader: leader.pid, follower: follower.pid, withChildren: true };
  }

  get ports(): Readonly<Record<Side, number>> {
    const { leader, follower } = this.#servers;
    return { leader: leader.port, follower: follower.port };
  }

  writeFile(path: string, source: DocumentSource, documents: number): void {
    const file = openSync(path, 'w');
    for (let first = 0; first < documents; first += COPY_LINES) {
      let lines = '';
      const end = Math.min(first + COPY_LINES, documents);
      for (let number = first; number < end; number++) {
        // None of what COPY escapes is in a generated document.
        lines += `${source.key(number)}\t${source.text(number)}\n`;
      }
      writeSync(file, lines);
    }
    closeSync(file);
  }

  async restore(path: string): Promise<void> {
    await this.#servers.leader.psql('COPY documents FROM STDIN', { stdinFile: path });
  }

  async dump(): Promise<void> {
    const counter = new LineCounter();
    const onStdout = (piece: Buffer): void => counter.add(piece);
    await this.#servers.leader.psql('COPY documents TO STDOUT', { onStdout });
    this.#dumped = counter.lines;
  }

  documentsDumped(): Promise<number> {
    return Promise.resolve(this.#dumped);
  }

  /** Done when the copy is committed at the follower. */
  async sync(): Promise<void> {
    const { leader, follower } = this.#servers;
    const connection = `host=127.0.0.1 port=${leader.port} user=postgres dbname=postgres`;
    await follower.sql.query(
      `CREATE SUBSCRIPTION ${SUBSCRIPTION} CONNECTION '${connection}' PUBLICATION leader`,
    );
    await this.#waitForState('f', 's', 'r');
  }

  openTarget(): Promise<PostgresDocuments> {
    return PostgresDocuments.open(this.#servers.leader.port);
  }

  async pause(): Promise<void> {
    await this.#waitForState('r');
    await this.#servers.follower.sql.query(`ALTER SUBSCRIPTION ${SUBSCRIPTION} DISABLE`);
    await waitFor('the end of the apply worker', SYNC_TIMEOUT_MS, async () => {
      const rows = await this.#servers.leader.sql.query('SELECT 1 FROM pg_stat_replication');
      return rows.length === 0;
    });
  }

  async resume(): Promise<void> {
    this.#restarted++;
    await this.#servers.follower.sql.query(`ALTER SUBSCRIPTION ${SUBSCRIPTION} ENABLE`);
  }

  async followerHas(key: string): Promise<boolean> {
    const sql = `SELECT 1 FROM documents WHERE key = '${key}'`;
    return (await this.#servers.follower.sql.query(sql)).length === 1;
  }

  /** It has no other way: a subscription copies a table once. */
  async assertCaughtUp(): Promise<void> {
    assertEqual('times the subscription was resumed', this.#restarted, 1);
    await this.#waitForState('r');
  }

  async digest(side: Side): Promise<Digest> {
    const digest = new DigestBuilder();
    let rest = '';
    const onStdout = (piece: Buffer): void => {
      const lines = (rest + piece.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) digest.add(documentText(line));
    };
    await this.#servers[side].psql('COPY documents (data) TO STDOUT', { onStdout });
    return digest;
  }

  async separate(): Promise<void> {
    const { leader, follower } = this.#servers;
    await follower.sql.query(`DROP SUBSCRIPTION ${SUBSCRIPTION}`);
    await leader.sql.query('TRUNCATE documents');
  }

  async writeSingly(writes: number, connections: number): Promise<number> {
    const { leader } = this.#servers;
    const each = Math.ceil(writes / connections);
    const script = join(this.#directory.path, 'insert.sql');
    writeFileSync(script, INSERT_SCRIPT);
    const flags = ['-n', '-M', 'prepared', '-f', script, '-D', 'n=0'];
    const load = ['-c', String(connections), '-j', String(BENCH_THREADS), '-t', String(each)];
    const output = await leader.pgbench([...flags, ...load]);
    const [, rate] = /^tps = ([\d.]+)/m.exec(output) ?? [];
    if (rate === undefined) throw new Error(`pgbench printed no rate:\n${output}`);
    const sql = `SELECT count(*) FROM documents WHERE data->>'_key' = key`;
    const [row] = await leader.sql.query(sql);
    assertEqual('documents of pgbench', Number(row?.[0]), each * connections);
    return writes / Number(rate);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#servers.follower[Symbol.asyncDispose]();
    await this.#servers.leader[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }

  async #waitForState(...states: readonly string[]): Promise<void> {
    await waitFor('the copy of the table', SYNC_TIMEOUT_MS, async () => {
      const sql = 'SELECT srsubstate FROM pg_subscription_rel';
      const [row] = await this.#servers.follower.sql.query(sql);
      return states.includes(row?.[0] ?? '');
    });
  }
}

/** The text of a generated document, whose attributes come in another order and with blanks between. */
function documentText(line: string): string {
  const { _key, number, version, city, state, amount, open, text, ...others } = JSON.parse(
    line,
  ) as Record<string, unknown>;
  return JSON.stringify({ _key, number, version, city, state, amount, open, text, ...others });
}

/** Documents like the generated ones, each under a key of its own. pgbench takes a colon and a digit for a variable. */
const INSERT_SCRIPT = `\\set n :n + 1
\\set number 100000000 + :client_id * 1000000 + :n
INSERT INTO documents VALUES ('d' || :number, ('{"_key":"d' || :number || '","number": ' || :number ||
',"version": 0,"city":"Oslo","state":"open","amount": 12345,"open": true,"text":"${'some words '.repeat(16)}end"}')::jsonb);
`;
