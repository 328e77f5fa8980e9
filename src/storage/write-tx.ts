import type { Tick } from '../model/tick.ts';
import type { BlockMark, BlockWriter } from './block-writer.ts';
import { type BlockSpace, Space } from './keys.ts';
import {
  type OpenPointer,
  PendingPointer,
  type Pointer,
  decodePointer,
  encodePointer,
} from './pointer.ts';
import type { StateOwner, States } from './stored-state.ts';

/** What a group of requests has put together so far; see CommitQueue. */
export interface GroupView {
  readonly timeMs: number;
  get(keyText: string): Buffer | PendingPointer | undefined;
  /** Takes over the changes of a request that has succeeded. */
  adopt(changes: Overlay, states: States | undefined): void;
  pendingState(owner: StateOwner): object | undefined;
  putBlind(key: Buffer | string, value: Buffer | OpenPointer | null): void;
  blindCount(): number;
  truncateBlind(count: number): void;
  writer(space: BlockSpace, number: number): BlockWriter;
  drawTick(): Tick;
  drawTicks(count: number): Tick;
  observeTick(tick: Tick): void;
  readLine(number: number, pointer: Pointer): string;
}

/**
 * Values of single keys that are to be written, by the bytes of the key as latin1 text; null removes.
 * The keys are made buffers again when they are written: kept as such they would weigh more.
 */
export type Overlay = Map<string, Buffer | PendingPointer | null>;

/**
 * The view one request has of the store while it runs inside the commit queue: it sees everything
 * committed or about to be, and what it writes is taken back whole when it throws.
 */
export class WriteTx {
  /** Wall-clock time of the commit, ms since 1970. */
  readonly timeMs: number;
  readonly #group: GroupView;
  readonly #changes: Overlay = new Map();
  #states: States | undefined;
  readonly #marks = new Map<BlockWriter, BlockMark>();
  readonly #blindCount: number;
  readonly #afterCommit: (() => void)[] = [];

  constructor(group: GroupView) {
    this.#group = group;
    this.timeMs = group.timeMs;
    this.#blindCount = group.blindCount();
  }

  get(key: Buffer): Buffer | undefined {
    const value = this.#get(key.toString('latin1'));
    return value instanceof PendingPointer ? encodePointer(value) : value;
  }

  put(key: Buffer, value: Buffer): void {
    this.#changes.set(key.toString('latin1'), value);
  }

  del(key: Buffer): void {
    this.#changes.set(key.toString('latin1'), null);
  }

  /** The pointer under a primary key, given as latin1 text. */
  pointer(keyText: string): Pointer | undefined {
    const value = this.#get(keyText);
    return value instanceof PendingPointer ? value : value && decodePointer(value);
  }

  /** Points a primary key to an entry of this batch; `null` removes. */
  putPointer(keyText: string, pointer: PendingPointer | null): void {
    this.#changes.set(keyText, pointer);
  }

  /** What this transaction, or one not yet committed before it, made of a state; used by StoredState. */
  pendingState(owner: StateOwner): object | undefined {
    return this.#states?.get(owner) ?? this.#group.pendingState(owner);
  }

  /** Used by StoredState. */
  putState(owner: StateOwner, value: object): void {
    this.#states ??= new Map();
    this.#states.set(owner, value);
  }

  /**
   * Writes a key that no request of the queue reads back before it is committed: the indexes of a
   * copy that nobody sees yet. Cheaper than `put`. `null` removes.
   * @param key a primary key as latin1 text where the value is a pointer
   */
  putBlind(key: Buffer | string, value: Buffer | OpenPointer | null): void {
    this.#group.putBlind(key, value);
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
    this.#afterCommit.push(effect);
  }

  /** Used by the queue. */
  get effects(): readonly (() => void)[] {
    return this.#afterCommit;
  }

  /** Makes the changes visible to the requests after this one; used by the queue. */
  keep(): void {
    this.#group.adopt(this.#changes, this.#states);
  }

  /** Takes back everything; used by the queue when the request throws. */
  rollback(): void {
    for (const [writer, mark] of this.#marks) writer.rollback(mark);
    this.#group.truncateBlind(this.#blindCount);
  }

  #get(keyText: string): Buffer | PendingPointer | undefined {
    const change = this.#changes.get(keyText);
    return change === undefined ? this.#group.get(keyText) : (change ?? undefined);
  }

  #writer(space: BlockSpace, number: number): BlockWriter {
    const writer = this.#group.writer(space, number);
    if (!this.#marks.has(writer)) this.#marks.set(writer, writer.mark());
    return writer;
  }
}
