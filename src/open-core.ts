import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { type Access, openAccess } from './access/access.ts';
import { ensureRoot } from './access/root-user.ts';
import { passingSecret, readSecretFile, tokenSecret } from './access/secret-file.ts';
import { type Clock, systemClock } from './base/clock.ts';
import type { LogLevels } from './base/log-levels.ts';
import type { Logger } from './base/logger.ts';
import { once } from './base/once.ts';
import { filesNamed, type ServerConfig } from './config/server-config.ts';
import { isLoopback } from './config/value-type.ts';
import { Catalogue } from './documents/catalogue.ts';
import { Checksums } from './documents/checksum.ts';
import { Collections } from './documents/collections.ts';
import { Databases } from './documents/databases.ts';
import { DocumentArrays } from './documents/document-arrays.ts';
import { Documents } from './documents/documents.ts';
import { CollectionCopies } from './documents/collection-copy.ts';
import { Importer } from './documents/import.ts';
import { StreamTransactions } from './documents/stream-transactions.ts';
import { Maintenance } from './documents/maintenance.ts';
import { Appliers } from './follower/appliers.ts';
import { InitialSyncer } from './follower/initial-syncer.ts';
import type { LeaderAccess } from './follower/leader-access.ts';
import { readTrust } from './follower/leader-tls.ts';
import { Mending } from './follower/mending.ts';
import { ReplicationFigures } from './follower/replication-figures.ts';
import { Verification } from './follower/verification.ts';
import { createApp } from './http/app.ts';
import type { ApiRouter } from './http/context.ts';
import { cursorRoutes, simpleRoutes } from './http/cursor-routes.ts';
import { Jobs } from './http/jobs.ts';
import { logRoutes } from './http/log-routes.ts';
import { metricsRoutes } from './http/metrics-routes.ts';
import type { RequestFigures } from './http/request-figures.ts';
import { applierCommands } from './http/replication-applier.ts';
import { replicationDispatch } from './http/replication-dispatch.ts';
import { makeFollowerCommands } from './http/replication-make-follower.ts';
import { mendCommands } from './http/replication-mend.ts';
import { leaderCommands } from './http/replication-leader.ts';
import { restoreCommands } from './http/replication-restore.ts';
import { syncCommands } from './http/replication-sync.ts';
import { verifyCommands } from './http/replication-verify.ts';
import { startStatusPage } from './http/status-page.ts';
import { walLogRoutes } from './http/wal-routes.ts';
import { Leader } from './leader/leader.ts';
import { Restore } from './leader/restore.ts';
import { ServiceError } from './model/errors.ts';
import { DEFAULT_LOGGER_CONFIG } from './model/logger-config.ts';
import { ServerMetrics } from './metrics/server-metrics.ts';
import { Store } from './storage/store.ts';
import type { ServerCore } from './server-core.ts';

const MAINTENANCE_INTERVAL_MS = 1000;
const REMOVAL_AGE_MS = 60 * 60 * 1000;
/** Requests that nobody waits for and that still run when a stop has waited this long are told to end. */
const STOP_GRACE_MS = 3000;

/** What a server is started with besides its configuration. */
export interface StartDeps {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Of this program, shown by `/_api/version?details=true`. */
  readonly version?: string;
}

/** What outlives a core: it is opened anew when the disk was full. */
export interface CoreOptions {
  /** Databases whose appliers are to be started besides those that start by themselves. */
  readonly resume: readonly string[];
  /** Aborted when the server is about to stop, before anything ends. */
  readonly leaving: AbortSignal;
  /** How much is logged. */
  readonly levels: LogLevels;
  readonly requests: RequestFigures;
}

/** Opens the store, and starts everything that works on it. @throws as `startServer` */
export async function openCore(
  deps: StartDeps,
  config: ServerConfig,
  { resume, ...kept }: CoreOptions,
): Promise<ServerCore> {
  const { logger, version = 'unknown' } = deps;
  const clock = deps.clock ?? systemClock;
  const stopping = new AbortController();
  const deadline = new AbortController();
  const store = await Store.open(
    { clock, logger },
    {
      directory: config.databaseDirectory,
      alwaysSync: config.sync === 'always',
      newServerId: config.newServerId,
      knownFiles: filesNamed(config),
    },
  );
  const closers: (() => Promise<void> | void)[] = [() => store.close()];
  const close = once(async () => {
    stopping.abort();
    await closeAll(closers);
  });
  try {
    const parts = { store, clock, logger, stopping, deadline, closers, version, ...kept };
    const { listener, appliers } = await compose(parts, config);
    await appliers.startOnBoot(resume);
    return {
      listener,
      serverId: store.server.serverId,
      failed: store.failed,
      runningAppliers: () => appliers.running,
      beginStop: () => stopping.abort(),
      endRequests: () => deadline.abort(new ServiceError('shuttingDown')),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What was opened last is closed first; the first failure is thrown when all are closed. */
async function closeAll(closers: readonly (() => Promise<void> | void)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

interface Parts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stopping: AbortController;
  readonly deadline: AbortController;
  readonly leaving: AbortSignal;
  readonly levels: LogLevels;
  readonly requests: RequestFigures;
  readonly version: string;
  /** What a stop has to do, in the order of the start. */
  readonly closers: (() => Promise<void> | void)[];
}

/** Builds everything between store and listener. */
async function compose(
  parts: Parts,
  config: ServerConfig,
): Promise<{ listener: RequestListener; appliers: Appliers }> {
  const { store, clock, logger, stopping, deadline, leaving, closers, version } = parts;
  const defaultLoggerConfig = { ...DEFAULT_LOGGER_CONFIG, autoStart: config.loggerAutoStart };
  const { documentMaxBytes, transactionMaxBytes, compatibleVersion } = config;
  const catalogue = await Catalogue.load(store, { defaultLoggerConfig, documentMaxBytes });
  const collections = new Collections({ store, catalogue }, { transactionMaxBytes });
  closers.push(() => collections.close());
  const access = await prepareAccess({ store, clock, logger }, config);
  const databases = new Databases(
    { store, catalogue, collections },
    { defaultLoggerConfig, onDrop: (tx, name) => access.users.forgetDatabase(tx, name) },
  );
  await databases.open();
  const { leader, maintenance } = startLeader({ store, clock, logger, closers, catalogue }, config);
  const transactions = openTransactions({ store, clock, closers }, config);
  const restore = new Restore({ store, collections }, { transactionMaxBytes });
  const base = { store, clock, logger, closers, catalogue, collections };
  const { syncer, appliers, leaderAccess, figures } = startFollowing(base, config);
  const { requests } = parts;
  const metrics = new ServerMetrics(
    { store, catalogue, maintenance, leader, appliers, requests, replication: figures },
    { version, compatibleVersion },
  );
  const { serverId } = store.server;
  const sampled = { catalogue, appliers, syncer, logger: leader.logger };
  const page = startStatusPage({ ...sampled, clock, serverId }, { version });
  closers.push(page.stop);
  const jobs = new Jobs({ clock, logger }, { maxRunning: config.maxJobs });
  closers.push(() => settleJobs(jobs, deadline));
  const listener = createApp(
    {
      ...{ catalogue, databases, collections, transactions, access },
      ...{ clock, logger, leaving, jobs, requests },
      documents: new Documents({ store }),
      arrays: new DocumentArrays({ store }, { transactionMaxBytes }),
      importer: new Importer({ store, collections }, { transactionMaxBytes }),
      checksums: new Checksums({ store }),
      flush: () => store.flush(),
      writeFailure: () => store.failure,
      noteDamage: (error) => store.health.note(error),
      signal: stopping.signal,
      deadline: deadline.signal,
      onDropDatabase: async (database) => {
        await transactions.abortAll(database);
        await appliers.release(database);
      },
      routers: [
        ...replicationRouters({
          ...{ store, clock, logger, leader, restore, appliers, syncer, leaderAccess, config },
        }),
        ...page.routers,
        logRoutes(parts),
        metricsRoutes(metrics),
      ],
    },
    // Its limits have the names that they have there.
    { ...config, version: compatibleVersion, versionDetails: { ticklog: version } },
  );
  return { listener, appliers };
}

/** What copies and follows leaders. */
function startFollowing(
  deps: Pick<Parts, 'store' | 'clock' | 'logger' | 'closers'> & {
    readonly catalogue: Catalogue;
    readonly collections: Collections;
  },
  config: ServerConfig,
): {
  readonly syncer: InitialSyncer;
  readonly appliers: Appliers;
  readonly leaderAccess: LeaderAccess;
  readonly figures: ReplicationFigures;
} {
  const { transactionMaxBytes, compatibleVersion } = config;
  const leaderAccess = leaderAccessOf(config);
  const figures = new ReplicationFigures();
  const copies = new CollectionCopies(deps);
  const syncer = new InitialSyncer({ ...deps, copies, figures });
  const appliers = new Appliers(
    { ...deps, initialSyncer: syncer, leaderAccess, figures },
    { version: compatibleVersion, transactionMaxBytes },
  );
  deps.closers.push(() => appliers.stopAll());
  return { syncer, appliers, leaderAccess, figures };
}

/** What speaks to followers and leaders. */
function replicationRouters(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leader: Leader;
  readonly restore: Restore;
  readonly appliers: Appliers;
  readonly syncer: InitialSyncer;
  readonly leaderAccess: LeaderAccess;
  readonly config: ServerConfig;
}): ApiRouter[] {
  const { store, clock, logger, leader, restore, appliers, syncer, leaderAccess, config } = deps;
  return [
    walLogRoutes(leader, config),
    simpleRoutes(leader),
    cursorRoutes(leader),
    replicationDispatch(
      leaderCommands(leader, config),
      restoreCommands(restore),
      applierCommands(appliers),
      makeFollowerCommands(appliers),
      mendCommands(new Mending({ store })),
      verifyCommands({ clock, verification: new Verification({ store, logger, leaderAccess }) }),
      syncCommands({
        ...{ store, syncer, logger, leaderAccess },
        isApplierRunning: (database) => appliers.of(database).isRunning,
        onFailure: (database, error) => appliers.syncFailed(database, error),
      }),
    ),
  ];
}

/** Where this server may connect to as a follower, and how it makes sure of whom it meets. */
function leaderAccessOf(config: ServerConfig): LeaderAccess {
  const { leaderCafile: cafile, leaderKeyfile: keyfile, leaderVerify: verify } = config;
  const tls = readTrust({ cafile, keyfile, verify }, (path) => readFileSync(path, 'utf8'));
  return { allowed: config.leaderEndpoints, tls };
}

/** Who may be let in; where clients must say who they are there is somebody who can. */
async function prepareAccess(
  { store, clock, logger }: Pick<Parts, 'store' | 'clock' | 'logger'>,
  config: ServerConfig,
): Promise<Access> {
  const { authentication, jwtSecretFile: file, databaseDirectory: directory } = config;
  const secret = authentication
    ? await tokenSecret({ logger }, { file, directory })
    : passingSecret();
  const access = await openAccess(
    { store, clock },
    { secret, lifetimeMs: config.sessionTimeoutMs },
  );
  if (authentication) {
    const { rootPasswordFile: path } = config;
    const password =
      path === ''
        ? config.rootPassword
        : await readSecretFile({ logger }, path, 'server.root-password-file');
    await ensureRoot(access.users, password);
  } else if (!isLoopback(config.endpoint.host)) {
    logger.warn(
      { host: config.endpoint.host },
      'whoever can connect to this server may do everything',
    );
  }
  return access;
}

/** Those that are open when the server stops are aborted, after the last request. */
function openTransactions(
  { store, clock, closers }: Pick<Parts, 'store' | 'clock' | 'closers'>,
  config: ServerConfig,
): StreamTransactions {
  const transactions = new StreamTransactions(
    { store, clock },
    {
      maxBytes: config.transactionMaxBytes,
      budgetBytes: config.streamingBudgetBytes,
      maxOpen: config.streamingMaxOpen,
      idleTimeoutMs: config.streamingIdleTimeoutMs,
    },
  );
  closers.push(() => transactions.close());
  return transactions;
}

/** What serves followers, and the background work that heeds their dump batches. */
function startLeader(
  {
    store,
    clock,
    logger,
    closers,
    catalogue,
  }: Pick<Parts, 'store' | 'clock' | 'logger' | 'closers'> & { catalogue: Catalogue },
  config: ServerConfig,
): { leader: Leader; maintenance: Maintenance } {
  const leader = new Leader(
    { store, clock },
    {
      version: config.compatibleVersion,
      maxPageBytes: config.pageMaxBytes,
      pageBudgetBytes: config.pageBudgetBytes,
      maxBatches: config.maxBatches,
      maxKeyLists: config.maxKeyLists,
    },
  );
  closers.push(() => leader.close());
  const maintenance = new Maintenance(
    { store, catalogue, clock, logger },
    {
      intervalMs: MAINTENANCE_INTERVAL_MS,
      removalAgeMs: REMOVAL_AGE_MS,
      horizon: () => leader.batches.horizon,
      logKeep: (database) => leader.logKeep(database),
    },
  );
  maintenance.start();
  closers.push(() => maintenance.stop());
  return { leader, maintenance };
}

/** Lets requests end that nobody waits for; after a while they are told to. */
async function settleJobs(jobs: Jobs, hard: AbortController): Promise<void> {
  const timer = setTimeout(() => {
    hard.abort(new ServiceError('shuttingDown'));
  }, STOP_GRACE_MS);
  await jobs.settled();
  clearTimeout(timer);
}
