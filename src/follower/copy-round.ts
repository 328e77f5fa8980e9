import { inParallel } from '../base/in-parallel.ts';
import type { Logger } from '../base/logger.ts';
import type { Collection } from '../documents/collection.ts';
import type { CollectionCopier, BegunCopy } from './collection-copier.ts';
import type { Seed } from './copy-seeds.ts';
import type { SyncReport } from './sync-report.ts';
import type { PlannedCollection, SyncPlan } from './sync-progress.ts';

export interface CopyRoundDeps {
  readonly copier: CollectionCopier;
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

/** So many small ones are copied at a time. */
const AT_A_TIME = 4;

/**
 * Copies the collections of a plan. Those of several pages come one after another, for each keeps both servers busy
 * by itself. Small ones of ticklog leaders come several at a time: each is little more than a request and a commit
 * to wait for. No other leader is asked for two at a time; those that make a snapshot refuse it.
 */
export class CopyRound {
  readonly #deps: CopyRoundDeps;
  readonly #finished: Collection[] = [];
  readonly #kept: Collection[] = [];

  constructor(deps: CopyRoundDeps) {
    this.#deps = deps;
  }

  /**
   * @param chunkSizeBytes size of a page; small ones are such that those under way make no more than two pages
   * @throws as CollectionCopier.copy, when nothing is under way any more
   */
  async run(plan: SyncPlan, chunkSizeBytes: number, signal: AbortSignal): Promise<Copies> {
    const smallBytes = plan.incarnation === undefined ? -1 : (2 * chunkSizeBytes) / AT_A_TIME;
    const isSmall = ({ bytes = Infinity }: PlannedCollection): boolean => bytes <= smallBytes;
    const large = plan.collections.filter((each) => !isSmall(each));
    const one = (planned: PlannedCollection, either: AbortSignal): Promise<void> =>
      this.#copy(planned, either);
    await inParallel(large, 1, signal, one);
    await inParallel(plan.collections.filter(isSmall), AT_A_TIME, signal, one);
    return { finished: this.#finished, kept: this.#kept };
  }

  async #copy(planned: PlannedCollection, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { report, seed } = this.#deps;
    const at = await seed(planned, signal);
    const isKept = at !== undefined && 'kept' in at;
    if (isKept) this.#kept.push(at.kept);
    else this.#finished.push(...(await this.#finish(planned, at, signal)));
    report.done(planned.parameters.cid, isKept ? 'kept' : 'done');
  }

  /** One that was begun from what is here must come to the leader's count; else it is copied whole. */
  async #finish(
    planned: PlannedCollection,
    begun: BegunCopy | undefined,
    signal: AbortSignal,
  ): Promise<readonly Collection[]> {
    const { copier, logger, report, discard } = this.#deps;
    const { gauge } = report;
    gauge.begin(planned.parameters.cid, 'copying');
    if (begun) gauge.has(begun.copy);
    const copy = await copier.copy(planned, begun, signal);
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
