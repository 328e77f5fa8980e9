/** Tells what happens, each line with the time since the start before it. */
export class Narrator {
  readonly #startedMs = performance.now();
  #step = 0;

  /** Begins a step; an empty line stands before it. */
  step(title: string): void {
    this.#step++;
    console.log(`\n${this.#clock()}  ${this.#step}. ${title}`);
  }

  /** Tells something within a step. */
  say(text: string): void {
    console.log(`${this.#clock()}     ${text}`);
  }

  /** Prints lines that have a form of their own, such as a table, below the text of a step. */
  show(text: string): void {
    for (const line of text.split('\n')) console.log(`             ${line}`.trimEnd());
  }

  /** Seconds since the start. */
  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  #clock(): string {
    return `[${this.seconds.toFixed(1).padStart(5)} s]`;
  }
}
