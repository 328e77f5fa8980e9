import { setImmediate as nextTurn } from 'node:timers/promises';
import { deferred } from '../base/deferred.ts';
import type { Collection } from '../documents/collection.ts';
import type { CollectionCopies, CopyWriter } from '../documents/collection-copy.ts';
import type { Database } from '../documents/database.ts';
import type { CollectionParameters } from '../model/collection.ts';
import type { Tick } from '../model/tick.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { DumpPageWriter, NOTHING_WRITTEN, type SliceWritten } from './dump-page-writer.ts';
import type { DumpPage } from './leader-page.ts';
import type { ReplicationFigures } from './replication-figures.ts';
import type { SyncProgress } from './sync-progress.ts';
import type { SyncReport } from './sync-report.ts';
import { WritesUnderWay } from './writes-under-way.ts';

export interface CopyWritesDeps {
  readonly copies: CollectionCopies;
  readonly progress: SyncProgress;
  readonly figures: ReplicationFigures;
  readonly report: SyncReport;
}

export interface CopyWritesOptions {
  /** A page is written in commits of about this many bytes of lines. */
  readonly sliceBytes: number;
}

interface PageOptions {
  /** Nothing comes behind the page: where all of its documents are known to be live, the copy is complete with it. */
  readonly completes: boolean;
  readonly writes: WritesUnderWay;
}

/** Writes pages of a leader into hidden copies; the position is stored in the batch of the lines that it covers (P3). */
export class CopyWrites {
  readonly #deps: CopyWritesDeps;
  readonly #options: CopyWritesOptions;
  /** Pages that are being written, and since when there have been some: those of several copies share their batches. */
  #writing = 0;
  #writingSinceMs = 0;

  constructor(deps: CopyWritesDeps, options: CopyWritesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Writes a page, and resolves when all of it is handed to the store, so that the next one can be begun.
   * @returns whether the copy is complete with it
   * @throws ServiceError as DumpPageWriter; the reason of `signal`
   */
  async write(
    copy: Collection,
    page: DumpPage,
    options: PageOptions,
    signal: AbortSignal,
  ): Promise<boolean> {
    const bytes = page.body.length;
    if (bytes === 0) return false;
    const { writes } = options;
    const lines = new DumpPageWriter(page, copy);
    this.#begin();
    try {
      const isComplete = await this.#rest(copy, lines, options, signal);
      writes.whenStored(() => this.#count(copy, lines, bytes));
      return isComplete;
    } finally {
      void writes.settled().then(() => this.#end());
    }
  }

  /**
   * Makes a copy of a collection that is all in one page, and resolves when it is stored. The first slice, mostly all of
   * it, is in the batch that creates the copy.
   * @param completes as in `write`
   * @throws ServiceError as `write`
   */
  async create(
    database: Database,
    parameters: CollectionParameters,
    page: DumpPage,
    completes: boolean,
    signal: AbortSignal,
  ): Promise<{ copy: Collection; isComplete: boolean }> {
    const bytes = page.body.length;
    const lines = new DumpPageWriter(page, parameters);
    const first = this.#slice(lines, completes, 0n);
    const writes = new WritesUnderWay();
    let isComplete = false;
    this.#begin();
    try {
      const also = (tx: WriteTx, copy: Collection): void => {
        isComplete = first.also(tx, copy);
      };
      const copy = await this.#deps.copies.create(database, parameters, also, first.write);
      if (!lines.done) isComplete = await this.#rest(copy, lines, { completes, writes }, signal);
      await writes.done();
      this.#count(copy, lines, bytes);
      return { copy, isComplete };
    } finally {
      await writes.settled();
      this.#end();
    }
  }

  /** Writes what is left of a page, and says whether the copy is complete with it. */
  async #rest(
    copy: Collection,
    lines: DumpPageWriter,
    { completes, writes }: PageOptions,
    signal: AbortSignal,
  ): Promise<boolean> {
    let isComplete = false;
    while (!lines.done) {
      signal.throwIfAborted();
      const { promise: ran, resolve, reject } = deferred<boolean>();
      const { write, also } = this.#slice(lines, completes);
      const stored = this.#deps.copies.append(copy, write, (tx) => resolve(also(tx, copy)));
      stored.catch(reject);
      // What stands behind a line that failed must not be written.
      [, isComplete] = await Promise.all([writes.add(stored), ran]);
      // A slice begun in the same turn would be in the same batch, and wait for it.
      await nextTurn();
    }
    return isComplete;
  }

  /**
   * What a commit does that writes a slice: `write` its lines, and `also` the position behind them.
   * @param start position when no line has one; without it the one before is left
   */
  #slice(
    lines: DumpPageWriter,
    completes: boolean,
    start?: Tick,
  ): {
    write: (writer: CopyWriter) => void;
    /** Says whether the copy is complete. */
    also: (tx: WriteTx, copy: Collection) => boolean;
  } {
    const { copies, progress } = this.#deps;
    let slice: SliceWritten = NOTHING_WRITTEN;
    return {
      write: (writer) => {
        slice = lines.writeSlice(writer, this.#options.sliceBytes);
      },
      also: (tx, copy) => {
        const { position = start, largestRevision } = slice;
        if (largestRevision > 0n) tx.observeTick(largestRevision);
        if (position === undefined) return false;
        tx.observeTick(position);
        const complete = completes && lines.done && copies.isComplete(tx, copy);
        progress.writePosition(tx, copy, { cid: copy.cid, position, complete });
        return complete;
      },
    };
  }

  #begin(): void {
    if (this.#writing++ === 0) this.#writingSinceMs = performance.now();
  }

  #end(): void {
    if (--this.#writing > 0) return;
    this.#deps.figures.dump.applyMs += performance.now() - this.#writingSinceMs;
  }

  /** Counts what was in a page. */
  #count(copy: Collection, { documents, removals }: DumpPageWriter, bytes: number): void {
    const { dump } = this.#deps.figures;
    const counts = { documents, removals, bytes };
    dump.documents += documents;
    dump.removals += removals;
    dump.bytes += bytes;
    const { cid, name } = copy;
    this.#deps.report.count(cid, `copied a page of collection '${name}', id ${cid}`, counts);
  }
}
