import { setTimeout as sleep } from 'node:timers/promises';
import type { ChainServer } from './chain-server.ts';
import type { Random } from './random.ts';

/** How a follower is made one. */
export type Joining = 'sync' | 'make-follower';

interface State {
  readonly running: boolean;
  readonly phase: string;
  readonly appliedTick: bigint;
  readonly totalResyncs: number;
  readonly errorNum: number;
  readonly errorMessage: string;
}

/** The tick of the last entry of its log, or of the last that is missing behind it. */
export async function logEnd(server: ChainServer): Promise<bigint> {
  const { state } = await server.must('GET', '/_api/replication/logger-state');
  const { lastLogTick, holeAt } = state as { lastLogTick: string; holeAt: string };
  return BigInt(lastLogTick) > BigInt(holeAt) ? BigInt(lastLogTick) : BigInt(holeAt);
}

const CAUGHT_UP_MS = 60_000;
const POLL_MS = 5;
/** Told to stop, or never started. */
const AT_REST: ReadonlySet<number> = new Set([0, 1412]);

/** A server of a chain that follows the one before it. */
export class ChainFollower {
  readonly server: ChainServer;
  readonly upstream: ChainServer;
  readonly #random: Random;
  readonly #config: Readonly<Record<string, unknown>>;
  /** Errors with which it may stop, or copy everything anew, because of what was done. */
  readonly #excuses = new Set<number>();
  #resyncs = 0;
  #rejoins = 0;

  constructor(
    deps: { server: ChainServer; upstream: ChainServer; random: Random },
    config: Readonly<Record<string, unknown>>,
  ) {
    this.server = deps.server;
    this.upstream = deps.upstream;
    // How often it draws depends on the moment.
    this.#random = deps.random.fork();
    this.#config = config;
  }

  /** How often it had to be made a follower again, or saw to that itself. */
  get rejoins(): number {
    return this.#rejoins;
  }

  /** Whether something was done to it that may cost it its place. */
  get isExcused(): boolean {
    return this.#excuses.size > 0;
  }

  /** It may stop with one of these until it has caught up the next time. */
  excuse(...errorNums: readonly number[]): void {
    for (const each of errorNums) this.#excuses.add(each);
  }

  async join(how: Joining = this.#random.percent(50) ? 'sync' : 'make-follower'): Promise<void> {
    const { server, upstream } = this;
    const config = { ...this.#config, endpoint: upstream.endpoint };
    if (how === 'make-follower') {
      await server.must('PUT', '/_api/replication/make-follower', config);
    } else {
      await this.stop();
      await server.must('PUT', '/_api/replication/applier-config', config);
      await this.sync();
      await this.start();
    }
  }

  /** Copies the leader, or a part of it; the applier must stand still. */
  async sync(selection: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const body = { endpoint: this.upstream.endpoint, includeSystem: true, ...selection };
    await this.server.must('PUT', '/_api/replication/sync', body);
  }

  async stop(): Promise<void> {
    await this.server.must('PUT', '/_api/replication/applier-stop');
  }

  async start(from?: bigint): Promise<void> {
    const query = from === undefined ? '' : `?from=${from}`;
    await this.server.must('PUT', `/_api/replication/applier-start${query}`);
  }

  /**
   * Waits until all is applied that is in the leader's log now. One that stands still because it was told to
   * is started; one that has lost its place for a reason is made a follower again.
   * @returns whether everything was copied anew
   * @throws Error when it stops, or copies everything, for no reason
   */
  async settle(): Promise<boolean> {
    const tick = await logEnd(this.upstream);
    const deadlineMs = performance.now() + CAUGHT_UP_MS;
    let isCopied = false;
    for (;;) {
      const state = await this.#state();
      isCopied = this.#noteResyncs(state) || isCopied;
      // A copy is counted after it has moved the position.
      if (state.phase === 'tailing' && state.appliedTick >= tick) break;
      if (!state.running) isCopied = (await this.#revive(state)) || isCopied;
      if (performance.now() > deadlineMs) {
        throw new Error(
          `${this.server.name} is ${state.phase} at ${state.appliedTick} and not at ${tick}`,
        );
      }
      await sleep(POLL_MS);
    }
    this.#excuses.clear();
    return isCopied;
  }

  #noteResyncs({ totalResyncs, errorNum, errorMessage }: State): boolean {
    // They are counted from the start of the server.
    const before = totalResyncs < this.#resyncs ? 0 : this.#resyncs;
    this.#resyncs = totalResyncs;
    if (totalResyncs === before) return false;
    if (!this.isExcused) {
      throw new Error(`${this.server.name} copied everything: ${errorNum} ${errorMessage}`);
    }
    this.#rejoins++;
    return true;
  }

  async #revive({ errorNum, errorMessage }: State): Promise<boolean> {
    if (AT_REST.has(errorNum)) {
      await this.start();
      return false;
    }
    if (!this.#excuses.has(errorNum)) {
      throw new Error(`${this.server.name} has stopped: ${errorNum} ${errorMessage}`);
    }
    this.#rejoins++;
    await this.join();
    return true;
  }

  async #state(): Promise<State> {
    const { state } = await this.server.must('GET', '/_api/replication/applier-state');
    const wire = state as {
      running: boolean;
      phase: string;
      lastAppliedContinuousTick: string | null;
      totalResyncs: number;
      lastError: { errorNum: number; errorMessage?: string };
    };
    return {
      running: wire.running,
      phase: wire.phase,
      appliedTick: BigInt(wire.lastAppliedContinuousTick ?? 0),
      totalResyncs: wire.totalResyncs,
      errorNum: wire.lastError.errorNum,
      errorMessage: wire.lastError.errorMessage ?? '',
    };
  }
}
