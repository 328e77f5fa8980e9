import type { Tick } from '../model/tick.ts';
import type { AscendingKeys } from './ascending-keys.ts';
import type { BlindPuts } from './blind-puts.ts';
import type { BlockMark, BlockWriter } from './block-writer.ts';
import type { KeyCursor } from './key-cursor.ts';
import { type BlockSpace, Space, primaryPrefix } from './keys.ts';
import type { LinePointer } from './line-pointer.ts';
import type { OpenBlock } from './open-block.ts';
import {
  type OpenPointer,
  PendingPointer,
  type Pointer,
  decodePointer,
  encodePointer,
} from './pointer.ts';
import type { StateOwner } from './stored-state.ts';

/** What a group of requests has put together so far; see CommitQueue. */
export interface GroupView {
  readonly timeMs: number;
  get(keyText: string): Buffer | PendingPointer | undefined;
  /** Changes a key for this request and those after it; returns what this group had made of it before. */
  change(keyText: string, value: OverlayValue): OverlayValue | undefined;
  /** Takes a change back. */
  restore(keyText: string, before: OverlayValue | undefined): void;
  pendingState(owner: StateOwner): object | undefined;
  pendingStateOf(owner: StateOwner): object | undefined;
  /** As `change` and `restore`. */
  changeState(owner: StateOwner, value: object): object | undefined;
  restoreState(owner: StateOwner, before: object | undefined): void;
  /** Whether there is a document with this key. */
  isLive(key: KeyCursor): boolean;
  /** Whether pointers were changed with `change`; then they must be from there on. */
  readonly hasPointers: boolean;
  /** Makes room for so many lines to be noted. */
  reserveLines(count: number): void;
  /** Notes an entry that puts its key itself, for which there must be room; the key has this hash. */
  noteLine(block: OpenBlock, place: number, hash: number): void;
  /** Lines noted. */
  lineCount(): number;
  truncateLines(count: number): void;
  readonly blind: BlindPuts;
  /** Has keys found that are not changed one by one. */
  addAscending(keys: AscendingKeys): void;
  ascendingCount(): number;
  truncateAscending(count: number): void;
  /** Tells where documents are now that lead to the same entries as before, in other blocks. */
  addMoves(moves: PointerMoves): void;
  moveCount(): number;
  truncateMoves(count: number): void;
  writer(space: BlockSpace, number: number): BlockWriter;
  drawTick(): Tick;
  drawTicks(count: number): Tick;
  observeTick(tick: Tick): void;
  readLine(number: number, pointer: Pointer): string;
}

/** Pointers by primary key, as latin1 text. */
export type PointerMoves = ReadonlyMap<string, OpenPointer>;

/** A line that was appended just now, as one of a run. */
export interface AppendedLine {
  readonly block: OpenBlock;
  readonly place: number;
  /** null for a removal. */
  pointer(): LinePointer | null;
}

/** What becomes of a single key; null removes it. */
export type OverlayValue = Buffer | PendingPointer | null;

/**
 * Values of single keys that are to be written, by the bytes of the key as latin1 text.
 * The keys are made buffers again when they are written: kept as such they would weigh more.
 */
export type Overlay = Map<string, OverlayValue>;

/**
 * The view one request has of the store while it runs inside the commit queue: it sees everything
 * committed or about to be, and what it writes is taken back whole when it throws. The requests of a group
 * run one after another, so they share one: each begins a turn.
 */
export class WriteTx {
  /** Wall-clock time of the commit, ms since 1970. */
  readonly timeMs: number;
  readonly #group: GroupView;
  // How to take back everything, in the order in which it was done.
  readonly #changedKeys: string[] = [];
  readonly #changedBefore: (OverlayValue | undefined)[] = [];
  readonly #changedStates: StateOwner[] = [];
  readonly #statesBefore: (object | undefined)[] = [];
  readonly #marks: BlockMark[] = [];
  readonly #effects: (() => void)[] = [];
  #turn = 0;
  /** How much of each there was when the turn began. */
  #keysFrom = 0;
  #statesFrom = 0;
  #marksFrom = 0;
  #effectsFrom = 0;
  #blindFrom = 0;
  #linesFrom = 0;
  #ascendingFrom = 0;
  #movesFrom = 0;

  constructor(group: GroupView) {
    this.#group = group;
    this.timeMs = group.timeMs;
  }

  /** Begins the turn of the next request; used by the queue. */
  begin(): void {
    const group = this.#group;
    this.#turn++;
    this.#keysFrom = this.#changedKeys.length;
    this.#statesFrom = this.#changedStates.length;
    this.#marksFrom = this.#marks.length;
    this.#effectsFrom = this.#effects.length;
    this.#blindFrom = group.blind.count;
    this.#linesFrom = group.lineCount();
    this.#ascendingFrom = group.ascendingCount();
    this.#movesFrom = group.moveCount();
  }

  get(key: Buffer): Buffer | undefined {
    const value = this.#group.get(key.toString('latin1'));
    return value instanceof PendingPointer ? encodePointer(value) : value;
  }

  put(key: Buffer, value: Buffer): void {
    this.#change(key.toString('latin1'), value);
  }

  del(key: Buffer): void {
    this.#change(key.toString('latin1'), null);
  }

  /** The pointer under a primary key, given as latin1 text. */
  pointer(keyText: string): Pointer | undefined {
    const value = this.#group.get(keyText);
    return value instanceof PendingPointer ? value : value && decodePointer(value);
  }

  /** Points a primary key to an entry of this batch; `null` removes. */
  putPointer(keyText: string, pointer: PendingPointer | null): void {
    this.#change(keyText, pointer);
  }

  /** Whether there is a document with this key. */
  isLive(key: KeyCursor): boolean {
    return this.#group.isLive(key);
  }

  /** Makes room for so many `putLine`. */
  reserveLines(count: number): void {
    this.#group.reserveLines(count);
  }

  /** Points a key to a line of this batch, for which there must be room, or removes it when the line is a removal. */
  putLine(key: KeyCursor, line: AppendedLine): void {
    const group = this.#group;
    if (group.hasPointers)
      this.putPointer(primaryPrefix(key.collection) + key.text, line.pointer());
    else group.noteLine(line.block, line.place, key.hash);
  }

  /** What this transaction, or one not yet committed before it, made of a state; used by StoredState. */
  pendingState(owner: StateOwner): object | undefined {
    return this.#group.pendingState(owner);
  }

  /** Whether the batch has changed a state already: who does it again adds to the same blocks. */
  hasState(owner: StateOwner): boolean {
    return this.#group.pendingStateOf(owner) !== undefined;
  }

  /** Used by StoredState. */
  putState(owner: StateOwner, value: object): void {
    this.#changedStates.push(owner);
    this.#statesBefore.push(this.#group.changeState(owner, value));
  }

  /**
   * Writes a key that no request of the queue reads back before it is committed: the indexes of a
   * copy that nobody sees yet. Cheaper than `put`. `null` removes.
   * @param key a primary key as latin1 text, unless its collection is gone
   */
  putBlind(key: Buffer | string, value: Buffer | OpenPointer | null): void {
    this.#group.blind.put(key, value);
  }

  /**
   * Whether the batch has, or might have, `putBlind` of primary keys of a collection, by this request or by others. They are written
   * behind all else: what puts its keys itself, as a run does, would be older than they are.
   * @param prefix see `primaryPrefix`
   */
  hasBlind(prefix: string): boolean {
    return this.#group.blind.has(prefix);
  }

  /**
   * Has the keys of new documents found, which put themselves; none of them has been in the collection since the store
   * was opened.
   */
  addAscending(keys: AscendingKeys): void {
    this.#group.addAscending(keys);
  }

  /**
   * Points primary keys to where this transaction has moved the entries that they point to; each must have the tick
   * that `pointer` says. Other than with `putPointer` what comes later need not know of it.
   */
  movePointers(moves: PointerMoves): void {
    this.#group.addMoves(moves);
  }

  /** The writer of a collection's journal. */
  journal(number: number): BlockWriter {
    return this.#writer(Space.journal, number);
  }

  /** The writer of a database's changelog. */
  changelog(number: number): BlockWriter {
    return this.#writer(Space.changelog, number);
  }

  /** The next tick; entries must be appended in the order of their ticks. */
  drawTick(): Tick {
    return this.#group.drawTick();
  }

  /** The next `count` ticks, which rise by one; returns the first. */
  drawTicks(count: number): Tick {
    return this.#group.drawTicks(count);
  }

  /** Pushes the own counter above a tick or revision received from elsewhere. */
  observeTick(tick: Tick): void {
    this.#group.observeTick(tick);
  }

  /**
   * The line, without newline, that a pointer read in this transaction refers to.
   * @throws ServiceError storageDamaged when the block is missing or damaged.
   */
  readLine(number: number, pointer: Pointer): string {
    return this.#group.readLine(number, pointer);
  }

  /** Runs after the batch is durable and before any later request of the queue runs. */
  afterCommit(effect: () => void): void {
    this.#effects.push(effect);
  }

  /** Of all turns; used by the queue. */
  get effects(): readonly (() => void)[] {
    return this.#effects;
  }

  /** Takes back everything of this turn; used by the queue when the request throws. */
  rollback(): void {
    const group = this.#group;
    for (const mark of this.#marks.splice(this.#marksFrom)) mark.writer.rollback(mark);
    const keysBefore = this.#changedBefore.splice(this.#keysFrom);
    for (const keyText of this.#changedKeys.splice(this.#keysFrom).reverse()) {
      group.restore(keyText, keysBefore.pop());
    }
    const statesBefore = this.#statesBefore.splice(this.#statesFrom);
    for (const owner of this.#changedStates.splice(this.#statesFrom).reverse()) {
      group.restoreState(owner, statesBefore.pop());
    }
    this.#effects.length = this.#effectsFrom;
    group.blind.truncate(this.#blindFrom);
    group.truncateLines(this.#linesFrom);
    group.truncateAscending(this.#ascendingFrom);
    group.truncateMoves(this.#movesFrom);
  }

  #change(keyText: string, value: OverlayValue): void {
    this.#changedKeys.push(keyText);
    this.#changedBefore.push(this.#group.change(keyText, value));
  }

  #writer(space: BlockSpace, number: number): BlockWriter {
    const writer = this.#group.writer(space, number);
    const mark = writer.markFor(this.#turn);
    if (mark) this.#marks.push(mark);
    return writer;
  }
}
