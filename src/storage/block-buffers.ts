import { BLOCK_LINES_FILL_BYTES } from './block.ts';
import { Frame, SMALL_LINES_BYTES } from './block-frame.ts';
import { OpenBlock } from './open-block.ts';

/** What blocks are put together in, used again so that steady writing allocates nothing. */
export class BlockBuffers {
  readonly #free: Frame[] = [];
  readonly #freeSmall: Frame[] = [];
  readonly #keepCount: number;
  readonly #keepSmall: number;

  /** @param options how many of either size are kept for later */
  constructor(options: { keepCount: number; keepSmall?: number }) {
    this.#keepCount = options.keepCount;
    this.#keepSmall = options.keepSmall ?? 0;
  }

  /** A block with room for a line of this length. @param isSmall not for much more than that */
  open(bytes: number, isSmall = false): OpenBlock {
    if (bytes > BLOCK_LINES_FILL_BYTES) return new OpenBlock(Frame.forLine(bytes));
    if (isSmall && bytes <= SMALL_LINES_BYTES) {
      return new OpenBlock(this.#freeSmall.pop() ?? Frame.small());
    }
    return new OpenBlock(this.#free.pop() ?? Frame.standard());
  }

  /** Takes back what a block was put together in; the block must not be used afterwards. */
  close({ frame }: OpenBlock): void {
    if (frame.kind === 'standard') {
      if (this.#free.length < this.#keepCount) this.#free.push(frame);
    } else if (frame.kind === 'small') {
      if (this.#freeSmall.length < this.#keepSmall) this.#freeSmall.push(frame);
    }
  }
}
