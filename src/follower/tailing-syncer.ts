import type { Clock } from '../base/clock.ts';
import { sleep } from '../base/sleep.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { ApplierProgress } from './applier-progress.ts';
import { type Checkpoint, UNKNOWN_LEADER, readCheckpoint } from './checkpoint.ts';
import { LogGap, classify } from './classify.ts';
import { idleWaitMs } from './idle-wait.ts';
import type { LeaderState } from './leader-answers.ts';
import { LeaderAttempts } from './leader-attempts.ts';
import { checkLeader, holdsHistory } from './leader-check.ts';
import type { FollowForm } from './follow-target.ts';
import type { LeaderClient } from './leader-client.ts';
import type { LogPage } from './leader-page.ts';
import { LeaderCollections } from './leader-collections.ts';
import { type LeaderTraits, leaderTraits } from './leader-traits.ts';
import { PageApplier, type PageApplierDeps } from './page-applier.ts';
import { endOfPage, isLastPage } from './page-end.ts';
import type { Restriction } from './restriction.ts';
import { removeOrphans } from './staging.ts';
import { type StartingDeps, settlePosition } from './starting-point.ts';

export interface TailingDeps extends PageApplierDeps {
  readonly clock: Clock;
  readonly client: LeaderClient;
  readonly progress: ApplierProgress;
  /** Told when the leader answers as it should, at the start and after failures. */
  readonly onContact: () => void;
  /** Told of each failure after which it is tried again. */
  readonly onLost: (error: ServiceError) => void;
}

export interface TailingOptions {
  readonly config: ApplierConfig;
  readonly restriction: Restriction;
  readonly ownServerId: string;
  readonly acceptedVersions: readonly string[];
  readonly transactionMaxBytes: number;
  /** A barrier on the leader, to be moved along (contract 2.10). */
  readonly barrierId?: string | undefined;
  /** Events passed over earlier in this run of the applier, which count for `ignoreErrors`. */
  readonly ignoredBefore?: number;
}

/** A page, for how long the leader was asked to hold the request, and how long it took. */
interface Fetched {
  readonly page: LogPage;
  readonly holdMs: number;
  readonly tookMs: number;
}

const MIB = 1024 * 1024;
const CHUNK_BYTES = MIB;
const CHUNK_MAX_BYTES = 8 * MIB;
/** How long a leader of our kind is asked to hold a request. */
const WAIT_MAX_SECONDS = 20;
/** And where events may pass that are not shown: the position moves over them at the end of a wait. */
const WAIT_FILTERED_SECONDS = 2;
/** An answer without news that comes sooner than this was not held. */
const HELD_MS = 1000;
const NOT_HELD_PAUSE_MS = 500;

/**
 * Follows the log of a leader and applies it, page by page; the next page is fetched while the
 * present one is applied (contract 6.4, 6.5; design, section 5). One object for one run.
 */
export class TailingSyncer {
  readonly #deps: TailingDeps;
  readonly #options: TailingOptions;
  readonly #attempts: LeaderAttempts;
  #applier: PageApplier | undefined;
  #traits: LeaderTraits | undefined;
  #idleRounds = 0;
  /** Where regular following began: below it only what was open there counts. */
  #firstRegularTick: Tick = 0n;
  /** `lastScanned` of the last page. */
  #lastScanned: Tick = 0n;
  /** The run that wrote the last page, of which the leader knew nothing afterwards. */
  #disowned: string | undefined;
  /** Pages in a row that come from no run of the leader. */
  #strange = 0;

  constructor(deps: TailingDeps, options: TailingOptions) {
    this.#deps = deps;
    this.#options = options;
    const onAnswer = (): void => {
      // Before that it is not known to be the right one.
      if (this.#applier) deps.onContact();
    };
    this.#attempts = new LeaderAttempts({ ...deps, onAnswer }, options.config);
  }

  /** What applies the pages, once the leader is known to be the right one. */
  get applier(): PageApplier | undefined {
    return this.#applier;
  }

  /**
   * Follows from the stored position until the signal aborts, which resolves; what was begun is stored then.
   *
   * @throws ServiceError what ended it: noResponse or leaderError after too many attempts, leaderChanged,
   *   noStartTick, startTickNotPresent, invalidApplierState, what `checkLeader` refuses, and what the
   *   page applier stops with
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      const state = await this.#contact(signal);
      const traits = leaderTraits(state);
      this.#traits = traits;
      const checkpoint = await this.#begin(state, signal);
      this.#firstRegularTick = checkpoint.appliedTick;
      await removeOrphans(this.#deps.store, this.#deps.database.number, checkpoint.open);
      const { config, ignoredBefore = 0, ...options } = this.#options;
      this.#applier = new PageApplier(
        this.#deps,
        {
          ...options,
          ignoreErrors: Math.max(0, config.ignoreErrors - ignoredBefore),
          interleaved: traits.isInterleaved,
          equalTicks: traits.hasWalTail,
          knownTick: knownTick(state, checkpoint),
          theirs: new LeaderCollections(this.#deps, {
            id: state.serverId,
            database: this.#deps.client.database,
            incarnations: state.incarnations,
          }),
        },
        checkpoint,
      );
      this.#deps.onContact();
      await this.#follow(this.#applier, traits, signal);
    } catch (error) {
      if (classify(error, signal) !== 'abort') throw error;
    }
  }

  async #contact(signal: AbortSignal): Promise<LeaderState> {
    const { client } = this.#deps;
    const state = await this.#attempts.run(
      'fetching leader state information',
      () => client.state(signal),
      signal,
    );
    checkLeader(state, { ...this.#options, endpoint: client.endpoint });
    return state;
  }

  /** Finds where to begin. */
  async #begin(state: LeaderState, signal: AbortSignal): Promise<Checkpoint> {
    const { store, database, client } = this.#deps;
    const stored = readCheckpoint(store, database.number);
    if (!stored || stored.appliedTick === 0n) throw new ServiceError('noStartTick');
    if (stored.leaderId !== UNKNOWN_LEADER) {
      this.#assertHistory(state, stored, stored.processedTick);
    }
    const openTransactions: StartingDeps['openTransactions'] = (at) =>
      this.#attempts.run(
        'fetching open transactions of the leader',
        () => client.openTransactions(at, signal),
        signal,
      );
    return settlePosition({ ...this.#deps, openTransactions }, state, stored);
  }

  async #follow(applier: PageApplier, traits: LeaderTraits, signal: AbortSignal): Promise<void> {
    const leader = { traits, endpoint: this.#deps.client.endpoint };
    const fetching = new AbortController();
    const stop = (): void => fetching.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    let position = applier.checkpoint.processedTick;
    // Of a transaction that is open lines may have been left that share the tick of the last one.
    if (traits.hasWalTail && applier.checkpoint.open.length > 0) position--;
    let chunkBytes = this.#chunkBytes(0, false);
    let fetched = this.#fetch(position, chunkBytes, 0, fetching.signal);
    try {
      for (;;) {
        const { page, ...timing } = await fetched;
        signal.throwIfAborted();
        if (!(await this.#belongs(applier, page, position, signal))) {
          fetched = this.#fetch(position, chunkBytes, NOT_HELD_PAUSE_MS, fetching.signal);
          continue;
        }
        this.#assertNoGap(page, position);
        const next = endOfPage(page, position, leader);
        this.#lastScanned = page.lastScanned ?? 0n;
        const isEnd = isLastPage(page, next, traits);
        chunkBytes = this.#chunkBytes(chunkBytes, page.checkMore && next > position);
        const pauseMs = this.#pauseMs(page, next > position, timing);
        this.#deps.progress.available(page.lastTick, isEnd && next === position);
        const fetchNext = (): Promise<Fetched> =>
          this.#fetch(next, chunkBytes, pauseMs, fetching.signal);
        // Where there is more it is asked for first; at the end of the log nothing comes before what has come.
        if (page.checkMore) fetched = fetchNext();
        const isNews = next > position || page.body.length > 0;
        const applied = isNews ? this.#apply(applier, page, next, signal) : undefined;
        if (!page.checkMore) fetched = fetchNext();
        await applied;
        if (isEnd) await applier.settled();
        signal.throwIfAborted();
        this.#deps.progress.applied({ isEnd, committedAtMs: page.committedAtMs });
        position = next;
      }
    } finally {
      // A store that failed says so to whatever comes next.
      await applier.settled().catch(() => undefined);
      signal.removeEventListener('abort', stop);
      fetching.abort();
      // It ends at once; what it says no longer matters.
      await fetched.catch(() => undefined);
    }
  }

  /** Waits, then asks for the page after `from` until there is an answer. */
  #fetch(
    from: Tick,
    chunkSizeBytes: number,
    pauseMs: number,
    signal: AbortSignal,
  ): Promise<Fetched> {
    const { includeSystem } = this.#options.config;
    const { barrierId } = this.#options;
    const fetch = async (): Promise<Fetched> => {
      // Even a timer of no time would have the request wait until the page before is applied.
      if (pauseMs > 0) await sleep(pauseMs, signal);
      signal.throwIfAborted();
      let beganMs = 0;
      let holdMs = 0;
      const page = await this.#attempts.run(
        `fetching leader log from offset ${from}`,
        () => {
          beganMs = performance.now();
          const request = {
            from,
            chunkSizeBytes,
            waitSeconds: holdMs / 1000,
            // The default need not be said.
            includeSystem: includeSystem ? undefined : false,
            barrierId,
            form: this.#form(),
          };
          return this.#deps.client.follow(request, signal);
        },
        signal,
        () => (holdMs = this.#holdMs()),
      );
      const tookMs = performance.now() - beganMs;
      this.#deps.progress.timed('fetch', tookMs);
      return { page, holdMs, tookMs };
    };
    const fetched = fetch();
    // It is waited for when the page before is applied; until then nobody listens.
    fetched.catch(() => undefined);
    return fetched;
  }

  /** How the leader is asked for its log (contract 2.6, 7.2). */
  #form(): FollowForm | undefined {
    if (this.#traits?.hasWalTail === true) {
      return { kind: 'wal-tail', lastScanned: this.#lastScanned };
    }
    if (this.#traits?.listsOpenTransactions !== true) return undefined;
    const tids = this.#applier?.checkpoint.replay?.tids ?? [];
    return { kind: 'open-transactions', firstRegularTick: this.#firstRegularTick, tids };
  }

  async #apply(
    applier: PageApplier,
    page: LogPage,
    scannedTo: Tick,
    signal: AbortSignal,
  ): Promise<void> {
    const { figures, checkpoint } = applier;
    const beganMs = performance.now();
    await applier.apply({ scannedTo, ...page }, signal);
    const ms = performance.now() - beganMs;
    const done = { bytes: page.body.length, ms, ...applier.appliedSince(figures) };
    this.#deps.progress.page({ from: checkpoint.processedTick, to: scannedTo, ...done });
    if (!this.#options.config.verbose) return;
    this.#deps.logger.info({ to: scannedTo.toString(), ...done }, 'page applied');
  }

  /** How long the leader may hold the next request; not before it is known where its log ends. */
  #holdMs(): number {
    if (!this.#traits?.isTicklog || !this.#deps.progress.isCurrent) return 0;
    const { includeSystem, requestTimeout } = this.#options.config;
    const longest = includeSystem ? WAIT_MAX_SECONDS : WAIT_FILTERED_SECONDS;
    return Math.min(longest, (requestTimeout || Infinity) / 2) * 1000;
  }

  /**
   * Whether a page comes from the history that is followed. False when the run that wrote it is
   * itself gone, or it does not come from the leader at all: the page must be fetched again.
   * @throws ServiceError leaderChanged (1404) when the leader no longer has what was applied here,
   *   invalidResponse (1401) when that cannot be known after as many pages as it may be tried again
   */
  async #belongs(
    applier: PageApplier,
    page: LogPage,
    position: Tick,
    signal: AbortSignal,
  ): Promise<boolean> {
    const known = applier.incarnation;
    if (page.incarnation === known) {
      this.#strange = 0;
      return true;
    }
    const state = await this.#contact(signal);
    this.#assertHistory(state, applier.checkpoint, position, known);
    const { incarnation } = page;
    if (incarnation === undefined || incarnation === this.#disowned) {
      this.#noteStrange();
      return false;
    }
    if (!state.incarnations?.some(({ id }) => id === incarnation)) {
      this.#disowned = incarnation;
      return false;
    }
    this.#disowned = undefined;
    this.#strange = 0;
    applier.setIncarnation(incarnation);
    return true;
  }

  /** @throws ServiceError invalidResponse (1401) when there were too many */
  #noteStrange(): void {
    const { maxConnectRetries } = this.#options.config;
    const error = new ServiceError(
      'invalidResponse',
      `got invalid response from master at ${this.#deps.client.endpoint}: ` +
        'its pages do not come from one of its runs',
    );
    this.#strange++;
    if (maxConnectRetries > 0 && this.#strange > maxConnectRetries) throw error;
    this.#deps.onLost(error);
  }

  /** @throws ServiceError leaderChanged (1404): another server, or one put back to an older state */
  #assertHistory(
    state: LeaderState,
    { leaderId, incarnation: stored }: Checkpoint,
    tick: Tick,
    incarnation = stored,
  ): void {
    const { endpoint } = this.#deps.client;
    if (state.serverId !== leaderId) {
      throw new ServiceError(
        'leaderChanged',
        `got wrong server id ${state.serverId} from master at ${endpoint}, expecting ${leaderId}`,
      );
    }
    if (incarnation === undefined) return;
    if (holdsHistory(state.incarnations ?? [], incarnation, tick)) return;
    throw new ServiceError(
      'leaderChanged',
      `the leader at ${endpoint} was put back to an older state: it no longer has the history ` +
        `that was followed up to tick ${tick}; sync anew`,
    );
  }

  /** @throws ServiceError startTickNotPresent (1414) when events between position and page are lost */
  #assertNoGap(page: LogPage, position: Tick): void {
    if (page.fromPresent !== false) return;
    const { allowLogGap, requireFromPresent } = this.#options.config;
    if (this.#traits?.isTicklog === true ? allowLogGap : !requireFromPresent) {
      this.#deps.logger.warn({ position: position.toString() }, 'the log of the leader has a gap');
      return;
    }
    throw new ServiceError(
      'startTickNotPresent',
      `required tick ${position} is not present on master at ${this.#deps.client.endpoint}`,
      { cause: new LogGap() },
    );
  }

  #chunkBytes(present: number, more: boolean): number {
    const { chunkSize } = this.#options.config;
    if (chunkSize > 0) return chunkSize;
    return more ? Math.min(present * 2, CHUNK_MAX_BYTES) : CHUNK_BYTES;
  }

  #pauseMs(page: LogPage, worked: boolean, { holdMs, tookMs }: Omit<Fetched, 'page'>): number {
    if (worked) {
      this.#idleRounds = 0;
      return 0;
    }
    this.#idleRounds++;
    // One that is about to stop answers at once.
    if (this.#traits?.isTicklog === true)
      return holdMs > 0 && tookMs < HELD_MS ? NOT_HELD_PAUSE_MS : 0;
    const settings = { ...this.#options.config, classic: this.#traits?.isClassic === true };
    return idleWaitMs(this.#idleRounds, page.active !== false, settings);
  }
}

/** Only ticklog leaders tell in which history they are; lines of others come again after every copy. */
function knownTick({ serverId, incarnations = [] }: LeaderState, { known }: Checkpoint): Tick {
  if (known?.leaderId !== serverId) return 0n;
  return holdsHistory(incarnations, known.incarnation, known.tick) ? known.tick : 0n;
}
