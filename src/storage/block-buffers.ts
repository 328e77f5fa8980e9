import { BLOCK_LINES_FILL_BYTES } from './block.ts';
import { Frame } from './block-frame.ts';
import { OpenBlock } from './open-block.ts';

/** What standard blocks are put together in, used again so that steady writing allocates nothing. */
export class BlockBuffers {
  readonly #free: Frame[] = [];
  readonly #keepCount: number;

  constructor(options: { keepCount: number }) {
    this.#keepCount = options.keepCount;
  }

  /** A block with room for a line of this length. */
  open(bytes: number): OpenBlock {
    if (bytes > BLOCK_LINES_FILL_BYTES) {
      return new OpenBlock(Frame.forLine(bytes));
    }
    return new OpenBlock(this.#free.pop() ?? Frame.standard());
  }

  /** Takes back what a block was put together in; the block must not be used afterwards. */
  close(block: OpenBlock): void {
    const { frame } = block;
    if (frame.isStandard && this.#free.length < this.#keepCount) {
      this.#free.push(frame);
    }
  }
}
