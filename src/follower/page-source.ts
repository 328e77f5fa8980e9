import { Backoff } from '../base/backoff.ts';
import type { Logger } from '../base/logger.ts';
import { sleep } from '../base/sleep.ts';
import { counted } from '../base/words.ts';
import type { Collection } from '../documents/collection.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import type { BatchLease } from './batch-lease.ts';
import { classify, isCollectionGone, refusedAnswer } from './classify.ts';
import type { MissedCollection } from './dropped-collections.ts';
import { errorFields } from './failure-log.ts';
import type { LeaderClient } from './leader-client.ts';
import type { CollectionsPage, DumpPage } from './leader-page.ts';
import type { LeaderTraits } from './leader-traits.ts';
import type { ReplicationFigures } from './replication-figures.ts';
import { snapshotLost } from './snapshot-lost.ts';
import type { PlannedCollection, SyncPlan } from './sync-progress.ts';
import type { SyncReport } from './sync-report.ts';

export interface PageSourceDeps {
  readonly client: LeaderClient;
  readonly lease: BatchLease;
  readonly logger: Logger;
  /** Throws unless the leader is still who it was; resolves with the run that a ticklog leader is in. */
  readonly recheckLeader: (signal: AbortSignal) => Promise<string | undefined>;
  /** A collection that a list of the leader, still who it was, lacks; undefined when that is not certain. */
  readonly missed: (cid: string, signal: AbortSignal) => Promise<MissedCollection | undefined>;
  /** Gets what pages cost. */
  readonly figures: ReplicationFigures;
  readonly report: SyncReport;
}

export interface PageSourceOptions {
  readonly plan: SyncPlan;
  /** The run that a ticklog leader is known to be in. */
  readonly run: string | undefined;
  readonly traits: LeaderTraits;
  readonly chunkSizeBytes: number;
  /** Further attempts to get a page, in a row. */
  readonly fetchRetries: number;
}

const BACKOFF = { baseMs: 250, maxMs: 4000 };
/** So many answers with several collections may be lost in a row until no more are asked for. */
const TOGETHER_FAILURES_MAX = 3;
const NO_PAGES: CollectionsPage['pages'] = new Map();

/** Gets the pages of the collections of a plan from their leader, as often as it takes. */
export class PageSource {
  readonly #deps: PageSourceDeps;
  readonly #options: PageSourceOptions;
  /** Leaders of 2.2 to 3.3 are asked once to make their log ready for dumping. */
  #flush = true;
  #run: string | undefined;
  /** Until the leader turns out not to know that request, or its answers do not come through. */
  #hasTogether: boolean;
  /** In a row. */
  #togetherFailures = 0;
  readonly #gone: MissedCollection[] = [];

  constructor(deps: PageSourceDeps, options: PageSourceOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#run = options.run;
    this.#hasTogether = options.plan.incarnation !== undefined;
  }

  /** Those that the leader turned out not to have any more. */
  get gone(): readonly MissedCollection[] {
    return this.#gone;
  }

  /**
   * Asks a ticklog leader for small collections in one request.
   * @param chunkSizeBytes room for all of them
   * @returns the pages of those that came, each the whole of its collection. What did not come, for whatever reason, is to be asked for
   *   page by page.
   * @throws the reason of `signal`
   */
  async together(
    wanted: readonly PlannedCollection[],
    chunkSizeBytes: number,
    signal: AbortSignal,
  ): Promise<CollectionsPage['pages']> {
    if (!this.#hasTogether || wanted.length < 2) return NO_PAGES;
    this.#say(`fetching leader collection dump for ${counted(wanted.length, 'collection')}`);
    try {
      const collections = wanted.map(({ parameters }) => parameters.cid);
      const request = { collections, ...this.#upTo(), chunkSizeBytes };
      const { pages, incarnation } = await this.#timed(() =>
        this.#deps.client.dumpCollections(request, signal),
      );
      this.#togetherFailures = 0;
      // Another run of it: who asks for a page makes sure that it is still who it was.
      return incarnation === this.#run ? pages : NO_PAGES;
    } catch (error) {
      const verdict = classify(error, signal);
      if (verdict === 'abort') throw error;
      const isUnknown = verdict !== 'retry' && refusedAnswer(error) !== undefined;
      if (isUnknown || ++this.#togetherFailures === TOGETHER_FAILURES_MAX)
        this.#hasTogether = false;
      const { logger } = this.#deps;
      logger.debug(errorFields(error), 'collections cannot be had together; asking one by one');
      return NO_PAGES;
    }
  }

  /**
   * A page of a collection.
   * @param batch its number, for the words that tell of it
   * @returns `gone` when the leader has the collection no more
   * @throws ServiceError as the client; the reason of `signal`
   */
  async page(
    copy: Collection,
    from: Tick,
    batch: number,
    signal: AbortSignal,
  ): Promise<DumpPage | 'gone'> {
    const { logger } = this.#deps;
    const { cid, name, type } = copy;
    this.#say(
      `fetching leader collection dump for collection '${name}', id ${cid}, type ${type}, batch ${batch}`,
    );
    const backoff = new Backoff(BACKOFF);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#request(copy, from, signal);
      } catch (error) {
        // One such answer proves nothing: of a collection that is still listed it may pass.
        const gone = isCollectionGone(error);
        const missed = gone ? await this.#deps.missed(cid, signal) : undefined;
        if (missed) {
          this.#gone.push(missed);
          return 'gone';
        }
        const lost = this.#options.traits.isSnapshot ? snapshotLost(error, signal) : undefined;
        if (lost) throw lost;
        if (!gone && classify(error, signal) !== 'retry') throw error;
        if (attempt > this.#options.fetchRetries) throw error;
        logger.warn(
          { ...errorFields(error), collection: name, attempt },
          'a page could not be had; trying again',
        );
        await sleep(backoff.nextMs(), signal);
        signal.throwIfAborted();
        await this.#again(signal);
      }
    }
  }

  async #request({ cid }: Collection, from: Tick, signal: AbortSignal): Promise<DumpPage> {
    const { client, lease } = this.#deps;
    const { chunkSizeBytes, plan, traits } = this.#options;
    const page = await this.#timed(() =>
      client.dump(
        {
          collection: cid,
          from,
          chunkSizeBytes,
          ...this.#upTo(),
          ...(traits.wantsBatchId ? { batchId: lease.id } : {}),
          ...(plan.incarnation === undefined ? { flush: this.#flush } : {}),
        },
        signal,
      ),
    );
    this.#flush = false;
    if (plan.incarnation === undefined || page.incarnation === this.#run) return page;
    // Restarted without a request noticing, or somebody else: the batch is gone then.
    this.#run = await this.#deps.recheckLeader(signal);
    await lease.extend(signal);
    if (page.incarnation === this.#run) return page;
    throw new ServiceError(
      'noResponse',
      `could not connect to master at ${client.endpoint}: a page came from another run of it`,
    );
  }

  /** Before a page is asked for again: the leader may have been restarted, or exchanged. */
  async #again(signal: AbortSignal): Promise<void> {
    try {
      this.#run = await this.#deps.recheckLeader(signal);
      await this.#deps.lease.extend(signal);
    } catch (error) {
      // Still not there: the page is asked for all the same, and that attempt counts.
      if (classify(error, signal) !== 'retry') throw error;
    }
  }

  /** Counts a request and how long it took. */
  async #timed<T>(send: () => Promise<T>): Promise<T> {
    const { dump } = this.#deps.figures;
    dump.requests++;
    const beganMs = performance.now();
    const answer = await send();
    dump.requestMs += performance.now() - beganMs;
    return answer;
  }

  #upTo(): { to?: Tick } {
    const { plan, traits } = this.#options;
    if (plan.tick === 0n) return {};
    // As followers of that kind do: what is one tick too far the log brings once more.
    return { to: traits.isInterleaved ? plan.tick + 1n : plan.tick };
  }

  #say(message: string): void {
    this.#deps.report.say(message);
  }
}
