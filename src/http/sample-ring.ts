/** Numbers that belong together, at so many moments as fit; the oldest goes first. */
export class SampleRing<Name extends string> {
  readonly #times: Float64Array;
  readonly #columns: ReadonlyMap<Name, Float32Array>;
  readonly #capacity: number;
  /** Samples ever added. */
  #added = 0;

  constructor(names: readonly Name[], capacity: number) {
    this.#capacity = capacity;
    this.#times = new Float64Array(capacity);
    this.#columns = new Map(names.map((name) => [name, new Float32Array(capacity)]));
  }

  /** @param timeMs ms since 1970 */
  add(timeMs: number, values: Readonly<Record<Name, number | null>>): void {
    const at = this.#added++ % this.#capacity;
    this.#times[at] = timeMs;
    for (const [name, column] of this.#columns) column[at] = values[name] ?? Number.NaN;
  }

  /** What is held of after a moment, the oldest first. Numbers have 24 bits of precision. */
  after(sinceMs: number): {
    times: number[];
    series: Readonly<Record<Name, (number | null)[]>>;
  } {
    const held = Math.min(this.#added, this.#capacity);
    const all = Array.from({ length: held }, (_, i) => (this.#added - held + i) % this.#capacity);
    const places = all.filter((at) => (this.#times[at] ?? 0) > sinceMs);
    const valuesOf = (column: Float32Array): (number | null)[] =>
      places.map((at) => {
        const value = column[at] ?? Number.NaN;
        return Number.isNaN(value) ? null : value;
      });
    const series = Object.fromEntries(
      [...this.#columns].map(([name, column]) => [name, valuesOf(column)]),
    ) as Record<Name, (number | null)[]>;
    return { times: places.map((at) => this.#times[at] ?? 0), series };
  }
}
