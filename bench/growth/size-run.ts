import { waitUntilApplied } from '../support/catch-up.ts';
import { CHANGE_CONNECTIONS, type ChangeTarget, makeChanges } from '../support/changes.ts';
import { assertEqual, assertSameDigest } from '../support/checks.ts';
import { DocumentSource } from '../support/documents.ts';
import { DigestBuilder, collectionDigests, streamDump, streamSmallDumps } from '../support/dump.ts';
import { measureStoreLimit } from '../support/limits.ts';
import { type Measurement, measure } from '../support/measure.ts';
import { Pair } from '../support/pair.ts';
import type { ServerApi } from '../support/server-api.ts';
import { median } from '../support/table.ts';
import { type PageCost, measureFollowPages } from './follow-pages.ts';

/** How much there is. */
export interface Size {
  readonly documents: number;
  /** Over which the documents are spread evenly. */
  readonly collections: number;
}

/** A workload beside the limit measured just before it: the speed of the machine changes within minutes. */
export interface BesideLimit {
  readonly measured: Measurement;
  /** Documents or changes a second. */
  readonly rate: number;
  /** Documents a second. */
  readonly limitStore: number;
  /** Of the rate to the limit. */
  readonly ratio: number;
}

/** What was found at one size. */
export interface SizeFigures extends Size {
  readonly initialSync: BesideLimit;
  readonly catchUp: BesideLimit;
  readonly dump: BesideLimit;
  readonly followPage: PageCost;
}

/** Written, synced and dumped before anything is measured: what is small is over before compilers have begun. */
const WARM_UP_DOCUMENTS = 20_000;
const WARM_UP = 'warmup';
const CHANGES_MAX = 100_000;
const APPLY_TIMEOUT_MS = 30 * 60 * 1000;
const POLL_MS = 1;
/** What is small is measured more than once. */
const ROUNDS = { small: 5, medium: 3, large: 1 };
const MEDIUM_DOCUMENTS = 100_000;
const LARGE_DOCUMENTS = 1_000_000;

/** Leader and follower of one size, which others may go on with when `run` is done. */
export class SizeRun implements AsyncDisposable {
  readonly size: Size;
  readonly pair: Pair;
  readonly source: DocumentSource;
  readonly #seed: number;
  readonly #rounds: number;
  readonly #changes: number;
  /** What must be in each collection. */
  readonly #expected: readonly DigestBuilder[];
  #changed = 0;
  #lastLogTick = '';

  /** For `start`. */
  constructor(size: Size, pair: Pair, seed: number) {
    this.size = size;
    this.pair = pair;
    this.source = new DocumentSource({ seed });
    this.#seed = seed;
    this.#rounds = roundsFor(size.documents);
    this.#changes = Math.min(CHANGES_MAX, Math.floor(size.documents / this.#rounds));
    this.#expected = Array.from({ length: size.collections }, () => new DigestBuilder());
  }

  static async start(size: Size, seed: number): Promise<SizeRun> {
    return new SizeRun(size, await Pair.start({ connections: CHANGE_CONNECTIONS }), seed);
  }

  /** Fills the leader and measures. Leaves a follower that is up to date and follows. */
  async run(): Promise<SizeFigures> {
    await this.#warmUp();
    await this.#import();
    await this.pair.settle();
    const followPage = await measureFollowPages(this.pair);
    const dump = await this.#repeat(() => this.#dump());
    const initialSync = await this.#repeat(() => this.#sync());
    await this.#assertEqual();
    const { followerApi, leader } = this.pair;
    await followerApi.configureApplier({ endpoint: leader.endpoint });
    await followerApi.startApplier(this.#lastLogTick);
    const catchUp = await this.#repeat(
      () => this.#catchUp(),
      () => this.#fallBehind(),
    );
    await this.#assertEqual();
    return { ...this.size, initialSync, catchUp, dump, followPage };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pair[Symbol.asyncDispose]();
  }

  /**
   * Of some rounds the one with the middle ratio.
   * @param prepare what has to be done before each; the servers are at rest when the limit is measured
   */
  async #repeat(
    once: () => Promise<Measurement>,
    prepare?: () => Promise<void>,
  ): Promise<BesideLimit> {
    const { documents } = this.size;
    const input = { documents, seed: this.#seed, warmUp: WARM_UP_DOCUMENTS };
    const rounds: BesideLimit[] = [];
    for (let round = 0; round < this.#rounds; round++) {
      await prepare?.();
      await this.pair.settle();
      const limit = await measureStoreLimit(input);
      const measured = await once();
      const rate = measured.documents / measured.seconds;
      const limitStore = limit.documents / limit.seconds;
      rounds.push({ measured, rate, limitStore, ratio: rate / limitStore });
    }
    const middle = median(rounds.map(({ ratio }) => ratio));
    const found = rounds.find(({ ratio }) => ratio === middle);
    if (!found) throw new Error('nothing was measured');
    return found;
  }

  async #warmUp(): Promise<void> {
    const { leaderApi, followerApi, leader } = this.pair;
    await leaderApi.liftLoggerCaps();
    await leaderApi.createCollection(WARM_UP);
    const lines = this.source.chunks(0, WARM_UP_DOCUMENTS);
    await leaderApi.import(WARM_UP, lines, WARM_UP_DOCUMENTS);
    await streamDump(leaderApi.http, WARM_UP);
    await followerApi.sync(leader.endpoint);
    await leaderApi.dropCollection(WARM_UP);
  }

  async #import(): Promise<void> {
    const { leaderApi } = this.pair;
    for (const [i, expected] of this.#expected.entries()) {
      const [from, to] = [this.#firstOf(i), this.#firstOf(i + 1)];
      await leaderApi.createCollection(collectionName(i));
      await leaderApi.import(collectionName(i), this.source.chunks(from, to), to - from);
      for (let number = from; number < to; number++) expected.add(this.source.text(number));
    }
  }

  #dump(): Promise<Measurement> {
    const { leaderApi, leader } = this.pair;
    return measure('dump', { leader: leader.pid }, async () => {
      const collections = await leaderApi.inventory();
      const ids = collections.map(({ parameters }) => parameters.cid);
      const { lines: dumped } =
        ids.length > 1
          ? await streamSmallDumps(leaderApi.http, ids)
          : await streamDump(leaderApi.http, collectionName(0));
      assertEqual('lines of the dump', dumped, this.size.documents);
      return dumped;
    });
  }

  #sync(): Promise<Measurement> {
    const { followerApi, leader, follower } = this.pair;
    const watched = { leader: leader.pid, follower: follower.pid };
    return measure('initial-sync', watched, async () => {
      ({ lastLogTick: this.#lastLogTick } = await followerApi.sync(leader.endpoint));
      return this.size.documents;
    });
  }

  /** Stops the applier when it is up to date, and makes changes. */
  async #fallBehind(): Promise<void> {
    const { leaderApi, followerApi } = this.pair;
    const signal = AbortSignal.timeout(APPLY_TIMEOUT_MS);
    await waitUntilApplied(followerApi, await leaderApi.lastLogTick(), signal, POLL_MS);
    await followerApi.stopApplier();
    await this.#change();
  }

  async #catchUp(): Promise<Measurement> {
    const { leaderApi, followerApi, leader, follower } = this.pair;
    const signal = AbortSignal.timeout(APPLY_TIMEOUT_MS);
    const tick = await leaderApi.lastLogTick();
    const watched = { leader: leader.pid, follower: follower.pid };
    return measure('catch-up', watched, async () => {
      await followerApi.startApplier();
      await waitUntilApplied(followerApi, tick, signal, POLL_MS);
      return this.#changes;
    });
  }

  /** New documents go to the collections in turn. */
  async #change(): Promise<void> {
    const { leaderApi } = this.pair;
    const { documents } = this.size;
    const input = { documents, changes: this.#changes, from: this.#changed };
    this.#changed += this.#changes;
    const target: ChangeTarget = {
      insert: async (key, text) => {
        await leaderApi.insert(collectionName(this.#collectionOf(key)), text);
      },
      replace: async (key, text) => {
        await leaderApi.replace(collectionName(this.#collectionOf(key)), key, text);
      },
      remove: (key) => leaderApi.remove(collectionName(this.#collectionOf(key)), key),
    };
    const targets = new Array<ChangeTarget>(CHANGE_CONNECTIONS).fill(target);
    const expectedOf = (text: string): DigestBuilder | undefined => {
      const { _key: key } = JSON.parse(text) as { _key: string };
      return this.#expected[this.#collectionOf(key)];
    };
    await makeChanges(targets, input, this.source, {
      add: (text) => expectedOf(text)?.add(text),
      remove: (text) => expectedOf(text)?.remove(text),
    });
  }

  /** Collection that has, or is to get, the document with the key. */
  #collectionOf(key: string): number {
    const { documents, collections } = this.size;
    const number = Number(key.slice(1));
    if (number >= documents) return number % collections;
    return Math.floor((number * collections) / documents);
  }

  /** Number of the first document of a collection: the smallest that `collectionOf` finds there. */
  #firstOf(collection: number): number {
    const { documents, collections } = this.size;
    return Math.ceil((collection * documents) / collections);
  }

  async #assertEqual(): Promise<void> {
    for (const [i, expected] of this.#expected.entries()) {
      const name = collectionName(i);
      const there = await digestsOf(this.pair.leaderApi, name);
      assertSameDigest(`${name}: what was sent and the leader`, expected, there.content);
      const here = await digestsOf(this.pair.followerApi, name);
      assertSameDigest(`${name}: leader and follower`, there.withRevisions, here.withRevisions);
    }
  }
}

async function digestsOf(api: ServerApi, collection: string) {
  const digests = await collectionDigests(api.http, collection);
  assertEqual(`count of ${collection}`, await api.count(collection), digests.content.count);
  return digests;
}

function roundsFor(documents: number): number {
  if (documents < MEDIUM_DOCUMENTS) return ROUNDS.small;
  return documents < LARGE_DOCUMENTS ? ROUNDS.medium : ROUNDS.large;
}

/** The first is the one that the clients of other workloads know. */
export function collectionName(collection: number): string {
  return collection === 0 ? 'documents' : `documents${collection}`;
}
