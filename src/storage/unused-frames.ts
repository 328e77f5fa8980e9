import { collectGarbage } from '../base/collect-garbage.ts';
import { FrameSlab } from './block-frame.ts';

/** Collections of garbage for less than this, some 4 MiB, are not worth their time. */
const WORTHWHILE_FRAMES = Math.ceil(FrameSlab.FRAMES / 8);

/** Has the memory of a large commit's frames given back while its batch is filled, a slab at a time. */
export class UnusedFrames {
  /** So that the first one is collected for: what the collection before has found is given back only then. */
  #count = FrameSlab.FRAMES - 1;

  /** Notes that a frame of a slab is used no more. */
  readonly note = (): void => {
    this.#count++;
    if (this.#count >= FrameSlab.FRAMES) this.#collect();
  };

  /** Collects if there are many: when the rest of a slab is used no more. */
  flush(): void {
    if (this.#count >= WORTHWHILE_FRAMES) this.#collect();
  }

  #collect(): void {
    this.#count = 0;
    collectGarbage();
  }
}
