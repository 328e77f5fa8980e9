import { ServiceError } from '../model/errors.ts';
import { MAX_TICK, type Tick } from '../model/tick.ts';

/** The ceiling is raised by this much at a time. */
export const CEILING_STEP = 1n << 20n;
/**
 * Largest value taken from elsewhere. Half of what ticks can be stays above it, so that no leader, broken
 * or hostile, can use the counter up.
 */
export const FOREIGN_TICK_MAX = 1n << 62n;
/** It is raised when less than this is left below it. */
const CEILING_MARGIN = 1n << 18n;

/**
 * The one counter of a server: log ticks, revisions, collection, index, transaction and batch ids.
 * A value is given out below a ceiling that is already on disk, or in the batch that raises it; a
 * start goes on at the ceiling, so nothing once shown is given twice (contract 1.2).
 */
export class TickSource {
  #next: Tick;
  #ceiling: Tick;

  constructor(options: { next: Tick; ceiling: Tick }) {
    this.#next = options.next;
    this.#ceiling = options.ceiling;
  }

  /** The next value for an entry of the commit that is being put together. */
  draw(): Tick {
    const tick = this.#next;
    if (tick >= MAX_TICK) throw new ServiceError('internal', 'the tick counter is used up');
    this.#next = tick + 1n;
    return tick;
  }

  /** As many values as are wanted, that rise by one; returns the first. */
  drawMany(count: number): Tick {
    const first = this.draw();
    this.#next = first + BigInt(count);
    if (this.#next > MAX_TICK) throw new ServiceError('internal', 'the tick counter is used up');
    return first;
  }

  /** A value to be shown before the next commit; undefined when the ceiling must be raised first. */
  drawBelowCeiling(): Tick | undefined {
    return this.#next < this.#ceiling ? this.draw() : undefined;
  }

  /** Largest value given out so far. */
  get last(): Tick {
    return this.#next - 1n;
  }

  /**
   * Pushes the counter above a value received from elsewhere (contract 1.2).
   * @throws ServiceError badParameter for one above 2^62.
   */
  observe(foreign: Tick): void {
    if (foreign > FOREIGN_TICK_MAX) {
      throw new ServiceError(
        'badParameter',
        `tick ${foreign} is above the largest one taken from elsewhere, 2^62`,
      );
    }
    if (foreign >= this.#next) this.#next = foreign + 1n;
  }

  /** The ceiling to write with the present batch; undefined when the one on disk is high enough. */
  get ceilingToWrite(): Tick | undefined {
    return this.#next + CEILING_MARGIN > this.#ceiling ? this.#next + CEILING_STEP : undefined;
  }

  /** Says that this ceiling is on disk. */
  ceilingWritten(ceiling: Tick): void {
    this.#ceiling = ceiling;
  }
}
