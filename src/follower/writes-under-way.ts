/**
 * Writes that are stored in the order in which they are begun: while one is being stored the next may be put together, and no
 * more than two are under way.
 */
export class WritesUnderWay {
  #last: Promise<void> = Promise.resolve();

  /**
   * Takes one that has begun, and resolves when the one before it is stored.
   * @throws what kept the one before from being stored
   */
  async add(stored: Promise<void>): Promise<void> {
    const before = this.#last;
    this.#last = stored;
    // Unhandled it would end the process; whoever waits next is told.
    stored.catch(() => undefined);
    await before;
  }

  /**
   * Resolves when all are stored.
   * @throws what kept the last one from being stored
   */
  done(): Promise<void> {
    return this.#last;
  }

  /** Resolves when all are stored, or have failed. */
  async settled(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}
