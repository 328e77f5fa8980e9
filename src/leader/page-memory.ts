import { ByteBudget } from '../base/byte-budget.ts';
import type { Page } from '../storage/page.ts';

/** How far a page may grow; see PageRange. */
export interface PageLimits {
  readonly limitBytes: number;
  readonly maxBytes: number;
}

/** A page and the memory claimed for it. */
export interface HeldPage {
  readonly page: Page;
  /** Gives the memory back, once; calling it again does nothing. */
  readonly release: () => void;
}

/** Room for the line that passes `chunkSize`: lines of this size and less never shorten a page. */
const LINE_ROOM_BYTES = 64 * 1024;

/**
 * The one budget of all pages that are being built or wait to be sent (P8). Memory is claimed before
 * a page is read and held until it is sent; claims beyond the budget wait in order.
 */
export class PageMemory {
  readonly #budget: ByteBudget;
  readonly #maxPageBytes: number;

  constructor(options: { budgetBytes: number; maxPageBytes: number }) {
    this.#budget = new ByteBudget(options.budgetBytes);
    this.#maxPageBytes = options.maxPageBytes;
  }

  /** Bytes claimed at the moment. */
  get usedBytes(): number {
    return this.#budget.usedBytes;
  }

  /**
   * Reads a page within the budget. A page is never larger than the largest one allowed, or one
   * line.
   *
   * @param chunkSize what the client asks for, in bytes
   * @param read is called again, with more room, when its first line alone is larger than the claim
   * @param factor how many times its bytes a page takes, for one that is printed anew
   * @throws the reason of `signal` when that is aborted while the claim waits, and what `read` throws
   */
  async hold(
    chunkSize: number,
    signal: AbortSignal,
    read: (limits: PageLimits) => Promise<Page>,
    factor = 1,
  ): Promise<HeldPage> {
    const limitBytes = Math.min(chunkSize, this.#maxPageBytes);
    let maxBytes = Math.min(limitBytes + LINE_ROOM_BYTES, this.#maxPageBytes);
    for (;;) {
      const release = await this.#budget.acquire(maxBytes * factor, signal);
      let page: Page;
      try {
        page = await read({ limitBytes, maxBytes });
      } catch (error) {
        release();
        throw error;
      }
      if (page.body.length <= maxBytes) return { page, release };
      // Claiming more on top could lock up with others who do the same; so all anew.
      release();
      maxBytes = page.body.length;
    }
  }
}
