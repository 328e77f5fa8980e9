import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type RedisReply, commandBytes } from '../clients/redis-connection.ts';
import { RedisDocuments } from '../clients/redis-documents.ts';
import { assertEqual } from '../support/checks.ts';
import type { DocumentSource } from '../support/documents.ts';
import { type Digest, DigestBuilder } from '../support/dump.ts';
import type { Watched } from '../support/measure.ts';
import { WorkDirectory } from '../support/work-directory.ts';
import { waitFor } from './installed.ts';
import type { OtherSystem, Side } from './other-system.ts';
import { type RedisPrograms, RedisServer } from './redis-server.ts';

const SYNC_TIMEOUT_MS = 10 * 60 * 1000;
const COMMANDS_A_PIECE = 1000;
const SCAN_COUNT = '1000';
/** What redis-benchmark puts in the place of `__rand_int__`. */
const RANDOM_KEYS = '1000000000';

/** The name of the test stands first and holds the whole command; behind the rate are six latencies. */
const RATE_OF_CSV = /"([\d.]+)"(?:,"[\d.]+"){6}$/;

/** Redis with a replica. Documents are strings under their keys. */
export class RedisSystem implements OtherSystem {
  readonly name = 'Redis';
  readonly #servers: Readonly<Record<Side, RedisServer>>;
  readonly #directory: WorkDirectory;
  #partialSyncs = 0;
  #documents = 0;

  /** For `start`. */
  constructor(servers: Readonly<Record<Side, RedisServer>>, directory: WorkDirectory) {
    this.#servers = servers;
    this.#directory = directory;
  }

  static async start(programs: RedisPrograms): Promise<RedisSystem> {
    const directory = new WorkDirectory();
    const leader = await RedisServer.start('leader', directory.path, programs);
    const follower = await RedisServer.start('follower', directory.path, programs);
    return new RedisSystem({ leader, follower }, directory);
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
    this.#documents = documents;
    const file = openSync(path, 'w');
    for (let first = 0; first < documents; first += COMMANDS_A_PIECE) {
      const commands: Buffer[] = [];
      const end = Math.min(first + COMMANDS_A_PIECE, documents);
      for (let number = first; number < end; number++) {
        commands.push(commandBytes(['SET', source.key(number), source.text(number)]));
      }
      writeSync(file, Buffer.concat(commands));
    }
    closeSync(file);
  }

  async restore(path: string): Promise<void> {
    const output = await this.#servers.leader.cli(['--pipe'], path);
    if (output.includes(`errors: 0, replies: ${this.#documents}`)) return;
    throw new Error(`redis-cli --pipe said: ${output}`);
  }

  async dump(): Promise<void> {
    await this.#servers.leader.cli(['--rdb', this.#rdbFile]);
  }

  async documentsDumped(): Promise<number> {
    const output = await this.#servers.leader.checkRdb(this.#rdbFile);
    rmSync(this.#rdbFile);
    return Number(/(\d+) keys read/.exec(output)?.[1]);
  }

  async sync(): Promise<void> {
    const { leader, follower } = this.#servers;
    await follower.connection.command('REPLICAOF', '127.0.0.1', String(leader.port));
    await waitFor('the sync of Redis', SYNC_TIMEOUT_MS, () => this.#isLinked());
  }

  openTarget(): Promise<RedisDocuments> {
    return RedisDocuments.open(this.#servers.leader.port);
  }

  /** The follower cannot come back while it is stopped, so all it then needs is in the backlog. */
  async pause(): Promise<void> {
    const { leader, follower } = this.#servers;
    this.#partialSyncs = await this.#count('sync_partial_ok');
    follower.signal('SIGSTOP');
    await leader.connection.command('CLIENT', 'KILL', 'TYPE', 'replica');
  }

  resume(): Promise<void> {
    this.#servers.follower.signal('SIGCONT');
    return Promise.resolve();
  }

  async followerHas(key: string): Promise<boolean> {
    return (await this.#servers.follower.connection.command('EXISTS', key)) === 1;
  }

  async assertCaughtUp(): Promise<void> {
    const partial = (await this.#count('sync_partial_ok')) - this.#partialSyncs;
    assertEqual('partial syncs of Redis', partial, 1);
  }

  async digest(side: Side): Promise<Digest> {
    const { connection } = this.#servers[side];
    const texts = new Map<string, string>();
    let cursor = '0';
    do {
      const reply = await connection.command('SCAN', cursor, 'COUNT', SCAN_COUNT);
      const [next, keys] = reply as readonly [string, readonly string[]];
      cursor = next;
      if (keys.length === 0) continue;
      const values = (await connection.command('MGET', ...keys)) as readonly RedisReply[];
      // A scan may come to a key twice.
      for (const [i, key] of keys.entries()) texts.set(key, String(values[i]));
    } while (cursor !== '0');
    assertEqual('keys found', texts.size, Number(await connection.command('DBSIZE')));
    const digest = new DigestBuilder();
    for (const text of texts.values()) digest.add(text);
    return digest;
  }

  async separate(): Promise<void> {
    const { leader, follower } = this.#servers;
    await follower.connection.command('REPLICAOF', 'NO', 'ONE');
    await leader.connection.command('FLUSHALL');
  }

  async writeSingly(writes: number, connections: number): Promise<number> {
    const { connection } = this.#servers.leader;
    await connection.command('CONFIG', 'RESETSTAT');
    const text = `{"_key":"d","text":"${'some words '.repeat(25)}end"}`.padEnd(300).slice(0, 300);
    const load = ['-c', String(connections), '-n', String(writes), '-r', RANDOM_KEYS, '--csv'];
    const command = ['SET', 'd__rand_int__', text];
    const output = await this.#servers.leader.benchmark([...load, ...command]);
    const rate = Number(RATE_OF_CSV.exec(output.trimEnd())?.[1]);
    if (!(rate > 0)) throw new Error(`redis-benchmark printed no rate:\n${output}`);
    const stats = await this.#servers.leader.info('commandstats', 'cmdstat_set');
    assertEqual('writes of redis-benchmark', Number(/calls=(\d+)/.exec(stats)?.[1]), writes);
    assertEqual('writes that failed', Number(/failed_calls=(\d+)/.exec(stats)?.[1]), 0);
    return writes / rate;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#servers.follower[Symbol.asyncDispose]();
    await this.#servers.leader[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }

  async #isLinked(): Promise<boolean> {
    const { follower } = this.#servers;
    if ((await follower.info('replication', 'master_link_status')) !== 'up') return false;
    return (await follower.info('replication', 'master_sync_in_progress')) === '0';
  }

  async #count(name: string): Promise<number> {
    return Number(await this.#servers.leader.info('stats', name));
  }

  get #rdbFile(): string {
    return join(this.#directory.path, 'dump.rdb');
  }
}
