import type { ServiceError } from '../model/errors.ts';
import type { Clock } from '../base/clock.ts';
import { collectGarbage } from '../base/collect-garbage.ts';
import { deferred } from '../base/deferred.ts';
import type { Tick } from '../model/tick.ts';
import { BlockBuffers } from './block-buffers.ts';
import type { CommitChain } from './commit-chain.ts';
import { CommitGroup, type Level } from './commit-group.ts';
import { metaKey } from './keys.ts';
import type { TipMemory } from './log-tip.ts';
import { protect } from './record.ts';
import { Scratch } from './scratch.ts';
import { StoreBatch } from './store-batch.ts';
import type { TickSource } from './tick-source.ts';
import { writeFailure } from './write-failure.ts';
import { WriteTx } from './write-tx.ts';

export interface CommitOptions {
  /** Ask for an fsync of the batch (P5). */
  readonly sync?: boolean;
  /** Run in a batch of its own, after everything before it is committed: catalogue changes. */
  readonly exclusive?: boolean;
  /** Do not wait for what else comes in this turn of the event loop: for a writer that has no neighbours. */
  readonly prompt?: boolean;
}

interface Request {
  readonly run: (tx: WriteTx) => unknown;
  readonly options: CommitOptions;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
  /** What `run` has returned. */
  result: unknown;
}

/** A group, and what was run into it. */
interface OpenGroup {
  readonly group: CommitGroup;
  readonly tx: WriteTx;
  readonly accepted: Request[];
  readonly exclusive: boolean;
  /** What it is written as, once nothing is added to it any more. */
  filled: StoreBatch | undefined;
}

const NO_OPTIONS: CommitOptions = {};

/** A group is sealed when it holds this many requests, whatever waits. */
const GROUP_REQUESTS_MAX = 4096;
/**
 * A group with so many bytes of lines is made a batch while the one before it is still being written. The store then never
 * waits for that, and those who come next wait no longer than for a batch of this size.
 */
const FILL_EARLY_BYTES = 512 * 1024;
/** One is filled while another is written. */
const BATCHES_KEPT = 2;
/** The memory of batches above this is given back. */
const BATCH_KEPT_BYTES = 8 * 1024 * 1024;
const BUFFERS_KEPT = 192;
/** For two groups of a thousand logs each; some 9 KB apiece. */
const SMALL_BUFFERS_KEPT = 2048;

/** What a queue has done since the store was opened. */
export interface CommitFigures {
  /** Requests, and the batches that they were written in. */
  requests: number;
  batches: number;
  /** Time that writing took, in ms. */
  writeMs: number;
  /** Requests that could not be written, or were not tried any more. */
  refused: number;
}

export const CEILING_KEY = metaKey('t');

/**
 * The one way data gets into the store. Requests are run one after another against the store and
 * the overlay of their group, as soon as they arrive; what is there when the batch before is
 * written, or is much before that, becomes the next batch. So checks see every write before them, ticks rise in commit order
 * (P2), and a document and its log entry are one batch (P1).
 */
export class CommitQueue {
  readonly #level: Level;
  readonly #ticks: TickSource;
  readonly #chain: CommitChain;
  readonly #clock: Clock;
  readonly #tips: TipMemory;
  readonly #alwaysSync: boolean;
  readonly #buffers = new BlockBuffers({
    keepCount: BUFFERS_KEPT,
    keepSmall: SMALL_BUFFERS_KEPT,
  });
  readonly #scratch = { keys: new Scratch(), values: new Scratch(), lines: [] };
  readonly #batches: StoreBatch[] = [];
  readonly #waiting: Request[] = [];
  #open: OpenGroup | undefined;
  #writing: OpenGroup | undefined;
  #scheduled = false;
  #failure: ServiceError | undefined;
  readonly #failed = deferred<ServiceError>();
  #lastCommitted: Tick;
  #idle: (() => void)[] = [];
  readonly figures: CommitFigures = { requests: 0, batches: 0, writeMs: 0, refused: 0 };

  constructor(
    deps: {
      level: Level;
      ticks: TickSource;
      chain: CommitChain;
      clock: Clock;
      tips: TipMemory;
    },
    options: { alwaysSync: boolean; lastCommitted: Tick },
  ) {
    this.#level = deps.level;
    this.#ticks = deps.ticks;
    this.#chain = deps.chain;
    this.#clock = deps.clock;
    this.#tips = deps.tips;
    this.#alwaysSync = options.alwaysSync;
    this.#lastCommitted = options.lastCommitted;
  }

  /** Tick of the last completed commit; every bound handed out is at most this. */
  get lastCommitted(): Tick {
    return this.#lastCommitted;
  }

  /** What made the queue refuse further writes, if anything did. */
  get failure(): ServiceError | undefined {
    return this.#failure;
  }

  /** Resolves with `failure` when there is one, before any request is told of it. */
  get failed(): Promise<ServiceError> {
    return this.#failed.promise;
  }

  /**
   * Runs `run` in commit order and resolves with its result once its writes are in the store.
   * `run` must not wait for anything. When it throws, its writes are taken back and the promise
   * rejects with that error; requests beside it are not affected.
   * @throws ServiceError storageFailed or filesystemFull when the batch could not be written; nothing of it
   * can be read, and the queue takes no more until the store is opened again.
   */
  commit<T>(run: (tx: WriteTx) => T, options: CommitOptions = NO_OPTIONS): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const request = { run, options, resolve, reject, result: undefined };
      // Most need not wait.
      const isNext = this.#waiting.length === 0 && !this.#failure && this.#admits(request);
      if (isNext) this.#run(request);
      else this.#waiting.push(request);
      if (isNext && options.prompt) void this.#writeOpen();
      this.#pump();
    });
  }

  /** A tick that may be shown at once, such as a batch id. */
  async drawTick(): Promise<Tick> {
    for (;;) {
      const tick = this.#ticks.drawBelowCeiling();
      if (tick !== undefined) return tick;
      await this.commit(() => undefined);
    }
  }

  /** Resolves when nothing is waiting or being written. */
  async drain(): Promise<void> {
    while (this.#open || this.#writing || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  /** Runs what may run now, and sees to it that it is written. */
  #pump(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (!next) break;
      if (this.#failure) {
        this.#waiting.shift();
        this.figures.refused++;
        next.reject(this.#failure);
        continue;
      }
      if (!this.#admits(next)) break;
      this.#waiting.shift();
      this.#run(next);
    }
    if (this.#open && !this.#scheduled && (!this.#writing || mayBeFilled(this.#open))) {
      this.#scheduled = true;
      // After this turn of the event loop, so that requests read together are written together.
      setImmediate(() => {
        this.#scheduled = false;
        if (this.#writing) this.#fillOpen();
        else void this.#writeOpen();
      });
    }
    if (!this.#open && !this.#writing) for (const wake of this.#idle.splice(0)) wake();
  }

  #admits(next: Request): boolean {
    if (next.options.exclusive) return !this.#open && !this.#writing;
    // What a catalogue change alters in memory is altered once it is committed, not before; and a
    // large group keeps nothing that others could look at while it is written.
    if (this.#writing?.exclusive || this.#writing?.group.isLarge) return false;
    if (!this.#open) return true;
    const { group, accepted, exclusive, filled } = this.#open;
    return !exclusive && !filled && accepted.length < GROUP_REQUESTS_MAX && !group.isLarge;
  }

  #run(request: Request): void {
    const { group, tx, accepted } = (this.#open ??= this.#begin(
      request.options.exclusive ?? false,
    ));
    tx.begin();
    try {
      request.result = request.run(tx);
      accepted.push(request);
      if (request.options.sync) group.sync = true;
    } catch (error) {
      tx.rollback();
      if (accepted.length === 0) {
        group.release();
        this.#open = undefined;
      }
      request.reject(error);
    }
  }

  #begin(exclusive: boolean): OpenGroup {
    const group = new CommitGroup(
      {
        level: this.#level,
        ticks: this.#ticks,
        buffers: this.#buffers,
        scratch: this.#scratch,
        tips: this.#tips,
        below: this.#writing?.group,
      },
      { timeMs: this.#clock.nowMs() },
    );
    return { group, tx: new WriteTx(group), accepted: [], exclusive, filled: undefined };
  }

  /** Makes a batch of a group that waits for the one before it. */
  #fillOpen(): void {
    const open = this.#open;
    if (!open || !mayBeFilled(open)) return;
    try {
      open.filled = this.#fill(open.group);
    } catch (error) {
      this.#fail(error, []);
      this.#pump();
    }
  }

  async #writeOpen(): Promise<void> {
    const open = this.#open;
    if (!open || this.#writing) return;
    this.#open = undefined;
    this.#writing = open;
    const beganMs = performance.now();
    try {
      await this.#write(open);
      this.figures.batches++;
      this.figures.requests += open.accepted.length;
      this.figures.writeMs += performance.now() - beganMs;
      this.#lastCommitted = open.group.lastTick;
      open.group.show();
      for (const effect of open.tx.effects) effect();
      for (const { resolve, result } of open.accepted) resolve(result as never);
    } catch (error) {
      this.#fail(error, open.accepted);
    }
    this.#writing = undefined;
    open.group.release();
    // The batch: the driver frees its memory when it is collected, and tells nobody how much that is.
    if (open.group.isLarge) collectGarbage();
    // What was gathered meanwhile is on its way to the store while those above are answered.
    void this.#writeOpen();
    this.#pump();
  }

  #fill(group: CommitGroup): StoreBatch {
    const batch = this.#batches.pop() ?? new StoreBatch(this.#level, this.#scratch);
    group.fill(batch);
    return batch;
  }

  async #write({ group, filled }: OpenGroup): Promise<void> {
    const { isLarge } = group;
    // What the requests of a large group left behind, and batches of before, make room for its batch.
    if (isLarge) {
      await this.#letGo();
      collectGarbage();
    }
    const batch = filled ?? this.#fill(group);
    // The blocks are in the batch now; the store needs as much again for its own copy.
    if (isLarge) collectGarbage();
    const ceiling = this.#ticks.ceilingToWrite;
    if (ceiling !== undefined) {
      const payload = Buffer.allocUnsafe(8);
      payload.writeBigUInt64BE(ceiling);
      batch.put(CEILING_KEY, protect(CEILING_KEY, payload));
    }
    const { key, value, stale } = this.#chain.next(group.lastTick, batch.bytes);
    batch.put(key, value);
    for (const old of stale) batch.del(old);
    // A ceiling that a power cut takes back would give out ticks twice.
    const sync = group.sync || this.#alwaysSync || ceiling !== undefined;
    await batch.write({ sync });
    if (ceiling !== undefined) this.#ticks.ceilingWritten(ceiling);
    await this.#keep(batch);
  }

  /** Of the batches that are kept. Nothing of this must hold on to one of them when it is done. */
  async #letGo(): Promise<void> {
    await Promise.all(this.#batches.splice(0).map((batch) => batch.close()));
  }

  /** For the next group. */
  async #keep(batch: StoreBatch): Promise<void> {
    const isKept = batch.mostBytes <= BATCH_KEPT_BYTES && this.#batches.length < BATCHES_KEPT;
    if (isKept) this.#batches.push(batch);
    else await batch.close();
  }

  /**
   * A batch that could not be written leaves memory ahead of the store: nothing more is taken, also
   * not what was already run on top of it.
   */
  #fail(cause: unknown, accepted: readonly Request[]): void {
    const failure = writeFailure(cause);
    this.#failure = failure;
    // Whoever opens the store again hears of it before those whose writes are lost.
    this.#failed.resolve(failure);
    for (const { reject } of [...accepted, ...(this.#open?.accepted ?? [])]) {
      this.figures.refused++;
      reject(failure);
    }
    this.#open?.group.release();
    // It would stay in memory for as long as the store is open.
    this.#open?.filled?.close().catch(() => undefined);
    this.#open = undefined;
  }
}

function mayBeFilled({ group, filled }: OpenGroup): boolean {
  return !filled && group.bytes >= FILL_EARLY_BYTES && !group.isLarge;
}
