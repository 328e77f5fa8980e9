import type { Changelog } from '../changelog/changelog.ts';
import type { Tick } from '../model/tick.ts';

/** How much had been logged when the log ended at a tick. */
interface Mark {
  readonly tick: Tick;
  readonly bytes: number;
}

/** When there are more, every other one is dropped. */
const MARKS_MAX = 1024;

/**
 * Says about how many bytes of a log lie above a tick, without reading it: by marks of how much had been logged
 * at what tick, between which the log is taken to be even. What was there before the first mark is one stretch.
 */
export class LogMarks {
  readonly #changelog: Changelog;
  #marks: Mark[];

  constructor(changelog: Changelog) {
    this.#changelog = changelog;
    const { firstTick, bytes } = changelog.state;
    const tick = firstTick > 0n ? firstTick - 1n : 0n;
    this.#marks = [{ tick, bytes: changelog.loggedBytes - bytes }];
    this.mark();
  }

  /** Notes where the log ends now. */
  mark(): void {
    const { lastTick, removedTick } = this.#changelog.state;
    if (lastTick <= (this.#marks.at(-1)?.tick ?? 0n)) return;
    this.#marks.push({ tick: lastTick, bytes: this.#changelog.loggedBytes });
    // The last one at or below what is removed is still needed to count from.
    while ((this.#marks[1]?.tick ?? lastTick + 1n) <= removedTick) this.#marks.shift();
    if (this.#marks.length <= MARKS_MAX) return;
    this.#marks = this.#marks.filter((_, i, { length }) => i % 2 === 0 || i === length - 1);
  }

  /** Bytes of lines above a tick that are still held. */
  bytesAbove(tick: Tick): number {
    const { lastTick, bytes } = this.#changelog.state;
    if (tick >= lastTick) return 0;
    const above = this.#changelog.loggedBytes - this.#bytesAt(tick);
    return Math.round(Math.min(bytes, Math.max(0, above)));
  }

  #bytesAt(tick: Tick): number {
    const { lastTick } = this.#changelog.state;
    const now = { tick: lastTick, bytes: this.#changelog.loggedBytes };
    const next = this.#marks.findIndex((mark) => mark.tick > tick);
    const after = next < 0 ? now : (this.#marks[next] ?? now);
    const before = (next < 0 ? this.#marks.at(-1) : this.#marks[next - 1]) ?? after;
    const ticks = Number(after.tick - before.tick);
    if (ticks <= 0 || tick <= before.tick) return before.bytes;
    return before.bytes + ((after.bytes - before.bytes) * Number(tick - before.tick)) / ticks;
  }
}
