import type { LoggerConfig } from '../model/logger-config.ts';
import type { Tick } from '../model/tick.ts';
import { Header } from '../protocol/headers.ts';
import type {
  Inventory,
  LoggerStatus,
  LogState,
  OpenTransactions,
  TickRange,
} from './replication-types.ts';
import type { RequestOptions, Scope } from './scope.ts';

const BASE = '/_api/replication';

/** The logger of a database: what writes the log of changes (contract 2). */
export class LoggerClient {
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }) {
    this.#scope = deps.scope;
  }

  async start(options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('PUT', `${BASE}/logger-start`, options);
  }

  /** What is changed from then on reaches no follower, until the next start. */
  async stop(options: RequestOptions = {}): Promise<void> {
    await this.#scope.json('PUT', `${BASE}/logger-stop`, options);
  }

  state(options: RequestOptions = {}): Promise<LoggerStatus> {
    return this.#status('GET', options);
  }

  /**
   * Forgets a client of the log, so that nothing is kept for it any more; one that asks again is known again.
   * @throws TicklogError notFound (404) for one that is not known
   */
  forget(client: string, options: RequestOptions = {}): Promise<LoggerStatus> {
    return this.#status('DELETE', { ...options, query: { client } });
  }

  async #status(
    method: 'GET' | 'DELETE',
    options: RequestOptions & { query?: { client: string } },
  ): Promise<LoggerStatus> {
    const status = await this.#scope.json<LoggerStatus>(method, `${BASE}/logger-state`, options);
    return {
      ...status,
      state: logState(this.#scope, status.state),
      server: {
        ...status.server,
        incarnations: status.server.incarnations.map((run) => ({
          ...run,
          firstTick: this.#scope.tick(run.firstTick, 'firstTick'),
          foundTick: this.#scope.tick(run.foundTick, 'foundTick'),
        })),
      },
      clients: status.clients.map((client) => ({
        ...client,
        lastServedTick: this.#scope.tick(client.lastServedTick, 'lastServedTick'),
        from: this.#scope.tick(client.from, 'from'),
      })),
    };
  }

  config(options: RequestOptions = {}): Promise<LoggerConfig> {
    return this.#scope.json('GET', `${BASE}/logger-config`, options);
  }

  /** Resolves with all settings as they are then. */
  configure(changes: Partial<LoggerConfig>, options: RequestOptions = {}): Promise<LoggerConfig> {
    return this.#scope.json('PUT', `${BASE}/logger-config`, { ...options, body: changes });
  }

  /** Tick of the oldest event held, null when there is none. */
  async firstTick(options: RequestOptions = {}): Promise<Tick | null> {
    const path = `${BASE}/logger-first-tick`;
    const { firstTick } = await this.#scope.json<{ firstTick: unknown }>('GET', path, options);
    return this.#scope.tickOrNull(firstTick, 'firstTick');
  }

  /** The stretches of the log, in its order; none when it holds no event. */
  async tickRanges(options: RequestOptions = {}): Promise<readonly TickRange[]> {
    const path = `${BASE}/logger-tick-ranges`;
    const ranges = await this.#scope.json<TickRange[]>('GET', path, options);
    return ranges.map((range) => ({
      ...range,
      tickMin: this.#scope.tick(range.tickMin, 'tickMin'),
      tickMax: this.#scope.tick(range.tickMax, 'tickMax'),
    }));
  }

  /** Which transactions a part of the log cuts off (contract 2.9). */
  async openTransactions(
    options: RequestOptions & {
      /** Exclusive; 0 by default. */
      from?: Tick | undefined;
      /** Inclusive; the newest event by default. */
      to?: Tick | undefined;
    } = {},
  ): Promise<OpenTransactions> {
    const { signal, ...query } = options;
    const path = `${BASE}/determine-open-transactions`;
    const answer = await this.#scope.send('GET', path, { query, signal });
    return {
      ids: this.#scope.parsed(answer),
      resumeAfter: this.#scope.tick(answer.headers[Header.lastTick], Header.lastTick),
      isFromPresent: answer.headers[Header.fromPresent] === 'true',
    };
  }
}

/** See `DatabaseClient.inventory`. */
export async function readInventory(
  scope: Scope,
  options: RequestOptions & { includeSystem?: boolean | undefined },
): Promise<Inventory> {
  const { signal, includeSystem } = options;
  const call = { query: { includeSystem }, signal };
  const inventory = await scope.json<Inventory>('GET', `${BASE}/inventory`, call);
  return {
    collections: inventory.collections,
    state: logState(scope, inventory.state),
    tick: scope.tick(inventory.tick, 'tick'),
  };
}

function logState(scope: Scope, state: LogState): LogState {
  return {
    ...state,
    lastLogTick: scope.tick(state.lastLogTick, 'lastLogTick'),
    lastUncommittedLogTick: scope.tick(state.lastUncommittedLogTick, 'lastUncommittedLogTick'),
    firstTick: scope.tick(state.firstTick, 'firstTick'),
    holeAt: scope.tick(state.holeAt, 'holeAt'),
  };
}
