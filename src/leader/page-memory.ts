import { ByteBudget } from '../base/byte-budget.ts';
import type { Page } from '../storage/page.ts';

/** How far a page may grow; see PageRange. */
export interface PageLimits {
  readonly limitBytes: number;
  readonly maxBytes: number;
}

/** What memory is claimed for. */
interface Sized {
  readonly body: { readonly length: number };
}

/** A page and the memory claimed for it. */
export interface HeldPage<P = Page> {
  readonly page: P;
  /** Gives the memory back, once; calling it again does nothing. */
  readonly release: () => void;
}

/** Room for the line that passes `chunkSize`: lines of this size and less never shorten a page. */
const LINE_ROOM_BYTES = 64 * 1024;

/** Of the budget so much stays free of pages that nobody has asked for. */
const SPARE_PART = 0.5;

/**
 * The one budget of all pages that are being built or wait to be sent (P8). Memory is claimed before
 * a page is read and held until it is sent; claims beyond the budget wait in order.
 */
export class PageMemory {
  readonly #budget: ByteBudget;
  readonly #budgetBytes: number;
  readonly #maxPageBytes: number;
  #onShortage: (() => void) | undefined;

  constructor(options: { budgetBytes: number; maxPageBytes: number }) {
    this.#budget = new ByteBudget(options.budgetBytes);
    this.#budgetBytes = options.budgetBytes;
    this.#maxPageBytes = options.maxPageBytes;
  }

  /** Bytes claimed at the moment. */
  get usedBytes(): number {
    return this.#budget.usedBytes;
  }

  /** Whether claims wait for others to give memory back. */
  get isShort(): boolean {
    return this.#budget.waitingCount > 0;
  }

  /** Calls this whenever a claim has to wait: whoever holds what is not needed gives it back. */
  onShortage(callback: () => void): void {
    this.#onShortage = callback;
  }

  /**
   * Reads a page that nobody has asked for yet, if there is room enough; undefined if not, and when the
   * page is larger than was foreseen.
   *
   * @throws what `read` throws
   */
  async holdIfRoom(
    chunkSize: number,
    read: (limits: PageLimits) => Promise<Page>,
    factor = 1,
  ): Promise<HeldPage | undefined> {
    const limits = this.#limits(chunkSize);
    const spare = this.#budgetBytes * SPARE_PART;
    const release = this.#budget.tryAcquire(limits.maxBytes * factor, spare);
    if (!release) return undefined;
    const held = await this.#read(limits, read, release);
    if (held.page.body.length <= limits.maxBytes) return held;
    release();
    return undefined;
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
  async hold<P extends Sized>(
    chunkSize: number,
    signal: AbortSignal,
    read: (limits: PageLimits) => Promise<P>,
    factor = 1,
  ): Promise<HeldPage<P>> {
    let limits = this.#limits(chunkSize);
    for (;;) {
      const release = await this.#claim(limits.maxBytes * factor, signal);
      const held = await this.#read(limits, read, release);
      const { length } = held.page.body;
      if (length <= limits.maxBytes) return held;
      // Claiming more on top could lock up with others who do the same; so all anew.
      release();
      limits = { ...limits, maxBytes: length };
    }
  }

  #limits(chunkSize: number): PageLimits {
    const limitBytes = Math.min(chunkSize, this.#maxPageBytes);
    return { limitBytes, maxBytes: Math.min(limitBytes + LINE_ROOM_BYTES, this.#maxPageBytes) };
  }

  #claim(bytes: number, signal: AbortSignal): Promise<() => void> {
    const claimed = this.#budget.acquire(bytes, signal);
    if (this.#budget.waitingCount > 0) this.#onShortage?.();
    return claimed;
  }

  async #read<P extends Sized>(
    limits: PageLimits,
    read: (limits: PageLimits) => Promise<P>,
    release: () => void,
  ): Promise<HeldPage<P>> {
    try {
      return { page: await read(limits), release };
    } catch (error) {
      release();
      throw error;
    }
  }
}
