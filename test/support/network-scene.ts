import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { type Fault, FaultyProxy } from './faulty-proxy.ts';
import { LiveServer } from './live-server.ts';
import { Random } from './random.ts';

/** Requests whose answers say who the leader is: misled they would prove that it is another one. */
const WHO = /logger-state|server-id/;
const SYNC_TRIES = 400;
const POLL_MS = 10;
const SILENCE_MS = 3000;

/** A leader, a follower, a network between them, and another leader that was never meant. */
export class NetworkScene implements AsyncDisposable {
  readonly leader: LiveServer;
  readonly follower: LiveServer;
  readonly other: LiveServer;
  readonly proxy: FaultyProxy;
  readonly random: Random;
  /** What the follower has logged as errors. */
  readonly logged: readonly object[];
  #written = 0;

  private constructor(
    servers: { leader: LiveServer; follower: LiveServer; other: LiveServer },
    proxy: FaultyProxy,
    random: Random,
    logged: readonly object[],
  ) {
    this.logged = logged;
    this.leader = servers.leader;
    this.follower = servers.follower;
    this.other = servers.other;
    this.proxy = proxy;
    this.random = random;
  }

  static async open(seed: number): Promise<NetworkScene> {
    const random = new Random(seed);
    const logged: object[] = [];
    const logger: Logger = {
      ...silentLogger,
      error: (context, message) => logged.push({ ...context, message }),
      child: () => logger,
    };
    const [leader, follower, other] = await Promise.all([
      LiveServer.start(),
      LiveServer.start({ logger }),
      LiveServer.start(),
    ]);
    const proxy = await FaultyProxy.open(leader.endpoint, random.fork());
    proxy.other = other.endpoint.replace('tcp:', 'http:');
    const scene = new NetworkScene({ leader, follower, other }, proxy, random, logged);
    await leader.create('c');
    await other.create('c');
    await other.put('c', 'strange');
    return scene;
  }

  /** Writes documents whose keys are numbers, one after another. */
  async write(count: number): Promise<void> {
    const keys = Array.from({ length: count }, () => String(++this.#written));
    await this.leader.put('c', ...keys);
  }

  /** Such faults befall a share of the requests, in percent; nobody is misled about who the leader is. */
  disturb(faults: readonly Fault[], share: number): void {
    this.proxy.choose = (_method, target) => {
      if (!this.random.percent(share)) return undefined;
      const fault = this.random.pick(faults);
      return fault === 'other leader' && WHO.test(target) ? undefined : fault;
    };
  }

  heal(): void {
    this.proxy.choose = () => undefined;
  }

  /** Copies over the network as often as it takes. @throws Error when it never succeeds */
  async copy(): Promise<void> {
    let last: unknown;
    // A sync waits 300 s for a leader that is silent (contract 3.7), and cannot be told to wait for less.
    const impatient = setInterval(() => this.proxy.cutAll(), SILENCE_MS);
    try {
      for (let tries = 0; tries < SYNC_TRIES; tries++) {
        try {
          const body = JSON.stringify({ endpoint: this.proxy.endpoint });
          await this.follower.api.http.json('PUT', '/_api/replication/sync', body);
          return;
        } catch (error) {
          last = error;
          await sleep(POLL_MS);
        }
      }
    } finally {
      clearInterval(impatient);
    }
    throw new Error('a copy never came to its end', { cause: last });
  }

  /** Follows over the network. */
  async follow(config: Record<string, unknown> = {}): Promise<void> {
    await this.follower.configure(this.leader, {
      ...{ endpoint: this.proxy.endpoint, requestTimeout: 0.6, maxConnectRetries: 0 },
      ...{ connectionRetryWaitTime: 0.05, chunkSize: 1000, ...config },
    });
    await this.follower.api.startApplier();
  }

  /**
   * What of the documents of `c` the follower has: they were written in order, and none was removed.
   * @throws Error when there is one too many or one was passed over
   */
  async applied(): Promise<number> {
    const { documents } = (await this.follower.api.http.json(
      'GET',
      '/_api/document?collection=c',
    )) as { documents: string[] };
    const numbers = documents.map((path) => Number(path.split('/').at(-1))).sort((a, b) => a - b);
    const at = numbers.findIndex((number, i) => number !== i + 1);
    if (at >= 0) throw new Error(`the follower has ${numbers[at] ?? ''} behind ${at}`);
    return numbers.length;
  }

  /** Looks at the follower again and again until `run` has ended. */
  async watching(run: Promise<void>): Promise<void> {
    let isDone = false;
    const watch = async (): Promise<void> => {
      while (!isDone) {
        await this.applied();
        await sleep(POLL_MS);
      }
    };
    const watched = watch();
    try {
      await run;
    } finally {
      isDone = true;
      await watched;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.follower[Symbol.asyncDispose]();
    await this.proxy[Symbol.asyncDispose]();
    await this.leader[Symbol.asyncDispose]();
    await this.other[Symbol.asyncDispose]();
  }
}
