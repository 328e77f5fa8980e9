import type { Tick } from '../model/tick.ts';
import type { Page } from '../storage/page.ts';
import type { HeldPage, PageLimits, PageMemory } from './page-memory.ts';

/** A page that a client asks for, out of a row of pages. */
export interface PageWanted {
  /** Says everything about the row, but not where in it the page begins. */
  readonly row: string;
  /** Exclusive. */
  readonly from: Tick;
  /** In bytes. */
  readonly chunkSize: number;
  /** How many times its bytes a page takes. */
  readonly factor: number;
  /** Up to where the row can be read now: while that stays, the last page of the row stays, too. */
  readonly end: () => Tick;
  readonly read: (from: Tick, limits: PageLimits) => Promise<Page>;
}

interface PageAhead {
  /** undefined when there was no room for it, or it could not be read: who comes for it reads himself. */
  readonly reading: Promise<HeldPage | undefined>;
  readonly end: Tick;
  readonly timer: NodeJS.Timeout;
}

/** A page that is not fetched for so long is given up. */
const KEPT_MS = 2000;
/** Clients whose position is remembered. */
const POSITIONS_MAX = 1000;

/**
 * Reads the next page while the one before is sent, for clients that begin at the beginning or have gone
 * on from one page to the next. It takes no memory that others wait for, and a page that could have changed is not served.
 */
export class PagesAhead {
  readonly #memory: PageMemory;
  readonly #keptMs: number;
  /** Where pages ended behind which there are more, the latest last. */
  readonly #positions = new Set<string>();
  readonly #pages = new Map<string, PageAhead>();
  readonly #readings = new Set<Promise<unknown>>();
  #closed = false;
  #served = 0;

  constructor(deps: { memory: PageMemory }, options: { keptMs?: number } = {}) {
    this.#memory = deps.memory;
    this.#keptMs = options.keptMs ?? KEPT_MS;
    deps.memory.onShortage(() => this.#dropAll());
  }

  /** Pages that were there before they were asked for. */
  get served(): number {
    return this.#served;
  }

  /**
   * The page wanted, read now or before.
   * @throws as PageMemory.hold
   */
  async hold(wanted: PageWanted, signal: AbortSignal): Promise<HeldPage> {
    const { row, from, chunkSize, factor } = wanted;
    // Who begins at the beginning wants it all.
    const isPaging = this.#positions.delete(positionOf(row, from)) || from === 0n;
    const held =
      (await this.#take(wanted)) ??
      (await this.#memory.hold(chunkSize, signal, (limits) => wanted.read(from, limits), factor));
    const { more, lastScanned } = held.page;
    if (more) {
      this.#notePosition(positionOf(row, lastScanned));
      if (isPaging) this.#begin({ ...wanted, from: lastScanned });
    }
    return held;
  }

  /** Gives up all that is there, and waits for what is being read. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#dropAll();
    await Promise.all(this.#readings);
  }

  async #take(wanted: PageWanted): Promise<HeldPage | undefined> {
    const position = positionOf(wanted.row, wanted.from);
    const found = this.#pages.get(position);
    if (!found) return undefined;
    this.#pages.delete(position);
    clearTimeout(found.timer);
    const held = await found.reading;
    if (!held) return undefined;
    if (!held.page.more && found.end !== wanted.end()) {
      held.release();
      return undefined;
    }
    this.#served++;
    return held;
  }

  #begin(wanted: PageWanted): void {
    const position = positionOf(wanted.row, wanted.from);
    if (this.#closed || this.#pages.has(position)) return;
    const { chunkSize, factor, from } = wanted;
    const end = wanted.end();
    const reading = this.#memory
      .holdIfRoom(chunkSize, (limits) => wanted.read(from, limits), factor)
      // Nobody has asked for it. Who does reads it himself and is told what is wrong.
      .catch(() => undefined);
    this.#readings.add(reading);
    void reading.then(() => this.#readings.delete(reading));
    const timer = setTimeout(() => this.#drop(position), this.#keptMs);
    this.#pages.set(position, { reading, end, timer });
  }

  #drop(position: string): void {
    const found = this.#pages.get(position);
    if (!found) return;
    this.#pages.delete(position);
    clearTimeout(found.timer);
    void found.reading.then((held) => held?.release());
  }

  #dropAll(): void {
    for (const position of [...this.#pages.keys()]) this.#drop(position);
  }

  #notePosition(position: string): void {
    this.#positions.add(position);
    if (this.#positions.size <= POSITIONS_MAX) return;
    for (const oldest of this.#positions) {
      this.#positions.delete(oldest);
      return;
    }
  }
}

function positionOf(row: string, from: Tick): string {
  return `${row}>${from}`;
}
