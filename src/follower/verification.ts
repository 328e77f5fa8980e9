import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import { watched } from '../base/watch.ts';
import { Checksums } from '../documents/checksum.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError, isServiceError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import { loadApplierConfig } from './applier-config.ts';
import { configuredClient } from './applier-leader.ts';
import { refusedAnswer } from './classify.ts';
import type { LeaderAccess } from './leader-access.ts';
import { ACCEPTED_VERSIONS, checkLeader } from './leader-check.ts';
import type { LeaderClient } from './leader-client.ts';
import { Restriction } from './restriction.ts';
import type { ReadNumbers, VerifyGauge } from './verify-gauge.ts';

/** What the comparison of a collection came to. */
export interface VerifiedCollection {
  readonly name: string;
  readonly result: 'equal' | 'different' | 'only here' | 'only on the leader';
  /** Documents here, null where there is no such collection. */
  readonly count: number | null;
  /** Documents on the leader. */
  readonly leaderCount: number | null;
}

export interface VerifyResult {
  /** Whether all of them are. */
  readonly equal: boolean;
  /** By name. */
  readonly collections: readonly VerifiedCollection[];
}

/** What one comparison came to, and how many of the documents here took part in it. */
type Compared = Pick<VerifiedCollection, 'result' | 'count'>;

/** Between two comparisons of a collection that differs. */
const PAUSE_MS = 300;
/** Between two looks at how far the leader is. */
const LOOK_MS = 700;
const COLLECTION_NOT_FOUND = 1203;

/**
 * Compares what is here with the leader that the applier of a database is set to follow: every document with its
 * revision, by checksums, so that hardly anything is sent. `ticklog verify` compares any two servers, and says which
 * documents differ.
 */
export class Verification {
  readonly #deps: {
    readonly store: Store;
    readonly logger: Logger;
    readonly leaderAccess: LeaderAccess;
  };
  readonly #checksums: Checksums;

  constructor(deps: {
    readonly store: Store;
    readonly logger: Logger;
    readonly leaderAccess: LeaderAccess;
  }) {
    this.#deps = deps;
    this.#checksums = new Checksums(deps);
  }

  /**
   * @param waitMs how long collections that differ are compared again: what is written to the leader takes a moment to
   *   arrive here. It is one time for all of them.
   * @param gauge measures it
   * @throws ServiceError invalidApplierConfiguration (1410) where none is set; 1403 for a leader that is no ticklog,
   *   whose checksums are others; 1400, 1401, 1402, 1405 about the leader; the reason of `signal`
   */
  async run(
    database: Database,
    { waitMs, gauge }: { readonly waitMs: number; readonly gauge: VerifyGauge },
    signal: AbortSignal,
  ): Promise<VerifyResult> {
    const config = loadApplierConfig(this.#deps.store, database.number);
    if (config.endpoint === undefined) {
      throw new ServiceError(
        'invalidApplierConfiguration',
        'no endpoint configured: there is no leader to compare with',
      );
    }
    const client = configuredClient({ ...this.#deps, database }, config);
    try {
      await this.#check(client, signal);
      const { restrictType, restrictCollections, includeSystem } = config;
      const restriction = new Restriction(restrictType, restrictCollections, includeSystem);
      const untilMs = performance.now() + waitMs;
      return await this.#compare({ database, client, restriction, untilMs, gauge }, signal);
    } finally {
      await client.close();
    }
  }

  async #check(client: LeaderClient, signal: AbortSignal): Promise<void> {
    const state = await client.state(signal);
    const { endpoint } = client;
    const ownServerId = this.#deps.store.server.serverId;
    checkLeader(state, { endpoint, ownServerId, acceptedVersions: ACCEPTED_VERSIONS });
    if (state.incarnations !== undefined) return;
    throw new ServiceError(
      'leaderIncompatible',
      `the leader at ${endpoint} is no ticklog, and has other checksums; \`ticklog verify\` compares key by key`,
    );
  }

  async #compare(
    task: {
      readonly database: Database;
      readonly client: LeaderClient;
      readonly restriction: Restriction;
      readonly untilMs: number;
      readonly gauge: VerifyGauge;
    },
    signal: AbortSignal,
  ): Promise<VerifyResult> {
    const { database, client, restriction, gauge } = task;
    const { collections: listed } = await client.inventory({ includeSystem: true }, signal);
    const onLeader = new Map(listed.map((each) => [each.parameters.name, each.count ?? null]));
    const here = database.collections.map(({ name }) => name);
    const names = [...new Set([...onLeader.keys(), ...here])].filter((name) =>
      restriction.accepts(name),
    );
    const planned = names.sort().map((name) => {
      const leaderCount = onLeader.get(name);
      return {
        name,
        leaderCount,
        documents: database.byName(name)?.stats.count ?? leaderCount ?? 0,
      };
    });
    gauge.plan(planned);
    const collections: VerifiedCollection[] = [];
    for (const { name, leaderCount } of planned) {
      collections.push(await this.#collection({ ...task, name, leaderCount }, signal));
      gauge.done();
    }
    return { equal: collections.every(({ result }) => result === 'equal'), collections };
  }

  async #collection(
    task: {
      readonly database: Database;
      readonly client: LeaderClient;
      readonly name: string;
      /** Undefined where the leader has none of the name. */
      readonly leaderCount: number | null | undefined;
      readonly untilMs: number;
      readonly gauge: VerifyGauge;
    },
    signal: AbortSignal,
  ): Promise<VerifiedCollection> {
    const { database, name, leaderCount, untilMs, gauge } = task;
    for (;;) {
      signal.throwIfAborted();
      const own = database.byName(name);
      const known = { count: own?.stats.count ?? null };
      const { result, count }: Compared =
        leaderCount === undefined
          ? { ...known, result: 'only here' }
          : own === undefined
            ? { ...known, result: 'only on the leader' }
            : await this.#compareOnce(task, signal);
      if (result === 'equal') return { name, result, count, leaderCount: count };
      if (result === 'only here' || performance.now() >= untilMs) {
        return { name, result, count, leaderCount: leaderCount ?? null };
      }
      gauge.again();
      await sleep(PAUSE_MS, signal);
    }
  }

  async #compareOnce(
    task: {
      readonly database: Database;
      readonly client: LeaderClient;
      readonly name: string;
      readonly gauge: VerifyGauge;
    },
    signal: AbortSignal,
  ): Promise<Compared> {
    const { database, name, gauge } = task;
    let there: string;
    try {
      there = await this.#sumOnLeader(task, signal);
    } catch (error) {
      if (refusedAnswer(error)?.remote?.errorNum !== COLLECTION_NOT_FOUND) throw error;
      return { result: 'only here', count: database.byName(name)?.stats.count ?? null };
    }
    try {
      const parts = { withRevisions: true, withData: true };
      const collection = database.get(name);
      gauge.begin(name, 'here', () =>
        collection.works.numbers.findLast(({ kind }) => kind === 'checksum'),
      );
      const { checksum, count } = await this.#checksums.of(collection, parts, signal);
      return { result: String(checksum) === there ? 'equal' : 'different', count };
    } catch (error) {
      if (!isServiceError(error, 'collectionNotFound')) throw error;
      return { result: 'only on the leader', count: null };
    }
  }

  /** The checksum there, which takes a while: the leader is asked how far it is, too. */
  async #sumOnLeader(
    { client, name, gauge }: { client: LeaderClient; name: string; gauge: VerifyGauge },
    signal: AbortSignal,
  ): Promise<string> {
    let read: ReadNumbers | undefined;
    gauge.begin(name, 'leader', () => read);
    return await watched(client.checksum(name, signal), {
      everyMs: LOOK_MS,
      look: async (inner) => {
        read = await client.checksumRead(name, inner);
      },
    });
  }
}
