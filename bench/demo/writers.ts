import { UnexpectedAnswer } from '../support/http-client.ts';
import { Random } from '../support/random.ts';
import type { ServerApi } from '../support/server-api.ts';
import type { Change, Model } from './model.ts';
import { type Content, DEPENDS_ON, PACKAGES } from './packages.ts';

/** How many writes of each kind were acknowledged. */
export interface WriteCounts {
  inserted: number;
  updated: number;
  removed: number;
}

/** A writer stops here: the demonstration has to end, however fast the machine is. */
const WRITES_MAX = 15_000;

/**
 * One client of the leader. It works on keys of its own, one request after another, so that it always
 * knows what must come out. When the leader is gone it notes the write that got no answer and ends;
 * a new `run` goes on.
 */
export class Writer {
  readonly counts: WriteCounts = { inserted: 0, updated: 0, removed: 0 };
  readonly #leader: ServerApi;
  readonly #model: Model;
  readonly #name: string;
  readonly #random: Random;
  /** Keys of packages that are there and belong to this writer. */
  readonly #keys: string[];
  #created = 0;
  #writes = 0;

  constructor(
    deps: { leader: ServerApi; model: Model },
    options: { name: string; seed: number; keys: readonly string[] },
  ) {
    this.#leader = deps.leader;
    this.#model = deps.model;
    this.#name = options.name;
    this.#random = new Random(options.seed);
    this.#keys = [...options.keys];
  }

  get total(): number {
    const { inserted, updated, removed } = this.counts;
    return inserted + updated + removed;
  }

  /**
   * Writes until `signal` is aborted or the connection is lost.
   * @throws UnexpectedAnswer when the leader refuses a write
   */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#writes++ < WRITES_MAX) {
      if (!(await this.#writeOne())) return;
    }
  }

  /** Of ten writes six insert, three change and one removes. */
  #writeOne(): Promise<boolean> {
    const chance = this.#random.below(10);
    if (chance < 2) return this.#insertEdge();
    if (chance < 6 || this.#keys.length < 2) return this.#insertRelease();
    return chance < 9 ? this.#update() : this.#remove();
  }

  #insertRelease(): Promise<boolean> {
    const n = ++this.#created;
    const content = {
      _key: `${this.#name}@1.0.${n}`,
      name: this.#name,
      version: `1.0.${n}`,
      description: `Release ${n} of ${this.#name}, published while others watch`,
      keywords: ['release', this.#name],
      size: this.#random.below(1_000_000),
    };
    this.#keys.push(content._key);
    return this.#insert({ collection: PACKAGES, content });
  }

  #insertEdge(): Promise<boolean> {
    const pick = (): string => `${PACKAGES}/${this.#random.pick(this.#keys)}`;
    const content = {
      _key: `${this.#name}:${++this.#created}`,
      ...{ _from: pick(), _to: pick() },
      kind: 'dependencies',
      range: `^1.0.${this.#random.below(100)}`,
    };
    return this.#insert({ collection: DEPENDS_ON, content });
  }

  #insert({ collection, content }: { collection: string; content: Content }): Promise<boolean> {
    return this.#send({ collection, key: content._key, content }, 'inserted', () =>
      this.#leader.insert(collection, JSON.stringify(content)),
    );
  }

  #update(): Promise<boolean> {
    const key = this.#random.pick(this.#keys);
    const before = this.#model.collections.get(PACKAGES)?.get(key);
    // A write that was not answered may have to be left out.
    if (!before) return Promise.resolve(true);
    const patch = { downloads: this.#random.below(10_000_000), reviewedBy: this.#name };
    const content = { ...before.content, ...patch };
    return this.#send({ collection: PACKAGES, key, content }, 'updated', () =>
      this.#leader.update(PACKAGES, key, JSON.stringify(patch)),
    );
  }

  #remove(): Promise<boolean> {
    const at = this.#random.below(this.#keys.length);
    const key = this.#keys[at] ?? '';
    this.#keys[at] = this.#keys.at(-1) ?? '';
    this.#keys.pop();
    if (!this.#model.collections.get(PACKAGES)?.has(key)) return Promise.resolve(true);
    const change = { collection: PACKAGES, key, content: undefined };
    return this.#send(change, 'removed', async () => {
      await this.#leader.remove(PACKAGES, key);
      return undefined;
    });
  }

  /** @returns false when the connection is lost */
  async #send(
    change: Change,
    kind: keyof WriteCounts,
    request: () => Promise<string | undefined>,
  ): Promise<boolean> {
    let rev: string | undefined;
    try {
      rev = await request();
    } catch (error) {
      if (error instanceof UnexpectedAnswer) throw error;
      this.#model.noteUnanswered(change);
      return false;
    }
    this.#model.acknowledge(change, rev);
    this.counts[kind]++;
    return true;
  }
}
