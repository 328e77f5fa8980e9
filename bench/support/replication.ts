import type { BenchOptions } from './bench-options.ts';
import { waitUntilApplied } from './catch-up.ts';
import { CHANGE_CONNECTIONS, type ChangeTarget, makeChanges } from './changes.ts';
import { assertEqual, assertSameDigest } from './checks.ts';
import { DocumentSource } from './documents.ts';
import { DigestBuilder, collectionDigests, streamDump } from './dump.ts';
import { lagWrites, measureLag } from './lag.ts';
import { type Measurement, type Watched, measure, measureMedian } from './measure.ts';
import { Pair } from './pair.ts';
import type { WorkloadName } from './workload-names.ts';

const COLLECTION = 'documents';
const CATCH_UP_TIMEOUT_MS = 10 * 60 * 1000;

/** What `runReplication` measures. */
export const REPLICATION_WORKLOADS: readonly WorkloadName[] = [
  'import',
  'dump',
  'initial-sync',
  'catch-up',
  'lag',
];

/**
 * The workloads that one pair of empty servers goes through one after another. Each builds upon those before, so
 * all up to the last wanted are done; only those wanted are returned.
 */
export async function runReplication(
  options: BenchOptions,
  wanted: ReadonlySet<WorkloadName>,
  onBegin: (workload: WorkloadName) => void,
): Promise<readonly Measurement[]> {
  await using pair = await Pair.start({ connections: CHANGE_CONNECTIONS });
  return await new ReplicationRun(pair, options, onBegin).all(wanted);
}

class ReplicationRun {
  readonly #pair: Pair;
  readonly #options: BenchOptions;
  readonly #onBegin: (workload: WorkloadName) => void;
  readonly #source: DocumentSource;
  /** What must be on the leader. */
  readonly #expected = new DigestBuilder();

  constructor(pair: Pair, options: BenchOptions, onBegin: (workload: WorkloadName) => void) {
    this.#pair = pair;
    this.#options = options;
    this.#onBegin = onBegin;
    this.#source = new DocumentSource({ seed: options.seed });
  }

  async all(wanted: ReadonlySet<WorkloadName>): Promise<readonly Measurement[]> {
    const measured: Measurement[] = [];
    const keep = (measurement: Measurement): void => {
      if (wanted.has(measurement.workload)) measured.push(measurement);
    };
    keep(await this.#import());
    if (wanted.has('dump')) keep(await this.#dump());
    if (['initial-sync', 'catch-up', 'lag'].some((name) => wanted.has(name as WorkloadName))) {
      const { measurement, lastLogTick } = await this.#sync();
      keep(measurement);
      await this.#pair.followerApi.configureApplier({ endpoint: this.#pair.leader.endpoint });
      if (wanted.has('catch-up')) keep(await this.#catchUp(lastLogTick));
      else await this.#pair.followerApi.startApplier(lastLogTick);
      if (wanted.has('lag')) keep(await this.#lag());
    }
    return measured;
  }

  async #import(): Promise<Measurement> {
    this.#onBegin('import');
    const { leaderApi, leader } = this.#pair;
    const { documents } = this.#options;
    await leaderApi.liftLoggerCaps();
    await leaderApi.createCollection(COLLECTION);
    for (let number = 0; number < documents; number++) {
      this.#expected.add(this.#source.text(number));
    }
    // Made before the clock starts; the client has the same two cores as the server.
    const chunks = [...this.#source.chunks(0, documents)];
    const measurement = await measure('import', { leader: leader.pid }, async () => {
      await leaderApi.import(COLLECTION, chunks, documents);
      return documents;
    });
    await this.#assertLeaderComplete();
    return measurement;
  }

  async #dump(): Promise<Measurement> {
    this.#onBegin('dump');
    const { leaderApi, leader } = this.#pair;
    await this.#pair.settle();
    return measureMedian('dump', { leader: leader.pid }, async () => {
      const { lines } = await streamDump(leaderApi.http, COLLECTION);
      assertEqual('lines of the dump', lines, this.#options.documents);
      return lines;
    });
  }

  async #sync(): Promise<{ measurement: Measurement; lastLogTick: string }> {
    this.#onBegin('initial-sync');
    const { followerApi, leader } = this.#pair;
    await this.#pair.settle();
    let lastLogTick = '';
    const measurement = await measure('initial-sync', this.#both(), async () => {
      ({ lastLogTick } = await followerApi.sync(leader.endpoint));
      return this.#options.documents;
    });
    await this.#assertFollowerEqual();
    return { measurement, lastLogTick };
  }

  async #catchUp(from: string): Promise<Measurement> {
    this.#onBegin('catch-up');
    const { leaderApi, followerApi } = this.#pair;
    await this.#change();
    await this.#assertLeaderComplete();
    await this.#pair.settle();
    const tick = await leaderApi.lastLogTick();
    const signal = AbortSignal.timeout(CATCH_UP_TIMEOUT_MS);
    const measurement = await measure('catch-up', this.#both(), async () => {
      await followerApi.startApplier(from);
      await waitUntilApplied(followerApi, tick, signal);
      return this.#options.changes;
    });
    await this.#assertFollowerEqual();
    return measurement;
  }

  async #lag(): Promise<Measurement> {
    this.#onBegin('lag');
    const { leaderApi, followerApi, leader, follower } = this.#pair;
    const { documents, changes, seed, lagSeconds } = this.#options;
    await this.#pair.settle();
    const firstNumber = documents + changes;
    const input = { leaderPort: leader.port, followerPort: follower.port, firstNumber, seed };
    const measurement = await measureLag(input, this.#both(), lagSeconds);
    for (let i = 0; i < lagWrites(lagSeconds); i++) {
      this.#expected.add(this.#source.text(firstNumber + i));
    }
    const signal = AbortSignal.timeout(CATCH_UP_TIMEOUT_MS);
    await waitUntilApplied(followerApi, await leaderApi.lastLogTick(), signal);
    await this.#assertLeaderComplete();
    await this.#assertFollowerEqual();
    return measurement;
  }

  async #change(): Promise<void> {
    const { leaderApi } = this.#pair;
    const target: ChangeTarget = {
      insert: async (_key, text) => {
        await leaderApi.insert(COLLECTION, text);
      },
      replace: async (key, text) => {
        await leaderApi.replace(COLLECTION, key, text);
      },
      remove: (key) => leaderApi.remove(COLLECTION, key),
    };
    const targets = new Array<ChangeTarget>(CHANGE_CONNECTIONS).fill(target);
    await makeChanges(targets, this.#options, this.#source, this.#expected);
  }

  async #assertLeaderComplete(): Promise<void> {
    const { leaderApi } = this.#pair;
    assertEqual('count of the leader', await leaderApi.count(COLLECTION), this.#expected.count);
    const { content } = await collectionDigests(leaderApi.http, COLLECTION);
    assertSameDigest('what was sent and the leader', this.#expected, content);
  }

  async #assertFollowerEqual(): Promise<void> {
    const { leaderApi, followerApi } = this.#pair;
    assertEqual('count of the follower', await followerApi.count(COLLECTION), this.#expected.count);
    const leader = await collectionDigests(leaderApi.http, COLLECTION);
    const follower = await collectionDigests(followerApi.http, COLLECTION);
    assertSameDigest('leader and follower', leader.withRevisions, follower.withRevisions);
  }

  #both(): Watched {
    return { leader: this.#pair.leader.pid, follower: this.#pair.follower.pid };
  }
}
