/** Between two samples: whoever asks more often gets no more of them. */
const SAMPLE_EVERY_MS = 100;
/** Before that what was measured is that of a single moment. */
const SHORTEST_MS = 500;

/** How fast something grows that is looked at now and then, over the last seconds. */
export class Speed {
  readonly #samples: { readonly atMs: number; readonly value: number }[] = [];
  readonly #windowMs: number;

  constructor(windowMs = 10_000) {
    this.#windowMs = windowMs;
  }

  /** Takes how much there is now; returns how much comes in a second, undefined before it can be known. */
  at(value: number, nowMs = performance.now()): number | undefined {
    const samples = this.#samples;
    const last = samples.at(-1);
    if (!last || nowMs - last.atMs >= SAMPLE_EVERY_MS) samples.push({ atMs: nowMs, value });
    while (samples.length > 2 && nowMs - (samples[1]?.atMs ?? nowMs) >= this.#windowMs)
      samples.shift();
    const [first] = samples;
    if (!first || nowMs - first.atMs < SHORTEST_MS) return undefined;
    return ((value - first.value) / (nowMs - first.atMs)) * 1000;
  }
}
