import type { Level as LevelDatabase } from 'level';
import { assert } from '../base/assert.ts';
import type { Tick } from '../model/tick.ts';
import type { AscendingKeys } from './ascending-keys.ts';
import { Block } from './block.ts';
import { BlindPuts } from './blind-puts.ts';
import type { BlockBuffers } from './block-buffers.ts';
import { BlockWriter } from './block-writer.ts';
import type { KeyCursor } from './key-cursor.ts';
import { type BlockSpace, Space, primaryKeyBytes, primaryPrefix } from './keys.ts';
import { LinePointer } from './line-pointer.ts';
import { LineTable } from './line-table.ts';
import type { LogTip, TipMemory } from './log-tip.ts';
import type { OpenBlock, RecordSink } from './open-block.ts';
import { PendingPointer, type Pointer } from './pointer.ts';
import type { Scratch } from './scratch.ts';
import type { StateOwner, States } from './stored-state.ts';
import type { StoreBatch } from './store-batch.ts';
import { readStoredLine } from './stored-line.ts';
import type { TickSource } from './tick-source.ts';
import { UnusedFrames } from './unused-frames.ts';
import type { GroupView, Overlay, OverlayValue, PointerMoves } from './write-tx.ts';

export type Level = LevelDatabase<Buffer, Buffer>;

/**
 * Lines of a group, in bytes, above which it is sealed and not looked into while it is written. What arangorestore
 * sends at a time, 8 MiB, makes less, journal and log together: garbage need not be collected for it.
 */
const LARGE_BYTES = 24 * 1024 * 1024;

/** Lines of one log, in bytes, up to which they are kept for those who read its end. */
const TIP_MAX_BYTES = 1024 * 1024;

/** A group that writes to more logs than these is expected to have little for each of the others. */
const WIDE_WRITERS = 64;
/** One group is being put together while another is written. */
const TABLES_KEPT = 2;

type Value = Buffer | PendingPointer;

/** What groups use one after another. A key and a value are in use together, so each has its own. */
export interface GroupScratch {
  readonly keys: Scratch;
  readonly values: Scratch;
  /** Those that no group uses. */
  readonly lines: LineTable[];
}

/**
 * All requests that will become one LevelDB batch: an overlay of single keys, which later requests
 * see, and one block writer for each log touched. While it is being written the next group looks
 * through it (`below`).
 */
export class CommitGroup implements GroupView {
  readonly timeMs: number;
  sync = false;
  /** Largest tick given to an entry of this group. */
  lastTick: Tick;
  readonly #level: Level;
  readonly #ticks: TickSource;
  readonly #buffers: BlockBuffers;
  readonly #scratch: GroupScratch;
  readonly #tips: TipMemory;
  /** What is shown to those who read the end of a log once it is in the store. */
  readonly #news: { readonly tip: LogTip; readonly blocks: Block[] }[] = [];
  #below: CommitGroup | undefined;
  #overlay: Overlay = new Map();
  #hasPointers = false;
  /** Of lines that came in runs; what `#overlay` says of a key is newer. */
  #lines: LineTable | undefined;
  /** What neither of the two says of a key may be found here. */
  readonly #ascending: AscendingKeys[] = [];
  /** As if they were in the store: whatever else the group makes of a key is newer, and written behind. */
  readonly #moves: PointerMoves[] = [];
  readonly #states: States = new Map();
  readonly blind = new BlindPuts();
  readonly #writers = new Map<number, BlockWriter>();
  readonly #lineBytes = { bytes: 0 };
  // Neighbouring writes mostly go to one collection.
  #lastJournal: BlockWriter | undefined;
  #lastLog: BlockWriter | undefined;
  /** Finds blocks of before, which a request may have put elsewhere. */
  readonly #blocks = {
    getSync: (key: Buffer): Buffer | undefined => {
      const value = this.get(key.toString('latin1'));
      return value instanceof PendingPointer ? undefined : value;
    },
  };

  constructor(
    deps: {
      level: Level;
      ticks: TickSource;
      buffers: BlockBuffers;
      scratch: GroupScratch;
      tips: TipMemory;
      below: CommitGroup | undefined;
    },
    options: { timeMs: number },
  ) {
    this.#level = deps.level;
    this.#ticks = deps.ticks;
    this.#buffers = deps.buffers;
    this.#scratch = deps.scratch;
    this.#tips = deps.tips;
    this.#below = deps.below;
    this.timeMs = options.timeMs;
    this.lastTick = deps.ticks.last;
  }

  get(keyText: string): Value | undefined {
    let value = this.changeOf(keyText);
    if (value === undefined) value = this.#below?.changeOf(keyText);
    if (value === undefined) return this.#level.getSync(this.#scratch.keys.bytes(keyText));
    return value ?? undefined;
  }

  pendingState(owner: StateOwner): object | undefined {
    return this.#states.get(owner) ?? this.#below?.pendingStateOf(owner);
  }

  change(keyText: string, value: OverlayValue): OverlayValue | undefined {
    const before = this.#overlay.get(keyText);
    this.#overlay.set(keyText, value);
    if (keyText.charCodeAt(0) === Space.primary) this.#hasPointers = true;
    return before;
  }

  restore(keyText: string, before: OverlayValue | undefined): void {
    if (before === undefined) this.#overlay.delete(keyText);
    else this.#overlay.set(keyText, before);
  }

  changeState(owner: StateOwner, value: object): object | undefined {
    const before = this.#states.get(owner);
    this.#states.set(owner, value);
    return before;
  }

  restoreState(owner: StateOwner, before: object | undefined): void {
    if (before === undefined) this.#states.delete(owner);
    else this.#states.set(owner, before);
  }

  /** Shows the states and the ends of logs, which are in the store now. */
  show(): void {
    // First, for what is added is what comes behind the state as it was.
    for (const { tip, blocks } of this.#news) tip.add(blocks);
    // No entries, which would be objects: thousands of collections may have been changed.
    this.#states.forEach((value, owner) => owner.show(value));
  }

  get hasPointers(): boolean {
    return this.#hasPointers;
  }

  isLive(key: KeyCursor): boolean {
    const isLive = this.livenessOf(key) ?? this.#below?.livenessOf(key);
    if (isLive !== undefined) return isLive;
    const { collection, source, start, end } = key;
    const bytes = primaryKeyBytes(collection, source, start, end, this.#scratch.keys);
    return this.#level.getSync(bytes) !== undefined;
  }

  reserveLines(count: number): void {
    this.#lines ??= this.#scratch.lines.pop() ?? new LineTable();
    this.#lines.reserve(count);
  }

  noteLine(block: OpenBlock, place: number, hash: number): void {
    assert(this.#lines, 'there is room for a line that is noted');
    this.#lines.add(block, place, hash);
  }

  lineCount(): number {
    return this.#lines?.size ?? 0;
  }

  truncateLines(count: number): void {
    this.#lines?.truncate(count);
  }

  addAscending(keys: AscendingKeys): void {
    this.#ascending.push(keys);
  }

  ascendingCount(): number {
    return this.#ascending.length;
  }

  truncateAscending(count: number): void {
    this.#ascending.length = count;
  }

  addMoves(moves: PointerMoves): void {
    this.#moves.push(moves);
  }

  moveCount(): number {
    return this.#moves.length;
  }

  truncateMoves(count: number): void {
    this.#moves.length = count;
  }

  writer(space: BlockSpace, number: number): BlockWriter {
    const isJournal = space === Space.journal;
    const last = isJournal ? this.#lastJournal : this.#lastLog;
    if (last?.number === number) return last;
    // Numbers are 32 bit; the space makes the key of this map unique below 2^53.
    const id = space * 2 ** 32 + number;
    let writer = this.#writers.get(id);
    if (!writer) {
      const beginsSmall = this.#writers.size >= WIDE_WRITERS;
      writer = new BlockWriter(
        { buffers: this.#buffers, total: this.#lineBytes },
        { space, number, beginsSmall },
      );
      this.#writers.set(id, writer);
    }
    if (isJournal) this.#lastJournal = writer;
    else this.#lastLog = writer;
    return writer;
  }

  drawTick(): Tick {
    this.lastTick = this.#ticks.draw();
    return this.lastTick;
  }

  drawTicks(count: number): Tick {
    const first = this.#ticks.drawMany(count);
    this.lastTick = this.#ticks.last;
    return first;
  }

  observeTick(tick: Tick): void {
    this.#ticks.observe(tick);
  }

  readLine(number: number, pointer: Pointer): string {
    const open = this.findOpen(number, pointer.tick) ?? this.#below?.findOpen(number, pointer.tick);
    if (open !== undefined) return open;
    return readStoredLine(this.#blocks, number, pointer);
  }

  /** Bytes of all lines in it. */
  get bytes(): number {
    return this.#lineBytes.bytes;
  }

  /** Whether so much is in it already that nothing should be added. */
  get isLarge(): boolean {
    return this.bytes >= LARGE_BYTES;
  }

  /** Puts all of it into the batch. A large group is empty afterwards, and has left what garbage collection frees. */
  fill(batch: StoreBatch): void {
    for (const moves of this.#moves) {
      for (const [keyText, pointer] of moves) batch.change(keyText, pointer);
    }
    // Blocks next: sealing tells the pointers in the overlay where their block ends.
    if (this.isLarge) this.#fillLarge(batch);
    else {
      for (const writer of this.#writers.values()) {
        writer.seal(this.timeMs, this.#shownSink(writer, batch));
      }
    }
    this.#states.forEach((value, owner) => {
      batch.put(owner.key, owner.encode(value));
    });
    for (const [keyText, value] of this.#overlay) {
      // The block that it points into has put it.
      if (!(value instanceof LinePointer)) batch.change(keyText, value);
    }
    this.blind.forEach((key, value) => batch.change(key, value));
    if (this.isLarge) this.release();
  }

  /** What is put is copied: the blocks need not all be in memory twice. Nobody looks into this group any more. */
  #fillLarge(batch: StoreBatch): void {
    this.#forgetLines();
    for (const [keyText, value] of this.#overlay) {
      if (value instanceof LinePointer) this.#overlay.delete(keyText);
    }
    const unused = new UnusedFrames();
    for (const writer of this.#writers.values()) {
      writer.sealAndRelease(this.timeMs, this.#shownSink(writer, batch), unused.note);
      unused.flush();
    }
  }

  /** One that also keeps the blocks, where somebody reads the end of the log. */
  #shownSink({ space, number, bytes }: BlockWriter, sink: RecordSink): RecordSink {
    const tip = bytes <= TIP_MAX_BYTES ? this.#tips.find(space, number) : undefined;
    if (!tip) return sink;
    const blocks: Block[] = [];
    this.#news.push({ tip, blocks });
    return {
      keys: sink.keys,
      values: sink.values,
      put: (key, value) => {
        blocks.push(new Block(Buffer.from(key), Buffer.from(value)));
        sink.put(key, value);
      },
      del: (key) => {
        sink.del(key);
      },
    };
  }

  /** Gives the block buffers back, once the batch is in the store: readers find everything there. */
  release(): void {
    this.#below = undefined;
    // Pointers into blocks that are no more; what they say is in the store.
    this.#overlay = new Map();
    this.#forgetLines();
    this.#moves.length = 0;
    for (const writer of this.#writers.values()) writer.release();
    this.#writers.clear();
    this.#lastJournal = undefined;
    this.#lastLog = undefined;
  }

  #forgetLines(): void {
    if (this.#lines) {
      this.#lines.clear();
      if (this.#scratch.lines.length < TABLES_KEPT) this.#scratch.lines.push(this.#lines);
      this.#lines = undefined;
    }
    this.#ascending.length = 0;
  }

  /** What this group alone does to a key. */
  changeOf(keyText: string): Value | null | undefined {
    const value = this.#overlay.get(keyText);
    if (value !== undefined) return value;
    const line = this.#lines?.pointerOf(keyText);
    if (line !== undefined) return line;
    return this.#ascendingPointer(keyText) ?? this.#movedPointer(keyText);
  }

  /** Whether this group alone leaves a document under a key; undefined when it does nothing to it. */
  livenessOf(key: KeyCursor): boolean | undefined {
    const isLine = this.#lines?.isLive(key);
    if (!this.#hasPointers && this.#ascending.length === 0) return isLine;
    const keyText = primaryPrefix(key.collection) + key.text;
    const value = this.#overlay.get(keyText);
    if (value !== undefined) return value !== null;
    return isLine ?? (this.#ascendingPointer(keyText) ? true : undefined);
  }

  #ascendingPointer(keyText: string): LinePointer | undefined {
    for (const keys of this.#ascending) {
      const found = keys.find(keyText);
      if (found) return found;
    }
    return undefined;
  }

  #movedPointer(keyText: string): PendingPointer | undefined {
    for (const moves of this.#moves) {
      const found = moves.get(keyText);
      if (found) return found;
    }
    return undefined;
  }

  /** What this group alone makes of a state. */
  pendingStateOf(owner: StateOwner): object | undefined {
    return this.#states.get(owner);
  }

  /** A journal line of this group alone. */
  findOpen(number: number, tick: Tick): string | undefined {
    return this.#writers.get(Space.journal * 2 ** 32 + number)?.find(tick);
  }
}
