import type { Collection } from '../documents/collection.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import type { IndexDefinition } from '../model/collection.ts';
import type { Tick } from '../model/tick.ts';
import { CopyWrites } from './copy-writes.ts';
import type { DumpPage } from './leader-page.ts';
import type { PageSource, PageSourceDeps, PageSourceOptions } from './page-source.ts';
import type { CopyPosition, PlannedCollection, SyncProgress } from './sync-progress.ts';
import { WritesUnderWay } from './writes-under-way.ts';

/** A copy begun by an earlier sync, or from what is here, to be gone on with. */
export interface BegunCopy {
  readonly copy: Collection;
  readonly at: CopyPosition;
  /** All that the plan wants is in it already, but for the indexes. */
  readonly isWhole?: boolean;
}

export interface CollectionCopierDeps extends Pick<
  PageSourceDeps,
  'client' | 'lease' | 'logger' | 'figures' | 'report'
> {
  readonly pages: PageSource;
  readonly copies: CollectionCopies;
  readonly progress: SyncProgress;
  /** Removes one hidden copy with its position. */
  readonly discard: (copy: Collection) => Promise<void>;
}

export interface CollectionCopierOptions extends Pick<PageSourceOptions, 'plan' | 'traits'> {
  readonly database: Database;
  /** Whether the plan is that of an earlier sync. */
  readonly continued: boolean;
  /** From which tick on the removals of each collection were complete before the copy, by its id. */
  readonly deletionsSince: ReadonlyMap<string, Tick | undefined>;
  /** A page is written in commits of about this many bytes of lines. */
  readonly sliceBytes: number;
}

/** Cause of an error after which everything must be copied anew, to another tick. */
export class ReplacedOnLeader extends Error {
  override readonly name = 'ReplacedOnLeader';
}

/** `complete`: as its position says; `compactedTo`: from that tick on the removals are complete now. */
type Outcome = 'complete' | 'whole' | 'gone' | { readonly compactedTo: Tick };

/** How often one collection is begun anew because the leader compacted it under the copy. */
const COMPACTED_MAX = 3;

/**
 * Copies collections of a leader, of ticklog leaders also several at a time: each into a hidden copy, page by page, the next
 * page being fetched while one is written (contract 6.3). The position is stored in the batch of the
 * lines it covers (P3).
 */
export class CollectionCopier {
  readonly #deps: CollectionCopierDeps;
  readonly #options: CollectionCopierOptions;
  readonly #writes: CopyWrites;

  constructor(deps: CollectionCopierDeps, options: CollectionCopierOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#writes = new CopyWrites(deps, options);
  }

  /**
   * Copies one collection and completes the copy: counted, indexed, ready to be switched in.
   *
   * @param whole a page with all of its lines, where that is here already; only for a copy that is not begun
   * @returns undefined when the leader no longer has it, unless it is for its log to say so: nothing of that log
   *   could be relied on to fit half a copy, but only what ticklog leaders have dropped can be remembered
   * @throws ServiceError as the client; as DumpPageWriter; uniqueConstraintViolated (1210);
   *   startTickNotPresent when the leader compacts faster than it can be copied, or, caused by
   *   ReplacedOnLeader, has another collection in its place; the reason of `signal`
   */
  async copy(
    planned: PlannedCollection,
    begun: BegunCopy | undefined,
    signal: AbortSignal,
    whole?: DumpPage,
  ): Promise<Collection | undefined> {
    const { cid, name } = planned.parameters;
    if (begun?.at.complete) return begun.copy;
    if (whole) return this.#copyWhole(planned, whole, signal);
    let copy = begun?.copy ?? (await this.#create(planned));
    // What was gone before a copy was begun it never had.
    const start = begun?.at.position ?? 0n;
    const settled = start > 0n ? 0n : (this.#options.deletionsSince.get(cid) ?? 0n);
    let outcome: Outcome = 'whole';
    if (!begun?.isWhole) {
      outcome = await this.#copyPages(planned, copy, { start, settled }, signal);
    }
    for (let round = 1; typeof outcome === 'object'; round++) {
      if (round > COMPACTED_MAX) throw overtaken(name);
      this.#deps.logger.warn({ collection: name }, 'compacted on the leader; copying it anew');
      await this.#deps.discard(copy);
      copy = await this.#create(planned);
      const from = { start: 0n, settled: outcome.compactedTo };
      outcome = await this.#copyPages(planned, copy, from, signal);
    }
    if (outcome === 'complete') return copy;
    const { leaderWasStopped, incarnation } = this.#options.plan;
    if (outcome === 'gone' && (leaderWasStopped || incarnation !== undefined)) {
      await this.#deps.discard(copy);
      return undefined;
    }
    // What is gone stays for the log to drop; of half a collection no index can be asked for.
    await this.#complete(planned, copy, outcome === 'gone' ? [] : planned.indexes, signal);
    return copy;
  }

  async #copyWhole(
    planned: PlannedCollection,
    page: DumpPage,
    signal: AbortSignal,
  ): Promise<Collection> {
    const { parameters, indexes } = planned;
    this.#assertNotReplaced(parameters, page);
    this.#sayCreating(planned);
    const completes = indexes.length === 0;
    const { database } = this.#options;
    const made = await this.#writes.create(database, parameters, page, completes, signal);
    if (!made.isComplete) await this.#complete(planned, made.copy, indexes, signal);
    return made.copy;
  }

  async #complete(
    { parameters: { cid, name } }: PlannedCollection,
    copy: Collection,
    indexes: readonly IndexDefinition[],
    signal: AbortSignal,
  ): Promise<void> {
    const { copies, progress } = this.#deps;
    this.#deps.report.gauge.indexes(copy);
    this.#say(`creating indexes for collection '${name}', id ${cid}`);
    const position = progress.position(copy)?.position ?? 0n;
    await copies.complete(
      copy,
      indexes,
      (tx) => {
        copy.assertAlive();
        progress.writePosition(tx, copy, { cid, position, complete: true });
      },
      signal,
    );
  }

  #create(planned: PlannedCollection): Promise<Collection> {
    this.#sayCreating(planned);
    const { copies, progress } = this.#deps;
    const { parameters } = planned;
    const { cid } = parameters;
    return copies.create(this.#options.database, parameters, (tx, copy) => {
      progress.writePosition(tx, copy, { cid, position: 0n, complete: false });
    });
  }

  #sayCreating({ parameters: { cid, name } }: PlannedCollection): void {
    this.#say(`creating collection '${name}', id ${cid}`);
  }

  /** @param at.settled up to this tick removals were compacted before the copy was begun */
  async #copyPages(
    planned: PlannedCollection,
    copy: Collection,
    { start, settled }: { readonly start: Tick; readonly settled: Tick },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const fetching = new AbortController();
    const both = AbortSignal.any([signal, fetching.signal]);
    const { lease, pages } = this.#deps;
    const { openings } = lease;
    let from = start;
    const writes = new WritesUnderWay();
    let next = pages.page(copy, from, 1, both);
    try {
      for (let batch = 1; ; batch++) {
        const page = await next;
        if (page === 'gone') {
          await writes.done();
          return 'gone';
        }
        this.#assertNotReplaced(copy, page);
        const covered = start === 0n && lease.openings === openings;
        if (this.#isCompacted(page, from, { settled, covered })) {
          await writes.done();
          return { compactedTo: page.deletionsSince ?? 0n };
        }
        if (page.checkMore) {
          if (this.#isStuck(page, from)) throw this.#stuck(copy, from);
          from = page.lastIncluded;
          next = pages.page(copy, from, batch + 1, both);
          // Awaited above, or below when writing this page fails.
          next.catch(() => undefined);
        }
        const completes = !page.checkMore && planned.indexes.length === 0;
        const isComplete = await this.#writes.write(copy, page, { completes, writes }, signal);
        if (!page.checkMore) {
          await writes.done();
          return isComplete ? 'complete' : 'whole';
        }
        // It is no use to wait for a page that cannot be written.
        writes.done().catch((error: unknown) => fetching.abort(error));
      }
    } finally {
      fetching.abort();
      await next.catch(() => undefined);
      await writes.settled();
    }
  }

  /**
   * Whether removals behind `from` may be missing from the page: then documents that are in the copy
   * may be gone on the leader without a line saying so. ticklog leaders tell. Of others it is known for
   * what was copied under a batch that is still open.
   *
   * @param known.covered whether the copy was begun under the present batch
   */
  #isCompacted(
    { deletionsSince }: DumpPage,
    from: Tick,
    known: { readonly settled: Tick; readonly covered: boolean },
  ): boolean {
    if (from === 0n) return false;
    if (this.#options.plan.incarnation === undefined) return !known.covered;
    if (deletionsSince === undefined) return true;
    return deletionsSince > from && deletionsSince > known.settled;
  }

  /** Of a snapshot `lastIncluded` only counts, and its lines are what shows that it goes on. */
  #isStuck({ lastIncluded, body }: DumpPage, from: Tick): boolean {
    return this.#options.traits.isSnapshot ? body.length === 0 : lastIncluded <= from;
  }

  /**
   * Removals above L are compacted long after L was new. In a plan made just now they mean that the
   * leader put another collection in place of the one it had listed, as its own sync does: what that
   * one had at L is no longer to be had.
   */
  #assertNotReplaced({ name }: { readonly name: string }, { deletionsSince = 0n }: DumpPage): void {
    const { plan, continued } = this.#options;
    if (continued || plan.incarnation === undefined || deletionsSince <= plan.tick) return;
    throw new ServiceError(
      'startTickNotPresent',
      `the leader replaced collection '${name}' while it was copied`,
      { cause: new ReplacedOnLeader(`its removals are complete from ${deletionsSince} on`) },
    );
  }

  #say(message: string): void {
    this.#deps.report.say(message);
  }

  #stuck({ name }: Collection, from: Tick): ServiceError {
    return new ServiceError(
      'invalidResponse',
      `got invalid response from master at ${this.#deps.client.endpoint}: the dump of collection ` +
        `'${name}' does not go on behind tick ${from}`,
    );
  }
}

function overtaken(name: string): ServiceError {
  return new ServiceError(
    'startTickNotPresent',
    `the leader compacted collection '${name}' again and again while it was copied; ` +
      'let it keep removals for longer',
  );
}
