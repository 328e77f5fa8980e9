import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Collections } from '../documents/collections.ts';
import type { Database } from '../documents/database.ts';
import { type ApplierConfig, DEFAULT_APPLIER_CONFIG } from '../model/applier-config.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import {
  type ConfigShape,
  applierConfigToWire,
  deleteApplierConfig,
  leaderConfig,
  loadApplierConfig,
  mergeApplierConfig,
  writeApplierConfig,
} from './applier-config.ts';
import { EndingRecord } from './applier-ending.ts';
import { askConfigured, copyConfigured } from './applier-leader.ts';
import {
  type ApplierEvent,
  type ApplierMachine,
  initialMachine,
  isRunning,
  machineAt,
  next,
} from './applier-machine.ts';
import { ApplierProgress } from './applier-progress.ts';
import { ApplierRun, reasonFor } from './applier-run.ts';
import { type ApplierStateDocument, applierStateDocument, withSyncs } from './applier-state.ts';
import { NO_FIGURES, addFigures } from './applier-totals.ts';
import { type Checkpoint, deleteCheckpoint, giveCheckpoint, knownPosition } from './checkpoint.ts';
import { ErrorHistory } from './error-history.ts';
import { errorFields } from './failure-log.ts';
import type { InitialSyncer, SyncResult } from './initial-syncer.ts';
import type { LeaderAccess } from './leader-access.ts';
import type { ReplicationFigures } from './replication-figures.ts';
import { Restriction } from './restriction.ts';
import { removeOrphans } from './staging.ts';

export interface ApplierDeps {
  readonly store: Store;
  readonly collections: Collections;
  /** Copies everything anew where the configuration says so. */
  readonly initialSyncer: InitialSyncer;
  readonly leaderAccess?: LeaderAccess | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Gets what all appliers do. */
  readonly figures?: ReplicationFigures | undefined;
}

export interface ApplierOptions {
  /** What the state says of this server. */
  readonly version: string;
  /** Versions of other servers that may be followed, by their beginnings. */
  readonly acceptedVersions: readonly string[];
  /** In bytes of lines; see PageApplierOptions. */
  readonly transactionMaxBytes: number;
}

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
  readonly #ending: EndingRecord;
  #machine: ApplierMachine;
  #config: ApplierConfig;
  #progress: ApplierProgress;
  readonly #errors: ErrorHistory;
  /** Of all runs that have ended. */
  #figures = NO_FIGURES;
  #failedTick: Tick | undefined;
  /** The copy that this database is being made a follower by. */
  #setup: symbol | undefined;
  #current: ApplierRun | undefined;
  #run: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(deps: ApplierDeps, options: ApplierOptions, database: Database) {
    this.#deps = deps;
    this.#options = options;
    this.#database = database;
    this.#logger = deps.logger.child({ applier: database.name });
    this.#ending = new EndingRecord({ store: deps.store, database });
    const { ending } = this.#ending;
    this.#machine = machineAt(ending, deps.clock.nowMs());
    this.#failedTick = ending?.failedTick;
    this.#errors = new ErrorHistory(deps);
    if (ending) this.#errors.note(ending.why, ending.failedTick, ending.atMs);
    this.#config = loadApplierConfig(deps.store, database.number);
    this.#progress = new ApplierProgress(deps, 'applier created');
  }

  /** Whether it follows, or tries to. */
  get isRunning(): boolean {
    return isRunning(this.#machine);
  }

  /** The configuration as GET shows it (contract 5.1). */
  config(shape: ConfigShape = '1.4'): Record<string, unknown> {
    return applierConfigToWire(this.#config, shape);
  }

  /**
   * Changes the configuration; resolves with the whole of it, as GET shows it.
   * @throws ServiceError applierRunning (1411), invalidApplierConfiguration (1410)
   */
  configure(
    body: Readonly<Record<string, unknown>>,
    shape: ConfigShape = '1.4',
  ): Promise<Record<string, unknown>> {
    return this.#inTurn(async () => {
      if (this.isRunning || this.#setup) throw new ServiceError('applierRunning');
      const { leaderAccess } = this.#deps;
      const config = mergeApplierConfig(this.#config, body, this.#database.name, leaderAccess);
      await this.#deps.store.commit(
        (tx) => {
          this.#database.assertAlive();
          writeApplierConfig(tx, this.#database.number, config);
        },
        { sync: true },
      );
      this.#config = config;
      return this.config(shape);
    });
  }

  /**
   * Starts; resolves before the leader is asked anything. Without effect while it runs.
   *
   * @param options.from begin after this tick and forget the stored position
   * @param options.barrierId a barrier on the leader to be moved along, and removed at the end
   * @throws ServiceError invalidApplierConfiguration (1410) without an endpoint, applierRunning (1411)
   *   while a sync of this database runs, badParameter (10) for tick 0, which is also what no number is
   *   read as, and for one above 2^63: then the stored position stays
   */
  start(
    options: { from?: Tick | undefined; barrierId?: string | undefined } = {},
  ): Promise<ApplierStateDocument> {
    return this.#inTurn(async () => {
      if (this.isRunning) return this.state();
      if (this.#config.endpoint === undefined) {
        const error = new ServiceError('invalidApplierConfiguration');
        this.#errors.note({ errorNum: error.errorNum, message: 'no endpoint configured' });
        throw error;
      }
      this.#assertNoSync();
      // What ended an earlier run may still be on its way out.
      await this.#run?.ended;
      if (options.from !== undefined) await this.#moveTo(options.from);
      await this.#ending.set(undefined);
      // One may have begun meanwhile.
      this.#assertNoSync();
      this.#begin(options.barrierId);
      return this.state();
    });
  }

  /**
   * Makes this database a follower (contract 3.8): forgets what the applier was set to and where it was, copies
   * everything, and follows from there on, also after a restart. The old data stays readable until the copy is complete;
   * settings and position are stored with it. Without it there are no settings; the next attempt goes on with the copy.
   *
   * @param body the settings; it starts with the server whatever they say
   * @param options.requestId of the request that somebody asked with, for the log
   * @throws ServiceError as `leaderConfig`, and as `askConfigured` where there is a leader to lose, which
   *   change nothing; as InitialSyncer.run; applierStopped (1412) when it was stopped, or somebody began anew
   */
  async follow(
    body: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
    { requestId }: { requestId?: string | undefined } = {},
  ): Promise<{ state: ApplierStateDocument; copied: SyncResult }> {
    const named = leaderConfig(body, this.#database.name, this.#deps.leaderAccess);
    const config = { ...named, autoStart: true };
    const logger = requestId === undefined ? this.#logger : this.#logger.child({ requestId });
    const deps = { ...this.#deps, database: this.#database, logger };
    if (this.#config.endpoint !== undefined) await askConfigured(deps, config, signal);
    const setup = Symbol('setup');
    await this.#inTurn(async () => {
      await this.#halt();
      // A position beyond an earlier copy says that it cannot be gone on with.
      if (this.#storedCheckpoint()) await this.#deps.initialSyncer.forget(this.#database);
      await this.#wipe();
      this.#setup = setup;
    });
    try {
      const copied = await copyConfigured(deps, { config, requestId }, signal);
      return await this.#inTurn(() => {
        this.#config = loadApplierConfig(this.#deps.store, this.#database.number);
        if (this.#setup !== setup) throw new ServiceError('applierStopped');
        this.#begin(copied.barrierId, logger);
        return Promise.resolve({ state: this.state(), copied });
      });
    } catch (error) {
      if (this.#setup === setup) this.#errors.note(reasonFor(error));
      throw error;
    } finally {
      if (this.#setup === setup) this.#setup = undefined;
    }
  }

  /**
   * Stops, a sync of this database as well, and resolves when everything begun is stored and nothing
   * runs any more. Idempotent.
   */
  stop(): Promise<ApplierStateDocument> {
    return this.#inTurn(async () => {
      await this.#halt();
      return this.state();
    });
  }

  /**
   * Stops, and forgets position, configuration and figures (contract 5.5), and what a sync that was
   * not finished has left.
   *
   * @throws ServiceError applierRunning (1411) when a sync begins at this moment
   */
  forget(): Promise<ApplierStateDocument> {
    return this.#inTurn(async () => {
      await this.#halt();
      await this.#deps.initialSyncer.forget(this.#database);
      await this.#wipe();
      return this.state();
    });
  }

  /** Notes why a copy of this database that it did not ask for was not finished. */
  syncFailed(error: unknown): void {
    this.#errors.syncFailed(reasonFor(error));
  }

  /** Starts if it is configured to, when the server does. */
  async startOnBoot(): Promise<void> {
    if (this.#config.autoStart && this.#config.endpoint !== undefined) await this.start();
  }

  /**
   * The state as of now (contract 5.4), with a sync of the database in numbers. At rest it shows one that
   * somebody asked for also as a phase and a progress message; what it does is no running of the applier.
   */
  state(): ApplierStateDocument {
    return withSyncs(this.#stateDocument(), this.#deps.initialSyncer, this.#database);
  }

  /** Bytes of the leader's log that were applied, as of now; begins anew when the applier is forgotten. */
  get appliedBytes(): number {
    return this.#progress.rates.appliedBytes;
  }

  #stateDocument(): ApplierStateDocument {
    const current = this.#current;
    return applierStateDocument({
      machine: this.#machine,
      config: this.#config,
      progress: this.#progress,
      checkpoint: current?.checkpoint ?? this.#storedCheckpoint(),
      failedTick: this.#failedTick,
      figures: addFigures(this.#figures, current?.figures),
      errors: this.#errors,
      nowMs: this.#deps.clock.nowMs(),
      server: { version: this.#options.version, serverId: this.#deps.store.server.serverId },
    });
  }

  /** Forgets the position for one that is given; whose it is shows when the leader is asked. */
  async #moveTo(tick: Tick): Promise<void> {
    const { store } = this.#deps;
    await store.commit((tx) => {
      this.#database.assertAlive();
      giveCheckpoint(tx, store, this.#database.number, tick);
    });
  }

  /** Forgets settings, position and figures. Nothing runs. */
  async #wipe(): Promise<void> {
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
    await this.#ending.set(undefined);
    await removeOrphans(store, number, []);
    this.#config = DEFAULT_APPLIER_CONFIG;
    this.#machine = initialMachine(clock.nowMs());
    this.#progress = new ApplierProgress(this.#deps);
    this.#errors.clear();
    this.#failedTick = undefined;
    this.#figures = NO_FIGURES;
  }

  /** @param logger of whoever asked for it */
  #begin(barrierId?: string, logger = this.#logger): void {
    const { restrictType, restrictCollections, includeSystem, allowWrites } = this.#config;
    const restriction = new Restriction(restrictType, restrictCollections, includeSystem);
    const run = new ApplierRun(
      {
        ...this.#deps,
        database: this.#database,
        logger: this.#logger,
        progress: this.#progress,
        onEvent: (event) => {
          this.#event(event);
          if (event.type === 'resync') this.#errors.note(event.why);
          if (event.type === 'lost') this.#errors.lost(event.why);
        },
        onIgnored: (error, tick) => this.#errors.ignored(reasonFor(error), tick),
        onDisplaced: (displaced) => this.#errors.displaced(displaced),
      },
      { ...this.#options, config: this.#config, restriction, barrierId },
    );
    const abort = new AbortController();
    this.#event({ type: 'start' });
    this.#errors.begin();
    this.#failedTick = undefined;
    if (!allowWrites) this.#database.writeGuard = (name) => restriction.accepts(name);
    this.#current = run;
    this.#run = { abort, ended: this.#work(run, abort.signal) };
    logger.info({ endpoint: this.#config.endpoint }, 'applier started');
  }

  async #halt(): Promise<void> {
    this.#setup = undefined;
    this.#event({ type: 'stop' });
    this.#run?.abort.abort();
    await this.#run?.ended;
    this.#run = undefined;
    await this.#deps.initialSyncer.stop(this.#database);
  }

  #assertNoSync(): void {
    if (this.#deps.initialSyncer.isRunning(this.#database)) {
      throw new ServiceError('applierRunning', 'a sync of this database is running');
    }
  }

  /** The whole of a run, to its end. Never rejects. */
  async #work(run: ApplierRun, signal: AbortSignal): Promise<void> {
    try {
      // The caller is to be answered first.
      await Promise.resolve();
      await run.run(signal);
      const stopped = new ServiceError('applierStopped');
      this.#errors.note(reasonFor(stopped));
      this.#event({ type: 'ended', why: reasonFor(stopped) });
      this.#logger.info({}, 'applier stopped');
    } catch (error) {
      this.#deps.store.health.note(error);
      this.#errors.note(reasonFor(error), run.failedTick);
      this.#event({ type: 'broke', why: reasonFor(error) });
      const tick = run.failedTick?.toString();
      this.#logger.error({ ...errorFields(error), tick }, 'applier stopped by an error');
    } finally {
      this.#takeFigures(run);
      this.#progress.say('applier stopped');
      this.#database.writeGuard = undefined;
    }
    try {
      await this.#ending.note(this.#machine, this.#failedTick);
    } catch (error) {
      this.#logger.error({ err: error }, 'why the applier stopped could not be stored');
    }
  }

  /** Keeps the figures of a run that has ended. */
  #takeFigures(run: ApplierRun): void {
    this.#figures = addFigures(this.#figures, run.figures);
    this.#failedTick = run.failedTick;
    this.#current = undefined;
  }

  #storedCheckpoint(): Checkpoint | undefined {
    return knownPosition(this.#deps.store, this.#database.number);
  }

  #event(event: ApplierEvent): void {
    this.#machine = next(this.#machine, event, this.#deps.clock.nowMs());
  }

  /** Runs one method after another. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
