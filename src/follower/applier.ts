import { Backoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import type { Collections } from '../documents/collections.ts';
import type { Database } from '../documents/database.ts';
import type { ApplierConfig } from '../model/applier-config.ts';
import { DEFAULT_APPLIER_CONFIG } from '../model/applier-config.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import {
  applierConfigToWire,
  deleteApplierConfig,
  loadApplierConfig,
  mergeApplierConfig,
  writeApplierConfig,
} from './applier-config.ts';
import {
  type ApplierEvent,
  type ApplierMachine,
  type Reason,
  initialMachine,
  isRunning,
  next,
} from './applier-machine.ts';
import { ApplierProgress } from './applier-progress.ts';
import { type ApplierStateDocument, type LastError, applierStateDocument } from './applier-state.ts';
import {
  type Checkpoint,
  checkpointAt,
  deleteCheckpoint,
  readCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { classify } from './classify.ts';
import type { InitialSyncer } from './initial-syncer.ts';
import { LeaderClient } from './leader-client.ts';
import { Restriction } from './restriction.ts';
import { removeOrphans } from './staging.ts';
import { TailingSyncer } from './tailing-syncer.ts';

export interface ApplierDeps {
  readonly store: Store;
  readonly collections: Collections;
  /** Copies everything anew where the configuration says so. */
  readonly initialSyncer: InitialSyncer;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ApplierOptions {
  /** What the state says of this server. */
  readonly version: string;
  /** Versions of other servers that may be followed, by their beginnings. */
  readonly acceptedVersions: readonly string[];
  /** In bytes of lines; see PageApplierOptions. */
  readonly transactionMaxBytes: number;
}

/** Resyncs closer together than this count as one series (contract 6.8). */
const RESYNC_SERIES_MS = 120_000;
const INTERNAL_ERROR = 4;

/**
 * Follows a leader on behalf of one database: keeps configuration and position, starts and stops
 * the loop, and tells the truth about it (contract 5; P9). Its methods take effect one after
 * another, in the order in which they were called.
 */
export class Applier {
  readonly #deps: ApplierDeps;
  readonly #options: ApplierOptions;
  readonly #database: Database;
  readonly #logger: Logger;
  #machine: ApplierMachine;
  #config: ApplierConfig;
  #progress: ApplierProgress;
  #lastError: LastError | undefined;
  #totalEvents = 0;
  #totalExcluded = 0;
  #totalResyncs = 0;
  #failedTick: Tick | undefined;
  #tailing: TailingSyncer | undefined;
  #run: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(deps: ApplierDeps, options: ApplierOptions, database: Database) {
    this.#deps = deps;
    this.#options = options;
    this.#database = database;
    this.#logger = deps.logger.child({ applier: database.name });
    this.#machine = initialMachine(deps.clock.nowMs());
    this.#config = loadApplierConfig(deps.store, database.number);
    this.#progress = new ApplierProgress(deps, 'applier created');
  }

  /** Whether it follows, or tries to. */
  get isRunning(): boolean {
    return isRunning(this.#machine);
  }

  /** The configuration as GET shows it (contract 5.1). */
  config(): Record<string, unknown> {
    return applierConfigToWire(this.#config);
  }

  /**
   * Changes the configuration; resolves with the whole of it, as GET shows it.
   * @throws ServiceError applierRunning (1411), invalidApplierConfiguration (1410)
   */
  configure(body: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    return this.#inTurn(async () => {
      if (this.isRunning) throw new ServiceError('applierRunning');
      const config = mergeApplierConfig(this.#config, body, this.#database.name);
      await this.#deps.store.commit(
        (tx) => {
          this.#database.assertAlive();
          writeApplierConfig(tx, this.#database.number, config);
        },
        { sync: true },
      );
      this.#config = config;
      return this.config();
    });
  }

  /**
   * Starts; resolves before the leader is asked anything. Without effect while it runs.
   *
   * @param options.from begin after this tick and forget the stored position
   * @throws ServiceError invalidApplierConfiguration (1410) without an endpoint, applierRunning (1411)
   *   while a sync of this database runs
   */
  start(options: { from?: Tick | undefined } = {}): Promise<ApplierStateDocument> {
    return this.#inTurn(async () => {
      if (this.isRunning) return this.state();
      if (this.#config.endpoint === undefined) {
        const error = new ServiceError('invalidApplierConfiguration');
        this.#noteError({ errorNum: error.errorNum, message: 'no endpoint configured' });
        throw error;
      }
      if (this.#deps.initialSyncer.isRunning(this.#database)) {
        throw new ServiceError('applierRunning', 'a sync of this database is running');
      }
      // What ended an earlier run may still be on its way out.
      await this.#run?.ended;
      this.#begin(options.from);
      return this.state();
    });
  }

  /** Stops, and resolves when everything begun is stored and nothing runs any more. Idempotent. */
  stop(): Promise<ApplierStateDocument> {
    return this.#inTurn(async () => {
      await this.#halt();
      return this.state();
    });
  }

  /** Stops, and forgets position, configuration and figures (contract 5.5). */
  forget(): Promise<ApplierStateDocument> {
    return this.#inTurn(async () => {
      await this.#halt();
      const { store, clock } = this.#deps;
      const { number } = this.#database;
      await store.commit(
        (tx) => {
          this.#database.assertAlive();
          deleteCheckpoint(tx, number);
          deleteApplierConfig(tx, number);
        },
        { sync: true },
      );
      await removeOrphans(store, number, []);
      this.#config = DEFAULT_APPLIER_CONFIG;
      this.#machine = initialMachine(clock.nowMs());
      this.#progress = new ApplierProgress(this.#deps);
      this.#lastError = undefined;
      this.#failedTick = undefined;
      this.#totalEvents = this.#totalExcluded = this.#totalResyncs = 0;
      return this.state();
    });
  }

  /** Starts if it is configured to, when the server does. */
  async startOnBoot(): Promise<void> {
    if (this.#config.autoStart && this.#config.endpoint !== undefined) await this.start();
  }

  /** The state as of now (contract 5.4). */
  state(): ApplierStateDocument {
    const running = this.#tailing?.applier;
    return applierStateDocument({
      machine: this.#machine,
      config: this.#config,
      progress: this.#progress,
      checkpoint: running?.checkpoint ?? this.#storedCheckpoint(),
      failedTick: this.#failedTick,
      totalEvents: this.#totalEvents + (running?.figures.events ?? 0),
      totalExcluded: this.#totalExcluded + (running?.figures.excluded ?? 0),
      totalResyncs: this.#totalResyncs,
      lastError: this.#lastError,
      nowMs: this.#deps.clock.nowMs(),
      server: { version: this.#options.version, serverId: this.#deps.store.server.serverId },
    });
  }

  #begin(from: Tick | undefined): void {
    const { allowWrites } = this.#config;
    const restriction = this.#restriction();
    this.#event({ type: 'start' });
    this.#lastError = undefined;
    this.#failedTick = undefined;
    if (!allowWrites) this.#database.writeGuard = (name) => restriction.accepts(name);
    const abort = new AbortController();
    this.#run = { abort, ended: this.#work(from, restriction, abort.signal) };
    this.#logger.info({ endpoint: this.#config.endpoint, from: from?.toString() }, 'applier started');
  }

  async #halt(): Promise<void> {
    this.#event({ type: 'stop' });
    this.#run?.abort.abort();
    await this.#run?.ended;
    this.#run = undefined;
  }

  /** The whole of a run, to its end. Never rejects. */
  async #work(from: Tick | undefined, restriction: Restriction, signal: AbortSignal): Promise<void> {
    let client: LeaderClient | undefined;
    try {
      // The caller is to be answered first.
      await Promise.resolve();
      client = this.#client();
      await this.#followOrResync(client, restriction, from, signal);
      const stopped = new ServiceError('applierStopped');
      this.#noteError(stopped);
      this.#event({ type: 'ended', why: reasonFor(stopped) });
      this.#logger.info({}, 'applier stopped');
    } catch (error) {
      this.#noteError(error);
      this.#event({ type: 'broke', why: reasonFor(error) });
      this.#logger.error({ err: error }, 'applier stopped by an error');
    } finally {
      this.#takeFigures();
      this.#progress.say('applier stopped');
      this.#database.writeGuard = undefined;
      await client?.close();
    }
  }

  async #followOrResync(
    client: LeaderClient,
    restriction: Restriction,
    from: Tick | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const resyncs = { count: 0, lastMs: -Infinity };
    for (let start = from; ; start = undefined) {
      try {
        await this.#tail(client, restriction, start, signal);
        return;
      } catch (error) {
        if (classify(error, signal) !== 'resync' || !this.#mayResync(resyncs)) throw error;
        this.#noteError(error);
        this.#logger.warn({ err: error }, 'the position is lost; everything is copied anew');
      }
      this.#takeFigures();
      if (!(await this.#resync(client, signal))) return;
    }
  }

  async #tail(
    client: LeaderClient,
    restriction: Restriction,
    from: Tick | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    this.#tailing = new TailingSyncer(
      {
        ...this.#deps,
        database: this.#database,
        logger: this.#logger,
        client,
        progress: this.#progress,
        onContact: () => {
          this.#event({ type: 'contacted' });
        },
        onLost: (error) => {
          this.#event({ type: 'lost', why: reasonFor(error) });
          this.#logger.warn({ err: error }, 'the leader cannot be reached; trying again');
        },
      },
      {
        ...this.#options,
        config: this.#config,
        restriction,
        ownServerId: this.#deps.store.server.serverId,
      },
    );
    await this.#tailing.run(from, signal);
  }

  #mayResync(resyncs: { count: number; lastMs: number }): boolean {
    const { autoResync, autoResyncRetries } = this.#config;
    const nowMs = this.#deps.clock.nowMs();
    if (nowMs - resyncs.lastMs > RESYNC_SERIES_MS) resyncs.count = 0;
    resyncs.lastMs = nowMs;
    resyncs.count++;
    return autoResync && resyncs.count <= autoResyncRetries;
  }

  /** Copies everything anew, with the position in the same batch; false after an abort. */
  async #resync(client: LeaderClient, signal: AbortSignal): Promise<boolean> {
    const { restrictType, restrictCollections, includeSystem, maxConnectRetries } = this.#config;
    const retryMaxMs = Math.max(1, this.#config.connectionRetryWaitTime * 1000);
    const backoff = new Backoff({ baseMs: Math.min(1000, retryMaxMs), maxMs: retryMaxMs });
    for (let failures = 1; ; failures++) {
      this.#event({ type: 'resync' });
      try {
        await this.#deps.initialSyncer.run(
          this.#database,
          {
            client,
            restrictType,
            restrictCollections,
            includeSystem,
            onProgress: (message) => {
              this.#progress.say(message);
            },
            onSwitch: (tx, position) => {
              writeCheckpoint(tx, this.#database.number, checkpointAt(position, tx.timeMs));
            },
          },
          signal,
        );
        this.#totalResyncs++;
        this.#event({ type: 'synced' });
        return true;
      } catch (error) {
        const verdict = classify(error, signal);
        if (verdict === 'abort') return false;
        if (verdict !== 'retry') throw error;
        this.#progress.failed();
        if (maxConnectRetries > 0 && failures > maxConnectRetries) throw error;
        this.#event({ type: 'lost', why: reasonFor(error) });
        await sleep(backoff.nextMs(), signal);
        if (signal.aborted) return false;
      }
    }
  }

  /** Keeps the figures of a tailing syncer that has ended. */
  #takeFigures(): void {
    const applier = this.#tailing?.applier;
    this.#tailing = undefined;
    if (!applier) return;
    this.#totalEvents += applier.figures.events;
    this.#totalExcluded += applier.figures.excluded;
    this.#failedTick = applier.failedTick;
  }

  #client(): LeaderClient {
    const { endpoint = '', database, username, password, ...config } = this.#config;
    return new LeaderClient(
      { logger: this.#logger },
      {
        endpoint,
        database: database ?? this.#database.name,
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
        requestTimeoutMs: config.requestTimeout * 1000,
        connectTimeoutMs: config.connectTimeout * 1000,
        ownServerId: this.#deps.store.server.serverId,
        pageMaxBytes: config.maxPacketSize,
      },
    );
  }

  #restriction(): Restriction {
    const { restrictType, restrictCollections, includeSystem } = this.#config;
    return new Restriction(restrictType, restrictCollections, includeSystem);
  }

  #storedCheckpoint(): Checkpoint | undefined {
    try {
      return readCheckpoint(this.#deps.store, this.#database.number);
    } catch (error) {
      // A state must be shown also then; the start is what fails with 1407.
      if (error instanceof ServiceError) return undefined;
      throw error;
    }
  }

  #event(event: ApplierEvent): void {
    this.#machine = next(this.#machine, event, this.#deps.clock.nowMs());
  }

  #noteError(error: unknown): void {
    const reason = isReason(error) ? error : reasonFor(error);
    this.#lastError = { ...reason, atMs: this.#deps.clock.nowMs() };
  }

  /** Runs one method after another. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

function isReason(value: unknown): value is Reason {
  return typeof value === 'object' && value !== null && !(value instanceof Error);
}

function reasonFor(error: unknown): Reason {
  if (error instanceof ServiceError) return { errorNum: error.errorNum, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { errorNum: INTERNAL_ERROR, message };
}
