import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runTraffic } from './all-traffic.ts';
import { type Chain, OWN_PREFIX, compareChain } from './chain-comparison.ts';
import { ChainFollower } from './chain-follower.ts';
import { ChainServer } from './chain-server.ts';
import type { Random } from './random.ts';
import { expectSameIndexes, verifyStored } from './stored-comparison.ts';
import { NAMES, Traffic } from './traffic.ts';
import { endTransactions } from './traffic-transactions.ts';
import { World } from './world.ts';

export interface ChainRunOptions {
  readonly directory: string;
  /** Operations of a round, on average. */
  readonly operations: number;
  /** Servers are processes of their own, and are killed. */
  readonly kills: boolean;
}

type Side = 'middle' | 'last';
type Disturbance = (run: ChainRun) => Promise<void>;

const SKIP_MS = 2 * 60 * 60 * 1000;
const DOWN_MAX_MS = 200;
const COMPACTED_MS = 10_000;
const POLL_MS = 20;
/** So much must be superseded before a journal is compacted. */
const DEAD_MIN = 1000;
/** The log does not reach back. */
const LOST_PLACE = 1414;

/**
 * A leader, one that follows it, and one that follows that one, while everything is done to the first and
 * now and then something to each of them.
 */
export class ChainRun implements AsyncDisposable {
  readonly #chain: Chain;
  readonly #random: Random;
  readonly #options: ChainRunOptions;
  readonly #followers: Readonly<Record<Side, ChainFollower>>;
  readonly world = new World();
  readonly traffic: Traffic;
  /** How often each thing was done. */
  readonly disturbances = new Map<string, number>();
  #rounds = 0;
  /** Ticks of the logs, from which they may be read again. */
  readonly #earlier: Record<Side, bigint[]> = { middle: [], last: [] };

  private constructor(chain: Chain, random: Random, options: ChainRunOptions) {
    this.#chain = chain;
    this.#random = random;
    this.#options = options;
    this.traffic = new Traffic({ server: chain.leader, random, world: this.world });
    const { leader, middle, last } = chain;
    const config = (): Record<string, unknown> => ({
      ...{ includeSystem: true, autoStart: true, connectionRetryWaitTime: 0.1 },
      ...{ maxConnectRetries: 0, requestTimeout: 20 },
      autoResync: random.percent(50),
      autoResyncRetries: 1000,
      chunkSize: random.pick([0, 0, 16_384, 131_072])!,
    });
    this.#followers = {
      middle: new ChainFollower({ server: middle, upstream: leader, random }, config()),
      last: new ChainFollower({ server: last, upstream: middle, random }, config()),
    };
  }

  /** Starts the three and lets the second and the third follow. */
  static async start(random: Random, options: ChainRunOptions): Promise<ChainRun> {
    const flags = {
      'transaction.streaming-idle-timeout': '1',
      'replication.max-page': random.pick(['4KiB', '64KiB', '1MiB', '8MiB'])!,
    };
    const start = (name: string): Promise<ChainServer> => {
      const server = { name, directory: join(options.directory, name), flags };
      return options.kills ? ChainServer.asChild(server) : ChainServer.inProcess(server);
    };
    const [leader, middle, last] = [
      await start('leader'),
      await start('middle'),
      await start('last'),
    ];
    const run = new ChainRun({ leader, middle, last }, random, options);
    await run.#begin();
    return run;
  }

  /** Copies made anew because it was necessary. */
  get rejoins(): number {
    const { middle, last } = this.#followers;
    return [middle, last].reduce((sum, { counts }) => sum + counts.rejoins + counts.resyncs, 0);
  }

  /** Some operations, beside which something is done to one of the servers; then all must be equal. */
  async round(name: string): Promise<void> {
    this.disturbances.set(name, (this.disturbances.get(name) ?? 0) + 1);
    try {
      await DISTURBANCES[name]!(this);
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

  async operations(share = 1): Promise<void> {
    const count = 1 + this.#random.below(2 * share * this.#options.operations);
    if (await runTraffic(this.traffic, count)) return;
    throw new Error('an answer was lost, and nobody was killed');
  }

  follower(side: Side): ChainFollower {
    return this.#followers[side];
  }

  server(name: keyof Chain): ChainServer {
    return this.#chain[name];
  }

  get random(): Random {
    return this.#random;
  }

  /** The log of a server does not have what comes now, or what it has been: whoever follows it is lost. */
  breakLog(name: 'leader' | 'middle'): void {
    const side = name === 'leader' ? 'middle' : 'last';
    this.#followers[side].excuse(LOST_PLACE);
    this.#earlier[side] = [];
    if (side === 'middle') this.breakLog('middle');
  }

  earlier(side: Side): bigint | undefined {
    return this.#random.pick(this.#earlier[side]);
  }

  /** Leaves nothing open that the leader would forget. */
  async endTransactions(): Promise<void> {
    await this.traffic.run('end transaction', endTransactions);
  }

  async #begin(): Promise<void> {
    const { leader, middle, last } = this.#chain;
    const unlimited = { maxEvents: 0, maxEventsSize: 0 };
    for (const server of [leader, middle, last]) {
      const config = { ...unlimited, logRemoteChanges: server === middle };
      await server.must('PUT', '/_api/replication/logger-config', config);
    }
    for (const side of ['middle', 'last'] as const) {
      await this.#chain[side].must('POST', '/_api/collection', { name: OWN_PREFIX + side });
    }
    await this.operations();
    for (const side of ['middle', 'last'] as const) await this.#followers[side].join();
    await this.#checkpoint();
  }

  async #checkpoint(): Promise<void> {
    const { middle, last } = this.#followers;
    if (await middle.settle()) this.breakLog('middle');
    await last.settle();
    await compareChain(this.#chain, this.world);
    this.#earlier.middle.push(await this.#chain.leader.api.lastLogTick());
    this.#earlier.last.push(await this.#chain.middle.api.lastLogTick());
  }
}

/** Both at the same time; the first failure counts when both have ended. */
async function beside(...running: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(running);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

const restart =
  (side: Side): Disturbance =>
  async (run) => {
    await beside(run.operations(), run.server(side).restart());
  };

/** Its applier stands still for a while, and what is its own is written. */
const pause =
  (side: Side): Disturbance =>
  async (run) => {
    await run.follower(side).stop();
    const path = `/_api/document?collection=${OWN_PREFIX}${side}`;
    await run.operations();
    await run.server(side).must('POST', path, { n: run.random.below(100) });
    await run.follower(side).start();
  };

/** Copies everything again, while the leader goes on. */
const join_ =
  (side: Side, how: 'sync' | 'make-follower'): Disturbance =>
  async (run) => {
    if (side === 'middle') run.breakLog('middle');
    await beside(run.operations(), run.follower(side).join(how));
    await run.operations(0.3);
  };

/** A copy of some collections, beside an applier that is to go on where it was. */
const copyPart =
  (side: Side): Disturbance =>
  async (run) => {
    const { random } = run;
    const follower = run.follower(side);
    const restrictCollections = NAMES.filter(() => random.percent(50));
    if (restrictCollections.length === 0) return;
    const restrictType = random.percent(50) ? 'include' : 'exclude';
    if (side === 'middle') run.breakLog('middle');
    await follower.stop();
    await run.operations();
    await beside(
      run.operations(0.3),
      follower.sync({ restrictType, restrictCollections, includeSystem: random.percent(50) }),
    );
    await run.operations(0.3);
    await follower.start();
  };

/** Reads the log again from an earlier place. */
const sendBack =
  (side: Side): Disturbance =>
  async (run) => {
    const from = run.earlier(side);
    await run.operations();
    if (from === undefined) return;
    await run.follower(side).stop();
    await run.follower(side).start(from);
    await run.operations(0.3);
  };

export const DISTURBANCES: Readonly<Record<string, Disturbance>> = {
  nothing: (run) => run.operations(2),
  'restart leader': async (run) => {
    await run.operations(0.5);
    await run.endTransactions();
    await run.server('leader').restart();
    await run.operations(0.5);
  },
  'restart middle': restart('middle'),
  'restart last': restart('last'),
  'pause middle': pause('middle'),
  'pause last': pause('last'),
  'sync middle': join_('middle', 'sync'),
  'sync last': join_('last', 'sync'),
  'make-follower middle': join_('middle', 'make-follower'),
  'make-follower last': join_('last', 'make-follower'),
  'leader logs nothing': async (run) => {
    await run.server('leader').must('PUT', '/_api/replication/logger-stop');
    run.breakLog('leader');
    await run.operations();
    await run.server('leader').must('PUT', '/_api/replication/logger-start');
    await run.operations(0.3);
  },
  // Nothing is lost by that.
  'logger restarted': async (run) => {
    await run.operations(0.3);
    await run.server('leader').must('PUT', '/_api/replication/logger-stop');
    await run.server('leader').must('PUT', '/_api/replication/logger-start');
    await run.operations(0.3);
  },
  'middle logs nothing': async (run) => {
    await run.server('middle').must('PUT', '/_api/replication/logger-stop');
    run.breakLog('middle');
    await run.operations(0.5);
    await run.server('middle').must('PUT', '/_api/replication/logger-start');
    await run.operations(0.3);
  },
  compaction: async (run) => {
    await run.operations();
    await compact(run);
    await run.operations(0.3);
  },
  'copy part middle': copyPart('middle'),
  'copy part last': copyPart('last'),
  'send back middle': sendBack('middle'),
  'send back last': sendBack('last'),
};

/** Much is superseded at once, and old; then journals are written anew. */
async function compact(run: ChainRun): Promise<void> {
  const leader = run.server('leader');
  const path = '/_api/document/churned?overwriteMode=replace';
  if (!run.world.named('churned')) {
    const { id } = await leader.must('POST', '/_api/collection', { name: 'churned' });
    run.world.add({ cid: String(id), name: 'churned', type: 2 });
  }
  run.world.named('churned')?.forget();
  for (let i = 0; i < 5; i++) {
    const documents = Array.from({ length: 300 }, (_, n) => ({ _key: `${n % 100}`, i }));
    await leader.must('POST', path, documents);
  }
  for (const name of ['leader', 'middle', 'last'] as const) run.server(name).skip(SKIP_MS);
  for (const deadlineMs = performance.now() + COMPACTED_MS; ;) {
    const { figures } = await leader.must('GET', '/_api/collection/churned/figures');
    const { dead } = figures as { dead: { count: number } };
    if (dead.count < DEAD_MIN) return;
    if (performance.now() > deadlineMs) throw new Error(`${dead.count} dead entries are left`);
    await sleep(POLL_MS);
  }
}

void DOWN_MAX_MS;
