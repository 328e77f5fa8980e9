import type { Tick } from '../model/tick.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import {
  type Checkpoint,
  type KnownLog,
  type OpenTransaction,
  type Replay,
  writeCheckpoint,
} from './checkpoint.ts';
import { dropAllStaged } from './staging.ts';

/** What became of lines about documents. */
export interface AppliedLines {
  /** Passed over because their collection is not followed. */
  readonly excluded: number;
  /** Documents put in, or in the place of others. */
  readonly documents: number;
  readonly removals: number;
}

/** Figures of what was applied, since the applier was made. */
export interface AppliedFigures extends AppliedLines {
  /** Lines of all kinds. */
  readonly events: number;
}

export const NOTHING_APPLIED: AppliedFigures = {
  events: 0,
  excluded: 0,
  documents: 0,
  removals: 0,
};

/** The position as one batch will leave it, while the batch is being put together. */
export class Draft {
  readonly open: Map<string, OpenTransaction>;
  incarnation: string | undefined;
  readonly #figures: { -readonly [K in keyof AppliedFigures]: AppliedFigures[K] };
  #processedTick: Tick;
  #appliedTick: Tick;
  #replay: Replay | undefined;
  readonly #known: KnownLog | undefined;
  readonly #leaderId: string;

  constructor(checkpoint: Checkpoint, figures: AppliedFigures) {
    this.#leaderId = checkpoint.leaderId;
    this.incarnation = checkpoint.incarnation;
    this.#processedTick = checkpoint.processedTick;
    this.#appliedTick = checkpoint.appliedTick;
    this.#replay = checkpoint.replay;
    this.#known = checkpoint.known;
    this.open = new Map(checkpoint.open.map((each) => [each.tid, each]));
    this.#figures = { ...figures };
  }

  /** With what this batch adds. */
  get figures(): AppliedFigures {
    return { ...this.#figures };
  }

  /** Counts what became of lines about documents. */
  count({ excluded = 0, documents = 0, removals = 0 }: Partial<AppliedLines>): void {
    this.#figures.excluded += excluded;
    this.#figures.documents += documents;
    this.#figures.removals += removals;
  }

  /** Newest tick read. */
  get processedTick(): Tick {
    return this.#processedTick;
  }

  /** Notes a line after which the data is consistent. */
  applied(tick: Tick): void {
    this.processed(tick);
    if (tick > this.#appliedTick) this.#appliedTick = tick;
  }

  /** Whether lines are read again for the sake of others. */
  get isReplaying(): boolean {
    return this.#replay !== undefined;
  }

  /** Notes a line of a transaction that is not at its end. */
  processed(tick: Tick): void {
    this.passed(tick);
    this.#figures.events++;
  }

  /** Notes a number of lines, the last of which has this tick. */
  processedRun(tick: Tick, count: number): void {
    this.passed(tick);
    this.#figures.events += count;
  }

  /** Notes that after what was processed so far the data is consistent. */
  consistent(): void {
    this.#appliedTick = this.#processedTick;
  }

  /** Notes a line that is not one to be applied. */
  passed(tick: Tick): void {
    if (tick > this.#processedTick) this.#processedTick = tick;
    if (this.#replay && this.#processedTick >= this.#replay.until) this.#replay = undefined;
  }

  /** Notes that the log is known up to `tick`, whether or not its last events were shown. */
  scanned(tick: Tick): void {
    this.passed(tick);
    this.settled();
  }

  /** Notes that nothing of what was read is open, if that is so. */
  settled(): void {
    if (this.open.size > 0 || this.#replay) return;
    if (this.#processedTick > this.#appliedTick) this.#appliedTick = this.#processedTick;
  }

  /** Whether the line at `tick` was applied before and is read for the sake of others only. */
  isReplayed(tick: Tick, tid: string): boolean {
    if (!this.#replay || tick > this.#replay.until) return false;
    return tid === '' || !this.#replay.tids.includes(tid);
  }

  /** Forgets a transaction that will not be finished, with what is staged of it; if it is open. */
  abort(tx: WriteTx, databaseNumber: number, tid: string): void {
    const open = this.open.get(tid);
    if (!open) return;
    dropAllStaged(tx, databaseNumber, open);
    this.open.delete(tid);
  }

  checkpoint(nowMs: number): Checkpoint {
    return {
      leaderId: this.#leaderId,
      incarnation: this.incarnation,
      appliedTick: this.#appliedTick,
      processedTick: this.#processedTick,
      open: [...this.open.values()],
      ...(this.#replay ? { replay: this.#replay } : {}),
      ...(this.#known && this.#known.tick > this.#processedTick ? { known: this.#known } : {}),
      updatedMs: nowMs,
    };
  }

  /** Puts the position into the batch. */
  write(tx: WriteTx, databaseNumber: number): Checkpoint {
    const checkpoint = this.checkpoint(tx.timeMs);
    writeCheckpoint(tx, databaseNumber, checkpoint);
    return checkpoint;
  }
}
