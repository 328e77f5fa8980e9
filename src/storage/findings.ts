/** Something that is not as it must be. */
export interface Finding {
  /** The file, collection, log or record. */
  readonly place: string;
  readonly what: string;
}

/** What a check has found; of very many only the first are kept. */
export class Findings {
  readonly #maxKept: number;
  readonly #kept: Finding[] = [];
  #count = 0;

  constructor(options: { maxKept: number }) {
    this.#maxKept = options.maxKept;
  }

  get kept(): readonly Finding[] {
    return this.#kept;
  }

  /** All of them. */
  get count(): number {
    return this.#count;
  }

  add(place: string, what: string): void {
    this.#count++;
    if (this.#kept.length < this.#maxKept) this.#kept.push({ place, what });
  }
}
