import type { Tick } from '../model/tick.ts';
import type { OpenBlock } from './open-block.ts';
import type { RunTarget } from './run-appender.ts';

const SPAN_MAX = 0xffff_ffff;

/** Finds for the lines of a run, of which line `i` has the tick `firstTick + i`, the blocks that they go to. */
export class BlockCursor {
  readonly #target: RunTarget;
  readonly #firstTick: Tick;
  #block: OpenBlock | undefined;
  #offset = 0;
  #bytes = 0;

  constructor(deps: { target: RunTarget }, options: { firstTick: Tick }) {
    this.#target = deps.target;
    this.#firstTick = options.firstTick;
  }

  /** Bytes of the lines so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The block that line `i`, of this length, is to be appended to; it must be. */
  blockFor(i: number, bytes: number): OpenBlock {
    this.#bytes += bytes;
    if (this.#block?.room(bytes, 0) && this.#offset + i <= SPAN_MAX) return this.#block;
    const tick = this.#firstTick + BigInt(i);
    const block = this.#target.reserve(tick, bytes);
    if (block.count === 0) block.begin(tick);
    this.#offset = Number(this.#firstTick - block.firstTick);
    this.#block = block;
    return block;
  }

  /** Tick of line `i`, as distance from the first one of the block found last. */
  offset(i: number): number {
    return this.#offset + i;
  }

  /** Must be called behind the last line, `i`, and nothing else may be appended before. */
  end(i: number): void {
    this.#target.added(this.#bytes, this.#firstTick + BigInt(i));
  }
}
