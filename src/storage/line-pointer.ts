import type { Tick } from '../model/tick.ts';
import type { OpenBlock } from './open-block.ts';
import { PendingPointer } from './pointer.ts';

/** A pointer to an entry that puts its key itself; valid until what its block was put together in is given back. */
export class LinePointer extends PendingPointer {
  readonly #block: OpenBlock;
  readonly #i: number;

  constructor(block: OpenBlock, i: number) {
    super();
    this.#block = block;
    this.#i = i;
  }

  get tick(): Tick {
    return this.#block.tick(this.#i);
  }

  get rev(): string {
    return this.#block.revision(this.#i);
  }

  get distance(): number {
    return this.#block.distance(this.#i);
  }
}
