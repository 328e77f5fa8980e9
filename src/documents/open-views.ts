import type { Tick } from '../model/tick.ts';
import { OpenPointer, type Pointer, encodePointer } from '../storage/pointer.ts';
import type { WriteTx } from '../storage/write-tx.ts';

/** What writers know of an open view. */
export interface OpenView {
  readonly tick: Tick;
  /** See `viewPrefix`. */
  readonly prefix: string;
  /** Whether anything was kept for it. */
  touched: boolean;
}

/**
 * The views of a collection that are open, for those who change its documents: they keep for each view the
 * pointer that they replace or remove, if it is as old as the view. A view that is opened or ended between
 * two requests of the commit queue is so for all of the second one.
 */
export class OpenViews {
  readonly #open = new Set<OpenView>();

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** The smallest tick of a view: what was live then, or later, must stay in the journal. */
  get horizon(): Tick | undefined {
    let smallest: Tick | undefined;
    for (const { tick } of this.#open) {
      if (smallest === undefined || tick < smallest) smallest = tick;
    }
    return smallest;
  }

  add(view: OpenView): void {
    this.#open.add(view);
  }

  /** @returns whether it was open */
  delete(view: OpenView): boolean {
    return this.#open.delete(view);
  }

  /**
   * Comes before `old` ceases to be the pointer of a document. That happens once to a pointer, so what is
   * kept need not be looked for.
   */
  keep(tx: WriteTx, key: string, old: Pointer): void {
    let value: OpenPointer | Buffer | undefined;
    for (const view of this.#open) {
      if (old.tick > view.tick) continue;
      // Where the block of an open one ends is known when it is written.
      value ??= old instanceof OpenPointer ? old : encodePointer(old);
      tx.putBlind(view.prefix + key, value);
      view.touched = true;
    }
  }
}
