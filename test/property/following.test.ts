import { expect, test } from 'vitest';
import { CatalogueTraffic, NAMES } from '../support/catalogue-traffic.ts';
import { LiveServer } from '../support/live-server.ts';
import { Random } from '../support/random.ts';

/** The long form: TICKLOG_FOLLOWING_SEEDS=100 npm test -- test/property/following */
const SEEDS = Number(process.env['TICKLOG_FOLLOWING_SEEDS'] ?? 4);
const FIRST_SEED = Number(process.env['TICKLOG_FOLLOWING_FIRST_SEED'] ?? 1);
const ROUNDS = 25;
const TIMEOUT_MS = 120_000;

/** Why an applier may stop that was sent back in the log: what is read again does not fit what is here. */
const LOST_PLACES: ReadonlySet<number> = new Set([1414]);

/** A leader whose collections take each other's names, and one that follows it in every way there is. */
class Following {
  readonly #leader: LiveServer;
  readonly #follower: LiveServer;
  readonly #random: Random;
  readonly #traffic: CatalogueTraffic;
  /** Ticks that the log may be replayed from: what the follower has is at least as new. */
  #earlier: bigint[] = [];
  stops = 0;

  constructor(deps: { leader: LiveServer; follower: LiveServer; random: Random }) {
    this.#leader = deps.leader;
    this.#follower = deps.follower;
    this.#random = deps.random;
    this.#traffic = new CatalogueTraffic({ server: deps.leader, random: deps.random });
  }

  async begin(): Promise<void> {
    await this.#follower.create('own');
    await this.#follower.put('own', 'x');
    await this.#follower.configure(this.#leader);
    await this.#traffic.run(20);
    await this.#follower.sync(this.#leader);
    await this.#follow();
  }

  /** Traffic, and then one thing that a follower in good order takes without a stop. */
  async forward(): Promise<void> {
    await this.#traffic.run(1 + this.#random.below(30));
    const share = this.#random.below(100);
    if (share < 50) await this.#followOrSync();
    else if (share < 65) await this.#follower.restart();
    else if (share < 80) await this.#restartLeader();
    else await this.#follower.sync(this.#leader);
  }

  async #restartLeader(): Promise<void> {
    await this.#leader.restart();
    await this.#follower.configure(this.#leader);
  }

  /** Traffic, and then one of the things of which an applier may say that it lost its place. */
  async wild(): Promise<void> {
    await this.#traffic.run(1 + this.#random.below(30));
    const share = this.#random.below(100);
    if (share < 40) return this.#followOrSync();
    if (share < 60) return this.#syncPart();
    if (share < 70) return this.forward();
    const from = this.#random.pick(this.#earlier);
    if (from !== undefined) await this.#followOrSync(from);
  }

  /** What is equal must be so whenever the applier runs and has caught up. */
  async #follow(from?: bigint): Promise<void> {
    await this.#follower.follow(this.#leader, from);
    const differences = await this.#follower.differences(this.#leader);
    expect(differences.filter((text) => !text.startsWith('own '))).toEqual([]);
    this.#earlier.push(await this.#leader.api.lastLogTick());
  }

  async #followOrSync(from?: bigint): Promise<void> {
    try {
      await this.#follow(from);
    } catch (error) {
      const state = await this.#follower.api.applierState();
      if (state.running || !LOST_PLACES.has(state.errorNum)) throw error;
      this.stops++;
      await this.#follower.sync(this.#leader);
      await this.#follow();
    }
  }

  async #syncPart(): Promise<void> {
    const restrictCollections = NAMES.filter(() => this.#random.percent(50));
    if (restrictCollections.length === 0) return;
    const restrictType = this.#random.percent(50) ? 'include' : 'exclude';
    await this.#follower.sync(this.#leader, { restrictType, restrictCollections });
  }

  async end(): Promise<void> {
    await this.#followOrSync();
    expect(await this.#follower.api.count('own')).toBe(1);
  }
}

const seeds = Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i);

async function openFollowing(
  seed: number,
): Promise<AsyncDisposable & { readonly following: Following }> {
  const leader = await LiveServer.start();
  const follower = await LiveServer.start();
  const following = new Following({ leader, follower, random: new Random(seed) });
  await following.begin();
  return {
    following,
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await leader[Symbol.asyncDispose]();
    },
  };
}

test.for(seeds)(
  'a follower never stops over names, and equals its leader after every sync and every piece of log (seed %i)',
  { timeout: TIMEOUT_MS },
  async (seed) => {
    await using opened = await openFollowing(seed);
    const { following } = opened;
    for (let round = 0; round < ROUNDS; round++) await following.forward();
    await following.end();
    expect(following.stops).toBe(0);
  },
);

test.for(seeds)(
  'copied in part or sent back in the log, it is equal or says that it lost its place (seed %i)',
  { timeout: TIMEOUT_MS },
  async (seed) => {
    await using opened = await openFollowing(seed);
    const { following } = opened;
    for (let round = 0; round < ROUNDS; round++) await following.wild();
    await following.end();
  },
);
