import { expect } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import type { Collection } from '../../src/documents/collection.ts';
import { startLogger } from '../../src/documents/databases.ts';
import type { Database } from '../../src/documents/database.ts';
import type { Applier } from '../../src/follower/applier.ts';
import { Appliers } from '../../src/follower/appliers.ts';
import { InitialSyncer } from '../../src/follower/initial-syncer.ts';
import { type LeaderServer, openLeaderServer } from '../support/leader-server.ts';
import { TestCore, type TestCoreOptions } from '../support/store.ts';
import { contentOf } from '../support/sync-follower.ts';

/** What the tests look at in a state. */
export interface SeenState {
  readonly running: boolean;
  readonly phase: string;
  readonly lastAppliedContinuousTick: string | null;
  readonly lastProcessedContinuousTick: string | null;
  readonly lastAvailableContinuousTick: string | null;
  readonly progress: { time: string; message?: string; failedConnects: number };
  readonly totalRequests: number;
  readonly totalFailedConnects: number;
  readonly totalEvents: number;
  readonly totalOperationsExcluded: number;
  readonly totalResyncs: number;
  readonly ticksBehind?: number | null;
  readonly secondsBehind?: number | null;
  readonly lastError: { errorNum: number; errorMessage?: string; time?: string };
  readonly whyStopped?: { errorNum: number; errorMessage: string };
  readonly whyWaiting?: { errorNum: number; errorMessage: string };
  readonly nextAttempt?: string;
  readonly lastErrors: readonly { errorNum: number; tick?: string; count?: number }[];
  readonly openTransactions: readonly Record<string, unknown>[];
}

const POLL_MS = 10;
const DEADLINE_MS = 20_000;

/** What a test may choose of a follower. */
export interface FollowerOptions extends TestCoreOptions {
  readonly logger?: Logger;
}

/** A follower: a core with its appliers, without HTTP of its own, that can be restarted. */
export class ApplierFollower implements AsyncDisposable {
  readonly core: TestCore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #appliers: Appliers;

  private constructor(core: TestCore, clock: Clock, logger: Logger) {
    this.core = core;
    this.#clock = clock;
    this.#logger = logger;
    this.#appliers = this.#newAppliers();
  }

  static async open(options: FollowerOptions = {}): Promise<ApplierFollower> {
    const { clock = systemClock, logger = silentLogger } = options;
    return new ApplierFollower(await TestCore.open({ ...options, clock }), clock, logger);
  }

  get appliers(): Appliers {
    return this.#appliers;
  }

  get database(): Database {
    return this.core.system;
  }

  get applier(): Applier {
    return this.#appliers.of(this.database);
  }

  get state(): SeenState {
    return this.applier.state().state as unknown as SeenState;
  }

  /** Configures and starts it; retries are quick. */
  async follow(
    endpoint: string,
    from: bigint | undefined,
    config: Record<string, unknown> = {},
  ): Promise<void> {
    await this.applier.configure({ endpoint, connectionRetryWaitTime: 0.05, ...config });
    await this.applier.start({ from });
  }

  /** Waits until the state is as wanted; fails with the last state when it never is. */
  async until(wanted: (state: SeenState) => boolean): Promise<SeenState> {
    const deadlineMs = performance.now() + DEADLINE_MS;
    for (;;) {
      const { state } = this;
      if (wanted(state)) return state;
      if (performance.now() > deadlineMs) throw new Error(`still ${JSON.stringify(state)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Waits until everything up to a tick is applied; fails at once when the applier stops. */
  async caughtUp(tick: bigint): Promise<SeenState> {
    const state = await this.until(
      ({ running, lastAppliedContinuousTick }) =>
        !running || BigInt(lastAppliedContinuousTick ?? 0) >= tick,
    );
    if (!state.running) throw new Error(`stopped: ${JSON.stringify(state)}`);
    return state;
  }

  /** Waits until it is at rest. */
  stopped(): Promise<SeenState> {
    return this.until(({ running }) => !running);
  }

  /** As after a restart of the process; starts what is to start by itself. */
  async restart(): Promise<void> {
    await this.#appliers.stopAll();
    await this.core.reopen();
    this.#appliers = this.#newAppliers();
    await this.#appliers.startOnBoot();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#appliers.stopAll();
    await this.core[Symbol.asyncDispose]();
  }

  #newAppliers(): Appliers {
    const { store, catalogue, collections, copies } = this.core;
    const deps = { store, catalogue, collections, logger: this.#logger, clock: this.#clock };
    return new Appliers(
      { ...deps, initialSyncer: new InitialSyncer({ ...deps, copies }) },
      { version: '1.4.3', transactionMaxBytes: 64 * 1024 * 1024 },
    );
  }
}

/** A real leader whose logger runs, and an empty follower. */
export interface Pair extends AsyncDisposable {
  readonly leader: LeaderServer;
  readonly follower: ApplierFollower;
  readonly endpoint: string;
  /** From where on the leader's log is complete. */
  readonly beginning: bigint;
  /** Newest tick of the leader's log. */
  readonly lastTick: () => bigint;
  /** Waits until the follower has applied all that the leader has logged by now. */
  readonly caughtUp: () => Promise<SeenState>;
  /** A collection on the leader. */
  readonly create: (name: string) => Promise<Collection>;
  /** Inserts or replaces a document on the leader. */
  readonly put: (collection: Collection, key: string, value: unknown) => Promise<unknown>;
}

export async function openPair(options: FollowerOptions = {}): Promise<Pair> {
  const leader = await openLeaderServer();
  await startLogger(leader.store, leader.database);
  const follower = await ApplierFollower.open(options);
  const lastTick = (): bigint => leader.database.changelog.state.lastTick;
  return {
    leader,
    follower,
    endpoint: `tcp://127.0.0.1:${leader.port}`,
    beginning: BigInt(leader.database.id),
    lastTick,
    caughtUp: () => follower.caughtUp(lastTick()),
    create: (name) => leader.collections.create(leader.database, { name }),
    put: (collection, key, value) =>
      leader.documents.insert(
        leader.database,
        collection,
        JSON.stringify({ _key: key, v: value }),
        { overwriteMode: 'replace' },
      ),
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await leader[Symbol.asyncDispose]();
    },
  };
}

/** What both sides hold must be the same, revisions, ids, indexes and properties included. */
export async function expectEqual({ leader, follower }: Pair): Promise<void> {
  const theirs = await contentOf(leader.store, leader.database);
  const ours = await contentOf(follower.core.store, follower.database);
  expect(ours).toEqual(theirs);
}
