import type { ServerApi } from '../support/server-api.ts';
import type { Model } from './model.ts';
import { PACKAGES } from './packages.ts';
import { type WriteCounts, Writer } from './writers.ts';

/** Several writers at once. Each has a share of the packages for its own. */
export class WriterGroup {
  readonly #writers: readonly Writer[];
  #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: { leader: ServerApi; model: Model }, options: { count: number; seed: number }) {
    const keys = [...(deps.model.collections.get(PACKAGES)?.keys() ?? [])];
    this.#writers = Array.from({ length: options.count }, (_, number) => {
      const own = keys.filter((__, i) => i % options.count === number);
      const name = `writer-${number + 1}`;
      return new Writer(deps, { name, seed: options.seed + number, keys: own });
    });
  }

  /** Lets all write; nothing waits for them. */
  start(): void {
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.#running = Promise.all(this.#writers.map((writer) => writer.run(signal)));
    // Whoever stops them is told; until then it is nobody's.
    this.#running.catch(() => this.#stopping.abort());
  }

  /** Lets each finish its write. @throws what stopped one of them before */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Writes that were acknowledged. */
  get total(): number {
    return this.#writers.reduce((sum, { total }) => sum + total, 0);
  }

  get counts(): WriteCounts {
    const sum: WriteCounts = { inserted: 0, updated: 0, removed: 0 };
    for (const { counts } of this.#writers) {
      sum.inserted += counts.inserted;
      sum.updated += counts.updated;
      sum.removed += counts.removed;
    }
    return sum;
  }
}
