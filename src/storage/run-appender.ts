import { assert } from '../base/assert.ts';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import type { LineRun } from './line-run.ts';
import { LinePointer } from './line-pointer.ts';
import { addDigits } from './bytes.ts';
import type { OpenBlock } from './open-block.ts';
import type { AppendedLine } from './write-tx.ts';

const HEAD = '{"tick":"';
const SPAN_MAX = 0xffff_ffff;
const ZERO = 0x30;

/** The journal that the lines go to. */
export interface RunTarget {
  /** The block that a line of this length is to be appended to. */
  reserve(tick: Tick, bytes: number): OpenBlock;
  added(bytes: number, lastTick: Tick): void;
}

/**
 * Appends lines of a run to journals, some or all of them, in each in their order. Line `i` gets the tick
 * `firstTick + i`. What `begin` began must be ended, and nothing else may be appended before.
 */
export class RunAppender implements AppendedLine {
  #target: RunTarget | undefined;
  readonly #run: LineRun;
  readonly #firstTick: Tick;
  #collection = 0;
  /** `{"tick":"<tick>","type":<type>,` */
  readonly #head: Buffer;
  readonly #digits: Buffer;
  readonly #firstDigits: Buffer;
  readonly #typeAt: number;
  /** The line that the digits are of. */
  #at = 0;
  #block: OpenBlock | undefined;
  /** Tick of line 0, as distance from the first one of the block. */
  #offset = 0;
  #bytes = 0;
  #last = -1;

  /** @param options.firstTick must have as many digits as the last one */
  constructor(run: LineRun, options: { firstTick: Tick }) {
    this.#run = run;
    this.#firstTick = options.firstTick;
    const digits = options.firstTick.toString();
    this.#head = Buffer.from(`${HEAD}${digits}","type":${MarkerType.document},`, 'latin1');
    this.#digits = this.#head.subarray(HEAD.length, HEAD.length + digits.length);
    this.#firstDigits = Buffer.from(this.#digits);
    this.#typeAt = this.#head.length - 2;
  }

  /** Goes on with the journal of another collection, and any line. */
  begin(target: RunTarget, collection: number): void {
    this.#target = target;
    this.#collection = collection;
    this.#block = undefined;
    this.#bytes = 0;
    this.#last = -1;
    this.#at = 0;
    for (let i = 0; i < this.#digits.length; i++) this.#digits[i] = this.#firstDigits[i] ?? 0;
  }

  /** The block of the line appended last. */
  get block(): OpenBlock {
    assert(this.#block, 'a line was appended');
    return this.#block;
  }

  /** Where in that block it is. */
  get place(): number {
    return this.block.count - 1;
  }

  /** A pointer to it, null when it is a removal. */
  pointer(): LinePointer | null {
    return this.#run.types[this.#last] === MarkerType.remove
      ? null
      : new LinePointer(this.block, this.place);
  }

  append(i: number): void {
    const run = this.#run;
    addDigits(this.#digits, i - this.#at);
    this.#at = i;
    this.#head[this.#typeAt] = ZERO + ((run.types[i] ?? 0) % 10);
    const end = run.ends[i] ?? 0;
    // The old revision, if there is one, is left out: an estimate that is never too small.
    const bytes = this.#head.length + end - (run.keyStarts[i] ?? 0) + HEAD.length;
    const block = this.#blockFor(i, bytes);
    const before = block.length;
    block.pushLine(run, i, this.#head, this.#offset + i, this.#collection);
    this.#bytes += block.length - before;
    this.#last = i;
  }

  /** Returns the bytes of all lines appended, and the tick of the last one; undefined when there was none. */
  end(): { bytes: number; lastTick: Tick } | undefined {
    if (this.#last < 0) return undefined;
    const lastTick = this.#firstTick + BigInt(this.#last);
    this.#target?.added(this.#bytes, lastTick);
    return { bytes: this.#bytes, lastTick };
  }

  #blockFor(i: number, bytes: number): OpenBlock {
    if (this.#block?.room(bytes, 0) && this.#offset + i <= SPAN_MAX) return this.#block;
    const tick = this.#firstTick + BigInt(i);
    assert(this.#target, 'a journal was begun');
    const block = this.#target.reserve(tick, bytes);
    if (block.count === 0) {
      block.begin(tick);
      this.#offset = 0 - i;
    } else {
      this.#offset = Number(this.#firstTick - block.firstTick);
    }
    this.#block = block;
    return block;
  }
}
