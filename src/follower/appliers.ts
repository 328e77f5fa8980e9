import type { Logger } from '../base/logger.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import { Applier, type ApplierDeps, type ApplierOptions } from './applier.ts';
import type { ApplierStateDocument } from './applier-state.ts';
import { ACCEPTED_VERSIONS } from './leader-check.ts';

export type AppliersOptions = Pick<ApplierOptions, 'version' | 'transactionMaxBytes'> &
  Partial<ApplierOptions>;

/** The appliers of a server, one for each database. */
export class Appliers {
  readonly #deps: ApplierDeps & { readonly catalogue: Catalogue };
  readonly #options: ApplierOptions;
  readonly #logger: Logger;
  readonly #appliers = new Map<Database, Applier>();
  #stopped = false;

  constructor(deps: ApplierDeps & { readonly catalogue: Catalogue }, options: AppliersOptions) {
    this.#deps = deps;
    this.#options = { acceptedVersions: ACCEPTED_VERSIONS, ...options };
    this.#logger = deps.logger;
  }

  /**
   * The applier of a database.
   * @throws ServiceError databaseNotFound when it was dropped, shuttingDown after `stopAll`
   */
  of(database: Database): Applier {
    database.assertAlive();
    if (this.#stopped) throw new ServiceError('shuttingDown');
    let applier = this.#appliers.get(database);
    if (!applier) {
      applier = new Applier(this.#deps, this.#options, database);
      this.#appliers.set(database, applier);
    }
    return applier;
  }

  /** Has the state of a database tell why a copy of it failed; at the end of the server nobody asks for it. */
  syncFailed(database: Database, error: unknown): void {
    if (!database.dropped && !this.#stopped) this.of(database).syncFailed(error);
  }

  /** State of each applier that has a leader, or has had one, by the names of their databases. */
  get states(): readonly { readonly database: string; readonly state: ApplierStateDocument }[] {
    return [...this.#appliers].flatMap(([{ name, dropped }, applier]) => {
      const state = applier.state();
      const isOf = state.endpoint !== undefined || state.state.sync !== undefined;
      return dropped || !isOf ? [] : [{ database: name, state }];
    });
  }

  /** Names of the databases whose appliers run. */
  get running(): string[] {
    return [...this.#appliers].flatMap(([{ name }, { isRunning }]) => (isRunning ? name : []));
  }

  /**
   * Starts those that are to start with the server; one that cannot is logged and stays stopped.
   * @param resume names of databases whose appliers ran before the store was opened anew
   */
  async startOnBoot(resume: readonly string[] = []): Promise<void> {
    for (const database of this.#deps.catalogue.databases) {
      try {
        const applier = this.of(database);
        await (resume.includes(database.name) ? applier.start() : applier.startOnBoot());
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        this.#logger.error({ err: error, applier: database.name }, 'applier cannot be started');
      }
    }
  }

  /** Stops the applier of a database that is about to be dropped. */
  async release(database: Database): Promise<void> {
    const applier = this.#appliers.get(database);
    await applier?.stop();
    this.#appliers.delete(database);
  }

  /** Stops all of them, at the end of the server; resolves when everything begun is stored. */
  async stopAll(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#appliers.values()].map((applier) => applier.stop()));
  }
}
