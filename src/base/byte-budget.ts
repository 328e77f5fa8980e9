import { assert } from './assert.ts';
import { deferred } from './deferred.ts';

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * A limit on bytes held by all its users together, such as pages built but not yet sent.
 * Claims are served strictly in the order they were made: a large one that has to wait is not
 * overtaken by small ones, so none starves. A claim above the whole limit is let in when
 * nothing else is held, because it could never be otherwise.
 */
export class ByteBudget {
  readonly #limitBytes: number;
  /** In the order of their claims; a set so that an aborted one leaves in constant time. */
  readonly #waiters = new Set<Waiter>();
  #usedBytes = 0;

  /** @throws InvariantError unless `limitBytes` is above 0. */
  constructor(limitBytes: number) {
    assert(limitBytes > 0, `a byte budget must be above 0, got ${limitBytes}`);
    this.#limitBytes = limitBytes;
  }

  /** Bytes claimed and not yet released. Above the limit only while one oversized claim is held. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Claims still waiting for room. */
  get waitingCount(): number {
    return this.#waiters.size;
  }

  /**
   * Waits until `bytes` fit and holds them until the returned function is called; calling it again does nothing.
   * Rejects with the reason of `signal` when that is aborted before, and holds nothing then; the order of
   * the other claims stays. An abort afterwards has no effect: who got a release calls it.
   * @throws InvariantError (as a rejection) when `bytes` is negative or not a number.
   */
  async acquire(bytes: number, signal?: AbortSignal): Promise<() => void> {
    assert(bytes >= 0, `a claim takes at least 0 bytes, got ${bytes}`);
    signal?.throwIfAborted();
    if (this.#waiters.size === 0 && this.#fits(bytes)) this.#usedBytes += bytes;
    else await this.#wait(bytes, signal);
    return this.#releaseOf(bytes);
  }

  /**
   * Claims `bytes` if that is possible at once and leaves `spare` bytes for others; undefined if not.
   * @throws InvariantError when `bytes` is negative or not a number.
   */
  tryAcquire(bytes: number, spare = 0): (() => void) | undefined {
    assert(bytes >= 0, `a claim takes at least 0 bytes, got ${bytes}`);
    if (this.#waiters.size > 0 || this.#usedBytes + bytes + spare > this.#limitBytes) {
      return undefined;
    }
    this.#usedBytes += bytes;
    return this.#releaseOf(bytes);
  }

  async #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = deferred();
    const waiter: Waiter = { bytes, admit: resolve };
    const onAbort = (): void => {
      // An admitted claim is no longer in the set: it is the caller's to release, abort or not.
      if (!this.#waiters.delete(waiter)) return;
      reject(signal?.reason);
      this.#admitWaiters();
    };
    this.#waiters.add(waiter);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#limitBytes;
  }

  #admitWaiters(): void {
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.bytes)) return;
      this.#waiters.delete(waiter);
      // Counted here and not when the waiter wakes, or the next one would see room that is gone.
      this.#usedBytes += waiter.bytes;
      waiter.admit();
    }
  }

  #releaseOf(bytes: number): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#usedBytes -= bytes;
      assert(this.#usedBytes >= 0, 'more bytes were released than were claimed');
      this.#admitWaiters();
    };
  }
}
