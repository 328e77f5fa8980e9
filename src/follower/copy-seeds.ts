import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../base/logger.ts';
import { cloneDocuments } from '../documents/collection-clone.ts';
import type { CollectionCopies } from '../documents/collection-copy.ts';
import type { Collection } from '../documents/collection.ts';
import { CollectionView } from '../documents/collection-view.ts';
import type { Database } from '../documents/database.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { Checkpoint } from './checkpoint.ts';
import { isCollectionGone, refusedAnswer } from './classify.ts';
import type { BegunCopy } from './collection-copier.ts';
import { errorFields } from './failure-log.ts';
import { copyDifferences, keysPerChunk } from './key-comparison.ts';
import type { LeaderCollection, LeaderState } from './leader-answers.ts';
import { holdsHistory } from './leader-check.ts';
import type { LeaderClient } from './leader-client.ts';
import type { DumpPage } from './leader-page.ts';
import { type KeyListRequest, LeaderKeyList } from './leader-key-list.ts';
import type { ReplicationFigures } from './replication-figures.ts';
import type { PlannedCollection, SyncPlan, SyncProgress } from './sync-progress.ts';
import type { SyncReport } from './sync-report.ts';

/**
 * How much of what is here a sync may begin from: `journals` where everything here is what the leader had at the
 * stored position, `keys` where it is not sure, but a document of the leader's revision is the leader's.
 */
export type DifferencesBy = 'journals' | 'keys';

export interface CopySeedsDeps {
  readonly store: Store;
  readonly copies: CollectionCopies;
  readonly client: LeaderClient;
  readonly logger: Logger;
  readonly progress: SyncProgress;
  /** Removes a hidden copy. */
  readonly discard: (copy: Collection) => Promise<void>;
  readonly report: SyncReport;
  /** Gets what is fetched. */
  readonly figures: ReplicationFigures;
}

export interface CopySeedsOptions {
  readonly database: Database;
  readonly by: DifferencesBy;
  /** The stored position. */
  readonly checkpoint: Checkpoint;
  /** The leader as it was when the sync began. */
  readonly state: LeaderState;
}

/** What a copy can begin from: a hidden copy, or the collection as it is, which need not be copied. */
export type Seed = BegunCopy | { readonly kept: Collection };

/** An answer below 500 about a list of keys: it has none, or no more, or it was lost. */
const REFUSED_BELOW = 500;
/** A list may be lost with the leader's restart. */
const LIST_ATTEMPTS = 2;
const CLOSE_MS = 5000;

/**
 * Begins copies of a leader's collections from what is here, so that only differences need be transferred: from
 * the stored position by the leader's journal where that is complete behind it, or else from a comparison by
 * keys. What can be begun neither way is copied whole. Nothing of what is here is changed.
 */
export class CopySeeds {
  readonly #deps: CopySeedsDeps;
  readonly #options: CopySeedsOptions;

  private constructor(deps: CopySeedsDeps, options: CopySeedsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Undefined when what is here does not come from this leader in its present history. */
  static for(deps: CopySeedsDeps, options: CopySeedsOptions): CopySeeds | undefined {
    const { checkpoint, state } = options;
    if (checkpoint.leaderId !== state.serverId) return undefined;
    const { incarnations } = state;
    const { incarnation } = checkpoint;
    if (incarnations === undefined) {
      return incarnation === undefined ? new CopySeeds(deps, options) : undefined;
    }
    const holds =
      incarnation !== undefined &&
      holdsHistory(incarnations, incarnation, checkpoint.processedTick);
    return holds ? new CopySeeds(deps, options) : undefined;
  }

  /**
   * Of a ticklog leader: for each collection from where on its journal is to be read, or a copy that a comparison
   * has made. Comes before the plan, whose tick must not be below that of any comparison.
   */
  async beforePlan(
    collections: readonly LeaderCollection[],
    signal: AbortSignal,
  ): Promise<{ bases: Record<string, Tick>; begun: Map<string, BegunCopy> }> {
    const bases: Record<string, Tick> = {};
    const begun = new Map<string, BegunCopy>();
    for (const collection of collections) {
      signal.throwIfAborted();
      const { cid } = collection.parameters;
      const old = this.#counterpart(collection);
      if (!old) continue;
      const from = this.#journalBase(collection);
      if (from !== undefined) {
        bases[cid] = from;
        continue;
      }
      const compared = await this.#compare(collection, old, { collection: cid }, signal);
      if (compared?.begun) begun.set(cid, compared.begun);
      else if (compared) bases[cid] = compared.tick;
    }
    return { bases, begun };
  }

  /**
   * What a planned collection can begin from. The position of a copy is in the store when this resolves.
   * @param batchId for leaders that want to know the batch
   */
  async forPlanned(
    planned: PlannedCollection,
    plan: SyncPlan,
    batchId: string | undefined,
    signal: AbortSignal,
  ): Promise<Seed | undefined> {
    const old = this.#counterpart(planned);
    if (!old) return undefined;
    const { cid } = planned.parameters;
    if (plan.incarnation !== undefined) {
      const from = plan.bases?.[cid];
      return from === undefined ? undefined : this.#fromJournal(planned, plan, old, from, signal);
    }
    if (plan.tick === 0n) return undefined;
    const request = { collection: cid, to: plan.tick, batchId };
    const compared = await this.#compare(planned, old, request, signal);
    if (!compared) return undefined;
    if (compared.begun) return { ...compared.begun, isWhole: true };
    if (hasSameShape(old, planned)) return this.#kept(old);
    return { ...(await this.#clone(planned, old, plan.tick, signal)), isWhole: true };
  }

  /** What is here of a collection, if it is a copy from this leader. */
  #counterpart({ parameters }: Pick<LeaderCollection, 'parameters'>): Collection | undefined {
    const { database, checkpoint } = this.#options;
    const old = database.byCid(parameters.cid);
    const { client } = this.#deps;
    const isTheirs =
      old?.followed?.leaderId === checkpoint.leaderId && old.followed.database === client.database;
    return isTheirs && old.type === parameters.type ? old : undefined;
  }

  #journalBase({ deletionsSince }: LeaderCollection): Tick | undefined {
    const { by, checkpoint } = this.#options;
    if (by !== 'journals' || deletionsSince === undefined) return undefined;
    return deletionsSince <= checkpoint.appliedTick ? checkpoint.appliedTick : undefined;
  }

  async #fromJournal(
    planned: PlannedCollection,
    plan: SyncPlan,
    old: Collection,
    from: Tick,
    signal: AbortSignal,
  ): Promise<Seed | undefined> {
    if (from > plan.tick) return undefined;
    const { cid, name } = planned.parameters;
    const { report } = this.#deps;
    if (hasSameShape(old, planned) && old.stats.count === planned.count) {
      if (await this.#isUnchanged(planned, plan, from, signal)) {
        report.say(`collection '${name}', id ${cid}, has not changed since tick ${from}`);
        return this.#kept(old);
      }
    }
    report.say(`catching up collection '${name}', id ${cid}, from its journal behind tick ${from}`);
    report.seeded('caughtUp');
    return this.#clone(planned, old, from, signal);
  }

  /** Whether the leader's journal of a collection has nothing behind a tick, and is complete from there on. */
  async #isUnchanged(
    { parameters: { cid } }: PlannedCollection,
    plan: SyncPlan,
    from: Tick,
    signal: AbortSignal,
  ): Promise<boolean> {
    const request = { collection: cid, from, to: plan.tick, chunkSizeBytes: 1 };
    let page: DumpPage;
    try {
      page = await this.#deps.client.dump(request, signal);
    } catch (error) {
      // Dropped since it was planned, perhaps: whoever copies it finds out.
      if (isCollectionGone(error)) return false;
      throw error;
    }
    const { deletionsSince = from + 1n, incarnation } = page;
    const isSure =
      deletionsSince <= from && incarnation === this.#options.state.incarnations?.at(-1)?.id;
    return isSure && page.body.length === 0 && !page.checkMore;
  }

  #kept(old: Collection): Seed {
    this.#deps.report.seeded('kept');
    return { kept: old };
  }

  /** A copy of what is here, which is what the leader had at a tick. */
  async #clone(
    planned: PlannedCollection,
    old: Collection,
    position: Tick,
    signal: AbortSignal,
  ): Promise<BegunCopy> {
    const view = await CollectionView.open(this.#deps.store, old);
    try {
      const copy = await this.#create(planned);
      await cloneDocuments(this.#deps, view, copy, signal);
      return await this.#begun(planned, copy, position);
    } finally {
      view.close();
    }
  }

  /**
   * Compares by keys. Of a ticklog leader the tick is that of the list, else the one that is asked for.
   * @returns undefined when that cannot be done, so that the collection is to be copied whole
   */
  async #compare(
    wanted: Pick<LeaderCollection, 'parameters'>,
    old: Collection,
    request: KeyListRequest,
    signal: AbortSignal,
  ): Promise<{ readonly tick: Tick; readonly begun?: BegunCopy } | undefined> {
    const { cid, name } = wanted.parameters;
    this.#deps.report.gauge.begin(cid, 'comparing');
    this.#deps.report.say(`comparing collection '${name}', id ${cid}, by its keys`);
    for (let attempt = 1; ; attempt++) {
      const made: Collection[] = [];
      try {
        return await this.#compareOnce(wanted, old, { request, made }, signal);
      } catch (error) {
        const refused = refusedAnswer(error);
        if (!refused || refused.status >= REFUSED_BELOW) throw error;
        for (const copy of made) await this.#deps.discard(copy);
        const isLast = attempt >= LIST_ATTEMPTS;
        const what = isLast ? 'copying it whole' : 'trying again';
        this.#deps.logger.warn(
          { ...errorFields(error), collection: name },
          `the collection could not be compared by its keys; ${what}`,
        );
        if (isLast) return undefined;
      }
    }
  }

  async #compareOnce(
    wanted: Pick<LeaderCollection, 'parameters'>,
    old: Collection,
    { request, made }: { request: KeyListRequest; made: Collection[] },
    signal: AbortSignal,
  ): Promise<{ readonly tick: Tick; readonly begun?: BegunCopy }> {
    const { client, report } = this.#deps;
    const { cid, name } = wanted.parameters;
    const list = await LeaderKeyList.open(
      { client, figures: this.#deps.figures.keys },
      request,
      keysPerChunk,
      signal,
    );
    try {
      const tick = request.to ?? BigInt(list.id);
      const copy = await copyDifferences(
        {
          ...this.#deps,
          list,
          create: async () => {
            const copy = await this.#create(wanted);
            made.push(copy);
            return copy;
          },
          onDocuments: (documents, bytes) => {
            this.#deps.figures.keys.documents += documents;
            const brought = { documents, removals: 0, bytes };
            report.count(cid, `fetched what differs of collection '${name}'`, brought);
          },
        },
        old,
        signal,
      );
      if (!copy) return { tick };
      report.seeded('compared');
      return { tick, begun: await this.#begun(wanted, copy, tick) };
    } finally {
      // One that is gone already, or cannot be ended, ends by itself.
      await list.close(AbortSignal.timeout(CLOSE_MS)).catch(() => undefined);
    }
  }

  /** Without a position it is nothing to go on with. */
  #create({ parameters }: Pick<LeaderCollection, 'parameters'>): Promise<Collection> {
    return this.#deps.copies.create(this.#options.database, parameters, () => undefined);
  }

  async #begun(
    { parameters }: Pick<LeaderCollection, 'parameters'>,
    copy: Collection,
    position: Tick,
  ): Promise<BegunCopy> {
    const at = { cid: parameters.cid, position, complete: false };
    await this.#deps.copies.append(
      copy,
      () => undefined,
      (tx) => {
        tx.observeTick(position);
        this.#deps.progress.writePosition(tx, copy, at);
      },
    );
    return { copy, at };
  }
}

/** Whether parameters and indexes are the leader's. */
function hasSameShape(old: Collection, { parameters, indexes }: PlannedCollection): boolean {
  const byId = (definitions: PlannedCollection['indexes']): PlannedCollection['indexes'] =>
    [...definitions].sort((a, b) => (a.id < b.id ? -1 : 1));
  return (
    isDeepStrictEqual(old.parameters, parameters) &&
    isDeepStrictEqual(byId(old.indexDefinitions), byId(indexes))
  );
}
