import type { Tick } from '../model/tick.ts';
import type { RequestOptions, Scope } from './scope.ts';

/** What a barrier keeps, and for how long. */
export interface BarrierSettings {
  /** The caps of the log leave alone what is newer than this. */
  readonly tick: Tick;
  /** The barrier ends by itself after this long, in seconds. */
  readonly ttl: number;
}

const PATH = '/_api/replication/barrier';

/** The barriers of a database: they keep its log for someone who comes back (contract 2.10). */
export class BarriersClient {
  readonly #scope: Scope;

  constructor(deps: { scope: Scope }) {
    this.#scope = deps.scope;
  }

  /** Opens one. @returns its id @throws TicklogError httpBadParameter (400), badParameter (10) */
  async create(settings: BarrierSettings, options: RequestOptions = {}): Promise<string> {
    const call = { ...options, body: bodyOf(settings) };
    const { id } = await this.#scope.json<{ id: string }>('POST', PATH, call);
    return id;
  }

  /**
   * Lets it live for `ttl` seconds from now on, and moves it where the tick is ahead.
   * @throws TicklogError documentNotFound (1202) for one that has ended
   */
  async extend(id: string, settings: BarrierSettings, options: RequestOptions = {}): Promise<void> {
    await this.#scope.send('PUT', pathOf(id), { ...options, body: bodyOf(settings) });
  }

  /** Ends it. @throws TicklogError documentNotFound (1202) for one that has ended */
  async remove(id: string, options: RequestOptions = {}): Promise<void> {
    await this.#scope.send('DELETE', pathOf(id), options);
  }

  /** Ids of those that are open, the oldest first. */
  list(options: RequestOptions = {}): Promise<readonly string[]> {
    return this.#scope.json('GET', PATH, options);
  }
}

function pathOf(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`;
}

function bodyOf({ tick, ttl }: BarrierSettings): object {
  return { tick: tick.toString(), ttl };
}
