import { setImmediate as nextTurn } from 'node:timers/promises';
import { assert } from '../base/assert.ts';
import { deferred } from '../base/deferred.ts';
import type { Logger } from '../base/logger.ts';
import type { Collections } from '../documents/collections.ts';
import type { Database } from '../documents/database.ts';
import { ServiceError, type ErrorName } from '../model/errors.ts';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { type AppliedFigures, Draft, NOTHING_APPLIED } from './applier-draft.ts';
import type { Checkpoint } from './checkpoint.ts';
import { DdlApplier } from './ddl-applier.ts';
import { type Displaced, DocumentApplier, offending } from './document-applier.ts';
import type { LogPage } from './leader-page.ts';
import type { LeaderCollections } from './leader-collections.ts';
import { openPage } from './page-lines.ts';
import { GroupFailure, PageCursor, PageStep, type StepEnd } from './page-step.ts';
import type { Restriction } from './restriction.ts';
import { dropStaged, readStaged } from './staging.ts';
import { WritesUnderWay } from './writes-under-way.ts';

export interface PageApplierDeps {
  readonly store: Store;
  readonly database: Database;
  readonly collections: Collections;
  readonly logger: Logger;
  /** Told of each event that failed and is passed over. */
  readonly onIgnored?: ((error: ServiceError, tick: Tick) => void) | undefined;
  /** Told of each document that was removed for one of the leader, and is not known to come again. */
  readonly onDisplaced?: ((displaced: Displaced) => void) | undefined;
}

export interface PageApplierOptions {
  readonly restriction: Restriction;
  readonly theirs: LeaderCollections;
  /** A staged transaction with more bytes of lines is applied in several batches (design, rule 6). */
  readonly transactionMaxBytes: number;
  /** Events that may fail before the applier stops. */
  readonly ignoreErrors: number;
  /** Whether the leader may mix the lines of its transactions: 2.2 and later. */
  readonly interleaved: boolean;
  /** Whether neighbouring lines of the leader may have one tick: 3.4 and later. */
  readonly equalTicks: boolean;
  /** Lines of a ticklog leader up to here are read a second time: what is here may be newer. 0 for none. */
  readonly knownTick: Tick;
}

/** How many events failed and were passed over, as `ignoreErrors` allows, and the newest of them. */
export interface IgnoredEvents {
  readonly count: number;
  readonly last: { readonly error: ServiceError; readonly tick: Tick } | undefined;
}

/** Failures of the store and of ourselves: no event is to blame, none is passed over. */
const NEVER_IGNORED: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['storageDamaged', 'storageFailed', 'filesystemFull', 'internal'] as const),
  ...(['databaseNotFound'] as const),
]);

/** What is not possible because what is here is newer than the line. */
const OVERTAKEN: ReadonlySet<ErrorName> = new Set<ErrorName>([
  ...(['collectionNotFound', 'duplicateName', 'collectionTypeInvalid'] as const),
  'uniqueConstraintViolated',
]);

/**
 * Applies pages of a leader's log to a database, in order, each batch with the position after it
 * (P3, P4). One page at a time.
 */
export class PageApplier {
  readonly #store: Store;
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #onIgnored: PageApplierDeps['onIgnored'];
  readonly #target: Pick<PageApplierDeps, 'database' | 'onDisplaced'>;
  readonly #ddl: DdlApplier;
  readonly #options: PageApplierOptions;
  /** As the batches handed to the store leave it. */
  #ahead: Checkpoint;
  #committed: Checkpoint;
  /** The incarnation to note with the next batch. */
  #incarnation: string | undefined;
  #figures: AppliedFigures;
  #failedTick: Tick | undefined;
  #ignored: IgnoredEvents = { count: 0, last: undefined };
  readonly #writes = new WritesUnderWay();

  /** @param checkpoint as stored */
  constructor(deps: PageApplierDeps, options: PageApplierOptions, checkpoint: Checkpoint) {
    this.#store = deps.store;
    this.#database = deps.database;
    this.#logger = deps.logger;
    this.#onIgnored = deps.onIgnored;
    this.#target = { database: deps.database, onDisplaced: deps.onDisplaced };
    this.#ddl = new DdlApplier(deps, options);
    this.#options = options;
    this.#ahead = checkpoint;
    this.#committed = checkpoint;
    this.#incarnation = checkpoint.incarnation;
    this.#figures = NOTHING_APPLIED;
  }

  /** The position as stored. */
  get checkpoint(): Checkpoint {
    return this.#committed;
  }

  get figures(): AppliedFigures {
    return this.#figures;
  }

  /** What was applied besides what was passed over, since the figures were these. */
  appliedSince(before: AppliedFigures): Omit<AppliedFigures, 'excluded'> {
    const { events, documents, removals } = this.#figures;
    return {
      events: events - before.events,
      documents: documents - before.documents,
      removals: removals - before.removals,
    };
  }

  /** Events that failed and were passed over. */
  get ignored(): IgnoredEvents {
    return this.#ignored;
  }

  /** Tick of the line that stopped `apply`. */
  get failedTick(): Tick | undefined {
    return this.#failedTick;
  }

  /** The run of the leader that the pages come from. */
  get incarnation(): string | undefined {
    return this.#incarnation;
  }

  /** Notes that the leader is in another run; stored with the next batch. */
  setIncarnation(incarnation: string | undefined): void {
    this.#incarnation = incarnation;
    this.#options.theirs.setIncarnation(incarnation);
  }

  /**
   * Applies a page and resolves when all of it is handed to the store, so that the next one can be
   * begun; `settled` tells when it is stored. After an abort or a failure what was begun is stored.
   * Nothing before a line that fails is lost.
   *
   * @param page its `scannedTo` is what the log is known up to when all its lines are applied
   * @throws ServiceError what stopped it, with the start of the line (contract 6.7, 6.8)
   */
  async apply(
    page: Pick<LogPage, 'body' | 'verified'> & { readonly scannedTo: Tick },
    signal: AbortSignal,
  ): Promise<void> {
    const { body, verified, scannedTo } = page;
    const cursor = new PageCursor({ body, verified });
    try {
      while (!signal.aborted) {
        const end = await this.#step(cursor, scannedTo);
        if (end.kind === 'page') return;
        if (end.kind !== 'more') await this.#resume(cursor, end);
      }
    } catch (error) {
      await this.#writes.settled();
      throw error;
    }
    await this.#writes.done();
  }

  /**
   * Resolves when all that was applied is stored.
   * @throws ServiceError what kept it from being stored
   */
  settled(): Promise<void> {
    return this.#writes.done();
  }

  /** Runs one step; while its batch is being written the next one may be put together. */
  async #step(cursor: PageCursor, scannedTo: Tick): Promise<StepEnd> {
    const begin = cursor.offset;
    const draft = this.#draft();
    const { ran, written } = this.#commit(draft, (tx) => {
      const step = new PageStep({ tx, draft, ...this.#target }, this.#options, cursor);
      const end = step.run();
      if (end.kind === 'page') draft.scanned(scannedTo);
      return end;
    });
    let end: StepEnd;
    try {
      end = await ran;
    } catch (error) {
      // It is known to have failed.
      await written.catch(() => undefined);
      if (error instanceof GroupFailure) return this.#groupFailed(cursor, begin, error);
      throw error;
    }
    await this.#writes.add(written);
    // Steps are long: whatever else the process has to do gets its turn in between.
    await nextTurn();
    return end;
  }

  /** Goes on where a step ended before the page did. */
  async #resume(cursor: PageCursor, end: StepEnd): Promise<void> {
    await this.#writes.done();
    const { lines, body } = cursor;
    switch (end.kind) {
      case 'ddl':
      case 'commit': {
        cursor.advance();
        try {
          if (end.kind === 'ddl') await this.#change(cursor);
          else await this.#commitStaged(lines.tid, lines.tick);
        } catch (error) {
          if (!(error instanceof ServiceError)) throw error;
          await this.#failed(lines.tick, offending(error, body, lines), lines.tid);
        }
        return;
      }
      case 'failed':
        cursor.advance();
        await this.#failed(lines.tick, end.error, '');
        return;
      case 'broken':
        throw end.error;
      case 'page':
      case 'more':
        return;
    }
  }

  /** Applies the present line, which changes a collection or an index. */
  async #change(cursor: PageCursor): Promise<void> {
    const line = cursor.lines.parsed();
    const { tick } = cursor.lines;
    const plan = this.#ddl.plan(line);
    const draft = this.#draft();
    draft.applied(tick);
    if (plan === 'excluded') draft.count({ excluded: 1 });
    if (plan === 'done' || plan === 'excluded') {
      // The next batch stores it.
      this.#advance(draft);
      return;
    }
    let checkpoint: Checkpoint | undefined;
    await plan({
      origin: 'remote',
      also: (tx) => {
        this.#database.assertAlive();
        tx.observeTick(tick);
        checkpoint = draft.write(tx, this.#database.number);
      },
    });
    assert(checkpoint, 'a change of the catalogue stores the position');
    this.#advance(draft);
    this.#committed = checkpoint;
  }

  /**
   * Applies a staged transaction: in one batch, or above the limit in several, each with the position
   * in it, so that a crash in between is gone on from.
   */
  async #commitStaged(tid: string, tick: Tick): Promise<void> {
    while (this.#ahead.open.some((each) => each.tid === tid)) {
      const draft = this.#draft();
      await this.#commit(draft, (tx) => this.#applyStaged(tx, draft, tid, tick)).written;
      await nextTurn();
    }
  }

  #applyStaged(tx: WriteTx, draft: Draft, tid: string, tick: Tick): void {
    const open = draft.open.get(tid);
    assert(open, 'the transaction is open');
    const { transactionMaxBytes } = this.#options;
    const whole = open.bytes <= transactionMaxBytes;
    const { database, onDisplaced } = this.#target;
    const { number } = database;
    const documents = new DocumentApplier({ tx, database, onDisplaced }, this.#options);
    let { appliedChunks, appliedLines } = open;
    documents.beginGroup();
    for (let bytes = 0; appliedChunks < open.chunks; appliedChunks++) {
      if (!whole && bytes >= transactionMaxBytes) break;
      const { body, verified } = readStaged(tx, number, tid, appliedChunks);
      const lines = openPage(body, verified);
      while (lines.next()) {
        documents.apply(lines, body);
        appliedLines++;
      }
      dropStaged(tx, number, tid, appliedChunks);
      bytes += body.length;
    }
    documents.endGroup();
    documents.finish(tick);
    draft.count(documents.counts);
    if (appliedChunks < open.chunks) {
      draft.open.set(tid, { ...open, appliedChunks, appliedLines });
      return;
    }
    draft.open.delete(tid);
    draft.applied(tick);
  }

  /** A part of the page failed half-way: what stood before it is applied first, then it is seen alone. */
  async #groupFailed(cursor: PageCursor, begin: number, failure: GroupFailure): Promise<StepEnd> {
    cursor.rewind(begin);
    if (failure.groupStart > begin) {
      cursor.stopAt = failure.groupStart;
      return { kind: 'more' };
    }
    // The last line of a transaction is the one that a skip goes to.
    while (cursor.advance() && !failure.isSingle && !this.#endsWhole(cursor));
    await this.#failed(cursor.lines.tick, failure.error, '');
    return { kind: 'more' };
  }

  #endsWhole(cursor: PageCursor): boolean {
    return cursor.lines.type === MarkerType.transactionCommit;
  }

  /**
   * Passes over an event that failed while `ignoreErrors` allows it; an open transaction it would have
   * committed goes with it.
   * @throws ServiceError the failure, when it does not
   */
  async #failed(tick: Tick, error: ServiceError, tid: string): Promise<void> {
    const { count } = this.#ignored;
    if (NEVER_IGNORED.has(error.kind) || count >= this.#options.ignoreErrors) {
      this.#failedTick = tick;
      throw this.#overtaken(tick, error);
    }
    this.#ignored = { count: count + 1, last: { error, tick } };
    this.#onIgnored?.(error, tick);
    this.#logger.warn({ err: error, tick: tick.toString() }, 'an event failed and was passed over');
    const draft = this.#draft();
    await this.#commit(draft, (tx) => {
      draft.abort(tx, this.#database.number, tid);
      draft.processed(tick);
      draft.settled();
    }).written;
  }

  /** Of a log that is read a second time not all can be applied again: then only a copy helps. */
  #overtaken(tick: Tick, error: ServiceError): ServiceError {
    if (tick > this.#options.knownTick || !OVERTAKEN.has(error.kind)) return error;
    return new ServiceError(
      'startTickNotPresent',
      `the log is read a second time, and does not fit what is here, which is newer; sync anew: ${error.message}`,
      { cause: error },
    );
  }

  #draft(): Draft {
    const draft = new Draft(this.#ahead, this.#figures);
    draft.incarnation = this.#incarnation;
    return draft;
  }

  #advance(draft: Draft): void {
    this.#ahead = draft.checkpoint(this.#ahead.updatedMs);
    this.#figures = draft.figures;
  }

  /**
   * Commits what `run` does together with the draft after it. `ran` settles as soon as `run` has
   * been, `written` when it is stored.
   */
  #commit<T>(draft: Draft, run: (tx: WriteTx) => T): { ran: Promise<T>; written: Promise<void> } {
    const { promise: ran, resolve, reject } = deferred<T>();
    const written = this.#store
      .commit(
        (tx) => {
          this.#database.assertAlive();
          const result = run(tx);
          const checkpoint = draft.write(tx, this.#database.number);
          this.#advance(draft);
          resolve(result);
          return checkpoint;
        },
        { prompt: true },
      )
      .then(
        (checkpoint) => {
          this.#committed = checkpoint;
        },
        (error: unknown) => {
          reject(error);
          throw error;
        },
      );
    ran.catch(() => undefined);
    return { ran, written };
  }
}
