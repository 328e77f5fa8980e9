import type { BenchOptions } from './bench-options.ts';
import { waitUntilApplied } from './catch-up.ts';
import { collectionDigests, streamDump } from './dump.ts';
import { DocumentSource } from './documents.ts';
import { Pair } from './pair.ts';
import { formatCount, formatMebibytes, formatSeconds } from './table.ts';
import { type Usage, UsageMeter } from './usage.ts';

/** What either side may use of anonymous memory. */
const LIMIT_BYTES = 512 * 1024 * 1024;
const BIG_DOCUMENT_BYTES = 16 * 1024 * 1024;
const APPLY_TIMEOUT_MS = 10 * 60 * 1000;
const MANY = 'many';
const BIG = 'big';
const TOGETHER = 'together';
const NAME_WIDTH = 46;

/**
 * The acceptance run: many documents are imported, synced, dumped and truncated, and a large document and a
 * large transaction replicated, each within the limit of memory on both sides. Prints a line for
 * each; what comes after a step that failed is not tried.
 *
 * @returns whether everything passed
 */
export async function runLarge(options: BenchOptions): Promise<boolean> {
  console.log(`every step within ${formatMebibytes(LIMIT_BYTES)} MiB of RssAnon on each side\n`);
  await using pair = await Pair.start();
  const run = new LargeRun(pair, options);
  let passed = true;
  for (const [name, step] of run.steps()) {
    const outcome = await attempt(pair, step);
    console.log(outcomeLine(name, outcome));
    passed &&= outcome.passed;
    if (outcome.error !== undefined) {
      console.log(`      ${outcome.error.message}`);
      break;
    }
  }
  console.log(passed ? '\nall passed' : '\nFAILED');
  return passed;
}

type Step = () => Promise<void>;

interface Outcome {
  readonly passed: boolean;
  readonly seconds: number;
  readonly leader: Usage;
  readonly follower: Usage;
  readonly error?: Error;
}

class LargeRun {
  readonly #pair: Pair;
  readonly #options: BenchOptions;
  readonly #source: DocumentSource;
  #lastLogTick = '';

  constructor(pair: Pair, options: BenchOptions) {
    this.#pair = pair;
    this.#options = options;
    this.#source = new DocumentSource({ seed: options.seed });
  }

  steps(): readonly (readonly [string, Step])[] {
    const documents = formatCount(this.#options.documents);
    const changes = formatCount(this.#options.changes);
    return [
      [`import of ${documents} documents`, () => this.#import()],
      [`initial sync of ${documents} documents`, () => this.#sync()],
      [`dump of ${documents} documents`, () => this.#dump()],
      ['both sides are equal', () => this.#compare()],
      ['one document of 16 MiB replicates', () => this.#bigDocument()],
      [`one transaction of ${changes} documents replicates`, () => this.#bigTransaction()],
      [`truncate of ${documents} documents replicates`, () => this.#truncate()],
    ];
  }

  async #import(): Promise<void> {
    const { leaderApi } = this.#pair;
    const { documents } = this.#options;
    await leaderApi.liftLoggerCaps();
    await leaderApi.createCollection(MANY);
    await leaderApi.import(MANY, this.#source.chunks(0, documents), documents);
    expectEqual('count of the leader', await leaderApi.count(MANY), documents);
  }

  async #sync(): Promise<void> {
    const { followerApi, leader } = this.#pair;
    ({ lastLogTick: this.#lastLogTick } = await followerApi.sync(leader.endpoint));
    expectEqual('count of the follower', await followerApi.count(MANY), this.#options.documents);
  }

  async #dump(): Promise<void> {
    const { lines } = await streamDump(this.#pair.leaderApi.http, MANY);
    expectEqual('lines of the dump', lines, this.#options.documents);
  }

  async #compare(): Promise<void> {
    const { leaderApi, followerApi } = this.#pair;
    const leader = await collectionDigests(leaderApi.http, MANY);
    const follower = await collectionDigests(followerApi.http, MANY);
    expectEqual('documents', follower.withRevisions.count, leader.withRevisions.count);
    expectEqual('sum of documents', follower.withRevisions.sum, leader.withRevisions.sum);
  }

  async #bigDocument(): Promise<void> {
    const { leaderApi, followerApi, leader } = this.#pair;
    await followerApi.configureApplier({ endpoint: leader.endpoint });
    await followerApi.startApplier(this.#lastLogTick);
    await leaderApi.createCollection(BIG);
    const head = '{"_key":"big","text":"';
    await leaderApi.insert(BIG, `${head.padEnd(BIG_DOCUMENT_BYTES - 2, 'large ')}"}`);
    await this.#applied();
    const there = await leaderApi.document(BIG, 'big');
    expectEqual('characters kept', Number(there.length >= BIG_DOCUMENT_BYTES), 1);
    if ((await followerApi.document(BIG, 'big')) !== there) throw new Error('the document differs');
  }

  async #bigTransaction(): Promise<void> {
    const { leaderApi, followerApi } = this.#pair;
    const { changes } = this.#options;
    await leaderApi.createCollection(TOGETHER);
    const lines = this.#source.chunks(0, changes);
    await leaderApi.import(TOGETHER, lines, changes, { complete: true });
    await this.#applied();
    expectEqual('count of the follower', await followerApi.count(TOGETHER), changes);
    const there = await collectionDigests(leaderApi.http, TOGETHER);
    const here = await collectionDigests(followerApi.http, TOGETHER);
    expectEqual('sum of documents', here.withRevisions.sum, there.withRevisions.sum);
  }

  async #truncate(): Promise<void> {
    const { leaderApi, followerApi } = this.#pair;
    await leaderApi.truncate(MANY);
    expectEqual('count of the leader', await leaderApi.count(MANY), 0);
    await this.#applied();
    expectEqual('count of the follower', await followerApi.count(MANY), 0);
  }

  async #applied(): Promise<void> {
    const { leaderApi, followerApi } = this.#pair;
    const tick = await leaderApi.lastLogTick();
    await waitUntilApplied(followerApi, tick, AbortSignal.timeout(APPLY_TIMEOUT_MS));
  }
}

async function attempt(pair: Pair, step: Step): Promise<Outcome> {
  const leaderMeter = new UsageMeter(pair.leader.pid);
  const followerMeter = new UsageMeter(pair.follower.pid);
  const startedAt = performance.now();
  let failure: { error: Error } | undefined;
  try {
    await step();
  } catch (error) {
    failure = { error: error instanceof Error ? error : new Error(String(error)) };
  }
  const seconds = (performance.now() - startedAt) / 1000;
  leaderMeter.end();
  followerMeter.end();
  const leader = leaderMeter.usage;
  const follower = followerMeter.usage;
  const passed = !failure && isWithinLimit(leader) && isWithinLimit(follower);
  return { passed, seconds, leader, follower, ...failure };
}

/** Memory that cannot be seen is not within a limit. */
function isWithinLimit({ peakRssAnonBytes }: Usage): boolean {
  return peakRssAnonBytes !== undefined && peakRssAnonBytes < LIMIT_BYTES;
}

function outcomeLine(name: string, outcome: Outcome): string {
  const verdict = outcome.passed ? 'pass' : 'FAIL';
  const seconds = formatSeconds(outcome.seconds).padStart(9);
  const leader = formatMebibytes(outcome.leader.peakRssAnonBytes);
  const follower = formatMebibytes(outcome.follower.peakRssAnonBytes);
  return `${verdict}  ${name.padEnd(NAME_WIDTH)} ${seconds}  leader ${leader} MiB, follower ${follower} MiB`;
}

function expectEqual(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found}, not ${expected}`);
}
