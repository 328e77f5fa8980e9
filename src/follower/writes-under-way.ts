/**
 * Writes that are stored in the order in which they are begun: while one is being stored the next may be put together, and no
 * more than two are under way.
 */
export class WritesUnderWay {
  /** Of all so far. */
  #last: Promise<void> = Promise.resolve();

  /**
   * Takes one that has begun, and resolves when those before it are stored.
   * @throws what kept the first of them that failed from being stored
   */
  async add(stored: Promise<void>): Promise<void> {
    const before = this.#last;
    this.#last = allOf(before, stored);
    // Unhandled it would end the process; whoever waits next is told.
    this.#last.catch(() => undefined);
    await before;
  }

  /** Calls this when all so far are stored; what it throws counts as if they could not be. */
  whenStored(callback: () => void): void {
    this.#last = this.#last.then(callback);
    this.#last.catch(() => undefined);
  }

  /**
   * Resolves when all are stored.
   * @throws what kept the first one that failed from being stored, when all are over
   */
  done(): Promise<void> {
    return this.#last;
  }

  /** Resolves when all are stored, or have failed. */
  async settled(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}

/** One may fail while the other, begun before it, is still being written. */
async function allOf(before: Promise<void>, stored: Promise<void>): Promise<void> {
  for (const each of await Promise.allSettled([before, stored])) {
    if (each.status === 'rejected') throw each.reason;
  }
}
