import type { Tick } from '../model/tick.ts';
import type {
  ApplierChanges,
  ApplierSettings,
  ApplierStatus,
  FollowerStatus,
  LeaderSelection,
  SyncResult,
} from './replication-types.ts';
import { type Job, startJob } from './job.ts';
import type { RequestOptions, Scope, ScopedCall } from './scope.ts';

const BASE = '/_api/replication';

/** The applier of a database: what follows a leader (contract 5). */
export class ApplierClient {
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }) {
    this.#scope = deps.scope;
  }

  config(options: RequestOptions = {}): Promise<ApplierSettings> {
    return this.#scope.json('GET', `${BASE}/applier-config`, options);
  }

  /**
   * Changes settings. The leader's database becomes that of this name unless it is among them.
   * @throws TicklogError invalidApplierConfiguration (1410), applierRunning (1411)
   */
  configure(changes: ApplierChanges, options: RequestOptions = {}): Promise<ApplierSettings> {
    return this.#scope.json('PUT', `${BASE}/applier-config`, { ...options, body: changes });
  }

  /** @param options.from where to begin, such as `lastLogTick` of a sync; where it was by default */
  start(options: RequestOptions & { from?: Tick | undefined } = {}): Promise<ApplierStatus> {
    const { signal, from } = options;
    return this.#status('PUT', 'applier-start', { query: { from }, signal });
  }

  /** Resolves when it has stopped. Ends a running sync, too. */
  stop(options: RequestOptions = {}): Promise<ApplierStatus> {
    return this.#status('PUT', 'applier-stop', { ...options, extraMs: Infinity });
  }

  state(options: RequestOptions = {}): Promise<ApplierStatus> {
    return this.#status('GET', 'applier-state', options);
  }

  /** Forgets settings and position. @throws TicklogError applierRunning (1411) */
  forget(options: RequestOptions = {}): Promise<ApplierStatus> {
    return this.#status('DELETE', 'applier-state', options);
  }

  async #status(method: 'GET' | 'PUT' | 'DELETE', name: string, call: ScopedCall) {
    const status = await this.#scope.json<ApplierStatus>(method, `${BASE}/${name}`, call);
    return applierStatus(this.#scope, status);
  }
}

/** See `DatabaseClient.sync`. */
export async function sync(
  scope: Scope,
  leader: LeaderSelection,
  options: RequestOptions,
): Promise<SyncResult> {
  const call = { ...options, body: leader, extraMs: Infinity };
  return syncResult(scope, await scope.json<SyncResult>('PUT', `${BASE}/sync`, call));
}

/** See `DatabaseClient.startSync`. */
export function startSync(
  scope: Scope,
  leader: LeaderSelection,
  options: RequestOptions,
): Promise<Job<SyncResult>> {
  const call = { ...options, body: leader };
  return startJob(scope, 'PUT', `${BASE}/sync`, call, (answer) => {
    return syncResult(scope, scope.parsed(answer));
  });
}

/** See `DatabaseClient.makeFollower`. */
export async function makeFollower(
  scope: Scope,
  leader: LeaderSelection & ApplierChanges,
  options: RequestOptions,
): Promise<FollowerStatus> {
  const call = { ...options, body: leader, extraMs: Infinity };
  return followerStatus(scope, await scope.json('PUT', `${BASE}/make-follower`, call));
}

/** See `DatabaseClient.startMakeFollower`. */
export function startMakeFollower(
  scope: Scope,
  leader: LeaderSelection & ApplierChanges,
  options: RequestOptions,
): Promise<Job<FollowerStatus>> {
  const call = { ...options, body: leader };
  return startJob(scope, 'PUT', `${BASE}/make-follower`, call, (answer) => {
    return followerStatus(scope, scope.parsed(answer));
  });
}

function syncResult(scope: Scope, result: SyncResult): SyncResult {
  return { ...result, lastLogTick: scope.tick(result.lastLogTick, 'lastLogTick') };
}

function followerStatus(scope: Scope, status: FollowerStatus): FollowerStatus {
  return { ...applierStatus(scope, status), copied: syncResult(scope, status.copied) };
}

function applierStatus(scope: Scope, status: ApplierStatus): ApplierStatus {
  const { state } = status;
  const { lastIgnoredError: ignored } = state;
  const tick = (name: keyof typeof state & `${string}Tick`): Tick | null =>
    scope.tickOrNull(state[name], name);
  return {
    ...status,
    state: {
      ...state,
      lastAppliedContinuousTick: tick('lastAppliedContinuousTick'),
      lastProcessedContinuousTick: tick('lastProcessedContinuousTick'),
      lastAvailableContinuousTick: tick('lastAvailableContinuousTick'),
      safeResumeTick: tick('safeResumeTick'),
      ...(ignored && {
        lastIgnoredError: { ...ignored, tick: scope.tick(ignored.tick, 'lastIgnoredError') },
      }),
      lastErrors: state.lastErrors.map(({ tick: about, ...error }) => ({
        ...error,
        ...(about === undefined ? {} : { tick: scope.tick(about, 'lastErrors') }),
      })),
      openTransactions: state.openTransactions.map((open) => ({
        ...open,
        startTick: scope.tick(open.startTick, 'startTick'),
      })),
    },
  };
}
