import { join } from 'node:path';
import type { BenchOptions } from '../support/bench-options.ts';
import { CHANGE_CONNECTIONS, makeChanges } from '../support/changes.ts';
import { assertEqual, assertSameDigest } from '../support/checks.ts';
import { DocumentSource } from '../support/documents.ts';
import { DigestBuilder } from '../support/dump.ts';
import { lagWrites, measureLag } from '../support/lag.ts';
import {
  type Measurement,
  type SystemName,
  type Watched,
  measure,
  middle,
} from '../support/measure.ts';
import { WorkDirectory } from '../support/work-directory.ts';
import type { WorkloadName } from '../support/workload-names.ts';
import { WRITE_CONNECTIONS } from '../support/write-client.ts';
import { waitFor } from './installed.ts';
import type { OtherSystem, Side } from './other-system.ts';
import { findPostgres } from './postgres-server.ts';
import { PostgresSystem } from './postgres-system.ts';
import { findRedis } from './redis-server.ts';
import { RedisSystem } from './redis-system.ts';

const DUMPS = 3;
const APPLY_TIMEOUT_MS = 10 * 60 * 1000;

/** The workloads that other systems are measured with. */
const COMPARED: readonly WorkloadName[] = [
  'restore',
  'dump',
  'initial-sync',
  'catch-up',
  'lag',
  'single-writes',
];

interface Other {
  readonly name: SystemName;
  /** Starts it; undefined when it is not installed. */
  readonly start: (() => Promise<OtherSystem>) | undefined;
}

/** The other systems, those that are not installed, too. */
export function otherSystems(): readonly Other[] {
  const postgres = findPostgres();
  const redis = findRedis();
  return [
    { name: 'PostgreSQL', start: postgres && (() => PostgresSystem.start(postgres)) },
    { name: 'Redis', start: redis && (() => RedisSystem.start(redis)) },
  ];
}

/** Whether there is anything among the wanted workloads that other systems do, too. */
export function isCompared(only: readonly WorkloadName[]): boolean {
  return only.some((name) => COMPARED.includes(name));
}

/** One run of what is wanted with another system, on new servers, with the same data as ours. */
export async function runOther(
  start: () => Promise<OtherSystem>,
  options: BenchOptions,
  onBegin: (workload: WorkloadName) => void,
): Promise<readonly Measurement[]> {
  await using system = await start();
  const measured = await new OtherRun(system, options, onBegin).all(new Set(options.only));
  return measured.map((measurement) => ({ ...measurement, system: system.name }));
}

/** As with the product: each workload builds upon those before. */
class OtherRun {
  readonly #system: OtherSystem;
  readonly #options: BenchOptions;
  readonly #onBegin: (workload: WorkloadName) => void;
  readonly #source: DocumentSource;
  readonly #expected = new DigestBuilder();

  constructor(
    system: OtherSystem,
    options: BenchOptions,
    onBegin: (workload: WorkloadName) => void,
  ) {
    this.#system = system;
    this.#options = options;
    this.#onBegin = onBegin;
    this.#source = new DocumentSource({ seed: options.seed });
  }

  async all(wanted: ReadonlySet<WorkloadName>): Promise<readonly Measurement[]> {
    const measured: Measurement[] = [];
    const keep = (measurement: Measurement): void => {
      if (wanted.has(measurement.workload)) measured.push(measurement);
    };
    const replicates = ['initial-sync', 'catch-up', 'lag'].some((name) =>
      wanted.has(name as WorkloadName),
    );
    if (replicates || wanted.has('restore') || wanted.has('dump')) keep(await this.#restore());
    if (wanted.has('dump')) keep(await this.#dump());
    if (replicates) {
      keep(await this.#sync());
      if (wanted.has('catch-up')) keep(await this.#catchUp());
      if (wanted.has('lag')) keep(await this.#lag());
    }
    if (wanted.has('single-writes')) {
      if (replicates) await this.#system.separate();
      keep(await this.#singleWrites());
    }
    return measured;
  }

  async #restore(): Promise<Measurement> {
    this.#onBegin('restore');
    using directory = new WorkDirectory();
    const { documents } = this.#options;
    const file = join(directory.path, 'documents');
    this.#system.writeFile(file, this.#source, documents);
    for (let number = 0; number < documents; number++) {
      this.#expected.add(this.#source.text(number));
    }
    const measurement = await measure('restore', this.#leaderOnly(), async () => {
      await this.#system.restore(file);
      return documents;
    });
    await this.#assertHolds('leader');
    return measurement;
  }

  async #dump(): Promise<Measurement> {
    this.#onBegin('dump');
    const measured: Measurement[] = [];
    for (let i = 0; i < DUMPS; i++) {
      const dumped = await measure('dump', this.#leaderOnly(), async () => {
        await this.#system.dump();
        return this.#options.documents;
      });
      assertEqual('dumped', await this.#system.documentsDumped(), this.#options.documents);
      measured.push(dumped);
    }
    return middle(measured);
  }

  async #sync(): Promise<Measurement> {
    this.#onBegin('initial-sync');
    const measurement = await measure('initial-sync', this.#system.watched, async () => {
      await this.#system.sync();
      return this.#options.documents;
    });
    await this.#assertHolds('follower');
    return measurement;
  }

  /** The changes and, as the last one, a document whose coming says that all of them are there. */
  async #catchUp(): Promise<Measurement> {
    this.#onBegin('catch-up');
    const { documents, changes } = this.#options;
    await this.#system.pause();
    const targets = await Promise.all(
      Array.from({ length: CHANGE_CONNECTIONS }, () => this.#system.openTarget()),
    );
    await makeChanges(targets, { documents, changes: changes - 1 }, this.#source, this.#expected);
    const last = this.#source.key(documents + changes);
    const text = this.#source.text(documents + changes);
    await targets[0]?.insert(last, text);
    this.#expected.add(text);
    for (const target of targets) target.end();
    const measurement = await measure('catch-up', this.#system.watched, async () => {
      await this.#system.resume();
      await waitFor('catching up', APPLY_TIMEOUT_MS, () => this.#system.followerHas(last));
      return changes;
    });
    await this.#system.assertCaughtUp();
    await this.#assertHolds('leader');
    await this.#assertHolds('follower');
    return measurement;
  }

  async #lag(): Promise<Measurement> {
    this.#onBegin('lag');
    const { documents, changes, seed, lagSeconds } = this.#options;
    const { name: system, ports, watched } = this.#system;
    const firstNumber = documents + changes + 1;
    const { leader: leaderPort, follower: followerPort } = ports;
    const input = { system, leaderPort, followerPort, firstNumber, seed };
    const measurement = await measureLag(input, watched, lagSeconds);
    const writes = lagWrites(lagSeconds);
    for (let i = 0; i < writes; i++) this.#expected.add(this.#source.text(firstNumber + i));
    const last = this.#source.key(firstNumber + writes - 1);
    await waitFor('the last write', APPLY_TIMEOUT_MS, () => this.#system.followerHas(last));
    await this.#assertHolds('leader');
    await this.#assertHolds('follower');
    return measurement;
  }

  async #singleWrites(): Promise<Measurement> {
    this.#onBegin('single-writes');
    const { changes } = this.#options;
    let seconds = 0;
    const measurement = await measure('single-writes', this.#leaderOnly(), async () => {
      seconds = await this.#system.writeSingly(changes, WRITE_CONNECTIONS);
      return changes;
    });
    return { ...measurement, seconds };
  }

  #leaderOnly(): Watched {
    return { leader: this.#system.watched.leader, withChildren: true };
  }

  async #assertHolds(side: Side): Promise<void> {
    const found = await this.#system.digest(side);
    const { name } = this.#system;
    assertSameDigest(`what was sent and the ${side} of ${name}`, this.#expected, found);
  }
}
