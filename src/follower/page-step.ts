import type { Database } from '../documents/database.ts';
import { ServiceError } from '../model/errors.ts';
import { MarkerType, isDocumentMarker, isLoggerMarker } from '../model/marker.ts';
import { MAX_TICK, type Tick } from '../model/tick.ts';
import { PlainLines } from '../protocol/plain-lines.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import type { Draft } from './applier-draft.ts';
import { type Displaced, DocumentApplier, offending, refuse } from './document-applier.ts';
import type { LeaderCollections } from './leader-collections.ts';
import { type PageLines, WholeTransactions, openPage } from './page-lines.ts';
import type { Restriction } from './restriction.ts';
import { StagingWriter } from './staging.ts';

/** Why a step ended before the page did, or that the page is through. */
export type StepEnd =
  /** Nothing is left of the page. */
  | { readonly kind: 'page' }
  /** The step is large enough. */
  | { readonly kind: 'more' }
  /** The present line changes a collection or an index. */
  | { readonly kind: 'ddl' }
  /** The present line commits a staged transaction. */
  | { readonly kind: 'commit' }
  /** The present line cannot be applied. */
  | { readonly kind: 'failed'; readonly error: ServiceError }
  /** What follows is no line. */
  | { readonly kind: 'broken'; readonly error: ServiceError };

/**
 * Thrown out of a step by what failed half-way, a transaction or a single line: nothing of the step
 * is written.
 */
export class GroupFailure extends Error {
  override readonly name = 'GroupFailure';
  /** Of the transaction's 2200 line, or of the single line. */
  readonly groupStart: number;
  readonly isSingle: boolean;
  readonly error: ServiceError;

  constructor(error: ServiceError, group: { start: number; isSingle: boolean }) {
    super(error.message, { cause: error });
    this.groupStart = group.start;
    this.isSingle = group.isSingle;
    this.error = error;
  }
}

/**
 * A step ends with the line with which it grows larger than this, or with the transaction begun. One that is spread
 * over many collections may be larger, for each of them costs it a block; but no more than this.
 */
const STEP_BYTES = 1024 * 1024;
const STEP_BYTES_PER_COLLECTION = 4 * 1024;
const STEP_MAX_BYTES = 4 * 1024 * 1024;

/** A page on its way through the applier; `held` says that the present line is still to be dealt with. */
export class PageCursor {
  readonly body: Buffer;
  readonly verified: boolean;
  readonly whole: WholeTransactions;
  lines: PageLines;
  held = false;
  /** The step that comes to this offset ends before it. */
  stopAt = Number.MAX_SAFE_INTEGER;
  /** How large the step before this one might have grown. */
  stepBytes = STEP_BYTES;
  #runs: PlainLines | undefined;
  #singlyTo = 0;

  constructor(page: { body: Buffer; verified: boolean }) {
    this.body = page.body;
    this.verified = page.verified;
    this.whole = new WholeTransactions(page.body, page.verified);
    this.lines = openPage(page.body, page.verified);
  }

  /**
   * Looks for a run of plain lines that begins with the next line to be dealt with, for `passRun` to go behind it.
   * @param bytes the run ends with the line with which it grows larger than this
   */
  peekRun(bytes: number): PlainLines | undefined {
    const { offset } = this;
    if (!this.verified || this.held || offset < this.#singlyTo) return undefined;
    this.#runs ??= new PlainLines(this.body);
    return this.#runs.next(offset, Math.min(bytes, this.stopAt - offset)) ? this.#runs : undefined;
  }

  /** Has the next runs take whatever was refused in those before. */
  admitAll(): void {
    this.#runs?.admitAll();
  }

  /** Goes behind a run. */
  passRun(run: PlainLines): void {
    this.lines.seek(run.end);
  }

  /** Says that the lines up to here are to be dealt with one by one. */
  singlyTo(offset: number): void {
    this.#singlyTo = offset;
  }

  /** Moves to the next line to be dealt with; false at the end of the page. */
  advance(): boolean {
    if (this.held) {
      this.held = false;
      return true;
    }
    return this.lines.next();
  }

  /** Where the next line to be dealt with begins. */
  get offset(): number {
    return this.held ? this.lines.lineStart : this.lines.lineEnd;
  }

  /** Goes back to an offset where a line begins. */
  rewind(offset: number): void {
    this.lines = openPage(this.body, this.verified);
    this.held = false;
    while (this.lines.lineEnd < offset && this.lines.next());
  }
}

export interface StepDeps {
  readonly tx: WriteTx;
  readonly database: Database;
  readonly draft: Draft;
  readonly onDisplaced?: ((displaced: Displaced) => void) | undefined;
}

export interface StepOptions {
  readonly restriction: Restriction;
  readonly theirs: LeaderCollections;
  /** Whether transactions of the leader may lie between each other's lines (2.x and later). */
  readonly interleaved: boolean;
  /** Whether neighbouring lines may have one tick (3.4 and later). */
  readonly equalTicks: boolean;
  /** See PageApplierOptions. */
  readonly knownTick: Tick;
}

/**
 * Applies as many lines of a page as go into one batch: documents, whole transactions, and the
 * staging of open ones (contract 6.7). Lines at or below the position are passed over (P4).
 */
export class PageStep {
  readonly #tx: WriteTx;
  readonly #database: Database;
  readonly #draft: Draft;
  readonly #cursor: PageCursor;
  readonly #interleaved: boolean;
  readonly #equalTicks: boolean;
  readonly #documents: DocumentApplier;
  readonly #staging: StagingWriter;

  constructor(deps: StepDeps, options: StepOptions, cursor: PageCursor) {
    this.#tx = deps.tx;
    this.#database = deps.database;
    this.#draft = deps.draft;
    this.#cursor = cursor;
    this.#interleaved = options.interleaved;
    this.#equalTicks = options.equalTicks;
    this.#documents = new DocumentApplier(deps, options);
    cursor.admitAll();
    this.#staging = new StagingWriter(
      { tx: deps.tx, open: deps.draft.open },
      { databaseNumber: deps.database.number, verified: cursor.verified },
    );
  }

  /**
   * Runs the step; the draft is up to date afterwards, but not written.
   * @throws GroupFailure when nothing of the step may be written
   */
  run(): StepEnd {
    const draft = this.#draft;
    const end = this.#lines();
    this.#cursor.stepBytes = this.#spreadBytes;
    this.#staging.flush();
    this.#documents.finish(draft.processedTick);
    draft.count(this.#documents.counts);
    return end;
  }

  #lines(): StepEnd {
    const cursor = this.#cursor;
    const begin = cursor.offset;
    for (;;) {
      const full = begin + Math.max(this.#spreadBytes, this.#cursor.stepBytes);
      if (cursor.offset <= full && this.#tryRun(full, '')) {
        this.#draft.consistent();
        if (cursor.offset > full && this.#isBetween()) return { kind: 'more' };
        continue;
      }
      try {
        if (!cursor.advance()) return { kind: 'page' };
      } catch (error) {
        if (error instanceof ServiceError) return { kind: 'broken', error };
        throw error;
      }
      const { lines } = cursor;
      if (lines.lineStart >= cursor.stopAt) {
        cursor.held = true;
        cursor.stopAt = Number.MAX_SAFE_INTEGER;
        return { kind: 'more' };
      }
      if (this.#isPassed(lines.tick)) continue;
      const isLarge = lines.lineStart > full;
      // Between two lines of one tick there is no position to go on from.
      if (isLarge && lines.tick > this.#draft.processedTick) {
        cursor.held = true;
        return { kind: 'more' };
      }
      const end = this.#tryLine(lines);
      if (end) {
        cursor.held = true;
        return end;
      }
    }
  }

  /** How large the step may grow by the collections that it is spread over so far; the next ones are likely to be as many as in the step before. */
  get #spreadBytes(): number {
    const spread = this.#documents.collections * STEP_BYTES_PER_COLLECTION;
    return Math.min(STEP_BYTES + spread, STEP_MAX_BYTES);
  }

  /** Applies a run of plain lines of a transaction, or of none, up to about `stop`, if the next line is one. */
  #tryRun(stop: number, tid: string): boolean {
    const cursor = this.#cursor;
    const draft = this.#draft;
    if (draft.isReplaying) return false;
    for (const isLast of [false, true]) {
      const run = cursor.peekRun(stop - cursor.offset);
      if (!run) return false;
      if (run.tid !== tid || run.firstTick <= draft.processedTick) {
        cursor.singlyTo(run.end);
        return false;
      }
      if (this.#documents.applyRun(run)) {
        draft.processedRun(run.lastTick, run.count);
        cursor.passRun(run);
        return true;
      }
      // The next one ends before what this one refuses.
      if (isLast) cursor.singlyTo(run.end);
    }
    return false;
  }

  /** Whether a line follows that another step may begin with, without a look at it. */
  #isBetween(): boolean {
    const { offset, body, stopAt } = this.#cursor;
    return !this.#equalTicks && offset < body.length && offset < stopAt;
  }

  /** Whether the line was applied before (P4). */
  #isPassed(tick: Tick): boolean {
    const { processedTick } = this.#draft;
    return tick < processedTick || (tick === processedTick && !this.#equalTicks);
  }

  #tryLine(lines: PageLines): StepEnd | undefined {
    try {
      return this.#line(lines);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (this.#documents.spoiled) {
        throw new GroupFailure(error, { start: lines.lineStart, isSingle: true });
      }
      return { kind: 'failed', error };
    }
  }

  /** Applies one line; says so when the step ends before it. */
  #line(lines: PageLines): StepEnd | undefined {
    const { type, tick, tid } = lines;
    const draft = this.#draft;
    if (tick >= MAX_TICK) throw refuse('badParameter', this.#cursor.body, lines);
    if (draft.isReplayed(tick, tid)) {
      draft.passed(tick);
      return undefined;
    }
    if (isDocumentMarker(type)) {
      if (tid === '') {
        this.#documents.apply(lines, this.#cursor.body);
        draft.applied(tick);
      } else {
        this.#stage(lines, tid, tick);
      }
    } else if (type === MarkerType.transactionStart) {
      this.#begin(lines, tid, tick);
    } else if (type === MarkerType.transactionCommit) {
      if (!draft.open.has(tid)) throw refuse('invalidTransaction', this.#cursor.body, lines);
      return { kind: 'commit' };
    } else if (type === MarkerType.transactionAbort) {
      this.#abort([tid]);
      draft.processed(tick);
      draft.settled();
    } else if (isLoggerMarker(type)) {
      this.#abort(draft.open.keys());
      draft.applied(tick);
    } else {
      // A leader of 1.4 has no other line between those of a transaction: its end is lost.
      if (!this.#interleaved) this.#abort(draft.open.keys());
      return { kind: 'ddl' };
    }
    return undefined;
  }

  #stage(lines: PageLines, tid: string, tick: Tick): void {
    if (!this.#draft.open.has(tid)) throw refuse('invalidTransaction', this.#cursor.body, lines);
    this.#staging.add(tid, this.#cursor.body, lines.lineStart, lines.lineEnd);
    this.#draft.processed(tick);
  }

  #begin(lines: PageLines, tid: string, tick: Tick): void {
    const draft = this.#draft;
    if (!this.#interleaved) this.#abort(draft.open.keys());
    // One that is read again begins anew.
    this.#abort([tid]);
    if (this.#cursor.whole.has(lines)) {
      this.#applyWhole(lines);
      return;
    }
    if (tid === '') throw refuse('invalidTransaction', this.#cursor.body, lines);
    draft.open.set(tid, {
      tid,
      startTick: tick,
      chunks: 0,
      lines: 0,
      bytes: 0,
      appliedChunks: 0,
      appliedLines: 0,
    });
    draft.processed(tick);
  }

  /** Applies a transaction that is all in this page. Its lines follow each other. */
  #applyWhole(lines: PageLines): void {
    const { body } = this.#cursor;
    const { tid } = lines;
    const groupStart = lines.lineStart;
    this.#draft.processed(lines.tick);
    this.#documents.beginGroup();
    try {
      for (;;) {
        if (this.#tryRun(body.length, tid)) continue;
        if (!this.#cursor.advance() || lines.type === MarkerType.transactionCommit) break;
        if (this.#isPassed(lines.tick)) continue;
        if (lines.tid !== tid || !isDocumentMarker(lines.type)) {
          throw new ServiceError('invalidTransaction');
        }
        this.#documents.apply(lines, body);
        this.#draft.processed(lines.tick);
      }
      this.#documents.endGroup();
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const failure = offending(error, body, lines);
      throw new GroupFailure(failure, { start: groupStart, isSingle: false });
    }
    this.#draft.applied(lines.tick);
  }

  /** Forgets transactions, those of them that are open. */
  #abort(tids: Iterable<string>): void {
    this.#staging.flush();
    for (const tid of [...tids]) this.#draft.abort(this.#tx, this.#database.number, tid);
  }
}
