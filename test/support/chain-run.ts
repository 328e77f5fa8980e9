import { join } from 'node:path';
import { runTraffic } from './all-traffic.ts';
import { type Chain, OWN_PREFIX, compareChain, compareLeader } from './chain-comparison.ts';
import type { Disturbance } from './chain-disturbances.ts';
import { ChainFollower, logEnd } from './chain-follower.ts';
import { ChainServer } from './chain-server.ts';
import type { Random } from './random.ts';
import { expectSameIndexes, verifyStored } from './stored-comparison.ts';
import { Traffic } from './traffic.ts';
import { endTransactions } from './traffic-transactions.ts';
import { World } from './world.ts';

export type ServerName = keyof Chain;
export type FollowerName = 'middle' | 'last';

export interface ChainRunOptions {
  readonly directory: string;
  /** Operations of a round, on average. */
  readonly operations: number;
  /** Servers are processes of their own, which can be killed. */
  readonly asChildren: boolean;
}

/** The log does not reach back, or does not fit. */
export const LOST_PLACE = 1414;

/**
 * A leader, one that follows it, and one that follows that one, while everything is done to the first and
 * now and then something to each of them.
 */
export class ChainRun implements AsyncDisposable {
  readonly world = new World();
  readonly traffic: Traffic;
  readonly random: Random;
  readonly #chain: Chain;
  readonly #options: ChainRunOptions;
  readonly #followers: Readonly<Record<FollowerName, ChainFollower>>;
  /** Ticks of the log that each of them follows, from which it can be read again. */
  readonly #earlier: Record<FollowerName, bigint[]> = { middle: [], last: [] };
  #rounds = 0;

  private constructor(chain: Chain, random: Random, options: ChainRunOptions) {
    this.#chain = chain;
    this.random = random;
    this.#options = options;
    const { leader, middle, last } = chain;
    this.traffic = new Traffic({ server: leader, random, world: this.world });
    this.#followers = {
      middle: new ChainFollower({ server: middle, upstream: leader, random }, configOf(random)),
      last: new ChainFollower({ server: last, upstream: middle, random }, configOf(random)),
    };
  }

  /** Starts the three and lets the second and the third follow. */
  static async start(random: Random, options: ChainRunOptions): Promise<ChainRun> {
    const flags = {
      'transaction.streaming-idle-timeout': '1',
      'replication.max-page': random.pick(['4KiB', '64KiB', '1MiB', '8MiB'])!,
    };
    const start = (name: ServerName): Promise<ChainServer> => {
      const server = { name, directory: join(options.directory, name), flags };
      return options.asChildren ? ChainServer.asChild(server) : ChainServer.inProcess(server);
    };
    const leader = await start('leader');
    const middle = await start('middle');
    const last = await start('last');
    const run = new ChainRun({ leader, middle, last }, random, options);
    await run.#begin();
    return run;
  }

  /** Copies that had to be made anew. */
  get rejoins(): number {
    const { middle, last } = this.#followers;
    return middle.rejoins + last.rejoins;
  }

  server(name: ServerName): ChainServer {
    return this.#chain[name];
  }

  follower(name: FollowerName): ChainFollower {
    return this.#followers[name];
  }

  /**
   * Some operations, and what is done beside them; then all must be equal.
   * @throws Error naming the first differences, or what stopped a follower
   */
  async round(name: string, disturbance: Disturbance): Promise<void> {
    try {
      await disturbance(this);
      await this.#checkpoint();
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`in round ${this.#rounds} (${name}): ${message}`, { cause: error });
    }
    this.#rounds++;
  }

  /** Stops all three in good order and compares what they have stored. */
  async end(): Promise<void> {
    const { leader, middle, last } = this.#chain;
    for (const server of [last, middle, leader]) await server.stop();
    const expected = await verifyStored(leader.directory);
    const between = await verifyStored(middle.directory);
    expectSameIndexes(between, expected);
    expectSameIndexes(await verifyStored(last.directory), between);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { leader, middle, last } = this.#chain;
    for (const server of [last, middle, leader]) await server[Symbol.asyncDispose]();
  }

  /**
   * Random operations on the leader.
   * @param share of how many there usually are
   * @param options.mayLose it is being killed: then they may end early
   */
  async operations(share = 1, options: { mayLose?: boolean } = {}): Promise<void> {
    const count = 1 + this.random.below(2 * share * this.#options.operations);
    const isWhole = await runTraffic(this.traffic, count);
    if (!isWhole && options.mayLose !== true) throw new Error('the leader does not answer');
  }

  /** Leaves nothing open that the leader would forget. */
  async endTransactions(): Promise<void> {
    await this.traffic.run('end transaction', endTransactions);
  }

  /** After its death the leader must hold what it has acknowledged. */
  async settleLeader(): Promise<void> {
    this.traffic.transactions = [];
    await compareLeader(this.#chain.leader, this.world);
  }

  /** The log of a server lacks something: whoever follows it loses its place. */
  breakLog(name: 'leader' | 'middle'): void {
    const behind = name === 'leader' ? 'middle' : 'last';
    this.#followers[behind].excuse(LOST_PLACE);
    this.#earlier[behind] = [];
    // Its copy will not be in its own log.
    if (name === 'leader') this.breakLog('middle');
  }

  /** A tick from which its log can be read again. */
  earlier(name: FollowerName): bigint | undefined {
    return this.random.pick(this.#earlier[name]);
  }

  async #begin(): Promise<void> {
    for (const [name, server] of Object.entries(this.#chain) as [ServerName, ChainServer][]) {
      const config = { maxEvents: 0, maxEventsSize: 0, logRemoteChanges: name === 'middle' };
      await server.must('PUT', '/_api/replication/logger-config', config);
      if (name === 'leader') continue;
      await server.must('POST', '/_api/collection', { name: OWN_PREFIX + name });
    }
    await this.operations();
    await this.#followers.middle.join();
    await this.#followers.last.join();
    await this.#checkpoint();
  }

  async #checkpoint(): Promise<void> {
    const { middle, last } = this.#followers;
    if (await middle.settle()) this.breakLog('middle');
    await last.settle();
    await compareChain(this.#chain, this.world);
    this.#earlier.middle.push(await logEnd(this.#chain.leader));
    this.#earlier.last.push(await logEnd(this.#chain.middle));
  }
}

function configOf(random: Random): Record<string, unknown> {
  return {
    ...{ includeSystem: true, autoStart: true, requestTimeout: 20 },
    // Whoever is away comes back in a moment.
    ...{ maxConnectRetries: 0, connectionRetryWaitTime: 0.1 },
    ...{ autoResync: random.percent(50), autoResyncRetries: 1000 },
    chunkSize: random.pick([0, 0, 16_384, 131_072])!,
  };
}
