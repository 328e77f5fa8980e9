import { inParallel } from '../base/in-parallel.ts';
import type { Logger } from '../base/logger.ts';
import type { Collection } from '../documents/collection.ts';
import { TOGETHER_MAX } from '../protocol/together.ts';
import type { CollectionCopier, BegunCopy } from './collection-copier.ts';
import type { Seed } from './copy-seeds.ts';
import type { DumpPage } from './leader-page.ts';
import type { PageSource } from './page-source.ts';
import type { SyncReport } from './sync-report.ts';
import type { PlannedCollection, SyncPlan } from './sync-progress.ts';

export interface CopyRoundDeps {
  readonly copier: CollectionCopier;
  readonly pages: PageSource;
  readonly logger: Logger;
  readonly report: SyncReport;
  /** What a copy can begin from; undefined when it is to be made whole. */
  readonly seed: (planned: PlannedCollection, signal: AbortSignal) => Promise<Seed | undefined>;
  /** Removes one hidden copy with its position. */
  readonly discard: (copy: Collection) => Promise<void>;
}

/** What came of the collections of a plan. */
export interface Copies {
  /** Complete hidden copies. */
  readonly finished: readonly Collection[];
  /** Those that are the leader's as they are. */
  readonly kept: readonly Collection[];
}

/** So many bundles of small ones are under way at a time: while one is fetched another is written. */
const BUNDLES = 2;
/** So many are asked for at a time that do not come together. */
const SINGLES = 4;
/** What those of a bundle make together at most, in parts of a page; larger ones are not small. */
const BUNDLE = 1 / 2;

/**
 * Copies the collections of a plan. Those of several pages come one after another, for each keeps both servers busy
 * by itself. Small ones of ticklog leaders come in bundles, one request for each: alone, one would be little more than
 * a request and a commit to wait for. No other leader is asked for two at a time; those that make a snapshot refuse it.
 */
export class CopyRound {
  readonly #deps: CopyRoundDeps;
  readonly #finished: Collection[] = [];
  readonly #kept: Collection[] = [];

  constructor(deps: CopyRoundDeps) {
    this.#deps = deps;
  }

  /**
   * @param chunkSizeBytes size of a page; small ones are such that those under way make no more than one
   * @throws as CollectionCopier.copy, when nothing is under way any more
   */
  async run(plan: SyncPlan, chunkSizeBytes: number, signal: AbortSignal): Promise<Copies> {
    const smallBytes = plan.incarnation === undefined ? -1 : chunkSizeBytes * BUNDLE;
    const isSmall = ({ bytes = Infinity }: PlannedCollection): boolean => bytes <= smallBytes;
    const large = plan.collections.filter((each) => !isSmall(each));
    await inParallel(large, 1, signal, async (planned, either) =>
      this.#copy(planned, await this.#seed(planned, either), undefined, either),
    );
    const bundles = bundlesOf(plan.collections.filter(isSmall), smallBytes);
    await inParallel(bundles, BUNDLES, signal, (bundle, either) =>
      // What has grown since it was listed has room, too.
      this.#copyBundle(bundle, chunkSizeBytes, either),
    );
    return { finished: this.#finished, kept: this.#kept };
  }

  async #copyBundle(
    bundle: readonly PlannedCollection[],
    roomBytes: number,
    signal: AbortSignal,
  ): Promise<void> {
    const seeds = new Map<PlannedCollection, Seed | undefined>();
    await inParallel(bundle, SINGLES, signal, async (planned, either) => {
      seeds.set(planned, await this.#seed(planned, either));
    });
    const bare = bundle.filter((planned) => seeds.get(planned) === undefined);
    const pages = await this.#deps.pages.together(bare, roomBytes, signal);
    const copy = (planned: PlannedCollection, either: AbortSignal): Promise<void> =>
      this.#copy(planned, seeds.get(planned), pages.get(planned.parameters.cid), either);
    const isHere = ({ parameters }: PlannedCollection): boolean => pages.has(parameters.cid);
    // Those that are here are written at once, so that they share their batches.
    await inParallel(bundle.filter(isHere), TOGETHER_MAX, signal, copy);
    await inParallel(
      bundle.filter((each) => !isHere(each)),
      SINGLES,
      signal,
      copy,
    );
  }

  async #seed(planned: PlannedCollection, signal: AbortSignal): Promise<Seed | undefined> {
    signal.throwIfAborted();
    return this.#deps.seed(planned, signal);
  }

  async #copy(
    planned: PlannedCollection,
    at: Seed | undefined,
    first: DumpPage | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const { report } = this.#deps;
    const isKept = at !== undefined && 'kept' in at;
    if (isKept) this.#kept.push(at.kept);
    else this.#finished.push(...(await this.#finish(planned, at, first, signal)));
    report.done(planned.parameters.cid, isKept ? 'kept' : 'done');
  }

  /** One that was begun from what is here must come to the leader's count; else it is copied whole. */
  async #finish(
    planned: PlannedCollection,
    begun: BegunCopy | undefined,
    first: DumpPage | undefined,
    signal: AbortSignal,
  ): Promise<readonly Collection[]> {
    const { copier, logger, report, discard } = this.#deps;
    const { gauge } = report;
    gauge.begin(planned.parameters.cid, 'copying');
    if (begun) gauge.has(begun.copy);
    const copy = await copier.copy(planned, begun, signal, first);
    if (!copy) return [];
    gauge.has(copy);
    if (!begun || planned.count === undefined || copy.stats.count === planned.count) return [copy];
    logger.warn(
      { collection: copy.name, count: copy.stats.count, countOfLeader: planned.count },
      'what was here was not what the leader had; copying the collection whole',
    );
    await discard(copy);
    const whole = await copier.copy(planned, undefined, signal);
    return whole ? [whole] : [];
  }
}

/** Collections in their order, in bundles of no more than so many bytes and collections. */
function bundlesOf(
  collections: readonly PlannedCollection[],
  maxBytes: number,
): readonly (readonly PlannedCollection[])[] {
  const bundles: PlannedCollection[][] = [];
  let bytes = Infinity;
  for (const planned of collections) {
    const { bytes: own = 0 } = planned;
    const bundle = bundles.at(-1);
    if (bundle && bytes + own <= maxBytes && bundle.length < TOGETHER_MAX) {
      bundle.push(planned);
      bytes += own;
    } else {
      bundles.push([planned]);
      bytes = own;
    }
  }
  return bundles;
}
