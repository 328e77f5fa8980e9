import { UnexpectedAnswer } from '../../bench/support/http-client.ts';
import type { LiveServer } from './live-server.ts';
import type { Random } from './random.ts';

/** Few names, so that they go from one collection to the next. */
export const NAMES: readonly string[] = ['a', 'b', 'c', 'd'];

const KEYS = 6;
const INDEXES = [
  { type: 'hash', fields: ['of'] },
  { type: 'skiplist', fields: ['n'] },
];
/** What meets a name that is taken, or a collection or document that is not there. */
const REFUSALS: ReadonlySet<number> = new Set([1202, 1203, 1207, 1210, 1218]);

/**
 * Makes, drops and renames collections of a server, and writes into them; what cannot be done at the
 * moment is left out.
 */
export class CatalogueTraffic {
  readonly #server: LiveServer;
  readonly #random: Random;

  constructor(deps: { server: LiveServer; random: Random }) {
    this.#server = deps.server;
    this.#random = deps.random;
  }

  async run(operations: number): Promise<void> {
    for (let i = 0; i < operations; i++) {
      try {
        await this.#step();
      } catch (error) {
        if (!(error instanceof UnexpectedAnswer) || !REFUSALS.has(error.errorNum)) throw error;
      }
    }
  }

  async #step(): Promise<void> {
    const [name, other] = [this.#name(), this.#name()];
    const share = this.#random.below(100);
    if (share < 15) return this.#create(name);
    if (share < 25) return this.#server.drop(name);
    if (share < 40) return this.#server.rename(name, other);
    if (share < 45) return this.#server.api.truncate(name);
    if (share < 50) return this.#server.api.createIndex(name, this.#random.pick(INDEXES)!);
    const key = `k${this.#random.below(KEYS)}`;
    if (share < 60) return this.#server.api.remove(name, key);
    if (share < 75) return this.#server.putEdge(name, key);
    return this.#server.put(name, key);
  }

  async #create(name: string): Promise<void> {
    await this.#server.create(name, this.#random.percent(30) ? 3 : 2);
  }

  #name(): string {
    return this.#random.pick(NAMES)!;
  }
}
