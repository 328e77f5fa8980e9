/** Counts what is measured by its size: plain numbers, so that measuring costs next to nothing. */
export class Histogram {
  /** Upper bounds, rising; what is above all of them is counted last. */
  readonly bounds: readonly number[];
  /** One for each bound, and one for what is above all. */
  readonly counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  add(value: number): void {
    const { bounds, counts } = this;
    let i = 0;
    while (i < bounds.length && value > (bounds[i] ?? Infinity)) i++;
    counts[i] = (counts[i] ?? 0) + 1;
    this.#sum += value;
  }
}
